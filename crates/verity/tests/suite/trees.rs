//! Trees, made and checked.

use crate::support::{COUNTS, all, bytes, check, hex, plan, salted, work};
use image::{Content, Fault, Layout, Silent, Spool};
use proptest::prelude::*;
use uuid::Uuid;
use verity::{BLOCK_SIZE, Error, Options, Parent, Part, SUPERBLOCK_SIZE, Work, read_superblock, tree_size};

#[test]
fn root_hashes_are_pinned() {
    let roots = COUNTS.map(|count| hex(&plan(&bytes(count), &salted(b"salt")).root));
    insta::assert_debug_snapshot!(roots);
}

#[test]
fn the_map_names_the_levels() {
    let options = Options {
        salt: vec![7; 32],
        superblock: Some(Uuid::from_u128(1)),
    };
    let planned = plan(&bytes(128 * 128 + 1), &options);
    let map: Vec<_> = planned.image.map();
    let lines: Vec<_> = map
        .iter()
        .map(|line| format!("{:>7} {:>7} {}", line.start, line.end, line.label))
        .collect();
    assert_eq!(
        lines,
        [
            "      0    4096 superblock",
            "   4096    8192 level 2",
            "   8192   16384 level 1",
            "  16384  544768 level 0",
        ]
    );
    assert_eq!(planned.data_blocks, 128 * 128 + 1);
    assert_eq!(
        planned.image.size(),
        SUPERBLOCK_SIZE + tree_size(planned.data_blocks * BLOCK_SIZE)
    );
}

#[test]
fn threads_and_spools_change_no_byte() {
    let dir = tempfile::tempdir().unwrap();
    for count in COUNTS {
        let data = Content::from(bytes(count));
        let one = verity::plan(&data, &salted(b"s"), &Work { threads: 1, ..work() }).unwrap();
        let spool = Spool::create(dir.path()).unwrap();
        let many = Work {
            spool: Some(&spool),
            threads: 8,
            progress: &Silent,
        };
        let eight = verity::plan(&data, &salted(b"s"), &many).unwrap();
        assert_eq!(one.root, eight.root);
        assert!(all(&one.image) == all(&eight.image), "{count} blocks");
    }
}

/// A hole that spans chunks, one inside a chunk, an image in an image, and zeros in three disguises.
#[test]
fn holes_are_zeros() {
    let mut inner = Layout::new();
    inner.put(4096, "a", bytes(2));
    inner.put(900_000, "b", vec![0; 5000]);
    let mut outer = Layout::new();
    outer.put(0, "first", bytes(1));
    outer.put(3_000_000, "inner", inner.finish(1_000_000).unwrap());
    outer.put(5_000_000, "zeros", Content::Zeros(600_000));
    outer.put(6_000_123, "odd", &b"x"[..]);
    let image = Content::from(outer.finish(2000 * BLOCK_SIZE).unwrap());
    let (sparse, full) = (
        verity::plan(&image, &salted(b"s"), &work()).unwrap(),
        plan(&image.to_vec().unwrap(), &salted(b"s")),
    );
    assert_eq!(sparse.root, full.root);
    assert!(all(&sparse.image) == all(&full.image));
}

/// What is known to be zeros is not read: four terabytes take no time.
#[test]
fn what_is_known_is_not_read() {
    #[derive(Debug)]
    struct Trap;
    impl image::ReadAt for Trap {
        fn read_exact_at(&self, _: &mut [u8], start: u64) -> std::io::Result<()> {
            Err(std::io::Error::other(format!("read at {start}")))
        }
    }
    let trap = |start| Content::Span {
        source: std::sync::Arc::new(Trap),
        start,
        len: 4096,
    };
    let mut layout = Layout::new();
    layout.put(0, "zeros", Content::Zeros(1 << 30));
    let planned = verity::plan(
        &layout.clone().finish(4 << 30).unwrap().into(),
        &salted(b""),
        &work(),
    )
    .unwrap();
    assert_eq!(
        planned.root,
        verity::plan(&Content::Zeros(4 << 30), &salted(b""), &work())
            .unwrap()
            .root
    );
    layout.put(2 << 30, "trap", trap(0));
    let error = verity::plan(&layout.finish(4 << 30).unwrap().into(), &salted(b""), &work()).unwrap_err();
    assert!(error.to_string().contains("read at 0"), "{error}");
}

