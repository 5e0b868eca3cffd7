//! Signatures that somebody has tampered with, and bytes that are none.

use std::time::Instant;

use proptest::prelude::*;
use signature::{Certificate, Crl, Error, Key, Purpose, Trust, content, read, sign, verify};

use crate::case::{Case, all};
use crate::oracle::installed;
use crate::pinned::{CONTENT, certificate, signature, trust};
use crate::pki::{Party, VALID, World, key, key_file, now};

/// Everything that reads what others wrote.
fn read_all(bytes: &[u8]) {
    drop(read(bytes));
    drop(content(bytes));
    drop(verify(bytes, &trust("p256")));
    drop(Certificate::read_pem_or_der(bytes, "hostile"));
    drop(Crl::read_pem_or_der(bytes, "hostile"));
    drop(Key::read(bytes, Some(b"pass")));
}

#[test]
fn every_changed_bit_is_found() {
    for kind in ["p256", "rsa2048"] {
        let (good, trust) = (signature(kind), trust(kind));
        assert!(verify(&good, &trust).is_ok());
        for at in 0..good.len() {
            assert!(verify(&good[..at], &trust).is_err(), "cut at {at}");
            for bit in 0..8 {
                let mut bad = good.clone();
                bad[at] ^= 1 << bit;
                assert!(verify(&bad, &trust).is_err(), "{kind}: bit {bit} of byte {at}");
            }
        }
        let longer = [&good[..], b"\0"].concat();
        assert_eq!(
            verify(&longer, &trust).unwrap_err().to_string(),
            "the signature is not accepted: the content info has 1 bytes behind its end"
        );
    }
}

/// Replaces the only occurrence of some bytes by others of the same number.
fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let at = bytes
        .windows(from.len())
        .position(|window| window == from)
        .unwrap();
    let mut bytes = bytes.to_vec();
    bytes[at..at + to.len()].copy_from_slice(to);
    bytes
}

#[test]
fn what_is_wrong_is_told_apart() {
    let good = signature("p256");
    let verdict = |bytes: &[u8]| verify(bytes, &trust("p256")).unwrap_err();
    let other_content = replaced(&good, b"compatible=test", b"compatible=best");
    assert!(matches!(verdict(&other_content), Error::WrongDigest { .. }));
    let other_time = replaced(&good, b"270101000000Z", b"280101000000Z");
    assert!(matches!(verdict(&other_time), Error::BadSignature { .. }));
    let mut other_signature = good.clone();
    *other_signature.last_mut().unwrap() ^= 1;
    assert!(matches!(verdict(&other_signature), Error::BadSignature { .. }));
    assert_eq!(verdict(&other_signature).fault(), image::Fault::Untrusted);
    assert!(matches!(verdict(&good[..100]), Error::Malformed { .. }));
    assert_eq!(verdict(&good[..100]).fault(), image::Fault::Damaged);
    assert_eq!(
        verdict(b"").to_string(),
        "the signature is malformed: it is empty"
    );
}

#[test]
fn huge_lengths_and_depths_are_refused() {
    let trust = trust("p256");
    for length in [
        &b"\x84\xff\xff\xff\xff"[..],
        b"\x88\x7f\xff\xff\xff\xff\xff\xff\xff",
        b"\x88\x80\0\0\0\0\0\0\0",
        b"\x88\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x89\x01\0\0\0\0\0\0\0\0",
    ] {
        let bytes = [b"\x30", length, &[0; 100]].concat();
        assert!(
            matches!(verify(&bytes, &trust), Err(Error::Malformed { .. })),
            "{length:x?}"
        );
        assert!(content(&bytes).is_err());
    }
    // As deep as 64 KiB allow.
    let mut deep = Vec::new();
    while deep.len() < (64 << 10) - 8 {
        let len = u32::try_from(deep.len()).unwrap().to_be_bytes();
        deep = [&[0x30, 0x84], &len[..], &deep].concat();
        if deep.len() > 4096 {
            break;
        }
    }
    read_all(&deep);
    read_all(&vec![0x30; 64 << 10]);
    read_all(&b"\x30\x80".repeat(32 << 10));
    let large = vec![0; (64 << 10) + 1];
    assert_eq!(
        verify(&large, &trust).unwrap_err().to_string(),
        "the signature is malformed: it has 65537 bytes, the limit is 65536"
    );
    assert_eq!(
        content(&large).unwrap_err().to_string(),
        verify(&large, &trust).unwrap_err().to_string()
    );
}

