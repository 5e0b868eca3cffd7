//! Streams of `nix-store --export`.

use image::{Node, Silent, Spool, Tree};

use super::{file, packed, string};

const A: &str = "/nix/store/0023a8ppvzkvviq2887k7cpw39wzjibi-a";
const B: &str = "/nix/store/v83yia23qrmm0484d2fz9ak12pbfd5x8-b";

fn number(number: u64) -> Vec<u8> {
    number.to_le_bytes().to_vec()
}

/// One path of a stream.
fn path(name: &str, contents: &[u8], references: &[&str]) -> Vec<u8> {
    let mut bytes = number(1);
    bytes.extend(packed(&Tree::new(Node::file(contents))).unwrap());
    bytes.extend(number(0x4558_494E));
    bytes.extend(string(name.as_bytes()));
    bytes.extend(number(references.len() as u64));
    for reference in references {
        bytes.extend(string(reference.as_bytes()));
    }
    bytes.extend(string(b""));
    bytes.extend(number(0));
    bytes
}

fn read(bytes: &[u8]) -> Result<(nix::Closure, Tree), String> {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::create(dir.path()).unwrap();
    let read = nix::read_export(&file(dir.path(), bytes), &spool, &Silent);
    read.map_err(|error| error.to_string())
}

#[test]
fn a_stream_is_a_closure_and_its_tree() {
    let stream = [path(B, b"second", &[]), path(A, b"first", &[A, B]), number(0)].concat();
    let (closure, tree) = read(&stream).unwrap();
    let names: Vec<&str> = closure.paths().iter().map(|info| info.path.as_str()).collect();
    assert_eq!(names, [A, B]);
    assert_eq!(closure.paths()[0].references.as_ref().map(Vec::len), Some(2));
    for (name, contents) in [(A, b"first".to_vec()), (B, b"second".to_vec())] {
        let node = tree.node(tree.lookup(name.as_bytes()).unwrap());
        assert!(matches!(&node.kind, image::Kind::File(found) if found.to_vec().unwrap() == contents));
    }
}

#[test]
fn other_streams_are_refused() {
    let whole = [path(B, b"second", &[]), path(A, b"first", &[A, B]), number(0)].concat();
    for len in 0..whole.len() {
        assert!(read(&whole[..len]).is_err(), "{len}");
    }
    for (bytes, problem) in [
        (
            vec![path(A, b"x", &[B]), number(0)],
            "which is not in the closure",
        ),
        (
            vec![path(A, b"x", &[]), path(A, b"y", &[]), number(0)],
            "comes twice",
        ),
        (
            vec![path("/nix/store/x", b"x", &[]), number(0)],
            "not a store path",
        ),
        (
            vec![path(A, b"x", &[]), number(2)],
            "2 stands where 0 or 1 should",
        ),
        (
            vec![path(A, b"x", &[]), number(0), number(0)],
            "bytes follow the stream's end",
        ),
        (vec![number(1), string(b"nix-archive-0")], "stands where"),
    ] {
        let error = read(&bytes.concat()).unwrap_err();
        assert!(error.contains(problem), "{error}");
    }
}
