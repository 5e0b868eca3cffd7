//! What the tools say of our MBRs.

use std::fmt::Write;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use disk::{
    Attributes, Kind, MapEntry, Mbr, MbrType, Options, Planned, Region, SectorSize, Size, Table, plan,
};
use image::{Content, ReadAt};

use crate::oracle::installed;
use crate::{MIB, assert_read_back, options, partition, partitions, raw, run, value, written};

fn mbr() -> Options {
    Options {
        table: Table::Mbr(Mbr {
            signature: Some(0x2178_694e),
        }),
        ..options()
    }
}

/// A disk with this many partitions of different types and sizes, two of them bootable.
fn disk_with(count: usize, options: &Options) -> Planned {
    let kinds = ["0x0b", "linux", "esp", "swap", "fat16", "0x06", "0xda"];
    let regions: Vec<Region> = (0..count)
        .map(|index| {
            let size = (1 + index as u64 % 3) * MIB + (index as u64 % 2) * options.sector_size.bytes();
            let mut region = partition(&format!("p{index}"), kinds[index % 7], None, size);
            if index == 1 || index == 6 {
                region.partition.as_mut().unwrap().attributes = Attributes::BOOTABLE;
            }
            region
        })
        .collect();
    plan(options, &regions).unwrap()
}

/// The extended partition of a plan, as its number, first and last byte.
fn extended(planned: &Planned) -> Option<(u32, u64, u64)> {
    let records = planned
        .map
        .iter()
        .filter(|part| part.kind == Kind::ExtendedBootRecord);
    let start = records.map(|part| part.start).min()?;
    let last = partitions(planned).max_by_key(|part| part.partition.unwrap().number)?;
    Some((4, start, last.end))
}

/// The script that makes sfdisk write the same table.
fn script(planned: &Planned) -> String {
    let sector = planned.sector_size.bytes();
    let mut text = format!("label: dos\nlabel-id: 0x{}\n\n", planned.id.unwrap());
    let mut lines: Vec<(u32, u64, u64, MbrType, &str)> = partitions(planned)
        .map(|part| {
            let entry = part.partition.unwrap();
            let bootable = if entry.attributes == Attributes::BOOTABLE {
                ", bootable"
            } else {
                ""
            };
            (
                entry.number,
                part.start,
                part.end,
                entry.type_in_mbr().unwrap(),
                bootable,
            )
        })
        .collect();
    if let Some((number, start, end)) = extended(planned) {
        lines.push((number, start, end, MbrType(0x0f), ""));
    }
    lines.sort_by_key(|line| line.0);
    for (number, start, end, kind, bootable) in lines {
        let (start, size) = (start / sector, (end - start) / sector);
        writeln!(
            text,
            "{number} : start={start}, size={size}, type={:x}{bootable}",
            kind.0
        )
        .unwrap();
    }
    text
}

/// A disk that sfdisk makes.
pub(crate) fn made_by_sfdisk(path: &Path, size: u64, script: &str) -> File {
    let file = File::create(path).unwrap();
    file.set_len(size).unwrap();
    let mut sfdisk = Command::new("sfdisk")
        .arg(path)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    sfdisk.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    assert!(sfdisk.wait().unwrap().success(), "{script}");
    File::open(path).unwrap()
}

