//! Containers from anywhere, as sparse pages. The first byte says which one it is taken for, and whether checksums are set
//! right.
#![no_main]

use std::sync::Arc;

use container::Format;
use container::read::{open, recognise};
use fuzz::sparse::Sparse;
use image::ReadAt;
use libfuzzer_sys::fuzz_target;

const FORMATS: [Format; 6] = [
    Format::Qcow2,
    Format::Vhd,
    Format::VhdFixed,
    Format::Vhdx,
    Format::Vdi,
    Format::Vmdk,
];

fuzz_target!(|data: &[u8]| {
    let Some((flags, data)) = data.split_first() else {
        return;
    };
    let mut source = Sparse::parse(data);
    let size = source.size();
    if size < 1024 {
        return;
    }
    if flags & 8 == 8 {
        seal_vhdx(&mut source);
        for (start, len, checksum) in [(0, 512, 64), (512, 1024, 36), (size - 512, 512, 64)] {
            seal_vhd(&mut source, start, len, checksum);
        }
    }
    let source: Arc<dyn ReadAt> = Arc::new(source);
    let format = match recognise(&*source, size) {
        Ok(Some(format)) if flags & 7 > 5 => format,
        _ => FORMATS[usize::from(flags & 7) % FORMATS.len()],
    };
    let disk = match open(format, source, size) {
        Ok(disk) => disk,
        Err(error) => return drop(error.to_string()),
    };
    let mut buffer = vec![0; 70_000];
    for number in 0..16 {
        let place = disk.size() / 16 * number;
        let len = (disk.size() - place).min(buffer.len() as u64) as usize;
        if let Err(error) = disk.read_exact_at(&mut buffer[..len], place) {
            drop(error.to_string());
        }
    }
    assert!(
        disk.read_exact_at(&mut buffer[..2], disk.size().saturating_sub(1))
            .is_err()
    );
});

/// Sets the checksum of what begins at a place, if there are pages.
fn seal(source: &mut Sparse, start: u64, len: usize, at: usize, sum: impl Fn(&[u8]) -> [u8; 4]) {
    let mut bytes = vec![0; len];
    if source.read_exact_at(&mut bytes, start).is_err() {
        return;
    }
    bytes[at..at + 4].fill(0);
    let sum = sum(&bytes);
    if let Some(page) = source.page_mut(start) {
        page[at..at + 4].copy_from_slice(&sum);
    }
}

fn seal_vhd(source: &mut Sparse, start: u64, len: usize, at: usize) {
    seal(source, start, len, at, |bytes| {
        let sum: u32 = bytes.iter().copied().map(u32::from).sum();
        (!sum).to_be_bytes()
    });
}

fn seal_vhdx(source: &mut Sparse) {
    for (start, len) in [
        (64 << 10, 4096),
        (128 << 10, 4096),
        (192 << 10, 65536),
        (256 << 10, 65536),
    ] {
        seal(source, start, len, 4, |bytes| crc32c::crc32c(bytes).to_le_bytes());
    }
}
