//! fsck.fat and mtools on what Kiln plans.

use crate::tools::{OnDisk, assert_same, boot, file, have, many, noise, put, zoo};
use fat::{Error, Kind, Options, Planned, Size, Variant};
use image::{Node, Tree};

const TOOLS: [&str; 5] = ["fsck.fat", "mcopy", "mdir", "minfo", "mlabel"];
const MIB: u64 = 1 << 20;

fn options(kind: Kind, sector_size: u32) -> Options {
    Options {
        kind,
        sector_size,
        label: Some("KILN TEST".into()),
        volume_id: 0x1234_abcd,
        ..Options::default()
    }
}

/// Plans, writes, and lets all tools judge.
fn judged(tree: &Tree, options: &Options) -> (Planned, OnDisk) {
    let planned = fat::plan(tree, options).unwrap();
    let disk = OnDisk::new(&planned.image);
    disk.check();
    assert_same(&disk.extracted(), tree);
    disk.run("mdir", &["-a", "-i", "fat.img"]);
    let (listed, said) = disk.try_run("mdir", &["-/", "-b", "-i", "fat.img"]);
    // mdir calls a root without entries an error, whoever made it.
    assert!(listed || tree.len() == 1, "{said}");
    let said = disk.run("minfo", &["-i", "fat.img"]);
    assert!(
        said.contains(&format!("sector size: {} bytes", options.sector_size)),
        "{said}"
    );
    (planned, disk)
}

#[test]
fn the_zoo_survives_on_every_kind() {
    if !have(&TOOLS) {
        return;
    }
    for (kind, variant) in [(Kind::Fat16, Variant::Fat16), (Kind::Fat32, Variant::Fat32)] {
        for sector_size in [512, 4096] {
            let (planned, disk) = judged(&zoo(), &options(kind, sector_size));
            assert_eq!(planned.usage.variant, variant);
            let said = disk.run("minfo", &["-i", "fat.img"]);
            assert!(said.contains("1234ABCD") && said.contains("KILN TEST"), "{said}");
        }
    }
}

/// mtools write no device names, and show two underscores for characters beyond the first 65 536.
#[test]
fn names_that_mtools_do_not_know_are_sound() {
    if !have(&TOOLS) {
        return;
    }
    let mut tree = Tree::default();
    put(&mut tree, "/CON", file(3));
    put(&mut tree, "/one 🦀 walks.rs", file(5000));
    let planned = fat::plan(&tree, &options(Kind::Auto, 512)).unwrap();
    let disk = OnDisk::new(&planned.image);
    disk.check();
    let found = disk.extracted();
    let crab = found.lookup(b"/one __ walks.rs").unwrap();
    assert!(matches!(&found.node(crab).kind, image::Kind::File(content) if content.len() == 5000));
    assert_same(&crate::others::open(&disk).tree().unwrap(), &tree);
}

#[test]
fn every_cluster_size_works() {
    if !have(&TOOLS) {
        return;
    }
    for kind in [Kind::Fat16, Kind::Fat32] {
        for cluster_size in (9..=15).map(|bits| 1 << bits) {
            // A FAT32 of large clusters is gigabytes long, and mostly holes.
            if kind == Kind::Fat32 && cluster_size > 8192 {
                continue;
            }
            let options = Options {
                cluster_size: Some(cluster_size),
                ..options(kind, 512)
            };
            let (planned, _) = judged(&boot(100_000), &options);
            assert_eq!(planned.usage.cluster_size, cluster_size);
        }
    }
}

#[test]
fn large_directories_survive() {
    if !have(&TOOLS) {
        return;
    }
    for kind in [Kind::Fat16, Kind::Fat32] {
        judged(&many(2500), &options(kind, 512));
    }
    let mut tree = Tree::default();
    for number in 0..2000 {
        put(&mut tree, &format!("/in the root {number}"), file(number % 5));
    }
    for kind in [Kind::Fat16, Kind::Fat32] {
        judged(&tree, &options(kind, 512));
    }
}

#[test]
fn an_empty_tree_is_a_file_system() {
    if !have(&TOOLS) {
        return;
    }
    for kind in [Kind::Auto, Kind::Fat32] {
        for label in [None, Some("EMPTY".to_string())] {
            judged(
                &Tree::default(),
                &Options {
                    kind,
                    label,
                    ..Options::default()
                },
            );
        }
    }
}

#[test]
fn a_label_may_be_a_directorys_name() {
    if !have(&TOOLS) {
        return;
    }
    for kind in [Kind::Fat16, Kind::Fat32] {
        let mut tree = Tree::default();
        put(&mut tree, "/EFI/BOOT/BOOTAA64.EFI", file(5000));
        let options = Options {
            label: Some("EFI".into()),
            ..options(kind, 512)
        };
        let (_, disk) = judged(&tree, &options);
        let said = disk.run("mdir", &["-i", "fat.img", "::EFI"]);
        assert!(said.contains("BOOT"), "{said}");
        let said = disk.run("mlabel", &["-s", "-i", "fat.img", "::"]);
        assert!(said.contains("Volume label is EFI"), "{said}");
    }
}

