//! What e2fsck complains about, Kiln's reader complains about too; and every checksum is compared.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[expect(dead_code, reason = "each test file uses its own part")]
#[path = "support/made.rs"]
mod made;
#[expect(dead_code, reason = "each test file uses its own part")]
#[path = "support/patch.rs"]
mod patch;
#[expect(dead_code, reason = "each test file uses its own part")]
mod support;

use std::process::Command;

use ext4::{Options, Profile, Size};
use image::{Node, Tree};
use made::{Made, have_tools};
use patch::{BLOCK, Patched, SUPERBLOCK};
use support::{add_xattrs, bytes, options, zoo};

/// Commands for debugfs, and what the reader says then.
const DAMAGE: [(&str, &str); 28] = [
    ("sif f links_count 1", "it has 2 names, and counts 1"),
    ("sif d links_count 2", "it has 3 names, and counts 2"),
    ("clri g", "(inode 13): has a name and is not in use"),
    ("unlink g", "is free, and it says in use"),
    ("freei g", "inode 13 is in use, and it says free"),
    ("seti <100>", "inode 100 is free, and it says in use"),
    ("setb 15000", "block 15000 is free, and it says in use"),
    ("freeb 300", "block 300 is in use, and it says free"),
    ("set_bg 0 free_blocks_count 7", "descriptor of group 0: "),
    ("set_bg 1 free_inodes_count 7", "descriptor of group 1: "),
    (
        "set_bg 0 used_dirs_count 7",
        "inodes are directories, and it counts 7",
    ),
    (
        "set_bg 0 inode_table 400000",
        "the inode table is at block 400000, and there are",
    ),
    (
        "set_bg 0 block_bitmap 2",
        "is in use twice, the other time by the file system itself",
    ),
    (
        "sif f block[3] 5",
        "/f (inode 12): its size is 9000, and it has 14 blocks of 1024 bytes",
    ),
    (
        "sif f block[5] 40",
        "is in use twice, the other time by the file system itself",
    ),
    (
        "sif g size 2000",
        "/g (inode 13): its size is 2000, and it has 9 blocks of 1024 bytes",
    ),
    (
        "sif g blocks 20",
        "/g (inode 13): its blocks have 18 sectors, and it counts 20",
    ),
    ("sif d mode 0100644", "inode 14"),
    ("sif d size 100", "the directory's size is 100"),
    ("sif d/e size 2048", "the directory's size is 2048"),
    ("sif g mode 0", "/g (inode 13): its mode is 0o0"),
    ("link d d/e/loop", "/d/e/loop (inode 14): "),
    ("link f missing\nclri <12>", "(inode 12)"),
    (
        "sif s size 70",
        "/s (inode 16): the link's target does not have 70 bytes",
    ),
    ("sif <8> size 4096", "journal, inode 8: "),
    ("sif <7> block[DIND] 0", "inode 7: "),
    (
        "sif <7> block[0] 7",
        "room for more groups, inode 7: has blocks that are not doubly indirect",
    ),
    ("mknod p p\nsif p links_count 2", "it has 1 names, and counts 2"),
];

/// The same, where e2fsck mends without a word.
const SILENT: [(&str, &str); 4] = [
    ("ssv free_blocks_count 7", "blocks are free, and it counts 7"),
    ("ssv free_inodes_count 7", "inodes are free, and it counts 7"),
    ("ssv state 2", "superblock: the kernel has noted errors"),
    (
        "ssv state 0",
        "superblock: the file system was not unmounted cleanly",
    ),
];

