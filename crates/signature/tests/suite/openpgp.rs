//! OpenPGP: what is made is read again, and nothing else is believed. What gpg says is asked where releases are made.

use signature::{Error, Key, OpenPgpKey, OpenPgpSignature, Signer as _};

use crate::pki::key_file;

const CONTENT: &[u8] = b"0123  a file\n";

fn made(kind: &str) -> (Key, OpenPgpKey) {
    let key = Key::read(&std::fs::read(key_file(kind)).unwrap(), None).unwrap();
    let public = OpenPgpKey::new(&key.public_key().unwrap(), 7).unwrap();
    (key, public)
}

#[test]
fn signatures_of_keys_of_all_sizes_are_good_and_always_the_same() {
    for kind in ["rsa2048", "rsa3072", "rsa4096"] {
        let (key, public) = made(kind);
        let keyring = public.keyring("somebody", &key).unwrap();
        let keys = OpenPgpKey::read_keyring(&keyring, "keyring").unwrap();
        assert_eq!(&keys[..], std::slice::from_ref(&public));
        assert_eq!(keys[0].time(), 7);
        let bytes = public.sign(CONTENT, 9, &key).unwrap();
        assert_eq!(bytes, public.sign(CONTENT, 9, &key).unwrap());
        let signature = OpenPgpSignature::read(&bytes).unwrap();
        assert_eq!(signature.time(), Some(9));
        assert_eq!(signature.verify(CONTENT, &keys).unwrap(), &public);
        let error = signature.verify(b"0124  a file\n", &keys).unwrap_err();
        assert!(matches!(error, Error::BadSignature { .. }), "{error}");
    }
}

#[test]
fn only_whose_key_is_in_the_keyring_is_believed() {
    let ((key, public), (other, others)) = (made("rsa2048"), made("rsa3072"));
    let signature = OpenPgpSignature::read(&public.sign(CONTENT, 9, &key).unwrap()).unwrap();
    let error = signature
        .verify(CONTENT, std::slice::from_ref(&others))
        .unwrap_err();
    assert!(matches!(error, Error::UnknownKey { .. }), "{error}");
    assert_eq!(
        signature.verify(CONTENT, &[others, public.clone()]).unwrap(),
        &public
    );
    // A signer that has another key is found out before anything is published.
    let error = public.sign(CONTENT, 9, &other).unwrap_err();
    assert!(matches!(error, Error::ForeignSignature { .. }), "{error}");
    let ec = Key::read(&std::fs::read(key_file("p256")).unwrap(), None).unwrap();
    let error = OpenPgpKey::new(&ec.public_key().unwrap(), 7).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the key is P-256; releases are signed with RSA keys, which every gpg knows"
    );
}

#[test]
fn no_changed_byte_is_good_and_no_cut_panics() {
    let (key, public) = made("rsa2048");
    let bytes = public.sign(CONTENT, 9, &key).unwrap();
    let keys = [public.clone()];
    let mut good = Vec::new();
    for at in 0..bytes.len() {
        let mut bytes = bytes.clone();
        bytes[at] ^= 1;
        if let Ok(signature) = OpenPgpSignature::read(&bytes)
            && signature.verify(CONTENT, &keys).is_ok()
        {
            good.push(at);
        }
        assert!(OpenPgpSignature::read(&bytes[..at]).is_err());
    }
    // What is not signed: the type of the part that helps to find the key, where another type is one that means nothing.
    assert!(good.len() <= 1, "{good:?}");
    let mut more = bytes.clone();
    more.extend_from_slice(&bytes);
    assert!(matches!(
        OpenPgpSignature::read(&more),
        Err(Error::Unsupported { .. })
    ));
    let keyring = public.keyring("somebody", &key).unwrap();
    for at in 0..keyring.len() {
        let mut changed = keyring.clone();
        changed[at] ^= 0x10;
        let _ = OpenPgpKey::read_keyring(&changed, "keyring");
        let _ = OpenPgpKey::read_keyring(&keyring[..at], "keyring");
    }
}

#[test]
fn keyrings_that_devices_do_not_read_are_refused() {
    let said = |bytes: &[u8]| OpenPgpKey::read_keyring(bytes, "keys").unwrap_err().to_string();
    assert_eq!(said(b""), "keys: has no key of version 4");
    assert_eq!(
        said(b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nAAAA\n-----END PGP PUBLIC KEY BLOCK-----\n"),
        "keys: is an armoured keyring, which devices do not read; `gpg --dearmor` makes one that they do"
    );
    assert_eq!(said(b"keys"), "keys: is no keyring: it is no OpenPGP packet");
    assert_eq!(
        said(&[0xc6, 0xff, 0xff, 0xff, 0xff, 0xff]),
        "keys: is no keyring: it ends 4294967295 bytes too early"
    );
}
