//! Extended attributes: items of the inode, sorted by the hashes of their names.

use image::{Meta, NAME_MAX, Xattr, show};
use zerocopy::IntoBytes;

use crate::checksum::name_hash;
use crate::format::{DirItem, DiskKey, FILE_TYPE_XATTR, GENERATION, ITEM_MAX};
use crate::{Error, Result};

const ACCESS_LISTS: [&[u8]; 2] = [b"system.posix_acl_access", b"system.posix_acl_default"];
const PREFIXES: [&[u8]; 3] = [b"user.", b"trusted.", b"security."];

/// Finds attributes that btrfs or Linux cannot hold.
pub(super) fn check(meta: &Meta, place: &dyn Fn() -> String) -> Result<()> {
    if let Some((xattr, problem)) = meta.impossible_xattr() {
        return Err(bad(xattr, place, problem.to_string()));
    }
    for xattr in &meta.xattrs {
        if let Some(problem) = problem(xattr) {
            return Err(bad(xattr, place, problem));
        }
    }
    for same in items(&meta.xattrs).chunk_by(|a, b| a.0 == b.0) {
        let len: usize = same.iter().map(|(_, xattr)| entry_len(xattr)).sum();
        if len > ITEM_MAX {
            let problem = format!(
                "the hashes of {} names are equal, and they take {len} bytes; the limit is {ITEM_MAX}",
                same.len()
            );
            return Err(bad(same[0].1, place, problem));
        }
    }
    Ok(())
}

fn problem(xattr: &Xattr) -> Option<String> {
    let is_access_list = ACCESS_LISTS.contains(&&*xattr.name);
    let is_known = |prefix: &&[u8]| xattr.name.starts_with(prefix) && xattr.name.len() > prefix.len();
    if !is_access_list && !PREFIXES.iter().any(is_known) {
        return Some(
            "the name must begin with user., trusted. or security., or be that of an access list".to_string(),
        );
    }
    if xattr.name.len() > NAME_MAX {
        return Some(format!(
            "the name has {} bytes, the limit is 255",
            xattr.name.len()
        ));
    }
    if is_access_list && !is_valid_list(&xattr.value) {
        return Some("the value is no access control list".to_string());
    }
    let len = entry_len(xattr);
    (len > ITEM_MAX).then(|| {
        let limit = ITEM_MAX - size_of::<DirItem>() - xattr.name.len();
        format!("the value has {} bytes, the limit is {limit}", xattr.value.len())
    })
}

/// Whether it is an access control list of version 2, in which btrfs keeps them as Linux hands them out.
fn is_valid_list(value: &[u8]) -> bool {
    let Some(entries) = value.strip_prefix(&2_u32.to_le_bytes()) else {
        return false;
    };
    let is_valid = |entry: &[u8]| {
        let tag = entry.first_chunk::<2>().map(|tag| u16::from_le_bytes(*tag));
        entry.len() == 8 && tag.is_some_and(|tag| [0x01, 0x02, 0x04, 0x08, 0x10, 0x20].contains(&tag))
    };
    entries.chunks(8).all(is_valid)
}

fn entry_len(xattr: &Xattr) -> usize {
    size_of::<DirItem>() + xattr.name.len() + xattr.value.len()
}

/// Attributes with the hashes of their names, sorted by these.
pub(super) fn items(xattrs: &[Xattr]) -> Vec<(u64, &Xattr)> {
    let mut items: Vec<(u64, &Xattr)> = xattrs
        .iter()
        .map(|xattr| (name_hash(&xattr.name), xattr))
        .collect();
    items.sort();
    items
}

/// Adds an attribute as it lies in an item.
pub(super) fn push(bytes: &mut Vec<u8>, xattr: &Xattr) {
    let head = DirItem {
        location: DiskKey::default(),
        transid: GENERATION.into(),
        data_len: u16::try_from(xattr.value.len()).unwrap_or(u16::MAX).into(),
        name_len: u16::try_from(xattr.name.len()).unwrap_or(u16::MAX).into(),
        kind: FILE_TYPE_XATTR,
    };
    bytes.extend_from_slice(head.as_bytes());
    bytes.extend_from_slice(&xattr.name);
    bytes.extend_from_slice(&xattr.value);
}

fn bad(xattr: &Xattr, place: &dyn Fn() -> String, problem: String) -> Error {
    Error::BadXattr {
        path: place(),
        name: show(&xattr.name),
        problem,
    }
}
