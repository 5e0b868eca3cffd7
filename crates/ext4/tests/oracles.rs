//! Tools that others wrote accept our images and find in them what the trees have.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::path::Path;
use std::process::Command;

use ext4::{Options, Profile, Size};
use image::{Image, Keep, Node, NodeId, ReadAt, Tree};
use support::oracle::installed;
use support::{
    PROFILES, add_specials, add_units, add_xattrs, assert_same, fsck, giants, options, run, write, zoo,
};

const EVERYTHING: Keep = Keep {
    modes: true,
    owners: true,
    times: true,
    xattrs: true,
    hard_links: false,
    follow_links: false,
};

fn odd() -> Tree {
    let mut tree = zoo(128 << 10);
    add_specials(&mut tree);
    add_xattrs(&mut tree);
    add_units(&mut tree);
    tree
}

fn everything() -> Tree {
    let mut tree = odd();
    tree.graft(NodeId::ROOT, b"giants", giants()).unwrap();
    tree
}

fn image(tree: &Tree, options: &Options) -> Image {
    ext4::plan(tree, options).unwrap().image
}

#[test]
fn e2fsck_finds_nothing() {
    if !installed("e2fsck") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    for profile in PROFILES {
        for (number, tree) in [Tree::default(), everything()].into_iter().enumerate() {
            let path = dir.path().join(format!("{profile:?}-{number}"));
            write(&image(&tree, &options(profile)), &path);
            fsck(&path);
        }
    }
}

/// What the last groups hold and how they are cut off is where counts go wrong.
#[test]
fn e2fsck_finds_nothing_at_the_borders_of_groups() {
    if !installed("e2fsck") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("image");
    let mut tree = Tree::default();
    tree.add_at(b"/file", Node::file(&b"content"[..])).unwrap();
    for group in [1, 2, 3, 8, 16, 17, 26, 50] {
        for blocks in [-1, 0, 49, 600, 900] {
            let blocks = (group * 32768_u64).checked_add_signed(blocks).unwrap();
            for profile in PROFILES {
                let planned = ext4::plan(
                    &tree,
                    &Options {
                        size: Size::Exactly(blocks * 4096),
                        ..options(profile)
                    },
                )
                .unwrap();
                assert_eq!(planned.image.size(), blocks * 4096);
                write(&planned.image, &path);
                fsck(&path);
            }
        }
    }
}

/// Unpacks with debugfs, which leaves out what only root may make, and links of files.
#[test]
fn debugfs_unpacks_the_same() {
    if !installed("debugfs") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    for profile in PROFILES {
        let mut tree = zoo(128 << 10);
        add_xattrs(&mut tree);
        let path = dir.path().join(format!("{profile:?}"));
        write(&image(&tree, &options(profile)), &path);
        let folder = dir.path().join(format!("{profile:?}-unpacked"));
        std::fs::create_dir(&folder).unwrap();
        debugfs(&path, &format!("rdump / {}", folder.display()));
        std::fs::remove_dir(folder.join("lost+found")).unwrap();
        let kept = Keep {
            xattrs: false,
            times: false,
            ..EVERYTHING
        };
        let found = image::scan(&folder, kept).unwrap();
        assert_same(&found, &comparable(&tree));
    }
}

/// A tree without what unpacking with debugfs does not keep.
fn comparable(tree: &Tree) -> Tree {
    let mut plain = Tree::default();
    for entry in tree.walk().skip(1) {
        let mut node = tree.node(entry.id).clone();
        if matches!(node.kind, image::Kind::Directory(_)) {
            let mode = node.meta.mode;
            node = Node::directory().mode(mode);
        }
        node.meta.xattrs.clear();
        node.meta.mtime = 1;
        plain.add_at(&entry.path, node).unwrap();
    }
    plain
}

fn debugfs(image: &Path, command: &str) -> String {
    run(Command::new("debugfs").args(["-R", command]).arg(image))
}

#[test]
fn dumpe2fs_shows_what_was_asked_for() {
    if !installed("dumpe2fs") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("image");
    let features = [
        "Filesystem features:      has_journal ext_attr resize_inode dir_index filetype extent 64bit flex_bg \
         sparse_super large_file huge_file dir_nlink extra_isize metadata_csum",
        "Filesystem features:      has_journal ext_attr resize_inode dir_index filetype extent flex_bg sparse_super \
         large_file uninit_bg dir_nlink extra_isize",
        "Filesystem features:      ext_attr dir_index filetype extent 64bit flex_bg sparse_super large_file huge_file \
         dir_nlink extra_isize metadata_csum",
    ];
    for (profile, features) in PROFILES.into_iter().zip(features) {
        let options = Options {
            label: Some("NIXOS_SD".into()),
            ..options(profile)
        };
        write(&image(&odd(), &options), &path);
        let text = run(Command::new("dumpe2fs").arg(&path));
        let uuid = format!("Filesystem UUID:          {}", options.uuid);
        for wanted in [
            features,
            &uuid,
            "Filesystem volume name:   NIXOS_SD",
            "Filesystem state:         clean",
            "Block size:               4096",
            "Blocks per group:         32768",
            "Inode size:	          256",
        ] {
            assert!(
                text.lines().any(|line| line.trim_end() == wanted),
                "{wanted}\n{text}"
            );
        }
        if profile != Profile::Readonly {
            let reserved = if profile == Profile::Portable { 255 } else { 127 };
            let wanted = format!("Reserved GDT blocks:      {reserved}");
            assert!(text.lines().any(|line| line == wanted), "{text}");
            assert!(text.contains("Total journal size:       4096k"), "{text}");
        }
        assert!(!text.contains("Backup block groups"), "{text}");
    }
}

/// Backup superblocks are right in every field: e2fsck repairs nothing when it starts from one.
#[test]
fn each_copy_of_the_superblock_will_do() {
    if !installed("e2fsck") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("image");
    let sized = Options {
        size: Size::Exactly(10 << 27),
        ..options(Profile::Portable)
    };
    let planned = ext4::plan(&odd(), &sized).unwrap();
    write(&planned.image, &path);
    let mut first = [0; 1024];
    planned.image.read_exact_at(&mut first, 1024).unwrap();
    for group in [1_u16, 3, 5, 7, 9] {
        let mut copy = [0; 1024];
        let start = u64::from(group) << 27;
        planned.image.read_exact_at(&mut copy, start).unwrap();
        let mut wanted = first;
        wanted[90..92].copy_from_slice(&group.to_le_bytes());
        assert_eq!(copy[..1020], wanted[..1020], "all but the checksum");
        let block = (u64::from(group) * 32768).to_string();
        run(Command::new("e2fsck")
            .args(["-fn", "-B", "4096", "-b", &block])
            .arg(&path));
    }
}

#[test]
fn large_directories_are_hash_trees() {
    if !installed("debugfs") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("image");
    write(&image(&everything(), &options(Profile::Portable)), &path);
    let text = debugfs(&path, "htree_dump /giants/many");
    assert!(text.contains("Hash Version: 1"), "{text}");
    assert!(text.contains("Indirect levels: 1"), "{text}");
    let names = text.matches("name-of-file-").count();
    assert_eq!(names, 65_000);
    for name in ["name-of-file-0", "name-of-file-64999"] {
        let text = debugfs(&path, &format!("stat /giants/many/{name}"));
        assert!(text.contains("Type: regular"), "{text}");
    }
}