#[test]
fn damage_is_found() {
    if !have_tools() {
        return;
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes(9000, 3)).unwrap();
    let (path, target) = (file.path().display(), "t".repeat(80));
    let setup = format!(
        "write {path} f\nwrite {path} g\nmkdir d\nmkdir d/e\nsymlink s {target}\nln f h\nsif f links_count 2\n"
    );
    let mut wrong = Vec::new();
    for kind in ["^metadata_csum", "metadata_csum"] {
        for (number, (damage, wanted)) in DAMAGE.into_iter().chain(SILENT).enumerate() {
            let made = Made::small(&["-t", "ext4", "-b", "1024", "-O", kind]);
            made.debugfs(&setup);
            made.tree();
            made.debugfs(&format!("{damage}\n"));
            let found = made.open().and_then(|found| found.check());
            let error = found.map_err(|error| error.to_string()).unwrap_err();
            // debugfs does not always set the checksum right.
            let of_group =
                damage.starts_with("set_bg") && error.starts_with("descriptor of group 0: its checksum");
            if !error.contains(wanted) && !of_group {
                wrong.push(format!("{kind}, {damage}: {error}"));
            }
            let fsck = Command::new("e2fsck")
                .arg("-fn")
                .arg(&made.path)
                .output()
                .unwrap();
            if fsck.status.success() && number < DAMAGE.len() {
                wrong.push(format!("{kind}, {damage}: e2fsck finds nothing"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Where the second group begins.
const GROUP: u64 = 32768 * BLOCK;

/// Two groups, with all that has a checksum.
fn two_groups(profile: Profile) -> Patched {
    let mut tree: Tree = zoo(4096);
    add_xattrs(&mut tree);
    let many = tree.make_directory(b"/many").unwrap();
    for number in 0..300 {
        let name = format!("name-of-file-{number}");
        tree.add(many, name.as_bytes(), Node::symlink("short")).unwrap();
    }
    let piece = |number| [bytes(9, number), vec![0; 160 << 10]].concat();
    let pieces: Vec<u8> = (1..9).flat_map(piece).collect();
    tree.add_at(b"/pieces", Node::file(pieces)).unwrap();
    let options = Options {
        size: Size::Exactly(GROUP + (32 << 20)),
        ..options(profile)
    };
    let image = Patched::new(ext4::plan(&tree, &options).unwrap().image);
    image.open().unwrap().check().unwrap();
    image
}

fn assert_found(image: &Patched, wanted: &str) {
    let error = image.open().and_then(|found| found.check());
    let error = error.map_err(|error| error.to_string()).unwrap_err();
    assert!(error.contains(wanted), "{wanted}: {error}");
}

#[test]
fn every_checksum_is_compared() {
    let image = two_groups(Profile::Portable);
    let inode = |path| image.inode(path);
    let attributes = image.number(inode("/names/case") + 104) * BLOCK;
    for (place, wanted) in [
        (SUPERBLOCK + 48, "superblock: its checksum is "),
        (BLOCK + 40, "descriptor of group 0: its checksum is "),
        (BLOCK + 64 + 40, "descriptor of group 1: its checksum is "),
        (inode("/pieces") + 8, "): its checksum is "),
        (
            image.block(inode("/pieces")) + 8,
            "the checksum of the node of its extent tree",
        ),
        (
            image.block(inode("/hard")) + BLOCK - 40,
            "block 0 of the directory): its checksum is ",
        ),
        (
            image.block(inode("/many")) + 40,
            "block 0 of the directory): its checksum is ",
        ),
        (attributes + 24, "): their checksum is "),
        (
            image.number(BLOCK) * BLOCK + 9,
            "block bitmap of group 0: its checksum is ",
        ),
        (
            image.number(BLOCK + 4) * BLOCK + 9,
            "inode bitmap of group 0: its checksum is ",
        ),
        (GROUP + 48, "superblock of group 1: its checksum is "),
        (
            GROUP + BLOCK + 64 + 40,
            "descriptor of group 1, copy in group 1: its checksum is ",
        ),
    ] {
        assert_found(&image.clone().flip(place), wanted);
    }
    let image = two_groups(Profile::UbootLegacy);
    assert_found(
        &image.clone().flip(BLOCK + 12),
        "descriptor of group 0: its checksum is ",
    );
}

/// Without checksums, what is twice must be the same.
#[test]
fn copies_are_compared() {
    let image = two_groups(Profile::UbootLegacy);
    let image = [SUPERBLOCK, GROUP].into_iter().fold(image, |image, place| {
        let [features] = image.bytes(place + 100);
        image.put(place + 100, &[features & !0x10])
    });
    image.open().unwrap().check().unwrap();
    let inode = |path| image.inode(path);
    let journal = image.inode_numbered(8);
    let resize = image.inode_numbered(7);
    let reserved = image.number(resize + 92) * BLOCK;
    let attributes = image.number(inode("/names/case") + 104) * BLOCK;
    for (place, wanted) in [
        (GROUP, "superblock of group 1: its inodes_count is "),
        (GROUP + 40, "superblock of group 1: its inodes_per_group is "),
        (GROUP + 90, "superblock of group 1: it says that it is of group "),
        (GROUP + 104, "superblock of group 1: its uuid is "),
        (GROUP + 236, "superblock of group 1: its hash_seed is "),
        (
            GROUP + BLOCK,
            "descriptor of group 0, copy in group 1: has other places than the first",
        ),
        (
            SUPERBLOCK + 268,
            "journal, inode 8: the superblock's copy of its blocks is another",
        ),
        (
            image.block(journal) + 31,
            "journal, inode 8: there are changes in it",
        ),
        (image.block(journal) + 3, "journal, inode 8: has no superblock"),
        (
            reserved + 4,
            "room for more groups, inode 7: pointer 1 of its block ",
        ),
        (
            image.number(reserved + 4) * BLOCK,
            "room for more groups, inode 7: pointer 0 of its block ",
        ),
        (attributes + 4, "attributes in block"),
        (attributes + 12, "attributes in block"),
        (attributes + 32 + 12, "has the hash "),
        (inode("/pieces") + 26, "it has 1 names, and counts "),
        (inode("/pieces") + 28, "sectors, and it counts "),
    ] {
        assert_found(&image.clone().flip(place), wanted);
    }
    let unshared = image.clone().put(attributes + 4, &[0]);
    assert_found(&unshared, "inode 1 that has them; they count 0");
    // An inode without a name counts one.
    let unnamed = image.clone().put(image.inode_numbered(5000) + 26, &[1]);
    assert_found(&unnamed, "inode 5000: is in use and has no name");
}
