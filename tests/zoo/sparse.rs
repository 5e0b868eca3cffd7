//! Images as files. The tests of formats that keep everything in one suite share it.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use image::{Image, ReadAt};

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
