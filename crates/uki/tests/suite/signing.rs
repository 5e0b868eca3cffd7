//! Signatures are accepted by sbverify and osslsigncode, digests equal pesign's, and one changed byte is seen by all.

use std::path::{Path, PathBuf};
use std::process::Command;

use image::Content;
use signature::{Certificate, Identity, Key};
use uki::{Unsigned, signatures};

use crate::oracle::installed;
use crate::world::{bytes, file, newer, parts, plan, run};

/// A key and its certificate.
struct Owner {
    key: Key,
    identity: Identity,
    certificate: PathBuf,
}

fn owner(folder: &Path, name: &str, kind: &[&str]) -> Owner {
    let path = |end: &str| folder.join(format!("{name}.{end}"));
    let mut command = Command::new("openssl");
    command.args([
        "req",
        "-x509",
        "-nodes",
        "-days",
        "3650",
        "-subj",
        &format!("/CN={name}"),
        "-newkey",
    ]);
    command
        .args(kind)
        .arg("-keyout")
        .arg(path("key"))
        .arg("-out")
        .arg(path("pem"));
    run(&mut command);
    let certificates = Certificate::read_pem_or_der(&std::fs::read(path("pem")).unwrap(), name).unwrap();
    Owner {
        key: Key::read(&std::fs::read(path("key")).unwrap(), None).unwrap(),
        identity: Identity {
            certificate: certificates[0].clone(),
            intermediates: Vec::new(),
        },
        certificate: path("pem"),
    }
}

fn image() -> Content {
    plan(&file(&newer().join("linuxx64.efi.stub")), parts())
        .image
        .into()
}

/// Whether a tool accepts a signature.
fn accepts(tool: &str, certificate: &Path, path: &Path) -> bool {
    let mut command = Command::new(tool);
    match tool {
        "sbverify" => command.arg("--cert").arg(certificate).arg(path),
        _ => command
            .arg("verify")
            .arg("-CAfile")
            .arg(certificate)
            .arg("-in")
            .arg(path),
    };
    command.output().unwrap().status.success()
}

#[test]
fn signatures_are_accepted_and_one_changed_byte_is_not() {
    let tools = ["sbverify", "osslsigncode"];
    if !tools.iter().all(|tool| installed(tool)) || !installed("ukify-newer") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let kinds: [(&str, &[&str]); 4] = [
        ("rsa2048", &["rsa:2048"]),
        ("rsa3072", &["rsa:3072"]),
        ("rsa4096", &["rsa:4096"]),
        ("p256", &["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]),
    ];
    let stranger = owner(folder.path(), "stranger", &["rsa:2048"]);
    for (name, kind) in kinds {
        let owner = owner(folder.path(), name, kind);
        let sign = || {
            Unsigned::read(image(), "image")
                .unwrap()
                .sign(&owner.identity, &owner.key)
                .unwrap()
        };
        let signed = bytes(&sign());
        if name.starts_with("rsa") {
            assert_eq!(signed, bytes(&sign()), "{name}: twice the same bytes");
        }
        let path = folder.path().join("signed.efi");
        std::fs::write(&path, &signed).unwrap();
        for tool in tools {
            assert!(accepts(tool, &owner.certificate, &path), "{tool}, {name}");
            assert!(
                !accepts(tool, &stranger.certificate, &path),
                "{tool}, {name}, a stranger"
            );
        }
        let found = signatures(&Content::from(signed.clone()), "image").unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].signer.subject(), owner.identity.certificate.subject());
        // In the kernel, in the padding behind a text, in a header, in the signature.
        let places = [signed.len() / 2, 0x100, signed.len() - 40];
        for place in places {
            let mut changed = signed.clone();
            changed[place] ^= 1;
            std::fs::write(&path, &changed).unwrap();
            assert!(
                !accepts("sbverify", &owner.certificate, &path),
                "{name}, byte {place}"
            );
            assert!(
                signatures(&Content::from(changed), "image").is_err(),
                "{name}, byte {place}"
            );
        }
    }
}

#[test]
fn digests_equal_those_of_pesign() {
    if !installed("pesign") || !installed("ukify-newer") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("image.efi");
    for content in [
        image(),
        file(&newer().join("systemd-bootx64.efi")),
        file(&newer().join("addonx64.efi.stub")),
    ] {
        std::fs::write(&path, content.to_vec().unwrap()).unwrap();
        let said = run(Command::new("pesign")
            .args(["-h", "-d", "sha256", "-i"])
            .arg(&path));
        let ours = data_encoding::HEXLOWER.encode(Unsigned::read(content, "image").unwrap().digest());
        assert!(said.contains(&ours), "{said} {ours}");
    }
}

/// What sbsign and osslsigncode sign is read, with the times that they put in.
#[test]
fn signatures_of_others_are_read() {
    if !installed("sbsign") || !installed("osslsigncode") || !installed("ukify-newer") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let owner = owner(folder.path(), "other", &["rsa:2048"]);
    let (plain, signed) = (folder.path().join("image.efi"), folder.path().join("signed.efi"));
    std::fs::write(&plain, image().to_vec().unwrap()).unwrap();
    let key = folder.path().join("other.key");
    for tool in ["sbsign", "osslsigncode"] {
        let _ = std::fs::remove_file(&signed);
        let mut command = Command::new(tool);
        match tool {
            "sbsign" => command
                .arg("--key")
                .arg(&key)
                .arg("--cert")
                .arg(&owner.certificate)
                .arg("--output")
                .arg(&signed)
                .arg(&plain),
            _ => command
                .args(["sign", "-h", "sha256"])
                .arg("-certs")
                .arg(&owner.certificate)
                .arg("-key")
                .arg(&key)
                .arg("-in")
                .arg(&plain)
                .arg("-out")
                .arg(&signed),
        };
        run(&mut command);
        let found = signatures(&file(&signed), "image").unwrap();
        assert_eq!(found.len(), 1, "{tool}");
        assert_eq!(found[0].signer, owner.identity.certificate, "{tool}");
    }
}
