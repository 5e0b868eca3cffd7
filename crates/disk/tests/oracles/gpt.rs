//! What the tools say of our GPTs.

use std::fmt::Write;
use std::fs::File;
use std::path::Path;
use std::process::Command;

use disk::read::Disk;
use disk::{
    Attributes, Board, ChromeOs, Gpt, MapEntry, Options, PartUuid, Planned, Region, SectorSize, Size, Table,
    TypeId, plan,
};
use image::ReadAt;

use crate::oracle::installed;
use crate::{MIB, assert_read_back, options, partition, partitions, raw, run, value, written};

/// A name as `sfdisk --dump` prints it.
fn escaped(name: &str) -> String {
    let mut text = String::new();
    for byte in name.bytes() {
        match byte {
            b' '..=b'~' => text.push(byte.into()),
            _ => write!(text, "\\x{byte:02x}").unwrap(),
        }
    }
    text
}

/// The attributes that `sfdisk --dump` prints.
fn dumped_attributes(text: &str) -> u64 {
    let bit = |word: &str| match word {
        "RequiredPartition" => 0,
        "NoBlockIOProtocol" => 1,
        "LegacyBIOSBootable" => 2,
        bit => bit.parse().unwrap(),
    };
    let words = text.replace("GUID:", " ").replace(',', " ");
    words.split_whitespace().map(|word| 1_u64 << bit(word)).sum()
}

