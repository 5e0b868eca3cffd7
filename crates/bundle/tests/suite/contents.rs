//! Payloads whose tree and signature are good, and whose files are not what the manifest says.

use std::path::Path;

use image::{Content, Device, Kind, Meta, Node};

use crate::Rauc::Takes;
use crate::support::{Pieces, Pki};
use crate::{Case, case, refuse};

#[test]
fn files_that_are_not_what_the_manifest_says() {
    refuse(files);
}

#[test]
fn payloads_that_are_no_squashfs() {
    refuse(payloads);
}

#[test]
fn hidden_files_are_no_harm() {
    if !crate::installed("openssl") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let pki = Pki::new(dir.path());
    let pieces = Pieces::new(dir.path());
    let left = (".hook.sh.swp".to_string(), Node::file(&b"left behind"[..]));
    let file = pieces.pack(dir.path(), |files| files.push(left)).signed(&pki);
    crate::verdict(&file, &pki.trust(), dir.path()).unwrap();
}

type Files = Vec<(String, Node)>;

/// The content of a file, to be changed.
fn content(files: &mut Files, name: &str) -> Vec<u8> {
    match &files.iter().find(|file| file.0 == name).unwrap().1.kind {
        Kind::File(content) => content.to_vec().unwrap(),
        other => panic!("{other:?}"),
    }
}

fn set(files: &mut Files, name: &str, node: Node) {
    files.retain(|file| file.0 != name);
    files.push((name.to_string(), node));
}

