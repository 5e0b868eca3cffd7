//! btrfs-progs accept our images.

use std::process::Command;

use btrfs::{EqualFiles, Metadata, Options, Profile};
use image::{Content, Node, NodeId, Tree, Xattr};

use crate::support::oracle::installed;
use crate::support::{
    COMPRESSIONS, METADATA, PROFILES, PROGS, bytes, check, check_both, compressible, everything, noise, odd,
    options, plan, run, subvolumes, with_subvolumes, write,
};

#[test]
fn btrfs_check_finds_nothing() {
    if !installed("btrfs") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("image");
    for profile in PROFILES {
        for metadata in METADATA {
            for tree in [Tree::default(), odd()] {
                write(&plan(&tree, &options(profile, metadata)).image, &path);
                check_both(&path);
            }
        }
    }
}

#[test]
fn btrfs_check_finds_nothing_in_what_is_compressed() {
    if !installed("btrfs") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("image");
    for compression in COMPRESSIONS {
        for profile in PROFILES {
            for (metadata, tree) in METADATA.into_iter().zip([compressible(), odd()]) {
                let options = Options {
                    compression,
                    ..options(profile, metadata)
                };
                write(&plan(&tree, &options).image, &path);
                check_both(&path);
            }
        }
    }
}

#[test]
fn btrfs_check_finds_nothing_in_giants() {
    if !installed("btrfs") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("image");
    for profile in PROFILES {
        write(
            &plan(&everything(), &options(profile, Metadata::Dup)).image,
            &path,
        );
        check(&path);
    }
}

#[test]
fn dump_tree_understands_everything() {
    if !installed("btrfs") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("image");
    write(
        &plan(&odd(), &options(Profile::Modern, Metadata::Dup)).image,
        &path,
    );
    for program in PROGS.into_iter().filter(|program| installed(program)) {
        let said = run(Command::new(program)
            .args(["inspect-internal", "dump-tree"])
            .arg(&path));
        // Of a root item's empty key it says that its type is unknown.
        let said = said.replace("(0 UNKNOWN.0 0)", "");
        assert!(!said.contains("UNKNOWN") && !said.contains("ERROR"), "{said}");
        assert!(said.contains("key (BLOCK_GROUP_TREE ROOT_ITEM 0)"), "{said}");
        assert!(said.contains("name: latin1-"), "{said}");
    }
}

