//! Reading VHDs.

use zerocopy::IntoBytes;

use super::{Disk, File, Piece, Table};
use crate::Result;
use crate::vhd::format::{
    ABSENT, DIFFERENCING, DYNAMIC, FIXED, FOOTER_COOKIE, Footer, HEADER_COOKIE, Header, SECTOR, checksum,
};

/// Where blocks are.
#[derive(Debug)]
struct Blocks {
    file: File,
    table: u64,
    /// Bytes of the bitmap before each block.
    bitmap: u64,
}

/// A footer that is one.
fn footer(file: &File, start: u64) -> Result<Footer> {
    let footer: Footer = file.get(start)?;
    let unsummed = Footer {
        checksum: 0.into(),
        ..footer
    };
    if footer.cookie != FOOTER_COOKIE || footer.checksum.get() != checksum(unsummed.as_bytes()) {
        return Err(file.damaged(format!("the checksum of the footer at {start} is wrong")));
    }
    Ok(footer)
}

/// A disk without a table.
pub(super) fn open_fixed(file: &File) -> Result<Disk> {
    let footer = footer(file, file.len - SECTOR)?;
    if footer.disk_type.get() != FIXED {
        return Err(file.damaged(format!(
            "a disk of the type {} without a header",
            footer.disk_type
        )));
    }
    let size = footer.current_size.get();
    if size > file.len - SECTOR {
        return Err(file.damaged(format!("{size} bytes of the disk in a file of {}", file.len)));
    }
    Ok(Disk::new(file.clone(), size, 1 << 20, Box::new(AsItIs)))
}

/// All blocks in their places.
#[derive(Debug)]
struct AsItIs;

impl Table for AsItIs {
    fn find(&self, block: u64) -> Result<Piece> {
        Ok(Piece::At(block << 20))
    }
}

pub(super) fn open(file: File) -> Result<(u64, u64, Box<dyn Table>)> {
    let footer = footer(&file, 0)?;
    match footer.disk_type.get() {
        DYNAMIC => {}
        DIFFERENCING => return Err(file.unsupported("what is not in it is in a parent")),
        other => return Err(file.damaged(format!("a disk of the type {other} with a footer in front"))),
    }
    let place = footer.data_offset.get();
    let header: Header = file.get(place)?;
    let unsummed = Header {
        checksum: 0.into(),
        ..header
    };
    if header.cookie != HEADER_COOKIE || header.checksum.get() != checksum(unsummed.as_bytes()) {
        return Err(file.damaged(format!("the checksum of the header at {place} is wrong")));
    }
    let block = file.block(header.block_size.get().into(), 256 << 20)?;
    let size = footer.current_size.get();
    let (table, entries) = (
        header.table_offset.get(),
        u64::from(header.max_table_entries.get()),
    );
    if size.div_ceil(block) > entries {
        return Err(file.damaged(format!("{entries} entries of the table for {size} bytes")));
    }
    file.table("block table", table, size.div_ceil(block), 4)?;
    let bitmap = (block / SECTOR).div_ceil(8).next_multiple_of(SECTOR);
    let blocks = Blocks { file, table, bitmap };
    Ok((size, block, Box::new(blocks)))
}

impl Table for Blocks {
    /// Sectors whose bit is clear were never written, and read as what is there: zeros.
    fn find(&self, block: u64) -> Result<Piece> {
        let bytes = self.file.bytes(self.table + block * 4, 4)?;
        if bytes.iter().all(|byte| *byte == ABSENT) {
            return Ok(Piece::Zeros);
        }
        let sector = bytes.first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes));
        Ok(Piece::At(u64::from(sector) * SECTOR + self.bitmap))
    }
}
