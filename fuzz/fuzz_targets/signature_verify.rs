//! Signatures, certificates, lists and keys from anywhere.
#![no_main]

use libfuzzer_sys::fuzz_target;
use signature::{Bare, Certificate, Crl, Key, OpenPgpKey, OpenPgpSignature, Trust, verify};

fuzz_target!(|data: &[u8]| {
    let anchors = Certificate::read_pem_or_der(data, "input").unwrap_or_default();
    let crls = Crl::read_pem_or_der(data, "input").unwrap_or_default();
    _ = Key::read(data, Some(b""));
    let anchors = match signature::read(data) {
        Ok(contents) => vec![contents.signer],
        Err(_) => anchors,
    };
    if let Ok(bare) = Bare::read(data) {
        _ = bare.check(b"root hash");
    }
    let keys = OpenPgpKey::read_keyring(data, "input").unwrap_or_default();
    if let Ok(signature) = OpenPgpSignature::read(data) {
        _ = signature.verify(b"sums", &keys);
    }
    let trust = Trust {
        anchors,
        crls,
        ..Trust::default()
    };
    if let Ok(verified) = verify(data, &trust) {
        assert_eq!(
            signature::content(data).expect("what was verified"),
            verified.content
        );
    }
});
