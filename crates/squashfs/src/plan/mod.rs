//! Trees become images.
//!
//! 1. [`duplicates`] finds files with equal bytes; [`segments`] decides what every block holds, in which order.
//! 2. [`keys`] names segments, and [`lift`] takes those that were made before from where they are; [`pack`] compresses
//!    the others in parallel, while [`fetch`] asks for them far away; [`queue`] takes what is ready first.
//! 3. [`stored`] gives files that are not compressed their places behind them.
//! 4. [`tables`] makes inodes and directories, which say where the blocks have come to lie.
//!
//! [`alone`] stops after the second step, for segments without an image.

mod alone;
mod bound;
mod duplicates;
mod fetch;
mod fits;
mod keys;
mod lift;
mod metadata;
mod pack;
mod queue;
mod segments;
mod stored;
mod tables;
mod xattrs;

use std::collections::{BTreeMap, BTreeSet};

use cache::Key;
use image::{Image, Layout, NodeId, Progress, Spool, Tree};
use zerocopy::IntoBytes;

use crate::format::{self, NO_TABLE, Superblock, flag};
use crate::{Compression, Error, Options};
pub use alone::{Outline, make_segments, outlines};
pub use bound::at_most;
use lift::{Lifted, lift};
use pack::Packed;
use segments::Segments;
use stored::Stored;

/// Images, and the starts of segments, are multiples of this.
pub(crate) const ALIGNMENT: u64 = 4096;

/// What planning needs besides the tree and the options. None of it changes a byte of the image.
pub struct Work<'a> {
    /// Where compressed blocks are kept. It must be fresh: planning fills it from its first byte.
    pub spool: &'a Spool,
    /// How many threads compress.
    pub threads: usize,
    /// SHA-256 of files, by [`NodeId::index`], where known already; they are computed where needed otherwise.
    pub digests: &'a [Option<[u8; 32]>],
    /// Hears about the bytes that are compressed.
    pub progress: &'a dyn Progress,
    /// Where segments that were compressed before may be. Without it, segments get no names.
    pub reuse: Option<Reuse<'a>>,
}

/// How segments are found again.
#[derive(Clone, Copy)]
pub struct Reuse<'a> {
    /// For units, by their roots, a hash of everything in them: of all names, bytes and links. Segments with other files
    /// are named after these files' bytes, which are read for that.
    pub units: &'a BTreeMap<NodeId, [u8; 32]>,
    /// Where segments may be.
    pub places: cache::Places<'a>,
}

impl Work<'_> {
    fn pool(&self) -> Result<rayon::ThreadPool, Error> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(self.threads).build();
        pool.map_err(|error| Error::NoThread(std::io::Error::other(error)))
    }
}

/// An image, and what takes its space.
#[derive(Clone, Debug)]
pub struct Planned {
    /// The image; its data lies in the spool.
    pub image: Image,
    /// The bytes that the format uses; the image's size is the next multiple of 4096.
    pub used: u64,
    /// What each unit takes, in the order of the data. Files of no unit, and stored ones, are not counted.
    pub units: Vec<UnitUsage>,
    /// Where the segments are in the image, as far as they have names.
    pub segments: Vec<cache::Record>,
}

/// What a unit takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitUsage {
    /// The unit's name.
    pub name: Box<[u8]>,
    /// The bytes of its files, hard links counted once.
    pub content_len: u64,
    /// The bytes of its blocks in the image. Of a shared fragment block, each unit has its part.
    pub stored_len: u64,
}

/// Makes an image of a tree.
///
/// # Errors
/// When the options are outside the format's limits, the tree holds what the format cannot, or a file cannot be
/// read or the spool written.
pub fn plan(tree: &Tree, options: &Options, work: &Work) -> Result<Planned, Error> {
    Begun::new(tree, options, work)?.finish()
}

/// An image whose segments were looked for nearby, and none made yet.
pub struct Begun<'a> {
    tree: &'a Tree,
    options: &'a Options,
    work: &'a Work<'a>,
    segments: Segments,
    keys: Vec<Option<Key>>,
    lifted: Lifted,
}

