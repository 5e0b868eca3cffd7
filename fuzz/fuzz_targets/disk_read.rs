//! Disks from anywhere, as sparse pages. The first byte says whether the checksums of GPTs are set
//! right, whether sectors end as those of an MBR do, and how large they are.
#![no_main]

use std::sync::Arc;

use disk::SectorSize;
use disk::read::Disk;
use fuzz::sparse::Sparse;
use image::{Content, ReadAt};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((flags, data)) = data.split_first() else {
        return;
    };
    let mut source = Sparse::parse(data);
    let size = source.size();
    if flags & 8 == 8 {
        mark(&mut source);
    }
    if flags & 1 == 1 {
        for sector in [512, 4096] {
            seal(&mut source, sector, 1);
            seal(&mut source, sector, (size / sector).saturating_sub(1));
        }
    }
    let source: Arc<dyn ReadAt> = Arc::new(source);
    let opened = match flags & 6 {
        2 => Disk::open_with_sectors(&*source, size, SectorSize::B4096),
        _ => Disk::open(&*source, size),
    };
    let Ok(disk) = opened else {
        return;
    };
    let mut ranges = Vec::new();
    for partition in &disk.partitions {
        assert!(partition.start < partition.end && partition.end <= size);
        if let Some(gpt) = disk.gpt() {
            assert!(gpt.usable.start <= partition.start && partition.end <= gpt.usable.end);
        }
        assert_eq!(disk.partition(partition.entry.number), Some(partition));
        assert!(disk.partition_named(&partition.name).is_some());
        drop(partition.entry.to_string());
        let content: Content = partition.content(source.clone());
        fuzz::head(&content, 4096).expect("a partition can be read");
        ranges.push((partition.start, partition.end));
    }
    ranges.sort_unstable();
    assert!(ranges.windows(2).all(|pair| pair[0].1 <= pair[1].0));
    disk.problems.iter().for_each(|problem| drop(problem.to_string()));
});

/// Ends the first sectors that are there as those of an MBR and of its chain end.
fn mark(source: &mut Sparse) {
    for sector in 0..1024 {
        if let Some(page) = source.page_mut(sector * 512) {
            page[510..512].copy_from_slice(&[0x55, 0xaa]);
        }
    }
}

/// Sets the checksums of one copy of the table right, if there is one.
fn seal(source: &mut Sparse, sector: u64, lba: u64) {
    let start = lba * sector;
    let mut header = vec![0; sector as usize];
    if source.read_exact_at(&mut header, start).is_err() || !header.starts_with(b"EFI PART") {
        return;
    }
    let number = |at: usize| u32::from_le_bytes(header[at..at + 4].try_into().expect("four bytes"));
    let entries_start = u64::from(number(72)).saturating_mul(sector);
    let entries_len = u64::from(number(80)) * u64::from(number(84));
    let header_len = (number(12) as usize).min(header.len());
    if entries_len <= 4 << 20 {
        let mut entries = vec![0; entries_len as usize];
        if source.read_exact_at(&mut entries, entries_start).is_ok() {
            header[88..92].copy_from_slice(&crc32fast::hash(&entries).to_le_bytes());
        }
    }
    header[16..20].fill(0);
    let crc = crc32fast::hash(&header[..header_len]);
    header[16..20].copy_from_slice(&crc.to_le_bytes());
    if let Some(page) = source.page_mut(start) {
        page.copy_from_slice(&header[..512]);
    }
}
