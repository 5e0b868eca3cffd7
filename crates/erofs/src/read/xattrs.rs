//! Extended attributes: those behind an inode, and those that it shares with others.

use image::Xattr;
use zerocopy::FromBytes;

use super::{Inner, damaged};
use crate::Result;
use crate::format::{XATTR_PREFIXES, XattrEntry, XattrHeader};

/// The attributes behind an inode, sorted by name, and how many bytes they take there.
pub(super) fn read(inner: &Inner, what: &str, start: u64, count: u16) -> Result<(Vec<Xattr>, u64)> {
    let Some(rest) = count.checked_sub(1) else {
        return Ok((Vec::new(), 0));
    };
    let place = format!("attributes of {what}");
    let len = size_of::<XattrHeader>() + usize::from(rest) * 4;
    let bytes = inner.read(&place, start, len)?;
    let short = || damaged(&place, "are too short");
    let (header, mut bytes) = XattrHeader::read_from_prefix(&bytes).map_err(|_| short())?;
    let mut xattrs = Vec::new();
    for _ in 0..header.shared {
        let (number, behind) = bytes.split_first_chunk().ok_or_else(short)?;
        bytes = behind;
        let at = inner.geometry.xattrs + u64::from(u32::from_le_bytes(*number)) * 4;
        xattrs.push(shared(inner, &place, at)?);
    }
    while !bytes.is_empty() {
        let (xattr, len) = entry(bytes).ok_or_else(|| damaged(&place, "an entry is damaged"))?;
        xattrs.push(xattr);
        bytes = bytes.get(len..).ok_or_else(short)?;
    }
    xattrs.sort();
    if xattrs.windows(2).any(|pair| pair[0].name == pair[1].name) {
        return Err(damaged(place, "a name is there twice"));
    }
    Ok((xattrs, len as u64))
}

fn shared(inner: &Inner, place: &str, at: u64) -> Result<Xattr> {
    let head = inner.read(&place, at, size_of::<XattrEntry>())?;
    let problem = || damaged(place, "a shared one is damaged");
    let head = XattrEntry::read_from_bytes(&head).map_err(|_| problem())?;
    let len = size_of::<XattrEntry>() + usize::from(head.name_len) + usize::from(head.value_len.get());
    let bytes = inner.read(&place, at, len)?;
    let (xattr, _) = entry(&bytes).ok_or_else(problem)?;
    Ok(xattr)
}

/// The first of these, and how many bytes it takes.
fn entry(bytes: &[u8]) -> Option<(Xattr, usize)> {
    let (head, rest) = XattrEntry::read_from_prefix(bytes).ok()?;
    let (name, rest) = rest.split_at_checked(head.name_len.into())?;
    let value = rest.get(..head.value_len.get().into())?;
    let (prefix, _) = XATTR_PREFIXES.iter().find(|(_, number)| *number == head.prefix)?;
    let is_whole = !prefix.ends_with(b".");
    if name.is_empty() != is_whole || name.contains(&0) {
        return None;
    }
    let xattr = Xattr {
        name: [*prefix, name].concat().into(),
        value: value.into(),
    };
    let len = size_of::<XattrEntry>() + name.len() + value.len();
    Some((xattr, len.next_multiple_of(4)))
}
