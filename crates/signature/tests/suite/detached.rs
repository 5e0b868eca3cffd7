//! Signatures of openssl about something else, and what is wrong with them.

use signature::{Detached, Error, Trust, verify};

use crate::oracle::installed;
use crate::pki::{LEAF, VALID, World, key_file, openssl};

const CONTENT: &[u8] = b"a SquashFS\r\n\0";

fn check(der: &[u8], content: &[u8], trust: &Trust) -> Result<(), Error> {
    let detached = Detached::read(der)?;
    assert!(detached.contents().content.is_empty());
    let mut hasher = detached.hasher();
    for piece in content.chunks(5) {
        hasher.update(piece);
    }
    let verified = detached.verify(hasher, trust)?;
    assert_eq!((verified.content.len(), verified.chain.len()), (0, 2));
    Ok(())
}

#[test]
fn openssl_signs_what_is_elsewhere() {
    if !installed("openssl") {
        return;
    }
    for (kind, digests) in [
        ("p256", ["sha256", "sha384", "sha512"]),
        ("rsa2048", ["sha256", "sha384", "sha512"]),
    ] {
        let world = World::new();
        let root = world.root("Root");
        let leaf = world.issue("leaf", "Leaf", Some(&root), LEAF, VALID, Some(&key_file(kind)));
        let trust = Trust {
            anchors: vec![root.certificate()],
            ..Trust::default()
        };
        let sign = |more: &[&str]| {
            let (content, out) = (world.write("content", CONTENT), world.text("theirs"));
            let (pem, key) = (leaf.pem.to_str().unwrap(), leaf.key.to_str().unwrap());
            let line = [
                "cms", "-sign", "-binary", "-outform", "DER", "-in", &content, "-out", &out, "-signer", pem,
                "-inkey", key,
            ];
            openssl(&[&line[..], more].concat());
            std::fs::read(out).unwrap()
        };
        for digest in digests {
            let der = sign(&["-md", digest]);
            check(&der, CONTENT, &trust).unwrap();
            for (place, wrong) in [
                ("cut", &CONTENT[..5]),
                ("more", &[CONTENT, b"\0"].concat()[..]),
                ("none", b""),
            ] {
                let error = check(&der, wrong, &trust).unwrap_err();
                assert!(matches!(error, Error::WrongDigest { .. }), "{place}: {error}");
            }
            assert!(check(&der, CONTENT, &Trust::default()).is_err());
            // Each byte that is signed is looked at; what is left over belongs to nobody.
            for at in (der.len() - 60)..der.len() {
                let mut bad = der.clone();
                bad[at] ^= 1;
                assert!(check(&bad, CONTENT, &trust).is_err(), "byte {at}");
            }
            // Neither kind is taken for the other.
            assert!(verify(&der, &trust).is_err());
        }
        let whole = sign(&["-nodetach"]);
        verify(&whole, &trust).unwrap();
        let error = check(&whole, CONTENT, &trust).unwrap_err();
        assert!(error.to_string().contains("it holds what it signs"), "{error}");
        let typed = sign(&["-econtent_type", "1.2.3.4"]);
        let error = check(&typed, CONTENT, &trust).unwrap_err();
        assert!(error.to_string().contains("is of the type 1.2.3.4"), "{error}");
    }
}
