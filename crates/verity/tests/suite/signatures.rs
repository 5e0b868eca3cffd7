//! Signature partitions: written, read again, and what is none.

use proptest::prelude::*;
use verity::{Error, RootSignature, SIGNATURE_MARK, SIGNATURE_SIZE, SIGNATURE_SIZE_MAX, signed_text};

fn signature(len: usize) -> RootSignature {
    RootSignature {
        root: [0xab; 32],
        fingerprint: [0x01; 32],
        signature: vec![0x30; len],
    }
}

#[test]
fn what_is_written_is_text_and_zeros() {
    let signature = signature(4);
    let bytes = signature.to_bytes().unwrap();
    let text = format!(
        "{{\"rootHash\":\"{}\",\"certificateFingerprint\":\"{}\",\"signature\":\"MDAwMA==\"}}",
        "ab".repeat(32),
        "01".repeat(32)
    );
    assert!(bytes.starts_with(text.as_bytes()) && bytes.starts_with(SIGNATURE_MARK));
    assert!(bytes[text.len()..].iter().all(|byte| *byte == 0));
    assert_eq!(bytes.len() as u64, SIGNATURE_SIZE);
    assert_eq!(RootSignature::read(&bytes).unwrap(), signature);
    assert_eq!(signed_text(&signature.root), "ab".repeat(32));
}

/// The longest signature fills the partition; one more group of base64 is too much.
#[test]
fn a_signature_has_to_fit() {
    let around = signature(0).to_bytes().unwrap();
    let around = around.iter().position(|byte| *byte == 0).unwrap();
    let longest = (usize::try_from(SIGNATURE_SIZE).unwrap() - around) / 4 * 3;
    let full = signature(longest).to_bytes().unwrap();
    assert_eq!(RootSignature::read(&full).unwrap().signature.len(), longest);
    let error = signature(longest + 1).to_bytes().unwrap_err();
    assert!(matches!(error, Error::SignatureTooLong { .. }), "{error}");
    assert_eq!(error.fault(), image::Fault::Limit);
}

#[test]
fn what_is_none_is_refused() {
    let good = signature(100).to_bytes().unwrap();
    let end = good.iter().position(|byte| *byte == 0).unwrap();
    let text = std::str::from_utf8(&good[..end]).unwrap();
    let hash = "ab".repeat(32);
    for bad in [
        String::new(),
        "{}".into(),
        "[]".into(),
        text.replace("rootHash", "roothash"),
        text.replace("{\"", "{\"rootHash\":\"00\",\""),
        text.replace(&hash, &hash[2..]),
        text.replace(&hash, &format!("{hash}ab")),
        text.replace(&hash, &hash.replace("ab", "gh")),
        text.replace("MDAw", "MDA*"),
        text.replace("MA==\"", "MA=\""),
        format!("{text}{text}"),
        "[".repeat(100_000),
    ] {
        let error = RootSignature::read(bad.as_bytes()).unwrap_err();
        assert_eq!(error.fault(), image::Fault::Damaged, "{bad:.80}: {error}");
    }
    for at in [end, end + 1, good.len() - 1] {
        let mut changed = good.clone();
        changed[at] = 1;
        assert!(RootSignature::read(&changed).is_err(), "byte {at}");
    }
    let large = vec![0; usize::try_from(SIGNATURE_SIZE_MAX).unwrap() + 1];
    assert!(RootSignature::read(&large).is_err());
    // What systemd passes over: keys of later versions, digits in capitals, blanks.
    let later = text
        .replace("{\"", "{ \"later\": [1], \"")
        .replace(&hash, &hash.to_uppercase());
    assert_eq!(RootSignature::read(later.as_bytes()).unwrap(), signature(100));
}

proptest! {
    #[test]
    fn what_is_written_is_read(root: [u8; 32], fingerprint: [u8; 32], signature in prop::collection::vec(any::<u8>(), 0..2000)) {
        let written = RootSignature { root, fingerprint, signature };
        prop_assert_eq!(RootSignature::read(&written.to_bytes().unwrap()).unwrap(), written);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), at in 0_usize..400, value: u8) {
        let _ = RootSignature::read(&bytes);
        let mut changed = signature(100).to_bytes().unwrap();
        changed[at] = value;
        let _ = RootSignature::read(&changed);
    }
}
