//! What every block of a format holds whose files are cut into blocks of one length, decided before anything is compressed.
//!
//! A file of at least one block has blocks of its own; smaller ones lie behind each other in *fragment blocks*. The blocks
//! of a unit follow each other, and are a segment; small units share one.

mod equal;
mod keys;
mod outline;
mod usage;

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

use image::{Kind, NodeId, Tree, show};

pub use equal::{Equal, equal_files};
pub use usage::UnitUsage;

/// One in this many units of a bucket ends it.
const BUCKET_CUT: u64 = 16;

/// The number of a fragment block that is none.
pub const NO_FRAGMENT: u32 = u32::MAX;

/// More blocks than can be counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooMany {
    /// How many.
    pub count: u64,
    /// How many there may be.
    pub limit: u64,
}

/// All blocks, in the order of the segments.
#[derive(Debug, Default)]
pub struct Cut {
    /// The segments.
    pub list: Vec<Segment>,
    /// What each block holds.
    pub jobs: Vec<Job>,
    /// The files of all fragment blocks.
    pub pieces: Vec<Piece>,
    /// The units, by their order and their names.
    pub units: Vec<UnitPlan>,
    /// How many fragment blocks there are.
    pub fragment_count: u32,
    /// Where each regular file's bytes are, by [`NodeId::index`].
    pub places: Vec<Place>,
}

/// A run of blocks that starts at a multiple of 4 KiB.
#[derive(Debug)]
pub struct Segment {
    /// What people call it: its units, from the first to the last.
    pub label: String,
    /// Its blocks.
    pub jobs: Range<usize>,
}

/// One block to be compressed.
#[derive(Debug)]
pub enum Job {
    /// A block of a large file.
    Block {
        /// Whose bytes.
        file: NodeId,
        /// The first of them.
        start: u64,
        /// How many.
        len: u32,
        /// The number of the file's unit.
        unit: Option<u32>,
    },
    /// A block of small files, one after the other.
    Fragment {
        /// The files, as numbers of [`Cut::pieces`].
        pieces: Range<usize>,
        /// How many bytes.
        len: u32,
    },
}

impl Job {
    /// How many bytes it holds; never none.
    #[expect(clippy::len_without_is_empty, reason = "no block is empty")]
    #[must_use]
    pub fn len(&self) -> u32 {
        match self {
            Job::Block { len, .. } | Job::Fragment { len, .. } => *len,
        }
    }
}

/// A small file in a fragment block.
#[derive(Debug)]
pub struct Piece {
    /// Whose bytes.
    pub file: NodeId,
    /// How many.
    pub len: u32,
    /// The number of the file's unit.
    pub unit: Option<u32>,
}

/// A unit's root and the bytes of its files.
#[derive(Debug)]
pub struct UnitPlan {
    /// The directory, or the file that it is.
    pub root: NodeId,
    /// The bytes of its files, each counted once.
    pub content_len: u64,
}

/// Where a file's bytes are.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// The first of its blocks, as a number of a job; of no meaning without blocks.
    pub first_job: u32,
    /// The fragment block's number, or [`NO_FRAGMENT`].
    pub fragment: u32,
    /// The first byte in the fragment block.
    pub offset: u32,
}

const NOWHERE: Place = Place {
    first_job: u32::MAX,
    fragment: NO_FRAGMENT,
    offset: 0,
};

