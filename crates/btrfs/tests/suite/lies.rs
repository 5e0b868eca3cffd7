//! Fields that lie with checksums that are right: chunks, extents, streams, and trees that lead back.

use std::sync::Arc;

use btrfs::read::FileSystem;
use btrfs::{Compression, Error, Metadata, Options, Profile};
use image::{Content, Kind, Node, ReadAt, Tree};

use crate::support::{COMPRESSIONS, bytes, options, plan, words};

/// A leaf's place in an image, and an item of it.
#[derive(Clone, Copy, Debug)]
struct Item {
    node: usize,
    head: usize,
    data: usize,
}

fn number(image: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(image[at..at + 8].try_into().unwrap())
}

fn short(image: &[u8], at: usize) -> usize {
    u32::from_le_bytes(image[at..at + 4].try_into().unwrap()) as usize
}

fn put(image: &mut [u8], at: usize, number: u64) {
    image[at..at + 8].copy_from_slice(&number.to_le_bytes());
}

fn seal(image: &mut [u8], start: usize, len: usize) {
    let sum = crc32c::crc32c(&image[start + 32..start + len]);
    image[start..start + 4].copy_from_slice(&sum.to_le_bytes());
}

/// All nodes of a tree, by the level that they say they have.
fn nodes(image: &[u8], tree: u64, level: u8) -> Vec<usize> {
    let fsid = &image[65536 + 32..65536 + 48];
    let is_node = |start: &usize| {
        &image[start + 32..start + 48] == fsid
            && number(image, start + 88) == tree
            && image[start + 100] == level
    };
    (1 << 20..image.len() - 16384)
        .step_by(16384)
        .filter(is_node)
        .collect()
}

/// All items of a type in a tree's leaves.
fn items(image: &[u8], tree: u64, kind: u8) -> Vec<Item> {
    let of_leaf = |node: usize| {
        (0..short(image, node + 96)).map(move |item| {
            let head = node + 101 + item * 25;
            let data = node + 101 + short(image, head + 17);
            Item { node, head, data }
        })
    };
    let all = nodes(image, tree, 0).into_iter().flat_map(of_leaf);
    all.filter(|item| image[item.head + 8] == kind).collect()
}

fn image(compression: Compression) -> Vec<u8> {
    let mut tree = Tree::default();
    tree.add_at(b"/d/small", Node::file(bytes(700, 3))).unwrap();
    tree.add_at(b"/d/words", Node::file(words(300_000))).unwrap();
    tree.add_at(b"/noise", Node::file(bytes(9000, 5))).unwrap();
    let options = Options {
        compression,
        ..options(Profile::Portable, Metadata::Single)
    };
    let image = plan(&tree, &options).image;
    let mut bytes = vec![0; usize::try_from(image.size()).unwrap()];
    image.read_exact_at(&mut bytes, 0).unwrap();
    bytes
}

fn open(image: &[u8]) -> Result<FileSystem, Error> {
    let size = image.len() as u64;
    FileSystem::open(Arc::new(Content::from(image.to_vec())), size)
}

/// Reads everything, and answers whether it was a lie.
fn read(image: &[u8]) -> Result<(), String> {
    let contents = open(image).and_then(|system| system.contents());
    let contents = contents.map_err(|error| error.to_string())?;
    for (_, node) in contents.tree.nodes() {
        if let Kind::File(content) = &node.kind {
            if content.len() > 64 << 20 {
                return Err("a very long file".into());
            }
            let found = content.to_vec().map_err(|error| error.to_string())?;
            assert_eq!(found.len() as u64, content.len());
        }
    }
    Ok(())
}

