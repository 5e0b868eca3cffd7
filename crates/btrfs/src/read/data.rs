//! The bytes of extents, whose checksums are compared when they are read.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use image::{Fault, ReadAt};

use super::decompress::decompress;
use super::superblock::Root;
use super::{FileSystem, damaged};
use crate::Result;
use crate::checksum::checksum;
use crate::format::{Key, SECTOR, SECTOR_LEN, kind, object};

/// The checksums of all sectors that have one: runs, sorted by their addresses.
#[derive(Debug, Default)]
pub(super) struct Sums {
    runs: Vec<(u64, Box<[u8]>)>,
}

impl Sums {
    /// Adds an item of the checksum tree.
    pub(super) fn add(&mut self, key: Key, item: &[u8]) -> Result<()> {
        let place = || format!("checksums of {}", key.offset);
        if (key.objectid, key.kind) != (object::EXTENT_CSUM, kind::EXTENT_CSUM) {
            return Err(damaged(place(), "is something else"));
        }
        let before = self
            .runs
            .last()
            .map_or(0, |(start, run)| start + run.len() as u64 / 4 * SECTOR);
        let is_aligned = key.offset.is_multiple_of(SECTOR) && item.len().is_multiple_of(4);
        if !is_aligned || key.offset < before || key.offset > 1 << 62 {
            return Err(damaged(place(), format!("{} bytes", item.len())));
        }
        self.runs.push((key.offset, item.into()));
        Ok(())
    }

    /// Those of a range of addresses, and some before it.
    fn read(system: &FileSystem, root: Root, address: u64, len: u64) -> Result<Sums> {
        let key = |address| Key::new(object::EXTENT_CSUM, kind::EXTENT_CSUM, address);
        let before = u64::from(system.geometry.node) / 4 * SECTOR;
        let range = key(address.saturating_sub(before))..=key(address.saturating_add(len));
        let mut sums = Sums::default();
        system
            .nodes()
            .range(root, &range, &mut |key, item| sums.add(key, item))?;
        Ok(sums)
    }

    /// Whether all sectors of a range have one.
    pub(super) fn cover(&self, address: u64, len: u64) -> bool {
        let end = address.saturating_add(len);
        let first = self.runs.partition_point(|(start, _)| *start <= address);
        let mut at = address;
        for (start, run) in &self.runs[first.saturating_sub(1)..] {
            if *start > at || at >= end {
                break;
            }
            at = at.max(start + run.len() as u64 / 4 * SECTOR);
        }
        at >= end
    }

    /// The sectors that have one.
    pub(super) fn all(&self) -> impl Iterator<Item = (u64, u32)> {
        self.runs.iter().flat_map(|(start, run)| {
            let sums = run.as_chunks::<4>().0.iter();
            let places = (0..).map(move |sector| start + sector * SECTOR);
            places.zip(sums.map(|sum| u32::from_le_bytes(*sum)))
        })
    }

    pub(super) fn of(&self, address: u64) -> Option<u32> {
        let index = self.runs.partition_point(|(start, _)| *start <= address);
        let (start, run) = self.runs.get(index.checked_sub(1)?)?;
        let at = usize::try_from((address - start) / SECTOR).ok()?.checked_mul(4)?;
        run.get(at..)?.first_chunk().map(|sum| u32::from_le_bytes(*sum))
    }
}

/// What all files of a file system share.
pub(super) struct Data {
    pub(super) system: FileSystem,
    pub(super) sums: Known,
}

/// Which checksums are known.
pub(super) enum Known {
    /// All of them.
    All(Sums),
    /// None; they are looked up in this tree.
    None(Root),
}

impl std::fmt::Debug for Data {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "the data of a btrfs")
    }
}

/// Whether a file's data has checksums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    Sums,
    Blind,
}

impl Data {
    /// Whole sectors at a logical address.
    fn read(&self, address: u64, len: usize, trust: Trust) -> Result<Vec<u8>> {
        let place = || format!("data at {address}");
        let start = self.system.chunks.place(address, len as u64);
        let start = start.ok_or_else(|| damaged(place(), "lies in no chunk"))?;
        let bytes = self.system.source.read(&place(), start, len)?;
        if trust == Trust::Sums {
            let found;
            let sums = match &self.sums {
                Known::All(sums) => sums,
                Known::None(root) => {
                    found = Sums::read(&self.system, *root, address, len as u64)?;
                    &found
                }
            };
            for (sector, bytes) in (0..).zip(bytes.chunks(SECTOR_LEN)) {
                let address = address + sector * SECTOR;
                if sums.of(address) != Some(checksum(bytes)) {
                    return Err(damaged(format!("data at {address}"), "its checksum is wrong"));
                }
            }
        }
        Ok(bytes)
    }
}

/// An extent as it lies there.
#[derive(Debug)]
pub(super) struct Plain {
    pub(super) data: Arc<Data>,
    pub(super) address: u64,
    pub(super) trust: Trust,
}

impl ReadAt for Plain {
    fn read_exact_at(&self, buffer: &mut [u8], start: u64) -> io::Result<()> {
        let first = start / SECTOR * SECTOR;
        let within = usize::try_from(start - first).map_err(io::Error::other)?;
        let len = (within + buffer.len()).next_multiple_of(SECTOR_LEN);
        let bytes = self.data.read(self.address + first, len, self.trust);
        let bytes = bytes.map_err(to_io)?;
        buffer.copy_from_slice(&bytes[within..within + buffer.len()]);
        Ok(())
    }

    fn name(&self) -> String {
        "a file in a btrfs".into()
    }
}

/// What readers of contents are told: bytes that are damaged are no fault of the medium.
fn to_io(error: crate::Error) -> io::Error {
    let kind = match error.fault() {
        Fault::Damaged => io::ErrorKind::InvalidData,
        _ => io::ErrorKind::Other,
    };
    io::Error::new(kind, error)
}

/// An extent that is compressed.
#[derive(Debug)]
pub(super) struct Compressed {
    pub(super) data: Arc<Data>,
    pub(super) address: u64,
    pub(super) disk_len: u32,
    /// Its bytes when it is decompressed.
    pub(super) len: u32,
    pub(super) compression: u8,
    pub(super) trust: Trust,
    /// Readers come back for the rest.
    pub(super) last: Mutex<Option<Arc<Vec<u8>>>>,
}

impl Compressed {
    /// All bytes of the extent.
    pub(super) fn bytes(&self) -> Result<Arc<Vec<u8>>> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bytes) = last.as_ref() {
            return Ok(Arc::clone(bytes));
        }
        let stored = self.data.read(self.address, self.disk_len as usize, self.trust)?;
        let bytes = decompress(self.compression, &stored, self.len as usize);
        let bytes = bytes.map_err(|problem| damaged(format!("data at {}", self.address), problem))?;
        let bytes = Arc::new(bytes);
        *last = Some(Arc::clone(&bytes));
        Ok(bytes)
    }
}

impl ReadAt for Compressed {
    fn read_exact_at(&self, buffer: &mut [u8], start: u64) -> io::Result<()> {
        let bytes = self.bytes().map_err(to_io)?;
        let start = usize::try_from(start).map_err(io::Error::other)?;
        let end = start.checked_add(buffer.len()).filter(|end| *end <= bytes.len());
        let end = end.ok_or(io::ErrorKind::UnexpectedEof)?;
        buffer.copy_from_slice(&bytes[start..end]);
        if end == bytes.len() {
            // Nobody keeps more than one extent of a file in memory.
            *self.last.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
        Ok(())
    }

    fn name(&self) -> String {
        "a file in a btrfs".into()
    }
}
