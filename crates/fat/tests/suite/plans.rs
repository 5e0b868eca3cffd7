//! The plan's map, its bytes, its sizes and its refusals.

use fat::{Error, Kind, Options, Size, Variant};
use image::{Content, Device, Fault, Image, Meta, Node, Silent, Sums, Target, Through, Tree};
use insta::{assert_debug_snapshot, assert_snapshot};

use crate::tools::{boot, file, put, zoo};

const MIB: u64 = 1 << 20;

fn map(image: &Image) -> String {
    let lines = image.map().into_iter();
    let lines = lines.map(|line| format!("{:>9} {:>9}  {}\n", line.start, line.end, line.label));
    lines
        .chain([format!("{:>9}            end\n", image.size())])
        .collect()
}

#[test]
fn maps() {
    let mut tree = boot(10_000);
    put(&mut tree, "/nothing", file(0));
    let options = Options {
        label: Some("BOOT-A".into()),
        ..Options::default()
    };
    assert_snapshot!("fat16", map(&fat::plan(&tree, &options).unwrap().image));
    let options = Options {
        kind: Kind::Fat32,
        ..options
    };
    assert_snapshot!("fat32", map(&fat::plan(&tree, &options).unwrap().image));
    let options = Options {
        sector_size: 4096,
        ..options
    };
    assert_snapshot!("fat32_4096", map(&fat::plan(&tree, &options).unwrap().image));
}

#[test]
fn digests_are_pinned() {
    let folder = tempfile::tempdir().unwrap();
    let digest = |kind| {
        let options = Options {
            kind,
            label: Some("PINNED".into()),
            volume_id: 0xdead_beef,
            hidden_sectors: 2048,
            free: MIB,
            time: 1_700_000_000,
            ..Options::default()
        };
        let image = fat::plan(&zoo(), &options).unwrap().image;
        let through = Through {
            sha256: Sums::File,
            ..Through::default()
        };
        let target = Target::claim(&folder.path().join("image")).unwrap();
        let written = target.write_through(&image, through, &Silent).unwrap();
        written
            .digests
            .sha256
            .unwrap()
            .map(|byte| format!("{byte:02x}"))
            .concat()
    };
    assert_snapshot!(digest(Kind::Fat16), @"5beeef5facc955336af4f9c13647448b0adddd8e1e9a743c5e308084c5ac4c02");
    assert_snapshot!(digest(Kind::Fat32), @"eb4b9041ebd8538fd389b610c89b525b5b697e3edba9fc53560ac0cb02d5326a");
}

#[test]
fn fat32_keeps_copies_of_its_first_sectors() {
    for sector_size in [512, 4096] {
        let options = Options {
            kind: Kind::Fat32,
            sector_size,
            volume_id: 77,
            ..Options::default()
        };
        let image = fat::plan(&boot(1000), &options).unwrap().image;
        let sectors = |first: u32| {
            let mut bytes = vec![0; 2 * sector_size as usize];
            image::ReadAt::read_exact_at(&image, &mut bytes, u64::from(first * sector_size)).unwrap();
            bytes
        };
        assert!(sectors(0) == sectors(6) && sectors(0) != sectors(2));
    }
}

