//! Planning: a tree becomes an image.
//!
//! [`survey`] numbers the inodes and makes directories, [`place`] gives everything its blocks, and the rest writes
//! down what follows from that.

mod directories;
mod extents;
mod features;
mod geometry;
mod groups;
mod inodes;
mod place;
mod survey;
mod xattrs;

use std::sync::Arc;

use image::{Content, Image, Layout, ReadAt, Tree};
use zerocopy::IntoBytes;

use crate::format::{
    BLOCK, BLOCK_LEN, INODE_SIZE, JOURNAL_INODE, JOURNAL_MAGIC, JOURNAL_SUPERBLOCK_V2, JournalSuperblock,
    RESIZE_INODE, SUPERBLOCK_START,
};
use crate::{Options, Result, Size};
use features::Features;
use place::{Blocks, Placed};
use survey::{Data, Holes, Item, Survey};

/// A planned file system.
#[derive(Clone, Debug)]
pub struct Planned {
    /// The file system.
    pub image: Image,
    /// How full it is.
    pub usage: Usage,
    /// Whether its size, when it has to fit, is the most that it can be, or its free bytes, when it has a size, the least.
    pub is_bound: bool,
}

/// How full a file system is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Blocks of 4096 bytes.
    pub blocks: u64,
    /// Groups of blocks.
    pub groups: u32,
    /// Blocks of files, directories, links and extended attributes.
    pub data_blocks: u64,
    /// Blocks of the journal.
    pub journal_blocks: u64,
    /// Free bytes, those among them that the kernel keeps for itself.
    pub free: u64,
    /// The free bytes that were asked for.
    pub promised: u64,
    /// All inodes.
    pub inodes: u64,
    /// Free inodes.
    pub free_inodes: u64,
    /// The free inodes that were asked for.
    pub promised_inodes: u64,
    /// Bytes at the end of the image that are too few for a group of blocks, and of no use.
    pub unused: u64,
}

/// Everything that was decided.
struct Context<'a> {
    options: &'a Options,
    features: &'a Features,
    survey: &'a Survey<'a>,
    placed: &'a Placed,
}

impl Context<'_> {
    /// The last inode that is in use; all before it are in use or reserved.
    fn inodes_used(&self) -> u32 {
        self.survey.items.last().map_or(0, |item| item.number)
    }
}

/// Finds options that make no sense.
pub(crate) fn check(options: &Options) -> Result<()> {
    Features::new(options).map(|_| ())
}

/// Makes an image of a tree.
///
/// # Errors
/// When the tree or the options have something that ext4 cannot hold, or everything together does not fit.
pub fn plan(tree: &Tree, options: &Options) -> Result<Planned> {
    plan_with(tree, options, Holes::Found)
}

/// The same without reading files. Where nobody knows the holes of one, it counts as if it had none, and the answer
/// [is a bound](Planned::is_bound).
///
/// # Errors
/// As [`plan`]. What does not fit here may fit there.
pub fn bound(tree: &Tree, options: &Options) -> Result<Planned> {
    plan_with(tree, options, Holes::Assumed)
}

fn plan_with(tree: &Tree, options: &Options, holes: Holes) -> Result<Planned> {
    let features = Features::new(options)?;
    let survey = survey::survey(tree, options, &features, holes)?;
    let placed = place::place(&survey, options, &features)?;
    let context = Context {
        options,
        features: &features,
        survey: &survey,
        placed: &placed,
    };
    let groups = groups::groups(&context);
    let mut layout = Layout::new();
    put_groups(&mut layout, &groups, &context);
    put_inodes(&mut layout, &context);
    put_journal(&mut layout, &context);
    put_data(&mut layout, &context);
    let size = match options.size {
        Size::Exactly(size) => size,
        Size::Fit => placed.blocks * BLOCK,
    };
    let journal_blocks = placed.journal.as_ref().map_or(0, Blocks::count);
    Ok(Planned {
        image: layout.finish(size)?,
        usage: Usage {
            blocks: placed.blocks,
            groups: placed.geometry.groups,
            data_blocks: placed.data_blocks - journal_blocks - u64::from(placed.resize_block.is_some()),
            journal_blocks,
            free: groups.free_blocks * BLOCK,
            promised: options.free,
            inodes: u64::from(placed.geometry.groups) * u64::from(placed.geometry.inodes_per_group),
            free_inodes: groups.free_inodes,
            promised_inodes: options.free_inodes,
            unused: size - placed.blocks * BLOCK,
        },
        is_bound: survey.is_bound,
    })
}

/// Superblocks, descriptors, the room for more of them, and bitmaps.
fn put_groups(layout: &mut Layout, groups: &groups::Groups, context: &Context) {
    let geometry = &context.placed.geometry;
    let (pointers, reserved) = groups::reserved(context);
    let descriptors: Arc<[u8]> = groups.descriptors.as_slice().into();
    let mut put = |group: u32, front: u64, reserved: Content, suffix: &str| {
        let start = geometry::start(group) * BLOCK;
        let mut block = vec![0; usize::try_from(front).unwrap_or(0)];
        block.extend(groups::superblock(group, groups, context));
        block.resize(BLOCK_LEN, 0);
        layout.put(start, format!("superblock{suffix}"), block);
        let descriptors = Content::Bytes(descriptors.clone());
        let after = start + BLOCK + descriptors.len();
        layout.put(start + BLOCK, format!("group descriptors{suffix}"), descriptors);
        layout.put(after, format!("room for group descriptors{suffix}"), reserved);
    };
    put(0, SUPERBLOCK_START, reserved.into(), "");
    for group in groups::copies(context) {
        let reserved = Content::Zeros(geometry.reserved_blocks * BLOCK);
        put(group, 0, reserved, &format!(" (copy in group {group})"));
    }
    if let Some(block) = context.placed.resize_block {
        layout.put(block * BLOCK, "list of room for group descriptors", pointers);
    }
    for (index, places) in geometry.places.iter().enumerate() {
        let [blocks, inodes] =
            [&groups.block_bitmaps, &groups.inode_bitmaps].map(|bitmaps| &bitmaps[index][..]);
        layout.put(places.block_bitmap * BLOCK, "block bitmaps", blocks);
        layout.put(places.inode_bitmap * BLOCK, "inode bitmaps", inodes);
    }
}

