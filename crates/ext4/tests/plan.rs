//! What planning promises: sizes, limits, and the same bytes every time.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[expect(dead_code, reason = "other tests use what these do not")]
mod support;

use std::time::Instant;

use ext4::{Error, Journal, Options, Profile, Size};
use image::{Content, Device, Image, Kind, Layout, Meta, Node, NodeId, ReadAt, Tree, Xattr};
use sha2::{Digest, Sha256};
use support::{PROFILES, add_specials, add_units, add_xattrs, options, zoo};

fn tree() -> Tree {
    let mut tree = zoo(64 << 10);
    add_specials(&mut tree);
    add_xattrs(&mut tree);
    add_units(&mut tree);
    tree
}

fn digest(image: &Image) -> String {
    let mut bytes = vec![0; usize::try_from(image.size()).unwrap()];
    image.read_exact_at(&mut bytes, 0).unwrap();
    support::hex(&Sha256::digest(&bytes))
}

#[test]
fn bytes_are_pinned() {
    let digests = PROFILES.map(|profile| digest(&ext4::plan(&tree(), &options(profile)).unwrap().image));
    insta::assert_debug_snapshot!(digests);
}

#[test]
fn the_map_of_a_small_tree() {
    let mut tree = Tree::default();
    tree.add_at(b"/etc/name", Node::file(vec![b'x'; 5000])).unwrap();
    tree.add_at(b"/link", Node::symlink("t".repeat(60))).unwrap();
    let planned = ext4::plan(&tree, &options(Profile::Portable)).unwrap();
    let lines: Vec<String> = planned
        .image
        .map()
        .into_iter()
        .map(|line| format!("{:>9} {:>9} {}", line.start, line.end - line.start, line.label))
        .collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn promises_are_kept_to_the_block() {
    for profile in [Profile::Portable, Profile::UbootLegacy] {
        for (free, free_inodes) in [(1, 0), (1 << 20, 10), (500 << 20, 40_000), (0, 30_000)] {
            let planned = ext4::plan(
                &tree(),
                &Options {
                    free,
                    free_inodes,
                    ..options(profile)
                },
            )
            .unwrap();
            let usage = planned.usage;
            let kept = if free > 0 {
                (usage.blocks / 50).min(4096) * 4096
            } else {
                0
            };
            assert!(usage.free >= free + kept, "{usage:?}");
            assert!(usage.free <= free + kept + free_inodes * 80 + 8192, "{usage:?}");
            assert!(usage.free_inodes >= free_inodes, "{usage:?}");
            // One block less, and it does not fit.
            let size = planned.image.size();
            let less = Options {
                size: Size::Exactly(size - 4096),
                free,
                free_inodes,
                journal: Journal::Bytes(usage.journal_blocks * 4096),
                ..options(profile)
            };
            let error = ext4::plan(&tree(), &less).unwrap_err();
            assert!(
                matches!(error, Error::Full { needed, .. } if needed == size),
                "{error}"
            );
        }
    }
}

/// The time of a directory grows with its names, not with the square of them.
#[test]
fn large_directories_take_time_for_their_names_only() {
    let least = |names: u32| {
        let mut tree = Tree::default();
        for number in 0..names {
            let path = format!("/d/name-of-file-{number}");
            tree.add_at(path.as_bytes(), Node::file(&b"x"[..])).unwrap();
        }
        let time = |_| {
            let start = Instant::now();
            ext4::plan(&tree, &options(Profile::Portable)).unwrap();
            start.elapsed()
        };
        (0..3).map(time).min().unwrap()
    };
    let [few, many] = [4000, 128_000].map(least);
    assert!(many < few * 200, "32 times as many: {few:?} and {many:?}");
}

fn error(tree: &Tree, options: &Options) -> String {
    ext4::plan(tree, options).unwrap_err().to_string()
}

#[test]
fn bad_options_are_named() {
    let tree = Tree::default();
    let portable = options(Profile::Portable);
    let cases = [
        Options {
            label: Some("seventeen-bytes-l".into()),
            ..portable.clone()
        },
        Options {
            size: Size::Exactly(5000),
            ..portable.clone()
        },
        Options {
            size: Size::Exactly(4 << 20),
            free: 1 << 30,
            ..portable.clone()
        },
        Options {
            journal: Journal::Bytes(1 << 20),
            ..portable.clone()
        },
        Options {
            journal: Journal::Bytes(4 << 20),
            ..options(Profile::Readonly)
        },
        Options {
            grow_to: 1 << 60,
            ..portable.clone()
        },
        Options {
            free_inodes: 1 << 32,
            ..portable.clone()
        },
        Options {
            free: u64::MAX,
            ..portable
        },
    ];
    let errors: Vec<String> = cases.iter().map(|options| error(&tree, options)).collect();
    insta::assert_snapshot!(errors.join("\n"));
}

#[test]
fn what_ext4_cannot_hold_is_named() {
    let with = |path: &str, node: Node| {
        let mut tree = Tree::default();
        tree.add_at(path.as_bytes(), node).unwrap();
        tree
    };
    let timed = |mtime: i64| Node {
        meta: Meta {
            mtime,
            ..Meta::root(0o644)
        },
        ..Node::file(&b""[..])
    };
    let attributed = |name: &str, len: usize| {
        let mut node = Node::file(&b""[..]);
        node.meta.xattrs = vec![Xattr {
            name: name.as_bytes().into(),
            value: vec![1; len].into(),
        }];
        node
    };
    let device = |major, minor| Node {
        kind: Kind::CharDevice(Device { major, minor }),
        ..Node::file(&b""[..])
    };
    let owned = |uid, gid| Node {
        meta: Meta {
            uid,
            gid,
            ..Meta::root(0o644)
        },
        ..Node::file(&b""[..])
    };
    let huge = |len: u64| Node::file(Content::Zeros(len));
    let mut linked = with("/first", Node::file(&b""[..]));
    let first = linked.lookup(b"/first").unwrap();
    for number in 0..65_000 {
        linked
            .link(NodeId::ROOT, format!("{number}").as_bytes(), first)
            .unwrap();
    }
    let (portable, legacy) = (options(Profile::Portable), options(Profile::UbootLegacy));
    let errors = [
        error(&Tree::new(Node::file(&b""[..])), &portable),
        error(&with("/lost+found", Node::file(&b""[..])), &portable),
        error(&with("/link", Node::symlink("t".repeat(4096))), &portable),
        error(&with("/link", Node::symlink("")), &portable),
        error(&with("/a/huge", huge(1 << 44)), &portable),
        error(&with("/a/huge", huge(1 << 41)), &legacy),
        error(&with("/old", timed(-(1 << 31) - 1)), &portable),
        error(&with("/new", timed(1 << 34)), &portable),
        error(&with("/x", attributed("note", 1)), &portable),
        error(&with("/x", attributed("user.a\0b", 1)), &portable),
        error(&with("/x", Node::symlink(*b"to\0where")), &portable),
        error(&with("/x", attributed("user.big", 4100)), &portable),
        error(&with("/x", attributed("system.posix_acl_access", 3)), &portable),
        error(&linked, &portable),
        error(&with("/x", attributed("user.", 1)), &portable),
        error(
            &with("/x", attributed(&format!("user.{}", "n".repeat(251)), 1)),
            &portable,
        ),
        error(&with("/dev", device(4096, 0)), &portable),
        error(&with("/dev", device(0, 1 << 20)), &portable),
        error(&with("/owned", owned(u32::MAX, 0)), &portable),
        error(&with("/owned", owned(0, u32::MAX)), &portable),
    ];
    insta::assert_snapshot!(errors.join("\n"));
    ext4::plan(&with("/a/huge", huge((1 << 44) - 8192)), &portable).unwrap();
    ext4::plan(&with("/old", timed(-(1 << 31))), &portable).unwrap();
    ext4::plan(&with("/dev", device(4095, (1 << 20) - 1)), &portable).unwrap();
    ext4::plan(&with("/owned", owned(u32::MAX - 1, u32::MAX - 1)), &portable).unwrap();
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
        digest(&ext4::plan(&tree, &options(Profile::Portable)).unwrap().image)
    });
    assert_eq!(images[0], images[1]);
    assert_eq!(images[0], images[2]);
}

/// A block of a small folder is mostly zeros, which are not kept for each of a million folders.
#[test]
fn small_folders_take_little_memory() {
    let mut tree = Tree::default();
    for number in 0..2000 {
        let path = format!("/{}/{number}", number / 50);
        tree.add_at(path.as_bytes(), Node::directory()).unwrap();
    }
    let planned = ext4::plan(&tree, &options(PROFILES[0])).unwrap();
    let kept: u64 = planned
        .image
        .extents()
        .iter()
        .map(|extent| match &extent.content {
            Content::Bytes(bytes) if &*extent.label == "files" => bytes.len() as u64,
            _ => 0,
        })
        .sum();
    // That of lost+found, which has four blocks from the start.
    assert_eq!(kept, 4 * 4096);
}