#[test]
fn contents_are_not_read() {
    let mut tree = Tree::default();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("large");
    std::fs::File::create(&path).unwrap().set_len(3 << 30).unwrap();
    let missing = Content::host_file(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    put(&mut tree, "/large", Node::file(missing));
    let planned = fat::plan(&tree, &Options::default()).unwrap();
    assert_eq!(planned.usage.variant, Variant::Fat32);
    assert!(planned.image.size() > 3 << 30);
}

#[test]
fn kinds_follow_sizes() {
    let planned = |kind, sector_size, cluster_size, size| {
        let options = Options {
            kind,
            sector_size,
            cluster_size,
            size: Size::Exactly(size),
            ..Options::default()
        };
        let usage = fat::plan(&Tree::default(), &options).map(|planned| planned.usage);
        usage.map(|usage| (usage.variant, usage.cluster_size))
    };
    let cases = [
        (Kind::Auto, 512, None, 3 * MIB, (Variant::Fat16, 512)),
        (Kind::Auto, 512, None, 16 * MIB, (Variant::Fat16, 2048)),
        (Kind::Auto, 512, None, 128 * MIB, (Variant::Fat16, 4096)),
        (Kind::Auto, 512, None, 511 * MIB, (Variant::Fat16, 8192)),
        (Kind::Auto, 512, None, 512 * MIB, (Variant::Fat32, 4096)),
        (Kind::Auto, 512, None, 9 << 30, (Variant::Fat32, 8192)),
        (Kind::Auto, 512, None, 64 << 30, (Variant::Fat32, 32_768)),
        (Kind::Auto, 512, Some(512), 128 * MIB, (Variant::Fat32, 512)),
        (Kind::Auto, 4096, None, 128 * MIB, (Variant::Fat16, 4096)),
        (Kind::Fat16, 512, None, 2047 * MIB, (Variant::Fat16, 32_768)),
        (Kind::Fat32, 512, None, 34 * MIB, (Variant::Fat32, 512)),
        (Kind::Fat32, 512, None, 256 * MIB, (Variant::Fat32, 2048)),
        (Kind::Fat32, 4096, None, 260 * MIB, (Variant::Fat32, 4096)),
    ];
    for (kind, sector_size, cluster_size, size, expected) in cases {
        assert_eq!(
            planned(kind, sector_size, cluster_size, size).unwrap(),
            expected,
            "{kind:?} {size}"
        );
    }
    assert_snapshot!(planned(Kind::Fat32, 512, None, 32 * MIB).unwrap_err(), @"33554432 bytes have too few clusters for fat32: it takes at least 34101760 bytes with sectors of 512 bytes, 269119488 bytes with sectors of 4096 bytes");
    assert_snapshot!(planned(Kind::Fat32, 4096, None, 128 * MIB).unwrap_err(), @"134217728 bytes have too few clusters for fat32: it takes at least 34101760 bytes with sectors of 512 bytes, 269119488 bytes with sectors of 4096 bytes");
    assert_snapshot!(planned(Kind::Auto, 512, None, MIB).unwrap_err(), @"1048576 bytes have too few clusters for fat16: it takes at least 2136576 bytes with sectors of 512 bytes, 16842752 bytes with sectors of 4096 bytes");
    assert_snapshot!(planned(Kind::Fat16, 512, None, 3 << 30).unwrap_err(), @"3221225472 bytes have too many clusters for fat16: it can have 2146861056 bytes");
    assert_snapshot!(planned(Kind::Auto, 512, None, 3 << 40).unwrap_err(), @"3298534883328 bytes have too many clusters for fat32: it can have 2199023255040 bytes");
    assert_snapshot!(planned(Kind::Auto, 512, None, MIB + 1).unwrap_err(), @"size 1048577: must be a multiple of the sector size");
    assert_snapshot!(planned(Kind::Auto, 1024, None, MIB).unwrap_err(), @"sector size 1024: must be 512 or 4096");
    assert_snapshot!(planned(Kind::Auto, 4096, Some(512), 32 * MIB).unwrap_err(), @"cluster size 512: must be a power of two from the sector size to 32768");
}

/// The size that [`Size::Fit`] chooses works when asked for, and a smaller one does not.
#[test]
fn fit_is_the_least_size() {
    let mut trees = vec![Tree::default(), zoo(), boot(40_000_000), boot(600_000_000)];
    let mut small = Tree::default();
    (0..9000).for_each(|number| _ = put(&mut small, &format!("/d/{number}"), file(1)));
    trees.push(small);
    for tree in &trees {
        for kind in [Kind::Auto, Kind::Fat16, Kind::Fat32] {
            for sector_size in [512, 4096] {
                for free in [0, 10 * MIB] {
                    let fit = Options {
                        kind,
                        sector_size,
                        free,
                        ..Options::default()
                    };
                    let planned = fat::plan(tree, &fit).unwrap();
                    let size = planned.image.size();
                    assert!(planned.usage.free >= free);
                    assert_eq!(size % MIB, 0);
                    let exactly = |size| Options {
                        size: Size::Exactly(size),
                        ..fit.clone()
                    };
                    assert_eq!(fat::plan(tree, &exactly(size)).unwrap().usage, planned.usage);
                    for less in 1..4 {
                        let error = fat::plan(tree, &exactly(size - less * MIB)).unwrap_err();
                        assert_eq!(error.fault(), Fault::Limit, "{error}");
                    }
                }
            }
        }
    }
}

#[test]
fn what_does_not_fit_is_told_with_numbers() {
    let refused = |size, free| {
        let options = Options {
            size: Size::Exactly(size),
            free,
            ..Options::default()
        };
        fat::plan(&boot(35_000_000), &options).unwrap_err()
    };
    assert_snapshot!(refused(32 * MIB, 0), @"the tree does not fit: 35143680 bytes are needed in clusters (0 of them promised free), and fat16 of 33554432 bytes has 33501184, 1642496 too few; the largest files are /Image (35000000 bytes), /initrd (70000 bytes), /dtbs/rockchip/rk3328-rock64.dtb (54321 bytes), /boot.scr (1234 bytes)");
    assert_snapshot!(refused(128 * MIB, 100 * MIB), @"the tree does not fit: 140017664 bytes are needed in clusters (104857600 of them promised free), and fat16 of 134217728 bytes has 134127616, 5890048 too few; the largest files are /Image (35000000 bytes), /initrd (70000 bytes), /dtbs/rockchip/rk3328-rock64.dtb (54321 bytes), /boot.scr (1234 bytes)");
    let options = Options {
        kind: Kind::Fat16,
        free: u64::MAX,
        ..Options::default()
    };
    assert_snapshot!(fat::plan(&boot(1000), &options).unwrap_err(), @"the tree does not fit: 18446744073709551615 bytes are needed in clusters (18446744073709551615 of them promised free), and fat16 of 2146861056 bytes has 2146566144, 18446744071562985471 too few; the largest files are /initrd (70000 bytes), /dtbs/rockchip/rk3328-rock64.dtb (54321 bytes), /boot.scr (1234 bytes), /Image (1000 bytes)");
    let options = Options {
        free: 1 << 43,
        ..Options::default()
    };
    assert_snapshot!(fat::plan(&Tree::default(), &options).unwrap_err(), @"the tree does not fit: 8796093054976 bytes are needed in clusters (8796093022208 of them promised free), and fat32 of 2199023255040 bytes has 2198486450176, 6597606604800 too few");
}

#[test]
fn labels_are_checked() {
    let refused = |label: &str| {
        let options = Options {
            label: Some(label.into()),
            ..Options::default()
        };
        fat::plan(&Tree::default(), &options).unwrap_err().to_string()
    };
    let labels = [
        "",
        "boot",
        "TWELVE CHARS",
        "A/B",
        "Ä",
        " X",
        "X ",
        "NO NAME",
        "TAB\t",
    ];
    assert_debug_snapshot!(labels.map(refused), @r#"
    [
        "label \"\": is empty; leave it out for a file system without a label",
        "label \"boot\": must be upper case, because readers differ in what they make of lower case",
        "label \"TWELVE CHARS\": is longer than 11 characters",
        "label \"A/B\": can hold A to Z, 0 to 9, space and !#$%&'()-@^_`{}~",
        "label \"Ä\": can hold A to Z, 0 to 9, space and !#$%&'()-@^_`{}~",
        "label \" X\": cannot begin or end with a space",
        "label \"X \": cannot begin or end with a space",
        "label \"NO NAME\": is what a file system without a label says",
        "label \"TAB\\t\": can hold A to Z, 0 to 9, space and !#$%&'()-@^_`{}~",
    ]
    "#);
}

#[test]
fn what_fat_cannot_hold_is_an_error_with_its_path() {
    let refused = |path: &str, node: Node| {
        let mut tree = Tree::default();
        put(&mut tree, "/dir/Name", file(1));
        put(&mut tree, path, node);
        let error = fat::plan(&tree, &Options::default()).unwrap_err();
        assert!(matches!(error.fault(), Fault::Request | Fault::Limit));
        error.to_string()
    };
    let device = image::Kind::CharDevice(Device { major: 1, minor: 3 });
    let device = Node {
        meta: Meta::root(0o600),
        kind: device,
    };
    let deep = format!("{}/file", "/d".repeat(257));
    let found = [
        refused("/dir/link", Node::symlink("Name")),
        refused("/dir/null", device),
        refused("/dir/large", Node::file(Content::Zeros(1 << 32))),
        refused("/dir/name", file(1)),
        refused("/dir/a?", file(1)),
        refused("/dir/ends with.", file(1)),
        refused(&deep, file(1)).replace("/d/d/d/d", ""),
    ];
    assert_debug_snapshot!(found, @r#"
    [
        "/dir/link: FAT cannot hold a symbolic link",
        "/dir/null: FAT cannot hold a device",
        "/dir/large: the file is 4294967296 bytes long, FAT's limit is 4294967295",
        "/dir/name: FAT takes it for Name, because it ignores case",
        "/dir/a?: a name on FAT cannot hold the character '?'",
        "/dir/ends with.: a name on FAT cannot end with a dot or a space",
        "/d: the directory is 257 levels deep, the limit is 256",
    ]
    "#);
    let error = fat::plan(&Tree::new(file(1)), &Options::default()).unwrap_err();
    assert_snapshot!(error, @"/: a file system needs a directory, and the tree is a file");
}

#[test]
fn directories_have_limits() {
    let with = |directory: &str, count: usize| {
        let mut tree = Tree::default();
        let parent = tree.make_directory(directory.as_bytes()).unwrap();
        for number in 0..count {
            let name = format!("{number:08}");
            tree.add(parent, name.as_bytes(), Node::file(Content::Zeros(0)))
                .unwrap();
        }
        tree
    };
    let options = |kind| Options {
        kind,
        ..Options::default()
    };
    assert!(fat::plan(&with("/d", 65_534), &options(Kind::Fat32)).is_ok());
    assert_snapshot!(fat::plan(&with("/d", 65_535), &options(Kind::Fat32)).unwrap_err(), @"/d: the directory needs 65537 entries of 32 bytes for its names, the limit is 65536");
    assert!(fat::plan(&with("/", 65_408), &options(Kind::Fat16)).is_ok());
    assert_snapshot!(fat::plan(&with("/", 65_409), &options(Kind::Fat16)).unwrap_err(), @"/: the directory needs 65409 entries of 32 bytes for its names, the limit is 65408");
    let planned = fat::plan(&with("/", 65_409), &options(Kind::Auto));
    assert_eq!(planned.unwrap().usage.variant, Variant::Fat32);
    assert!(matches!(
        fat::plan(&with("/", 70_000), &options(Kind::Auto)),
        Err(Error::DirectoryTooLarge { .. })
    ));
}
