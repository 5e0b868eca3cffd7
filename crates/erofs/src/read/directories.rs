//! Directories: blocks of entries.

use std::sync::Arc;

use image::{NAME_MAX, ReadAt};
use zerocopy::FromBytes;

use super::inodes::Inode;
use super::{Inner, damaged, data};
use crate::Result;
use crate::format::Dirent;

/// An entry, as it is written.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) name: Box<[u8]>,
    pub(super) inode: u64,
    pub(super) kind: u8,
}

impl Entry {
    /// Whether it is the directory itself or the one that it is in.
    pub(super) fn is_dots(&self) -> bool {
        matches!(&*self.name, b"." | b"..")
    }
}

/// All entries of a directory, in their order, which Linux relies on.
pub(super) fn entries(inner: &Arc<Inner>, inode: &Inode) -> Result<Vec<Entry>> {
    let place = format!("directory {}", inode.number);
    if inode.size > inner.size {
        return Err(damaged(&place, format!("is {} bytes long", inode.size)));
    }
    let content = data::content(inner, inode)?;
    let block = inner.geometry.block();
    let mut entries: Vec<Entry> = Vec::new();
    for start in (0..inode.size).step_by(usize::try_from(block).unwrap_or(usize::MAX)) {
        let len = (inode.size - start).min(block);
        let mut bytes = vec![0; usize::try_from(len).unwrap_or(0)];
        content
            .read_exact_at(&mut bytes, start)
            .map_err(|error| damaged(&place, error.to_string()))?;
        let found =
            parse(&bytes).ok_or_else(|| damaged(&place, format!("the block at {start} is damaged")))?;
        entries.extend(found);
    }
    if entries.windows(2).any(|pair| pair[0].name >= pair[1].name) {
        return Err(damaged(place, "the names are not in their order"));
    }
    Ok(entries)
}

/// The entries of a block.
fn parse(bytes: &[u8]) -> Option<Vec<Entry>> {
    let (first, _) = Dirent::read_from_prefix(bytes).ok()?;
    let names = usize::from(first.name_start.get());
    if names == 0 || !names.is_multiple_of(size_of::<Dirent>()) || names > bytes.len() {
        return None;
    }
    let heads: Vec<Dirent> = bytes[..names]
        .chunks_exact(size_of::<Dirent>())
        .map(|head| Dirent::read_from_bytes(head).ok())
        .collect::<Option<_>>()?;
    let mut entries = Vec::with_capacity(heads.len());
    for (number, head) in heads.iter().enumerate() {
        let start = usize::from(head.name_start.get());
        let end = match heads.get(number + 1) {
            Some(next) => usize::from(next.name_start.get()),
            None => bytes.len(),
        };
        let mut name = bytes.get(start..end)?;
        if number + 1 == heads.len() {
            let len = name.iter().position(|byte| *byte == 0);
            name = &name[..len.unwrap_or(name.len())];
        }
        let is_odd = name.is_empty() || name.len() > NAME_MAX || name.contains(&0) || name.contains(&b'/');
        if is_odd || start < names {
            return None;
        }
        entries.push(Entry {
            name: name.into(),
            inode: head.inode.get(),
            kind: head.kind,
        });
    }
    Some(entries)
}
