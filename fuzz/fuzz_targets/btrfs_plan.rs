//! Odd trees become btrfs images and come back as they were.
#![no_main]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arbitrary::Unstructured;
use btrfs::read::FileSystem;
use btrfs::{Access, Compression, EqualFiles, Metadata, Options, Planned, Profile, Size, Work};
use fuzz::trees::{self, Flavour};
use image::{Content, Fault, Kind, NodeId, Seed, Silent, Spool, Tree};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    // Bytes that run out make no tree, and that is all.
    _ = run(&mut Unstructured::new(data));
});

fn run(u: &mut Unstructured) -> arbitrary::Result<()> {
    let threads = u.int_in_range(1..=3)?;
    let tree = trees::tree(u, Flavour::Unix)?;
    let options = options(u, &tree)?;
    let planned = match plan(&tree, &options, threads) {
        Ok(planned) => planned,
        Err(error) => {
            let ours = matches!(error, btrfs::Error::Image(_));
            assert!(
                !ours && matches!(error.fault(), Fault::Request | Fault::Input | Fault::Limit),
                "{error}"
            );
            return Ok(());
        }
    };
    let size = planned.image.size();
    assert!(size.is_multiple_of(4096) && planned.usage.free >= options.free);
    if threads > 1 {
        let serial = plan(&tree, &options, 1).expect("one thread is enough");
        let bytes = |planned: &Planned| Content::from(planned.image.clone()).to_vec().expect("an image");
        assert!(
            bytes(&serial) == bytes(&planned),
            "{threads} threads make other bytes than one"
        );
    }
    let system = FileSystem::open(Arc::new(planned.image), size).expect("what was planned opens");
    system.check().expect("what was planned is right");
    let contents = system.contents().expect("what was planned can be read");
    let mut expected = trees::lines(&tree);
    for line in expected.values_mut() {
        line.meta.mode &= 0o7777;
    }
    trees::assert_same(&trees::lines(&contents.tree), &expected);
    let others = options.subvolumes.keys().filter(|id| **id != NodeId::ROOT);
    assert_eq!(contents.subvolumes.len(), others.count());
    Ok(())
}

fn plan(tree: &Tree, options: &Options, threads: usize) -> Result<Planned, btrfs::Error> {
    let spool = Spool::create(Path::new("/dev/shm")).expect("a spool in memory");
    let work = Work {
        spool: &spool,
        threads,
        digests: &[],
        progress: &Silent,
        reuse: None,
    };
    btrfs::plan(tree, options, &work)
}

fn options(u: &mut Unstructured, tree: &Tree) -> arbitrary::Result<Options> {
    let odd = u.ratio(1, 32)?;
    let compression = match u.int_in_range(0..=5)? {
        0..=1 => Compression::None,
        2 => Compression::Zlib {
            level: if odd { 10 } else { u.int_in_range(1..=9)? },
        },
        3 => Compression::Lzo,
        _ => Compression::Zstd {
            level: if odd { 16 } else { u.int_in_range(1..=4)? },
        },
    };
    let mut subvolumes = BTreeMap::new();
    for (id, node) in tree.nodes() {
        let is_directory = matches!(node.kind, Kind::Directory(_));
        if (is_directory || odd) && u.ratio(1, 6)? {
            let access = *u.choose(&[Access::Writable, Access::ReadOnly])?;
            subvolumes.insert(id, access);
        }
    }
    let all: Vec<NodeId> = subvolumes.keys().copied().chain([NodeId::ROOT]).collect();
    let seed = Seed::new(b"fuzz");
    Ok(Options {
        label: u.ratio(1, 4)?.then(|| "label".to_string()),
        profile: *u.choose(&[Profile::Portable, Profile::Modern])?,
        metadata: *u.choose(&[Metadata::Dup, Metadata::Single])?,
        equal_files: *u.choose(&[EqualFiles::Shared, EqualFiles::Apart])?,
        default_subvolume: *u.choose(&all)?,
        compression,
        subvolumes,
        size: match u.ratio(1, 16)? {
            true => Size::Exactly(u64::from(u.int_in_range(0_u32..=40 << 20)?)),
            false => Size::Fit,
        },
        free: if u.ratio(1, 8)? { 1 << 20 } else { 0 },
        time: u.arbitrary()?,
        ..Options::new(seed.uuid("fs"), seed)
    })
}
