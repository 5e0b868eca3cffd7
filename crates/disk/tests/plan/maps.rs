//! Maps, digests, numbers and ids.

use disk::{
    Board, DiskId, Gpt, MapEntry, Options, PartUuid, Partition, PartitionType, Region, SectorSize, Size,
    Table, Warning, plan,
};
use image::{Content, Seed};
use insta::assert_snapshot;

use crate::{MIB, digest, gpt, map, numbered, options, partition, raw, refused};

#[test]
fn the_map_of_a_rock64() {
    let options = Options {
        board: Board::named("rockchip"),
        size: Size::Exactly(1170 * MIB),
        ..options()
    };
    let mut regions = [
        raw("idbloader", 64 * 512, 150_000),
        raw("u-boot", 16384 * 512, 960_000),
        partition("boot-a", None, 128 * MIB),
        partition("rootfs-a", None, 1024 * MIB),
    ];
    // The board knows the places of its blobs, and where partitions begin.
    regions[0].place = None;
    regions[1].place = None;
    regions[2].partition = Some(Partition::new(PartitionType::parse("xbootldr").unwrap()));
    regions[3].content = Some(Content::Zeros(30_003_200));
    let planned = plan(&options, &regions).unwrap();
    assert_snapshot!(map(&planned), @r"
    0x0000000000 0x0000000200 protective MBR, 512 bytes
    0x0000000200 0x0000000400 GPT header, 512 bytes
    0x0000000400 0x0000004400 GPT entries, 16384 bytes
    0x0000004400 0x0000008000 free, 15360 bytes
    0x0000008000 0x000002c9f0 raw idbloader, 150000 bytes
    0x000002c9f0 0x0000800000 free, 8205840 bytes
    0x0000800000 0x00008ea600 raw u-boot, 960000 bytes
    0x00008ea600 0x0001000000 free, 7428608 bytes
    0x0001000000 0x0009000000 partition boot-a, number 1, xbootldr, 134217728 bytes, empty
    0x0009000000 0x0049000000 partition rootfs-a, number 2, linux, 30003200 of 1073741824 bytes
    0x0049000000 0x00491fbe00 free, 2080256 bytes
    0x00491fbe00 0x00491ffe00 backup GPT entries, 16384 bytes
    0x00491ffe00 0x0049200000 backup GPT header, 512 bytes
    ");
    assert_eq!(planned.warnings, []);
    let labels: Vec<_> = planned.image.map().into_iter().map(|line| line.label).collect();
    assert_eq!(
        labels.join(", "),
        "protective MBR, GPT header, GPT entries, raw idbloader, zeros for the boot ROM, \
        zeros for the boot ROM, zeros for the boot ROM, zeros for the boot ROM, raw u-boot, \
        partition rootfs-a, backup GPT entries, backup GPT header"
    );
    assert_eq!(planned.map[8].slack(), None);
    assert_eq!(planned.map[9].slack(), Some(1024 * MIB - 30_003_200));
}

#[test]
fn small_disks_are_pinned() {
    let planned = plan(
        &options(),
        &[partition("a", None, MIB), partition("b", None, 512)],
    )
    .unwrap();
    assert_snapshot!(map(&planned), @r"
    0x0000000000 0x0000000200 protective MBR, 512 bytes
    0x0000000200 0x0000000400 GPT header, 512 bytes
    0x0000000400 0x0000004400 GPT entries, 16384 bytes
    0x0000004400 0x0000100000 free, 1031168 bytes
    0x0000100000 0x0000200000 partition a, number 1, linux, 1048576 bytes, empty
    0x0000200000 0x0000200200 partition b, number 2, linux, 512 bytes, empty
    0x0000200200 0x00002fbe00 free, 1031168 bytes
    0x00002fbe00 0x00002ffe00 backup GPT entries, 16384 bytes
    0x00002ffe00 0x0000300000 backup GPT header, 512 bytes
    ");
    assert_snapshot!(digest(&planned), @"3977757eeb9d40b9c34a09b8bcdb3c7851c40760ab0ab47ada3857f756ffa245");
    let options = Options {
        sector_size: SectorSize::B4096,
        ..gpt(Gpt {
            entries: 33,
            header_hole: 8192,
            disk_guid: None,
        })
    };
    let planned = plan(&options, &[partition("a", None, 4096)]).unwrap();
    assert_snapshot!(map(&planned), @r"
    0x0000000000 0x0000001000 protective MBR, 4096 bytes
    0x0000001000 0x0000002000 GPT header, 4096 bytes
    0x0000002000 0x0000004000 free, 8192 bytes
    0x0000004000 0x0000006000 GPT entries, 8192 bytes
    0x0000006000 0x0000100000 free, 1024000 bytes
    0x0000100000 0x0000101000 partition a, number 1, linux, 4096 bytes, empty
    0x0000101000 0x00001fd000 free, 1032192 bytes
    0x00001fd000 0x00001ff000 backup GPT entries, 8192 bytes
    0x00001ff000 0x0000200000 backup GPT header, 4096 bytes
    ");
    assert_snapshot!(digest(&planned), @"54e84bb840968b2e34836b222830a71719b9f0129d92073e83fce5b30ddd1d23");
    assert_eq!(planned.warnings, [Warning::FewEntries { entries: 33 }]);
}

#[test]
fn a_disk_without_table_is_blobs_alone() {
    let options = Options {
        table: Table::None,
        ..options()
    };
    let mut second = raw("second", 0, 10);
    second.place = None;
    let planned = plan(&options, &[raw("first", 0, 700), second]).unwrap();
    assert_snapshot!(map(&planned), @r"
    0x0000000000 0x00000002bc raw first, 700 bytes
    0x00000002bc 0x0000100000 free, 1047876 bytes
    0x0000100000 0x000010000a raw second, 10 bytes
    0x000010000a 0x0000200000 free, 1048566 bytes
    ");
    assert_eq!(planned.id, None);
    assert_snapshot!(refused(&options, &[partition("root", None, MIB)]), @"Request: root: is a partition, and the disk has no partition table");
    let empty = Options {
        size: Size::Exactly(MIB),
        ..options
    };
    assert_snapshot!(map(&plan(&empty, &[]).unwrap()), @"0x0000000000 0x0000100000 free, 1048576 bytes");
}

#[test]
fn numbers_are_the_lowest_free_ones() {
    let regions = [
        partition("a", None, MIB),
        numbered("b", 2),
        partition("c", None, MIB),
        numbered("d", 1),
        partition("e", None, MIB),
    ];
    let planned = plan(&options(), &regions).unwrap();
    let number = |entry: &MapEntry| Some((entry.name.clone(), entry.partition?.number));
    let numbers: Vec<_> = planned.map.iter().filter_map(number).collect();
    let numbers: Vec<_> = numbers
        .iter()
        .map(|(name, number)| format!("{name}{number}"))
        .collect();
    assert_eq!(numbers.join(" "), "a3 b2 c4 d1 e5");
}

#[test]
fn ids_derive_from_the_seed_and_the_name_alone() {
    let regions = [partition("a", None, MIB), partition("b", None, MIB)];
    let ids = |options: &Options, regions: &[Region]| {
        let planned = plan(options, regions).unwrap();
        let guid = |name: &str| {
            let entry = planned.map.iter().find(|entry| entry.name == name).unwrap();
            entry.partition.unwrap().partuuid
        };
        (planned.id.unwrap(), guid("a"), guid("b"))
    };
    let [a, b] = regions.clone();
    assert_eq!(ids(&options(), &regions), ids(&options(), &[b, a]));
    let seed = Seed::new(b"tests");
    assert_eq!(
        ids(&options(), &regions),
        (
            DiskId::Guid(seed.uuid("disk")),
            PartUuid::Guid(seed.uuid("disk/region/a")),
            PartUuid::Guid(seed.uuid("disk/region/b"))
        )
    );
    let other = ids(&Options::new(Seed::new(b"other")), &regions);
    assert_ne!(other.0, ids(&options(), &regions).0);
}
