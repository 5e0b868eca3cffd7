//! What boards' boot ROMs find in an image made for them.

use disk::{Attributes, Board, Gpt, Mbr, Options, Partition, PartitionType, Planned, Region, Table, plan};
use image::{Content, Layout};
use insta::assert_snapshot;

use crate::{MIB, gpt, options, partition, raw, refused};

const KIB: u64 = 1 << 10;

fn on(board: &str, options: Options) -> Options {
    Options {
        board: Some(Board::named(board).unwrap()),
        ..options
    }
}

fn table(table: Table) -> Options {
    Options { table, ..options() }
}

fn mbr() -> Options {
    table(Table::Mbr(Mbr { signature: Some(1) }))
}

fn typed(name: &str, kind: &str) -> Region {
    Region {
        partition: Some(Partition::new(PartitionType::parse(kind).unwrap())),
        ..partition(name, None, MIB)
    }
}

fn with(mut region: Region, attributes: &[&str]) -> Region {
    let partition = region.partition.as_mut().unwrap();
    for text in attributes {
        partition.attributes = partition.attributes.with(text).unwrap();
    }
    region
}

/// The places where extents lie whose zeros an image promises, in sectors.
fn zeros(planned: &Planned) -> Vec<(u64, u64)> {
    let zeros = planned.image.extents().iter();
    zeros
        .filter(|extent| &*extent.label == "zeros for the boot ROM")
        .map(|extent| (extent.start / 512, extent.end() / 512))
        .collect()
}

/// Whether an extent has the first bytes at each place where the board's boot ROM looks.
fn all_promised(planned: &Planned, board: &str) -> bool {
    Board::named(board).unwrap().looks_at.iter().all(|look| {
        let mut extents = planned.image.extents().iter();
        extents.any(|extent| extent.start <= *look && extent.end() >= look + 512)
    })
}

#[test]
fn nothing_old_stays_where_a_boot_rom_looks() {
    let loader = |name| Region {
        place: None,
        ..raw(name, 0, 60 * KIB)
    };
    let boot = || partition("boot", Some(16 * MIB), MIB);
    let hole = || {
        gpt(Gpt {
            header_hole: MIB,
            ..Gpt::default()
        })
    };
    let places: [(&str, Options, Option<&str>, &[u64]); 16] = [
        ("allwinner", options(), Some("u-boot-sunxi-with-spl"), &[]),
        ("allwinner", mbr(), Some("u-boot-sunxi-with-spl"), &[16]),
        ("allwinner", mbr(), None, &[16, 256]),
        ("allwinner", options(), None, &[256]),
        ("allwinner-8k", mbr(), Some("u-boot-sunxi-with-spl"), &[256]),
        ("allwinner-8k", hole(), None, &[16, 256]),
        ("am335x", mbr(), Some("MLO"), &[512, 768]),
        ("am335x", options(), None, &[256, 512, 768]),
        ("am335x", table(Table::None), Some("MLO"), &[0, 512, 768]),
        ("imx6", mbr(), Some("SPL"), &[1]),
        ("imx6", hole(), Some("SPL"), &[]),
        ("imx8m", options(), Some("flash"), &[65]),
        ("imx8mp", options(), Some("flash"), &[8192]),
        (
            "rockchip",
            options(),
            Some("idbloader"),
            &[1088, 2112, 3136, 4160],
        ),
        ("rockchip", options(), None, &[64, 1088, 2112, 3136, 4160]),
        ("raspberrypi", mbr(), None, &[]),
    ];
    for (board, options, blob, expected) in places {
        let none = options.table == Table::None;
        let mut regions: Vec<Region> = blob.map(loader).into_iter().collect();
        regions.push(match (none, board) {
            (true, _) => raw("boot", 16 * MIB, MIB),
            (_, "raspberrypi") => typed("boot", "fat32"),
            _ => boot(),
        });
        let what = format!("{board} with {blob:?}");
        let planned = plan(&on(board, options), &regions).unwrap();
        let expected: Vec<_> = expected.iter().map(|at| (*at, at + 1)).collect();
        assert_eq!(zeros(&planned), expected, "{what}");
        assert!(all_promised(&planned, board), "{what}");
        // They change no byte and are not in the map.
        let without = plan(
            &Options {
                board: None,
                ..on(board, mbr())
            },
            &[],
        )
        .unwrap();
        assert_eq!(zeros(&without), []);
    }
}

