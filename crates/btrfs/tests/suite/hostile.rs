//! Bytes that nobody would write: the reader says what is wrong, and neither panics nor takes more memory than there is.

use std::sync::Arc;

use btrfs::read::FileSystem;
use btrfs::{Compression, Error, Metadata, Options, Profile};
use image::{Content, Kind, Node, ReadAt, Tree};

use crate::support::{bytes, odd, options, plan, words};

fn image() -> Vec<u8> {
    let mut tree = Tree::default();
    tree.add_at(b"/d/small", Node::file(bytes(700, 3))).unwrap();
    tree.add_at(b"/d/words", Node::file(words(300_000))).unwrap();
    tree.add_at(b"/noise", Node::file(bytes(9000, 5))).unwrap();
    tree.add_at(b"/link", Node::symlink("target")).unwrap();
    let options = Options {
        compression: Compression::Zstd { level: 3 },
        ..options(Profile::Portable, Metadata::Single)
    };
    let image = plan(&tree, &options).image;
    let mut bytes = vec![0; usize::try_from(image.size()).unwrap()];
    image.read_exact_at(&mut bytes, 0).unwrap();
    bytes
}

/// Reads everything.
fn read(image: Vec<u8>) -> Result<(), String> {
    let size = image.len() as u64;
    let system = FileSystem::open(Arc::new(Content::from(image)), size).map_err(|error| error.to_string())?;
    let contents = system.contents().map_err(|error| error.to_string())?;
    for (_, node) in contents.tree.nodes() {
        if let Kind::File(content) = &node.kind {
            content.to_vec().map_err(|error| error.to_string())?;
        }
    }
    Ok(())
}

fn check(image: Vec<u8>) -> Result<(), Error> {
    let size = image.len() as u64;
    FileSystem::open(Arc::new(Content::from(image)), size)?.check()
}

/// With its checksum made right again, so that the rest is looked at.
fn sealed(mut image: Vec<u8>, start: usize, len: usize) -> Vec<u8> {
    let sum = crc32c::crc32c(&image[start + 32..start + len]);
    image[start..start + 4].copy_from_slice(&sum.to_le_bytes());
    image
}

const SUPERBLOCK: usize = 65536;

#[test]
fn every_flipped_bit_of_a_node_is_found() {
    let image = image();
    read(image.clone()).unwrap();
    let nodes: Vec<usize> = nodes(&image);
    assert!(nodes.len() > 8, "{nodes:?}");
    let chunks = FileSystem::open(Arc::new(Content::from(image.clone())), image.len() as u64).unwrap();
    assert!(chunks.info().used > 0);
    // Reading needs neither of what is free, nor who uses what.
    let unread = [2, 4, 9, 10, 0_u64.wrapping_sub(9)];
    for start in nodes {
        let owner = u64::from_le_bytes(image[start + 88..start + 96].try_into().unwrap());
        for place in (0..16384).step_by(97).filter(|place| !(4..32).contains(place)) {
            let mut image = image.clone();
            image[start + place] ^= 0x10;
            let is_found = if unread.contains(&owner) {
                check(image).is_err()
            } else {
                read(image).is_err()
            };
            assert!(is_found, "byte {place} of the node at {start} of tree {owner}");
        }
    }
}

#[test]
fn every_flipped_bit_of_data_is_found() {
    let image = image();
    let noise = bytes(9000, 5);
    let start = (0..image.len())
        .step_by(4096)
        .find(|start| image[*start..].starts_with(&noise))
        .unwrap();
    for place in (0..12288).step_by(1021) {
        let mut image = image.clone();
        image[start + place] ^= 1;
        let error = read(image).unwrap_err();
        assert!(error.contains("its checksum is wrong"), "{error}");
    }
}

/// The places of all nodes.
fn nodes(image: &[u8]) -> Vec<usize> {
    let fsid = &image[SUPERBLOCK + 32..SUPERBLOCK + 48];
    let is_node = |start: &usize| &image[start + 32..start + 48] == fsid;
    (1 << 20..image.len() - 16384)
        .step_by(16384)
        .filter(is_node)
        .collect()
}

/// What describes the rest is compared with it: numbers of items, with checksums that are right.
#[test]
fn what_contradicts_the_rest_is_found() {
    let image = image();
    check(image.clone()).unwrap();
    let mut count = 0;
    for start in nodes(&image) {
        let owner = image[start + 88];
        // The extent tree, the device tree, the tree of ids and the free space tree: all their keys and items.
        if ![2, 4, 9, 10].contains(&owner) {
            continue;
        }
        let number = |at: usize| u32::from_le_bytes(image[at..at + 4].try_into().unwrap()) as usize;
        for item in 0..number(start + 96) {
            let head = start + 101 + item * 25;
            let data = start + 101 + number(head + 17);
            let kind = image[head + 8];
            // Statistics, and what says which chunk tree there is.
            let len = match kind {
                249 => continue,
                204 => 0,
                _ => number(head + 21),
            };
            for at in (head..head + 17).chain(data..data + len) {
                // The generation says nothing; whether what is below names the node or its tree does not where
                // nothing is.
                if kind == 169 && at == data + 17 {
                    continue;
                }
                if matches!(kind, 168 | 169 | 192) && (data + 8..data + 16).contains(&at) {
                    continue;
                }
                let mut image = image.clone();
                image[at] ^= 1;
                assert!(
                    check(sealed(image, start, 16384)).is_err(),
                    "byte {} of item {item} of tree {owner}",
                    at - start
                );
                count += 1;
            }
        }
    }
    assert!(count > 300, "{count}");
    let mut twice = image.clone();
    let used = SUPERBLOCK + 120;
    twice[used] ^= 1;
    assert!(check(sealed(twice, SUPERBLOCK, 4096)).is_err());
}