#[test]
fn what_is_no_data_is_refused() {
    for len in [0, 1, 4095, 4097] {
        let error = verity::plan(&Content::Zeros(len), &salted(b""), &work()).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("a hash tree over {len} bytes: must be a multiple of 4096, and at least one block")
        );
        assert_eq!(error.fault(), Fault::Request);
    }
    let error = verity::plan(&Content::Zeros(4096), &salted(&[0; 257]), &work()).unwrap_err();
    assert_eq!(error.to_string(), "a verity salt of 257 bytes: the limit is 256");
}

#[test]
fn one_block_is_its_own_root() {
    let planned = plan(&bytes(1), &salted(b"x"));
    assert_eq!(planned.image.size(), 0);
    assert_eq!(planned.image.extents().len(), 0);
    check(&bytes(1), &[], &planned.root, b"x").unwrap();
    let error = check(&bytes(1), &[], &[0; 32], b"x").unwrap_err();
    assert_eq!(
        error.to_string(),
        "data: block 0 at byte 0 does not have the hash that the root hash has for it"
    );
}

/// Each part of a tree of three levels, damaged in turn.
#[test]
fn damage_is_named() {
    let data = bytes(128 * 128 + 1);
    let planned = plan(&data, &salted(b"salt"));
    let tree = all(&planned.image);
    check(&data, &tree, &planned.root, b"salt").unwrap();
    let tree_cases = [
        (0, Part::Level(2), 0, 0, Parent::Root),
        (64, Part::Level(2), 0, 0, Parent::Root),
        (4096 + 5, Part::Level(1), 0, 4096, Parent::Level(2)),
        (2 * 4096 + 40, Part::Level(1), 1, 2 * 4096, Parent::Level(2)),
        (3 * 4096 + 9, Part::Level(0), 0, 3 * 4096, Parent::Level(1)),
        (tree.len() - 1, Part::Level(0), 128, 131 * 4096, Parent::Level(1)),
    ];
    for (place, part, block, start, parent) in tree_cases {
        let mut tree = tree.clone();
        tree[place] ^= 1;
        let error = check(&data, &tree, &planned.root, b"salt").unwrap_err();
        assert!(
            matches!(error, Error::Mismatch { part: p, block: b, start: s, parent: q }
                if (p, b, s, q) == (part, block, start, parent)),
            "byte {place}: {error}"
        );
        assert_eq!(error.fault(), Fault::Damaged);
    }
    for block in [0, 127, 128, 128 * 128] {
        let mut data = data.clone();
        data[block * 4096 + 4095] ^= 0x80;
        let error = check(&data, &tree, &planned.root, b"salt").unwrap_err();
        let start = block * 4096;
        assert_eq!(
            error.to_string(),
            format!("data: block {block} at byte {start} does not have the hash that level 0 has for it")
        );
    }
    assert!(
        check(&data, &tree, &planned.root, b"other").is_err(),
        "another salt"
    );
    let error = check(&data, &tree[4096..], &planned.root, b"salt").unwrap_err();
    assert!(matches!(error, Error::TreeLen { .. }), "{error}");
}

/// A tree whose every hash fits, but with more than zeros behind the last digest: only whoever makes the root hash
/// can make one.
#[test]
fn padding_is_zeros() {
    let data = bytes(2);
    let mut tree = all(&plan(&data, &salted(b"")).image);
    tree[4095] = 1;
    let root = plan(&tree, &salted(b"")).root;
    let error = check(&data, &tree, &root, b"").unwrap_err();
    assert_eq!(
        error.to_string(),
        "level 0 of the hash tree: block 0 at byte 0 has more than zeros behind its last digest"
    );
}

