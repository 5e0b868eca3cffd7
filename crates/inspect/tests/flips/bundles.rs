//! A signed bundle: where its signer is trusted, any changed byte is found; where nobody is, those that its hash tree is over.

use std::path::Path;

use bundle::{ImageOptions, Options, Packing, manifest};
use image::{Content, Silent};
use signature::{Certificate, Identity, Key, Time, Trust};

use super::{FLIPS, Numbers, Seen, bytes, missed_by};

const KEY: &[u8] = include_bytes!("../../../signature/tests/data/p256.key");
const CERTIFICATE: &[u8] = include_bytes!("../../../signature/tests/data/p256.pem");

/// Within the life of the certificate.
const TIME: u64 = 1_900_000_000;

/// A signed bundle of a boot script and of noise, with indexes of their blocks; and how long its payload is.
fn signed() -> (Vec<u8>, u64) {
    let options = uboot::ScriptOptions {
        name: String::new(),
        arch: "arm64".parse().unwrap(),
        time: 1,
    };
    let mut script = uboot::script(&b"echo hello\n".repeat(300), &options).unwrap();
    script.resize(4 * 4096, 0);
    let mut numbers = Numbers(2);
    let noise: Vec<u8> = (0..20 * 4096)
        .map(|_| u8::try_from(numbers.below(256)).unwrap())
        .collect();
    let image = |slot: &str, filename: &str, content: Content, packing| ImageOptions {
        manifest: manifest::Image {
            slot: slot.into(),
            filename: Some(filename.into()),
            adaptive: bundle::adaptive(),
            ..manifest::Image::default()
        },
        content: Some(content),
        packing,
    };
    let options = Options {
        compatible: "board".into(),
        version: Some("1.0".into()),
        images: vec![
            image("boot", "script.img", script.into(), Packing::Compressed),
            image("rootfs", "rootfs.img", noise.into(), Packing::Stored),
        ],
        ..Options::default()
    };
    let work = bundle::Work {
        folder: Path::new("/tmp"),
        threads: 2,
        progress: &Silent,
        segments: None,
    };
    let identity = Identity {
        certificate: certificate(),
        intermediates: Vec::new(),
    };
    let unsigned = bundle::plan(&options, &work).unwrap();
    let payload = unsigned.payload().len();
    let key = Key::read(KEY, None).unwrap();
    let signed = unsigned
        .sign(&identity, &key, Time::from_seconds(TIME).unwrap())
        .unwrap();
    (bytes(&signed.image().unwrap()), payload)
}

fn certificate() -> Certificate {
    Certificate::read_pem_or_der(CERTIFICATE, "p256.pem")
        .unwrap()
        .remove(0)
}

/// In each of its parts: the squashfs with its tree, and what vouches for that, with its size.
#[test]
fn any_byte_where_the_signer_is_trusted() {
    let trust = Trust {
        anchors: vec![certificate()],
        ..Trust::default()
    };
    let (bundle, payload) = signed();
    let len = bundle.len() as u64;
    for part in [0..payload, payload..len] {
        let (missed, count) = missed_by(&bundle, &[part], Seen::Always, Some(&trust));
        assert_eq!((missed, count), (Vec::new(), FLIPS), "{payload} {len}");
    }
}

/// Nobody vouches for what the manifest says then, but the payload is what it says.
#[test]
fn the_payload_where_nobody_is_trusted() {
    let (bundle, payload) = signed();
    let all = 0..payload;
    let (missed, count) = missed_by(&bundle, &[all], Seen::Anything, None);
    assert_eq!((missed, count), (Vec::new(), FLIPS));
}
