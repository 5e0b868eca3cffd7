//! Kiln's reader on what mke2fs, debugfs and e2fsck made, of all ages and kinds.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/made.rs"]
mod made;
#[expect(dead_code, reason = "each test file uses its own part")]
mod support;

use std::process::Command;
use std::sync::Arc;

use ext4::Error;
use ext4::read::FileSystem;
use image::{Content, Kind, Node, NodeId, Tree, Xattr};
use made::{Made, can_make, have_tools, unpack, without};
use support::oracle::installed;
use support::{add_specials, add_xattrs, assert_same, bytes, run, zoo};

/// Everything that blocks of this size can hold: the zoo, a file in thousands of pieces, one that ends far behind
/// its beginning, and a directory whose hash tree has two levels when blocks are small.
fn source(block: usize) -> Tree {
    let mut tree = zoo(4096);
    add_specials(&mut tree);
    add_xattrs(&mut tree);
    let mut pieces = Vec::new();
    for number in 0..1400 {
        pieces.extend(bytes(4096, number + 1));
        pieces.extend([0; 4096]);
    }
    tree.add_at(b"/pieces", Node::file(pieces)).unwrap();
    let mut far = vec![0; if block == 1024 { 70 << 20 } else { 6 << 20 }];
    far.extend(b"far");
    tree.add_at(b"/far", Node::file(far)).unwrap();
    let many = tree.make_directory(b"/many").unwrap();
    for number in 0..if block == 1024 { 3500 } else { 1200 } {
        let name = format!("the name of file number {number}");
        tree.add(many, name.as_bytes(), Node::symlink("short")).unwrap();
    }
    let mut tree = without(
        &tree,
        |node| matches!(&node.kind, Kind::Symlink(target) if target.len() >= block),
    );
    let ids: Vec<NodeId> = tree.nodes().map(|(id, _)| id).collect();
    for id in ids {
        let fits = |xattr: &Xattr| xattr.value.len() < block * 3 / 4;
        tree.node_mut(id).meta.xattrs.retain(fits);
    }
    // mke2fs gives the root a time and an owner of its own.
    tree.node_mut(NodeId::ROOT).meta.mtime = 1;
    tree
}

/// Makes images of the same folder, and compares them before and after e2fsck has made hash trees.
fn compare(block: usize, kinds: &[&[&str]]) {
    if !can_make() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("folder");
    std::fs::create_dir(&folder).unwrap();
    let tree = source(block);
    unpack(&tree, &folder);
    for kind in kinds {
        let block = block.to_string();
        let made = Made::of(&folder, &[&["-b", &block], *kind].concat());
        made.add_xattrs(&tree);
        assert_same(&made.tree(), &tree);
        // It has changed something, and says so with 1.
        let status = Command::new("e2fsck")
            .args(["-fyD"])
            .arg(&made.path)
            .output()
            .unwrap()
            .status;
        assert!(matches!(status.code(), Some(0 | 1)), "{kind:?}: {status}");
        assert_same(&made.tree(), &tree);
    }
}

#[test]
fn images_with_blocks_of_1_kib() {
    compare(
        1024,
        &[
            &["-t", "ext4"],
            &["-t", "ext4", "-O", "^metadata_csum,uninit_bg", "-I", "128"],
            &["-t", "ext3"],
            &["-t", "ext2"],
        ],
    );
}

#[test]
fn images_with_blocks_of_2_kib() {
    compare(
        2048,
        &[
            &["-t", "ext4", "-O", "metadata_csum_seed,^64bit"],
            &["-t", "ext4", "-O", "^extents,^64bit,^flex_bg"],
            &["-t", "ext4", "-O", "^has_journal,^resize_inode,^sparse_super"],
        ],
    );
}

#[test]
fn images_with_blocks_of_4_kib() {
    compare(
        4096,
        &[
            &["-t", "ext4"],
            &["-t", "ext4", "-O", "^metadata_csum", "-I", "128"],
            &["-t", "ext4", "-O", "^flex_bg,^dir_index,^filetype,project"],
            &[
                "-t",
                "ext4",
                "-O",
                "sparse_super2,^resize_inode,orphan_file",
                "-I",
                "1024",
            ],
            &["-t", "ext4", "-g", "2048", "-G", "4"],
        ],
    );
}

#[test]
fn features_that_are_not_read_are_named() {
    if !have_tools() {
        return;
    }
    for feature in [
        "inline_data",
        "encrypt",
        "casefold",
        "meta_bg,^resize_inode",
        "bigalloc",
        "ea_inode",
        "large_dir",
        "mmp",
        "verity",
    ] {
        let made = Made::small(&["-t", "ext4", "-O", feature]);
        let error = made.open().unwrap_err();
        let name = feature.split(',').next().unwrap();
        assert!(matches!(error, Error::Unsupported { .. }), "{error}");
        assert_eq!(
            error.to_string(),
            format!("the file system uses {name}, which kiln does not read")
        );
    }
    let made = Made::small(&["-t", "ext4"]);
    made.debugfs("feature needs_recovery\n");
    let error = made.open().unwrap_err().to_string();
    assert!(
        error.contains("needs_recovery") && error.contains("e2fsck"),
        "{error}"
    );
    let made = Made::small(&["-O", "journal_dev"]);
    let error = made.open().unwrap_err().to_string();
    assert!(error.contains("journal_dev"), "{error}");
}

