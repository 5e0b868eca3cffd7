//! Signatures are accepted by sbverify and osslsigncode, digests equal pesign's, and one changed byte is seen by all.

use std::path::{Path, PathBuf};
use std::process::Command;

use image::Content;
use signature::{Certificate, Identity, Key, Time};
use uki::{Unsigned, Variable, signatures, variable_update};

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

/// Lists equal those of efitools, and so does all of an update.
#[test]
fn updates_of_variables_equal_those_of_efitools() {
    let tools = ["cert-to-efi-sig-list", "sign-efi-sig-list"];
    if !tools.iter().all(|tool| installed(tool)) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let owner = owner(folder.path(), "owner", &["rsa:2048"]);
    let guid = uuid::uuid!("11112222-3333-4444-5555-666677778888");
    let path = |name: &str| folder.path().join(name);
    let mut list = Command::new("cert-to-efi-sig-list");
    run(list
        .args(["-g", &guid.to_string()])
        .arg(&owner.certificate)
        .arg(path("list")));
    let theirs = std::fs::read(path("list")).unwrap();
    let ours = uki::certificates_list(std::slice::from_ref(&owner.identity.certificate), guid).unwrap();
    assert_eq!(ours, theirs);
    let mut sign = Command::new("sign-efi-sig-list");
    sign.env("TZ", "UTC").args(["-t", "2026-01-02 03:04:05"]);
    sign.arg("-k")
        .arg(path("owner.key"))
        .arg("-c")
        .arg(&owner.certificate);
    run(sign.args(["PK"]).arg(path("list")).arg(path("update")));
    let theirs = std::fs::read(path("update")).unwrap();
    let time = Time::from_seconds(1_767_323_045).unwrap();
    let ours = variable_update(Variable::Pk, &ours, time, &owner.identity, &owner.key).unwrap();
    assert_eq!(ours, theirs);
}

/// A signature that was made elsewhere is taken in, and only for the file that it is about.
#[test]
fn signatures_made_elsewhere_are_attached() {
    if !installed("sbsign") || !installed("sbverify") || !installed("ukify-newer") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let owner = owner(folder.path(), "other", &["rsa:2048"]);
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("image.efi"), image().to_vec().unwrap()).unwrap();
    let mut sign = Command::new("sbsign");
    sign.arg("--detached").arg("--key").arg(path("other.key"));
    sign.arg("--cert")
        .arg(&owner.certificate)
        .arg("--output")
        .arg(path("signature"));
    run(sign.arg(path("image.efi")));
    let der = std::fs::read(path("signature")).unwrap();
    let signed = Unsigned::read(image(), "image").unwrap().attach(&der).unwrap();
    std::fs::write(path("signed.efi"), bytes(&signed)).unwrap();
    assert!(accepts("sbverify", &owner.certificate, &path("signed.efi")));
    let other = file(&newer().join("addonx64.efi.stub"));
    let error = Unsigned::read(other, "addon.efi")
        .unwrap()
        .attach(&der)
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "addon.efi: cannot be signed: the signature is about another file"
    );
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