impl Cut {
    /// Decides for all files but the stored ones. `classes` says which files have the same bytes, as [`Equal::classes`].
    ///
    /// # Errors
    /// When there are more blocks than 32 bits count.
    pub fn plan(
        tree: &Tree,
        classes: &[u32],
        block_size: u32,
        stored: &BTreeSet<NodeId>,
    ) -> Result<Cut, TooMany> {
        let mut planner = Planner::new(tree, classes, block_size);
        let (units, rest) = files_by_unit(tree, stored);
        let mut bucket: Vec<u32> = Vec::new();
        for (number, (root, files)) in (0u32..).zip(&units) {
            let content_len = files.iter().map(|id| content_len(tree, *id)).sum();
            planner.cut.units.push(UnitPlan {
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
        Ok(planner.cut)
    }

    /// The bytes of a block.
    ///
    /// # Errors
    /// When a file cannot be read, or is not the planned one.
    pub fn read(&self, tree: &Tree, job: &Job, input: &mut Vec<u8>) -> image::Result<()> {
        input.clear();
        input.resize(job.len() as usize, 0);
        match job {
            Job::Block { file, start, .. } => read_file(tree, *file, *start, input),
            Job::Fragment { pieces, .. } => {
                let mut rest = &mut input[..];
                for piece in &self.pieces[pieces.clone()] {
                    let (own, others) = rest.split_at_mut(piece.len as usize);
                    read_file(tree, piece.file, 0, own)?;
                    rest = others;
                }
                Ok(())
            }
        }
    }

    /// The units of a segment, by their numbers.
    #[must_use]
    pub fn units_of(&self, segment: &Segment) -> BTreeSet<u32> {
        let mut units = BTreeSet::new();
        for job in &self.jobs[segment.jobs.clone()] {
            match job {
                Job::Block { unit, .. } => units.extend(unit),
                Job::Fragment { pieces, .. } => {
                    let pieces = self.pieces[pieces.clone()].iter();
                    units.extend(pieces.filter_map(|piece| piece.unit));
                }
            }
        }
        units
    }

    /// The roots of the units that have blocks in these segments.
    #[must_use]
    pub fn roots_of(&self, numbers: &[usize]) -> BTreeSet<NodeId> {
        let units = numbers
            .iter()
            .flat_map(|number| self.units_of(&self.list[*number]));
        units.map(|unit| self.units[unit as usize].root).collect()
    }

    /// Leaves only the segments in which any of these units has blocks, or all when there are none of them.
    pub fn keep_only(&mut self, wanted: &BTreeSet<NodeId>) {
        if wanted.is_empty() {
            return;
        }
        let list = std::mem::take(&mut self.list);
        let is_wanted = |segment: &Segment| {
            let units = self.units_of(segment);
            units
                .iter()
                .any(|unit| wanted.contains(&self.units[*unit as usize].root))
        };
        self.list = list.into_iter().filter(|segment| is_wanted(segment)).collect();
    }
}

fn read_file(tree: &Tree, file: NodeId, start: u64, buffer: &mut [u8]) -> image::Result<()> {
    let Kind::File(content) = &tree.node(file).kind else {
        return Ok(());
    };
    let mut reader = content.reader()?;
    reader.skip(start);
    reader.fill(buffer)?;
    reader.finish()
}

/// Whether there is nothing but zeros.
#[must_use]
pub fn is_zero(bytes: &[u8]) -> bool {
    bytes
        .chunks(4096)
        .all(|chunk| chunk.iter().all(|byte| *byte == 0))
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
    cut: Cut,
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
        let cut = Cut {
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
            cut,
            large,
            small,
            open: 0..0,
            open_len: 0,
        }
    }

    /// Makes one segment of the units in a bucket, and empties it.
    fn bucket(&mut self, units: &[(NodeId, Vec<NodeId>)], bucket: &mut Vec<u32>) -> Result<(), TooMany> {
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
    ) -> Result<(), TooMany> {
        let first = self.cut.jobs.len();
        self.small.clear();
        for (unit, files) in files {
            for file in files {
                self.file(*file, unit)?;
            }
        }
        self.close_fragment()?;
        let jobs = first..self.cut.jobs.len();
        if !jobs.is_empty() {
            self.cut.list.push(Segment { label, jobs });
        }
        Ok(())
    }

    fn file(&mut self, file: NodeId, unit: Option<u32>) -> Result<(), TooMany> {
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
        self.cut.places[file.index()] = place;
        Ok(())
    }

    fn small_file(&mut self, file: NodeId, len: u32, unit: Option<u32>) -> Result<Place, TooMany> {
        if self.open_len + len > self.block_size {
            self.close_fragment()?;
        }
        let place = Place {
            fragment: self.cut.fragment_count,
            offset: self.open_len,
            ..NOWHERE
        };
        self.cut.pieces.push(Piece { file, len, unit });
        self.open.end = self.cut.pieces.len();
        self.open_len += len;
        self.small.insert(self.classes[file.index()], place);
        Ok(place)
    }

    fn large_file(&mut self, file: NodeId, len: u64, unit: Option<u32>) -> Result<Place, TooMany> {
        let place = Place {
            first_job: job_number(self.cut.jobs.len())?,
            ..NOWHERE
        };
        let mut start = 0;
        while start < len {
            let block = u32::try_from(len - start).map_or(self.block_size, |left| left.min(self.block_size));
            self.cut.jobs.push(Job::Block {
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

    fn close_fragment(&mut self) -> Result<(), TooMany> {
        if !self.open.is_empty() {
            job_number(self.cut.jobs.len())?;
            self.cut.jobs.push(Job::Fragment {
                pieces: self.open.clone(),
                len: self.open_len,
            });
            self.cut.fragment_count += 1;
        }
        self.open = self.cut.pieces.len()..self.cut.pieces.len();
        self.open_len = 0;
        Ok(())
    }
}

fn job_number(count: usize) -> Result<u32, TooMany> {
    let limit = u32::MAX - 1;
    match u32::try_from(count) {
        Ok(number) if number < limit => Ok(number),
        _ => Err(TooMany {
            count: count as u64,
            limit: limit.into(),
        }),
    }
}
