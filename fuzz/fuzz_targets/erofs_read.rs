//! erofs images from anywhere, as sparse pages, whose superblock has a checksum that is right.
#![no_main]

use std::sync::Arc;

use erofs::read::FileSystem;
use fuzz::sparse::Sparse;
use image::{NodeId, ReadAt};
use libfuzzer_sys::fuzz_target;

const SUPERBLOCK: u64 = 1024;

fuzz_target!(|data: &[u8]| {
    let mut source = Sparse::parse(data);
    seal(&mut source);
    let size = source.size();
    let Ok(file_system) = FileSystem::open(Arc::new(source), size) else {
        return;
    };
    assert!(file_system.info().size <= size);
    let tree = file_system.tree();
    let is_right = file_system.check().is_ok();
    assert!(!is_right || tree.is_ok(), "what is right can be read");
    let Ok(tree) = tree else { return };
    let read = fuzz::read_files(&tree);
    assert!(!is_right || read.is_ok(), "{read:?}");
    let structures = file_system.structures();
    assert!(!is_right || structures.is_ok(), "{structures:?}");
    let listed = file_system.list(b"/").expect("a good tree has a good root");
    let listed = listed.expect("the root is a directory");
    let names = listed.iter().map(|entry| &*entry.name);
    assert!(names.eq(tree.children(NodeId::ROOT).map(|(name, _)| name)));
});

/// Makes the checksum of the first block right.
fn seal(source: &mut Sparse) {
    let mut block = vec![0; 3072];
    if source.read_exact_at(&mut block, SUPERBLOCK).is_err() {
        return;
    }
    block[4..8].fill(0);
    let sum = !crc32c::crc32c(&block);
    let place = SUPERBLOCK + 4;
    if let Some(page) = source.page_mut(place) {
        let at = usize::try_from(place).unwrap_or(0) % page.len();
        page[at..at + 4].copy_from_slice(&sum.to_le_bytes());
    }
}
