//! Directories with hash trees. Their leaves are read one after the other, and the tree above them must be right.

use image::show;
use zerocopy::FromBytes;

use super::damaged;
use super::directories::{Directory, Entry, Listing};
use crate::checksum::crc32c;
use crate::format::{
    HASH_HALF_MD4, HASH_NODE_ENTRIES, HASH_ROOT_ENTRIES, HASH_ROOT_INFO, HashEntry, HashRootInfo, HashTail,
};
use crate::hash::half_md4;
use crate::{Error, Result};

const ENTRY: usize = size_of::<HashEntry>();
const TAIL: usize = size_of::<HashTail>();
/// Where the entry `..` of the root begins.
const DOT_DOT: usize = 12;
/// Half MD4 over unsigned bytes, when a root says so itself.
const HASH_HALF_MD4_UNSIGNED: u8 = 4;
/// The last kind of hash for names that are not encrypted.
const HASH_LAST: u8 = 5;
/// The most levels between the root and the leaves.
const LEVELS_MAX: u8 = 1;

/// A block that a node leads to, and the hashes of names in it.
struct Child {
    block: u32,
    /// The least hash; its lowest bit says that the names before may have the same.
    first: u32,
    /// The least hash of what comes after it, if something does.
    next: Option<u32>,
}

/// What tells a directory's hashes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Hash {
    HalfMd4Signed,
    /// The same for names without bytes above 127.
    HalfMd4Unsigned,
    Other,
}

/// The entries of a directory with a hash tree.
pub(super) fn read(directory: &Directory) -> Result<Listing> {
    let root = directory.bytes(0)?;
    let broken = |problem: String| damaged(directory.place(0), problem);
    let mut listing = dots(directory, &root)?;
    let info = root.get(HASH_ROOT_INFO..).unwrap_or_default();
    let (info, _) = HashRootInfo::read_from_prefix(info).map_err(|_| broken("is cut off".into()))?;
    if usize::from(info.info_length) != size_of::<HashRootInfo>()
        || info.reserved_zero.get() != 0
        || info.unused_flags & 1 != 0
    {
        return Err(broken("is no root of a hash tree".into()));
    }
    if info.indirect_levels > LEVELS_MAX {
        let problem = format!(
            "its hash tree has {} levels, the limit is {LEVELS_MAX}",
            info.indirect_levels
        );
        return Err(broken(problem));
    }
    let hash = hash(directory, info.hash_version).map_err(broken)?;
    let count = directory.blocks.count();
    let mut seen = Seen::new(count);
    let whole = Child {
        block: 0,
        first: 0,
        next: None,
    };
    seen.mark(directory, &whole)?;
    let mut leaves = children(directory, &root, &whole, HASH_ROOT_ENTRIES)?;
    if info.indirect_levels > 0 {
        let nodes = std::mem::take(&mut leaves);
        for node in &nodes {
            seen.mark(directory, node)?;
            let bytes = directory.bytes(node.block.into())?;
            check_node(directory, node, &bytes)?;
            leaves.extend(children(directory, &bytes, node, HASH_NODE_ENTRIES)?);
        }
    }
    for leaf in &leaves {
        seen.mark(directory, leaf)?;
        for entry in directory.leaf(leaf.block.into())? {
            directory.check(&entry)?;
            check_hash(directory, leaf, &entry, hash)?;
            listing.entries.push(entry);
        }
    }
    if let Some(number) = seen.missing() {
        return Err(damaged(
            directory.place(number),
            "nothing in the hash tree leads to it",
        ));
    }
    Ok(listing)
}

/// Reads `.` and `..` at the front of the root, of which the second takes the rest of the block.
fn dots(directory: &Directory, root: &[u8]) -> Result<Listing> {
    let len = |start: usize| {
        let bytes = root.get(start + 4..).and_then(|bytes| bytes.first_chunk());
        bytes.map_or(0, |bytes| usize::from(u16::from_le_bytes(*bytes)))
    };
    if (len(0), len(DOT_DOT)) != (DOT_DOT, root.len() - DOT_DOT) {
        return Err(damaged(directory.place(0), "is no root of a hash tree"));
    }
    directory.dots(directory.entries(0, root)?)
}

fn hash(directory: &Directory, version: u8) -> Result<Hash, String> {
    let signed = directory.file_system.geometry.hash_signed;
    match version {
        HASH_HALF_MD4 if signed => Ok(Hash::HalfMd4Signed),
        HASH_HALF_MD4 | HASH_HALF_MD4_UNSIGNED => Ok(Hash::HalfMd4Unsigned),
        0..=HASH_LAST => Ok(Hash::Other),
        _ => Err(format!("its hash is of the kind {version}")),
    }
}

