//! What sfdisk, sgdisk and fdisk say of our disks, and what we say of theirs.
#![expect(clippy::unwrap_used, reason = "functions of tests")]

mod gpt;
mod hybrid;
mod mbr;
#[path = "../../../../tests/zoo/oracle.rs"]
mod oracle;
mod theirs;
mod types;

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use disk::read::Disk;
use disk::{Kind, MapEntry, Options, Partition, PartitionType, Planned, Region};
use image::Seed;
use tempfile::TempDir;

const MIB: u64 = 1 << 20;

/// What a tool prints; it must succeed.
fn run(tool: &str, args: &[&str], path: &Path) -> String {
    let output = Command::new(tool)
        .env("LC_ALL", "C.UTF-8")
        .args(args)
        .arg(path)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{tool} {args:?}: {text}{errors}");
    assert_eq!(errors, "", "{tool} {args:?}: {text}");
    text
}

/// Writes a disk without hashing its holes, which can be many terabytes.
fn written(dir: &TempDir, planned: &Planned) -> PathBuf {
    let path = dir.path().join("disk.img");
    let file = File::create(&path).unwrap();
    file.set_len(planned.image.size()).unwrap();
    for extent in planned.image.extents() {
        let bytes = extent.content.to_vec().unwrap();
        file.write_all_at(&bytes, extent.start).unwrap();
    }
    path
}

fn raw(name: &str, place: u64, len: usize) -> Region {
    Region {
        name: name.into(),
        place: Some(place),
        size: None,
        content: Some(vec![0xa5; len].into()),
        partition: None,
    }
}

fn partition(name: &str, kind: &str, place: Option<u64>, size: u64) -> Region {
    Region {
        name: name.into(),
        place,
        size: Some(size),
        content: Some(format!("content of {name}").into_bytes().into()),
        partition: Some(Partition::new(PartitionType::parse(kind).unwrap())),
    }
}

fn options() -> Options {
    Options::new(Seed::new(b"oracles"))
}

fn partitions(planned: &Planned) -> impl Iterator<Item = &MapEntry> {
    planned.map.iter().filter(|entry| entry.kind == Kind::Partition)
}

/// The value of `key=` in a line of `sfdisk --dump`.
fn value<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    let (_, rest) = line.split_once(&format!(" {key}="))?;
    match rest.trim_start().strip_prefix('"') {
        Some(quoted) => quoted.split('"').next(),
        None => rest.trim_start().split(',').next(),
    }
}

/// Our reader finds no fault, and reads what was planned.
fn assert_read_back(path: &Path, planned: &Planned) {
    let file = File::open(path).unwrap();
    let size = file.metadata().unwrap().len();
    let disk = Disk::open_with_sectors(&file, size, planned.sector_size).unwrap();
    assert_eq!(disk.problems, []);
    assert_eq!(Some(disk.id()), planned.id);
    assert_eq!(disk.partitions.len(), partitions(planned).count());
    for entry in partitions(planned) {
        let planned = entry.partition.unwrap();
        let read = disk.partition(planned.number).unwrap();
        assert_eq!((read.start, read.end), (entry.start, entry.end));
        assert_eq!(read.entry, planned);
        if disk.gpt().is_some() {
            assert_eq!(read.name, entry.name);
        }
    }
}
