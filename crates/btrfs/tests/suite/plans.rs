//! What planning promises: sizes, limits, and the same bytes every time.

use btrfs::{Access, Compression, Metadata, Options, Profile, Size};
use image::{Content, Device, Image, Kind, Layout, Meta, Node, NodeId, ReadAt, Tree, Xattr};
use sha2::{Digest, Sha256};

use crate::support::{COMPRESSIONS, METADATA, PROFILES, compressible, hex, odd, options, plan, try_plan};

fn digest(image: &Image) -> String {
    let mut bytes = vec![0; usize::try_from(image.size()).unwrap()];
    image.read_exact_at(&mut bytes, 0).unwrap();
    hex(&Sha256::digest(&bytes))
}

#[test]
fn bytes_are_pinned() {
    let all = PROFILES.map(|profile| METADATA.map(|metadata| options(profile, metadata)));
    let digests = all.map(|some| some.map(|options| digest(&plan(&odd(), &options).image)));
    insta::assert_debug_snapshot!(digests);
}

#[test]
fn compressed_bytes_are_pinned() {
    let digests = COMPRESSIONS.map(|compression| {
        let options = Options {
            compression,
            ..options(Profile::Portable, Metadata::Single)
        };
        let planned = plan(&compressible(), &options);
        (planned.usage.data, digest(&planned.image))
    });
    insta::assert_debug_snapshot!(digests);
}

#[test]
fn threads_change_nothing() {
    for compression in COMPRESSIONS {
        let options = Options {
            compression,
            ..options(Profile::Portable, Metadata::Dup)
        };
        let digests = [1, 8].map(|threads| {
            let planned = try_plan(&compressible(), &options, threads).unwrap();
            digest(&planned.image)
        });
        assert_eq!(digests[0], digests[1]);
    }
}