/// All that sfdisk reads in the table is all that the plan says.
fn assert_sfdisk_agrees(path: &Path, planned: &Planned) {
    run("sfdisk", &["--verify"], path);
    let dump = run("sfdisk", &["--dump"], path);
    assert!(run("sfdisk", &["--json"], path).contains(r#""label": "gpt""#));
    let guid = planned.id.unwrap().to_string().to_uppercase();
    assert!(dump.contains(&format!("label-id: {guid}\n")), "{dump}");
    let theirs: Vec<&str> = dump.lines().filter(|line| line.contains(" start=")).collect();
    let mut ours: Vec<&MapEntry> = partitions(planned).collect();
    ours.sort_by_key(|entry| entry.partition.unwrap().number);
    assert_eq!(theirs.len(), ours.len(), "{dump}");
    for (line, entry) in theirs.iter().zip(ours) {
        let partition = entry.partition.unwrap();
        let number = |key| value(line, key).unwrap().parse::<u64>().unwrap() * 512;
        let guid = |key| disk::guid(value(line, key).unwrap()).unwrap();
        assert!(line.contains(&format!("disk.img{} ", partition.number)), "{line}");
        assert_eq!(
            (number("start"), number("size")),
            (entry.start, entry.size()),
            "{line}"
        );
        assert_eq!(
            (TypeId::Guid(guid("type")), PartUuid::Guid(guid("uuid"))),
            (partition.kind, partition.partuuid),
            "{line}"
        );
        assert_eq!(value(line, "name").unwrap(), escaped(&entry.name), "{line}");
        let attributes = value(line, "attrs").map_or(0, dumped_attributes);
        assert_eq!(attributes, partition.attributes.0, "{line}");
    }
}

/// sgdisk finds no fault, and reads the same entries.
fn assert_sgdisk_agrees(path: &Path, planned: &Planned) {
    let text = run("sgdisk", &["-v"], path);
    assert!(text.contains("No problems found"), "{text}");
    for entry in partitions(planned) {
        let partition = entry.partition.unwrap();
        let text = run("sgdisk", &["-i", &partition.number.to_string()], path);
        let wanted = [
            format!(
                "Partition GUID code: {} ",
                partition.kind.to_string().to_uppercase()
            ),
            format!(
                "Partition unique GUID: {}\n",
                partition.partuuid.to_string().to_uppercase()
            ),
            format!("First sector: {} ", entry.start / 512),
            format!("Last sector: {} ", entry.end / 512 - 1),
            format!("Attribute flags: {:016X}\n", partition.attributes.0),
            format!("Partition name: '{}'\n", entry.name),
        ];
        for wanted in wanted {
            assert!(text.contains(&wanted), "{wanted:?} is not in {text}");
        }
    }
}

fn assert_all_agree(path: &Path, planned: &Planned) {
    assert_read_back(path, planned);
    if installed("sfdisk") {
        assert_sfdisk_agrees(path, planned);
    }
    if installed("sgdisk") {
        assert_sgdisk_agrees(path, planned);
    }
}

/// `AtomicNix` for the Rock64: exactly 1170 MiB.
#[test]
fn rock64() {
    let options = Options {
        size: Size::Exactly(1_226_833_920),
        board: Board::named("rockchip"),
        ..options()
    };
    let regions = [
        raw("idbloader", 64 * 512, 150_000),
        raw("u-boot", 16384 * 512, 960_000),
        partition("boot-a", "xbootldr", Some(16 * MIB), 128 * MIB),
        partition("rootfs-a", "root-arm64", Some(144 * MIB), 1024 * MIB),
    ];
    let planned = plan(&options, &regions).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = written(&dir, &planned);
    assert_eq!(std::fs::metadata(&path).unwrap().len(), 1170 * MIB);
    assert_all_agree(&path, &planned);
    let dump = run("sfdisk", &["--dump"], &path);
    assert!(
        dump.contains(
            "disk.img1 : start=       32768, size=      262144, type=BC13C2FF-59E6-4262-A352-B275FD6F7172"
        ),
        "{dump}"
    );
    assert!(
        dump.contains(
            "disk.img2 : start=      294912, size=     2097152, type=B921B045-1DF0-41C3-AF44-4C6F280D3FAE"
        ),
        "{dump}"
    );
    // Nothing else is in the gap before the first partition.
    let mut gap = vec![0; 16 * 1024 * 1024];
    planned.image.read_exact_at(&mut gap, 0).unwrap();
    for range in [
        34 * 512..64 * 512,
        32768 + 150_000..8 << 20,
        (8 << 20) + 960_000..16 << 20,
    ] {
        assert!(gap[range].iter().all(|byte| *byte == 0));
    }
    assert_eq!((gap[32768], gap[8 << 20]), (0xa5, 0xa5));
}

/// Regions without places, odd numbers, all attributes, names of 36 units.
#[test]
fn all_that_entries_hold() {
    let chromeos = ChromeOs {
        priority: 10,
        tries: 5,
        successful: true,
    };
    let with = |mut region: Region, number, attributes| {
        let partition = region.partition.as_mut().unwrap();
        (partition.number, partition.attributes) = (number, attributes);
        region
    };
    let named = |name| Attributes::named(name).unwrap();
    let all = Attributes::names()
        .map(named)
        .fold(Attributes::default(), Attributes::and);
    let guid = disk::guid("44444444-4444-4444-4444-44442178694e").unwrap();
    let mut regions = vec![
        with(
            partition("kernel", "chromeos-kernel", None, 3 * 512),
            Some(12),
            Attributes::try_from(chromeos).unwrap(),
        ),
        with(
            partition("EFI System", "esp", None, 33 * MIB),
            None,
            named("no-auto"),
        ),
        with(
            partition("thirty-six units of a name, no more!", "srv", None, MIB),
            None,
            all,
        ),
        with(
            partition("größe €", "home", None, MIB + 512),
            Some(128),
            named("read-only"),
        ),
        with(
            partition("Linux filesystem", "linux", None, MIB),
            None,
            named("growfs"),
        ),
    ];
    regions[1].partition.as_mut().unwrap().guid = Some(guid);
    regions[4].size = None;
    let planned = plan(&options(), &regions).unwrap();
    assert_eq!(
        partitions(&planned).nth(1).unwrap().partition.unwrap().partuuid,
        PartUuid::Guid(guid)
    );
    let dir = tempfile::tempdir().unwrap();
    let path = written(&dir, &planned);
    assert_all_agree(&path, &planned);
    assert_eq!(planned.image.size() % MIB, 0);
}

/// The header hole of `extraGPTPadding`: both spellings of the `PinePhone`'s, and a GPT of 56 entries.
#[test]
fn moved_entries() {
    let cases = [
        (16 * MIB - 34 * 512, 128, 32736, 32768),
        (16 * MIB, 128, 32770, 32802),
        (0, 56, 2, 16),
        (0, 4, 2, 3),
        (MIB, 1024, 2050, 2306),
    ];
    for (header_hole, entries, entries_lba, first_usable) in cases {
        let options = Options {
            table: Table::Gpt(Gpt {
                header_hole,
                entries,
                ..Gpt::default()
            }),
            ..options()
        };
        let mut regions = vec![partition("boot", "esp", None, 8 * MIB)];
        if first_usable > 16 && header_hole > 0 || entries == 56 {
            regions.push(raw("spl", 16 * 512, 32 << 10));
        }
        if header_hole == 16 * MIB {
            regions[0].place = Some(32802 * 512);
        }
        let planned = plan(&options, &regions).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let path = written(&dir, &planned);
        assert_all_agree(&path, &planned);
        let file = File::open(&path).unwrap();
        let disk = Disk::open(&file, planned.image.size()).unwrap();
        assert_eq!(disk.gpt().unwrap().entries.start, entries_lba * 512);
        assert_eq!(
            (disk.gpt().unwrap().usable.start, disk.gpt().unwrap().entry_count),
            (first_usable * 512, entries)
        );
        if header_hole == 16 * MIB - 34 * 512 {
            assert_eq!(disk.partitions[0].start, 32768 * 512);
        }
        if installed("sgdisk") {
            let text = run("sgdisk", &["-p"], &path);
            let wanted = format!("Main partition table begins at sector {entries_lba} ");
            assert!(text.contains(&wanted), "{text}");
            assert!(
                text.contains(&format!("Partition table holds up to {entries} entries")),
                "{text}"
            );
        }
    }
}

/// fdisk and partx can be told the sector size of a file.
#[test]
fn sectors_of_4096_bytes() {
    let options = Options {
        sector_size: SectorSize::B4096,
        size: Size::Exactly(64 * MIB),
        ..options()
    };
    let regions = [
        partition("boot", "esp", None, 4096 * 257),
        partition("root", "root-x86-64", None, 32 * MIB),
    ];
    let planned = plan(&options, &regions).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = written(&dir, &planned);
    assert_read_back(&path, &planned);
    if !installed("fdisk") {
        return;
    }
    let columns = "Device,Start,End,Sectors,Type-UUID,UUID,Name";
    let text = run("fdisk", &["-b", "4096", "-o", columns, "-l"], &path);
    let guid = planned.id.unwrap().to_string().to_uppercase();
    assert!(
        text.contains("Disklabel type: gpt") && text.contains(&guid),
        "{text}"
    );
    for entry in partitions(&planned) {
        let partition = entry.partition.unwrap();
        let line = text
            .lines()
            .find(|line| line.ends_with(&format!(" {}", entry.name)))
            .unwrap();
        let words: Vec<&str> = line.split_whitespace().skip(1).collect();
        let wanted = [
            (entry.start / 4096).to_string(),
            (entry.end / 4096 - 1).to_string(),
            (entry.size() / 4096).to_string(),
            partition.kind.to_string().to_uppercase(),
            partition.partuuid.to_string().to_uppercase(),
            entry.name.clone(),
        ];
        assert_eq!(words, wanted);
    }
    // partx reads with sectors of 4096 bytes, and prints with sectors of 512.
    if installed("partx") {
        let columns = "NR,START,SECTORS,TYPE,UUID,NAME";
        let args = ["--show", "--noheadings", "-S", "4096", "-o", columns];
        let text = run("partx", &args, &path);
        let theirs: Vec<Vec<&str>> = text
            .lines()
            .map(|line| line.split_whitespace().collect())
            .collect();
        let ours: Vec<Vec<String>> = partitions(&planned)
            .map(|entry| {
                let partition = entry.partition.unwrap();
                vec![
                    partition.number.to_string(),
                    (entry.start / 512).to_string(),
                    (entry.size() / 512).to_string(),
                    partition.kind.to_string(),
                    partition.partuuid.to_string(),
                    entry.name.clone(),
                ]
            })
            .collect();
        assert_eq!(theirs, ours);
    }
}

/// sgdisk repairs our primary out of our backup.
#[test]
fn our_backup_repairs_the_primary() {
    if !installed("sgdisk") {
        return;
    }
    let planned = plan(&options(), &[partition("root", "linux", None, MIB)]).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = written(&dir, &planned);
    let whole = std::fs::read(&path).unwrap();
    let mut damaged = whole.clone();
    damaged[512..34 * 512].fill(0xee);
    std::fs::write(&path, &damaged).unwrap();
    let output = Command::new("sgdisk").arg("-e").arg(&path).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(
        std::fs::read(&path).unwrap() == whole,
        "sgdisk would write other bytes"
    );
}

/// sgdisk writes the same bytes for empty disks with the same GUID.
#[test]
fn empty_disks_are_those_of_sgdisk() {
    if !installed("sgdisk") {
        return;
    }
    for size in [3 * MIB, 1170 * MIB, 8032 * MIB, 16 * 1024 * MIB, 3 << 40] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("theirs.img");
        File::create_new(&path).unwrap().set_len(size).unwrap();
        run("sgdisk", &["-o"], &path);
        let file = File::open(&path).unwrap();
        let disk = Disk::open(&file, size).unwrap();
        let options = Options {
            size: Size::Exactly(size),
            table: Table::Gpt(Gpt {
                disk_guid: Some(disk.gpt().unwrap().disk_guid),
                ..Gpt::default()
            }),
            ..options()
        };
        let planned = plan(&options, &[]).unwrap();
        for entry in planned.map.iter().filter(|entry| entry.kind.is_table()) {
            let len = usize::try_from(entry.size()).unwrap();
            let (mut ours, mut theirs) = (vec![0; len], vec![0; len]);
            planned.image.read_exact_at(&mut ours, entry.start).unwrap();
            ReadAt::read_exact_at(&file, &mut theirs, entry.start).unwrap();
            assert!(ours == theirs, "{size}: {entry} differs");
        }
    }
}