/// A node other than the root begins with an entry of no file, which hides it from readers that know no hash trees.
fn check_node(directory: &Directory, node: &Child, bytes: &[u8]) -> Result<()> {
    let len = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    let [low, high] = len.to_le_bytes();
    let head = bytes.first_chunk::<7>();
    if head == Some(&[0, 0, 0, 0, low, high, 0]) {
        return Ok(());
    }
    Err(damaged(
        directory.place(node.block.into()),
        "is no node of a hash tree",
    ))
}

/// What a node leads to. Its entries begin at a byte of its block.
fn children(directory: &Directory, bytes: &[u8], node: &Child, start: usize) -> Result<Vec<Child>> {
    let broken = |problem: String| damaged(directory.place(node.block.into()), problem);
    let tail = directory.inode.seed.map_or(0, |_| TAIL);
    let room = (bytes.len() - start - tail) / ENTRY;
    let entries = bytes.get(start..).unwrap_or_default();
    let (first, _) = HashEntry::read_from_prefix(entries).map_err(|_| broken("is cut off".into()))?;
    let [a, b, c, d] = first.hash.get().to_le_bytes();
    let [limit, count] = [[a, b], [c, d]].map(|bytes| usize::from(u16::from_le_bytes(bytes)));
    if limit != room || count == 0 || count > limit {
        let problem = format!("the hash tree has {count} entries of {limit} here, the limit is {room}");
        return Err(broken(problem));
    }
    check_checksum(directory, bytes, start, limit, count).map_err(broken)?;
    let mut found: Vec<Child> = Vec::with_capacity(count);
    for (index, entry) in entries.chunks_exact(ENTRY).take(count).enumerate() {
        let entry = HashEntry::read_from_bytes(entry).map_err(|_| broken("is cut off".into()))?;
        let hash = if index == 0 { node.first } else { entry.hash.get() };
        let before = found.last().map_or(node.first, |child| child.first);
        let is_ordered = before < hash || before == hash && (index == 0 || hash & 1 == 1);
        if !is_ordered || node.next.is_some_and(|next| hash > next) {
            let problem = format!("the hash {hash:#010x} is out of order");
            return Err(broken(problem));
        }
        if let Some(last) = found.last_mut() {
            last.next = Some(hash);
        }
        found.push(Child {
            block: entry.block.get(),
            first: hash,
            next: node.next,
        });
    }
    Ok(found)
}

fn check_checksum(
    directory: &Directory,
    bytes: &[u8],
    start: usize,
    limit: usize,
    count: usize,
) -> Result<(), String> {
    let Some(seed) = directory.inode.seed else {
        return Ok(());
    };
    let cut_off = || "is cut off".to_string();
    let used = bytes.get(..start + count * ENTRY).ok_or_else(cut_off)?;
    let tail = bytes.get(start + limit * ENTRY..).ok_or_else(cut_off)?;
    let (tail, _) = HashTail::read_from_prefix(tail).map_err(|_| cut_off())?;
    let crc = crc32c(crc32c(seed, used), &tail.reserved.get().to_le_bytes());
    let (found, wanted) = (tail.checksum.get(), crc32c(crc, &[0; 4]));
    if found == wanted {
        return Ok(());
    }
    Err(format!("its checksum is {found:#010x}, not {wanted:#010x}"))
}

fn check_hash(directory: &Directory, leaf: &Child, entry: &Entry, hash: Hash) -> Result<()> {
    let is_known = match hash {
        Hash::HalfMd4Signed => true,
        Hash::HalfMd4Unsigned => entry.name.is_ascii(),
        Hash::Other => false,
    };
    if !is_known {
        return Ok(());
    }
    let found = half_md4(&entry.name, &directory.file_system.geometry.hash_seed).major;
    let is_before_next = leaf
        .next
        .is_none_or(|next| found < next & !1 || found == next & !1 && next & 1 == 1);
    if found >= leaf.first & !1 && is_before_next {
        return Ok(());
    }
    let problem = format!(
        "the hash of {} is {found:#010x}, which does not belong here",
        show(&entry.name)
    );
    Err(damaged(directory.place(leaf.block.into()), problem))
}

/// Blocks that something has led to.
struct Seen {
    blocks: Vec<bool>,
}

impl Seen {
    fn new(count: u64) -> Seen {
        Seen {
            blocks: vec![false; usize::try_from(count).unwrap_or(0)],
        }
    }

    fn mark(&mut self, directory: &Directory, child: &Child) -> Result<()> {
        let broken = |problem: &str| -> Result<(), Error> {
            Err(damaged(directory.place(child.block.into()), problem))
        };
        match self.blocks.get_mut(child.block as usize) {
            None => broken("does not exist, and the hash tree leads to it"),
            Some(true) => broken("the hash tree leads to it twice"),
            Some(seen) => {
                *seen = true;
                Ok(())
            }
        }
    }

    fn missing(&self) -> Option<u64> {
        let index = self.blocks.iter().position(|seen| !seen);
        index.map(|index| index as u64)
    }
}
