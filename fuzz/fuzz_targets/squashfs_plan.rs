//! Odd trees become SquashFS images and come back as they were.
#![no_main]

use std::path::Path;
use std::sync::Arc;

use arbitrary::Unstructured;
use fuzz::trees::{self, Flavour};
use image::{Content, Fault, Silent, Spool, Tree};
use libfuzzer_sys::fuzz_target;
use squashfs::read::Archive;
use squashfs::{Compression, Options, Planned, Work};

fuzz_target!(|data: &[u8]| {
    // Bytes that run out make no tree, and that is all.
    _ = run(&mut Unstructured::new(data));
});

fn run(u: &mut Unstructured) -> arbitrary::Result<()> {
    let options = options(u)?;
    let threads = u.int_in_range(1..=3)?;
    let tree = trees::tree(u, Flavour::Unix)?;
    let planned = match plan(&tree, &options, threads) {
        Ok(planned) => planned,
        Err(error) => {
            let ours = matches!(error, squashfs::Error::Image(_));
            assert!(
                !ours && matches!(error.fault(), Fault::Request | Fault::Input | Fault::Limit),
                "{error}"
            );
            return Ok(());
        }
    };
    let size = planned.image.size();
    assert!(planned.used <= size && size.is_multiple_of(4096));
    if threads > 1 {
        let serial = plan(&tree, &options, 1).expect("one thread is enough");
        let bytes = |planned: &Planned| Content::from(planned.image.clone()).to_vec().expect("an image");
        assert!(
            bytes(&serial) == bytes(&planned),
            "{threads} threads make other bytes than one"
        );
    }
    let archive = Archive::open(Arc::new(planned.image), size).expect("what was planned opens");
    let read = archive.tree().expect("what was planned can be read");
    let mut expected = trees::lines(&tree);
    for line in expected.values_mut() {
        line.meta.mode &= 0o7777;
        line.meta.mtime = line.meta.mtime.clamp(0, u32::MAX.into());
    }
    trees::assert_same(&trees::lines(&read), &expected);
    Ok(())
}

fn plan(tree: &Tree, options: &Options, threads: usize) -> Result<Planned, squashfs::Error> {
    let spool = Spool::create(Path::new("/dev/shm")).expect("a spool in memory");
    let work = Work {
        spool: &spool,
        threads,
        digests: &[],
        progress: &Silent,
        reuse: None,
    };
    squashfs::plan(tree, options, &work)
}

fn options(u: &mut Unstructured) -> arbitrary::Result<Options> {
    let odd = u.ratio(1, 32)?;
    let block_size = match odd {
        true => u.arbitrary()?,
        false => *u.choose(&[4096, 8192, 65_536, 131_072])?,
    };
    let compression = match u.int_in_range(0..=7)? {
        0..=2 => Compression::None,
        3..=4 => Compression::Gzip {
            level: if odd { 10 } else { u.int_in_range(1..=9)? },
        },
        5 => Compression::Xz {
            level: if odd { 10 } else { u.int_in_range(0..=1)? },
        },
        _ => Compression::Zstd {
            level: if odd { 0 } else { u.int_in_range(1..=5)? },
        },
    };
    Ok(Options {
        block_size,
        compression,
        time: u.arbitrary()?,
        ..Options::default()
    })
}