fn edit(files: &mut Files, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = content(files, name);
    change(&mut bytes);
    set(files, name, Node::file(Content::from(bytes)));
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn files(pieces: &Pieces, pki: &Pki, dir: &Path) -> Vec<Case> {
    let pack = |change: &dyn Fn(&mut Files)| pieces.pack(dir, |files| change(files)).signed(pki);
    let index = "rootfs.squashfs.block-hash-index";
    let fifo = Node {
        meta: Meta::root(0o644),
        kind: Kind::Fifo,
    };
    let device = Node {
        meta: Meta::root(0o644),
        kind: Kind::BlockDevice(Device { major: 8, minor: 0 }),
    };
    vec![
        case(
            "another byte in an image",
            pack(&|files| edit(files, "boot.vfat", |bytes| bytes[9] ^= 1)),
            "boot.vfat",
            Takes,
        ),
        case(
            "another byte in an image, and in its index",
            pack(&|files| {
                edit(files, "boot.vfat", |bytes| bytes[0] ^= 1);
                let image = content(files, "boot.vfat");
                edit(files, "boot.vfat.block-hash-index", |index| {
                    let digest: [u8; 32] = sha2::Digest::finalize(sha2::Digest::chain_update(
                        <sha2::Sha256 as sha2::Digest>::new(),
                        &image[..4096],
                    ))
                    .into();
                    index[..32].copy_from_slice(&digest);
                });
            }),
            "its SHA-256 is not the manifest's",
            Takes,
        ),
        case(
            "an image that is longer",
            pack(&|files| edit(files, "boot.vfat", |bytes| bytes.extend([0; 4096]))),
            "the manifest says 49152",
            Takes,
        ),
        case(
            "an image that is shorter",
            pack(&|files| edit(files, "boot.vfat", |bytes| bytes.truncate(4096))),
            "the manifest says 49152",
            Takes,
        ),
        case(
            "no image",
            pack(&|files| files.retain(|file| file.0 != "boot.vfat")),
            "boot.vfat: is not in the bundle",
            Takes,
        ),
        case(
            "an image that is a folder",
            pack(&|files| set(files, "boot.vfat", Node::directory())),
            "boot.vfat: is no file",
            Takes,
        ),
        case(
            "an image that is a link",
            pack(&|files| set(files, "boot.vfat", Node::symlink("rootfs.squashfs"))),
            "boot.vfat: is no file",
            Takes,
        ),
        case(
            "no index",
            pack(&|files| files.retain(|file| file.0 != index)),
            "is not in the bundle",
            Takes,
        ),
        case(
            "an index that ends early",
            pack(&|files| edit(files, index, |bytes| bytes.truncate(320))),
            "has 320 bytes",
            Takes,
        ),
        case(
            "an index that goes on",
            pack(&|files| edit(files, index, |bytes| bytes.extend([0; 32]))),
            "has 6432 bytes",
            Takes,
        ),
        case(
            "another hash in an index",
            pack(&|files| edit(files, index, |bytes| bytes[32 * 150] ^= 1)),
            "the hash of block 150",
            Takes,
        ),
        case(
            "no hook",
            pack(&|files| files.retain(|file| file.0 != "hook.sh")),
            "hook.sh: is not in the bundle",
            Takes,
        ),
        case(
            "a hook that cannot be run",
            pack(&|files| edit(files, "hook.sh", |_| {})),
            "hook.sh: is not executable",
            Takes,
        ),
        case(
            "no manifest inside",
            pack(&|files| files.retain(|file| file.0 != "manifest.raucm")),
            "manifest.raucm: is not in the bundle",
            Takes,
        ),
        case(
            "another manifest inside",
            pack(&|files| {
                edit(files, "manifest.raucm", |bytes| {
                    let text = String::from_utf8(bytes.clone()).unwrap();
                    *bytes = text.replace("rock64", "rock65").into_bytes();
                });
            }),
            "says something else than the signed manifest",
            Takes,
        ),
        case(
            "no text inside",
            pack(&|files| edit(files, "manifest.raucm", |bytes| bytes.fill(0xff))),
            "is not UTF-8",
            Takes,
        ),
        case(
            "a named pipe",
            pack(&|files| set(files, "pipe", fifo.clone())),
            "pipe: is neither a file nor a folder",
            Takes,
        ),
        case(
            "a device",
            pack(&|files| set(files, "sda", device.clone())),
            "sda: is neither a file nor a folder",
            Takes,
        ),
        case(
            "a link to elsewhere",
            pack(&|files| set(files, "link", Node::symlink("/etc/passwd"))),
            "link: is a link out of its folder",
            Takes,
        ),
        case(
            "a link upwards",
            pack(&|files| set(files, "link", Node::symlink(".."))),
            "link: is a link out of its folder",
            Takes,
        ),
        case(
            "a hidden folder",
            pack(&|files| set(files, ".rauc-cfs-store", Node::directory())),
            "is hidden",
            Takes,
        ),
        case(
            "a hidden link",
            pack(&|files| set(files, ".link", Node::symlink("boot.vfat"))),
            "is hidden",
            Takes,
        ),
    ]
}

/// Devices take what nobody names, so it is told; a program that the manifest names may use it.
#[test]
fn what_nobody_names_is_told() {
    if !crate::installed("openssl") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let pki = Pki::new(dir.path());
    let with_program = Pieces::new(dir.path());
    let mut bare = with_program.clone();
    bare.manifest.hooks = None;
    bare.files.retain(|(name, _)| name != "hook.sh");
    let inner = bare.manifest.inner().write().into_bytes();
    set(&mut bare.files, "manifest.raucm", Node::file(inner));
    for (name, node) in [
        ("extra", Node::file(&b"more"[..])),
        ("hook.sh.block-hash-index", Node::file(&b"more"[..])),
        ("extra", Node::directory()),
        ("extra/file", Node::file(&b"more"[..])),
        ("link", Node::symlink("boot.vfat")),
    ] {
        for (pieces, is_told) in [(&bare, true), (&with_program, false)] {
            let file = pieces
                .pack(dir.path(), |files| files.push((name.into(), node.clone())))
                .signed(&pki);
            let checked = crate::verdict(&file, &pki.trust(), dir.path()).unwrap();
            let told: &[&str] = if is_told {
                &[name.split('/').next().unwrap()]
            } else {
                &[]
            };
            assert_eq!(checked.unnamed, told, "{name}");
        }
    }
}

fn payloads(pieces: &Pieces, pki: &Pki, _: &Path) -> Vec<Case> {
    let change = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut pieces = pieces.clone();
        change(&mut pieces.squashfs);
        pieces.protect();
        pieces.signed(pki)
    };
    vec![
        case(
            "blocks behind the SquashFS",
            change(&|bytes| bytes.extend([7; 8192])),
            "more than padding",
            Takes,
        ),
        case(
            "a SquashFS that is cut off",
            change(&|bytes| bytes.truncate(40960)),
            "and has only 40960",
            Takes,
        ),
        case(
            "no SquashFS",
            change(&|bytes| bytes.fill(3)),
            "does not begin with",
            Takes,
        ),
        case(
            "zeros",
            change(&|bytes| bytes.fill(0)),
            "does not begin with",
            Takes,
        ),
        case(
            "another version of SquashFS",
            change(&|bytes| bytes[28] = 9),
            "version 9",
            Takes,
        ),
        case(
            "a SquashFS whose exported inodes are elsewhere",
            change(&|bytes| bytes[88] ^= 8),
            "exported inodes",
            Takes,
        ),
        case(
            "a SquashFS without owners",
            change(&|bytes| bytes[26..28].fill(0)),
            "ids is empty",
            Takes,
        ),
        case(
            "a SquashFS whose inodes are elsewhere",
            change(&|bytes| bytes[64..72].fill(0xee)),
            "SquashFS",
            Takes,
        ),
    ]
}
