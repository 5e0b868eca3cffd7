//! Planning: a tree becomes an image.
//!
//! 1. [`survey`] puts the inodes in their order; [`clusters`] compresses files, and [`files`] finds the holes of the others, and
//!    which are equal.
//! 2. [`inodes`] says how long each inode is with all that stands behind it, and [`place`] where it lies.
//! 3. All blocks get their addresses: clusters, files, directories, and the metadata behind them.
//! 4. Then everything is known that inodes and directories say, and they go into the spool.

mod alone;
mod blocks;
mod bound;
mod clusters;
mod directories;
mod equal;
mod files;
mod index;
mod inodes;
mod keys;
mod place;
mod shelf;
mod survey;
mod xattrs;

use std::sync::Arc;

pub use alone::{make_segments, outlines};
pub use bound::{Looking, Outlook, check_tree, outlook};
pub use cache::Reuse;
pub use cache::cut::UnitUsage;
use image::{Content, Image, Kind, Layout, NodeId, Progress, Spool, Tree, show};
use zerocopy::IntoBytes;

use crate::format::{
    self, BLOCK, BLOCK_BITS, BLOCK_LEN, LABEL_MAX, MAGIC, SLOT, SUPERBLOCK, Superblock, compat, incompat,
};
use crate::{CLUSTER_MAX, CLUSTER_MIN, Compression, Error, Options, Profile, Result};
use bound::surveyed;
use clusters::Clusters;
use files::{Files, part, rest};
use inodes::{Known, Packed, Record};
use place::Places;
use shelf::Shelf;
use survey::Survey;
use xattrs::Shared;

/// What planning needs besides the tree and the options. None of it changes a byte of the image.
pub struct Work<'a> {
    /// Where metadata and compressed data are kept. It must be fresh: planning fills it from its first byte.
    pub spool: &'a Spool,
    /// How many threads read and compress.
    pub threads: usize,
    /// SHA-256 of files, by [`NodeId::index`], where known already; they are computed where needed otherwise.
    pub digests: &'a [Option<[u8; 32]>],
    /// Hears about the bytes that are compressed.
    pub progress: &'a dyn Progress,
    /// Where segments that were compressed before may be. Without it, segments get no names.
    pub reuse: Option<Reuse<'a>>,
}

impl Work<'_> {
    fn looking(&self) -> Looking<'_> {
        Looking {
            threads: self.threads,
            digests: self.digests,
            progress: self.progress,
        }
    }
}

/// A planned file system.
#[derive(Clone, Debug)]
pub struct Planned {
    /// The file system. Its metadata lies in the spool, its data there or where files are.
    pub image: Image,
    /// What each unit takes, in the order of the data, when files are compressed. Files of no unit, and stored ones, are not
    /// counted.
    pub units: Vec<UnitUsage>,
    /// Where the segments are in the image, as far as they have names.
    pub segments: Vec<cache::Record>,
}

/// Finds options that make no sense.
pub(crate) fn check(options: &Options) -> Result<()> {
    let bad = |option: &'static str, value: String, problem: String| {
        Err(Error::BadOption {
            option,
            value,
            problem,
        })
    };
    if let Some(label) = &options.label {
        if label.len() > LABEL_MAX {
            let problem = format!("is {} bytes long, the limit is {LABEL_MAX}", label.len());
            return bad("label", show(label.as_bytes()), problem);
        }
        if label.contains('\0') {
            let problem = "must have no zero byte".to_string();
            return bad("label", show(label.as_bytes()), problem);
        }
    }
    let cluster = options.cluster;
    if !cluster.is_power_of_two() || !(CLUSTER_MIN..=CLUSTER_MAX).contains(&cluster) {
        let problem = format!("must be a power of two from {CLUSTER_MIN} to {CLUSTER_MAX}");
        return bad("cluster size", cluster.to_string(), problem);
    }
    options.compression.check()
}

/// Makes an image of a tree.
///
/// # Errors
/// When the tree or the options have something that erofs cannot hold, or a file cannot be read.
pub fn plan(tree: &Tree, options: &Options, work: &Work) -> Result<Planned> {
    let survey = surveyed(tree, options)?;
    let shared = Shared::of(&survey);
    let clusters = Clusters::pack(tree, options, work, 1)?;
    Map::of(&survey, options, &shared, &clusters, &work.looking())?.lay_out(work)
}

/// Everything that was decided.
struct Map<'a> {
    survey: &'a Survey<'a>,
    options: &'a Options,
    shared: &'a Shared<'a>,
    clusters: &'a Clusters,
    files: Files,
    /// All inodes, and where they lie from the first block of the metadata on, in the order of the survey.
    records: Vec<(Record, u64)>,
    /// The file that small files lie in, and where its inode is.
    packed: Option<(Packed, u64)>,
    /// One past the last of all inodes.
    metadata_len: u64,
    /// The first block of directories.
    lists: u64,
    /// The first of the blocks of each directory's list or link's target.
    blocks: Vec<u64>,
    meta_block: u64,
}

