//! Linux mounts our images, finds in them what the trees have, and goes on from there.

use std::fs::File;
use std::process::Command;
use std::sync::Arc;

use btrfs::read::FileSystem;
use btrfs::{Access, Metadata, Options, Profile};
use image::{Keep, Node, NodeId, Seed, Tree};

use crate::support::{
    COMPRESSIONS, EVERYTHING, METADATA, Mounted, PROFILES, assert_same, check_both, compressible, everything,
    is_possible, odd, options, plan, run, subvolumes, with_subvolumes, words, write,
};

const EVERYTHING_BUT_TIMES: Keep = Keep {
    times: false,
    ..EVERYTHING
};
pub(crate) fn run_in(mounted: &Mounted, program: &str, arguments: &[&str]) -> String {
    run(Command::new(program).args(arguments).current_dir(mounted.0))
}

#[test]
fn linux_reads_the_same() {
    if !is_possible("btrfs") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    for (profile, tree) in PROFILES.into_iter().zip([everything(), odd()]) {
        let [path, folder] = ["image", "folder"].map(|name| dir.path().join(format!("{profile:?}-{name}")));
        write(&plan(&tree, &options(profile, Metadata::Dup)).image, &path);
        let mounted = Mounted::new("btrfs", &path, &folder, "loop,ro");
        assert_same(&image::scan(mounted.0, EVERYTHING).unwrap(), &tree);
    }
}

/// What Linux decompresses is what was compressed.
#[test]
fn linux_decompresses_the_same() {
    if !is_possible("btrfs") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut tree = odd();
    tree.graft(NodeId::ROOT, b"compressible", compressible()).unwrap();
    for (number, compression) in COMPRESSIONS.into_iter().enumerate() {
        let [path, folder] = ["image", "folder"].map(|name| dir.path().join(format!("{number}-{name}")));
        let options = Options {
            compression,
            ..options(PROFILES[number % 2], METADATA[number % 2])
        };
        write(&plan(&tree, &options).image, &path);
        let mounted = Mounted::new("btrfs", &path, &folder, "loop,ro");
        assert_same(&image::scan(mounted.0, EVERYTHING).unwrap(), &tree);
    }
}

#[test]
fn linux_knows_the_subvolumes() {
    if !is_possible("btrfs") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let tree = with_subvolumes();
    let image = |name: &str, uuid: &str, tree: &Tree| {
        let seed = Seed::new(b"test");
        let options = Options {
            uuid: seed.uuid(uuid),
            free: 20 << 20,
            ..subvolumes(tree, options(Profile::Portable, Metadata::Single))
        };
        let path = dir.path().join(name);
        write(&plan(tree, &options).image, &path);
        path
    };
    let first = image("first", "first", &tree);
    let folder = dir.path().join("folder");
    {
        let mounted = Mounted::new("btrfs", &first, &folder, "loop,ro,subvolid=5");
        assert_same(&image::scan(mounted.0, EVERYTHING).unwrap(), &tree);
        let list = run_in(&mounted, "btrfs", &["subvolume", "list", "."]);
        let paths: Vec<&str> = list
            .lines()
            .filter_map(|line| line.split_once("path "))
            .map(|pair| pair.1)
            .collect();
        assert_eq!(
            paths,
            ["@", "@home", "plain/inside", "@/nix", "@/nix/store"],
            "{list}"
        );
    }
    {
        let mounted = Mounted::new("btrfs", &first, &folder, "loop");
        assert_eq!(
            run_in(&mounted, "stat", &["-c", "%a", "."]),
            "700\n",
            "the default is /@"
        );
        run_in(&mounted, "touch", &["written"]);
        let said = run_in(&mounted, "sh", &["-c", "touch nix/written 2>&1 || true"]);
        assert!(said.contains("Read-only file system"), "{said}");
    }
    check_both(&first);
}

