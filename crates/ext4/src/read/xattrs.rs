//! Extended attributes: in the inode behind its fields, and in a block.

use std::ops::Range;

use image::{Xattr, show};
use zerocopy::FromBytes;

use super::claims::{Claims, Owner};
use super::inodes::Inode;
use super::{FileSystem, damaged};
use crate::Result;
use crate::format::{XATTR_CHECKSUM, XATTR_MAGIC, XattrEntry, XattrHeader, compat};

const ENTRY: usize = size_of::<XattrEntry>();
const HEADER: usize = size_of::<XattrHeader>();
/// The most inodes that share a block.
const SHARED_MAX: u32 = 1024;
const ACCESS_LIST: u8 = 2;
const DEFAULT_ACCESS_LIST: u8 = 3;

/// What the numbers in front of names stand for.
const PREFIXES: [(u8, &[u8]); 8] = [
    (0, b""),
    (1, b"user."),
    (ACCESS_LIST, b"system.posix_acl_access"),
    (DEFAULT_ACCESS_LIST, b"system.posix_acl_default"),
    (4, b"trusted."),
    (5, b"lustre."),
    (6, b"security."),
    (7, b"system."),
];

/// All attributes of an inode, sorted by name.
pub(super) fn read(file_system: &FileSystem, inode: &Inode, claims: &mut Claims) -> Result<Vec<Xattr>> {
    let place = inode.place();
    let mut xattrs = Vec::new();
    let broken = |problem: String| damaged(&place, problem);
    let inside = inode.bytes.get(inode.fields_len..).unwrap_or_default();
    if let Some(area) = inside.strip_prefix(&XATTR_MAGIC.to_le_bytes()) {
        let area = Area { bytes: area, base: 0 };
        area.read(&mut xattrs).map_err(broken)?;
    }
    let block = inode.attribute_block(file_system);
    if block != 0 {
        let bytes = shared(file_system, inode, block, claims)?;
        let area = Area {
            bytes: bytes.get(HEADER..).unwrap_or_default(),
            base: HEADER,
        };
        let broken = |problem| damaged(format!("{place}, attributes in block {block}"), problem);
        let found = area.read(&mut xattrs).map_err(broken)?;
        check_order(&found, &bytes).map_err(broken)?;
    }
    xattrs.sort();
    let twice = xattrs.windows(2).find_map(|pair| match pair {
        [first, second] if first.name == second.name => Some(show(&first.name)),
        _ => None,
    });
    match twice {
        Some(name) => Err(broken(format!("the attribute {name} is there twice"))),
        None => Ok(xattrs),
    }
}

/// The block of attributes of an inode, whose head is right.
fn shared(file_system: &FileSystem, inode: &Inode, block: u64, claims: &mut Claims) -> Result<Vec<u8>> {
    let broken = |problem: String| damaged(inode.place(), problem);
    if file_system.geometry.compat & compat::EXT_ATTR == 0 {
        let problem = "has a block of attributes, and the file system has none";
        return Err(broken(problem.into()));
    }
    if !file_system.geometry.holds(block, 1) {
        let problem = format!(
            "its attributes are in block {block}, and there are {}",
            file_system.geometry.blocks
        );
        return Err(broken(problem));
    }
    let place = format!("{}, attributes in block {block}", inode.place());
    let mut bytes = file_system.block(&place, block)?;
    let header = XattrHeader::read_from_prefix(&bytes).map(|(header, _)| header);
    let header = header.map_err(|_| damaged(&place, "are cut off"))?;
    let refcount = header.refcount.get();
    if header.magic.get() != XATTR_MAGIC || header.blocks.get() != 1 {
        return Err(damaged(place, "have no head"));
    }
    if file_system.geometry.checksums.are_everywhere() {
        if let Some(checksum) = bytes.get_mut(XATTR_CHECKSUM) {
            checksum.fill(0);
        }
        let wanted = file_system.geometry.checksums.xattr_block(block, &bytes);
        let found = header.checksum.get();
        if found != wanted {
            let problem = format!("their checksum is {found:#010x}, not {wanted:#010x}");
            return Err(damaged(place, problem));
        }
    }
    let users = claims
        .share(block, refcount, Owner::Inode(inode.number))
        .map_err(|taken| broken(taken.to_string()))?;
    if users > refcount || refcount > SHARED_MAX {
        let problem =
            format!("inode {users} that has them; they count {refcount}, and the limit is {SHARED_MAX}");
        return Err(damaged(place, problem));
    }
    Ok(bytes)
}

