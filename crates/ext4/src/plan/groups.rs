//! What describes the groups: superblock, descriptors, bitmaps, and the room for more descriptors.

use std::ops::Range;

use zerocopy::IntoBytes;

use super::geometry::{self, LOG_GROUPS_PER_FLEX};
use super::inodes::{halves, shorts};
use super::{Context, inodes};
use crate::format::{
    BLOCK, BLOCK_LEN, BLOCKS_PER_GROUP, CHECKSUM_CRC32C, DEFAULT_MOUNT_OPTIONS, DESCRIPTOR_CHECKSUM,
    ERRORS_CONTINUE, EXTRA_ISIZE, FIRST_INODE, GROUP_INODE_UNINIT, GROUP_INODE_ZEROED, GroupDescriptor,
    HASH_HALF_MD4, INODE_SIZE, JOURNAL_INODE, SIGNED_HASH, STATE_VALID, SUPERBLOCK_MAGIC, Superblock,
    incompat,
};

/// What is known of each group.
pub(super) struct Groups {
    pub(super) descriptors: Vec<u8>,
    pub(super) block_bitmaps: Vec<[u8; BLOCK_LEN]>,
    pub(super) inode_bitmaps: Vec<[u8; BLOCK_LEN]>,
    pub(super) free_blocks: u64,
    pub(super) free_inodes: u64,
}

/// The inodes of a group that are in use: a range from its first one.
pub(super) fn used_inodes(group: u32, context: &Context) -> u32 {
    let per_group = u64::from(context.placed.geometry.inodes_per_group);
    let used = u64::from(context.inodes_used()).saturating_sub(u64::from(group) * per_group);
    u32::try_from(used.min(per_group)).unwrap_or(u32::MAX)
}

/// Describes all groups.
pub(super) fn groups(context: &Context) -> Groups {
    let geometry = &context.placed.geometry;
    let mut groups = Groups {
        descriptors: Vec::new(),
        block_bitmaps: Vec::new(),
        inode_bitmaps: Vec::new(),
        free_blocks: 0,
        free_inodes: 0,
    };
    let mut directories = vec![0_u32; geometry.groups as usize];
    for item in context.survey.items.iter().filter(|item| item.is_directory()) {
        directories[((item.number - 1) / geometry.inodes_per_group) as usize] += 1;
    }
    for group in 0..geometry.groups {
        let blocks = block_bitmap(group, context);
        let inodes = inode_bitmap(group, context);
        let free_blocks = blocks.iter().map(|byte| byte.count_zeros()).sum();
        let free_inodes = geometry.inodes_per_group - used_inodes(group, context);
        let descriptor = Descriptor {
            group,
            blocks: &blocks,
            inodes: &inodes,
            free_blocks,
            free_inodes,
            directories: directories[group as usize],
        };
        groups.descriptors.extend(descriptor.bytes(context));
        groups.block_bitmaps.push(blocks);
        groups.inode_bitmaps.push(inodes);
        groups.free_blocks += u64::from(free_blocks);
        groups.free_inodes += u64::from(free_inodes);
    }
    let len = geometry.descriptor_blocks * BLOCK;
    groups.descriptors.resize(usize::try_from(len).unwrap_or(0), 0);
    groups
}

struct Descriptor<'a> {
    group: u32,
    blocks: &'a [u8; BLOCK_LEN],
    inodes: &'a [u8; BLOCK_LEN],
    free_blocks: u32,
    free_inodes: u32,
    directories: u32,
}