#[test]
fn the_map_of_a_small_tree() {
    let mut tree = Tree::default();
    tree.add_at(b"/etc/name", Node::file(vec![b'x'; 5000])).unwrap();
    tree.add_at(b"/link", Node::symlink("t".repeat(60))).unwrap();
    let planned = plan(&tree, &options(Profile::Portable, Metadata::Dup));
    let line =
        |line: image::MapLine| format!("{:>9} {:>9} {}", line.start, line.end - line.start, line.label);
    let lines: Vec<String> = planned.image.map().into_iter().map(line).collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn one_sector_less_does_not_fit() {
    for free in [0, 1, 5 << 20, 3 << 30] {
        let fit = Options {
            free,
            ..options(Profile::Portable, Metadata::Dup)
        };
        let planned = plan(&odd(), &fit);
        let size = planned.image.size();
        assert!(planned.usage.free >= free, "{:?}", planned.usage);
        let exactly = |size: u64| Options {
            size: Size::Exactly(size),
            ..fit.clone()
        };
        assert_eq!(plan(&odd(), &exactly(size)).image.size(), size);
        let larger = plan(&odd(), &exactly(size + (100 << 20))).usage;
        assert_eq!(larger.unallocated, 100 << 20);
        let error = try_plan(&odd(), &exactly(size - 4096), 2).unwrap_err();
        assert!(
            matches!(error, btrfs::Error::Full { needed, .. } if needed == size),
            "{error}"
        );
    }
}

/// Where a host's file system keeps holes, and in how many pieces contents come, changes nothing.
#[test]
fn contents_count_not_where_they_come_from() {
    let bytes = [vec![1; 5000], vec![0; 300_000], vec![2; 70_000]].concat();
    let mut layout = Layout::new();
    layout.put(0, "head", bytes[..5000].to_vec());
    layout.put(305_000, "tail", bytes[305_000..].to_vec());
    let pieces: Content = layout.finish(bytes.len() as u64).unwrap().into();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    std::fs::write(&path, &bytes).unwrap();
    let images = [bytes.into(), pieces, Content::host_file(&path).unwrap()].map(|content| {
        let mut tree = Tree::default();
        tree.add_at(b"/file", Node::file(content)).unwrap();
        digest(&plan(&tree, &options(Profile::Portable, Metadata::Dup)).image)
    });
    assert_eq!(images[0], images[1]);
    assert_eq!(images[0], images[2]);
}

fn error(tree: &Tree, options: &Options) -> String {
    try_plan(tree, options, 1).unwrap_err().to_string()
}

#[test]
fn bad_options_are_named() {
    let tree = Tree::default();
    let good = options(Profile::Portable, Metadata::Dup);
    let label = |label: &str| Options {
        label: Some(label.into()),
        ..good.clone()
    };
    let level = |compression| Options {
        compression,
        ..good.clone()
    };
    let size = |size: u64, free: u64| Options {
        size: Size::Exactly(size),
        free,
        ..good.clone()
    };
    let cases = [
        label(&"l".repeat(256)),
        label("a\nb"),
        size(5000, 0),
        size(1 << 20, 0),
        size(4 << 20, 1 << 30),
        size(4 << 20, u64::MAX),
        level(Compression::Zstd { level: 16 }),
        level(Compression::Zstd { level: 0 }),
        level(Compression::Zlib { level: 10 }),
    ];
    let errors: Vec<String> = cases.iter().map(|options| error(&tree, options)).collect();
    insta::assert_snapshot!(errors.join("\n"));
    plan(&tree, &label(&"l".repeat(255)));
}

#[test]
fn what_btrfs_cannot_hold_is_named() {
    let with = |path: &str, node: Node| {
        let mut tree = Tree::default();
        tree.add_at(path.as_bytes(), node).unwrap();
        tree
    };
    let attributed = |name: &str, len: usize| {
        let mut node = Node::file(&b""[..]);
        node.meta.xattrs = vec![Xattr {
            name: name.as_bytes().into(),
            value: vec![1; len].into(),
        }];
        node
    };
    let device = |major: u32, minor: u32| Node {
        meta: Meta::root(0o600),
        kind: Kind::CharDevice(Device { major, minor }),
    };
    let mut linked = with("/first", Node::file(&b""[..]));
    let first = linked.lookup(b"/first").unwrap();
    for number in 0..65_535 {
        linked
            .link(NodeId::ROOT, format!("{number}").as_bytes(), first)
            .unwrap();
    }
    let trees = [
        Tree::new(Node::file(&b""[..])),
        with("/link", Node::symlink("t".repeat(4096))),
        with("/link", Node::symlink("")),
        with("/dev/odd", device(4096, 0)),
        with("/dev/odd", device(0, 1 << 20)),
        with("/a/huge", Node::file(Content::Zeros(u64::MAX))),
        with("/x", attributed("note", 1)),
        with("/x", attributed("user.a\0b", 1)),
        with("/x", Node::symlink(*b"to\0where")),
        with("/x", attributed(&format!("user.{}", "n".repeat(251)), 1)),
        with("/x", attributed("user.big", 16_221)),
        with("/x", attributed("system.posix_acl_access", 3)),
        linked,
    ];
    let options = options(Profile::Portable, Metadata::Dup);
    let errors: Vec<String> = trees.iter().map(|tree| error(tree, &options)).collect();
    insta::assert_snapshot!(errors.join("\n"));
    plan(&with("/x", attributed("user.big", 16_220)), &options);
}

#[test]
fn bad_subvolumes_are_named() {
    let mut tree = Tree::default();
    let file = tree.add_at(b"/a/file", Node::file(&b"x"[..])).unwrap();
    let [a, b] = [&b"/a"[..], b"/b"].map(|path| tree.make_directory(path).unwrap());
    tree.link(b, b"link", file).unwrap();
    let with = |ids: &[NodeId], default: NodeId| Options {
        subvolumes: ids.iter().map(|id| (*id, Access::Writable)).collect(),
        default_subvolume: default,
        ..options(Profile::Portable, Metadata::Dup)
    };
    let errors = [
        error(&tree, &with(&[NodeId::ROOT], NodeId::ROOT)),
        error(&tree, &with(&[file], NodeId::ROOT)),
        error(&tree, &with(&[], a)),
        error(&tree, &with(&[a], a)),
    ];
    insta::assert_snapshot!(errors.join("\n"));
    tree.remove(b, b"link");
    plan(&tree, &with(&[a], a));
}
