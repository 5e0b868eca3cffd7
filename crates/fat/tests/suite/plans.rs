//! The plan's map, its bytes, its sizes and its refusals.

use fat::{Error, Kind, Options, Size, Variant};
use image::{Content, Device, Fault, Image, Meta, Node, Silent, Tree};
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
        let written = image::write(&folder.path().join("image"), &image, &Silent).unwrap();
        written
            .sha256
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    };
    assert_snapshot!(digest(Kind::Fat16), @"");
    assert_snapshot!(digest(Kind::Fat32), @"");
}

#[test]
fn contents_are_not_read() {
    let mut tree = Tree::default();
    let missing = image::HostFile {
        path: std::path::Path::new("/is/not/there").into(),
        len: 3 << 30,
    };
    put(&mut tree, "/large", Node::file(Content::File(missing)));
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
    assert_snapshot!(planned(Kind::Fat32, 512, None, 33 * MIB).unwrap_err(), @"");
    assert_snapshot!(planned(Kind::Fat32, 4096, None, 128 * MIB).unwrap_err(), @"");
    assert_snapshot!(planned(Kind::Auto, 512, None, MIB).unwrap_err(), @"");
    assert_snapshot!(planned(Kind::Fat16, 512, None, 3 << 30).unwrap_err(), @"");
    assert_snapshot!(planned(Kind::Auto, 512, None, 3 << 40).unwrap_err(), @"");
    assert_snapshot!(planned(Kind::Auto, 512, None, MIB + 1).unwrap_err(), @"");
    assert_snapshot!(planned(Kind::Auto, 1024, None, MIB).unwrap_err(), @"");
    assert_snapshot!(planned(Kind::Auto, 4096, Some(512), 32 * MIB).unwrap_err(), @"");
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
    assert_snapshot!(refused(32 * MIB, 0), @"");
    assert_snapshot!(refused(128 * MIB, 100 * MIB), @"");
    let options = Options {
        kind: Kind::Fat16,
        free: u64::MAX,
        ..Options::default()
    };
    assert_snapshot!(fat::plan(&boot(1000), &options).unwrap_err(), @"");
    let options = Options {
        free: 1 << 43,
        ..Options::default()
    };
    assert_snapshot!(fat::plan(&Tree::default(), &options).unwrap_err(), @"");
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
    assert_debug_snapshot!(labels.map(refused), @"");
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
    assert_debug_snapshot!(found, @"");
    let error = fat::plan(&Tree::new(file(1)), &Options::default()).unwrap_err();
    assert_snapshot!(error, @"");
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
    assert_snapshot!(fat::plan(&with("/d", 65_535), &options(Kind::Fat32)).unwrap_err(), @"");
    assert!(fat::plan(&with("/", 65_408), &options(Kind::Fat16)).is_ok());
    assert_snapshot!(fat::plan(&with("/", 65_409), &options(Kind::Fat16)).unwrap_err(), @"");
    let planned = fat::plan(&with("/", 65_409), &options(Kind::Auto));
    assert_eq!(planned.unwrap().usage.variant, Variant::Fat32);
    assert!(matches!(
        fat::plan(&with("/", 70_000), &options(Kind::Auto)),
        Err(Error::DirectoryTooLarge { .. })
    ));
}