/// Puts a value into one that holds others: in front of a child, found by going down by the positions of children.
fn inserted(der: &[u8], path: &[usize], value: &[u8]) -> Vec<u8> {
    let long = usize::from(der[1].saturating_sub(0x80));
    let mut rest = &der[2 + long..];
    let mut inside = Vec::new();
    let mut position = 0;
    while !rest.is_empty() || position <= path[0] {
        if position == path[0] && path.len() == 1 {
            inside.extend_from_slice(value);
        }
        let (child, after) = rest.split_at(whole_len(rest));
        if position == path[0] && path.len() > 1 {
            inside.extend(inserted(child, &path[1..], value));
        } else {
            inside.extend_from_slice(child);
        }
        (rest, position) = (after, position + 1);
    }
    let len = u16::try_from(inside.len()).unwrap().to_be_bytes();
    match len {
        [0, len @ 0..=0x7f] => [&[der[0], len][..], &inside].concat(),
        [0, len] => [&[der[0], 0x81, len][..], &inside].concat(),
        [high, low] => [&[der[0], 0x82, high, low][..], &inside].concat(),
    }
}

/// The bytes of a value with its tag and length.
fn whole_len(der: &[u8]) -> usize {
    match der {
        [] => 0,
        [_, len @ 0..=0x7f, ..] => 2 + usize::from(*len),
        [_, 0x81, len, ..] => 3 + usize::from(*len),
        [_, 0x82, high, low, ..] => 4 + usize::from(u16::from_be_bytes([*high, *low])),
        _ => panic!("{der:x?}"),
    }
}

#[test]
fn what_nobody_signed_is_refused() {
    let (good, trust) = (signature("p256"), trust("p256"));
    // Content info, [0], signed data: the signers are its fifth part, and attributes that are not signed the seventh
    // of a signer.
    let (lists, attributes) = (&[1, 0, 4][..], &[1, 0, 4, 0, 6][..]);
    for value in [&b"\xa1\0"[..], b"\xa1\x03\x02\x01\x05", b"\xa1\x02\x30\0"] {
        let bad = inserted(&good, lists, value);
        let message = "the signature is not accepted: it holds lists of revoked certificates";
        assert_eq!(verify(&bad, &trust).unwrap_err().to_string(), message);
        assert_eq!(read(&bad).unwrap_err().to_string(), message);
        assert_eq!(content(&bad).unwrap_err().to_string(), message);
        let bad = inserted(&good, attributes, value);
        let message = "the signature is not accepted: it has attributes that are not signed";
        assert_eq!(verify(&bad, &trust).unwrap_err().to_string(), message);
        assert_eq!(read(&bad).unwrap_err().to_string(), message);
    }
}

#[test]
fn content_is_read_without_trust() {
    let mut bytes = signature("p256");
    *bytes.last_mut().unwrap() ^= 1;
    assert!(verify(&bytes, &Trust::default()).is_err());
    assert_eq!(content(&bytes).unwrap(), CONTENT);
    let contents = read(&bytes).unwrap();
    assert_eq!(
        (contents.signer, contents.signing_time),
        (certificate("p256"), Some(now()))
    );
}