/// Inode tables: the used inodes of each group, and zeros behind them.
fn put_inodes(layout: &mut Layout, context: &Context) {
    let placed = context.placed;
    let mut items = context.survey.items.iter().zip(&placed.items).peekable();
    let mut number = 0;
    for (group, places) in (0..).zip(&placed.geometry.places) {
        let used = groups::used_inodes(group, context);
        let mut table = Vec::with_capacity(used as usize * usize::from(INODE_SIZE));
        for _ in 0..used {
            number += 1;
            let inode = match items.next_if(|(item, _)| item.number == number) {
                Some((item, place)) => inodes::item(item, place, context),
                None => reserved_inode(number, context),
            };
            table.extend_from_slice(&inode);
        }
        table.resize(table.len().next_multiple_of(BLOCK_LEN), 0);
        let start = places.inode_table * BLOCK;
        let unused = placed.geometry.table_blocks * BLOCK - table.len() as u64;
        layout.put(
            start + table.len() as u64,
            "unused inodes",
            Content::Zeros(unused),
        );
        layout.put(start, "inodes", table);
    }
}

/// The inodes before the first that files have.
fn reserved_inode(number: u32, context: &Context) -> inodes::Bytes {
    match (number, &context.placed.journal, context.placed.resize_block) {
        (JOURNAL_INODE, Some(journal), _) => inodes::journal(journal, context),
        (RESIZE_INODE, _, Some(block)) => {
            let copies = 1 + groups::copies(context).len() as u64;
            inodes::resize(block, copies, context)
        }
        _ => [0; INODE_SIZE as usize],
    }
}

/// The journal: a superblock, and zeros, in which nothing looks like a transaction.
fn put_journal(layout: &mut Layout, context: &Context) {
    let Some(journal) = &context.placed.journal else {
        return;
    };
    let blocks: u64 = journal.runs.iter().map(|run| u64::from(run.len)).sum();
    let short = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    let superblock = JournalSuperblock {
        magic: JOURNAL_MAGIC.into(),
        blocktype: JOURNAL_SUPERBLOCK_V2.into(),
        header_sequence: 0.into(),
        blocksize: short(BLOCK).into(),
        maxlen: short(blocks).into(),
        first: 1.into(),
        sequence: 1.into(),
        start: 0.into(),
        errno: 0.into(),
        features: [0.into(); 3],
        uuid: *context.options.uuid.as_bytes(),
        nr_users: 1.into(),
    };
    let mut front = superblock.as_bytes().to_vec();
    front.resize(BLOCK_LEN, 0);
    for (index, run) in journal.runs.iter().enumerate() {
        let (start, len) = (run.start * BLOCK, u64::from(run.len) * BLOCK);
        let superblock_len = if index == 0 { front.len() as u64 } else { 0 };
        layout.put(
            start + superblock_len,
            "journal",
            Content::Zeros(len - superblock_len),
        );
        if index == 0 {
            layout.put(start, "journal superblock", front.clone());
        }
    }
    put_nodes(layout, JOURNAL_INODE, journal, context);
}

/// The blocks of all directories, links and files.
fn put_data(layout: &mut Layout, context: &Context) {
    let checksums = context.features.checksums;
    for (block, place) in context
        .survey
        .xattr_blocks
        .iter()
        .zip(&context.placed.xattr_blocks)
    {
        layout.put(
            place * BLOCK,
            "extended attributes",
            block.bytes(*place, checksums),
        );
    }
    for (item, place) in context.survey.items.iter().zip(&context.placed.items) {
        put_nodes(layout, item.number, place, context);
        match &item.data {
            Data::None => {}
            Data::HashTree(bytes) => put_runs(layout, item, place, &Content::Bytes(bytes.clone())),
            Data::Made(content) => put_runs(layout, item, place, content),
            Data::File(content, _) => put_runs(layout, item, place, content),
        }
    }
}

fn put_runs(layout: &mut Layout, item: &Item, place: &Blocks, content: &Content) {
    for run in &place.runs {
        let first = u64::from(run.logical) * BLOCK;
        let len = (u64::from(run.len) * BLOCK).min(content.len() - first);
        let part = if len == content.len() {
            content.clone()
        } else {
            let source: Arc<dyn ReadAt> = Arc::new(content.clone());
            Content::Span {
                source,
                start: first,
                len,
            }
        };
        layout.put(run.start * BLOCK, item.label.clone(), part);
    }
}

fn put_nodes(layout: &mut Layout, number: u32, place: &Blocks, context: &Context) {
    let seed = context.features.checksums.inode_seed(number, 0);
    for (node, block) in extents::nodes(place, seed).into_iter().zip(&place.nodes) {
        layout.put(block * BLOCK, "extent trees", node);
    }
}
