//! Planning: a tree becomes an image.
//!
//! 1. [`survey`] numbers the inodes; [`data`] finds the extents of files and the checksums of their sectors: [`segments`]
//!    says which blocks are made together, [`keys`] names them, and [`blocks`] makes one.
//! 2. [`items`] says what the trees of files consist of, which tells their sizes.
//! 3. [`fixpoint`] finds the sizes of the trees that describe the others and themselves, and [`chunks`] gives everything
//!    its address and its place.
//! 4. [`in_place`] makes the spool what the image is, if it can. [`trees`] makes the nodes, [`nodes`] puts them into the
//!    spool, and [`supers`] makes the superblocks. [`records`] says where segments have come to lie.
//!
//! [`alone`] stops after the first step, for segments without an image.

mod alone;
mod blocks;
mod bound;
mod chunks;
mod data;
mod devices;
mod duplicates;
mod fixpoint;
mod in_place;
mod items;
mod keys;
mod nodes;
mod records;
mod roots;
mod segments;
mod sums;
mod supers;
mod survey;
mod trees;
mod xattrs;

use std::sync::Arc;

use image::{Content, Image, Kind, Layout, NodeId, Progress, ReadAt, Spool, Tree, show};

use crate::format::{SECTOR, SUPERBLOCKS, compression, object};
use crate::{Error, Options, Profile, Result, Size};
pub use alone::{make_segments, outlines};
pub use bound::{Looking, Outlook, check_tree, outlook};
pub use cache::Reuse;
use data::Data;
use fixpoint::Forest;
use items::{Items, Take};
use nodes::Shelf;
use survey::Survey;
use trees::{Counter, Ids, Shape, Writer};

/// The longest label.
const LABEL_MAX: usize = 255;
/// The most free space: beyond it, the list of chunks would be what takes the memory.
const FREE_MAX: u64 = 16 << 40;

/// What planning needs besides the tree and the options. None of it changes a byte of the image.
pub struct Work<'a> {
    /// Where nodes and compressed data are kept. It must be fresh. It can become the image's file.
    pub spool: &'a Spool,
    /// How many threads read and compress.
    pub threads: usize,
    /// SHA-256 of files, by [`NodeId::index`], where known already; they are computed where needed otherwise.
    pub digests: &'a [Option<[u8; 32]>],
    /// Hears about the bytes that are read.
    pub progress: &'a dyn Progress,
    /// Where segments that were compressed before may be. Without it, segments get no names.
    pub reuse: Option<Reuse<'a>>,
}

impl Work<'_> {
    fn pool(&self) -> Result<rayon::ThreadPool> {
        self.looking().pool()
    }

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
    /// The file system. Its nodes lie in the spool, its data where files are.
    pub image: Image,
    /// How full it is.
    pub usage: Usage,
    /// Where the segments are in the image, as far as they have names.
    pub segments: Vec<cache::Record>,
}

/// How full a file system is, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Of files that do not lie in nodes.
    pub data: u64,
    /// Of files that share the data of others, and take no space of their own.
    pub shared: u64,
    /// Of nodes, each counted once.
    pub metadata: u64,
    /// Free for data. It is as much as was promised, or more.
    pub free: u64,
    /// The free bytes that were asked for.
    pub promised: u64,
    /// On the device, in no chunk yet.
    pub unallocated: u64,
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
        if label.contains(['\0', '\n', '/']) {
            let problem = "must have no zero byte, line break or slash".to_string();
            return bad("label", show(label.as_bytes()), problem);
        }
    }
    if let Size::Exactly(size) = options.size
        && !size.is_multiple_of(SECTOR)
    {
        return bad("size", size.to_string(), "must be a multiple of 4096".to_string());
    }
    options.compression.check()?;
    if options.subvolumes.contains_key(&NodeId::ROOT) {
        let problem = "is the file system itself, which is a subvolume always".to_string();
        return bad("subvolume", "/".to_string(), problem);
    }
    if options.free > FREE_MAX {
        let problem = format!("the limit is {FREE_MAX}; a file system grows while it is mounted");
        return bad("free space", options.free.to_string(), problem);
    }
    Ok(())
}

