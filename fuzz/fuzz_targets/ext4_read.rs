//! ext4 images from anywhere, as sparse pages.
#![no_main]

use std::sync::Arc;

use ext4::read::FileSystem;
use fuzz::sparse::Sparse;
use image::NodeId;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let source = Sparse::parse(data);
    let size = source.size();
    let Ok(file_system) = FileSystem::open(Arc::new(source), size) else {
        return;
    };
    assert!(file_system.info().size <= size);
    let tree = file_system.tree();
    if file_system.check().is_ok() {
        assert!(tree.is_ok(), "what is right can be read");
    }
    let Ok(tree) = tree else { return };
    fuzz::read_files(&tree).expect("contents of a good tree can be read");
    let structures = file_system.structures().expect("a good tree has places");
    assert!(
        structures
            .iter()
            .all(|place| place.node.is_none_or(|node| node.index() < tree.len()))
    );
    let listed = file_system.list(b"/").expect("a good tree has a good root");
    let listed = listed.expect("the root is a directory");
    let names = listed.iter().map(|entry| &*entry.name);
    assert!(names.eq(tree.children(NodeId::ROOT).map(|(name, _)| name)));
    for entry in &listed {
        let found = file_system.find(&entry.name).expect("its entries are good");
        assert_eq!(found.map(|node| node.meta), Some(entry.node.meta.clone()));
    }
});