impl Descriptor<'_> {
    fn bytes(&self, context: &Context) -> Vec<u8> {
        let geometry = &context.placed.geometry;
        let checksums = context.features.checksums;
        let places = geometry.places[self.group as usize];
        let counted = |bits: u32| usize::try_from(bits / 8).unwrap_or(BLOCK_LEN).min(BLOCK_LEN);
        let [block_bitmap_lo, block_bitmap_hi] = halves(places.block_bitmap);
        let [inode_bitmap_lo, inode_bitmap_hi] = halves(places.inode_bitmap);
        let [inode_table_lo, inode_table_hi] = halves(places.inode_table);
        let [free_blocks_lo, free_blocks_hi] = shorts(self.free_blocks);
        let [free_inodes_lo, free_inodes_hi] = shorts(self.free_inodes);
        let [directories_lo, directories_hi] = shorts(self.directories);
        let [blocks_csum_lo, blocks_csum_hi] =
            shorts(checksums.bitmap(&self.blocks[..counted(BLOCKS_PER_GROUP)]));
        let [inodes_csum_lo, inodes_csum_hi] =
            shorts(checksums.bitmap(&self.inodes[..counted(geometry.inodes_per_group)]));
        let unused = self.free_inodes == geometry.inodes_per_group;
        let descriptor = GroupDescriptor {
            block_bitmap_lo: block_bitmap_lo.into(),
            block_bitmap_hi: block_bitmap_hi.into(),
            inode_bitmap_lo: inode_bitmap_lo.into(),
            inode_bitmap_hi: inode_bitmap_hi.into(),
            inode_table_lo: inode_table_lo.into(),
            inode_table_hi: inode_table_hi.into(),
            free_blocks_count_lo: free_blocks_lo.into(),
            free_blocks_count_hi: free_blocks_hi.into(),
            free_inodes_count_lo: free_inodes_lo.into(),
            free_inodes_count_hi: free_inodes_hi.into(),
            used_dirs_count_lo: directories_lo.into(),
            used_dirs_count_hi: directories_hi.into(),
            flags: (GROUP_INODE_ZEROED | if unused { GROUP_INODE_UNINIT } else { 0 }).into(),
            block_bitmap_csum_lo: blocks_csum_lo.into(),
            block_bitmap_csum_hi: blocks_csum_hi.into(),
            inode_bitmap_csum_lo: inodes_csum_lo.into(),
            inode_bitmap_csum_hi: inodes_csum_hi.into(),
            // Inodes are used in order, so the free ones are those behind the last used one.
            itable_unused_lo: free_inodes_lo.into(),
            itable_unused_hi: free_inodes_hi.into(),
            ..GroupDescriptor::default()
        };
        let len = usize::try_from(context.features.descriptor_size).unwrap_or(0);
        let mut bytes = descriptor.as_bytes()[..len].to_vec();
        let checksum = checksums.descriptor(self.group, &bytes);
        bytes[DESCRIPTOR_CHECKSUM].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }
}

/// The blocks of a group in use; those behind the end of the file system count as used.
fn block_bitmap(group: u32, context: &Context) -> [u8; BLOCK_LEN] {
    let placed = context.placed;
    let whole = geometry::start(group)..geometry::start(group + 1);
    let mut bitmap = [0; BLOCK_LEN];
    let taken = &placed.geometry.taken;
    let first = taken.partition_point(|range| range.end <= whole.start);
    let ranges = taken[first..].iter().take_while(|range| range.start < whole.end);
    let ends = [0..placed.data_end, placed.blocks..u64::MAX];
    for range in ranges.chain(&ends) {
        let inside = |block: u64| usize::try_from(block.clamp(whole.start, whole.end) - whole.start);
        set(
            &mut bitmap,
            inside(range.start).unwrap_or(0)..inside(range.end).unwrap_or(0),
        );
    }
    bitmap
}

fn inode_bitmap(group: u32, context: &Context) -> [u8; BLOCK_LEN] {
    let mut bitmap = [0; BLOCK_LEN];
    let per_group = context.placed.geometry.inodes_per_group as usize;
    set(&mut bitmap, 0..used_inodes(group, context) as usize);
    set(&mut bitmap, per_group..BLOCK_LEN * 8);
    bitmap
}

fn set(bitmap: &mut [u8], bits: Range<usize>) {
    let mut bit = bits.start;
    while bit < bits.end {
        if bit.is_multiple_of(8) && bits.end - bit >= 8 {
            let last = bits.end / 8;
            bitmap[bit / 8..last].fill(0xff);
            bit = last * 8;
        } else {
            bitmap[bit / 8] |= 1 << (bit % 8);
            bit += 1;
        }
    }
}

