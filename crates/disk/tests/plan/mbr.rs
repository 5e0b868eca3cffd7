//! MBRs and hybrids: maps, digests, numbers, and what is refused.

use disk::{
    Attributes, Board, Error, Gpt, Mbr, MbrType, Options, PartitionType, Planned, Region, SectorSize, Size,
    Table, Warning, plan,
};
use image::{Content, Fault, ReadAt, Seed};
use insta::assert_snapshot;

use crate::{MIB, digest, map, numbered, options, partition, raw, refused};

fn mbr() -> Options {
    Options {
        table: Table::Mbr(Mbr {
            signature: Some(0x2178_694e),
        }),
        ..options()
    }
}

fn hybrid() -> Options {
    Options {
        table: Table::Hybrid(Gpt::default(), Mbr::default()),
        ..options()
    }
}

fn typed(name: &str, kind: &str) -> Region {
    let mut region = partition(name, None, MIB);
    region.partition.as_mut().unwrap().kind = PartitionType::parse(kind).unwrap();
    region
}

fn shown(name: &str, mbr_type: &str) -> Region {
    let mut region = partition(name, None, MIB);
    region.partition.as_mut().unwrap().mbr_type = Some(PartitionType::parse(mbr_type).unwrap());
    region
}

fn bootable(mut region: Region) -> Region {
    region.partition.as_mut().unwrap().attributes = Attributes::BOOTABLE;
    region
}

fn first_sector(planned: &Planned) -> [u8; 512] {
    let mut bytes = [0; 512];
    planned.image.read_exact_at(&mut bytes, 0).unwrap();
    bytes
}

#[test]
fn the_map_of_an_sd_image() {
    let mut firmware = typed("FIRMWARE", "0x0b");
    firmware.place = Some(8 * MIB);
    firmware.size = Some(30 * MIB);
    let mut root = bootable(typed("NIXOS_SD", "linux"));
    root.size = None;
    root.content = Some(Content::Zeros(100 * MIB + 4096));
    let options = Options {
        board: Board::named("raspberrypi"),
        ..mbr()
    };
    let planned = plan(&options, &[firmware, root]).unwrap();
    assert_snapshot!(map(&planned));
    assert_eq!(planned.id.unwrap().to_string(), "2178694e");
    assert_eq!(planned.warnings, []);
    assert_snapshot!(digest(&planned));
}

#[test]
fn logical_partitions_have_records() {
    let mut regions: Vec<Region> = ["a", "b", "c", "d", "e", "f"]
        .map(|name| partition(name, None, MIB))
        .into();
    regions[3].size = Some(MIB + 512);
    regions.push(raw("blob", 7 * MIB + 100_000, 1000));
    let planned = plan(&mbr(), &regions).unwrap();
    assert_snapshot!(map(&planned));
    assert_snapshot!(digest(&planned));
    let wide = Options {
        sector_size: SectorSize::B4096,
        align: 8192,
        ..mbr()
    };
    let regions = ["a", "b", "c", "d", "e"].map(|name| partition(name, None, 4096));
    let planned = plan(&wide, &regions).unwrap();
    assert_snapshot!(map(&planned));
    assert_snapshot!(digest(&planned));
}

#[test]
fn records_lie_where_there_is_room() {
    let place = |name: &str, place, size| {
        let mut region = numbered(name, 5);
        (region.place, region.size) = (Some(place), Some(size));
        region.partition.as_mut().unwrap().number = Some(match name {
            "a" => 5,
            "b" => 6,
            _ => 7,
        });
        region
    };
    // Room for the record alone; a whole gap; a gap with a blob in it.
    let regions = [
        place("a", 1024, 512),
        place("b", 4 * MIB, MIB),
        place("c", 5 * MIB + 4096, 512),
        raw("blob", 5 * MIB, 3000),
    ];
    assert_snapshot!(map(&plan(&mbr(), &regions).unwrap()));
    let all = [
        refused(&mbr(), &[place("a", 512, 512)]),
        refused(&mbr(), &[place("a", 0, 512)]),
        refused(&mbr(), &[place("a", MIB, MIB), place("b", 2 * MIB, MIB)]),
        refused(
            &mbr(),
            &[place("a", MIB, MIB), raw("blob", MIB / 2, MIB / 2 - 511)],
        ),
        refused(&mbr(), &[place("b", MIB, MIB), place("a", 3 * MIB, MIB)]),
        refused(
            &mbr(),
            &[
                place("a", MIB, MIB),
                partition("primary", Some(3 * MIB), MIB),
                place("b", 5 * MIB, MIB),
            ],
        ),
    ];
    assert_snapshot!(all.join("\n"));
    // What the hints say works.
    plan(&mbr(), &[place("a", 1024, 512)]).unwrap();
    plan(&mbr(), &[place("a", MIB, MIB), place("b", 2 * MIB + 512, MIB)]).unwrap();
}

