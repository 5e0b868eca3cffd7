//! Tools that others wrote unpack our images to the same trees, and we unpack theirs.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use image::{Keep, Meta, Node, NodeId, Tree};
use squashfs::read::Archive;
use squashfs::{Compression, Options};
use support::oracle::installed;
use support::{add_specials, add_units, add_xattrs, assert_same, giants, options, plan, run, write, zoo};

const EVERYTHING: Keep = Keep {
    modes: true,
    owners: true,
    times: true,
    xattrs: true,
    hard_links: true,
    follow_links: false,
};

/// Only root can unpack devices and owners. In CI the tests run as root.
fn as_root() -> bool {
    let root = run(Command::new("id").arg("-u")).trim() == "0";
    root || installed("root's rights")
}

/// Unpacks with squashfs-tools.
fn unsquashfs(image: &Path, folder: &Path) {
    run(Command::new("unsquashfs")
        .args(["-no-progress", "-quiet", "-d"])
        .arg(folder)
        .arg(image));
}

fn trees(block: usize) -> Tree {
    let mut tree = zoo(block);
    add_specials(&mut tree);
    add_xattrs(&mut tree);
    add_units(&mut tree);
    tree
}

#[test]
fn unsquashfs_agrees() {
    if !installed("unsquashfs") || !as_root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    for (number, compression) in [
        Compression::None,
        Compression::Gzip { level: 9 },
        Compression::Xz { level: 6 },
        Compression::Zstd { level: 19 },
    ]
    .into_iter()
    .enumerate()
    {
        for block_size in [4096, 1 << 20] {
            let tree = trees(block_size as usize);
            let image = dir.path().join("image");
            write(&plan(&tree, &options(compression, block_size), 2), &image);
            let unpacked = dir.path().join(format!("{number}-{block_size}"));
            unsquashfs(&image, &unpacked);
            assert_same(&image::scan(&unpacked, EVERYTHING).unwrap(), &tree);
        }
    }
}

#[test]
fn unsquashfs_agrees_on_giants() {
    if !installed("unsquashfs") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let tree = giants();
    let image = dir.path().join("image");
    write(
        &plan(
            &tree,
            &Options {
                compression: Compression::Zstd { level: 1 },
                ..Options::default()
            },
            2,
        ),
        &image,
    );
    unsquashfs(&image, &dir.path().join("x"));
    assert_same(&image::scan(&dir.path().join("x"), EVERYTHING).unwrap(), &tree);
}

#[test]
fn rdsquashfs_agrees() {
    if !installed("rdsquashfs") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let tree = zoo(1 << 17);
    let image = dir.path().join("image");
    write(
        &plan(&tree, &options(Compression::Zstd { level: 3 }, 1 << 17), 2),
        &image,
    );
    let unpacked = dir.path().join("x");
    run(Command::new("rdsquashfs")
        .args(["-q", "-T", "-u", "/", "-p"])
        .arg(&unpacked)
        .arg(&image));
    // It makes files with the modes of its umask, and no hard links: names, targets and bytes are compared.
    let plain = |tree: &Tree| {
        let mut lines = support::dump(tree);
        let strip = |line: &mut String| {
            let (name, rest) = line.split_once(" #").unwrap();
            *line = format!("{name} {}", rest.split_once("] ").unwrap().1);
        };
        lines.iter_mut().for_each(strip);
        lines
    };
    let found = plain(&image::scan(&unpacked, Keep::default()).unwrap());
    assert_eq!(found, plain(&tree));
}

#[test]
fn backhand_agrees() {
    // It refuses link targets above 255 bytes.
    let full = zoo(4096);
    let mut tree = Tree::default();
    for entry in full.walk().filter(|entry| entry.path != b"/links/4095") {
        match full.node(entry.id).kind {
            image::Kind::Directory(_) => drop(tree.make_directory(&entry.path).unwrap()),
            _ => drop(tree.add_at(&entry.path, full.node(entry.id).clone()).unwrap()),
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("image");
    write(
        &plan(&tree, &options(Compression::Zstd { level: 3 }, 4096), 2),
        &path,
    );
    let reader = std::io::BufReader::new(std::fs::File::open(&path).unwrap());
    let filesystem = backhand::FilesystemReader::from_reader(reader)
        .map_err(|error| format!("{error:?}"))
        .unwrap();
    let mut names: Vec<Vec<u8>> = Vec::new();
    for node in filesystem.files() {
        names.push(std::os::unix::ffi::OsStrExt::as_bytes(node.fullpath.as_os_str()).to_vec());
        let backhand::InnerNode::File(file) = &node.inner else {
            continue;
        };
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut filesystem.file(file).reader(), &mut bytes).unwrap();
        let id = tree.lookup(names.last().unwrap()).unwrap();
        let image::Kind::File(content) = &tree.node(id).kind else {
            panic!("no file")
        };
        assert!(
            bytes == content.to_vec().unwrap(),
            "{}",
            image::show(names.last().unwrap())
        );
    }
    names.sort();
    let mut wanted: Vec<Vec<u8>> = tree.walk().map(|entry| entry.path).collect();
    wanted.sort();
    assert_eq!(names, wanted);
}

/// Unpacks a tree of ours with an installed, so that the others' tools get it as a folder.
fn folder_of(tree: &Tree, dir: &Path) -> std::path::PathBuf {
    let image = dir.join("source");
    write(&plan(tree, &options(Compression::None, 1 << 17), 2), &image);
    unsquashfs(&image, &dir.join("folder"));
    dir.join("folder")
}

#[test]
fn images_of_mksquashfs_are_read() {
    if !installed("mksquashfs") || !as_root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let tree = trees(1 << 17);
    let folder = folder_of(&tree, dir.path());
    let image = dir.path().join("image");
    for compressor in ["gzip", "xz", "zstd"] {
        for extra in [
            &["-b", "4K", "-tailends"][..],
            &["-b", "128K", "-no-exports"],
            &["-b", "1M", "-noI", "-noF"],
        ] {
            let mut command = Command::new("mksquashfs");
            command.arg(&folder).arg(&image).args([
                "-noappend",
                "-no-progress",
                "-quiet",
                "-comp",
                compressor,
            ]);
            run(command.args(extra));
            let size = std::fs::metadata(&image).unwrap().len();
            let file = Arc::new(std::fs::File::open(&image).unwrap());
            assert_same(&Archive::open(file, size).unwrap().tree().unwrap(), &tree);
        }
    }
}

#[test]
fn images_of_gensquashfs_are_read() {
    if !installed("gensquashfs") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    // It gives the root a time of its own.
    let mut tree = Tree::new(Node {
        meta: Meta {
            mtime: 0,
            ..Meta::root(0o755)
        },
        ..Node::directory()
    });
    for number in 0..3000 {
        tree.add(
            NodeId::ROOT,
            format!("file-{number}").as_bytes(),
            Node::file(support::bytes(number, 3)),
        )
        .unwrap();
    }
    let folder = folder_of(&tree, dir.path());
    let image = dir.path().join("image");
    run(Command::new("gensquashfs")
        .args(["-q", "-c", "zstd", "-k", "-D"])
        .arg(&folder)
        .arg(&image));
    let size = std::fs::metadata(&image).unwrap().len();
    let file = Arc::new(std::fs::File::open(&image).unwrap());
    assert_same(&Archive::open(file, size).unwrap().tree().unwrap(), &tree);
}