#[test]
fn bytes_of_others_stay() {
    let am335x = on("am335x", mbr());
    // What is kept in a region without content is not the image's.
    let kept = Region {
        content: None,
        size: Some(64 * KIB),
        ..raw("kept", 256 * KIB, 1)
    };
    assert_eq!(
        zeros(&plan(&am335x, std::slice::from_ref(&kept)).unwrap()),
        [(256, 257), (768, 769)]
    );
    // Behind the content of a region nothing is kept, and zeros end where something begins.
    let short = Region {
        size: Some(256 * KIB),
        ..raw("MLO", 128 * KIB, 1000)
    };
    assert_eq!(zeros(&plan(&am335x, &[short]).unwrap()), [(512, 513), (768, 769)]);
    let near = [raw("a", 256 * KIB - 100, 200), raw("b", 256 * KIB + 300, 1)];
    let planned = plan(&am335x, &near).unwrap();
    let lines: Vec<(u64, u64)> = planned
        .image
        .extents()
        .iter()
        .filter(|extent| (256 * KIB..257 * KIB).contains(&extent.start))
        .map(|extent| (extent.start - 256 * KIB, extent.end() - 256 * KIB))
        .collect();
    assert_eq!(lines, [(100, 300), (300, 301), (301, 512)]);
    // A disk may end before a place.
    let small = on(
        "am335x",
        Options {
            align: 512,
            ..table(Table::None)
        },
    );
    assert_eq!(zeros(&plan(&small, &[raw("a", 100, 1)]).unwrap()).len(), 2);
}

/// A file system has gaps of its own, and one may be where the boot ROM looks.
#[test]
fn nothing_old_stays_in_a_file_system_either() {
    let file_system = |used: u64| {
        let mut layout = Layout::new();
        layout.put(0, "used", Content::Zeros(used));
        layout.put(6 * MIB, "used", Content::Zeros(4096));
        Content::from(layout.finish(8 * MIB).unwrap())
    };
    let region = |used| Region {
        content: Some(file_system(used)),
        ..partition("boot", Some(MIB), 8 * MIB)
    };
    let inner = |used: u64, board: &str| {
        let planned = plan(&on(board, options()), &[region(used)]).unwrap();
        let extents = planned.image.extents().iter();
        let boot = extents.filter(|extent| &*extent.label == "partition boot");
        let mut lines = Vec::new();
        for extent in boot {
            let Content::Image(image) = &extent.content else {
                continue;
            };
            lines.extend(image.extents().iter().map(|extent| (extent.start, extent.end())));
        }
        lines
    };
    let (end, last) = (3 * MIB + 512, (6 * MIB, 6 * MIB + 4096));
    assert_eq!(inner(4096, "imx8mp"), [(0, 4096), (3 * MIB, end), last]);
    assert_eq!(
        inner(3 * MIB + 100, "imx8mp"),
        [(0, 3 * MIB + 100), (3 * MIB + 100, end), last]
    );
    assert_eq!(inner(3 * MIB + 512, "imx8mp"), [(0, end), last]);
    assert_eq!(inner(4096, "imx8m"), [(0, 4096), last]);
}

#[test]
fn a_chromebook_boots_a_kernel() {
    let chromebook = |options| on("chromebook", options);
    let kernel = |attributes: &[&str]| with(typed("kernel", "chromeos-kernel"), attributes);
    let planned = plan(&chromebook(options()), &[kernel(&[])]).unwrap();
    let entry = planned.map.iter().find_map(|part| part.partition).unwrap();
    assert_eq!(entry.attributes, Attributes(0x015a_0000_0000_0000));
    plan(&chromebook(options()), &[kernel(&["successful=0"])]).unwrap();
    plan(
        &chromebook(options()),
        &[kernel(&["priority=0"]), typed("b", "chromeos-kernel")],
    )
    .unwrap();
    let few = Gpt {
        entries: 56,
        ..Gpt::default()
    };
    let all = [
        refused(&chromebook(options()), &[kernel(&["priority=0"])]),
        refused(&chromebook(options()), &[kernel(&["tries=0", "successful=0"])]),
        refused(&chromebook(options()), &[typed("root", "linux")]),
        refused(&chromebook(mbr()), &[typed("root", "linux")]),
        refused(&chromebook(gpt(few)), &[kernel(&[])]),
    ];
    assert_snapshot!(all.join("\n"));
}

#[test]
fn an_unmatched_finds_its_loaders_by_type() {
    let unmatched = on("sifive-unmatched", options());
    let loader = |name, kind: Option<&str>| Region {
        place: None,
        partition: kind.map(|kind| Partition::new(PartitionType::parse(kind).unwrap())),
        ..raw(name, 0, 4 * KIB)
    };
    let right = [
        loader("spl", Some("hifive-fsbl")),
        loader("u-boot", Some("2E54B353-1271-4842-806F-E436D6AF6985")),
        partition("boot", None, MIB),
    ];
    plan(&unmatched, &right).unwrap();
    let all = [
        refused(&unmatched, &[loader("spl", None)]),
        refused(&unmatched, &[loader("spl", Some("linux"))]),
        refused(&unmatched, &[loader("u-boot", None)]),
    ];
    assert_snapshot!(all.join("\n"));
}

#[test]
fn a_raspberry_pi_wants_fat_first_in_a_gpt_too() {
    let pi = on("raspberrypi", options());
    assert_snapshot!(refused(&pi, &[typed("root", "linux"), typed("firmware", "esp")]));
    for kind in ["esp", "basic-data", "fat32"] {
        plan(&pi, &[typed("firmware", kind), typed("root", "linux")]).unwrap();
    }
}