/// Makes an image of a tree.
///
/// # Errors
/// When the tree or the options have something that btrfs cannot hold, a file cannot be read, or everything together
/// does not fit.
pub fn plan(tree: &Tree, options: &Options, work: &Work) -> Result<Planned> {
    let survey = bound::surveyed(tree, options)?;
    let (mut data, made) = Data::read(&survey, options, work)?;
    let forest = bound::forest(&survey, &data, options)?;
    let size = size(&forest, options)?;
    let base = if in_place::bring(&mut data, &forest.chunks.places, work)? {
        0
    } else {
        // What follows only has to be out of the way.
        data.spooled
    };
    let planting = Planting {
        survey: &survey,
        data: &data,
        forest: &forest,
        options,
        ids: ids(options),
        size,
    };
    let mut layout = Layout::new();
    nodes::put(&forest, &mut layout, work.spool, base, &|tree, shelf| {
        planting.tree(tree, shelf)
    })?;
    planting.put_data(&mut layout, work.spool);
    for place in SUPERBLOCKS.into_iter().filter(|place| place + SECTOR <= size) {
        let label = if place == SUPERBLOCKS[0] {
            "superblock"
        } else {
            "superblock (copy)"
        };
        let bytes = supers::superblock(place, size, &forest, options, &planting.ids);
        layout.put(place, label, bytes);
    }
    Ok(Planned {
        image: layout.finish(size)?,
        usage: Usage {
            shared: data.shared(),
            ..usage(&forest, options, size)
        },
        segments: records::records(&data, &made, &forest.chunks),
    })
}

fn ids(options: &Options) -> Ids {
    Ids {
        fsid: *options.uuid.as_bytes(),
        device: *options.seed.uuid("device").as_bytes(),
        chunk_tree: *options.seed.uuid("chunk tree").as_bytes(),
    }
}

/// All trees but the chunk tree in the order of their nodes, as far as their sizes are known.
fn trees(survey: &Survey, data: &Data, options: &Options) -> Result<Vec<(u64, Shape)>> {
    let mut order = vec![object::ROOT_TREE, object::EXTENT_TREE, object::DEV_TREE];
    if options.profile == Profile::Modern {
        order.push(object::BLOCK_GROUP_TREE);
    }
    order.extend([
        object::FREE_SPACE_TREE,
        object::UUID_TREE,
        object::DATA_RELOC_TREE,
        object::CSUM_TREE,
    ]);
    order.extend(survey.subvolumes.iter().map(|subvolume| subvolume.id));
    let items = Items {
        survey,
        data,
        profile: options.profile,
        addresses: None,
    };
    let shape = |tree: &u64| {
        let mut counter = Counter::default();
        let mut take = |_, item: &[u8]| {
            counter.add(item.len());
            Ok(())
        };
        match *tree {
            object::ROOT_TREE => roots::root_items(survey, None, options, &order, &mut take)?,
            object::UUID_TREE => roots::uuid_items(survey, options, &mut take)?,
            object::DATA_RELOC_TREE => roots::reloc_items(options, &mut take)?,
            _ => {
                if let Some(subvolume) = survey.subvolumes.iter().find(|found| found.id == *tree) {
                    items.subvolume(subvolume, &mut take)?;
                }
            }
        }
        Ok((*tree, counter.shape()))
    };
    order.iter().map(shape).collect()
}

fn size(forest: &Forest, options: &Options) -> Result<u64> {
    let needed = forest.chunks.end;
    match options.size {
        Size::Fit => Ok(needed),
        Size::Exactly(size) if size >= needed => Ok(size),
        Size::Exactly(size) => Err(Error::Full {
            needed,
            free: options.free,
            size,
        }),
    }
}

fn usage(forest: &Forest, options: &Options, size: u64) -> Usage {
    let chunks = || forest.chunks.list.iter();
    let of_data = |value: fn(&chunks::Chunk) -> u64| -> u64 {
        chunks().filter(|chunk| chunk.is_data()).map(value).sum()
    };
    let data = of_data(|chunk| chunk.data);
    Usage {
        data,
        shared: 0,
        metadata: forest.all_used() - data,
        free: of_data(|chunk| chunk.len - chunk.data),
        promised: options.free,
        unallocated: size - forest.chunks.end,
    }
}

