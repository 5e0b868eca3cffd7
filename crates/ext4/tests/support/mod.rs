//! What the tests of ext4 share: the zoo of all formats, and how an image is made.

#[path = "../../../../tests/zoo/mod.rs"]
mod shared;

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;

use ext4::{Options, Profile};
use image::{Image, ReadAt, Seed};
pub(crate) use shared::*;

pub(crate) const PROFILES: [Profile; 3] = [Profile::Portable, Profile::UbootLegacy, Profile::Readonly];

pub(crate) fn options(profile: Profile) -> Options {
    let seed = Seed::new(b"test");
    Options {
        profile,
        ..Options::new(seed.uuid("fs"), seed.uuid("hash"))
    }
}

/// The image as a sparse file. Zeros that matter are holes, which saves these tests hours.
pub(crate) fn write(image: &Image, path: &Path) {
    let file = File::create(path).unwrap();
    file.set_len(image.size()).unwrap();
    for extent in image.extents() {
        for run in extent.content.data_runs().unwrap() {
            let mut bytes = vec![0; usize::try_from(run.end - run.start).unwrap()];
            extent.content.read_exact_at(&mut bytes, run.start).unwrap();
            file.write_all_at(&bytes, extent.start + run.start).unwrap();
        }
    }
}

/// e2fsck finds nothing at all.
pub(crate) fn fsck(image: &Path) {
    run(Command::new("e2fsck").arg("-fn").arg(image));
}
