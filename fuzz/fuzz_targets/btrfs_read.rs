//! btrfs images from anywhere, as sparse pages, whose nodes and superblock have checksums that are right.
#![no_main]

use std::sync::Arc;

use btrfs::read::FileSystem;
use fuzz::sparse::Sparse;
use image::{NodeId, ReadAt};
use libfuzzer_sys::fuzz_target;

const SUPERBLOCK: u64 = 64 << 10;

fuzz_target!(|data: &[u8]| {
    let mut source = Sparse::parse(data);
    seal(&mut source);
    let size = source.size();
    let Ok(file_system) = FileSystem::open(Arc::new(source), size) else {
        return;
    };
    assert!(file_system.info().size <= size);
    let contents = file_system.contents();
    let is_right = file_system.check().is_ok();
    assert!(!is_right || contents.is_ok(), "what is right can be read");
    let Ok(contents) = contents else { return };
    let read = fuzz::read_files(&contents.tree);
    assert!(!is_right || read.is_ok(), "{read:?}");
    if let Ok(structures) = file_system.structures() {
        let count = contents.tree.len();
        assert!(
            structures
                .iter()
                .all(|place| place.node.is_none_or(|node| node.index() < count))
        );
    }
    let listed = file_system.list(b"/").expect("a good tree has a good root");
    let listed = listed.expect("the root is a directory");
    let names = listed.iter().map(|entry| &*entry.name);
    assert!(names.eq(contents.tree.children(NodeId::ROOT).map(|(name, _)| name)));
    for entry in &listed {
        let found = file_system.find(&entry.name).expect("its entries are good");
        assert_eq!(found.map(|node| node.meta), Some(entry.node.meta.clone()));
    }
});

/// Makes the checksums of the superblock and of all that looks like a node right.
fn seal(source: &mut Sparse) {
    let mut superblock = vec![0; 4096];
    if source.read_exact_at(&mut superblock, SUPERBLOCK).is_err() {
        return;
    }
    put(source, SUPERBLOCK, &superblock);
    let fsid = &superblock[32..48];
    let node = u32::from_le_bytes([0, 1, 2, 3].map(|at| superblock[148 + at]));
    if !(4096..=65536).contains(&node) {
        return;
    }
    for start in source.starts() {
        let mut bytes = vec![0; node as usize];
        let is_node = start > SUPERBLOCK
            && start % 4096 == 0
            && source.read_exact_at(&mut bytes, start).is_ok()
            && bytes[32..48] == *fsid;
        if is_node {
            put(source, start, &bytes);
        }
    }
}

fn put(source: &mut Sparse, start: u64, block: &[u8]) {
    if let Some(page) = source.page_mut(start) {
        page[..4].copy_from_slice(&crc32c::crc32c(&block[32..]).to_le_bytes());
    }
}
