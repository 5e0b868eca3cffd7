//! Bytes that are no NARs.

use proptest::prelude::*;

use super::{packed, string, strings, unpacked};
use image::{Node, Tree};

/// A folder of entries, each a name and a node.
fn folder(entries: &[(&[u8], Vec<u8>)]) -> Vec<u8> {
    let mut bytes = strings(&[b"(", b"type", b"directory"]);
    for (name, node) in entries {
        bytes.extend(strings(&[b"entry", b"(", b"name", name, b"node"]));
        bytes.extend(node);
        bytes.extend(string(b")"));
    }
    bytes.extend(string(b")"));
    bytes
}

fn file(contents: &[u8]) -> Vec<u8> {
    strings(&[b"(", b"type", b"regular", b"contents", contents, b")"])
}

fn link(target: &[u8]) -> Vec<u8> {
    strings(&[b"(", b"type", b"symlink", b"target", target, b")"])
}

fn nar(node: &[u8]) -> Vec<u8> {
    [&string(b"nix-archive-1"), node].concat()
}

fn error(bytes: &[u8]) -> String {
    let error = unpacked(bytes, 1 << 20, 4096).unwrap_err();
    assert_eq!(error.fault(), image::Fault::Input, "{error}");
    error.to_string()
}

#[test]
fn what_nix_refuses_is_refused() {
    let [a, b] = [file(b"a"), file(b"b")];
    let names = |one: &[u8], other: &[u8]| nar(&folder(&[(one, a.clone()), (other, b.clone())]));
    assert!(unpacked(&names(b"a", b"b"), 1 << 20, 7).is_ok());
    let mut bad_padding = nar(&file(b"a"));
    let place = bad_padding.len() - 16 - 2;
    bad_padding[place] = 1;
    let huge = |len: u64| {
        let head = nar(&strings(&[b"(", b"type", b"regular", b"contents"]));
        [&head[..], &len.to_le_bytes(), b"short"].concat()
    };
    let deep = |depth: usize| {
        let enter = [
            strings(&[b"(", b"type", b"directory"]),
            strings(&[b"entry", b"(", b"name", b"d", b"node"]),
        ];
        let mut bytes = nar(&enter.concat().repeat(depth));
        bytes.extend(folder(&[]));
        bytes.extend(strings(&[b")", b")"]).repeat(depth));
        bytes
    };
    assert!(unpacked(&deep(64), 1 << 20, 1 << 20).is_ok());
    let long = vec![b'n'; 256];
    for (bytes, problem) in [
        (names(b"b", b"a"), "'a' comes after 'b': the names are not sorted"),
        (names(b"a", b"a"), "'a' comes after 'a'"),
        (names(b"..", b"a"), "a name is '.' or '..'"),
        (names(b".", b"a"), "a name is '.' or '..'"),
        (names(b"", b"a"), "a name is empty"),
        (names(b"a/b", b"c"), "a name has a slash"),
        (names(b"a\0", b"c"), "a name has a zero byte"),
        (names(&long, b"o"), "a name has more than 255 bytes"),
        (nar(&link(b"")), "a link's target is empty"),
        (nar(&link(b"a\0b")), "a link's target has a zero byte"),
        (
            nar(&link(&vec![b't'; 4096])),
            "a link's target has more than 4095 bytes",
        ),
        (bad_padding, "the padding of a string is not zeros"),
        (huge(1 << 62), "a file says that it has 4611686018427387904 bytes"),
        (huge(u64::MAX), "a file says that it has"),
        (huge(6), "it ends too early"),
        (
            [&(1_u64 << 62).to_le_bytes()[..], b"x"].concat(),
            "has more than 32 bytes",
        ),
        (deep(65), "more than 64 directories"),
        (deep(10_000), "more than 64 directories"),
        ([nar(&a), b"x".to_vec()].concat(), "bytes follow it"),
        (
            nar(&strings(&[b"(", b"type", b"pipe", b")"])),
            "there is no type 'pipe'",
        ),
        (
            nar(&strings(&[b"(", b"kind"])),
            "'kind' stands where 'type' should",
        ),
        (
            strings(&[b"nix-archive-2"]),
            "'nix-archive-2' stands where 'nix-archive-1' should",
        ),
        (
            nar(&strings(&[b"(", b"type", b"regular", b"executable", b"x"])),
            "stands where",
        ),
        (Vec::new(), "it ends too early"),
    ] {
        let found = error(&bytes);
        assert!(found.contains(problem), "{found}, and not {problem}");
        assert!(found.starts_with("x.nar: not a NAR, at byte "), "{found}");
    }
}

#[test]
fn no_more_than_was_promised_is_read() {
    let whole = packed(&Tree::new(Node::file(&b"twelve bytes"[..]))).unwrap();
    let len = whole.len() as u64;
    assert!(unpacked(&whole, len, 64).is_ok());
    let error = unpacked(&whole, len - 1, 64).unwrap_err().to_string();
    assert!(error.contains("the size that was promised"), "{error}");
}

/// A small NAR with everything that there is.
fn sample() -> Vec<u8> {
    let executable = strings(&[
        b"(",
        b"type",
        b"regular",
        b"executable",
        b"",
        b"contents",
        b"#!",
        b")",
    ]);
    let inner = folder(&[(b"f", file(b"nine byte")), (b"x", executable)]);
    nar(&folder(&[
        (b"d", inner),
        (b"l", link(b"../t")),
        (b"z", file(b"")),
    ]))
}

#[test]
fn every_cut_is_noticed() {
    let whole = sample();
    assert!(unpacked(&whole, 1 << 20, 3).is_ok());
    for len in 0..whole.len() {
        assert!(unpacked(&whole[..len], 1 << 20, 50).is_err(), "{len}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_answered(bytes: Vec<u8>, place in 0..sample().len(), byte: u8) {
        let _ = unpacked(&bytes, 1 << 20, 11);
        let mut damaged = sample();
        damaged[place] = byte;
        // What is accepted is what we would have written.
        if let Ok(found) = unpacked(&damaged, 1 << 20, 11) {
            prop_assert_eq!(packed(&found.tree).unwrap(), damaged);
        }
    }
}
