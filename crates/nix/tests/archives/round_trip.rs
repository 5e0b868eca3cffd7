//! Trees that go through a NAR.

use std::io::Write;
use std::process::{Command, Stdio};

use image::{Content, Keep, Kind, Node, NodeId, Silent, Tree, scan_path};
use sha2::{Digest, Sha256};

use super::{oracle, packed, unpacked};

fn sample() -> Tree {
    let mut tree = Tree::default();
    let mut add = |path: &[u8], node: Node| tree.add_at(path, node).unwrap();
    add(b"/bin/run", Node::file(&b"#!/bin/sh\n"[..]).mode(0o555));
    add(b"/empty", Node::file(&b""[..]));
    add(b"/latin-\xe9", Node::file(vec![7; 70_001]));
    add(
        b"/holes",
        Node::file([vec![0; 300_000], vec![1; 10], vec![0; 100_000]].concat()),
    );
    add(b"/link", Node::symlink("bin/run"));
    tree.make_directory(b"/nothing").unwrap();
    tree
}

#[test]
fn trees_survive() {
    let tree = sample();
    let nar = packed(&tree).unwrap();
    assert_eq!(
        nix::nar::hash(&tree, NodeId::ROOT, &Silent).unwrap().1,
        nar.len() as u64
    );
    for piece in [1, 4095, 1 << 20] {
        let found = unpacked(&nar, nar.len() as u64, piece).unwrap();
        assert_eq!(found.size, nar.len() as u64);
        assert_eq!(found.hash.0[..], Sha256::digest(&nar)[..]);
        assert!(packed(&found.tree).unwrap() == nar);
        // Where there is data was learnt on the way, and is what another reading finds.
        for (id, node) in found.tree.nodes() {
            if let Kind::File(content) = &node.kind {
                let again = Content::from(content.to_vec().unwrap());
                assert_eq!(content.data_runs().unwrap(), again.data_runs().unwrap(), "{id:?}");
            }
        }
    }
}

#[test]
fn single_files_and_links_are_nars_too() {
    for node in [
        Node::file(&b"x"[..]).mode(0o444),
        Node::symlink("/to"),
        Node::directory(),
    ] {
        let nar = packed(&Tree::new(node)).unwrap();
        let found = unpacked(&nar, nar.len() as u64, 9).unwrap();
        assert_eq!(packed(&found.tree).unwrap(), nar);
        assert_eq!(found.tree.len(), 1);
    }
}

/// `nix-store --restore` and `--dump` know nothing of us.
#[test]
fn nix_agrees_in_both_directions() {
    if !oracle::installed("nix-store") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (nar, out) = (packed(&sample()).unwrap(), dir.path().join("out"));
    let mut child = Command::new("nix-store")
        .arg("--restore")
        .arg(&out)
        .env("HOME", dir.path())
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&nar).unwrap();
    assert!(child.wait().unwrap().success());
    let restored = scan_path(&out, Keep::default()).unwrap();
    assert!(packed(&restored).unwrap() == nar);
    let dumped = Command::new("nix-store")
        .arg("--dump")
        .arg(&out)
        .env("HOME", dir.path())
        .output()
        .unwrap();
    assert!(dumped.stdout == nar);
}