/// All that sfdisk reads in the table is all that the plan says.
fn assert_sfdisk_agrees(path: &Path, planned: &Planned) {
    let verified = run("sfdisk", &["--verify"], path);
    assert!(verified.contains("No errors detected"), "{verified}");
    let dump = run("sfdisk", &["--dump"], path);
    assert!(run("sfdisk", &["--json"], path).contains(r#""label": "dos""#));
    assert!(
        dump.contains(&format!("label-id: 0x{}\n", planned.id.unwrap())),
        "{dump}"
    );
    let mut theirs: Vec<&str> = dump.lines().filter(|line| line.contains(" start=")).collect();
    if let Some((number, start, end)) = extended(planned) {
        let line = theirs.remove(number as usize - 1);
        let number = |key| value(line, key).unwrap().parse::<u64>().unwrap() * 512;
        assert_eq!((number("start"), number("size")), (start, end - start), "{dump}");
        assert_eq!(value(line, "type"), Some("f"), "{dump}");
    }
    let mut ours: Vec<&MapEntry> = partitions(planned).collect();
    ours.sort_by_key(|part| part.partition.unwrap().number);
    assert_eq!(theirs.len(), ours.len(), "{dump}");
    for (line, part) in theirs.iter().zip(ours) {
        let entry = part.partition.unwrap();
        let number = |key| value(line, key).unwrap().parse::<u64>().unwrap() * 512;
        assert!(line.contains(&format!("disk.img{} ", entry.number)), "{line}");
        assert_eq!(
            (number("start"), number("size")),
            (part.start, part.size()),
            "{line}"
        );
        let kind = format!("{:x}", entry.type_in_mbr().unwrap().0);
        assert_eq!(value(line, "type"), Some(kind.as_str()), "{line}");
        assert_eq!(
            line.ends_with(", bootable"),
            entry.attributes == Attributes::BOOTABLE,
            "{line}"
        );
    }
}

/// The kernel's names of the partitions, from the same code of libblkid that udev uses.
fn assert_partx_agrees(path: &Path, planned: &Planned) {
    let sector = planned.sector_size.bytes().to_string();
    let args = [
        "--show",
        "--noheadings",
        "-S",
        &sector,
        "-o",
        "NR,START,SECTORS,TYPE,UUID",
    ];
    let text = run("partx", &args, path);
    let theirs: Vec<Vec<&str>> = text
        .lines()
        .map(|line| line.split_whitespace().collect())
        .filter(|words: &Vec<&str>| words[3] != "0xf")
        .collect();
    let mut ours: Vec<&MapEntry> = partitions(planned).collect();
    ours.sort_by_key(|part| part.partition.unwrap().number);
    let ours: Vec<Vec<String>> = ours
        .into_iter()
        .map(|part| {
            let entry = part.partition.unwrap();
            vec![
                entry.number.to_string(),
                (part.start / 512).to_string(),
                (part.size() / 512).to_string(),
                format!("{:#x}", entry.type_in_mbr().unwrap().0),
                entry.partuuid.to_string(),
            ]
        })
        .collect();
    assert_eq!(theirs, ours);
}

/// The bytes of all parts of the table are those that sfdisk writes for the same places.
fn assert_bytes_are_sfdisks(planned: &Planned) {
    let dir = tempfile::tempdir().unwrap();
    let size = planned.image.size();
    let file = made_by_sfdisk(&dir.path().join("theirs.img"), size, &script(planned));
    for part in planned.map.iter().filter(|part| part.kind.is_table()) {
        let (mut ours, mut theirs) = ([0; 512], [0; 512]);
        planned.image.read_exact_at(&mut ours, part.start).unwrap();
        ReadAt::read_exact_at(&file, &mut theirs, part.start).unwrap();
        assert_eq!(ours[440..], theirs[440..], "{part}");
    }
}

#[test]
fn up_to_twelve_partitions() {
    let tools = ["sfdisk", "partx", "fdisk"].map(installed);
    for count in 0..=12 {
        let planned = disk_with(count, &mbr());
        let dir = tempfile::tempdir().unwrap();
        let path = written(&dir, &planned);
        assert_read_back(&path, &planned);
        if tools[0] {
            assert_sfdisk_agrees(&path, &planned);
            assert_bytes_are_sfdisks(&planned);
        }
        if tools[1] && count > 0 {
            assert_partx_agrees(&path, &planned);
        }
        if tools[2] {
            let text = run("fdisk", &["-l"], &path);
            assert!(text.contains("Disklabel type: dos"), "{text}");
            assert!(text.contains("Disk identifier: 0x2178694e"), "{text}");
            assert!(!text.contains("not in disk order"), "{text}");
        }
    }
}

/// fdisk and partx can be told the sector size of a file.
#[test]
fn sectors_of_4096_bytes() {
    let tools = ["fdisk", "partx"].map(installed);
    for count in [1, 4, 7] {
        let options = Options {
            sector_size: SectorSize::B4096,
            ..mbr()
        };
        let planned = disk_with(count, &options);
        let dir = tempfile::tempdir().unwrap();
        let path = written(&dir, &planned);
        assert_read_back(&path, &planned);
        if tools[0] {
            let text = run(
                "fdisk",
                &["-b", "4096", "-o", "Device,Start,End,Sectors,Id", "-l"],
                &path,
            );
            for part in partitions(&planned) {
                let entry = part.partition.unwrap();
                let device = format!("disk.img{} ", entry.number);
                let line = text.lines().find(|line| line.contains(&device)).unwrap();
                let words: Vec<&str> = line.split_whitespace().skip(1).collect();
                let wanted =
                    [part.start / 4096, part.end / 4096 - 1, part.size() / 4096].map(|n| n.to_string());
                assert_eq!(words[..3], wanted, "{text}");
                assert_eq!(
                    words[3],
                    format!("{:x}", entry.type_in_mbr().unwrap().0),
                    "{text}"
                );
            }
        }
        if tools[1] {
            assert_partx_agrees(&path, &planned);
        }
    }
}

/// The table of nixpkgs' sd-image.nix: a gap of 8 MiB, firmware, and a bootable root.
#[test]
fn the_sd_image_of_nixpkgs() {
    let mut root = partition("NIXOS_SD", "linux", None, 1200 * MIB);
    root.partition.as_mut().unwrap().attributes = Attributes::BOOTABLE;
    let regions = [partition("FIRMWARE", "0x0b", Some(8 * MIB), 30 * MIB), root];
    let planned = plan(&mbr(), &regions).unwrap();
    assert_eq!(planned.image.size(), (8 + 30 + 1200) * MIB);
    let dir = tempfile::tempdir().unwrap();
    let path = written(&dir, &planned);
    assert_read_back(&path, &planned);
    if !installed("sfdisk") {
        return;
    }
    assert_sfdisk_agrees(&path, &planned);
    let text =
        "label: dos\nlabel-id: 0x2178694e\n\nstart=8M, size=61440, type=b\nstart=38M, type=83, bootable\n";
    let mut theirs = [0; 512];
    let file = made_by_sfdisk(&dir.path().join("theirs.img"), planned.image.size(), text);
    ReadAt::read_exact_at(&file, &mut theirs, 0).unwrap();
    let mut ours = [0; 512];
    planned.image.read_exact_at(&mut ours, 0).unwrap();
    assert_eq!(ours, theirs);
}

/// Odd places: beyond what heads can count, side by side with room for the records only, up to the last sector that
/// an MBR can name.
#[test]
fn far_and_close_partitions() {
    let last = (u64::from(u32::MAX)) * 512;
    let options = Options {
        size: Size::Exactly(last),
        ..mbr()
    };
    let regions = [
        partition("a", "linux", Some(512), 512),
        partition("b", "linux", Some(5 * MIB + 512), 7 << 30),
        partition("c", "linux", Some(8 << 30), 5 << 30),
        partition("d", "linux", Some(20 << 30), MIB),
        partition("e", "linux", Some((20 << 30) + MIB + 512), MIB),
        raw("blob", (20 << 30) + 3 * MIB, 1000),
        partition("f", "linux", Some((20 << 30) + 4 * MIB), 512),
        partition("g", "linux", Some(last - MIB), MIB),
    ];
    let planned = plan(&options, &regions).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = written(&dir, &planned);
    assert_read_back(&path, &planned);
    if installed("sfdisk") {
        assert_sfdisk_agrees(&path, &planned);
    }
    if installed("partx") {
        assert_partx_agrees(&path, &planned);
    }
}

/// fdisk, sfdisk and partx read as many partitions as there can be.
#[test]
fn as_many_as_there_can_be() {
    let options = Options { align: 4096, ..mbr() };
    let planned = disk_with(59, &options);
    let numbers = partitions(&planned).map(|part| part.partition.unwrap().number);
    assert_eq!(numbers.max(), Some(60));
    let dir = tempfile::tempdir().unwrap();
    let path = written(&dir, &planned);
    assert_read_back(&path, &planned);
    if installed("sfdisk") {
        assert_sfdisk_agrees(&path, &planned);
    }
    if installed("partx") {
        assert_partx_agrees(&path, &planned);
    }
}

/// Explicit numbers: another extended partition than number 4, and a single logical one.
#[test]
fn given_numbers() {
    let numbered = |name: &str, number| {
        let mut region = partition(name, "linux", None, MIB);
        region.partition.as_mut().unwrap().number = Some(number);
        region
    };
    let mut regions = vec![numbered("a", 1), numbered("c", 3), numbered("e", 5)];
    regions.insert(1, partition("x", "linux", None, MIB));
    let planned = plan(&mbr(), &regions).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = written(&dir, &planned);
    assert_read_back(&path, &planned);
    if installed("sfdisk") {
        assert_sfdisk_agrees(&path, &planned);
    }
}

/// Code before the records is not the table's business.
#[test]
fn boot_code_is_kept() {
    let code: Vec<u8> = (0..440_u32)
        .map(|index| u8::try_from(index % 251).unwrap())
        .collect();
    for len in [1, 439, 440] {
        let options = Options {
            boot_code: Some(Content::from(&code[..len])),
            ..mbr()
        };
        let planned = disk_with(2, &options);
        let mut start = [0xff; 512];
        planned.image.read_exact_at(&mut start, 0).unwrap();
        assert_eq!(start[..len], code[..len]);
        assert!(start[len..440].iter().all(|byte| *byte == 0));
        let dir = tempfile::tempdir().unwrap();
        let path = written(&dir, &planned);
        assert_read_back(&path, &planned);
        if installed("sfdisk") {
            assert_sfdisk_agrees(&path, &planned);
        }
    }
}