/// Bytes that begin with entries.
struct Area<'a> {
    bytes: &'a [u8],
    /// Places of values count from this many bytes before.
    base: usize,
}

/// An entry, and its name without prefix.
struct Found<'a> {
    entry: XattrEntry,
    name: &'a [u8],
}

impl<'a> Area<'a> {
    fn read(&self, xattrs: &mut Vec<Xattr>) -> Result<Vec<Found<'a>>, String> {
        let cut_off = || "the attributes are cut off".to_string();
        let mut all = Vec::new();
        let mut at = 0;
        loop {
            let rest = self.bytes.get(at..).unwrap_or_default();
            let next = rest.first_chunk::<4>().ok_or_else(cut_off)?;
            if *next == [0; 4] {
                break;
            }
            let (entry, rest) = XattrEntry::read_from_prefix(rest).map_err(|_| cut_off())?;
            let name = rest.get(..usize::from(entry.name_len)).ok_or_else(cut_off)?;
            at += ENTRY + name.len().next_multiple_of(4);
            all.push(Found { entry, name });
        }
        let entries = 0..at + size_of::<u32>();
        let mut used = Vec::new();
        used.push(entries);
        for found in &all {
            let name = found.full_name()?;
            let shown = show(&name);
            if found.entry.value_inum.get() != 0 {
                return Err(format!("the value of the attribute {shown} is in an inode"));
            }
            let (range, value) = self
                .value(found)
                .ok_or_else(|| format!("the value of the attribute {shown} is cut off"))?;
            found
                .check_hash(value)
                .map_err(|problem| format!("the attribute {shown} {problem}"))?;
            used.push(range);
            let value = match found.entry.name_index {
                ACCESS_LIST | DEFAULT_ACCESS_LIST => {
                    access_list(value).ok_or_else(|| format!("{shown} is no access control list"))?
                }
                _ => value.to_vec(),
            };
            xattrs.push(Xattr {
                name: name.into(),
                value: value.into(),
            });
        }
        used.retain(|range| !range.is_empty());
        used.sort_by_key(|range| range.start);
        if used
            .windows(2)
            .any(|pair| matches!(pair, [a, b] if a.end > b.start))
        {
            return Err("the attributes lie one over the other".into());
        }
        Ok(all)
    }

    fn value(&self, found: &Found) -> Option<(Range<usize>, &'a [u8])> {
        let len = usize::try_from(found.entry.value_size.get()).ok()?;
        if len == 0 {
            return Some((0..0, &[]));
        }
        let start = usize::from(found.entry.value_offs.get()).checked_sub(self.base)?;
        let range = start..start.checked_add(len)?;
        Some((range.clone(), self.bytes.get(range)?))
    }
}

/// Checks what the kernel relies on in blocks: the order of entries, and the hash by which equal blocks are found.
fn check_order(all: &[Found], block: &[u8]) -> Result<(), String> {
    let key = |found: &Found| (found.entry.name_index, found.name.len(), found.name.to_vec());
    if !all.is_sorted_by_key(key) {
        return Err("are not in order".into());
    }
    let hash = |hash: u32, found: &Found| hash.rotate_left(16) ^ found.entry.hash.get();
    let is_hashed = all.iter().all(|found| found.entry.hash.get() != 0);
    let wanted = if is_hashed { all.iter().fold(0, hash) } else { 0 };
    let header = XattrHeader::read_from_prefix(block).map(|(header, _)| header.hash.get());
    match header {
        // mke2fs leaves it out, so that nobody finds the block.
        Ok(found) if found == wanted || found == 0 => Ok(()),
        _ => Err(format!("their hash is not {wanted:#010x}")),
    }
}

