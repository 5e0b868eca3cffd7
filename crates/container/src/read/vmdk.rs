//! Reading VMDKs of one sparse extent, streams too.

use super::{File, Inflate, Piece, Table};
use crate::Result;
use crate::vmdk::format::{AT_END, COMPRESSED, DEFLATE, GrainMarker, Header, MAGIC, SECTOR};

/// The largest text that is looked at.
const DESCRIPTOR_MAX: u64 = 64 << 10;

/// The most entries of a grain table.
const ENTRIES_MAX: u64 = 512;

/// Where grains are.
#[derive(Debug)]
struct Grains {
    file: File,
    directory: u64,
    entries: u64,
    is_compressed: bool,
    /// Bytes of a grain.
    grain: u64,
}

pub(super) fn open(file: File) -> Result<(u64, u64, Box<dyn Table>)> {
    let mut header: Header = file.get(0)?;
    if header.gd_offset.get() == AT_END {
        let footer = file.len.saturating_sub(1024);
        header = file.get(footer)?;
        if header.magic_number != MAGIC || header.gd_offset.get() == AT_END {
            return Err(file.damaged("there is no footer: the stream is not complete"));
        }
    }
    if !(1..=3).contains(&header.version.get()) {
        return Err(file.unsupported(format!("version {}, and 1 to 3 are known", header.version)));
    }
    check_descriptor(&file, &header)?;
    let is_compressed = header.flags.get() & COMPRESSED != 0;
    if is_compressed && header.compress_algorithm.get() != DEFLATE {
        let algorithm = header.compress_algorithm;
        return Err(file.unsupported(format!("compression of the kind {algorithm}")));
    }
    let too_large = || file.damaged("the header counts more sectors than there can be");
    let bytes = |sectors: u64| sectors.checked_mul(SECTOR).ok_or_else(too_large);
    let grain = file.block(bytes(header.grain_size.get())?, 4 << 20)?;
    let entries = u64::from(header.num_gtes_per_gt.get());
    if entries == 0 || entries > ENTRIES_MAX {
        return Err(file.damaged(format!(
            "grain tables of {entries} entries; they have at most {ENTRIES_MAX}"
        )));
    }
    let (size, directory) = (bytes(header.capacity.get())?, bytes(header.gd_offset.get())?);
    file.table(
        "grain directory",
        directory,
        size.div_ceil(grain).div_ceil(entries),
        4,
    )?;
    let grains = Grains {
        file,
        directory,
        entries,
        is_compressed,
        grain,
    };
    Ok((size, grain, Box::new(grains)))
}

/// Refuses a disk that is not in this file alone.
fn check_descriptor(file: &File, header: &Header) -> Result<()> {
    let len = header
        .descriptor_size
        .get()
        .saturating_mul(SECTOR)
        .min(DESCRIPTOR_MAX);
    let start = header.descriptor_offset.get().saturating_mul(SECTOR);
    if start == 0 || len == 0 {
        return Err(file.unsupported("its description is in another file"));
    }
    let text = file.bytes(start, usize::try_from(len).unwrap_or(0))?;
    let text = String::from_utf8_lossy(&text);
    let value = |key: &str| {
        let mut lines = text.lines().map(str::trim);
        lines.find_map(|line| {
            Some(
                line.strip_prefix(key)?
                    .trim_start()
                    .strip_prefix('=')?
                    .trim()
                    .trim_matches('"'),
            )
        })
    };
    if let Some(parent) = value("parentCID").filter(|parent| !parent.eq_ignore_ascii_case("ffffffff")) {
        return Err(file.unsupported(format!("what is not in it is in a parent of the id {parent}")));
    }
    let kind = value("createType").unwrap_or_default();
    if !["monolithicSparse", "streamOptimized", "twoGbMaxExtentSparse"].contains(&kind) {
        return Err(file.unsupported(format!("a disk of the kind {kind:?}")));
    }
    let extents = text
        .lines()
        .filter(|line| ["RW ", "RDONLY "].iter().any(|access| line.starts_with(access)));
    match extents.count() {
        1 => Ok(()),
        count => Err(file.unsupported(format!("a disk of {count} extents"))),
    }
}

impl Grains {
    fn entry(&self, start: u64) -> Result<u64> {
        let bytes = self.file.bytes(start, 4)?;
        let entry = bytes.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes));
        Ok(u64::from(entry) * SECTOR)
    }
}

impl Table for Grains {
    fn find(&self, block: u64) -> Result<Piece> {
        let table = self.entry(self.directory + block / self.entries * 4)?;
        if table == 0 {
            return Ok(Piece::Zeros);
        }
        let start = self.entry(table + block % self.entries * 4)?;
        // Sector 1 is that of a grain of zeros; grains cannot lie there.
        if start <= SECTOR {
            return Ok(Piece::Zeros);
        }
        if !self.is_compressed {
            return Ok(Piece::At(start));
        }
        let marker: GrainMarker = self.file.get(start)?;
        let len = u64::from(marker.size.get());
        // What does not get smaller gets a little larger.
        if len > 2 * self.grain + 64 {
            return Err(self
                .file
                .damaged(format!("grain {block} has {len} compressed bytes")));
        }
        Ok(Piece::Compressed {
            start: start + size_of::<GrainMarker>() as u64,
            len: usize::try_from(len).unwrap_or(0),
            inflate: Inflate::Zlib,
        })
    }
}