#[test]
fn hybrids_show_some_partitions() {
    let regions = [
        partition("esp", None, MIB),
        bootable(shown("firmware", "fat32")),
        shown("root", "0x83"),
    ];
    let planned = plan(&hybrid(), &regions).unwrap();
    assert_snapshot!(map(&planned));
    assert_snapshot!(digest(&planned));
    let mbr = first_sector(&planned);
    let signature = Seed::new(b"tests").number("disk/signature");
    assert_eq!(mbr[440..444], signature.to_le_bytes());
    // The bootable one first, what says that there is a GPT last.
    let records: Vec<(u8, u8)> = mbr[446..510]
        .chunks(16)
        .map(|record| (record[0], record[4]))
        .collect();
    assert_eq!(records, [(0x80, 0x0c), (0, 0x83), (0, 0xee), (0, 0)]);
}

#[test]
fn numbers_make_partitions_logical() {
    let names = |regions: &[Region]| {
        let planned = plan(&mbr(), regions).unwrap();
        let number = |name: &str| {
            let part = planned
                .map
                .iter()
                .find(|part| part.label() == format!("partition {name}"));
            part.unwrap().partition.unwrap().number
        };
        let all: Vec<String> = regions
            .iter()
            .map(|region| format!("{}{}", region.name, number(&region.name)))
            .collect();
        all.join(" ")
    };
    let plain =
        |names: &[&str]| -> Vec<Region> { names.iter().map(|name| partition(name, None, MIB)).collect() };
    assert_eq!(names(&plain(&["a", "b", "c", "d"])), "a1 b2 c3 d4");
    assert_eq!(names(&plain(&["a", "b", "c", "d", "e"])), "a1 b2 c3 d5 e6");
    assert_eq!(names(&[numbered("a", 2), numbered("b", 4)]), "a2 b4");
    assert_eq!(names(&[numbered("a", 5)]), "a5");
    assert_eq!(names(&[partition("a", None, MIB), numbered("b", 5)]), "a1 b5");
    let mut four = plain(&["a", "b", "c", "d"]);
    four.insert(0, numbered("x", 4));
    assert_eq!(names(&four), "x4 a1 b2 c5 d6");
    let all = [
        refused(
            &mbr(),
            &[1, 2, 3, 4, 5].map(|number| numbered(&format!("p{number}"), number)),
        ),
        refused(&mbr(), &[numbered("a", 5), numbered("b", 7)]),
        refused(&mbr(), &[numbered("a", 61)]),
        refused(&mbr(), &[numbered("a", 0)]),
        refused(&mbr(), &[numbered("a", 3), numbered("b", 3)]),
        refused(
            &mbr(),
            &[(); 60]
                .map(|()| MIB)
                .iter()
                .enumerate()
                .map(|(index, size)| partition(&format!("p{index}"), None, *size))
                .collect::<Vec<_>>(),
        ),
    ];
    assert_snapshot!(all.join("\n"));
}

#[test]
fn types_belong_to_tables() {
    let mut with_guid = typed("root", "linux");
    with_guid.partition.as_mut().unwrap().guid = Some(Seed::new(b"x").uuid("x"));
    let mut growing = typed("root", "linux");
    growing.partition.as_mut().unwrap().attributes =
        Attributes::named("growfs").unwrap().and(Attributes::BOOTABLE);
    let two_types = shown("root", "linux");
    let gpt = options();
    let all = [
        refused(&mbr(), &[typed("root", "4f68bce3-e8cd-4db1-96e7-fbcaf984b709")]),
        refused(&mbr(), &[typed("root", "01234567-e8cd-4db1-96e7-fbcaf984b709")]),
        refused(&mbr(), &[typed("data", "basic-data")]),
        refused(&mbr(), &[typed("hashes", "root-arm64-verity")]),
        refused(&gpt, &[typed("root", "0x83")]),
        refused(&gpt, &[typed("firmware", "0x0b")]),
        refused(&mbr(), &[typed("x", "0x00")]),
        refused(&mbr(), &[typed("x", "0x0f")]),
        refused(&mbr(), &[typed("x", "0xee")]),
        refused(&mbr(), &[with_guid]),
        refused(&mbr(), &[growing]),
        refused(&mbr(), std::slice::from_ref(&two_types)),
        refused(&gpt, &[two_types]),
        refused(&hybrid(), &[shown("root", "basic-data")]),
        refused(&hybrid(), &[shown("root", "0x05")]),
        refused(&hybrid(), &[partition("root", None, MIB)]),
        refused(&hybrid(), &["a", "b", "c", "d"].map(|name| shown(name, "linux"))),
    ];
    assert_snapshot!(all.join("\n"));
}

