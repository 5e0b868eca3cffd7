//! Extended attributes: those of several inodes lie in one place, the others behind their inodes.

use std::collections::BTreeMap;

use image::{Meta, NAME_MAX, Xattr, show};
use zerocopy::IntoBytes;

use super::survey::Survey;
use crate::format::{XATTR_PREFIXES, XattrEntry, XattrHeader};
use crate::{Error, Result};

/// The longest value, by its field.
const VALUE_MAX: usize = u16::MAX as usize;
/// The most shared attributes of an inode, by their count's field.
const SHARED_MAX: usize = u8::MAX as usize;
/// The most bytes of attributes behind an inode, by their count's field, which is in fours and one more.
const BODY_MAX: usize = (u16::MAX as usize - 1) * 4;

/// The attributes that several inodes have.
pub(super) struct Shared<'a> {
    /// Their entries, one after the other, sorted.
    pub(super) bytes: Vec<u8>,
    /// Where each begins in them.
    starts: BTreeMap<&'a Xattr, u32>,
}

impl<'a> Shared<'a> {
    /// Finds them.
    pub(super) fn of(survey: &Survey<'a>) -> Shared<'a> {
        let mut counts: BTreeMap<&Xattr, u32> = BTreeMap::new();
        for id in &survey.order {
            for xattr in &survey.tree.node(*id).meta.xattrs {
                *counts.entry(xattr).or_default() += 1;
            }
        }
        let mut shared = Shared {
            bytes: Vec::new(),
            starts: BTreeMap::new(),
        };
        for (xattr, _) in counts.into_iter().filter(|(_, count)| *count > 1) {
            let start = u32::try_from(shared.bytes.len()).unwrap_or(u32::MAX);
            shared.starts.insert(xattr, start);
            push(&mut shared.bytes, xattr);
        }
        shared
    }

    /// Which of an inode's attributes lie with those of others, and which behind it.
    fn split<'x>(&self, xattrs: &'x [Xattr]) -> (Vec<u32>, Vec<&'x Xattr>) {
        let (mut shared, mut own) = (Vec::new(), Vec::new());
        for xattr in xattrs {
            match self.starts.get(xattr) {
                Some(start) if shared.len() < SHARED_MAX => shared.push(*start),
                _ => own.push(xattr),
            }
        }
        (shared, own)
    }

    /// How many bytes an inode's attributes take behind it.
    pub(super) fn body_len(&self, xattrs: &[Xattr]) -> usize {
        if xattrs.is_empty() {
            return 0;
        }
        let (shared, own) = self.split(xattrs);
        size_of::<XattrHeader>() + shared.len() * 4 + own.into_iter().map(entry_len).sum::<usize>()
    }

    /// What stands behind an inode; `base` is where the shared ones begin, in bytes from the block that they are numbered
    /// from.
    pub(super) fn body(&self, xattrs: &[Xattr], base: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        if xattrs.is_empty() {
            return bytes;
        }
        let (shared, own) = self.split(xattrs);
        let header = XattrHeader {
            shared: u8::try_from(shared.len()).unwrap_or(u8::MAX),
            ..XattrHeader::default()
        };
        bytes.extend_from_slice(header.as_bytes());
        for start in shared {
            let number = (base + u64::from(start)) / 4;
            bytes.extend(u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes());
        }
        for xattr in own {
            push(&mut bytes, xattr);
        }
        bytes
    }
}

/// The field of an inode that says how many bytes of attributes stand behind it.
pub(super) fn count(body_len: usize) -> u16 {
    match body_len.checked_sub(size_of::<XattrHeader>()) {
        Some(rest) => u16::try_from(rest / 4 + 1).unwrap_or(u16::MAX),
        None => 0,
    }
}

fn number_and_rest(name: &[u8]) -> Option<(u8, &[u8])> {
    XATTR_PREFIXES.iter().find_map(|(prefix, number)| {
        let rest = name.strip_prefix(*prefix)?;
        // Only the names of access lists are over with their prefixes.
        let is_whole = !prefix.ends_with(b".");
        (rest.is_empty() == is_whole).then_some((*number, rest))
    })
}

fn entry_len(xattr: &Xattr) -> usize {
    let name = number_and_rest(&xattr.name).map_or(0, |(_, rest)| rest.len());
    (size_of::<XattrEntry>() + name + xattr.value.len()).next_multiple_of(4)
}

fn push(bytes: &mut Vec<u8>, xattr: &Xattr) {
    let (prefix, name) = number_and_rest(&xattr.name).unwrap_or_default();
    let entry = XattrEntry {
        name_len: u8::try_from(name.len()).unwrap_or(u8::MAX),
        prefix,
        value_len: u16::try_from(xattr.value.len()).unwrap_or(u16::MAX).into(),
    };
    bytes.extend_from_slice(entry.as_bytes());
    bytes.extend_from_slice(name);
    bytes.extend_from_slice(&xattr.value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

/// Finds attributes that erofs or Linux cannot hold.
pub(super) fn check(meta: &Meta, place: &dyn Fn() -> String) -> Result<()> {
    let bad = |xattr: &Xattr, problem: String| {
        Err(Error::BadXattr {
            path: place(),
            name: show(&xattr.name),
            problem,
        })
    };
    if let Some((xattr, problem)) = meta.impossible_xattr() {
        return bad(xattr, problem.to_string());
    }
    let mut len = size_of::<XattrHeader>();
    for xattr in &meta.xattrs {
        if number_and_rest(&xattr.name).is_none() {
            let problem =
                "the name must begin with user., trusted. or security., or be that of an access list";
            return bad(xattr, problem.to_string());
        }
        if xattr.name.len() > NAME_MAX {
            let problem = format!("the name has {} bytes, the limit is {NAME_MAX}", xattr.name.len());
            return bad(xattr, problem);
        }
        if xattr.value.len() > VALUE_MAX {
            let problem = format!(
                "the value has {} bytes, the limit is {VALUE_MAX}",
                xattr.value.len()
            );
            return bad(xattr, problem);
        }
        len += entry_len(xattr);
        if len > BODY_MAX {
            let problem = format!("all attributes of the file take more than {BODY_MAX} bytes, the limit");
            return bad(xattr, problem);
        }
    }
    Ok(())
}
