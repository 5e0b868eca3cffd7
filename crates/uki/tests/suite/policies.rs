//! Signatures of what PCR 11 will be that are made elsewhere: by OpenSSL.

use std::fs;
use std::process::Command;

use data_encoding::{BASE64, HEXLOWER};
use image::Content;
use insta::assert_snapshot;
use serde_json::Value;
use signature::{Key, PublicKey, Signer as _};
use uki::{Options, PHASES, Parts, Planned, Policy, PolicyBy, PolicySignatures};

use crate::oracle::installed;
use crate::world::{bytes, file, newer, parts, run, text};

/// Two profiles, and two device trees to choose from.
fn options(pem: &[u8]) -> Options {
    Options {
        base: Parts {
            pcr_key: Some(Content::from(pem)),
            profile: text("ID=main\n"),
            device_trees: vec![Content::from(vec![1; 64]), Content::from(vec![2; 64])],
            ..parts()
        },
        profiles: vec![Parts {
            profile: text("ID=debug\n"),
            cmdline: text("debug"),
            ..Parts::default()
        }],
        sbat: None,
    }
}

fn plan(options: &Options, key: &PublicKey, by: PolicyBy) -> Result<Planned, uki::Error> {
    let policy = Policy {
        key,
        by,
        phases: PHASES[..2].iter().map(|phases| (*phases).to_owned()).collect(),
    };
    uki::plan(&file(&newer().join("linuxx64.efi.stub")), options, Some(&policy))
}

#[test]
fn signatures_of_openssl_make_the_same_image() {
    if !installed("ukify-newer") || !installed("openssl") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    run(Command::new("openssl").args(["genrsa", "-out", &path("key.pem"), "2048"]));
    run(Command::new("openssl").args([
        "rsa",
        "-in",
        &path("key.pem"),
        "-pubout",
        "-out",
        &path("public.pem"),
    ]));
    let key = Key::read(&fs::read(path("key.pem")).unwrap(), None).unwrap();
    let pem = fs::read(path("public.pem")).unwrap();
    let public = PublicKey::read_rsa_pem(&pem, "public.pem").unwrap();
    assert_eq!(Some(&public), key.public_key().as_ref());
    let options = options(&pem);
    let here = plan(&options, &public, PolicyBy::Signer(&key)).unwrap();
    assert_eq!(here.unsigned_policies, None);

    let later = plan(&options, &public, PolicyBy::Later).unwrap();
    assert!(!later.sections.iter().any(|section| section.name == ".pcrsig"));
    let mut said: Value = serde_json::from_slice(&later.unsigned_policies.unwrap()).unwrap();
    let entries = said["sha256"].as_array_mut().unwrap();
    assert_eq!(entries.len(), 8, "two profiles, two trees, two phases");
    for entry in entries.iter_mut() {
        let digest = HEXLOWER
            .decode(entry["pol"].as_str().unwrap().as_bytes())
            .unwrap();
        fs::write(path("digest"), digest).unwrap();
        let out = path("signature");
        run(Command::new("openssl").args([
            "dgst",
            "-sha256",
            "-sign",
            &path("key.pem"),
            "-out",
            &out,
            &path("digest"),
        ]));
        entry["sig"] = BASE64.encode(&fs::read(out).unwrap()).into();
    }
    // In whatever order and spelling they come back.
    entries.reverse();
    let read = |said: &Value| PolicySignatures::read(said.to_string().as_bytes());
    let signatures = read(&said).unwrap();
    let attached = plan(&options, &public, PolicyBy::Signatures(&signatures)).unwrap();
    assert!(bytes(&attached.image) == bytes(&here.image));

    // One of another image, and one that was changed.
    let with = |change: &dyn Fn(&mut Value)| {
        let mut said = said.clone();
        change(&mut said);
        let signatures = read(&said).unwrap();
        plan(&options, &public, PolicyBy::Signatures(&signatures))
            .unwrap_err()
            .to_string()
    };
    let missing = with(&|said| said["sha256"].as_array_mut().unwrap().truncate(3));
    assert!(
        missing.starts_with(".pcrsig: none of the 3 signatures is of the policy "),
        "{missing}"
    );
    let foreign = with(&|said| said["sha256"][7]["sig"] = BASE64.encode(&[1; 256]).into());
    assert!(foreign.contains("(enter-initrd) is not of the key"), "{foreign}");
}

#[test]
fn what_is_no_signature() {
    let said = |text: &str| PolicySignatures::read(text.as_bytes()).unwrap_err().to_string();
    assert_snapshot!(said("no"), @".pcrsig: expected ident at line 1 column 2");
    assert_snapshot!(said("{}"), @r##".pcrsig: no list "sha256" of signatures"##);
    assert_snapshot!(said(r#"{"sha256": [{"pol": "zz", "sig": ""}]}"#), @".pcrsig: signature 0 of sha256 has no pol, or a damaged one");
    assert_snapshot!(said(r#"{"sha256": [{"pol": "00"}]}"#), @".pcrsig: signature 0 of sha256 has no sig, or a damaged one");
    let said = |text: &str| {
        PublicKey::read_rsa_pem(text.as_bytes(), "key.pem")
            .unwrap_err()
            .to_string()
    };
    assert_snapshot!(said("-----BEGIN X-----\nAAAA\n-----END X-----\n"), @r#"key.pem: is in PEM, but of the kind "X", and no "PUBLIC KEY""#);
    assert_snapshot!(said("key"), @"key.pem: is no public key in PEM: PEM preamble contains invalid data (NUL byte)");
}
