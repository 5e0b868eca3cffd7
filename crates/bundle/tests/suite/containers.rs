//! Files whose end, size or order is wrong, and bits that have flipped.

use std::path::Path;

use crate::Rauc::{Refuses, Takes};
use crate::support::{Pieces, Pki};
use crate::{Case, case, refuse};

#[test]
fn ends_that_are_none() {
    refuse(ends);
}

#[test]
fn flipped_bits() {
    refuse(flips);
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn ends(pieces: &Pieces, pki: &Pki, _: &Path) -> Vec<Case> {
    let good = pieces.signed(pki);
    let cms = pki.sign(pieces.manifest.write().as_bytes());
    let len = cms.len() as u64;
    let body = [&pieces.squashfs[..], &pieces.tree].concat();
    let with_len = |len: [u8; 8]| [&body[..], &cms, &len].concat();
    let with_cms = |cms: &[u8]| pieces.file(cms);
    let mut inserted = body.clone();
    inserted.splice(4096..4096, [0; 4096]);
    let inserted = [&inserted[..], &cms, &len.to_be_bytes()].concat();
    let without_tree = [&pieces.squashfs[..], &cms, &len.to_be_bytes()].concat();
    let unaligned = [&body[..], b"x", &cms, &len.to_be_bytes()].concat();
    let at_end = "no bundle: what stands where the signature should be";
    vec![
        case("an empty file", vec![], "0 bytes are too few", Refuses),
        case("seven bytes", vec![1; 7], "7 bytes are too few", Refuses),
        case("eight zeros", vec![0; 8], "there is no signature", Refuses),
        case("zeros only", vec![0; 1 << 20], "there is no signature", Refuses),
        case(
            "a text",
            b"This is no bundle at all.\n".to_vec(),
            "a signature of",
            Refuses,
        ),
        case(
            "the SquashFS alone",
            pieces.squashfs.clone(),
            "there is no signature",
            Refuses,
        ),
        case("the body alone", body.clone(), "there is no signature", Refuses),
        case(
            "a signature of no bytes",
            with_len([0; 8]),
            "there is no signature",
            Refuses,
        ),
        case(
            "a signature of 2^63 bytes",
            with_len((1u64 << 63).to_be_bytes()),
            "the limit is 65536",
            Refuses,
        ),
        case(
            "a signature of 2^64-1 bytes",
            with_len([0xff; 8]),
            "the limit is 65536",
            Refuses,
        ),
        case(
            "a signature of 2^40 bytes",
            with_len((1u64 << 40).to_be_bytes()),
            "the limit is 65536",
            Refuses,
        ),
        case(
            "a size that is little-endian",
            with_len(len.to_le_bytes()),
            "the limit is 65536",
            Refuses,
        ),
        case(
            "a signature that is the whole file",
            [&cms[..], &len.to_be_bytes()].concat(),
            "nothing is left",
            Takes,
        ),
        case(
            "a signature larger than the file",
            [&[0; 90][..], &100u64.to_be_bytes()].concat(),
            "nothing is left",
            Refuses,
        ),
        case(
            "a size that is one too small",
            with_len((len - 1).to_be_bytes()),
            at_end,
            Refuses,
        ),
        case(
            "a size that is one too large",
            with_len((len + 1).to_be_bytes()),
            at_end,
            Refuses,
        ),
        case(
            "a byte behind the end",
            [&good[..], b"\0"].concat(),
            "the limit is 65536",
            Refuses,
        ),
        case(
            "the last byte cut off",
            good[..good.len() - 1].to_vec(),
            "a signature of",
            Refuses,
        ),
        case(
            "a byte behind the signature",
            with_cms(&[&cms[..], b"\0"].concat()),
            "not accepted: the content info has 1 bytes behind its end",
            Takes,
        ),
        case(
            "a signature that ends early",
            with_cms(&cms[..cms.len() - 1]),
            "malformed",
            Refuses,
        ),
        case(
            "a signature of random bytes",
            with_cms(&pieces.squashfs[100_000..100_900]),
            at_end,
            Refuses,
        ),
        case("a block too many", inserted, "block 1 at byte 4096", Takes),
        case(
            "no tree",
            without_tree,
            "does not have the hash that the root hash has",
            Takes,
        ),
        case(
            "a payload that is no multiple of 4096",
            unaligned,
            "must be a multiple of 4096",
            Takes,
        ),
    ]
}

fn flips(pieces: &Pieces, pki: &Pki, _: &Path) -> Vec<Case> {
    let good = pieces.signed(pki);
    let flip = |at: usize| {
        let mut file = good.clone();
        file[at] ^= 1;
        file
    };
    let find = |bytes: &[u8], needle: &[u8]| {
        bytes
            .windows(needle.len())
            .position(|window| window == needle)
            .unwrap()
    };
    let (squashfs_size, tree_size) = (pieces.squashfs.len(), pieces.tree.len());
    let cms_start = squashfs_size + tree_size;
    let manifest = cms_start + find(&good[cms_start..], b"compatible=rock64");
    let name = cms_start + find(&good[cms_start..], b"\x03\x55\x04\x03");
    vec![
        case("a bit of the superblock", flip(0), "block 0", Takes),
        case(
            "a bit of an image",
            flip(squashfs_size / 2),
            "does not have the hash that level 0 has",
            Takes,
        ),
        case(
            "a bit of the SquashFS's tables",
            flip(squashfs_size - 4000),
            "does not have the hash that level 0 has",
            Takes,
        ),
        case("a bit of the tree's top", flip(squashfs_size), "root", Takes),
        case(
            "a bit of the tree's lowest level",
            flip(squashfs_size + 4096 + 40),
            "tree",
            Takes,
        ),
        case("a bit of the tree's padding", flip(cms_start - 1), "tree", Takes),
        case(
            "a bit of the manifest",
            flip(manifest),
            "not what was signed",
            Refuses,
        ),
        case("a bit of a certificate", flip(name + 7), "", Refuses),
        case(
            "a bit of the signature's value",
            flip(good.len() - 20),
            "was changed",
            Refuses,
        ),
        case("a bit of the size", flip(good.len() - 1), "no bundle", Refuses),
        case(
            "a bit of the size's first byte",
            flip(good.len() - 8),
            "the limit is 65536",
            Refuses,
        ),
    ]
}
