//! Who signs a bundle: keys, certificates and commands that do, and those that do not.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

use insta::assert_snapshot;

use super::{BUILD, FILE, refused, world};

#[test]
fn a_bundle_that_nobody_signs() {
    let Some(world) = world() else { return };
    world.edit("spec.toml", "key = \"keys/leaf.key\"\n", "");
    assert_snapshot!(refused(&world, 2, &[]), @r"
    error: nobody signs the bundle: there is no key
    hint: give --key, --signer-cmd for a key that lives elsewhere, or --unsigned
    ");
    world.edit("spec.toml", "certificate = \"keys/leaf.pem\"\n", "");
    assert_snapshot!(refused(&world, 2, &[]), @r"
    error: nobody signs the bundle: there is no certificate
    hint: give --certificate and --key, or --unsigned to sign it elsewhere
    ");
    world.edit("spec.toml", "keyring = \"keys/root.pem\"\n", "");
    assert_snapshot!(refused(&world, 2, &[]), @r"
    error: nobody is trusted: there is no keyring
    hint: give --keyring with the certificates that devices trust
    ");
    let (key, certificate) = (["--key", "keys/leaf.key"], ["--certificate", "keys/leaf.pem"]);
    let all = [&key[..], &certificate, &["--keyring", "keys/root.pem"]].concat();
    world.edit("spec.toml", "time = 1900000000\n", "");
    let bad = refused(&world, 2, &[&all[..], &["--signing-time", "yesterday"]].concat());
    assert_snapshot!(bad, @r#"error: --signing-time: "yesterday": must be seconds since 1970, or `now`"#);
}

/// No clock decides: the same certificate gives the same bundle, and the log says which time that is.
#[test]
fn a_signature_without_a_time_has_the_certificates() {
    let Some(world) = world() else { return };
    world.edit("spec.toml", "time = 1900000000\n", "");
    let begins = |certificate: &str| {
        let file = world.path(certificate);
        let said = std::process::Command::new("date")
            .args(["-u", "+%Y-%m-%dT%H:%M:%SZ", "-d"])
            .arg(openssl_start(&file))
            .output()
            .unwrap();
        String::from_utf8(said.stdout).unwrap().trim().to_owned()
    };
    let leaf = begins("keys/leaf.pem");
    let first = world.run(&BUILD);
    assert_eq!(first.code, Some(0), "{}", first.stderr);
    let told = format!(
        "warning: the bundle is signed as of {leaf}, when the certificate of CN = leaf becomes valid: no signing time was \
         given (--signing-time, bundle.sign.time or $SOURCE_DATE_EPOCH)\n"
    );
    assert!(first.stderr.contains(&told), "{}", first.stderr);
    let shown = world.done(&["bundle", "info", FILE, "--keyring", "keys/root.pem"]);
    assert!(shown.contains(&format!("Signed at {leaf}\n")), "{shown}");
    let bytes = fs::read(world.path(FILE)).unwrap();
    world.done(&BUILD);
    assert!(bytes == fs::read(world.path(FILE)).unwrap());
}

/// When a certificate becomes valid, as openssl writes it.
fn openssl_start(file: &std::path::Path) -> String {
    let said = std::process::Command::new("openssl")
        .args(["x509", "-noout", "-startdate", "-in"])
        .arg(file)
        .output()
        .unwrap();
    let text = String::from_utf8(said.stdout).unwrap();
    text.trim().trim_start_matches("notBefore=").to_owned()
}

#[test]
fn keys_and_certificates_that_do_not_fit() {
    let Some(world) = world() else { return };
    let now = ["--signing-time", "1900000000"];
    assert_snapshot!(refused(&world, 2, &["--key", "keys/other.key"]), @r"
    error: the private key does not belong to the certificate of CN = leaf
    hint: --key and --certificate have to belong together
    ");
    assert_snapshot!(refused(&world, 3, &["--key", "keys/none.key"]), @"error: keys/none.key: cannot be read: No such file or directory (os error 2)");
    assert_snapshot!(refused(&world, 3, &["--key", "boot.cmd"]), @"error: boot.cmd: the private key cannot be read: the file holds no private key in PEM");
    assert_snapshot!(refused(&world, 3, &["--certificate", "boot.cmd"]), @"error: boot.cmd: a certificate cannot be read: unexpected ASN.1 DER tag: expected SEQUENCE, got APPLICATION [5] (constructed)");
    let short = ["--key", "keys/short.key", "--certificate", "keys/short.pem"];
    let expired = refused(&world, 2, &[&short[..], &now].concat());
    assert!(
        expired.starts_with("error: the certificate of CN = short is valid from 20"),
        "{expired}"
    );
    assert!(
        expired.contains(", not at the signing time 2030-03-17T17:46:40Z\nhint: choose another"),
        "{expired}"
    );
    let deep = ["--key", "keys/deep.key", "--certificate", "keys/deep.pem"];
    assert_snapshot!(refused(&world, 7, &deep), @r"
    error: CN = deep is not trusted: no certificate of its issuer, CN = inter, is trusted or in the signature
    hint: give the certificates between it and the keyring's with --intermediate when signing; or it is signed by somebody else
    ");
    world.done(&[&BUILD[..], &deep, &["--intermediate", "keys/inter.pem"]].concat());
    assert_snapshot!(refused(&world, 7, &["--keyring", "keys/other.pem"]), @r"
    error: CN = leaf is not trusted: no certificate of its issuer, CN = root, is trusted or in the signature
    hint: give the certificates between it and the keyring's with --intermediate when signing; or it is signed by somebody else
    ");
    assert_snapshot!(refused(&world, 3, &["--key", "keys/locked.key"]), @r"
    error: keys/locked.key: the private key is encrypted and needs a pass phrase
    hint: give --passphrase-file with a file whose first line it is
    ");
    let wrong = ["--key", "keys/locked.key", "--passphrase-file", "keys/wrong"];
    assert_snapshot!(refused(&world, 3, &wrong), @"error: keys/locked.key: the private key cannot be decrypted: the pass phrase is wrong");
    let right = ["--key", "keys/locked.key", "--passphrase-file", "keys/right"];
    world.done(&[&BUILD[..], &right].concat());
}

#[test]
fn signer_commands_that_do_not_sign() {
    let Some(world) = world() else { return };
    world.edit("spec.toml", "key = \"keys/leaf.key\"\n", "");
    let by = |command: &str| refused(&world, 3, &["--signer-cmd", command, "--signer-timeout", "2"]);
    assert_snapshot!(by("echo the token is locked >&2; exit 9"), @"error: echo …: failed with status 9: the token is locked");
    assert_snapshot!(by("no-such-program"), @"error: no-such-program: failed with status 127: sh: 1: no-such-program: not found");
    assert_snapshot!(by("echo nonsense"), @"error: what the signer gave is no signature by the key of CN = leaf");
    assert_snapshot!(by("exit 0"), @"error: exit …: wrote no signature to its standard output");
    assert_snapshot!(by("/bin/cat /dev/zero"), @"error: /bin/cat …: wrote more than 4096 bytes, which is no signature");
    assert_snapshot!(by("/usr/bin/openssl dgst -sha256 -sign keys/other.key"), @"error: what the signer gave is no signature by the key of CN = leaf");
    let start = Instant::now();
    assert_snapshot!(by("/bin/sleep 1000 & wait"), @r"
    error: /bin/sleep …: gave no signature within 2s and was stopped
    hint: give it longer with --signer-timeout
    ");
    assert!(start.elapsed() < Duration::from_secs(30));
}

/// An old certificate may have expired when the next one signs.
#[test]
fn a_bundle_is_signed_anew_after_its_certificate_has_expired() {
    let Some(world) = world() else { return };
    let short = [
        "--key",
        "keys/short.key",
        "--certificate",
        "keys/short.pem",
        "--signing-time",
        "now",
    ];
    world.done(&[&BUILD[..], &short].concat());
    let at = fs::metadata(world.path("keys/short.pem"))
        .unwrap()
        .mtime()
        .to_string();
    let resign = [
        "bundle",
        "resign",
        FILE,
        "--out",
        "again",
        "--key",
        "keys/leaf.key",
        "--certificate",
        "keys/leaf.pem",
    ];
    let resign = [
        &resign[..],
        &["--keyring", "keys/root.pem", "--signing-time", "1900000000"],
    ]
    .concat();
    let late = world.refused(7, &[&resign[..], &["--old-at", "1900000000"]].concat());
    assert!(
        late.contains("the certificate of CN = short expired at"),
        "{late}"
    );
    world.done(&[&resign[..], &["--old-at", &at]].concat());
    world.done(&["bundle", "verify", "again", "--keyring", "keys/root.pem"]);
}
