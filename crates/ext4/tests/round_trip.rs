//! Trees become images, and the images the same trees: for Kiln's reader, and for one that others wrote.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[expect(dead_code, reason = "each test file uses its own part")]
#[path = "support/made.rs"]
mod made;
#[expect(dead_code, reason = "each test file uses its own part")]
mod support;

use std::sync::Arc;

use ext4::read::FileSystem;
use ext4::{Journal, Options, Profile};
use ext4_view::{Ext4, Ext4Read};
use image::{Content, Device, Image, Kind, Node, NodeId, ReadAt, Tree, Xattr, show};
use made::without;
use proptest::prelude::*;
use support::{PROFILES, add_specials, add_units, add_xattrs, assert_same, bytes, giants, options, zoo};

fn odd() -> Tree {
    let mut tree = zoo(128 << 10);
    add_specials(&mut tree);
    add_xattrs(&mut tree);
    add_units(&mut tree);
    tree
}

fn everything() -> Tree {
    let mut tree = odd();
    tree.graft(NodeId::ROOT, b"giants", giants()).unwrap();
    tree
}

/// The tree in an image that is right in everything, without lost+found.
fn read(image: Image) -> Tree {
    let size = image.size();
    let found = FileSystem::open(Arc::new(image), size).unwrap();
    found.check().unwrap();
    without(&found.tree().unwrap(), |_| false)
}

#[test]
fn trees_come_back() {
    for profile in PROFILES {
        for tree in [Tree::default(), odd()] {
            let image = ext4::plan(&tree, &options(profile)).unwrap().image;
            assert_same(&read(image), &tree);
        }
    }
    let tree = everything();
    let image = ext4::plan(&tree, &options(Profile::Portable)).unwrap().image;
    assert_same(&read(image), &tree);
}

/// What was read makes the same image again.
#[test]
fn images_come_back() {
    for profile in PROFILES {
        let tree = odd();
        let plan = |tree: &Tree| ext4::plan(tree, &options(profile)).unwrap().image;
        let first = plan(&tree);
        let second = plan(&read(first.clone()));
        assert_eq!(first.size(), second.size());
        let (mut a, mut b) = (vec![0; 1 << 20], vec![0; 1 << 20]);
        for start in (0..first.size()).step_by(1 << 20) {
            let len = usize::try_from((first.size() - start).min(1 << 20)).unwrap();
            first.read_exact_at(&mut a[..len], start).unwrap();
            second.read_exact_at(&mut b[..len], start).unwrap();
            assert!(a[..len] == b[..len], "{profile:?}, in the MiB from {start}");
        }
    }
}

struct Source(Image);

impl Ext4Read for Source {
    fn read(
        &mut self,
        start: u64,
        buffer: &mut [u8],
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        self.0.read_exact_at(buffer, start).map_err(Into::into)
    }
}

/// It finds names by the hashes of large directories.
#[test]
fn ext4_view_reads_the_same() {
    let trees = [everything(), odd(), odd()];
    for (profile, mut tree) in PROFILES.into_iter().zip(trees) {
        // It does not know times after 2038.
        tree.node_mut(NodeId::ROOT).meta.mtime = 1;
        let planned = ext4::plan(&tree, &options(profile)).unwrap();
        let view = Ext4::load(Box::new(Source(planned.image))).unwrap();
        for entry in tree.walk() {
            let (path, node) = (entry.path.as_slice(), tree.node(entry.id));
            compare(&view, path, node);
        }
    }
}

fn compare(view: &Ext4, path: &[u8], node: &Node) {
    let (shown, is_root, path) = (show(path), path == b"/", ext4_view::Path::new(path));
    let found = view.symlink_metadata(path).unwrap();
    let meta = (found.mode() & 0o7777, found.uid(), found.gid());
    assert_eq!(meta, (node.meta.mode, node.meta.uid, node.meta.gid), "{shown}");
    match &node.kind {
        Kind::Directory(directory) => {
            let extra = if is_root { 3 } else { 2 };
            let names = view.read_dir(path).unwrap().map(Result::unwrap).count();
            assert_eq!(names, directory.len() + extra, "{shown}");
        }
        // It would read a file of 4 GiB into memory.
        Kind::File(content) if content.len() < 1 << 30 => {
            assert!(view.read(path).unwrap() == content.to_vec().unwrap(), "{shown}");
        }
        Kind::File(content) => assert_eq!(found.len(), content.len()),
        // It takes no targets with names that no file can have.
        Kind::Symlink(target) if target.len() < 256 => {
            let found = view.read_link(path).unwrap();
            assert_eq!(found.as_ref() as &[u8], &**target, "{shown}");
        }
        _ => {}
    }
}

fn xattrs() -> impl Strategy<Value = Vec<Xattr>> {
    let prefix = prop_oneof![Just("user."), Just("trusted."), Just("security.")];
    let name = proptest::collection::vec(1u8..=255, 1..12);
    let value = proptest::collection::vec(any::<u8>(), 0..120);
    let xattrs = proptest::collection::vec((prefix, name, value), 0..5);
    xattrs.prop_map(|xattrs| {
        let xattr = |(prefix, name, value): (&str, Vec<u8>, Vec<u8>)| Xattr {
            name: [prefix.as_bytes(), &name].concat().into(),
            value: value.into(),
        };
        let mut xattrs: Vec<Xattr> = xattrs.into_iter().map(xattr).collect();
        xattrs.sort();
        xattrs.dedup_by(|a, b| a.name == b.name);
        xattrs
    })
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
    let time = -(1_i64 << 31)..(1_i64 << 34) - (1_i64 << 31);
    (kind, 0u16..0o10000, any::<u32>(), any::<u32>(), time, xattrs()).prop_map(
        |(kind, mode, uid, gid, mtime, xattrs)| {
            let meta = image::Meta {
                mode,
                uid,
                gid,
                mtime,
                xattrs,
            };
            Node { meta, kind }
        },
    )
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
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn any_tree_comes_back(tree in trees(), which in 0usize..3, free in 0u64..300 << 20, free_inodes in 0u64..40_000, has_journal in any::<bool>()) {
        let profile = PROFILES[which];
        let options = Options {
            free,
            free_inodes,
            journal: if has_journal && profile != Profile::Readonly { Journal::Auto } else { Journal::None },
            ..options(profile)
        };
        let image = ext4::plan(&tree, &options).unwrap().image;
        let size = image.size();
        let info = FileSystem::open(Arc::new(image.clone()), size).unwrap().info();
        prop_assert!(info.free - info.reserved_blocks * 4096 >= free, "{info:?}");
        prop_assert!(u64::from(info.free_inodes) >= free_inodes, "{info:?}");
        assert_same(&read(image), &tree);
    }
}
