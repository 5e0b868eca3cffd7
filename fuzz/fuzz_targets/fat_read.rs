//! FAT images from anywhere, as sparse pages.
#![no_main]

use std::sync::Arc;

use fat::read::FileSystem;
use fuzz::sparse::Sparse;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let source = Sparse::parse(data);
    let size = source.size();
    let Ok(file_system) = FileSystem::open(Arc::new(source), size) else {
        return;
    };
    let info = file_system.info();
    if let Ok(tree) = file_system.tree() {
        fuzz::read_files(&tree).expect("contents of a good tree can be read");
        let structures = file_system.structures().expect("a good tree has places");
        assert!(
            structures
                .iter()
                .all(|place| place.node.is_none_or(|node| node.index() < tree.len()))
        );
        assert!(info.expect("a good tree has a good root").size <= size);
    }
});
