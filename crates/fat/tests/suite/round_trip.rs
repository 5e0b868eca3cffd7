//! What is planned can be read.

use std::collections::BTreeMap;
use std::sync::Arc;

use fat::read::FileSystem;
use fat::{Kind, Options, Size, Variant};
use image::{Image, Node, Tree};
use proptest::prelude::*;

use crate::tools::{assert_same, contents, many, noise, zoo};

fn open(image: Image) -> FileSystem {
    let size = image.size();
    FileSystem::open(Arc::new(image), size).unwrap()
}

/// Paths of up to four names that FAT can hold.
fn path() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        "[A-Z0-9]{1,8}(\\.[A-Z]{1,3})?",
        "[a-z0-9]{1,8}(\\.[a-z]{1,3})?",
        "[A-Za-z0-9 ._~+-]{0,30}[A-Za-z0-9]",
        "[\\p{L}\\p{So}]{1,20}",
    ];
    let fits = |name: &String| name.len() <= 255 && name != "." && name != "..";
    prop::collection::vec(name.prop_filter("a name", fits), 1..5).prop_map(|names| names.join("/"))
}

/// A tree of these files. Names that clash are left out.
fn tree(files: &BTreeMap<String, (usize, i64)>) -> Tree {
    let mut tree = Tree::default();
    for (path, (len, mtime)) in files {
        let mut node = Node::file(noise(*len, 5));
        node.meta.mtime = *mtime;
        _ = tree.add_at(path.as_bytes(), node);
    }
    tree
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn reading_gives_the_tree_back(
        files in prop::collection::btree_map(path(), (0_usize..20_000, 315_532_800_i64..4_354_819_199), 0..40),
        kind in prop::sample::select(vec![Kind::Fat16, Kind::Fat32]),
        sector_size in prop::sample::select(vec![512, 4096]),
    ) {
        let tree = tree(&files);
        let options = Options { kind, sector_size, volume_id: 7, ..Options::default() };
        let planned = match fat::plan(&tree, &options) {
            Err(fat::Error::CaseClash { .. }) => return Ok(()),
            planned => planned.unwrap(),
        };
        let found = open(planned.image);
        let read = found.tree().unwrap();
        assert_same(&read, &tree);
        for entry in tree.walk().skip(1) {
            let id = read.lookup(&entry.path).unwrap();
            let mtime = tree.node(entry.id).meta.mtime.max(315_532_800);
            prop_assert_eq!(read.node(id).meta.mtime, mtime / 2 * 2);
        }
        let info = found.info().unwrap();
        prop_assert_eq!(info.free, planned.usage.free);
        prop_assert_eq!((info.clusters, info.volume_id), (planned.usage.clusters, 7));
    }
}

#[test]
fn the_zoo_and_large_directories_come_back() {
    for tree in [zoo(), many(16_000)] {
        for kind in [Kind::Fat16, Kind::Fat32] {
            let options = Options {
                kind,
                label: Some("A LABEL".into()),
                ..Options::default()
            };
            let found = open(fat::plan(&tree, &options).unwrap().image);
            assert_same(&found.tree().unwrap(), &tree);
            assert_eq!(found.info().unwrap().label.as_deref(), Some("A LABEL"));
        }
    }
}

/// An image that was read can be planned again: contents are spans of it.
#[test]
fn what_was_read_can_be_planned() {
    let options = Options {
        size: Size::Exactly(64 << 20),
        ..Options::default()
    };
    let first = fat::plan(&zoo(), &options).unwrap();
    let read = open(first.image.clone()).tree().unwrap();
    let second = fat::plan(&read, &options).unwrap();
    let bytes = |image: Image| image::Content::from(image).to_vec().unwrap();
    assert_eq!(second.usage.variant, Variant::Fat16);
    assert!(contents(&read) == contents(&zoo()));
    assert!(bytes(first.image).len() == bytes(second.image).len());
}
