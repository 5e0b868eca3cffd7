//! SquashFS images from anywhere.
#![no_main]

use std::sync::Arc;

use image::Content;
use libfuzzer_sys::fuzz_target;
use squashfs::read::Archive;

fuzz_target!(|data: &[u8]| {
    let size = data.len() as u64;
    let Ok(archive) = Archive::open(Arc::new(Content::from(data)), size) else {
        return;
    };
    assert!(archive.info().used <= size);
    if let Ok(tree) = archive.tree() {
        _ = fuzz::read_files(&tree);
        let structures = archive.structures().expect("a good tree has places");
        assert!(
            structures
                .iter()
                .all(|place| place.node.is_none_or(|node| node.index() < tree.len()))
        );
    }
});
