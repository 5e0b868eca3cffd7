//! Manifests that somebody who is trusted has signed, and that say what is not so.

use std::path::Path;

use crate::Rauc::{Refuses, Takes};
use crate::support::{Pieces, Pki};
use crate::{Case, case, refuse};

#[test]
fn manifests_that_say_what_is_not_so() {
    refuse(manifests);
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn manifests(pieces: &Pieces, pki: &Pki, _: &Path) -> Vec<Case> {
    let text = pieces.manifest.write();
    let hash = data_encoding::HEXLOWER.encode(&pieces.manifest.verity.unwrap().hash);
    let salt = data_encoding::HEXLOWER.encode(&pieces.manifest.verity.unwrap().salt);
    let size = pieces.tree.len();
    let says = |old: &str, new: &str| {
        assert!(text.contains(old), "{old}");
        pieces.file(&pki.sign(text.replace(old, new).as_bytes()))
    };
    let tree = format!("verity-size={size}");
    let payload = pieces.tree.len() + pieces.squashfs.len();
    let larger = format!("verity-size={}", size + 4096);
    let all = format!("verity-size={payload}");
    let blocks = format!("verity-size={}", payload + 4096);
    let boot_size = format!("size={}", 48 << 10);
    vec![
        case(
            "a tree of no bytes",
            says(&tree, "verity-size=0"),
            "must be a multiple of 4096",
            Takes,
        ),
        case(
            "a tree of 4095 bytes",
            says(&tree, "verity-size=4095"),
            "must be a multiple of 4096",
            Takes,
        ),
        case(
            "a tree that is too large",
            says(&tree, &larger),
            "the tree of",
            Takes,
        ),
        case(
            "a tree that is everything",
            says(&tree, &all),
            "the whole payload has",
            Takes,
        ),
        case(
            "a tree larger than the file",
            says(&tree, &blocks),
            "the whole payload has",
            Takes,
        ),
        case("another root", says(&hash, &"0".repeat(64)), "root", Takes),
        case("another salt", says(&salt, &"0".repeat(64)), "", Takes),
        case(
            "a root in capital letters",
            says(&hash, &hash.to_uppercase()),
            "64 lower-case",
            Takes,
        ),
        case(
            "a root of 62 digits",
            says(&hash, &hash[2..]),
            "64 lower-case",
            Takes,
        ),
        case(
            "nothing about the tree",
            says(&format!("{tree}\n"), ""),
            "has no verity-size",
            Takes,
        ),
        case(
            "the format plain",
            says("format=verity", "format=plain"),
            "a bundle of the format plain",
            Refuses,
        ),
        case(
            "a key that nobody knows",
            says("version=1.0", "verzion=1.0"),
            "has no key verzion",
            Refuses,
        ),
        case(
            "a key that comes twice",
            says("version=1.0", "version=1.0\nversion=2.0"),
            "comes twice",
            Refuses,
        ),
        case(
            "a group that comes twice",
            format_twice(pieces, pki, &text),
            "comes twice",
            Refuses,
        ),
        case(
            "a file name with a folder",
            says("=boot.vfat", "=../boot.vfat"),
            "without folders",
            Takes,
        ),
        case(
            "an absolute file name",
            says("=boot.vfat", "=/boot.vfat"),
            "without folders",
            Takes,
        ),
        case(
            "no compatible",
            says("compatible=rock64\n", ""),
            "has no compatible",
            Refuses,
        ),
        case(
            "a hook that nobody knows",
            says("install-check", "install-czech"),
            "there is no hook",
            Refuses,
        ),
        case(
            "a digest that is none",
            says("sha256=", "sha256=../"),
            "64 lower-case",
            Takes,
        ),
        case(
            "another size of an image",
            says(&boot_size, "size=4096"),
            "manifest.raucm",
            Takes,
        ),
        case(
            "a size below zero",
            says(&boot_size, "size=-1"),
            "must be a number",
            Takes,
        ),
        case(
            "no image",
            without_images(pieces, pki),
            "there is no image",
            Takes,
        ),
        case(
            "a file name of several lines",
            says("=boot.vfat", "=boot.vfat\\n\\nCertificate Chain:"),
            "holds a control character",
            Takes,
        ),
        case(
            "a NUL",
            says("version=1.0", "version=1\0.0"),
            "control character",
            Takes,
        ),
        case(
            "another version than inside",
            says("version=1.0", "version=1.1"),
            "manifest.raucm",
            Takes,
        ),
    ]
}

fn format_twice(pieces: &Pieces, pki: &Pki, text: &str) -> Vec<u8> {
    pieces.file(&pki.sign(format!("{text}\n[update]\nversion=2.0\n").as_bytes()))
}

fn without_images(pieces: &Pieces, pki: &Pki) -> Vec<u8> {
    let mut manifest = pieces.manifest.clone();
    manifest.images.clear();
    pieces.file(&pki.sign(manifest.write().as_bytes()))
}