#[test]
fn an_mbr_reaches_so_far() {
    let reach = u64::from(u32::MAX) * 512;
    let mut far = partition("root", Some(reach - MIB), MIB);
    plan(&mbr(), &[far.clone()]).unwrap();
    far.size = Some(MIB + 512);
    let mut far_and_shown = far.clone();
    far_and_shown.partition = shown("x", "linux").partition;
    let all = [
        refused(&mbr(), &[far.clone()]),
        refused(&mbr(), &[partition("root", None, 3 << 40)]),
        refused(&hybrid(), &[far_and_shown]),
    ];
    assert_snapshot!(all.join("\n"));
    // A GPT reaches further, and so do larger sectors.
    plan(&options(), &[far.clone()]).unwrap();
    let wide = Options {
        sector_size: SectorSize::B4096,
        ..mbr()
    };
    plan(&wide, &[partition("root", None, 3 << 40)]).unwrap();
    // What lies behind may be anything.
    let large = Options {
        size: Size::Exactly(4 << 40),
        ..mbr()
    };
    plan(&large, &[partition("root", None, MIB), raw("blob", 3 << 40, 1)]).unwrap();
}

#[test]
fn a_raspberry_pi_wants_fat_first() {
    let pi = |options| Options {
        board: Board::named("raspberrypi"),
        ..options
    };
    let all = [
        refused(&pi(mbr()), &[typed("FIRMWARE", "esp"), typed("root", "linux")]),
        refused(&pi(mbr()), &[typed("root", "linux"), typed("FIRMWARE", "fat32")]),
        refused(
            &pi(hybrid()),
            &[partition("root", None, MIB), shown("firmware", "esp")],
        ),
    ];
    assert_snapshot!(all.join("\n"));
    for kind in ["0x0b", "0x0c", "fat32", "fat16", "0x06"] {
        plan(&pi(mbr()), &[typed("FIRMWARE", kind)]).unwrap();
    }
    plan(&pi(mbr()), &[]).unwrap();
    plan(&pi(options()), &[typed("firmware", "esp")]).unwrap();
    plan(
        &pi(hybrid()),
        &[typed("root", "linux"), shown("firmware", "fat32")],
    )
    .unwrap();
}

#[test]
fn boot_code_lies_before_the_records() {
    let with = |options: Options, len: usize| Options {
        boot_code: Some(vec![0xc0; len].into()),
        ..options
    };
    let none = Options {
        table: Table::None,
        ..options()
    };
    let all = [
        refused(&with(mbr(), 441), &[]),
        refused(&with(mbr(), 512), &[]),
        refused(&with(none, 440), &[]),
    ];
    assert_snapshot!(all.join("\n"));
    for options in [mbr(), options()] {
        let without = first_sector(&plan(&options, &[partition("a", None, MIB)]).unwrap());
        let planned = plan(&with(options, 440), &[partition("a", None, MIB)]).unwrap();
        let first = first_sector(&planned);
        assert!(first[..440].iter().all(|byte| *byte == 0xc0));
        assert_eq!(first[440..], without[440..]);
        let labels: Vec<_> = planned.image.map().into_iter().map(|line| line.label).collect();
        assert_eq!(labels[0], "boot code");
    }
}

#[test]
fn signatures_are_never_zero() {
    let with = |signature| Options {
        table: Table::Mbr(Mbr { signature }),
        ..options()
    };
    assert_snapshot!(refused(&with(Some(0)), &[]));
    let derived = plan(&with(None), &[]).unwrap();
    assert_ne!(first_sector(&derived)[440..444], [0; 4]);
    let other = Options {
        seed: Seed::new(b"other"),
        ..with(None)
    };
    assert_ne!(plan(&other, &[]).unwrap().id, derived.id);
}

#[test]
fn several_bootable_partitions_are_worth_a_look() {
    let regions = [
        bootable(partition("a", None, MIB)),
        partition("b", None, MIB),
        bootable(partition("c", None, MIB)),
    ];
    let planned = plan(&mbr(), &regions).unwrap();
    assert_snapshot!(planned.warnings[0].to_string());
    assert!(matches!(&planned.warnings[..], [Warning::SeveralBootable { names }] if names == &["a", "c"]));
    assert_eq!(plan(&mbr(), &regions[..2]).unwrap().warnings, []);
    assert_eq!(
        plan(&options(), &regions).unwrap().warnings,
        [],
        "a GPT says it for each"
    );
}

#[test]
fn faults_are_limits_where_something_does_not_fit() {
    let fault = |options: &Options, regions: &[Region]| plan(options, regions).unwrap_err().fault();
    let four = ["a", "b", "c", "d"].map(|name| shown(name, "linux"));
    assert_eq!(fault(&hybrid(), &four), Fault::Limit);
    assert_eq!(fault(&hybrid(), &[]), Fault::Request);
    assert_eq!(fault(&mbr(), &[partition("a", None, 3 << 40)]), Fault::Limit);
    let error = plan(&mbr(), &[typed("x", "0xee")]).unwrap_err();
    assert!(
        matches!(
            error,
            Error::ReservedType {
                kind: MbrType(0xee),
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(error.fault(), Fault::Request);
}