#[test]
fn a_maze_of_certificates_is_left_soon() {
    if !installed("openssl") {
        return;
    }
    let world = World::new();
    // Five authorities of one name have signed each other: there are more chains than anybody can try.
    let plain = "basicConstraints=critical,CA:TRUE\nsubjectKeyIdentifier=none\nauthorityKeyIdentifier=none";
    let roots: Vec<Party> = (0..5)
        .map(|index| world.issue(&format!("r{index}"), "Maze", None, plain, VALID, None))
        .collect();
    let mut crosses = Vec::new();
    for (index, issuer) in roots.iter().enumerate() {
        for (subject, root) in roots.iter().enumerate().filter(|(subject, _)| *subject != index) {
            let file = format!("c{index}{subject}");
            crosses.push(world.issue(&file, "Maze", Some(issuer), plain, VALID, Some(&root.key)));
        }
    }
    let ids = "authorityKeyIdentifier=none";
    let leaf = world.issue(
        "leaf",
        "Leaf",
        Some(&roots[0]),
        ids,
        VALID,
        Some(&key_file("p256")),
    );
    let crosses: Vec<&Party> = crosses.iter().collect();
    // A device takes the root that is there, and looks no further.
    let (good, bad) = (["ok", "WrongPurpose", "ok"], all("BadCertificateSignature"));
    for (root, verdicts) in [(0, good), (3, bad)] {
        Case::new(&world, &leaf, &crosses, &[&roots[root]]).expect("a maze", verdicts);
    }
    let case = Case::new(&world, &leaf, &crosses, &[]);
    case.expect("a maze without roots", all("RootUntrusted"));
    let start = Instant::now();
    assert!(case.ours(Purpose::Any).is_err());
    assert!(start.elapsed().as_secs() < 10);
}

#[test]
fn a_maze_in_a_keyring_is_left_soon() {
    if !installed("openssl") {
        return;
    }
    let world = World::new();
    // Authorities of two names, of which each may have issued all of the other name.
    let plain = "basicConstraints=critical,CA:TRUE\nsubjectKeyIdentifier=none\nauthorityKeyIdentifier=none";
    let roots = [("A", "B"), ("B", "A")].map(|(name, issuer)| {
        let issuer = world.issue(&format!("root {issuer}"), issuer, None, plain, VALID, None);
        (name, issuer)
    });
    let mut maze: Vec<Party> = Vec::new();
    for index in 0..3 {
        for (name, issuer) in &roots {
            maze.push(world.issue(&format!("{name}{index}"), name, Some(issuer), plain, VALID, None));
        }
    }
    let leaf = world.leaf("Leaf", &maze[0], "authorityKeyIdentifier=none");
    let maze: Vec<&Party> = maze.iter().collect();
    let case = Case::new(&world, &leaf, &[], &maze);
    case.expect("a maze", all("TooManyPaths"));
    let start = Instant::now();
    assert!(case.ours(Purpose::Any).is_err());
    assert!(start.elapsed().as_secs() < 10);
}

proptest! {
    #[test]
    fn changed_signatures_are_refused(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5)) {
        let good = signature("p256");
        let mut bad = good.clone();
        for (at, byte) in changes {
            let at = at.index(bad.len());
            bad[at] = byte;
        }
        read_all(&bad);
        prop_assert!(bad == good || verify(&bad, &trust("p256")).is_err());
    }

    #[test]
    fn spliced_signatures_are_refused(from in any::<prop::sample::Index>(), to in any::<prop::sample::Index>(), len in 0_usize..40) {
        let good = signature("p256");
        let (from, to) = (from.index(good.len()), to.index(good.len()));
        let piece = &good[from..good.len().min(from + len)];
        let bad = [&good[..to], piece, &good[to..]].concat();
        read_all(&bad);
        prop_assert!(bad == good || verify(&bad, &trust("p256")).is_err());
    }

    #[test]
    fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        read_all(&bytes);
    }

    #[test]
    fn changed_keys_and_certificates_are_read(
        kind in prop::sample::select(&["p256", "p384", "rsa2048"][..]),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5),
    ) {
        let mut pem = std::fs::read(key_file(kind)).unwrap();
        let mut der = certificate(kind).der().to_vec();
        for (at, byte) in changes {
            let (in_pem, in_der) = (at.index(pem.len()), at.index(der.len()));
            pem[in_pem] = byte;
            der[in_der] = byte;
        }
        read_all(&pem);
        read_all(&der);
    }

    #[test]
    fn any_content_is_given_back(content in prop::collection::vec(any::<u8>(), 0..5000)) {
        let identity = signature::Identity { certificate: certificate("p256"), intermediates: Vec::new() };
        let der = sign(&content, &identity, &key("p256"), Some(now())).unwrap();
        prop_assert_eq!(verify(&der, &trust("p256")).unwrap().content, content);
    }
}
