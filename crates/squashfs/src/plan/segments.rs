//! What every block of the data area holds, decided before anything is compressed.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

use image::{Kind, NodeId, Tree, show};

use crate::format::NO_FRAGMENT;
use crate::{Error, Options};

/// One in this many units of a bucket ends it.
const BUCKET_CUT: u64 = 16;

/// All blocks in the order of the data area.
pub(super) struct Segments {
    pub(super) list: Vec<Segment>,
    pub(super) jobs: Vec<Job>,
    /// The files of all fragment blocks.
    pub(super) pieces: Vec<Piece>,
    pub(super) units: Vec<UnitPlan>,
    pub(super) fragment_count: u32,
    /// Where each regular file's bytes are, by [`NodeId::index`].
    pub(super) places: Vec<Place>,
}

/// A run of blocks that starts at a multiple of 4 KiB.
pub(super) struct Segment {
    pub(super) label: String,
    pub(super) jobs: Range<usize>,
}

/// One block to be compressed.
pub(super) enum Job {
    /// A block of a large file.
    Block {
        file: NodeId,
        start: u64,
        len: u32,
        unit: Option<u32>,
    },
    /// A block of small files, one after the other.
    Fragment { pieces: Range<usize>, len: u32 },
}

impl Job {
    pub(super) fn len(&self) -> u32 {
        match self {
            Job::Block { len, .. } | Job::Fragment { len, .. } => *len,
        }
    }
}

/// A small file in a fragment block.
pub(super) struct Piece {
    pub(super) file: NodeId,
    pub(super) len: u32,
    pub(super) unit: Option<u32>,
}

/// A unit's root and the bytes of its files.
pub(super) struct UnitPlan {
    pub(super) root: NodeId,
    pub(super) content_len: u64,
}

/// Where a file's bytes are.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// The first of its blocks, as a number of a job; of no meaning without blocks.
    pub(super) first_job: u32,
    /// The fragment block's number, or [`NO_FRAGMENT`].
    pub(super) fragment: u32,
    /// The first byte in the fragment block.
    pub(super) offset: u32,
}

const NOWHERE: Place = Place {
    first_job: u32::MAX,
    fragment: NO_FRAGMENT,
    offset: 0,
};

impl Segments {
    /// Decides for all files but the stored ones. `classes` says which files have the same bytes.
    pub(super) fn plan(tree: &Tree, classes: &[u32], options: &Options) -> Result<Segments, Error> {
        let block_size = options.block_size;
        let mut planner = Planner::new(tree, classes, block_size);
        let (units, rest) = files_by_unit(tree, &options.stored);
        let mut bucket: Vec<u32> = Vec::new();
        for (number, (root, files)) in (0u32..).zip(&units) {
            let content_len = files.iter().map(|id| content_len(tree, *id)).sum();
            planner.segments.units.push(UnitPlan {
                root: *root,
                content_len,
            });
            if content_len >= u64::from(block_size) {
                planner.segment(
                    unit_label(tree, *root),
                    [(Some(number), files.as_slice())].into_iter(),
                )?;
            } else {
                bucket.push(number);
                if tree
                    .unit(*root)
                    .is_some_and(|unit| hash(&unit.order).is_multiple_of(BUCKET_CUT))
                {
                    planner.bucket(&units, &mut bucket)?;
                }
            }
        }
        planner.bucket(&units, &mut bucket)?;
        let label = if units.is_empty() {
            "of all files"
        } else {
            "of other files"
        };
        planner.segment(label.into(), [(None, rest.as_slice())].into_iter())?;
        Ok(planner.segments)
    }
}

/// The regular files of each unit, units by their order, files by their paths; and the files of no unit. A file
/// with several names is at the first of them.
fn files_by_unit(tree: &Tree, stored: &BTreeSet<NodeId>) -> (Vec<(NodeId, Vec<NodeId>)>, Vec<NodeId>) {
    let mut roots: Vec<NodeId> = tree.units().map(|(root, _)| root).collect();
    roots.sort_by_key(|root| tree.unit(*root).map(|unit| (&unit.order, &unit.name)));
    let mut seen = vec![false; tree.len()];
    let mut units = Vec::with_capacity(roots.len());
    for root in roots {
        let files = files_below(tree, root, stored, &mut seen);
        units.push((root, files));
    }
    (units, files_below(tree, NodeId::ROOT, stored, &mut seen))
}

/// The regular files of a subtree that were not seen before, by their paths.
fn files_below(tree: &Tree, root: NodeId, stored: &BTreeSet<NodeId>, seen: &mut [bool]) -> Vec<NodeId> {
    let mut files = Vec::new();
    let mut stack = vec![root];
    while let Some(id) = stack.pop() {
        if std::mem::replace(&mut seen[id.index()], true) && id != NodeId::ROOT {
            continue;
        }
        match &tree.node(id).kind {
            Kind::File(_) if stored.contains(&id) => {}
            Kind::File(_) => files.push(id),
            Kind::Directory(directory) => {
                let first = stack.len();
                stack.extend(directory.iter().map(|(_, child)| child));
                stack[first..].reverse();
            }
            _ => {}
        }
    }
    files
}

