//! Signatures of root hashes: openssl makes and verifies the same, and what Linux refuses is refused.

use signature::{At, Bare, Error, Identity, Trust, sign, sign_bare};

use crate::oracle::installed;
use crate::pinned::certificate;
use crate::pki::{KINDS, World, key, key_file, now, openssl};

const TEXT: &[u8] = b"b4e5e85efbc7354b24cf460b8ed708bb9ec996ba1f591f3096e447598458b3a8";

fn pem(kind: &str) -> String {
    format!("{}/tests/data/{kind}.pem", env!("CARGO_MANIFEST_DIR"))
}

fn identity(kind: &str) -> Identity {
    Identity {
        certificate: certificate(kind),
        intermediates: Vec::new(),
    }
}

fn trust(kind: &str) -> Trust {
    Trust {
        anchors: vec![certificate(kind)],
        at: At::Time(now()),
        ..Trust::default()
    }
}

/// What openssl makes of a text; `smime` writes PKCS#7 as systemd does, `cms` leaves the parameters of the digest out.
fn theirs(world: &World, kind: &str, command: &str, more: &[&str]) -> Vec<u8> {
    let (text, out, key) = (world.write("text", TEXT), world.text("theirs"), key_file(kind));
    let line = [
        command,
        "-sign",
        "-binary",
        "-outform",
        "DER",
        "-in",
        &text,
        "-out",
        &out,
        "-signer",
        &pem(kind),
        "-inkey",
        key.to_str().unwrap(),
    ];
    openssl(&[&line[..], more].concat());
    std::fs::read(out).unwrap()
}

#[test]
fn openssl_makes_and_verifies_the_same() {
    if !installed("openssl") {
        return;
    }
    for kind in KINDS {
        let world = World::new();
        let ours = sign_bare(TEXT, &identity(kind), &key(kind)).unwrap();
        assert_eq!(
            ours,
            sign_bare(TEXT, &identity(kind), &key(kind)).unwrap(),
            "{kind}"
        );
        if kind.starts_with("rsa") {
            assert_eq!(ours, theirs(&world, kind, "smime", &["-noattr"]), "{kind}");
        }
        let (text, file) = (world.write("text", TEXT), world.write("ours", &ours));
        for command in ["smime", "cms"] {
            openssl(&[
                command,
                "-verify",
                "-binary",
                "-inform",
                "DER",
                "-in",
                &file,
                "-content",
                &text,
                "-CAfile",
                &pem(kind),
                "-purpose",
                "any",
                "-no_check_time",
                "-out",
                "/dev/null",
            ]);
        }
        for command in ["smime", "cms"] {
            let der = theirs(&world, kind, command, &["-noattr"]);
            let verified = Bare::read(&der).unwrap().verify(TEXT, &trust(kind)).unwrap();
            assert_eq!(
                (verified.chain.len(), verified.signing_time),
                (1, None),
                "{kind} {command}"
            );
        }
    }
}

#[test]
fn what_linux_refuses_is_refused() {
    let kind = "rsa2048";
    let der = sign_bare(TEXT, &identity(kind), &key(kind)).unwrap();
    let check = |der: &[u8], text: &[u8]| Bare::read(der).and_then(|bare| bare.check(text));
    check(&der, TEXT).unwrap();
    for (what, text) in [
        ("the end of a line", [TEXT, b"\n"].concat()),
        ("capitals", TEXT.to_ascii_uppercase()),
        ("another root hash", [b"0", &TEXT[1..]].concat()),
        ("nothing", Vec::new()),
    ] {
        let error = check(&der, &text).unwrap_err();
        assert!(matches!(error, Error::BadSignature { .. }), "{what}: {error}");
    }
    let attached = sign(TEXT, &identity(kind), &key(kind), None).unwrap();
    let error = Bare::read(&attached).err().unwrap().to_string();
    assert!(error.contains("it is not detached"), "{error}");
    // Every byte of it counts, but for the certificate's own, which who trusts looks at.
    let untrusted = |der: &[u8]| Bare::read(der).and_then(|bare| bare.verify(TEXT, &trust(kind)));
    untrusted(&der).unwrap();
    for at in 0..der.len() {
        let mut changed = der.clone();
        changed[at] ^= 1;
        assert!(untrusted(&changed).is_err(), "byte {at}");
        assert!(Bare::read(&der[..at]).is_err(), "cut at {at}");
    }
    let other = untrusted(&sign_bare(TEXT, &identity("p256"), &key("p256")).unwrap()).unwrap_err();
    assert_eq!(other.fault(), image::Fault::Untrusted);
}

#[test]
fn attributes_are_refused() {
    if !installed("openssl") {
        return;
    }
    let world = World::new();
    for command in ["smime", "cms"] {
        let error = Bare::read(&theirs(&world, "p256", command, &[])).err().unwrap();
        assert!(error.to_string().contains("it has signed attributes"), "{error}");
    }
    let mismatch = sign_bare(TEXT, &identity("p256"), &key("rsa2048")).unwrap_err();
    assert!(matches!(mismatch, Error::KeyMismatch { .. }), "{mismatch}");
}