impl<'a> Map<'a> {
    /// Decides what is left to decide when there are clusters.
    fn of(
        survey: &'a Survey<'a>,
        options: &'a Options,
        shared: &'a Shared<'a>,
        clusters: &'a Clusters,
        looking: &Looking,
    ) -> Result<Map<'a>> {
        let is_compressed = options.compression != Compression::None;
        let is_own = |id: NodeId| !is_compressed || options.stored.contains(&id);
        let files = Files::plan(survey.tree, &survey.order, is_own, options, looking)?;
        let known = Known {
            survey,
            options,
            shared,
            files: &files,
            clusters,
        };
        let mut places = Places::new();
        let records: Vec<(Record, u64)> = survey
            .order
            .iter()
            .map(|id| {
                let record = known.record(*id);
                let place = places.take(record.len());
                (record, place)
            })
            .collect();
        let packed = (clusters.packed_len() > 0).then(|| Packed::of(clusters));
        let packed = packed.map(|packed| {
            let place = places.take(packed.len());
            (packed, place)
        });
        let mut map = Map {
            survey,
            options,
            shared,
            clusters,
            files,
            records,
            packed,
            metadata_len: places.end(),
            lists: 0,
            blocks: Vec::new(),
            meta_block: 0,
        };
        map.address();
        Ok(map)
    }

    /// Gives addresses to all blocks behind the clusters.
    fn address(&mut self) {
        let (tree, order) = (self.survey.tree, &self.survey.order);
        let mut inline = vec![false; tree.len()];
        for (record, _) in &self.records {
            inline[record.node.index()] = record.is_inline();
        }
        self.lists = self
            .files
            .place(tree, order, |id| inline[id.index()], self.clusters.end());
        let mut block = self.lists;
        for (record, _) in &self.records {
            self.blocks.push(block);
            if !matches!(tree.node(record.node).kind, Kind::File(_)) {
                block += record.blocks();
            }
        }
        self.meta_block = block;
    }

    /// Where the shared attributes are.
    fn xattr_start(&self) -> u64 {
        (self.meta_block * BLOCK + self.metadata_len).next_multiple_of(4)
    }

    /// One past the last byte that says anything.
    fn end(&self) -> u64 {
        self.xattr_start() + self.shared.bytes.len() as u64
    }

    /// The image's bytes.
    fn size(&self) -> Result<u64> {
        let size = self.end().next_multiple_of(BLOCK);
        let limit = u64::from(u32::MAX);
        if size / BLOCK > limit {
            return Err(Error::TooMany {
                what: "blocks of 4096 bytes".to_string(),
                count: size / BLOCK,
                limit,
            });
        }
        Ok(size)
    }

    fn lay_out(mut self, work: &Work) -> Result<Planned> {
        let (end, size) = (self.end(), self.size()?);
        let mut numbers = vec![0; self.survey.tree.len()];
        for (record, place) in &self.records {
            numbers[record.node.index()] = place / SLOT;
        }
        let mut layout = Layout::new();
        layout.put(0, "superblock", self.superblock(&numbers, size));
        self.files
            .lay_out(self.survey.tree, &self.survey.order, &mut layout);
        let lists = self.lists * BLOCK;
        self.clusters.lay_out(&mut layout, work);
        let spooled = self.clusters.spool_end();
        let mut shelf = Shelf::new(work.spool, &mut layout, "directories", spooled, lists);
        self.put_lists(&numbers, &mut shelf)?;
        let spooled = shelf.finish()?;
        let metadata = self.meta_block * BLOCK;
        let mut shelf = Shelf::new(work.spool, &mut layout, "inodes", spooled, metadata);
        self.put_inodes(&numbers, &mut shelf)?;
        shelf.finish()?;
        layout.put(self.xattr_start(), "shared attributes", self.shared.bytes.clone());
        layout.put(end, "padding", Content::Zeros(size - end));
        Ok(Planned {
            image: layout.finish(size)?,
            units: self.clusters.usage(self.survey.tree),
            segments: self.clusters.records(),
        })
    }

    /// The blocks of directories, and of links that are too long to lie behind their inodes.
    fn put_lists(&self, numbers: &[u64], shelf: &mut Shelf) -> Result<()> {
        for ((record, _), block) in self.records.iter().zip(&self.blocks) {
            if record.blocks() == 0 {
                continue;
            }
            let Some(list) = self.list(numbers, record.node) else {
                continue;
            };
            shelf.fill(block * BLOCK)?;
            let len = list.len().min(to_usize(record.blocks() * BLOCK));
            shelf.add(&list[..len])?;
        }
        shelf.fill(self.meta_block * BLOCK)
    }

    /// A directory's list or a link's target.
    fn list(&self, numbers: &[u64], id: NodeId) -> Option<Vec<u8>> {
        match &self.survey.tree.node(id).kind {
            Kind::Directory(_) => Some(directories::list(self.survey, id, |id| numbers[id.index()])),
            Kind::Symlink(target) => Some(target.to_vec()),
            _ => None,
        }
    }

    /// Inodes, and what stands behind them.
    fn put_inodes(&self, numbers: &[u64], shelf: &mut Shelf) -> Result<()> {
        let known = self.known();
        let label: Arc<str> = "ends of files".into();
        let base = self.meta_block * BLOCK;
        let xattr_base = self.xattr_start() % BLOCK;
        let places = self.records.iter().map(|(_, place)| *place);
        let mut order: Vec<(u64, usize)> = places.zip(0..).collect();
        // The packed file comes after all others.
        order.extend(self.packed.iter().map(|(_, place)| (*place, self.records.len())));
        order.sort_unstable();
        for (place, number) in order {
            let Some((record, _)) = self.records.get(number) else {
                if let Some((packed, _)) = &self.packed {
                    shelf.fill(base + place)?;
                    shelf.add(&packed.bytes(self.clusters, self.options))?;
                }
                continue;
            };
            let serial = u32::try_from(number + 1).unwrap_or(u32::MAX);
            shelf.fill(base + place)?;
            shelf.add(&record.bytes(&known, serial, self.blocks[number], xattr_base))?;
            if !record.is_inline() {
                continue;
            }
            if let Some(list) = self.list(numbers, record.node) {
                let whole = to_usize(rest(list.len() as u64));
                shelf.add(&list[list.len() - whole..])?;
            } else if let Kind::File(content) = &self.survey.tree.node(record.node).kind {
                let rest = rest(content.len());
                shelf.put(&label, part(content, content.len() - rest, rest))?;
            }
        }
        shelf.fill(self.xattr_start())
    }

    fn known(&self) -> Known<'_> {
        Known {
            survey: self.survey,
            options: self.options,
            shared: self.shared,
            files: &self.files,
            clusters: self.clusters,
        }
    }

    /// The first block.
    fn superblock(&self, numbers: &[u64], size: u64) -> Vec<u8> {
        let options = self.options;
        let mut label = [0; 16];
        let name = options.label.as_deref().unwrap_or_default().as_bytes();
        label[..name.len()].copy_from_slice(name);
        let mut incompat = 0;
        let compressor = options.compression.number();
        if compressor.is_some() {
            incompat |= incompat::ZERO_PADDING | incompat::CONFIGURATIONS;
        }
        if self.packed.is_some() {
            incompat |= incompat::FRAGMENTS;
        }
        if self.records.iter().any(|(record, _)| record.has_chunks()) {
            incompat |= incompat::CHUNKS;
        }
        if options.profile == Profile::Modern {
            incompat |= incompat::WIDE;
        }
        let xattr_block = if self.shared.bytes.is_empty() {
            0
        } else {
            narrow(self.xattr_start() / BLOCK)
        };
        let superblock = Superblock {
            magic: MAGIC.into(),
            checksum: 0.into(),
            compat: (compat::CHECKSUM | compat::MTIME).into(),
            block_bits: BLOCK_BITS,
            extension_slots: 0,
            root: u16::try_from(numbers[NodeId::ROOT.index()])
                .unwrap_or(u16::MAX)
                .into(),
            inodes: (self.survey.order.len() as u64).into(),
            epoch: u64::from(options.time).into(),
            epoch_nanoseconds: 0.into(),
            blocks: narrow(size / BLOCK).into(),
            meta_block: narrow(self.meta_block).into(),
            xattr_block: xattr_block.into(),
            uuid: *options.uuid.as_bytes(),
            label,
            incompat: incompat.into(),
            algorithms: compressor.map_or(0, |number| 1 << number).into(),
            extra_devices: 0.into(),
            device_slot: 0.into(),
            directory_block_bits: 0,
            xattr_prefix_count: 0,
            xattr_prefix_start: 0.into(),
            packed: self.packed.as_ref().map_or(0, |(_, place)| place / SLOT).into(),
            xattr_filter: 0,
            reserved: [0; 3],
            build_time: 0.into(),
            // The root is among the first inodes.
            wide_root: 0.into(),
            reserved2: [0; 8],
        };
        let mut block = vec![0; BLOCK_LEN];
        let start = to_usize(SUPERBLOCK);
        let bytes = superblock.as_bytes();
        let bytes = [bytes, &options.compression.configuration()].concat();
        block[start..start + bytes.len()].copy_from_slice(&bytes);
        let sum = format::checksum(&block[start..]);
        block[start + 4..start + 8].copy_from_slice(&sum.to_le_bytes());
        block
    }
}

/// Addresses of blocks have 32 bits, which was checked of the last one.
fn narrow(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn to_usize(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