/// Everything that was decided.
struct Planting<'a> {
    survey: &'a Survey<'a>,
    data: &'a Data,
    forest: &'a Forest,
    options: &'a Options,
    ids: Ids,
    size: u64,
}

impl Planting<'_> {
    /// Makes the nodes of one tree.
    fn tree(&self, tree: u64, shelf: &mut Shelf) -> Result<()> {
        let (start, shape) = self.forest.tree(tree);
        let mut sink = |node: &[u8]| shelf.add(node);
        let mut writer = Writer::new(self.ids, tree, start, shape, &mut sink);
        self.items(tree, &mut |key, item| writer.add(key, item))?;
        writer.finish()
    }

    fn items(&self, tree: u64, take: Take) -> Result<()> {
        let Planting {
            survey,
            data,
            forest,
            options,
            ..
        } = *self;
        let chunks = &forest.chunks;
        match tree {
            object::CHUNK_TREE => devices::chunk_items(chunks, self.size, &self.ids, take),
            object::ROOT_TREE => {
                let trees: Vec<u64> = forest.trees.iter().map(|(tree, _)| *tree).collect();
                roots::root_items(survey, Some(forest), options, &trees, take)
            }
            object::EXTENT_TREE => forest.extents(data, options.profile, take),
            object::DEV_TREE => devices::device_items(chunks, self.ids.chunk_tree, take),
            object::BLOCK_GROUP_TREE => forest.block_groups(take),
            object::FREE_SPACE_TREE => forest.free_space(take),
            object::UUID_TREE => roots::uuid_items(survey, options, take),
            object::DATA_RELOC_TREE => roots::reloc_items(options, take),
            object::CSUM_TREE => sums::items(data, chunks, take),
            _ => {
                let items = Items {
                    survey,
                    data,
                    profile: options.profile,
                    addresses: Some(&chunks.addresses),
                };
                let subvolume = survey.subvolumes.iter().find(|subvolume| subvolume.id == tree);
                subvolume.map_or(Ok(()), |subvolume| items.subvolume(subvolume, take))
            }
        }
    }

    /// Puts the data of files into their chunks: as they are, with zeros behind each up to a whole sector, or compressed.
    fn put_data(&self, layout: &mut Layout, spool: &Spool) {
        let [plain, compressed, end]: [Arc<str>; 3] =
            ["files", "compressed files", "ends of files"].map(Into::into);
        let mut put = |start, from, len| layout.put(start, Arc::clone(&compressed), spool.span(from, len));
        // What lies behind each other in both is one piece.
        let mut run = (0, 0, 0);
        let chunks = &self.forest.chunks;
        let (order, places) = (chunks.order.iter(), &chunks.places);
        let placed = order.map(|number| (&self.data.extents[*number], places[*number]));
        for (extent, start) in placed.clone() {
            if extent.compression == compression::NONE {
                continue;
            }
            let (first, from, len) = run;
            if (first + len, from + len) == (start, extent.spooled) {
                run.2 += u64::from(extent.disk_len);
            } else {
                put(first, from, len);
                run = (start, extent.spooled, extent.disk_len.into());
            }
        }
        put(run.0, run.1, run.2);
        for (extent, start) in placed {
            let Kind::File(content) = &self.survey.tree.node(self.data.file(extent).node).kind else {
                continue;
            };
            if extent.compression == compression::NONE {
                let (len, disk_len) = (u64::from(extent.len), u64::from(extent.disk_len));
                layout.put(start, Arc::clone(&plain), part(content, extent.start, len));
                let rest = Content::Zeros(disk_len - len);
                layout.put(start + len, Arc::clone(&end), rest);
            }
        }
    }
}

/// A part of a content.
fn part(content: &Content, start: u64, len: u64) -> Content {
    if len == content.len() {
        return content.clone();
    }
    let source: Arc<dyn ReadAt> = Arc::new(content.clone());
    Content::Span { source, start, len }
}