/// Names of one directory, and of the attributes of one file, that have the same hash.
#[test]
fn names_that_collide_share_an_item() {
    if !installed("btrfs") {
        return;
    }
    // Whatever differs by multiples of the polynomial has the same checksum.
    let mask = (0x1_1edc_6f41_u64.reverse_bits() >> 31).to_le_bytes();
    let flipped = |name: &mut Vec<u8>, at: usize| {
        name[at..]
            .iter_mut()
            .zip(mask)
            .for_each(|(byte, mask)| *byte ^= mask);
    };
    let mut names = Vec::new();
    for bits in 0..16 {
        let mut name = b"0123456789".to_vec();
        (0..4)
            .filter(|at| bits >> at & 1 == 1)
            .for_each(|at| flipped(&mut name, at));
        if !name.contains(&0) && !name.contains(&b'/') {
            names.push(name);
        }
    }
    assert!(names.len() > 8, "{names:?}");
    assert!(
        names
            .iter()
            .all(|name| crc32c::crc32c(name) == crc32c::crc32c(&names[0]))
    );
    let mut tree = Tree::default();
    let xattr = |name: &Vec<u8>| Xattr {
        name: [&b"user."[..], name].concat().into(),
        value: name.as_slice().into(),
    };
    for name in &names {
        let mut node = Node::file(name.clone());
        node.meta.xattrs = names.iter().map(xattr).collect();
        node.meta.xattrs.sort();
        tree.add(NodeId::ROOT, name, node).unwrap();
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("image");
    write(
        &plan(&tree, &options(Profile::Portable, Metadata::Dup)).image,
        &path,
    );
    check_both(&path);
}

/// A file with more names in one directory than an item holds.
#[test]
fn files_with_very_many_names() {
    if !installed("btrfs") {
        return;
    }
    let mut tree = Tree::default();
    let file = tree.add_at(b"/d/first", Node::file(bytes(5000, 3))).unwrap();
    let directory = tree.lookup(b"/d").unwrap();
    for number in 0..3000 {
        tree.link(directory, format!("name-of-the-file-{number}").as_bytes(), file)
            .unwrap();
    }
    tree.link(NodeId::ROOT, b"outside", file).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("image");
    write(
        &plan(&tree, &options(Profile::Portable, Metadata::Single)).image,
        &path,
    );
    check(&path);
}

/// Files that share their extents, more of them than an extent's item has room for.
#[test]
fn equal_files_share_their_extents() {
    if !installed("btrfs") {
        return;
    }
    let mut tree = Tree::default();
    let sparse = [bytes(1 << 20, 3), vec![0; 1 << 20], bytes(300_000, 4)].concat();
    for number in 0..200 {
        tree.add_at(format!("/{number}").as_bytes(), Node::file(bytes(150_000, 7)))
            .unwrap();
    }
    for number in 0..3 {
        tree.add_at(format!("/sparse-{number}").as_bytes(), Node::file(sparse.clone()))
            .unwrap();
    }
    for number in 0..33 {
        tree.add_at(format!("/full-{number}").as_bytes(), Node::file(bytes(3000, 8)))
            .unwrap();
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("image");
    let shared = options(Profile::Portable, Metadata::Dup);
    let planned = plan(&tree, &shared);
    write(&planned.image, &path);
    check_both(&path);
    let apart = Options {
        equal_files: EqualFiles::Apart,
        ..shared
    };
    let apart = plan(&tree, &apart);
    write(&apart.image, &path);
    check_both(&path);
    let (shared, apart) = (planned.usage, apart.usage);
    assert_eq!((shared.data + shared.shared, apart.shared), (apart.data, 0));
    assert!(shared.data < 4 << 20, "{shared:?}");
}

#[test]
fn btrfs_check_finds_nothing_in_subvolumes() {
    if !installed("btrfs") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("image");
    for profile in PROFILES {
        let tree = with_subvolumes();
        let options = subvolumes(&tree, options(profile, Metadata::Dup));
        write(&plan(&tree, &options).image, &path);
        check_both(&path);
    }
}

/// Where a leaf is full to the last byte, and where a row of nodes gets another row above it.
#[test]
fn btrfs_check_finds_nothing_at_the_borders_of_nodes() {
    if !installed("btrfs") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("image");
    // Files of about a seventh of a leaf, each a little longer than the one before.
    let lens = |count: usize| (0..count).map(|number| 2048 - number % 97);
    let counts = (0..24).map(|step| 20 + step * 3).chain(3400..3406).chain([3600]);
    for (number, count) in counts.enumerate() {
        let mut tree = Tree::default();
        for (number, len) in lens(count).enumerate() {
            tree.add_at(format!("/{number}").as_bytes(), Node::file(bytes(len, 5)))
                .unwrap();
        }
        let profile = PROFILES[number % 2];
        write(
            &plan(&tree, &options(profile, METADATA[number / 2 % 2])).image,
            &path,
        );
        check(&path);
    }
}

/// What ends before, in or behind the place of a copy of the superblock, and what is longer than a chunk of data.
#[test]
fn btrfs_check_finds_nothing_at_the_borders_of_chunks() {
    if !installed("btrfs") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("image");
    let mib = 1_u64 << 20;
    let around = |len: u64| [len * mib - 65536 * 3, len * mib + 12345];
    let places = [around(58), around(61), around(63)].concat();
    for (number, len) in places.into_iter().chain([1100 * mib]).enumerate() {
        let mut tree = Tree::default();
        let content: Content = noise(len);
        tree.add_at(b"/noise", Node::file(content)).unwrap();
        tree.add_at(b"/tail", Node::file(bytes(300_000, 9))).unwrap();
        let options = options(PROFILES[number / 2 % 2], METADATA[number / 4 % 2]);
        let planned = plan(&tree, &options);
        write(&planned.image, &path);
        check(&path);
        std::fs::remove_file(&path).unwrap();
    }
}
