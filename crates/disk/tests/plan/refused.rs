//! Errors with their hints, and what just fits.

use disk::{Board, Error, Gpt, Options, Partition, PartitionType, SectorSize, Size, plan};
use image::{Content, Fault, Seed};
use insta::assert_snapshot;

use crate::{MIB, gpt, map, numbered, options, partition, raw, refused};

#[test]
fn overlaps_of_all_pairs_are_refused() {
    let own = options();
    let exact = Options {
        size: Size::Exactly(16 * MIB),
        ..options()
    };
    let cases = [
        (
            &own,
            vec![
                raw("u-boot", 8 * MIB, 9_000_000),
                partition("boot-a", Some(16 * MIB), MIB),
            ],
        ),
        (
            &own,
            vec![
                partition("a", Some(2 * MIB), MIB),
                partition("b", Some(2 * MIB), 512),
            ],
        ),
        (
            &own,
            vec![partition("around", Some(MIB), 9 * MIB), raw("within", 4 * MIB, 1)],
        ),
        (&own, vec![raw("spl", 16 * 512, 32 << 10)]),
        (&own, vec![raw("spl", 34 * 512 - 1, 1)]),
        (&own, vec![raw("u-boot", 512, 10)]),
        (&own, vec![raw("boot code", 0, 440)]),
        (&exact, vec![partition("root", Some(MIB), 15 * MIB)]),
        (&exact, vec![raw("blob", 16 * MIB - 512, 1)]),
        (&exact, vec![raw("blob", 16 * MIB - 33 * 512, 1)]),
    ];
    let all: Vec<String> = cases
        .iter()
        .map(|(options, regions)| refused(options, regions))
        .collect();
    assert_snapshot!(all.join("\n"), @r"
    Request: raw u-boot (0x800000 to 0x1095440, 8 MiB to 16.5 MiB) and partition boot-a (0x1000000 to 0x1100000, 16 MiB to 17 MiB) overlap by 611392 bytes
    hint: place boot-a at 17388608 bytes or later, or make u-boot end at 16 MiB
    Request: partition b (0x200000 to 0x200200, 2 MiB to 2.0 MiB) and partition a (0x200000 to 0x300000, 2 MiB to 3 MiB) overlap by 512 bytes
    hint: place a at 2097664 bytes or later
    Request: partition around (0x100000 to 0xa00000, 1 MiB to 10 MiB) and raw within (0x400000 to 0x400001, 4 MiB to 4.0 MiB) overlap by 1 byte
    hint: place within at 10 MiB or later, or make around end at 4 MiB
    Request: GPT entries (0x400 to 0x4400, 1 KiB to 17 KiB) and raw spl (0x2000 to 0xa000, 8 KiB to 40 KiB) overlap by 9 KiB
    hint: place spl at 17 KiB or later, or move the table's entries behind it with a header hole of at least 39 KiB
    Request: GPT entries (0x400 to 0x4400, 1 KiB to 17 KiB) and raw spl (0x43ff to 0x4400, 16.9 KiB to 17 KiB) overlap by 1 byte
    hint: place spl at 17 KiB or later, or move the table's entries behind it with a header hole of at least 16 KiB
    Request: raw u-boot (0x200 to 0x20a, 512 bytes to 522 bytes) and GPT header (0x200 to 0x400, 512 bytes to 1 KiB) overlap by 10 bytes
    hint: place u-boot at 17 KiB or later
    Request: raw boot code (0x0 to 0x1b8, 0 bytes to 440 bytes) and protective MBR (0x0 to 0x200, 0 bytes to 512 bytes) overlap by 440 bytes
    hint: place boot code at 17 KiB or later
    Limit: partition root (0x100000 to 0x1000000, 1 MiB to 16 MiB) and backup GPT entries (0xffbe00 to 0xfffe00, 15.9 MiB to 15.9 MiB) overlap by 16 KiB
    hint: make the disk at least 16794112 bytes large, or let it fit
    Limit: raw blob (0xfffe00 to 0xfffe01, 15.9 MiB to 15.9 MiB) and backup GPT header (0xfffe00 to 0x1000000, 15.9 MiB to 16 MiB) overlap by 1 byte
    hint: make the disk at least 16794112 bytes large, or let it fit
    Limit: raw blob (0xffbe00 to 0xffbe01, 15.9 MiB to 15.9 MiB) and backup GPT entries (0xffbe00 to 0xfffe00, 15.9 MiB to 15.9 MiB) overlap by 1 byte
    hint: make the disk at least 16777728 bytes large, or let it fit
    ");
    // What the hints say works.
    let hole = gpt(Gpt {
        header_hole: 39 << 10,
        ..Gpt::default()
    });
    plan(&hole, &[raw("spl", 16 * 512, 32 << 10)]).unwrap();
    let larger = Options {
        size: Size::Exactly(16_794_112),
        ..options()
    };
    plan(&larger, &[partition("root", Some(MIB), 15 * MIB)]).unwrap();
    // One byte less, and it fits.
    plan(&own, &[raw("spl", 34 * 512, 1)]).unwrap();
    plan(&exact, &[raw("blob", 16 * MIB - 33 * 512 - 1, 1)]).unwrap();
    let last = 15 * MIB - 33 * 512;
    assert_eq!(
        plan(&exact, &[partition("root", Some(MIB), last)])
            .unwrap()
            .image
            .size(),
        16 * MIB
    );
}

#[test]
fn sizes_are_hard_limits() {
    let exact = Options {
        size: Size::Exactly(16 * MIB),
        ..options()
    };
    let mut too_large = partition("root", Some(MIB), MIB);
    too_large.content = Some(Content::Zeros(MIB + 1));
    let mut nothing = raw("nothing", MIB, 0);
    let all = [
        refused(&options(), &[too_large.clone()]),
        refused(&options(), &[nothing.clone()]),
        refused(&exact, &[partition("root", Some(MIB), 16 * MIB)]),
        refused(&exact, &[raw("far", u64::MAX, 1)]),
        refused(&options(), &[raw("far", u64::MAX - 2, 1)]),
        refused(&options(), &[partition("far", Some(MIB), u64::MAX)]),
    ];
    assert_snapshot!(all.join("\n"), @r"
    Limit: root: the content has 1048577 bytes, the region has 1048576 (1 MiB), 1 too few
    hint: give root at least 1048577 bytes, or make its content smaller
    Request: nothing: the region has no bytes
    hint: give nothing a size or a content
    Limit: root (0x100000 to 0x1100000, 1 MiB to 17 MiB) ends 1048576 bytes behind the disk's size of 16777216 bytes (16 MiB)
    hint: make the disk at least 17842688 bytes large, or let it fit
    Limit: far: the region ends behind the largest number of bytes there is
    Limit: far: the region ends behind the largest number of bytes there is
    Limit: far: the region ends behind the largest number of bytes there is
    ");
    nothing.size = Some(1);
    plan(&options(), &[nothing]).unwrap();
    too_large.size = None;
    let planned = plan(&options(), &[too_large]).unwrap();
    let root = planned.map.iter().find(|entry| entry.name == "root").unwrap();
    assert_eq!((root.size(), root.slack()), (MIB + 512, Some(511)));
}

#[test]
fn partitions_keep_to_the_table() {
    let hole = gpt(Gpt {
        header_hole: MIB,
        ..Gpt::default()
    });
    let few = gpt(Gpt {
        entries: 1,
        ..Gpt::default()
    });
    let wide = Options {
        sector_size: SectorSize::B4096,
        ..options()
    };
    let with = |edit: fn(&mut Partition)| {
        let mut region = partition("root", None, MIB);
        edit(region.partition.as_mut().unwrap());
        vec![region, partition("other", None, MIB)]
    };
    let all = [
        refused(&options(), &[partition("root", Some(MIB + 1), MIB)]),
        refused(&options(), &[partition("root", Some(MIB), MIB - 1)]),
        refused(&wide, &[partition("root", Some(MIB + 512), MIB)]),
        refused(&hole, &[partition("root", Some(8192), 4096)]),
        refused(&few, &[partition("a", None, MIB), partition("b", None, MIB)]),
        refused(&options(), &[numbered("a", 0)]),
        refused(&options(), &[numbered("a", 129)]),
        refused(&options(), &[numbered("a", 7), numbered("b", 7)]),
        refused(
            &options(),
            &with(|root| root.kind = PartitionType::Guid(uuid::Uuid::nil())),
        ),
        refused(&options(), &with(|root| root.guid = Some(uuid::Uuid::nil()))),
        refused(
            &options(),
            &with(|root| root.guid = Some(Seed::new(b"tests").uuid("disk/region/other"))),
        ),
        refused(
            &options(),
            &with(|root| root.guid = Some(Seed::new(b"tests").uuid("disk"))),
        ),
    ];
    assert_snapshot!(all.join("\n"), @r"
    Request: root: the partition starts at byte 1048577 (0x100001), which is no multiple of the sector size of 512
    hint: let it start at byte 1048576 or 1049088
    Request: root: the partition ends at byte 2097151 (0x1fffff), which is no multiple of the sector size of 512
    hint: let it end at byte 2096640 or 2097152
    Request: root: the partition starts at byte 1049088 (0x100200), which is no multiple of the sector size of 4096
    hint: let it start at byte 1048576 or 1052672
    Request: root: the partition (0x2000 to 0x3000, 8 KiB to 12 KiB) is outside the usable part of the disk (0x104400 to 0x1fbe00, 1041 KiB to 1.9 MiB)
    hint: place it between bytes 1065984 and 2080256
    Limit: the disk has 2 partitions, its table has 1 entries
    Request: a: the partition's number is 0, the table has entries 1 to 128
    Request: a: the partition's number is 129, the table has entries 1 to 128
    Request: a and b: both are partition number 7
    Request: root: the type is all zeros, which means that there is none
    Request: root: the GUID is all zeros, which means that there is none
    Request: root and other: both have the GUID bdf0d96e-3310-5d38-bd3d-fd8fa6af767b
    hint: give one of them another `guid`, or none: then it derives from the seed and the name
    Request: the disk and root: both have the GUID bc2c1ae5-04e8-5bd4-921e-bc0e3adff938
    hint: give one of them another `guid`, or none: then it derives from the seed and the name
    ");
    let planned = plan(&options(), &[partition("root", Some(MIB + 512), MIB)]).unwrap();
    assert_snapshot!(planned.warnings[0].to_string(), @"root: the partition starts at 1049088 bytes (0x100200), which is no multiple of 4 KiB");
}

#[test]
fn names_are_there_and_fit() {
    let named = |name: &str| partition(name, None, MIB);
    let all = [
        refused(&options(), &[named("")]),
        refused(&options(), &[named("a\0b")]),
        refused(&options(), &[named("a"), named("b"), named("a")]),
        refused(&options(), &[named(&"x".repeat(37))]),
        refused(&options(), &[named(&"\u{1f4be}".repeat(19))]),
    ];
    assert_snapshot!(all.join("\n"), @r#"
    Request: "": a region needs a name
    Request: "a\0b": a region's name holds a zero byte, which would end it
    Request: a: two regions have this name
    Request: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx: the partition's name is 37 UTF-16 units long, the limit is 36
    Request: 💾💾💾💾💾💾💾💾💾💾💾💾💾💾💾💾💾💾💾: the partition's name is 38 UTF-16 units long, the limit is 36
    "#);
    plan(
        &options(),
        &[named(&"\u{1f4be}".repeat(18)), raw(&"x".repeat(37), 5 * MIB, 1)],
    )
    .unwrap();
}

#[test]
fn boards_have_rules() {
    let board = |name| Options {
        board: Board::named(name),
        ..options()
    };
    let rockchip = board("rockchip");
    let all = [
        refused(&rockchip, &[partition("boot-a", Some(8 * MIB), MIB)]),
        refused(&rockchip, &[raw("idbloader", 33 << 10, MIB)]),
        refused(&rockchip, &[raw("idbloader", 32 << 10, 5 * MIB)]),
        refused(&rockchip, &[raw("u-boot", 8 * MIB, 8 * MIB + 1)]),
        refused(
            &board("allwinner-8k"),
            &[raw("u-boot-sunxi-with-spl", 8192, MIB / 2)],
        ),
        refused(&board("allwinner"), &[partition("boot", Some(MIB / 2), MIB)]),
    ];
    assert_snapshot!(all.join("\n"), @r"
    Request: boot-a: the partition starts at 8 MiB (0x800000), on rockchip none may start before 16 MiB (0x1000000): idbloader reads u-boot.itb at 8 MiB, which may reach up to 16 MiB
    hint: place it at 16 MiB or later
    Request: idbloader: starts at 33 KiB (0x8400), rockchip looks for it at 32 KiB (0x8000)
    hint: leave its place out, or say 32768 bytes; or give the region another name
    Limit: idbloader: ends at 5152 KiB (0x508000), on rockchip it must end at 4064 KiB (0x3f8000) at the latest
    Limit: u-boot: ends at 16777217 bytes (0x1000001), on rockchip it must end at 16 MiB (0x1000000) at the latest
    Request: GPT entries (0x400 to 0x4400, 1 KiB to 17 KiB) and raw u-boot-sunxi-with-spl (0x2000 to 0x82000, 8 KiB to 520 KiB) overlap by 9 KiB
    hint: place u-boot-sunxi-with-spl at 17 KiB or later, or move the table's entries behind it with a header hole of at least 519 KiB
    Request: boot: the partition starts at 512 KiB (0x80000), on allwinner none may start before 1 MiB (0x100000): the boot ROM looks at 8 KiB first, and then at 128 KiB, which is behind a GPT
    hint: place it at 1 MiB or later
    ");
    // A partition may have a blob's name and place; raw regions may be anywhere.
    plan(
        &rockchip,
        &[
            partition("idbloader", Some(32 << 10), MIB),
            raw("logo", 6 * MIB, MIB),
        ],
    )
    .unwrap();
    plan(&rockchip, &[partition("boot-a", Some(16 * MIB), MIB)]).unwrap();
    let hole = Options {
        board: Board::named("allwinner-8k"),
        ..gpt(Gpt {
            header_hole: 16 * MIB - 34 * 512,
            ..Gpt::default()
        })
    };
    let mut spl = raw("u-boot-sunxi-with-spl", 0, 700_000);
    spl.place = None;
    let planned = plan(&hole, &[spl, partition("boot", None, MIB)]).unwrap();
    assert_snapshot!(map(&planned), @r"
    0x0000000000 0x0000000200 protective MBR, 512 bytes
    0x0000000200 0x0000000400 GPT header, 512 bytes
    0x0000000400 0x0000002000 free, 7168 bytes
    0x0000002000 0x00000ace60 raw u-boot-sunxi-with-spl, 700000 bytes
    0x00000ace60 0x0000ffc000 free, 16052640 bytes
    0x0000ffc000 0x0001000000 GPT entries, 16384 bytes
    0x0001000000 0x0001100000 partition boot, number 1, linux, 1048576 bytes, empty
    0x0001100000 0x00011fbe00 free, 1031680 bytes
    0x00011fbe00 0x00011ffe00 backup GPT entries, 16384 bytes
    0x00011ffe00 0x0001200000 backup GPT header, 512 bytes
    ");
}

#[test]
fn options_make_sense() {
    let all = [
        refused(
            &Options {
                align: 0,
                ..options()
            },
            &[],
        ),
        refused(
            &Options {
                align: 1000,
                ..options()
            },
            &[],
        ),
        refused(
            &Options {
                size: Size::Exactly(MIB + 1),
                ..options()
            },
            &[],
        ),
        refused(
            &Options {
                size: Size::Exactly(66 * 512),
                ..options()
            },
            &[],
        ),
        refused(
            &gpt(Gpt {
                entries: 0,
                ..Gpt::default()
            }),
            &[],
        ),
        refused(
            &gpt(Gpt {
                entries: 1025,
                ..Gpt::default()
            }),
            &[],
        ),
        refused(
            &gpt(Gpt {
                header_hole: 100,
                ..Gpt::default()
            }),
            &[],
        ),
        refused(
            &gpt(Gpt {
                header_hole: u64::MAX - 511,
                ..Gpt::default()
            }),
            &[],
        ),
    ];
    assert_snapshot!(all.join("\n"), @r"
    Request: align: 0 is no multiple of the sector size of 512
    Request: align: 1000 is no multiple of the sector size of 512
    Request: size: 1048577 is no multiple of the sector size of 512
    Request: size: 33792 is less than the 34304 bytes of the partition table
    Request: entries: 0 is not between 1 and 1024
    Request: entries: 1025 is not between 1 and 1024
    Request: header hole: 100 is no multiple of the sector size of 512
    Request: header hole: 18446744073709551104 is too large
    ");
    let least = Options {
        size: Size::Exactly(67 * 512),
        ..options()
    };
    let error = plan(&least, &[partition("root", Some(34 * 512), 512)]).unwrap_err();
    assert!(matches!(error, Error::Overlap { .. }), "{error}");
    assert_eq!(error.fault(), Fault::Limit);
    let least = Options {
        size: Size::Exactly(68 * 512),
        ..options()
    };
    plan(&least, &[partition("root", Some(34 * 512), 512)]).unwrap();
}
