//! Images with some bytes in place of others, and where structures lie in images of 4 KiB blocks.

use std::sync::Arc;

use ext4::Error;
use ext4::read::FileSystem;
use image::{Content, ReadAt};

pub(crate) const BLOCK: u64 = 4096;
const INODE: u64 = 256;
/// Where the superblock lies.
pub(crate) const SUPERBLOCK: u64 = 1024;
/// Where an inode's pointers begin.
pub(crate) const POINTERS: u64 = 40;

/// An image with some bytes in place of others.
#[derive(Clone, Debug)]
pub(crate) struct Patched {
    base: Content,
    size: u64,
    patches: Vec<(u64, Vec<u8>)>,
}

impl ReadAt for Patched {
    fn read_exact_at(&self, buffer: &mut [u8], start: u64) -> std::io::Result<()> {
        self.base.read_exact_at(buffer, start)?;
        let end = start + buffer.len() as u64;
        for (place, patch) in &self.patches {
            let first = (*place).max(start);
            let last = (place + patch.len() as u64).min(end);
            if first < last {
                let part =
                    |from: u64| usize::try_from(first - from).unwrap()..usize::try_from(last - from).unwrap();
                buffer[part(start)].copy_from_slice(&patch[part(*place)]);
            }
        }
        Ok(())
    }
}

impl Patched {
    pub(crate) fn new(base: impl Into<Content>) -> Patched {
        let base = base.into();
        Patched {
            size: base.len(),
            base,
            patches: Vec::new(),
        }
    }

    /// The same with these bytes at a place.
    pub(crate) fn put(mut self, place: u64, bytes: &[u8]) -> Patched {
        self.patches.push((place, bytes.to_vec()));
        self
    }

    /// The same with another byte at a place.
    pub(crate) fn flip(self, place: u64) -> Patched {
        let [byte] = self.bytes(place);
        self.put(place, &[byte ^ 0x11])
    }

    /// The same as if the rest were missing.
    pub(crate) fn cut(mut self, size: u64) -> Patched {
        self.size = size;
        self
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    pub(crate) fn open(&self) -> Result<FileSystem, Error> {
        FileSystem::open(Arc::new(self.clone()), self.size)
    }

    pub(crate) fn bytes<const LEN: usize>(&self, place: u64) -> [u8; LEN] {
        let mut bytes = [0; LEN];
        self.read_exact_at(&mut bytes, place).unwrap();
        bytes
    }

    pub(crate) fn number(&self, place: u64) -> u64 {
        u32::from_le_bytes(self.bytes(place)).into()
    }

    /// Where an inode lies that the first group has.
    pub(crate) fn inode_numbered(&self, number: u64) -> u64 {
        self.number(BLOCK + 8) * BLOCK + (number - 1) * INODE
    }

    /// Where the inode of a path lies that the first group has.
    pub(crate) fn inode(&self, path: &str) -> u64 {
        let names = path.split('/').filter(|name| !name.is_empty());
        names.fold(self.inode_numbered(2), |directory, name| {
            let (start, len) = (self.block(directory), self.number(directory + 4));
            let entries = (start..start + len).step_by(4);
            let found = entries.clone().find(|at| {
                let mut found = vec![0; name.len()];
                let read = self.read_exact_at(&mut found, at + 8);
                let [len] = self.bytes(at + 6);
                read.is_ok() && usize::from(len) == name.len() && found == name.as_bytes()
            });
            self.inode_numbered(self.number(found.unwrap()))
        })
    }

    /// Where the first block of an inode lies, or the first node of its extent tree.
    pub(crate) fn block(&self, inode: u64) -> u64 {
        let [depth] = self.bytes(inode + POINTERS + 6);
        let pointer = if depth == 0 { 20 } else { 16 };
        self.number(inode + POINTERS + pointer) * BLOCK
    }
}
