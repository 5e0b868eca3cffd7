//! Bytes that nobody would write: the reader says what is wrong, and neither panics nor takes more memory than there is.

use std::process::Command;
use std::sync::Arc;

use erofs::read::FileSystem;
use erofs::{Compression, Options, Profile};
use image::{Content, Kind, Node, ReadAt, Tree};

use crate::support::oracle::installed;
use crate::support::{bytes, noise, options, plan, run, try_plan, words};

fn image(compression: Compression) -> Vec<u8> {
    image_of(compression, Profile::Portable)
}

fn image_of(compression: Compression, profile: Profile) -> Vec<u8> {
    let mut tree = Tree::default();
    let mut small = Node::file(bytes(700, 3));
    small.meta.xattrs = vec![image::Xattr {
        name: b"user.note"[..].into(),
        value: b"read me"[..].into(),
    }];
    tree.add_at(b"/d/same", small.clone()).unwrap();
    tree.add_at(b"/d/small", small).unwrap();
    tree.add_at(b"/d/words", Node::file(words(100_000))).unwrap();
    let sparse = [words(9000), vec![0; 100_000], words(5000)].concat();
    tree.add_at(b"/d/sparse", Node::file(sparse)).unwrap();
    tree.add_at(b"/link", Node::symlink("target")).unwrap();
    tree.add_at(b"/d/noise", Node::file(noise(40_000))).unwrap();
    let options = Options {
        profile,
        compression,
        cluster: 32 << 10,
        ..options()
    };
    let image = plan(&tree, &options).image;
    let mut bytes = vec![0; usize::try_from(image.size()).unwrap()];
    image.read_exact_at(&mut bytes, 0).unwrap();
    bytes
}

/// Reads everything, in each way that there is.
fn read(image: Vec<u8>) -> Result<(), String> {
    let size = image.len() as u64;
    let system = FileSystem::open(Arc::new(Content::from(image)), size).map_err(|error| error.to_string())?;
    let checked = system.check().map_err(|error| error.to_string());
    let tree = system.tree().map_err(|error| error.to_string())?;
    for (_, node) in tree.nodes() {
        if let Kind::File(content) = &node.kind {
            // A hole of any length may be there.
            let mut piece = vec![0; usize::try_from(content.len().min(1 << 20)).unwrap()];
            content
                .read_exact_at(&mut piece, 0)
                .map_err(|error| error.to_string())?;
        }
    }
    checked
}

/// With its checksum made right again, so that the rest is looked at.
fn sealed(mut image: Vec<u8>) -> Vec<u8> {
    image[1028..1032].fill(0);
    let sum = !crc32c::crc32c(&image[1024..4096]);
    image[1028..1032].copy_from_slice(&sum.to_le_bytes());
    image
}

/// Where what describes files begins.
fn metadata(image: &[u8]) -> usize {
    let block = u32::from_le_bytes(image[1024 + 40..1024 + 44].try_into().unwrap());
    usize::try_from(block).unwrap() * 4096
}

#[test]
fn every_flipped_bit_of_the_superblock_is_found() {
    let image = image(Compression::None);
    read(image.clone()).unwrap();
    for place in 1024..4096 {
        let mut image = image.clone();
        image[place] ^= 0x10;
        assert!(read(image).is_err(), "byte {place}");
    }
}

/// What describes files has no checksum, so what is read may be something else; but nothing worse.
#[test]
fn no_flipped_bit_of_metadata_does_harm() {
    for (compression, profile) in [
        (Compression::None, Profile::Portable),
        (Compression::Zstd { level: 1 }, Profile::Portable),
        (Compression::Lz4 { level: 1 }, Profile::Portable),
        (Compression::Zstd { level: 1 }, Profile::Modern),
    ] {
        let image = image_of(compression, profile);
        read(image.clone()).unwrap();
        for place in (1024..1160).chain(metadata(&image)..image.len()).step_by(2) {
            for bits in [0x01, 0x80] {
                let mut image = image.clone();
                image[place] ^= bits;
                let _ = read(sealed(image));
            }
        }
    }
}