impl<'a> Begun<'a> {
    /// Decides what each segment holds, and takes those that are nearby.
    ///
    /// # Errors
    /// As [`plan`].
    pub fn new(tree: &'a Tree, options: &'a Options, work: &'a Work) -> Result<Begun<'a>, Error> {
        check(tree, options)?;
        let equal = duplicates::originals(tree, options, 1, work)?;
        let segments = Segments::plan(tree, &equal.classes, options)?;
        let keys = match &work.reuse {
            Some(reuse) => keys::keys(tree, &segments, &equal.digests, options, reuse, work)?,
            None => vec![None; segments.list.len()],
        };
        let lifted = lift(&segments, &keys, options, work)?;
        Ok(Begun {
            tree,
            options,
            work,
            segments,
            keys,
            lifted,
        })
    }

    /// The roots of the units whose hashes will name segments that are still to be made: whoever has not compared these
    /// hashes with what they stand for can do so now.
    #[must_use]
    pub fn unnamed(&self) -> BTreeSet<NodeId> {
        let (segments, units) = (&self.segments, self.work.reuse.map(|reuse| reuse.units));
        let missing = self
            .lifted
            .missing()
            .filter(|number| self.keys[*number].is_some());
        missing
            .flat_map(|number| keys::units(segments, &segments.list[number]))
            .map(|unit| segments.units[unit as usize].root)
            .filter(|root| units.is_some_and(|units| units.contains_key(root)))
            .collect()
    }

    /// Makes the image.
    ///
    /// # Errors
    /// As [`plan`].
    pub fn finish(self) -> Result<Planned, Error> {
        let Begun {
            tree,
            options,
            work,
            segments,
            keys,
            lifted,
        } = self;
        let packed = pack::pack(tree, &segments, &keys, lifted, options, work)?;
        let stored = Stored::plan(tree, options, packed.end)?;
        let tables = tables::Tables::make(tree, &segments, &packed, &stored, options)?;
        let (image, used) = lay_out(&segments, &packed, work.spool, &stored, tables, options)?;
        Ok(Planned {
            image,
            used,
            units: usage(tree, &segments, &packed),
            segments: records(&keys, &packed),
        })
    }
}

/// Where segments are, for whoever wants to lift them out of the image.
fn records(keys: &[Option<Key>], packed: &Packed) -> Vec<cache::Record> {
    let segments = packed.segments.iter().zip(&packed.spooled);
    let record = |(key, (place, spooled)): (&Option<Key>, (&std::ops::Range<u64>, &lift::Spooled))| {
        Some(cache::Record {
            key: (*key)?,
            start: place.start,
            sizes: spooled.sizes.clone(),
            len: spooled.len,
            digest: spooled.digest?,
        })
    };
    keys.iter().zip(segments).filter_map(record).collect()
}

/// Checks what can be checked before any work.
fn check(tree: &Tree, options: &Options) -> Result<(), Error> {
    options.check()?;
    fits::check(tree)?;
    stored::check(tree, options)?;
    match tree.node(NodeId::ROOT).kind {
        image::Kind::Directory(_) => Ok(()),
        _ => Err(Error::RootNotADirectory),
    }
}

/// Puts superblock, segments and tables into their places.
fn lay_out(
    segments: &Segments,
    packed: &Packed,
    spool: &Spool,
    stored: &Stored,
    tables: tables::Tables,
    options: &Options,
) -> Result<(Image, u64), Error> {
    let mut layout = Layout::new();
    for ((segment, place), spooled) in segments.list.iter().zip(&packed.segments).zip(&packed.spooled) {
        let span = spool.span(spooled.start, spooled.len);
        layout.put(place.start, format!("segment {}", segment.label), span);
    }
    stored.lay_out(&mut layout);
    let mut tail = Tail {
        layout,
        end: stored.end(packed.end),
    };
    let inode_table_start = tail.put("inode table", tables.inodes);
    let directory_table_start = tail.put("directory table", tables.directories);
    let fragment_table_start = tail.put_list("fragment table", |start| tables.fragments.finish(start));
    let export_table_start = tail.put_list("export table", |start| tables.export.finish(start));
    let id_table_start = tail.put_list("id table", |start| tables.ids.finish(start));
    let xattr_table_start = tail.put_list("extended attributes", |start| tables.xattrs.finish(start));
    let Tail { mut layout, end } = tail;
    let superblock = Superblock {
        magic: format::MAGIC.into(),
        inode_count: tables.inode_count.into(),
        mkfs_time: options.time.into(),
        block_size: options.block_size.into(),
        fragment_count: segments.fragment_count.into(),
        compressor: options.compression.number().into(),
        block_log: u16::try_from(options.block_size.trailing_zeros())
            .unwrap_or(0)
            .into(),
        flags: flags(options.compression, xattr_table_start == NO_TABLE).into(),
        id_count: tables.id_count.into(),
        version_major: format::VERSION_MAJOR.into(),
        version_minor: 0.into(),
        root_inode: tables.root_inode.into(),
        bytes_used: end.into(),
        id_table_start: id_table_start.into(),
        xattr_table_start: xattr_table_start.into(),
        inode_table_start: inode_table_start.into(),
        directory_table_start: directory_table_start.into(),
        fragment_table_start: fragment_table_start.into(),
        export_table_start: export_table_start.into(),
    };
    let mut head = superblock.as_bytes().to_vec();
    if let Some(options) = options.compression.options() {
        let len = u16::try_from(options.len()).unwrap_or(0);
        head.extend((format::METADATA_RAW | len).to_le_bytes());
        head.extend(options);
    }
    layout.put(0, "superblock", head);
    // The padding is real: readers of a block device fetch the last block whole.
    let size = end.next_multiple_of(ALIGNMENT);
    layout.put(end, "padding", image::Content::Zeros(size - end));
    Ok((layout.finish(size)?, end))
}

/// What stands behind the data, one table after the other.
struct Tail {
    layout: Layout,
    end: u64,
}

impl Tail {
    fn put(&mut self, label: &'static str, bytes: Vec<u8>) -> u64 {
        let start = self.end;
        self.end += bytes.len() as u64;
        self.layout.put(start, label, bytes);
        start
    }

