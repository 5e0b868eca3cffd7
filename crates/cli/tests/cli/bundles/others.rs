//! Bundles, keyrings and keys as others have them, and images without files.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::Command;

use insta::assert_snapshot;

use super::{BUILD, FILE, built, json, refused, world};
use crate::oracle::installed;
use crate::world::{World, noise};

const OWN: &str = r#"
[bundle.image.own]
hooks = ["install"]

[bundle.hooks]
source = "hook.sh"

[bundle.extra."settings.txt"]
source = "boot.cmd"

[bundle.extra.tool]
source = "hook.sh"
executable = true

[bundle.sign]
"#;

/// Runs a program beside the keys, which has to succeed.
fn run(world: &World, program: &str, arguments: &str) {
    let mut command = Command::new(program);
    let output = command
        .args(arguments.split_whitespace())
        .current_dir(world.path("keys"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{program} {arguments}: {output:?}");
}

fn mode(world: &World, file: &str) -> u32 {
    let meta = fs::metadata(world.path(file)).unwrap();
    meta.permissions().mode() & 0o777
}

#[test]
fn a_hook_installs_an_image_without_a_file() {
    let Some(world) = world() else { return };
    world.write("hook.sh", b"#!/bin/sh\n");
    world.edit("spec.toml", "[bundle.sign]\n", OWN);
    let plan = world.done(&["plan", "spec.toml"]);
    assert!(plan.contains("  no file → slot own\n"), "{plan}");
    world.done(&BUILD);
    let trust = ["--keyring", "keys/root.pem"];
    let verified = world.done(&[&["bundle", "verify", FILE], &trust[..]].concat());
    assert!(verified.contains("own: has no file\n"), "{verified}");
    let info = world.done(&[&["bundle", "info", FILE], &trust[..]].concat());
    assert!(
        info.contains("  [own]\n    (no image file)\n    Hooks:     install\n"),
        "{info}"
    );
    let info = json(&world.done(&[&["bundle", "info", FILE, "--json"], &trust[..]].concat()));
    assert_eq!(
        info["images"][1],
        json(r#"{"slot": "own", "size": 0, "hooks": ["install"], "adaptive": []}"#)
    );
    if installed("rauc") {
        run(&world, "rauc", &format!("info --keyring root.pem ../{FILE}"));
    }
    // Programs stay programs, and a link to a folder is as good as the folder.
    fs::create_dir(world.path("unpacked")).unwrap();
    symlink("unpacked", world.path("link")).unwrap();
    world.done(&[&["bundle", "extract", FILE, "--out", "link"], &trust[..]].concat());
    for (file, runs) in [
        ("hook.sh", true),
        ("tool", true),
        ("settings.txt", false),
        ("boot.vfat", false),
    ] {
        let mode = mode(&world, &format!("unpacked/{file}"));
        assert_eq!(mode & 0o100 != 0, runs, "{file}: {mode:o}");
    }
    let again = [&["bundle", "extract", FILE, "--out", "link"], &trust[..]].concat();
    assert_snapshot!(world.refused(5, &again), @r"
    error: link: is not empty
    hint: choose an empty folder with --out
    ");
}

#[test]
fn bundles_of_other_formats() {
    let Some(world) = world() else { return };
    if !installed("rauc") {
        return;
    }
    fs::create_dir(world.path("input")).unwrap();
    world.write("input/root.img", &noise(65_536));
    let manifest =
        "[update]\ncompatible=rock64\n\n[bundle]\nformat=crypt\n\n[image.root]\nfilename=root.img\n";
    world.write("input/manifest.raucm", manifest.as_bytes());
    let sign = "--cert leaf.pem --key leaf.key --keyring root.pem";
    run(&world, "rauc", &format!("bundle {sign} ../input ../crypt"));
    run(
        &world,
        "openssl",
        "req -new -x509 -newkey rsa:2048 -nodes -keyout device.key -out device.pem -subj /CN=device",
    );
    run(
        &world,
        "rauc",
        "encrypt --keyring root.pem --to device.pem ../crypt ../encrypted",
    );
    let info = |file: &str| world.refused(3, &["bundle", "info", file, "--keyring", "keys/root.pem"]);
    let crypt = |file: &str| {
        format!(
            "error: {file}: a bundle of the format crypt: its payload is encrypted, and only devices with the key can \
             read it\n"
        )
    };
    assert_eq!(info("crypt"), crypt("crypt"));
    assert_eq!(info("encrypted"), crypt("encrypted"));
}

/// What a device cannot read is no keyring here.
#[test]
fn keyrings_are_read_as_devices_read_them() {
    let Some(world) = built() else { return };
    let verify = ["bundle", "verify", FILE, "--keyring", "ring"];
    let root = fs::read_to_string(world.path("keys/root.pem")).unwrap();
    let write = |text: &str| world.write("ring", text.as_bytes());
    write(&root.replace("CERTIFICATE", "X509 CERTIFICATE"));
    world.done(&verify);
    write(&format!(
        "{root}-----BEGIN SOMETHING-----\nAAAA\n-----END SOMETHING-----\n"
    ));
    world.done(&verify);
    write(&root.replace("CERTIFICATE", "TRUSTED CERTIFICATE"));
    assert_snapshot!(world.refused(3, &verify), @"error: ring: holds a certificate with OpenSSL's settings of trust, which are not supported");
    let crl = "-----BEGIN X509 CRL-----\nMAMCAQE=\n-----END X509 CRL-----\n";
    write(&format!("{root}{crl}"));
    let broken = world.refused(3, &verify);
    assert!(
        broken.starts_with("error: ring: the list of revoked certificates"),
        "{broken}"
    );
    let key = fs::read_to_string(world.path("keys/leaf.key")).unwrap();
    write(&format!("{root}{key}"));
    assert_snapshot!(world.refused(3, &verify), @"error: ring: holds a private key, and every device has its keyring");
    write(crl.lines().next().unwrap());
    assert_snapshot!(world.refused(3, &verify), @"error: ring: a block of PEM has no end");
    run(&world, "openssl", "x509 -in root.pem -outform DER -out ../ring");
    assert_snapshot!(world.refused(3, &verify), @r"
    error: ring: is no PEM, and devices read keyrings in PEM only
    hint: `openssl x509 -inform DER -in ring -out KEYRING.pem` makes one that they read
    ");
}

#[test]
fn keyrings_that_lead_nowhere_for_sure() {
    let Some(world) = built() else { return };
    let deep = ["--key", "keys/deep.key", "--certificate", "keys/deep.pem"];
    let between = ["--intermediate", "keys/inter.pem"];
    let by_inter = ["--keyring", "keys/inter.pem"];
    assert_snapshot!(refused(&world, 7, &[&deep[..], &between, &by_inter].concat()), @r"
    error: CN = inter is in the keyring, and its issuer, CN = root, is not: a device takes that only with `allow-partial-chain`
    hint: put the certificate of that issuer into the keyring, too; for devices with that setting, give --partial-chain
    ");
    run(
        &world,
        "openssl",
        "req -new -x509 -key other.key -out twin.pem -days 7300 -subj /CN=root -config pki.cnf -extensions ca",
    );
    // Without a key identifier, nothing but the name says whose the issuer is.
    world.write(
        "keys/plain.cnf",
        b"basicConstraints=CA:FALSE\nauthorityKeyIdentifier=none\n",
    );
    run(
        &world,
        "openssl",
        "req -new -key leaf.key -subj /CN=leaf -config pki.cnf -out csr",
    );
    run(
        &world,
        "openssl",
        "x509 -req -in csr -CA root.pem -CAkey root.key -CAcreateserial -out leaf.pem -days 7300 -extfile plain.cnf",
    );
    world.done(&BUILD);
    let ring = ["root", "twin"].map(|name| fs::read(world.path(&format!("keys/{name}.pem"))).unwrap());
    world.write("ring", &ring.concat());
    let verify = ["bundle", "verify", FILE, "--keyring", "ring"];
    let ambiguous = world.refused(7, &verify);
    assert!(
        ambiguous.ends_with(
            "\nhint: leave only one certificate of that name and key in the keyring, the valid one; certificates with key \
             identifiers are told apart by them\n"
        ),
        "{ambiguous}"
    );
}

#[test]
fn keys_that_others_can_read() {
    let Some(world) = world() else { return };
    let warnings = |mode: u32| {
        fs::set_permissions(world.path("keys/leaf.key"), Permissions::from_mode(mode)).unwrap();
        let said = world.run(&[&BUILD[..], &["--only", "bundle"]].concat());
        assert_eq!(said.code, Some(0), "{}", said.stderr);
        let lines = said.stderr.lines().filter(|line| line.starts_with("warning:"));
        lines.collect::<Vec<_>>().join("\n")
    };
    assert_eq!(warnings(0o600), "");
    assert_eq!(warnings(0o400), "");
    for (mode, wanted) in [
        (
            0o644,
            "warning: keys/leaf.key: other users may read this private key: its mode is 0644, and a key's should be 0600",
        ),
        (
            0o640,
            "warning: keys/leaf.key: other users may read this private key: its mode is 0640, and a key's should be 0600",
        ),
        (
            0o666,
            "warning: keys/leaf.key: other users may change this private key: its mode is 0666, and a key's should be 0600",
        ),
    ] {
        assert_eq!(warnings(mode), wanted);
    }
}

/// As a damaged image: what cannot be reused is made anew, and the user is told.
#[test]
fn damaged_bundles_are_not_reused() {
    let Some(world) = built() else { return };
    fs::create_dir(world.path("next")).unwrap();
    fs::remove_file(world.path("out/rootfs.squashfs")).unwrap();
    fs::remove_file(world.path("out/demo-25.11.img")).unwrap();
    let good = fs::read(world.path(FILE)).unwrap();
    let next = || {
        let said = world.run(&[
            "build",
            "spec.toml",
            "--out",
            "next",
            "--only",
            "fs.rootfs",
            "--reuse",
            FILE,
        ]);
        assert_eq!(said.code, Some(0), "{}", said.stderr);
        (said.stderr, fs::read(world.path("next/rootfs.squashfs")).unwrap())
    };
    let (_, wanted) = next();
    for (damaged, problem) in [
        (vec![0; good.len()], "nothing of it is reused: "),
        (good[..5000].to_vec(), "nothing of it is reused: "),
        (Vec::new(), "nothing of it is reused: "),
    ] {
        world.write(FILE, &damaged);
        let (stderr, made) = next();
        assert!(made == wanted);
        let warning = format!("warning: {FILE}: {problem}");
        assert!(stderr.contains(&warning), "{stderr}");
    }
}
