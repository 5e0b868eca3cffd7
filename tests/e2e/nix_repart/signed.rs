//! A signature partition that image.repart's definitions ask for, made inside the sandbox: openssl verifies what it says of the
//! root hash, and `kiln check` does, too.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::built;
use super::layouts::{check_hashes, list};
use super::verity::Listed;
use crate::demo::{demo, kiln};
use crate::nix_world::world;
use crate::tools::{installed, output, run, said, tool};

const SIGNATURE: &str = "50-root-verity-sig.conf";

/// Whether openssl finds these digits to be what is signed, by somebody whom the demo's authority vouches for.
fn is_signed(dir: &Path, digits: &str) -> bool {
    fs::write(dir.join("digits"), digits).unwrap();
    let mut openssl = tool("openssl");
    openssl
        .args([
            "cms",
            "-verify",
            "-binary",
            "-inform",
            "DER",
            "-purpose",
            "any",
            "-no_check_time",
        ])
        .arg("-CAfile")
        .arg(demo().join("out/keys/ca.pem"))
        .arg("-in")
        .arg(dir.join("signature"))
        .arg("-content")
        .arg(dir.join("digits"))
        .args(["-out", "/dev/null"]);
    output(&mut openssl).status.success()
}

/// The SHA-256 of the demo's certificate.
fn fingerprint() -> String {
    let mut openssl = tool("openssl");
    openssl
        .args(["x509", "-noout", "-fingerprint", "-sha256", "-in"])
        .arg(demo().join("out/keys/release.pem"));
    let text = run(&mut openssl);
    let digits = text.trim().rsplit('=').next().unwrap();
    digits.replace(':', "").to_lowercase()
}

#[test]
fn a_root_hash_is_signed_in_the_sandbox() {
    if !installed(&["openssl", "veritysetup", "dd", "base64"]) {
        return;
    }
    let Some(world) = world() else { return };
    let made = built(&world, "module.signed");
    let image = made.join("appliance_7.raw");
    assert_eq!(check_hashes(&made, "appliance_7.raw"), 1);
    let all = list(&made);
    let listed = Listed(&all);
    let root = listed.root("40-root-verity.conf");

    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let partition = dir.join("partition");
    listed.cut(SIGNATURE, &image, &partition);
    let bytes = fs::read(&partition).unwrap();
    assert_eq!(bytes.len(), 16384);
    let end = bytes.iter().position(|byte| *byte == 0).unwrap();
    assert!(bytes[end..].iter().all(|byte| *byte == 0));
    let words: Value = serde_json::from_slice(&bytes[..end]).unwrap();
    assert_eq!(words["rootHash"], *root);
    assert_eq!(words["certificateFingerprint"], fingerprint());
    fs::write(dir.join("base64"), words["signature"].as_str().unwrap()).unwrap();
    let decoded = tool("base64")
        .arg("--decode")
        .arg(dir.join("base64"))
        .output()
        .unwrap();
    fs::write(dir.join("signature"), decoded.stdout).unwrap();
    assert!(is_signed(dir, &root));
    let turned: String = root.chars().rev().collect();
    assert!(!is_signed(dir, &turned));

    // The disk knows which partition is signed by which.
    let mut check = kiln();
    check
        .arg("check")
        .arg(&image)
        .arg("--keyring")
        .arg(demo().join("out/keys/ca.pem"));
    let sound = said(&output(&mut check));
    assert!(sound.contains("(verity-signature): sound"), "{sound}");
    let other = dir.join("other.pem");
    let mut openssl = tool("openssl");
    openssl
        .args([
            "req",
            "-x509",
            "-newkey",
            "ed25519",
            "-nodes",
            "-subj",
            "/CN=Another",
            "-keyout",
            "/dev/null",
            "-out",
        ])
        .arg(&other);
    run(&mut openssl);
    let mut check = kiln();
    check.arg("check").arg(&image).arg("--keyring").arg(&other);
    let refused = output(&mut check);
    assert!(!refused.status.success(), "{}", said(&refused));
}
