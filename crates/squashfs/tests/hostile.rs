//! Damaged and hostile images: errors are fine, panics, endless loops and runaway memory are not.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[expect(dead_code, reason = "each test file uses its own part")]
mod support;

use std::sync::{Arc, OnceLock};

use image::{Content, Kind, Node, ReadAt, Tree};
use proptest::prelude::*;
use squashfs::Compression;
use squashfs::read::Archive;
use support::{add_specials, add_xattrs, options, plan, zoo};

fn images() -> &'static Vec<Vec<u8>> {
    static IMAGES: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    IMAGES.get_or_init(|| {
        let mut tree = zoo(4096);
        add_specials(&mut tree);
        add_xattrs(&mut tree);
        let kinds = [
            Compression::None,
            Compression::Zstd { level: 3 },
            Compression::Xz { level: 1 },
        ];
        let bytes = |compression| {
            let image = plan(&tree, &options(compression, 4096), 2).image;
            let mut bytes = vec![0; usize::try_from(image.size()).unwrap()];
            image.read_exact_at(&mut bytes, 0).unwrap();
            bytes
        };
        kinds.map(bytes).to_vec()
    })
}

/// Reads everything that can be read, but at most 1 MiB of a file.
fn read_all(bytes: Vec<u8>) {
    let size = bytes.len() as u64;
    let Ok(archive) = Archive::open(Arc::new(Content::from(bytes)), size) else {
        return;
    };
    let Ok(tree) = archive.tree() else { return };
    for (_, node) in tree.nodes() {
        if let Kind::File(content) = &node.kind {
            let mut buffer = vec![0; usize::try_from(content.len().min(1 << 20)).unwrap()];
            let _ = content.read_exact_at(&mut buffer, 0);
        }
    }
}

#[test]
fn every_field_of_the_superblock_is_checked() {
    for image in images() {
        for place in 0..96 {
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut bytes = image.clone();
                bytes[place] = value;
                read_all(bytes);
            }
        }
    }
}

#[test]
fn a_directory_inside_itself_is_found() {
    // The tree /a: its entry is turned into one that refers to the root's inode.
    let mut tree = Tree::default();
    tree.make_directory(b"/a/b").unwrap();
    let image = plan(&tree, &options(Compression::None, 4096), 1).image;
    let mut bytes = vec![0; usize::try_from(image.size()).unwrap()];
    image.read_exact_at(&mut bytes, 0).unwrap();
    let root = u64::from_le_bytes(bytes[32..40].try_into().unwrap());
    let directories = usize::try_from(u64::from_le_bytes(bytes[72..80].try_into().unwrap())).unwrap();
    let entry = directories + 2 + 12;
    bytes[entry..entry + 2].copy_from_slice(&u16::try_from(root & 0xffff).unwrap().to_le_bytes());
    // The entry names the root's number, too: its header is the base, and the root's own inode has it.
    let inodes = usize::try_from(u64::from_le_bytes(bytes[64..72].try_into().unwrap())).unwrap();
    let own = inodes + 2 + usize::try_from(root & 0xffff).unwrap() + 12;
    bytes.copy_within(own..own + 4, directories + 2 + 8);
    bytes[entry + 2..entry + 4].fill(0);
    let size = bytes.len() as u64;
    let error = Archive::open(Arc::new(Content::from(bytes)), size)
        .unwrap()
        .tree()
        .unwrap_err();
    assert!(
        error.to_string().contains("a directory with two names"),
        "{error}"
    );
}

#[test]
fn inodes_that_linux_would_mistake_are_refused() {
    let mut tree = Tree::default();
    for name in ["/one", "/two"] {
        tree.add_at(name.as_bytes(), Node::file(name.as_bytes())).unwrap();
    }
    tree.add_at(b"/void", Node::file(&b""[..])).unwrap();
    let image = plan(&tree, &options(Compression::None, 4096), 1).image;
    let mut bytes = vec![0; usize::try_from(image.size()).unwrap()];
    image.read_exact_at(&mut bytes, 0).unwrap();
    let place =
        |at: usize| usize::try_from(u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())).unwrap();
    let (inodes, header) = (place(64) + 2, place(72) + 2);
    // An entry has 8 bytes and its name.
    let [one, two, void] = [12, 12 + 11, 12 + 22].map(|offset| header + offset);
    let inode = |entry: usize| inodes + usize::from(u16::from_le_bytes([bytes[entry], bytes[entry + 1]]));
    let problem = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = bytes.clone();
        change(&mut bytes);
        let size = bytes.len() as u64;
        let archive = Archive::open(Arc::new(Content::from(bytes)), size).unwrap();
        archive.tree().map(drop).unwrap_err().to_string()
    };
    let wrong = problem(&|bytes| bytes[two + 2] ^= 0x40);
    assert!(
        wrong.contains("two: the entry's inode number is not the inode's"),
        "{wrong}"
    );
    // The second has the first's number, and its entry says so.
    let twice = problem(&|bytes| {
        bytes.copy_within(one + 2..one + 4, two + 2);
        bytes.copy_within(inode(one) + 12..inode(one) + 16, inode(two) + 12);
    });
    assert!(twice.contains("two inodes with the number"), "{twice}");
    let other_type = problem(&|bytes| bytes[inode(one) + 3] |= 0x40);
    assert!(
        other_type.contains("an inode of type 2 with the mode 40644"),
        "{other_type}"
    );
    let lost = problem(&|bytes| bytes[inode(void) + 20..inode(void) + 24].fill(1));
    assert!(lost.contains("a fragment block that does not exist"), "{lost}");
}

#[test]
fn endless_depth_is_refused() {
    let mut tree = Tree::default();
    tree.make_directory("/d".repeat(3000).as_bytes()).unwrap();
    let image = plan(&tree, &options(Compression::Zstd { level: 1 }, 4096), 1).image;
    let size = image.size();
    let error = Archive::open(Arc::new(image), size).unwrap().tree().unwrap_err();
    assert!(error.to_string().contains("more than 2048 deep"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn flipped_bytes(which in 0usize..3, flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6), tables in any::<bool>()) {
        let mut bytes = images()[which].clone();
        // Most bytes are data; half of the cases aim at the tables behind it.
        let first = if tables { usize::try_from(u64::from_le_bytes(bytes[64..72].try_into().unwrap())).unwrap() } else { 0 };
        let len = bytes.len() - first;
        for (index, value) in flips {
            bytes[first + index.index(len)] = value;
        }
        read_all(bytes);
    }

    #[test]
    fn cut_off(which in 0usize..3, index in any::<prop::sample::Index>()) {
        let bytes = &images()[which];
        read_all(bytes[..index.index(bytes.len())].to_vec());
    }

    #[test]
    fn noise_behind_a_superblock(mut head in proptest::collection::vec(any::<u8>(), 96..600)) {
        head[..4].copy_from_slice(b"hsqs");
        head[12..16].copy_from_slice(&4096u32.to_le_bytes());
        head[22..24].copy_from_slice(&12u16.to_le_bytes());
        head[28..30].copy_from_slice(&4u16.to_le_bytes());
        read_all(head);
    }
}
