//! Odd trees become erofs images and come back as they were.
#![no_main]

use std::path::Path;
use std::sync::Arc;

use arbitrary::Unstructured;
use erofs::read::FileSystem;
use erofs::{Compression, Looking, Options, Planned, Profile, Work};
use fuzz::trees::{self, Flavour};
use image::{Content, Fault, Kind, Seed, Silent, Spool, Tree};
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
            let ours = matches!(error, erofs::Error::Image(_));
            assert!(
                !ours && matches!(error.fault(), Fault::Request | Fault::Input | Fault::Limit),
                "{error}"
            );
            return Ok(());
        }
    };
    let size = planned.image.size();
    assert!(size.is_multiple_of(4096));
    let looking = Looking {
        threads,
        digests: &[],
        progress: &Silent,
    };
    let outlook = erofs::outlook(&tree, &options, &looking).expect("what can be planned has an outlook");
    let is_right = if outlook.is_bound {
        outlook.size >= size
    } else {
        outlook.size == size
    };
    assert!(is_right, "{outlook:?} is not {size}");
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
    let read = system.tree().expect("what was planned can be read");
    let mut expected = trees::lines(&tree);
    for line in expected.values_mut() {
        line.meta.mode &= 0o7777;
    }
    trees::assert_same(&trees::lines(&read), &expected);
    Ok(())
}

fn plan(tree: &Tree, options: &Options, threads: usize) -> Result<Planned, erofs::Error> {
    let spool = Spool::create(Path::new("/dev/shm")).expect("a spool in memory");
    let work = Work {
        spool: &spool,
        threads,
        digests: &[],
        progress: &Silent,
        reuse: None,
    };
    erofs::plan(tree, options, &work)
}

fn options(u: &mut Unstructured, tree: &Tree) -> arbitrary::Result<Options> {
    let compression = match u.int_in_range(0..=4)? {
        0..=1 => Compression::None,
        2 => Compression::Lz4 {
            level: u.int_in_range(0..=12)?,
        },
        3 => Compression::Deflate {
            level: u.int_in_range(0..=9)?,
        },
        _ => Compression::Zstd {
            level: u.int_in_range(0..=4)?,
        },
    };
    let mut options = Options {
        profile: if u.arbitrary()? {
            Profile::Modern
        } else {
            Profile::Portable
        },
        label: u.ratio(1, 4)?.then(|| "label".to_string()),
        compression,
        cluster: 1 << u.int_in_range(12..=17)?,
        time: u.arbitrary()?,
        ..Options::new(Seed::new(b"fuzz").uuid("fs"))
    };
    for (id, node) in tree.nodes() {
        if matches!(node.kind, Kind::File(_)) && u.ratio(1, 8)? {
            options.stored.insert(id);
        }
    }
    Ok(options)
}