#[test]
fn facts_are_those_of_dumpe2fs() {
    if !have_tools() || !installed("dumpe2fs") {
        return;
    }
    let uuid = "44444444-4444-4444-8888-888888888888";
    let made = Made::small(&["-t", "ext4", "-L", "NIXOS_SD", "-U", uuid]);
    let info = made.open().unwrap().info();
    let said = run(Command::new("dumpe2fs").arg("-h").arg(&made.path));
    for (name, value) in [
        ("Filesystem volume name", info.label.clone().unwrap()),
        ("Filesystem UUID", info.uuid.to_string()),
        ("Filesystem features", info.features.join(" ")),
        ("Block size", info.block_size.to_string()),
        ("Block count", info.blocks.to_string()),
        ("Free blocks", info.free_blocks.to_string()),
        ("Reserved block count", info.reserved_blocks.to_string()),
        ("Inode count", info.inodes.to_string()),
        ("Free inodes", info.free_inodes.to_string()),
        ("Inode size", info.inode_size.to_string()),
    ] {
        let line = said.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        let found = line.strip_prefix(':').unwrap().trim();
        assert_eq!(found, value, "{name}");
    }
    assert_eq!((info.size, info.groups), (16 << 20, 2));
    assert_eq!(info.free, info.free_blocks * u64::from(info.block_size));
}

/// Access lists, blocks that are kept but never written, small and large numbers of devices, names without a tree.
#[test]
fn what_debugfs_makes_is_read() {
    if !have_tools() {
        return;
    }
    let made = Made::small(&["-t", "ext4", "-b", "1024"]);
    let list = [
        &[2, 0, 0, 0][..],
        &[1, 0, 6, 0, 0xff, 0xff, 0xff, 0xff],
        &[2, 0, 4, 0, 0xe8, 3, 0, 0],
        &[4, 0, 4, 0, 0xff, 0xff, 0xff, 0xff],
        &[0x10, 0, 6, 0, 0xff, 0xff, 0xff, 0xff],
        &[0x20, 0, 4, 0, 0xff, 0xff, 0xff, 0xff],
    ]
    .concat();
    let (value, file) = (made.dir.path().join("list"), made.dir.path().join("file"));
    std::fs::write(&value, &list).unwrap();
    std::fs::write(&file, bytes(3000, 5)).unwrap();
    made.debugfs(&format!(
        "mkdir d\ncd d\nwrite {} f\nfallocate f 3 40\nset_inode_field f size 20000\nea_set -f {} f \
         system.posix_acl_access\nea_set f user.{} v\nmknod small c 4 64\nmknod large b 300 60000\n",
        file.display(),
        value.display(),
        "n".repeat(200),
    ));
    let tree = made.tree();
    let found = made.open().unwrap();
    let node = found.find(b"/d/f").unwrap().unwrap();
    let Kind::File(content) = &node.kind else {
        panic!("no file")
    };
    let wanted = [bytes(3000, 5), vec![0; 17000]].concat();
    assert!(content.to_vec().unwrap() == wanted);
    assert_eq!(&*node.meta.xattrs[0].name, b"system.posix_acl_access");
    assert_eq!(&*node.meta.xattrs[0].value, list);
    assert_eq!(&*node.meta.xattrs[1].value, b"v");
    let names: Vec<Box<[u8]>> = found
        .list(b"d/")
        .unwrap()
        .unwrap()
        .into_iter()
        .map(|entry| entry.name)
        .collect();
    assert_eq!(names, [&b"f"[..], b"large", b"small"].map(Box::from));
    let device = |name: &str| match found.find(name.as_bytes()).unwrap().unwrap().kind {
        Kind::CharDevice(device) | Kind::BlockDevice(device) => (device.major, device.minor),
        other => panic!("{other:?}"),
    };
    assert_eq!((device("/d/small"), device("/d/large")), ((4, 64), (300, 60000)));
    assert!(found.find(b"/d/missing").unwrap().is_none());
    assert!(found.find(b"/d/f/below").unwrap().is_none());
    assert!(found.list(b"/d/f").unwrap().is_none());
    assert!(matches!(
        found.find(b"/").unwrap().unwrap().kind,
        Kind::Directory(_)
    ));
    assert_eq!(
        tree.lookup(b"/d/f").map(|id| tree.node(id).meta.clone()),
        Some(node.meta)
    );
}

#[test]
fn sizes_of_sources_are_respected() {
    if !have_tools() {
        return;
    }
    let made = Made::small(&["-t", "ext4"]);
    let bytes = std::fs::read(&made.path).unwrap();
    let open = |len: usize| {
        let content = Content::from(&bytes[..len]);
        FileSystem::open(Arc::new(content), len as u64)
            .map(drop)
            .unwrap_err()
    };
    assert_eq!(open(2047).to_string(), "not ext4: 2047 bytes are too few");
    assert_eq!(
        open((16 << 20) - 1).to_string(),
        "superblock: the file system has 16384 blocks of 1024 bytes, its source 16777215 bytes"
    );
    let zeros = FileSystem::open(Arc::new(Content::Zeros(1 << 20)), 1 << 20).unwrap_err();
    assert!(matches!(zeros, Error::NotExt4 { .. }), "{zeros}");
}