#[test]
fn times_are_utc_and_clamped() {
    if !have(&TOOLS) {
        return;
    }
    let mut tree = Tree::default();
    let times = [
        ("/old", 1, 315_532_800),
        ("/even", 1_700_000_002, 1_700_000_002),
        ("/odd", 1_700_000_001, 1_700_000_000),
    ];
    for (path, mtime, _) in times {
        let id = put(&mut tree, path, file(1));
        tree.node_mut(id).meta.mtime = mtime;
    }
    let planned = fat::plan(&tree, &options(Kind::Auto, 512)).unwrap();
    let disk = OnDisk::new(&planned.image);
    disk.check();
    disk.run("mcopy", &["-m", "-i", "fat.img", "::*", "."]);
    for (path, _, expected) in times {
        let meta = std::fs::metadata(disk.folder.path().join(&path[1..])).unwrap();
        assert_eq!(std::os::unix::fs::MetadataExt::mtime(&meta), expected, "{path}");
    }
}

/// The free space of the whole file system, as one file that mtools write, is what was promised and not a cluster more.
fn fill(disk: &OnDisk, free: u64) {
    let path = disk.folder.path().join("filling with a long name");
    std::fs::write(&path, noise(usize::try_from(free).unwrap() + 1, 7)).unwrap();
    let copy = ["-i", "fat.img", "filling with a long name", "::"];
    let (done, said) = disk.try_run("mcopy", &copy);
    assert!(!done && said.contains("full"), "{said}");
    std::fs::File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(free)
        .unwrap();
    disk.try_run("mdel", &["-i", "fat.img", "::filling with a long name"]);
    disk.run("mcopy", &copy);
    disk.run("fsck.fat", &["-n", "-v", "fat.img"]);
    disk.run("mcopy", &["-i", "fat.img", "::filling with a long name", "back"]);
    assert!(std::fs::read(disk.folder.path().join("back")).unwrap() == std::fs::read(&path).unwrap());
}

#[test]
fn promised_free_space_can_be_written() {
    if !have(&TOOLS) {
        return;
    }
    for kind in [Kind::Fat16, Kind::Fat32] {
        // Fourteen names and a label leave one entry in a root of one cluster, too little for a long name.
        let mut tree = Tree::default();
        (0..14).for_each(|number| _ = put(&mut tree, &format!("/{number}"), file(600)));
        let options = Options {
            free: 5 * MIB + 1,
            ..options(kind, 512)
        };
        let (planned, disk) = judged(&tree, &options);
        assert!(planned.usage.free >= options.free);
        fill(&disk, planned.usage.free);
    }
}

#[test]
fn rock64_boot_partition() {
    if !have(&TOOLS) {
        return;
    }
    let tree = boot(35_000_000);
    let options = Options {
        label: Some("BOOT-A".into()),
        size: Size::Exactly(128 * MIB),
        free: 28 * MIB,
        hidden_sectors: 32_768,
        volume_id: 0x524f_434b,
        ..Options::default()
    };
    let (planned, disk) = judged(&tree, &options);
    assert_eq!(
        (planned.usage.variant, planned.image.size()),
        (Variant::Fat16, 128 * MIB)
    );
    let said = disk.run("fsck.fat", &["-n", "-v", "fat.img"]);
    assert!(said.contains("32768 hidden sectors"), "{said}");
    fill(&disk, planned.usage.free);
}

#[test]
fn a_full_file_system_is_sound() {
    if !have(&TOOLS) {
        return;
    }
    for kind in [Kind::Fat16, Kind::Fat32] {
        for sector_size in [512, 4096] {
            let options = options(kind, sector_size);
            let mut tree = Tree::default();
            let free = fat::plan(&tree, &options).unwrap().usage;
            // One cluster for the directory.
            let len = usize::try_from(free.free).unwrap() - free.cluster_size as usize;
            put(&mut tree, "/all/of it", file(len));
            let size = fat::plan(&Tree::default(), &options).unwrap().image.size();
            let options = Options {
                size: Size::Exactly(size),
                ..options
            };
            let (planned, _) = judged(&tree, &options);
            assert_eq!(
                (planned.usage.free, planned.usage.used_clusters),
                (0, planned.usage.clusters)
            );
            put(&mut tree, "/one more", file(1));
            let error = fat::plan(&tree, &options).unwrap_err();
            assert!(matches!(error, Error::Full { .. }), "{error}");
        }
    }
}

#[test]
fn files_can_be_put_into_a_finished_image() {
    if !have(&TOOLS) {
        return;
    }
    for kind in [Kind::Fat16, Kind::Fat32] {
        let mut tree = zoo();
        let options = Options {
            free: MIB,
            ..options(kind, 512)
        };
        let (_, disk) = judged(&tree, &options);
        std::fs::write(disk.folder.path().join("Later file.conf"), noise(9000, 9)).unwrap();
        disk.run("mmd", &["-i", "fat.img", "::/names/new directory"]);
        disk.run(
            "mcopy",
            &["-i", "fat.img", "Later file.conf", "::/names/new directory/"],
        );
        disk.run("mcopy", &["-i", "fat.img", "Later file.conf", "::"]);
        disk.run("mdel", &["-i", "fat.img", "::/linked"]);
        disk.run("fsck.fat", &["-n", "-v", "fat.img"]);
        let expected = Node::file(noise(9000, 9));
        put(
            &mut tree,
            "/names/new directory/Later file.conf",
            expected.clone(),
        );
        put(&mut tree, "/Later file.conf", expected);
        let found = crate::others::open(&disk).tree().unwrap();
        let mut expected = crate::tools::contents(&tree);
        expected.remove("/linked").unwrap();
        assert!(crate::tools::contents(&found) == expected);
    }
}
