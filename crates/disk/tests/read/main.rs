//! Reading: what was planned comes back, damage is told, and nothing that a disk says can hurt.
#![expect(clippy::unwrap_used, reason = "functions of tests")]

mod gpt;
mod mbr;

use disk::read::Disk;
use disk::{Error, Partition, Region, SectorSize};
use image::{Content, Image, ReadAt};

const MIB: u64 = 1 << 20;

fn region(name: &str, sectors: u64, partition: Partition, sector: SectorSize) -> Region {
    Region {
        name: name.into(),
        place: None,
        size: Some(sectors * sector.bytes()),
        content: Some(name.as_bytes().into()),
        partition: Some(partition),
    }
}

fn bytes(image: &Image) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(image.size()).unwrap()];
    image.read_exact_at(&mut bytes, 0).unwrap();
    bytes
}

fn open(bytes: &[u8]) -> Result<Disk, Error> {
    Disk::open(&Content::from(bytes), bytes.len() as u64)
}