#[test]
fn chunks_that_overlap_or_point_outside_are_refused() {
    let image = image(Compression::None);
    let chunks = items(&image, 3, 228);
    assert_eq!(chunks.len(), 3);
    let last = chunks[2];
    let (start, place) = (
        number(&image, chunks[1].head + 9),
        number(&image, chunks[1].data + 56),
    );
    let size = image.len() as u64;
    let lies = [
        ("overlaps another", last.head + 9, start + 65536),
        (
            "begins where another does not end",
            last.head + 9,
            number(&image, last.head + 9) - 4096,
        ),
        ("ends behind the last address", last.head + 9, u64::MAX - 4095),
        ("is not aligned", last.head + 9, number(&image, last.head + 9) + 1),
        ("lies where another lies", last.data + 56, place),
        ("lies in another", last.data + 56, place + 65536),
        ("ends behind the device", last.data + 56, size - 4096),
        ("begins behind the device", last.data + 56, 1 << 63),
        ("lies at the end of all numbers", last.data + 56, u64::MAX - 4095),
        ("is empty", last.data, 0),
        ("is longer than the device", last.data, size),
        ("is longer than all numbers", last.data, 1 << 63),
        ("has stripes of no length", last.data + 16, 0),
        ("is of five copies", last.data + 44, 5),
        ("is RAID 0", last.data + 24, 1 | 8),
        ("has a copy that is not there", last.data + 24, 1 | 32),
    ];
    for (what, at, lie) in lies {
        let mut image = image.clone();
        if what == "is of five copies" {
            image[at] = 5;
        } else {
            put(&mut image, at, lie);
        }
        seal(&mut image, last.node, 16384);
        let Err(error) = open(&image) else {
            panic!("a chunk {what}");
        };
        let is_raid = what == "is RAID 0";
        assert_eq!(
            matches!(error, Error::Unsupported { .. }),
            is_raid,
            "{what}: {error}"
        );
        assert!(
            is_raid || matches!(error, Error::Damaged { .. }),
            "{what}: {error}"
        );
    }
}

/// The list in the superblock leads to the chunk tree, before anything else is known.
#[test]
fn chunks_of_the_superblock_are_not_believed() {
    let image = image(Compression::None);
    for at in (811..811 + 97).step_by(3) {
        for lie in [0, 1 << 63, u64::MAX, 4096, image.len() as u64] {
            let mut image = image.clone();
            put(&mut image, 65536 + at, lie);
            seal(&mut image, 65536, 4096);
            // Some of it has no meaning.
            let _ = open(&image).and_then(|system| system.check());
        }
    }
    for len in [0, 1, 96, 98, 2049, u64::from(u32::MAX)] {
        let mut image = image.clone();
        image[65536 + 160..65536 + 164].copy_from_slice(&u32::try_from(len).unwrap().to_le_bytes());
        seal(&mut image, 65536, 4096);
        assert!(open(&image).is_err(), "{len}");
    }
}

/// Every number of every extent of a file.
#[test]
fn extents_that_lie_about_their_lengths_are_found() {
    for compression in COMPRESSIONS.into_iter().step_by(2) {
        let image = image(compression);
        let extents = items(&image, 5, 108);
        assert!(extents.len() >= 3);
        let mut wrong = 0;
        for extent in &extents {
            // Of what lies in the leaf there is only the length.
            let is_inline = image[extent.data + 20] == 0;
            for (field, len) in [(8, 8), (16, 1), (20, 1), (21, 8), (29, 8), (37, 8), (45, 8)] {
                if is_inline && field > 20 {
                    continue;
                }
                let at = extent.data + field;
                let before = number(&image, at);
                let all = [
                    0,
                    1,
                    4096,
                    131_072,
                    135_168,
                    1 << 32,
                    1 << 63,
                    u64::MAX,
                    u64::MAX - 4095,
                ];
                for lie in all
                    .into_iter()
                    .chain([before.wrapping_add(4096), before.wrapping_sub(4096)])
                {
                    let mut image = image.clone();
                    image[at..at + len].copy_from_slice(&lie.to_le_bytes()[..len]);
                    seal(&mut image, extent.node, 16384);
                    let same = image[at..at + len] == before.to_le_bytes()[..len];
                    let is_wrong = read(&image).is_err();
                    let is_found = open(&image).unwrap().check().is_err();
                    assert!(!is_wrong || is_found, "field {field} is {lie}");
                    // A plain extent's length is that of its data, when that is not less.
                    assert!(
                        same || is_found || field == 8,
                        "field {field} is {lie}, {compression:?}"
                    );
                    wrong += u32::from(is_wrong);
                }
            }
        }
        assert!(wrong > 40, "{wrong}");
    }
}

