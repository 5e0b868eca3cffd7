//! Reading VDIs.

use super::{File, Piece, Table};
use crate::Result;
use crate::vdi::format::{ABSENT, DISCARDED, DYNAMIC, Header, SIGNATURE, STATIC, VERSION};

/// Where blocks are.
#[derive(Debug)]
struct Blocks {
    file: File,
    map: u64,
    data: u64,
    /// Bytes of a block, and of what is before each.
    block: u64,
    extra: u64,
}

pub(super) fn open(file: File) -> Result<(u64, u64, Box<dyn Table>)> {
    let header: Header = file.get(0)?;
    if header.signature.get() != SIGNATURE {
        return Err(file.damaged("there is no header"));
    }
    if header.version.get() != VERSION {
        return Err(file.unsupported(format!(
            "version {:#x}, and {VERSION:#x} is known",
            header.version
        )));
    }
    if ![DYNAMIC, STATIC].contains(&header.image_type.get()) || header.uuid_parent != [0; 16] {
        return Err(file.unsupported("what is not in it is in a parent"));
    }
    let block = file.block(header.block_size.get().into(), 256 << 20)?;
    let (size, blocks) = (header.disk_size.get(), u64::from(header.blocks_in_image.get()));
    if size.div_ceil(block) > blocks {
        return Err(file.damaged(format!("{blocks} entries of the map for {size} bytes")));
    }
    let map = header.offset_bmap.get().into();
    file.table("block map", map, size.div_ceil(block), 4)?;
    let blocks = Blocks {
        file,
        map,
        data: header.offset_data.get().into(),
        block,
        extra: header.block_extra.get().into(),
    };
    Ok((size, block, Box::new(blocks)))
}

impl Table for Blocks {
    fn find(&self, block: u64) -> Result<Piece> {
        let bytes = self.file.bytes(self.map + block * 4, 4)?;
        let entry = bytes.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes));
        Ok(match entry {
            ABSENT | DISCARDED => Piece::Zeros,
            // No product of two 32-bit numbers and a sum with two more is too large.
            place => Piece::At(self.data + u64::from(place) * (self.block + self.extra) + self.extra),
        })
    }
}
