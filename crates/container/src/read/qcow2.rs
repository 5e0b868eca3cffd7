//! Reading qcow2s of both versions.

use super::{File, Inflate, Piece, Table};
use crate::Result;
use crate::qcow2::format::{
    COMPRESSED, COMPRESSION_TYPE, CORRUPT, DATA_FILE, DEFLATE, DIRTY, EXTENDED_L2, HEADER_V2, HEADER_V3,
    Header, OFFSET, SECTOR, VERSION, ZERO, ZSTD,
};

/// Where clusters are.
#[derive(Debug)]
struct Clusters {
    file: File,
    bits: u32,
    l1: u64,
    l1_entries: u64,
    inflate: Inflate,
}

pub(super) fn open(file: File) -> Result<(u64, u64, Box<dyn Table>)> {
    // A file of version 2 can be shorter than the header of version 3 is, and what lies there means nothing.
    let mut head = file.bytes(0, HEADER_V2)?;
    let there = size_of::<Header>().min(usize::try_from(file.len).unwrap_or(usize::MAX));
    head.extend(file.bytes(HEADER_V2 as u64, there - HEADER_V2)?);
    let said = head.get(100..104).and_then(|bytes| bytes.first_chunk());
    let said = said.map_or(HEADER_V2, |bytes| u32::from_be_bytes(*bytes) as usize);
    let version = u32::from_be_bytes([head[4], head[5], head[6], head[7]]);
    let valid = match version {
        2 => HEADER_V2,
        VERSION if said < HEADER_V3 => return Err(file.damaged(format!("a header of {said} bytes"))),
        VERSION => said,
        other => return Err(file.unsupported(format!("version {other}, and 2 and 3 are known"))),
    };
    head.truncate(valid);
    head.resize(size_of::<Header>(), 0);
    let header: Header =
        zerocopy::FromBytes::read_from_bytes(&head).map_err(|_| file.damaged("there is no header"))?;
    check(&file, &header)?;
    let bits = header.cluster_bits.get();
    if !(9..=21).contains(&bits) {
        return Err(file.damaged(format!("clusters of 2^{bits} bytes; they have 2^9 to 2^21")));
    }
    let block = 1 << bits;
    let size = header.size.get();
    let (l1, l1_entries) = (header.l1_table_offset.get(), header.l1_size.get().into());
    let needed = size.div_ceil(block).div_ceil(block / 8);
    if needed > l1_entries {
        return Err(file.damaged(format!(
            "{l1_entries} entries of the L1 table, {size} bytes need {needed}"
        )));
    }
    file.table("L1 table", l1, needed, 8)?;
    let inflate = match header.compression_type {
        DEFLATE => Inflate::Deflate,
        ZSTD => Inflate::Zstd,
        other => return Err(file.unsupported(format!("compression type {other}"))),
    };
    let clusters = Clusters {
        file,
        bits,
        l1,
        l1_entries,
        inflate,
    };
    Ok((size, block, Box::new(clusters)))
}

/// Refuses what is in other files, and what is not known.
fn check(file: &File, header: &Header) -> Result<()> {
    let features = header.incompatible_features.get();
    let has = |feature: u64| features & feature != 0;
    let known = DIRTY | CORRUPT | DATA_FILE | COMPRESSION_TYPE | EXTENDED_L2;
    if header.backing_file_offset.get() != 0 {
        let len = header.backing_file_size.get().min(1023) as usize;
        let name = file.bytes(header.backing_file_offset.get(), len)?;
        let name = String::from_utf8_lossy(&name).into_owned();
        return Err(file.unsupported(format!("what is not in it is in the backing file {name:?}")));
    }
    match header.crypt_method.get() {
        0 => {}
        1 => return Err(file.unsupported("it is encrypted with AES")),
        2 => return Err(file.unsupported("it is encrypted with LUKS")),
        other => return Err(file.unsupported(format!("encryption of the kind {other}"))),
    }
    if has(DATA_FILE) {
        return Err(file.unsupported("its data are in another file"));
    }
    if has(EXTENDED_L2) {
        return Err(file.unsupported("it has subclusters"));
    }
    if has(CORRUPT) {
        return Err(file.damaged("it is marked as corrupt"));
    }
    if features & !known != 0 {
        return Err(file.unsupported(format!("unknown features {:#x}", features & !known)));
    }
    Ok(())
}

impl Clusters {
    fn entry(&self, start: u64) -> Result<u64> {
        let bytes = self.file.bytes(start, 8)?;
        Ok(bytes.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes)))
    }
}

impl Table for Clusters {
    fn find(&self, block: u64) -> Result<Piece> {
        let entries = 1 << (self.bits - 3);
        let (table, number) = (block / entries, block % entries);
        if table >= self.l1_entries {
            return Err(self
                .file
                .damaged(format!("cluster {block} is behind the L1 table")));
        }
        let table = self.entry(self.l1 + table * 8)? & OFFSET;
        if table == 0 {
            return Ok(Piece::Zeros);
        }
        let place = table.checked_add(number * 8);
        let place = place.ok_or_else(|| self.file.damaged("an L2 table behind the end of all files"))?;
        let entry = self.entry(place)?;
        if entry & COMPRESSED == 0 {
            let offset = entry & OFFSET;
            return Ok(if offset == 0 || entry & ZERO != 0 {
                Piece::Zeros
            } else {
                Piece::At(offset)
            });
        }
        let offset_bits = 62 - (self.bits - 8);
        let start = entry & ((1 << offset_bits) - 1);
        let sectors = (entry & (COMPRESSED - 1)) >> offset_bits;
        // At most twice the cluster and a sector, by the number of bits.
        let len = (sectors + 1) * SECTOR - start % SECTOR;
        Ok(Piece::Compressed {
            start,
            len: usize::try_from(len).unwrap_or(0),
            inflate: self.inflate,
        })
    }
}
