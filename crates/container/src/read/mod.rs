//! Containers, read: a disk that can be read at any place.
//!
//! ```text
//!  read at a place ──► which block? ──► the table's entry, read from the file ──► zeros | bytes of the file | decompressed
//! ```
//!
//! What a file says is not believed: each offset and count is checked when it is used. No table is held in memory, so that what it
//! costs to open a file does not depend on how large it says that its disk is. Of compressed blocks, those that were read last are
//! kept.

mod blocks;
mod qcow2;
mod vdi;
mod vhd;
mod vhdx;
mod vmdk;

use std::io;
use std::sync::Arc;

use image::ReadAt;
use zerocopy::FromBytes;

use crate::{Error, Format, Result};
pub use blocks::Disk;
use blocks::{Inflate, Piece, Table};

/// A file that a container is read from.
#[derive(Clone, Debug)]
pub(crate) struct File {
    format: Format,
    source: Arc<dyn ReadAt>,
    len: u64,
}

impl File {
    fn bytes(&self, start: u64, len: usize) -> Result<Vec<u8>> {
        let end = start.checked_add(len as u64).filter(|end| *end <= self.len);
        if end.is_none() {
            let file = self.len;
            return Err(self.damaged(format!(
                "{len} bytes at {start} end behind the file's {file} bytes"
            )));
        }
        let mut bytes = vec![0; len];
        self.source
            .read_exact_at(&mut bytes, start)
            .map_err(|source| Error::Read {
                format: self.format,
                start,
                source,
            })?;
        Ok(bytes)
    }

    /// A structure of the file.
    fn get<T: FromBytes>(&self, start: u64) -> Result<T> {
        let bytes = self.bytes(start, size_of::<T>())?;
        T::read_from_bytes(&bytes).map_err(|_| self.damaged(format!("no structure at {start}")))
    }

    fn damaged(&self, problem: impl Into<String>) -> Error {
        Error::Damaged {
            format: self.format,
            problem: problem.into(),
        }
    }

    fn unsupported(&self, what: impl Into<String>) -> Error {
        Error::Unsupported {
            format: self.format,
            what: what.into(),
        }
    }

    /// Checks a block's size: a power of two of at least a sector, and no more than is held in memory.
    fn block(&self, block: u64, max: u64) -> Result<u64> {
        if (512..=max).contains(&block) && block.is_power_of_two() {
            return Ok(block);
        }
        Err(self.damaged(format!(
            "blocks of {block} bytes; they have 512 to {max}, a power of two"
        )))
    }

    /// Checks that a table that everything depends on lies in the file.
    fn table(&self, what: &str, start: u64, entries: u64, entry: u64) -> Result<()> {
        let len = entries.checked_mul(entry);
        let end = len.and_then(|len| start.checked_add(len));
        match end.filter(|end| *end <= self.len) {
            Some(_) => Ok(()),
            None => Err(self.damaged(format!(
                "the {what} of {entries} entries at {start} ends behind the file's {} bytes",
                self.len
            ))),
        }
    }
}

/// What container some bytes are, as their marks say: those at the begin, and of fixed VHDs, which have none, at the end.
///
/// # Errors
/// When they cannot be read.
pub fn recognise(source: &dyn ReadAt, len: u64) -> io::Result<Option<Format>> {
    if len < 512 {
        return Ok(None);
    }
    let mut head = [0; 512];
    source.read_exact_at(&mut head, 0)?;
    let marks: [(usize, &[u8], Format); 5] = [
        (0, b"QFI\xfb", Format::Qcow2),
        (0, b"KDMV", Format::Vmdk),
        (0, b"vhdxfile", Format::Vhdx),
        (0, b"conectix", Format::Vhd),
        (64, &[0x7f, 0x10, 0xda, 0xbe], Format::Vdi),
    ];
    let found = marks
        .into_iter()
        .find(|(start, mark, _)| head[*start..].starts_with(mark));
    if let Some((_, _, format)) = found {
        return Ok(Some(format));
    }
    let mut cookie = [0; 8];
    source.read_exact_at(&mut cookie, len - 512)?;
    Ok((cookie == crate::vhd::format::FOOTER_COOKIE).then_some(Format::VhdFixed))
}

/// Opens a container.
///
/// # Errors
/// When it is damaged, or has something that is not understood: a backing file, a parent, encryption, or its data elsewhere.
pub fn open(format: Format, source: Arc<dyn ReadAt>, len: u64) -> Result<Disk> {
    let file = File { format, source, len };
    let (size, block, table) = match format {
        Format::Qcow2 => qcow2::open(file.clone())?,
        Format::Vhd => vhd::open(file.clone())?,
        Format::VhdFixed => return vhd::open_fixed(&file),
        Format::Vhdx => vhdx::open(file.clone())?,
        Format::Vdi => vdi::open(file.clone())?,
        Format::Vmdk | Format::VmdkStream => vmdk::open(file.clone())?,
        Format::Raw | Format::Ova | Format::Vma | Format::Gce | Format::AndroidSparse => {
            return Err(file.unsupported("such files are written, and not read"));
        }
    };
    Ok(Disk::new(file, size, block, table))
}
