//! Trees become images.
//!
//! 1. [`cache::cut`] finds files with equal bytes, decides what every block holds, in which order, and names segments.
//! 2. [`keys`] says what names begin with, and [`pack`] says how their blocks are made and looked at; [`cache::spool()`] takes those
//!    that were made before from where they are, and has the others made.
//! 3. [`stored`] gives files that are not compressed their places behind them.
//! 4. [`tables`] makes inodes and directories, which say where the blocks have come to lie.
//!
//! [`alone`] stops after the second step, for segments without an image.

mod alone;
mod bound;
mod fits;
mod keys;
mod metadata;
mod pack;
mod stored;
mod tables;
mod xattrs;

use std::collections::BTreeMap;

use cache::Key;
pub use cache::cut::UnitUsage;
use cache::cut::{Cut as Segments, equal_files};
pub use cache::{Outline, Reuse};
use image::{Image, Layout, NodeId, Progress, Spool, Tree};
use zerocopy::IntoBytes;

use crate::format::{self, NO_TABLE, Superblock, flag};
use crate::{Compression, Error, Options};
pub use alone::{make_segments, outlines};
pub use bound::at_most;
use pack::{Packed, Spooled};
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

/// Makes an image of a tree.
///
/// # Errors
/// When the options are outside the format's limits, the tree holds what the format cannot, or a file cannot be
/// read or the spool written.
pub fn plan(tree: &Tree, options: &Options, work: &Work) -> Result<Planned, Error> {
    check(tree, options)?;
    let pool = work.pool()?;
    let (segments, digests) = pool.install(|| cut(tree, options, 1, work))?;
    let keys = pool.install(|| keys(tree, &segments, &digests, options, work))?;
    drop(pool);
    let packed = pack::pack(tree, &segments, &keys, options, work)?;
    let stored = Stored::plan(tree, options, packed.end)?;
    let tables = tables::Tables::make(tree, &segments, &packed, &stored, options)?;
    let stored_lens = packed
        .sizes
        .iter()
        .map(|word| u64::from(word & !format::DATA_RAW));
    let (image, used) = lay_out(&segments, &packed, work.spool, &stored, tables, options)?;
    Ok(Planned {
        image,
        used,
        units: segments.usage(tree, stored_lens),
        segments: records(&keys, &packed),
    })
}

/// Decides what every block holds. Files of at least `len_min` bytes are compared with each other; what was read for that
/// has a digest.
fn cut(
    tree: &Tree,
    options: &Options,
    len_min: u64,
    work: &Work,
) -> Result<(Segments, BTreeMap<NodeId, [u8; 32]>), Error> {
    let equal = equal_files(tree, &options.stored, len_min, work.digests, work.progress)?;
    let segments = Segments::plan(tree, &equal.classes, options.block_size, &options.stored)?;
    Ok((segments, equal.digests))
}

/// The names of segments, where they are asked for and there are some.
fn keys(
    tree: &Tree,
    segments: &Segments,
    compared: &BTreeMap<NodeId, [u8; 32]>,
    options: &Options,
    work: &Work,
) -> Result<Vec<Option<Key>>, Error> {
    let (Some(reuse), Some(head)) = (&work.reuse, keys::head(options)) else {
        return Ok(vec![None; segments.list.len()]);
    };
    Ok(segments.keys(tree, &head, reuse, work.digests, compared, work.progress)?)
}

/// Where segments are, for whoever wants to lift them out of the image.
fn records(keys: &[Option<Key>], packed: &Packed) -> Vec<cache::Record> {
    let segments = packed.segments.iter().zip(&packed.spooled);
    let record = |(key, (place, spooled)): (&Option<Key>, (&std::ops::Range<u64>, &Spooled))| {
        Some(cache::Record {
            key: (*key)?,
            start: place.start,
            parts: Vec::new(),
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