impl Found<'_> {
    fn full_name(&self) -> Result<Vec<u8>, String> {
        let index = self.entry.name_index;
        let prefix = PREFIXES.iter().find(|(number, _)| *number == index);
        let Some((_, prefix)) = prefix else {
            let name = show(self.name);
            return Err(format!("the attribute {name} has a prefix of number {index}"));
        };
        let name = [prefix, self.name].concat();
        let is_list = matches!(index, ACCESS_LIST | DEFAULT_ACCESS_LIST);
        if name.contains(&0) || is_list != self.name.is_empty() {
            return Err(format!("{} is no name of an attribute", show(&name)));
        }
        Ok(name)
    }

    /// Compares the entry's hash, which may be missing. Bytes of names count as signed or unsigned, depending on who
    /// wrote it.
    fn check_hash(&self, value: &[u8]) -> Result<(), String> {
        let hash = |extend: fn(u8) -> u32| {
            let name = |hash: u32, byte: &u8| hash.rotate_left(5) ^ extend(*byte);
            let word = |hash: u32, chunk: &[u8]| {
                let word = chunk
                    .iter()
                    .rev()
                    .fold(0, |word, byte| word << 8 | u32::from(*byte));
                hash.rotate_left(16) ^ word
            };
            value.chunks(4).fold(self.name.iter().fold(0, name), word)
        };
        let unsigned = hash(u32::from);
        let signed = hash(|byte| i32::from(byte.cast_signed()).cast_unsigned());
        let found = self.entry.hash.get();
        if [0, unsigned, signed].contains(&found) {
            return Ok(());
        }
        Err(format!("has the hash {found:#010x}, not {unsigned:#010x}"))
    }
}

/// An access control list as programs see it: version 2, and every entry with the number of a user or group.
fn access_list(stored: &[u8]) -> Option<Vec<u8>> {
    const NOBODY: [u8; 4] = [0xff; 4];
    let mut rest = stored.strip_prefix(&1_u32.to_le_bytes())?;
    let mut list = 2_u32.to_le_bytes().to_vec();
    while let Some((entry, after)) = rest.split_first_chunk::<4>() {
        let [tag, zero, ..] = *entry;
        list.extend_from_slice(entry);
        rest = match (tag, zero) {
            (0x01 | 0x04 | 0x10 | 0x20, 0) => {
                list.extend_from_slice(&NOBODY);
                after
            }
            (0x02 | 0x08, 0) => {
                let (number, after) = after.split_first_chunk::<4>()?;
                list.extend_from_slice(number);
                after
            }
            _ => return None,
        };
    }
    rest.is_empty().then_some(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn access_lists_get_longer() {
        let stored = [1, 0, 0, 0, 1, 0, 6, 0, 2, 0, 4, 0, 0xe8, 3, 0, 0, 0x20, 0, 4, 0];
        let list = access_list(&stored).unwrap();
        assert_eq!(
            list,
            [
                &[2, 0, 0, 0][..],
                &[1, 0, 6, 0, 0xff, 0xff, 0xff, 0xff],
                &[2, 0, 4, 0, 0xe8, 3, 0, 0],
                &[0x20, 0, 4, 0, 0xff, 0xff, 0xff, 0xff],
            ]
            .concat()
        );
        assert_eq!(access_list(&stored[..6]), None);
        assert_eq!(access_list(&stored[..14]), None);
        assert_eq!(access_list(&[2, 0, 0, 0]), None);
    }
}