#[test]
fn lengths_that_lie_are_errors() {
    let source = Content::from(bytes(3));
    let area = |start, len| verity::Area {
        source: &source,
        start,
        len,
    };
    for (data, tree) in [
        (area(0, u64::MAX), area(0, 4096)),
        (area(0, u64::MAX - 4095), area(0, tree_size(u64::MAX - 4095))),
        (area(u64::MAX, 8192), area(u64::MAX, 4096)),
        (area(0, 8192), area(4096 * 2 + 1, 4096)),
        (area(0, 0), area(0, 0)),
    ] {
        assert!(verity::check(data, tree, &[0; 32], b"", &work()).is_err());
    }
}

#[test]
fn partitions_have_the_halves_of_the_root_hash() {
    let root = std::array::from_fn(|at| u8::try_from(at).unwrap());
    let (data, hashes) = verity::partition_uuids(&root);
    assert_eq!(data.to_string(), "00010203-0405-0607-0809-0a0b0c0d0e0f");
    assert_eq!(hashes.to_string(), "10111213-1415-1617-1819-1a1b1c1d1e1f");
}

#[test]
fn hostile_superblocks() {
    let options = Options {
        salt: (0..=255).collect(),
        superblock: Some(Uuid::from_u128(0x1234)),
    };
    let block = all(&plan(&bytes(129), &options).image);
    let read = read_superblock(&block).unwrap();
    assert_eq!((read.uuid, read.data_blocks), (Uuid::from_u128(0x1234), 129));
    assert_eq!(read.salt, options.salt);
    let changed = |place: usize, bytes: &[u8]| {
        let mut block = block.clone();
        block[place..place + bytes.len()].copy_from_slice(bytes);
        read_superblock(&block).unwrap_err().to_string()
    };
    let cases = [
        changed(0, b"V"),
        changed(8, &[2]),
        changed(12, &[0]),
        changed(32, b"sha512"),
        changed(38, b"0"),
        changed(32, &[b'\xff'; 32]),
        changed(64, &512_u32.to_le_bytes()),
        changed(68, &0_u32.to_le_bytes()),
        changed(72, &0_u64.to_le_bytes()),
        changed(72, &u64::MAX.to_le_bytes()),
        changed(80, &257_u16.to_le_bytes()),
        changed(82, &[1]),
        changed(511, &[1]),
        read_superblock(&block[..511]).unwrap_err().to_string(),
        read_superblock(&[]).unwrap_err().to_string(),
    ];
    insta::assert_snapshot!(cases.join("\n"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_flipped_bit_is_found(blocks in 1_u64..300, place in any::<prop::sample::Index>(), bit in 0..8) {
        let (mut data, salt) = (bytes(blocks), b"pepper");
        let planned = plan(&data, &salted(salt));
        let mut tree = all(&planned.image);
        check(&data, &tree, &planned.root, salt).unwrap();
        let place = place.index(data.len() + tree.len());
        let len = data.len();
        let byte = if place < len { &mut data[place] } else { &mut tree[place - len] };
        *byte ^= 1_u8 << bit;
        prop_assert!(check(&data, &tree, &planned.root, salt).is_err());
    }

    #[test]
    fn any_bytes_are_a_superblock_or_an_error(mut found in prop::collection::vec(any::<u8>(), 0..600), keep in 0_usize..90) {
        let options = Options { salt: vec![1], superblock: Some(Uuid::nil()) };
        let real = all(&plan(&bytes(2), &options).image);
        let keep = keep.min(found.len());
        found[..keep].copy_from_slice(&real[..keep]);
        if let Ok(read) = read_superblock(&found) {
            prop_assert!(read.salt.len() <= 256 && read.data_blocks > 0);
        }
    }
}