fn content_len(tree: &Tree, id: NodeId) -> u64 {
    match &tree.node(id).kind {
        Kind::File(content) => content.len(),
        _ => 0,
    }
}

fn unit_label(tree: &Tree, root: NodeId) -> String {
    tree.unit(root).map(|unit| show(&unit.name)).unwrap_or_default()
}

/// FNV-1a: any hash does that spreads names and never changes.
fn hash(name: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    let hash = name.iter().fold(0xcbf2_9ce4_8422_2325, step);
    // The low bits of FNV-1a are its weakest.
    hash >> 32
}

struct Planner<'a> {
    tree: &'a Tree,
    classes: &'a [u32],
    block_size: u32,
    segments: Segments,
    /// The place of each class of large files that has one.
    large: HashMap<u32, Place>,
    /// The same for small files, in the current segment.
    small: HashMap<u32, Place>,
    /// The pieces of the fragment block that is being filled.
    open: Range<usize>,
    open_len: u32,
}

impl<'a> Planner<'a> {
    fn new(tree: &'a Tree, classes: &'a [u32], block_size: u32) -> Planner<'a> {
        let segments = Segments {
            list: Vec::new(),
            jobs: Vec::new(),
            pieces: Vec::new(),
            units: Vec::new(),
            fragment_count: 0,
            places: vec![NOWHERE; tree.len()],
        };
        let (large, small) = (HashMap::new(), HashMap::new());
        Planner {
            tree,
            classes,
            block_size,
            segments,
            large,
            small,
            open: 0..0,
            open_len: 0,
        }
    }

    /// Makes one segment of the units in a bucket, and empties it.
    fn bucket(&mut self, units: &[(NodeId, Vec<NodeId>)], bucket: &mut Vec<u32>) -> Result<(), Error> {
        let members: Vec<u32> = std::mem::take(bucket);
        let name = |number: &u32| unit_label(self.tree, units[*number as usize].0);
        let label = match (members.first(), members.last()) {
            (Some(first), Some(last)) if first != last => format!("{} to {}", name(first), name(last)),
            (Some(only), _) => name(only),
            _ => return Ok(()),
        };
        self.segment(
            label,
            members
                .iter()
                .map(|number| (Some(*number), units[*number as usize].1.as_slice())),
        )
    }

    fn segment<'f>(
        &mut self,
        label: String,
        files: impl Iterator<Item = (Option<u32>, &'f [NodeId])>,
    ) -> Result<(), Error> {
        let first = self.segments.jobs.len();
        self.small.clear();
        for (unit, files) in files {
            for file in files {
                self.file(*file, unit)?;
            }
        }
        self.close_fragment()?;
        let jobs = first..self.segments.jobs.len();
        if !jobs.is_empty() {
            self.segments.list.push(Segment { label, jobs });
        }
        Ok(())
    }

    fn file(&mut self, file: NodeId, unit: Option<u32>) -> Result<(), Error> {
        let len = content_len(self.tree, file);
        let class = self.classes[file.index()];
        let place = match u32::try_from(len) {
            Ok(0) => return Ok(()),
            Ok(len) if len < self.block_size => match self.small.get(&class) {
                Some(place) => *place,
                None => self.small_file(file, len, unit)?,
            },
            _ => match self.large.get(&class) {
                Some(place) => *place,
                None => self.large_file(file, len, unit)?,
            },
        };
        self.segments.places[file.index()] = place;
        Ok(())
    }

    fn small_file(&mut self, file: NodeId, len: u32, unit: Option<u32>) -> Result<Place, Error> {
        if self.open_len + len > self.block_size {
            self.close_fragment()?;
        }
        let place = Place {
            fragment: self.segments.fragment_count,
            offset: self.open_len,
            ..NOWHERE
        };
        self.segments.pieces.push(Piece { file, len, unit });
        self.open.end = self.segments.pieces.len();
        self.open_len += len;
        self.small.insert(self.classes[file.index()], place);
        Ok(place)
    }

    fn large_file(&mut self, file: NodeId, len: u64, unit: Option<u32>) -> Result<Place, Error> {
        let place = Place {
            first_job: job_number(self.segments.jobs.len())?,
            ..NOWHERE
        };
        let mut start = 0;
        while start < len {
            let block = u32::try_from(len - start).map_or(self.block_size, |left| left.min(self.block_size));
            self.segments.jobs.push(Job::Block {
                file,
                start,
                len: block,
                unit,
            });
            start += u64::from(block);
        }
        self.large.insert(self.classes[file.index()], place);
        Ok(place)
    }

    fn close_fragment(&mut self) -> Result<(), Error> {
        if !self.open.is_empty() {
            job_number(self.segments.jobs.len())?;
            self.segments.jobs.push(Job::Fragment {
                pieces: self.open.clone(),
                len: self.open_len,
            });
            self.segments.fragment_count += 1;
        }
        self.open = self.segments.pieces.len()..self.segments.pieces.len();
        self.open_len = 0;
        Ok(())
    }
}

fn job_number(count: usize) -> Result<u32, Error> {
    let limit = u32::MAX - 1;
    match u32::try_from(count) {
        Ok(number) if number < limit => Ok(number),
        _ => Err(Error::TooMany {
            what: "data blocks".into(),
            count: count as u64,
            limit: limit.into(),
        }),
    }
}
