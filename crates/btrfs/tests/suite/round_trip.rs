//! What was planned is what is read, for the zoo, for what others have made, and for any tree.

use std::sync::Arc;

use btrfs::read::{Contents, FileSystem};
use btrfs::{Access, Metadata, Options, Profile};
use image::{Content, Device, Image, Kind, Meta, Node, NodeId, Tree, Xattr};
use proptest::prelude::*;

use crate::support::{
    COMPRESSIONS, METADATA, PROFILES, assert_listed, assert_same, bytes, compressible, everything, odd,
    options, plan, subvolumes, with_subvolumes,
};

/// What is read, when everything that describes it is right, too.
fn read(image: &Image) -> Contents {
    let system = FileSystem::open(Arc::new(image.clone()), image.size()).unwrap();
    system.check().unwrap();
    let contents = system.contents().unwrap();
    assert_listed(&system, &contents.tree);
    contents
}

#[test]
fn the_zoo_comes_back() {
    for (profile, metadata, tree) in [
        (Profile::Portable, Metadata::Dup, everything()),
        (Profile::Portable, Metadata::Single, odd()),
        (Profile::Modern, Metadata::Dup, odd()),
    ] {
        let image = plan(&tree, &options(profile, metadata)).image;
        assert_same(&read(&image).tree, &tree);
    }
}

#[test]
fn what_is_compressed_comes_back() {
    let tree = compressible();
    for compression in COMPRESSIONS {
        let options = Options {
            compression,
            ..options(Profile::Portable, Metadata::Single)
        };
        assert_same(&read(&plan(&tree, &options).image).tree, &tree);
    }
}

#[test]
fn subvolumes_come_back() {
    let tree = with_subvolumes();
    let wanted = subvolumes(&tree, options(Profile::Modern, Metadata::Dup));
    let found = read(&plan(&tree, &wanted).image);
    assert_same(&found.tree, &tree);
    let id = |path: &str| found.tree.lookup(path.as_bytes()).unwrap();
    assert_eq!(found.default_subvolume, id("/@"));
    assert_eq!(found.subvolumes.len(), wanted.subvolumes.len());
    assert_eq!(found.subvolumes[&id("/@/nix/store")], Access::ReadOnly);
    assert_eq!(found.subvolumes[&id("/plain/inside")], Access::Writable);
}

#[test]
fn a_file_system_says_what_it_is() {
    let wanted = Options {
        label: Some("name".into()),
        ..options(Profile::Portable, Metadata::Dup)
    };
    let planned = plan(&odd(), &wanted);
    let size = planned.image.size();
    let info = FileSystem::open(Arc::new(planned.image), size).unwrap().info();
    assert_eq!((info.label.as_deref(), info.uuid), (Some("name"), wanted.uuid));
    assert_eq!(
        (info.size, info.used),
        (size, planned.usage.data + planned.usage.metadata)
    );
}

fn nodes() -> impl Strategy<Value = Node> {
    let pieces = proptest::collection::vec((0usize..9000, 0usize..200_000), 0..8);
    let device = (0u32..4096, 0u32..1 << 20).prop_map(|(major, minor)| Device { major, minor });
    let kind = prop_oneof![
        (0usize..20_000, any::<u32>()).prop_map(|(len, step)| Kind::File(Content::from(bytes(len, step)))),
        pieces.prop_map(|pieces| {
            let piece = |(data, hole)| [bytes(data, 7), vec![0; hole]].concat();
            Kind::File(Content::from(
                pieces.into_iter().flat_map(piece).collect::<Vec<u8>>(),
            ))
        }),
        proptest::collection::vec(1u8..=255, 1..70).prop_map(|target| Kind::Symlink(target.into())),
        Just(Kind::Directory(image::Directory::default())),
        device.clone().prop_map(Kind::CharDevice),
        device.prop_map(Kind::BlockDevice),
        Just(Kind::Fifo),
        Just(Kind::Socket),
    ];
    let xattrs =
        proptest::collection::btree_map("[a-z]{1,9}", proptest::collection::vec(any::<u8>(), 0..300), 0..4);
    (
        kind,
        0u16..0o10000,
        any::<u32>(),
        any::<u32>(),
        any::<i64>(),
        xattrs,
    )
        .prop_map(|(kind, mode, uid, gid, mtime, xattrs)| {
            let xattr = |(name, value): (String, Vec<u8>)| Xattr {
                name: format!("user.{name}").into_bytes().into(),
                value: value.into(),
            };
            let meta = Meta {
                mode,
                uid,
                gid,
                mtime,
                xattrs: xattrs.into_iter().map(xattr).collect(),
            };
            Node { meta, kind }
        })
}

fn trees() -> impl Strategy<Value = Tree> {
    let name = prop_oneof![proptest::collection::vec(1u8..=255, 1..12), Just(vec![b'n'; 255])];
    let path = proptest::collection::vec(name, 1..5);
    let link = proptest::option::of(any::<prop::sample::Index>());
    let many = prop_oneof![3 => Just(0), 1 => 0usize..3000];
    (proptest::collection::vec((path, nodes(), link), 0..60), many).prop_map(|(entries, many)| {
        let mut tree = Tree::default();
        for (names, node, link) in entries {
            // Names that are no names, or taken, are other tests' business.
            let Ok(id) = tree.add_at(&names.join(&b'/'), node) else {
                continue;
            };
            if let Some(link) = link {
                let directories: Vec<NodeId> = tree
                    .nodes()
                    .filter(|(_, node)| matches!(node.kind, Kind::Directory(_)))
                    .map(|(id, _)| id)
                    .collect();
                let _ = tree.link(directories[link.index(directories.len())], b"link", id);
            }
        }
        if let Ok(directory) = tree.make_directory(b"many") {
            for number in 0..many {
                let name = format!("{number}-{}", "x".repeat(number % 200));
                let _ = tree.add(directory, name.as_bytes(), Node::symlink("short"));
            }
        }
        tree
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(48) })]

    #[test]
    fn any_tree_comes_back(tree in trees(), which in 0usize..20, free in 0u64..300 << 20) {
        let options = Options {
            free,
            compression: COMPRESSIONS[which % 5],
            ..options(PROFILES[which / 5 % 2], METADATA[which / 10])
        };
        assert_same(&read(&plan(&tree, &options).image).tree, &tree);
    }
}