/// What a subvolume of one image has more than that of another travels as the difference, also onto another file system.
#[test]
fn differences_travel_between_images() {
    if !is_possible("btrfs") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let [one, two] = ["one", "two"].map(|name| dir.path().join(name));
    let seed = Seed::new(b"test");
    let mut tree = Tree::default();
    tree.add_at(b"/store/file", Node::file(words(100_000))).unwrap();
    for (path, uuid) in [(&one, "one"), (&two, "two")] {
        let options = Options {
            uuid: seed.uuid(uuid),
            free: 20 << 20,
            subvolumes: [(tree.lookup(b"/store").unwrap(), Access::ReadOnly)].into(),
            ..options(Profile::Portable, Metadata::Single)
        };
        write(&plan(&tree, &options).image, path);
    }
    let [from, to] = ["from", "to"].map(|name| dir.path().join(name));
    let (from, to) = (
        Mounted::new("btrfs", &one, &from, "loop"),
        Mounted::new("btrfs", &two, &to, "loop"),
    );
    run_in(&from, "btrfs", &["subvolume", "snapshot", "store", "next"]);
    run_in(&from, "sh", &["-c", "echo more > next/more"]);
    run_in(&from, "btrfs", &["property", "set", "next", "ro", "true"]);
    run_in(&from, "sh", &["-c", "btrfs send -p store next > ../stream"]);
    run_in(&to, "sh", &["-c", "btrfs receive . < ../stream"]);
    run_in(&to, "cmp", &["next/file", "store/file"]);
    run_in(&to, "cmp", &["next/more", "../from/next/more"]);
    assert!(dir.path().join("stream").metadata().unwrap().len() < 4096);
}

/// The least image has no free block that the kernel knows of. It grows nevertheless, and can do everything then.
#[test]
fn the_least_image_grows_and_lives() {
    if !is_possible("btrfs") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    for profile in PROFILES {
        for metadata in METADATA {
            let [path, folder] =
                ["image", "folder"].map(|name| dir.path().join(format!("{profile:?}-{metadata:?}-{name}")));
            let tree = odd();
            write(&plan(&tree, &options(profile, metadata)).image, &path);
            let file = File::options().write(true).open(&path).unwrap();
            file.set_len(64 << 30).unwrap();
            let mounted = Mounted::new("btrfs", &path, &folder, "loop");
            let names = run_in(&mounted, "find", &["."]);
            run_in(&mounted, "btrfs", &["filesystem", "resize", "max", "."]);
            run_in(
                &mounted,
                "sh",
                &["-c", "for i in $(seq 2000); do echo $i > file-$i; done"],
            );
            run_in(
                &mounted,
                "dd",
                &["if=/dev/urandom", "of=large", "bs=1M", "count=100", "status=none"],
            );
            run_in(&mounted, "btrfs", &["subvolume", "snapshot", ".", "snapshot"]);
            run_in(&mounted, "btrfs", &["balance", "start", "--full-balance", "."]);
            let said = run_in(&mounted, "btrfs", &["scrub", "start", "-B", "."]);
            assert!(said.contains("no errors found"), "{said}");
            run_in(
                &mounted,
                "sh",
                &[
                    "-c",
                    "rm -r file-* large && btrfs subvolume delete snapshot && sync",
                ],
            );
            assert_eq!(run_in(&mounted, "find", &["."]), names);
            assert_same(
                &image::scan(mounted.0, EVERYTHING_BUT_TIMES).unwrap(),
                &timeless(&tree),
            );
            drop(mounted);
            check_both(&path);
            let written = FileSystem::open(Arc::new(File::open(&path).unwrap()), 64 << 30).unwrap();
            let found = written.contents().unwrap().tree;
            assert_same(&timeless(&found), &timeless(&tree));
        }
    }
}

/// Files can take as many bytes as were promised, and so can their metadata.
#[test]
fn the_promised_bytes_are_there() {
    if !is_possible("btrfs") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    for (number, (free, metadata)) in [1 << 20, 20 << 20, 300 << 20]
        .into_iter()
        .zip(METADATA.into_iter().cycle())
        .enumerate()
    {
        let [path, folder] = ["image", "folder"].map(|name| dir.path().join(format!("{number}-{name}")));
        let options = Options {
            free,
            ..options(Profile::Portable, metadata)
        };
        let planned = plan(&odd(), &options);
        assert!(
            planned.usage.free >= free && planned.usage.free < free + 65536,
            "{:?}",
            planned.usage
        );
        write(&planned.image, &path);
        let mounted = Mounted::new("btrfs", &path, &folder, "loop");
        // Many files of 16 KiB, and one of all the rest.
        let many = free / 4 / 16384 * 16384;
        let script = format!(
            "mkdir m && head -c {many} /dev/urandom | split -a 5 -b 16384 - m/ && head -c {} /dev/urandom > large && \
             sync",
            free - many
        );
        run_in(&mounted, "sh", &["-c", &script]);
        run_in(&mounted, "rm", &["-r", "m", "large"]);
        run_in(&mounted, "sync", &[]);
        drop(mounted);
        check_both(&path);
    }
}

/// The tree as if the root were always touched.
fn timeless(tree: &Tree) -> Tree {
    let mut tree = tree.clone();
    for id in tree.nodes().map(|(id, _)| id).collect::<Vec<_>>() {
        tree.node_mut(id).meta.mtime = 1;
    }
    tree
}