#[test]
fn flipped_bits_of_clusters_are_found_by_most_compressors() {
    let image = image(Compression::Zstd { level: 1 });
    let found = (4096..metadata(&image)).step_by(101).filter(|place| {
        let mut image = image.clone();
        image[*place] ^= 0x10;
        read(image).is_err()
    });
    assert!(found.count() > 0);
}

#[test]
fn truncated_images_are_refused() {
    let image = image(Compression::Deflate { level: 1 });
    for len in [
        0,
        1,
        1023,
        1024,
        1151,
        1152,
        4095,
        4096,
        image.len() - 4096,
        image.len() - 1,
    ] {
        let error = read(image[..len].to_vec()).unwrap_err();
        assert!(!error.is_empty(), "{len}");
    }
}

/// The last chunk that an address can name, in blocks of 64 KiB: its end is no number of 64 bits.
#[test]
fn chunks_behind_all_addresses_are_refused() {
    if !installed("mkfs.erofs-newer") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let [folder, path] = ["folder", "image"].map(|name| dir.path().join(name));
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(
        folder.join("sparse"),
        [vec![0; 131_072], vec![1; 70_000]].concat(),
    )
    .unwrap();
    let mut mkfs = Command::new("mkfs.erofs-newer");
    run(mkfs
        .args(["--quiet", "-E48bit", "--chunksize=4096"])
        .args([&path, &folder]));
    let mut image = std::fs::read(path).unwrap();
    image.resize(image.len().next_multiple_of(65_536), 0);
    // Blocks of 64 KiB, and no checksum.
    image[1024 + 12] = 16;
    let blocks = u32::try_from(image.len() / 65_536).unwrap();
    image[1024 + 36..1024 + 40].copy_from_slice(&blocks.to_le_bytes());
    image[1024 + 8] &= !1;
    // The file's chunks are holes, of which each has four bytes; they become chunks of two blocks in eight bytes.
    let holes: Vec<usize> = (1152..4096 - 32)
        .filter(|at| image[*at..].starts_with(&[0xff; 32]) && at % 32 == 0)
        .collect();
    let chunks = holes[0];
    image[chunks - 32 + 16] = 0x61;
    image[chunks..chunks + 8].copy_from_slice(&[0xff, 0xff, 0, 0, 0xfe, 0xff, 0xff, 0xff]);
    let error = read(image).unwrap_err();
    assert!(error.contains("chunks behind the end"), "{error}");
}

/// A directory in itself is found before it is entered again.
#[test]
fn directories_have_one_name() {
    let mut tree = Tree::default();
    tree.make_directory(b"/a/b").unwrap();
    let planned = plan(&tree, &options()).image;
    let mut image = vec![0; usize::try_from(planned.size()).unwrap()];
    planned.read_exact_at(&mut image, 0).unwrap();
    // `b` in `a` becomes the root.
    let start = metadata(&image);
    let root = 1_u64.to_le_bytes();
    let names: Vec<usize> = (start..image.len() - 4)
        .filter(|at| image[*at..].starts_with(b"...b"))
        .collect();
    let [names] = names[..] else { panic!("{names:?}") };
    image[names - 12..names - 4].copy_from_slice(&root);
    let error = read(image).unwrap_err();
    assert!(error.contains("two names"), "{error}");
}

#[test]
fn what_cannot_be_held_is_refused() {
    let refused = |tree: &Tree, options: &Options| try_plan(tree, options, 1).unwrap_err().to_string();
    let with = |cluster, compression| Options {
        cluster,
        compression,
        ..options()
    };
    let tree = Tree::default();
    assert_eq!(
        refused(&tree, &with(4096, Compression::None)),
        "cluster size 4096: must be a power of two from 8192 to 1048576"
    );
    assert_eq!(
        refused(&tree, &with(8192, Compression::Zstd { level: 23 })),
        "level 23: zstd has levels from 1 to 22"
    );
    let label = Options {
        label: Some("sixteen letters.".to_string()),
        ..options()
    };
    assert_eq!(
        refused(&tree, &label),
        "label sixteen letters.: is 16 bytes long, the limit is 15"
    );
}