/// The superblock of group 0, or its copy in another group.
pub(super) fn superblock(group: u32, groups: &Groups, context: &Context) -> Vec<u8> {
    let Context {
        options,
        features,
        placed,
        ..
    } = context;
    let geometry = &placed.geometry;
    let inodes = u64::from(geometry.groups) * u64::from(geometry.inodes_per_group);
    let [blocks_lo, blocks_hi] = halves(placed.blocks);
    let [free_lo, free_hi] = halves(groups.free_blocks);
    let journal_blocks: u64 = placed.journal.as_ref().map_or(0, super::Blocks::count);
    let mut sb: Superblock = zerocopy::FromZeros::new_zeroed();
    sb.inodes_count = halves(inodes)[0].into();
    sb.blocks_count_lo = blocks_lo.into();
    sb.blocks_count_hi = blocks_hi.into();
    sb.free_blocks_count_lo = free_lo.into();
    sb.free_blocks_count_hi = free_hi.into();
    sb.free_inodes_count = halves(groups.free_inodes)[0].into();
    sb.log_block_size = 2.into();
    sb.log_cluster_size = 2.into();
    sb.blocks_per_group = BLOCKS_PER_GROUP.into();
    sb.clusters_per_group = BLOCKS_PER_GROUP.into();
    sb.inodes_per_group = geometry.inodes_per_group.into();
    sb.wtime = options.time.into();
    sb.lastcheck = options.time.into();
    sb.mkfs_time = options.time.into();
    sb.max_mnt_count = u16::MAX.into();
    sb.magic = SUPERBLOCK_MAGIC.into();
    sb.state = STATE_VALID.into();
    sb.errors = ERRORS_CONTINUE.into();
    sb.rev_level = 1.into();
    sb.first_ino = FIRST_INODE.into();
    sb.inode_size = INODE_SIZE.into();
    sb.block_group_nr = shorts(group)[0].into();
    sb.feature_compat = features.compat.into();
    sb.feature_incompat = features.incompat.into();
    sb.feature_ro_compat = features.ro_compat.into();
    sb.uuid = *options.uuid.as_bytes();
    let label = options.label.as_deref().unwrap_or_default().as_bytes();
    sb.volume_name[..label.len()].copy_from_slice(label);
    sb.reserved_gdt_blocks = shorts(halves(geometry.reserved_blocks)[0])[0].into();
    sb.hash_seed = *options.hash_seed.as_bytes();
    sb.def_hash_version = HASH_HALF_MD4;
    sb.flags = SIGNED_HASH.into();
    sb.default_mount_opts = DEFAULT_MOUNT_OPTIONS.into();
    if features.incompat & incompat::BIT64 != 0 {
        sb.desc_size = 64.into();
    }
    sb.min_extra_isize = EXTRA_ISIZE.into();
    sb.want_extra_isize = EXTRA_ISIZE.into();
    sb.log_groups_per_flex = LOG_GROUPS_PER_FLEX;
    sb.overhead_clusters = halves(geometry.overhead() + journal_blocks)[0].into();
    set_journal(&mut sb, context);
    if features.checksums.are_everywhere() {
        sb.checksum_type = CHECKSUM_CRC32C;
        let bytes = sb.as_bytes();
        sb.checksum = features.checksums.superblock(&bytes[..bytes.len() - 4]).into();
    }
    sb.as_bytes().to_vec()
}

/// Where the root of an inode's extent tree lies.
const INODE_BLOCK: usize = 40;

/// The journal's inode, and a copy of where its blocks are.
fn set_journal(sb: &mut Superblock, context: &Context) {
    let Some(journal) = &context.placed.journal else {
        return;
    };
    sb.journal_inum = JOURNAL_INODE.into();
    sb.jnl_backup_type = 1;
    let inode = inodes::journal(journal, context);
    let word = |start: usize| {
        inode[start..]
            .first_chunk::<4>()
            .map_or(0, |bytes| u32::from_le_bytes(*bytes))
    };
    for (index, field) in sb.jnl_blocks.iter_mut().enumerate() {
        *field = match index {
            15 => word(108),
            16 => word(4),
            _ => word(INODE_BLOCK + index * 4),
        }
        .into();
    }
}

/// The groups with a copy of the superblock, without the first.
pub(super) fn copies(context: &Context) -> Vec<u32> {
    (1..context.placed.geometry.groups)
        .filter(|group| geometry::has_superblock(*group))
        .collect()
}

/// The block of pointers to the blocks kept for more descriptors, and those blocks, which point to their copies.
pub(super) fn reserved(context: &Context) -> (Vec<u8>, Vec<u8>) {
    let geometry = &context.placed.geometry;
    let copies = copies(context);
    let mut pointers = vec![0; BLOCK_LEN];
    let mut blocks = vec![0; usize::try_from(geometry.reserved_blocks).unwrap_or(0) * BLOCK_LEN];
    let first = 1 + geometry.descriptor_blocks;
    let numbered = (first..first + geometry.reserved_blocks).zip(blocks.chunks_exact_mut(BLOCK_LEN));
    for (index, (block, bytes)) in numbered.enumerate() {
        let slot = (usize::try_from(geometry.descriptor_blocks).unwrap_or(0) + index) % (BLOCK_LEN / 4);
        pointers[slot * 4..][..4].copy_from_slice(&halves(block)[0].to_le_bytes());
        for (slot, group) in bytes.chunks_exact_mut(4).zip(&copies) {
            slot.copy_from_slice(&halves(geometry::start(*group) + block)[0].to_le_bytes());
        }
    }
    (pointers, blocks)
}