#[test]
fn copies_that_differ_are_found() {
    let image = plan(&odd(), &options(Profile::Portable, Metadata::Dup)).image;
    let mut bytes = vec![0; usize::try_from(image.size()).unwrap()];
    image.read_exact_at(&mut bytes, 0).unwrap();
    check(bytes.clone()).unwrap();
    let own = nodes(&bytes);
    let is_second = |start: &&usize| {
        own.iter()
            .any(|first| first < start && bytes[*first..first + 200] == bytes[**start..**start + 200])
    };
    let second = *own.iter().find(is_second).unwrap();
    bytes[second + 16000] ^= 1;
    let error = check(bytes.clone()).unwrap_err().to_string();
    assert!(error.contains("its copies differ"), "{error}");
    read(bytes).unwrap();
}

/// Whatever a field says, with checksums that are right: errors are fine, and so is what makes no difference.
#[test]
fn no_number_is_believed() {
    let image = image();
    let mut places: Vec<(usize, usize, usize)> = (48..4096 - 8).map(|at| (SUPERBLOCK, 4096, at)).collect();
    for start in nodes(&image) {
        places.extend(
            (48..16384 - 8)
                .filter(|at| *at < 3000 || at % 7 == 0)
                .map(|at| (start, 16384, at)),
        );
    }
    let mut state = 1_u32;
    let (mut count, mut wrong) = (0, 0);
    for (start, len, at) in places {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        if !(state >> 16).is_multiple_of(150) {
            continue;
        }
        for number in [0, 1, u64::MAX, 1 << 63, 1 << 40, 0xff] {
            let mut image = image.clone();
            image[start + at..start + at + 8].copy_from_slice(&number.to_le_bytes());
            count += 1;
            let image = sealed(image, start, len);
            let is_wrong = read(image.clone()).is_err();
            let is_contradicted = check(image).is_err();
            assert!(is_contradicted || !is_wrong, "byte {at} of the block at {start}");
            wrong += usize::from(is_wrong);
        }
    }
    // Most of a node is empty.
    assert!(count > 400 && wrong > 40, "{wrong} of {count}");
}

#[test]
fn what_ends_too_early_is_no_file_system() {
    let image = image();
    for len in [
        0,
        4096,
        65536,
        69631,
        69632,
        1 << 20,
        image.len() - 65536,
        image.len() - 1,
    ] {
        assert!(read(image[..len].to_vec()).is_err(), "{len}");
    }
    let error = read(vec![0; 1 << 20]).unwrap_err();
    assert_eq!(error, "not btrfs: there is no magic number");
}

/// A node that leads to itself.
#[test]
fn loops_end() {
    let mut tree = odd();
    for number in 0..2000 {
        tree.add_at(format!("/many/{number}").as_bytes(), Node::file(bytes(900, 1)))
            .unwrap();
    }
    let image = plan(&tree, &options(Profile::Portable, Metadata::Single)).image;
    let mut bytes = vec![0; usize::try_from(image.size()).unwrap()];
    image.read_exact_at(&mut bytes, 0).unwrap();
    let top = nodes(&bytes)
        .into_iter()
        .find(|start| bytes[start + 100] == 1 && bytes[start + 88] == 5)
        .unwrap();
    let own: [u8; 8] = bytes[top + 48..top + 56].try_into().unwrap();
    bytes[top + 101 + 17..top + 101 + 25].copy_from_slice(&own);
    let error = read(sealed(bytes, top, 16384)).unwrap_err();
    assert!(error.contains("level 0, generation 1 is wanted"), "{error}");
}

#[test]
fn what_is_not_read_is_named() {
    let image = image();
    let with = |at: usize, number: u64| {
        let mut image = image.clone();
        image[SUPERBLOCK + at..SUPERBLOCK + at + 8].copy_from_slice(&number.to_le_bytes());
        let image = sealed(image, SUPERBLOCK, 4096);
        let size = image.len() as u64;
        FileSystem::open(Arc::new(Content::from(image)), size).unwrap_err()
    };
    for error in [
        with(188, 0x361 | 0x80),
        with(188, 0x361 | 1 << 50),
        with(136, 2),
        with(96, 1 << 20),
    ] {
        assert!(matches!(error, Error::Unsupported { .. }), "{error}");
    }
}