/// Streams whose checksums nobody has: what comes out is as long as it has to be, or an error.
#[test]
fn streams_that_lie_are_found_or_end() {
    for compression in COMPRESSIONS.into_iter().skip(1) {
        let mut image = image(compression);
        for inode in items(&image, 5, 1) {
            image[inode.data + 64] |= 1;
            seal(&mut image, inode.node, 16384);
        }
        read(&image).unwrap();
        let extents = items(&image, 5, 108);
        let is_compressed = |item: &&Item| image[item.data + 16] != 0 && image[item.data + 20] == 1;
        let extent = extents.iter().find(is_compressed).unwrap().data;
        let data = items(&image, 3, 228)
            .into_iter()
            .find(|chunk| image[chunk.data + 24] == 1)
            .unwrap();
        let start =
            number(&image, extent + 21) - number(&image, data.head + 9) + number(&image, data.data + 56);
        let start = usize::try_from(start).unwrap();
        let len = usize::try_from(number(&image, extent + 29)).unwrap();
        let mut wrong = 0;
        for at in (0..len.min(32)).chain((32..len).step_by(2039)) {
            for lie in [0, 0xff, image[start + at] ^ 1] {
                let mut image = image.clone();
                image[start + at] = lie;
                wrong += u32::from(read(&image).is_err());
            }
        }
        assert!(wrong > 10, "{compression:?}: {wrong}");
        // Cut off, and all of it the same.
        for (from, byte) in [(0, 0), (0, 0xff), (len / 2, 0), (16, 0xff), (4, 0)] {
            let mut image = image.clone();
            image[start + from..start + len].fill(byte);
            let _ = read(&image);
        }
    }
}

/// Nodes that lead to themselves, to what is above them, to others' nodes, and nowhere.
#[test]
fn trees_that_lead_back_end() {
    let mut tree = Tree::default();
    for number in 0..1200 {
        tree.add_at(format!("/{number}").as_bytes(), Node::file(bytes(900, 1)))
            .unwrap();
    }
    let planned = plan(&tree, &options(Profile::Portable, Metadata::Single)).image;
    let mut image = vec![0; usize::try_from(planned.size()).unwrap()];
    planned.read_exact_at(&mut image, 0).unwrap();
    open(&image).unwrap().check().unwrap();
    let top = nodes(&image, 5, 1)[0];
    let address = |node: usize| number(&image, node + 48);
    let leaves = nodes(&image, 5, 0);
    let others = [2, 3, 7, 10].map(|tree| address(nodes(&image, tree, 0)[0]));
    let lies = [
        address(top),
        address(leaves[1]),
        address(leaves[2]),
        0,
        1 << 63,
        u64::MAX,
        4096,
    ];
    for pointer in [0, 1, 7] {
        let at = top + 101 + pointer * 33 + 17;
        let own = number(&image, at);
        for lie in lies.into_iter().chain(others).filter(|lie| *lie != own) {
            let mut image = image.clone();
            put(&mut image, at, lie);
            seal(&mut image, top, 16384);
            assert!(read(&image).is_err(), "pointer {pointer} is {lie}");
        }
    }
    // The root of the root tree, and of each tree in it.
    for (at, node, len) in items(&image, 1, 132)
        .into_iter()
        .map(|root| (root.data + 176, root.node, 16384))
        .chain([(65536 + 80, 65536, 4096), (65536 + 88, 65536, 4096)])
    {
        for lie in lies
            .into_iter()
            .chain(others)
            .filter(|lie| *lie != number(&image, at))
        {
            let mut image = image.clone();
            put(&mut image, at, lie);
            seal(&mut image, node, len);
            let checked = open(&image).and_then(|system| system.check());
            assert!(checked.is_err(), "the root at {at} is {lie}");
        }
    }
}

/// Bits of all nodes of all trees, with checksums that are right: no panic, and what cannot be read is not called right.
#[test]
fn no_bit_of_any_tree_is_believed() {
    let image = image(Compression::Zstd { level: 3 });
    let mut wrong = 0;
    for tree in [1, 2, 3, 4, 5, 7, 9, 10, 0_u64.wrapping_sub(9)] {
        let node = nodes(&image, tree, 0)[0];
        let count = short(&image, node + 96);
        let items = node + 101..node + 101 + count * 25;
        let data = node + 101 + short(&image, items.end - 8)..node + 16384;
        let all = (node + 48..node + 101).chain(items).chain(data);
        for (bit, at) in all.enumerate().filter(|(number, _)| number % 37 == 0) {
            let mut image = image.clone();
            image[at] ^= 1 << (bit % 8);
            seal(&mut image, node, 16384);
            let is_wrong = read(&image).is_err();
            let is_found = open(&image).and_then(|system| system.check()).is_err();
            assert!(!is_wrong || is_found, "byte {} of tree {tree}", at - node);
            wrong += u32::from(is_found);
        }
    }
    assert!(wrong > 100, "{wrong}");
}
