//! Planning VMDKs of one file that can grow.

use image::{Content, Image, Layout, Seed};
use zerocopy::IntoBytes;

use super::descriptor::descriptor;
use super::format::{ENTRIES, GRAIN, GRAIN_BYTES, NEWLINE_TEST, REDUNDANT, SECTOR, TABLE};
use crate::map::Present;
use crate::{Error, Format, Result};

/// Sectors for the text.
const DESCRIPTOR: u64 = 20;

/// The grains that are more than zeros, with tables in front.
pub(crate) fn sparse(image: &Image, file: &str, seed: &Seed) -> Result<Image> {
    let size = image.size();
    let sectors = size / SECTOR;
    let present = Present::of(image, GRAIN_BYTES)?;
    let tables = size.div_ceil(GRAIN_BYTES * ENTRIES);
    let directory = (tables * 4).div_ceil(SECTOR);
    let copy = 1 + DESCRIPTOR;
    let main = copy + directory + tables * TABLE;
    let data = (main + directory + tables * TABLE).next_multiple_of(GRAIN);
    let end = (data + present.count() * GRAIN) * SECTOR;
    let too_large = || Error::FileTooLarge {
        format: Format::Vmdk,
        size: end,
        max: super::FILE_MAX,
    };
    if end > super::FILE_MAX {
        return Err(too_large());
    }
    let number = |sector: u64| u32::try_from(sector).map_err(|_| too_large());

    let mut layout = Layout::new();
    let header = super::format::Header {
        descriptor_size: DESCRIPTOR.into(),
        rgd_offset: copy.into(),
        gd_offset: main.into(),
        over_head: data.into(),
        ..super::header(1, NEWLINE_TEST | REDUNDANT, sectors)
    };
    layout.put(0, "vmdk header", header.as_bytes());
    let text = descriptor("monolithicSparse", sectors, file, seed);
    layout.put(SECTOR, "vmdk descriptor", text);
    for base in [copy, main] {
        let place = |table: u64| number(base + directory + table * TABLE);
        let mut bytes = Vec::new();
        for table in 0..tables {
            bytes.extend(place(table)?.to_le_bytes());
        }
        layout.put(base * SECTOR, "vmdk grain directory", bytes);
    }
    // Tables without a grain are zeros.
    let mut grains = present.blocks().zip((data..).step_by(128)).peekable();
    for table in present.groups(ENTRIES).blocks() {
        let mut entries = vec![0; 2048];
        while let Some((grain, sector)) = grains.next_if(|(grain, _)| grain / ENTRIES == table) {
            let entry = usize::try_from(grain % ENTRIES * 4).unwrap_or(0);
            entries[entry..entry + 4].copy_from_slice(&number(sector)?.to_le_bytes());
        }
        let entries = Content::from(entries);
        for base in [copy, main] {
            let place = (base + directory + table * TABLE) * SECTOR;
            layout.put(place, "vmdk grain table", entries.clone());
        }
    }
    present.put(&mut layout, image, GRAIN_BYTES, data * SECTOR);
    Ok(layout.finish(end)?)
}
