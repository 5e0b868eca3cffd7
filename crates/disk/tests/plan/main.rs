//! What is planned, and what is refused and how.
#![expect(clippy::unwrap_used, reason = "functions of tests")]

mod boards;
mod maps;
mod mbr;
mod refused;

use disk::{Gpt, Options, Partition, PartitionType, Planned, Region, Table, plan};
use image::{Content, Seed};

const MIB: u64 = 1 << 20;

fn options() -> Options {
    Options::new(Seed::new(b"tests"))
}

fn gpt(gpt: Gpt) -> Options {
    Options {
        table: Table::Gpt(gpt),
        ..options()
    }
}

fn raw(name: &str, place: u64, len: u64) -> Region {
    Region {
        name: name.into(),
        place: Some(place),
        size: None,
        content: Some(Content::Zeros(len)),
        partition: None,
    }
}

fn partition(name: &str, place: Option<u64>, size: u64) -> Region {
    Region {
        name: name.into(),
        place,
        size: Some(size),
        content: None,
        partition: Some(Partition::new(PartitionType::parse("linux").unwrap())),
    }
}

fn numbered(name: &str, number: u32) -> Region {
    let mut region = partition(name, None, MIB);
    region.partition.as_mut().unwrap().number = Some(number);
    region
}

fn map(planned: &Planned) -> String {
    planned
        .map
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}

/// The error, and whose fault it is, and its hint.
fn refused(options: &Options, regions: &[Region]) -> String {
    let error = plan(options, regions).unwrap_err();
    let hint = error
        .hint()
        .map_or(String::new(), |hint| format!("\nhint: {hint}"));
    format!("{:?}: {error}{hint}", error.fault())
}

fn digest(planned: &Planned) -> String {
    let dir = tempfile::tempdir().unwrap();
    let through = image::Through {
        sha256: image::Sums::File,
        ..image::Through::default()
    };
    let target = image::Target::claim(&dir.path().join("disk.img")).unwrap();
    let written = target
        .write_through(&planned.image, through, &image::Silent)
        .unwrap();
    let digits = |byte: u8| [byte >> 4, byte & 15].map(|digit| char::from_digit(digit.into(), 16).unwrap());
    written
        .digests
        .sha256
        .into_iter()
        .flatten()
        .flat_map(digits)
        .collect()
}