    /// A table whose place for the superblock is not its first byte.
    fn put_list(&mut self, label: &'static str, finish: impl FnOnce(u64) -> Option<(Vec<u8>, u64)>) -> u64 {
        let Some((bytes, place)) = finish(self.end) else {
            return NO_TABLE;
        };
        self.put(label, bytes);
        place
    }
}

fn flags(compression: Compression, no_xattrs: bool) -> u16 {
    let mut flags = flag::DUPLICATES | flag::EXPORTABLE;
    if no_xattrs {
        flags |= flag::NO_XATTRS;
    }
    if compression.options().is_some() {
        flags |= flag::COMPRESSOR_OPTIONS;
    }
    if compression == Compression::None {
        flags |= flag::UNCOMPRESSED_INODES
            | flag::UNCOMPRESSED_DATA
            | flag::UNCOMPRESSED_FRAGMENTS
            | flag::UNCOMPRESSED_XATTRS
            | flag::UNCOMPRESSED_IDS;
    }
    flags
}

/// Adds up what the units' blocks take.
fn usage(tree: &Tree, segments: &Segments, packed: &Packed) -> Vec<UnitUsage> {
    let mut usage: Vec<UnitUsage> = Vec::with_capacity(segments.units.len());
    for unit in &segments.units {
        let name = tree
            .unit(unit.root)
            .map(|unit| unit.name.clone())
            .unwrap_or_default();
        usage.push(UnitUsage {
            name,
            content_len: unit.content_len,
            stored_len: 0,
        });
    }
    for (job, stored) in segments.jobs.iter().zip(&packed.sizes) {
        let stored = u64::from(stored & !format::DATA_RAW);
        match job {
            segments::Job::Block { unit, .. } => {
                if let Some(usage) = unit.and_then(|unit| usage.get_mut(unit as usize)) {
                    usage.stored_len += stored;
                }
            }
            segments::Job::Fragment { pieces, len } => {
                for piece in &segments.pieces[pieces.clone()] {
                    if let Some(usage) = piece.unit.and_then(|unit| usage.get_mut(unit as usize)) {
                        usage.stored_len += stored * u64::from(piece.len) / u64::from(*len);
                    }
                }
            }
        }
    }
    usage
}
