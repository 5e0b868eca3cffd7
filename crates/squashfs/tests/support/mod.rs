//! What the tests of squashfs share: the zoo of all formats, and how an image is made.

#[path = "../../../../tests/zoo/mod.rs"]
mod shared;

use std::path::Path;

use image::{Silent, Spool, Tree};
pub(crate) use shared::*;
use squashfs::{Compression, Options, Planned, Work};

pub(crate) fn options(compression: Compression, block_size: u32) -> Options {
    Options {
        block_size,
        compression,
        time: 1,
        ..Options::default()
    }
}

pub(crate) fn plan(tree: &Tree, options: &Options, threads: usize) -> Planned {
    let spool = Spool::create(&std::env::temp_dir()).unwrap();
    squashfs::plan(
        tree,
        options,
        &Work {
            spool: &spool,
            threads,
            digests: &[],
            progress: &Silent,
            reuse: None,
        },
    )
    .unwrap()
}

pub(crate) fn write(planned: &Planned, path: &Path) {
    image::write(path, &planned.image, &Silent)
        .unwrap()
        .keep()
        .unwrap();
}
