//! Signatures with the keys that the tests come with: the same bytes for ever.

use sha2::{Digest, Sha256};
use signature::{Certificate, Identity, Trust, sign, verify};

use crate::pki::{KINDS, key, now};

pub(crate) const CONTENT: &[u8] = b"[update]\ncompatible=test\n";

pub(crate) fn certificate(kind: &str) -> Certificate {
    let path = format!("{}/tests/data/{kind}.pem", env!("CARGO_MANIFEST_DIR"));
    let bytes = std::fs::read(&path).unwrap();
    Certificate::read_pem_or_der(&bytes, &path).unwrap().remove(0)
}

pub(crate) fn signature(kind: &str) -> Vec<u8> {
    let identity = Identity {
        certificate: certificate(kind),
        intermediates: Vec::new(),
    };
    sign(CONTENT, &identity, &key(kind), Some(now())).unwrap()
}

pub(crate) fn trust(kind: &str) -> Trust {
    Trust {
        anchors: vec![certificate(kind)],
        ..Trust::default()
    }
}

#[test]
fn signatures_are_pinned() {
    let digests = [
        "p256 a25dafdc7b3bfec2ba7af05d2960857e877f1e54d191ae31411e2c3a714a34d5",
        "p384 b869b0c44df705bc995abf59a3737cbbe1ad77c21174660c0b0493f5b7ac0b87",
        "rsa2048 ec0232a99c9219827264de42aba0251f4e32b25fa4e90beb1aa9fa3a6c225860",
        "rsa3072 02956370720cff4398f85bf16045af2e8510719caa9633be2ee1d0e8515846ae",
        "rsa4096 95d69c7ca10f53093c34aef7806b0dd9f7b3c956f27e15d366f04d327dcfeea5",
    ];
    let found = KINDS.map(|kind| {
        let der = signature(kind);
        assert_eq!(verify(&der, &trust(kind)).unwrap().content, CONTENT);
        let digest = Sha256::digest(&der);
        format!("{kind} {}", data_encoding::HEXLOWER.encode(&digest))
    });
    assert_eq!(found, digests);
}

#[test]
fn a_signature_by_another_is_not_trusted() {
    let error = verify(&signature("p256"), &trust("p384")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "O = Kiln, CN = Test p256 is not trusted: the chain ends with it, and it is not among the trusted certificates"
    );
    assert_eq!(error.fault(), image::Fault::Untrusted);
}
