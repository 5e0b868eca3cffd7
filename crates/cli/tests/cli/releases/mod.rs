//! Releases: what gpg says of them, what devices get, and what they are compared with.

mod against;
mod bad;
mod bills;
mod dense;
mod device;
mod only;
mod texts;

use std::fs;
use std::path::Path;
use std::process::Command;

use insta::assert_snapshot;
use serde_json::Value;

use crate::look::shell;
use crate::oracle::installed;
use crate::world::{World, noise};

const SPEC: &str = r#"schema = 1
name = "kilnos"
seed = "seed"

[fs.root]
format = "ext4"
profile = "readonly"
tree = "tree"

[fs.root.files]
"/sysupdate.d" = "{release.transfers}"
"/import-pubring.gpg" = "{release.keyring}"

[fs.root.text]
"/os-release" = "IMAGE_ID={release.id}\nIMAGE_VERSION={release.version}\n"

[fs.esp]
format = "fat"
size = "40MiB"

[fs.esp.files]
"/EFI/Linux/main.efi" = "{uki.main}"

[verity.root]
data = "fs.root"

[verity.root.signature]
certificate = "rsa.pem"
key = "rsa.key"

[uki.main]
stub = "linuxx64.efi.stub"
linux = "systemd-bootx64.efi"
initrd = "initrd"
os-release = "initrd"
cmdline = "roothash={fs.root.roothash}"

[disk]
size = "64MiB"

[[disk.region]]
name = "esp"
type = "esp"
content = "fs.esp"

[[disk.region]]
name = "root"
type = "root-x86-64"
content = "fs.root"
size = "2MiB"
attributes = ["read-only"]

[[disk.region]]
name = "root-verity"
type = "root-x86-64-verity"
content = "verity.root"
size = "64KiB"

[[disk.region]]
name = "root-verity-sig"
type = "root-x86-64-verity-sig"
content = "verity.root.signature"

[release]
version = "1"
uki = "main"
url = "file:///t/release"
sign = { key = "rsa.key", time = 1700000000 }
"#;

/// A tree, a specification, and a key.
fn world() -> World {
    let world = World::new();
    fs::create_dir(world.path("tree")).unwrap();
    world.write("tree/file", &noise(300_000));
    world.write("initrd", b"ID=kilnos\n");
    world.write("spec.toml", SPEC.as_bytes());
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../signature/tests/data");
    for (kind, name) in [("rsa2048", "rsa"), ("rsa3072", "other"), ("p256", "ec")] {
        for ending in ["key", "pem"] {
            let bytes = fs::read(data.join(format!("{kind}.{ending}"))).unwrap();
            world.write(&format!("{name}.{ending}"), &bytes);
        }
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        fs::set_permissions(world.path(&format!("{name}.key")), mode).unwrap();
    }
    world
}

/// One with a stub and a kernel, where a newer systemd's are: systemd-boot is a PE file like any kernel.
fn with_stub() -> Option<World> {
    if !installed("ukify-newer") {
        return None;
    }
    let world = world();
    shell(
        &world,
        "cp \"$(dirname \"$(command -v ukify-newer)\")\"/root/usr/lib/systemd/boot/efi/*x64.efi* .",
    );
    Some(world)
}

fn build(world: &World, out: &str, more: &[&str]) -> Value {
    let built = world.done(&[&["build", "spec.toml", "--out", out, "--json"], more].concat());
    serde_json::from_str(&built).unwrap()
}

/// Another version, with other bytes in its root.
fn next(world: &World, from: &str, to: &str) {
    world.edit(
        "spec.toml",
        &format!("version = \"{from}\""),
        &format!("version = \"{to}\""),
    );
    let mut bytes = noise(300_000);
    bytes[100_000..100_010].copy_from_slice(format!("version {to:>2}").as_bytes());
    world.write("tree/file", &bytes);
}

fn run(world: &World, tool: &str, arguments: &[&str]) -> (bool, String) {
    let output = Command::new(tool)
        .args(arguments)
        .current_dir(world.path(""))
        .env("GNUPGHOME", world.path("gnupg"))
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&said).into_owned(),
    )
}

fn ran(world: &World, tool: &str, arguments: &[&str]) -> String {
    let (done, said) = run(world, tool, arguments);
    assert!(done, "{tool} {arguments:?}: {said}");
    said
}

fn listed(world: &World, folder: &str) -> Vec<String> {
    let prefix = format!("/{folder}/");
    let files = world.files();
    let names = files.keys().filter_map(|name| name.strip_prefix(&prefix));
    names.map(str::to_owned).collect()
}

/// The partition of a region, as the manifest says it.
fn partition<'m>(manifest: &'m Value, region: &str) -> &'m Value {
    let partitions = manifest["release"]["partitions"].as_array().unwrap();
    partitions.iter().find(|known| known["region"] == region).unwrap()
}

#[test]
fn a_release_is_a_folder_that_gpg_and_sha256sum_believe() {
    let Some(world) = with_stub() else { return };
    let manifest = build(&world, "out", &[]);
    let names = listed(&world, "out/release");
    let uuids =
        ["root", "root-verity"].map(|region| partition(&manifest, region)["partuuid"].as_str().unwrap());
    let root = fs::read(world.path("out/root.verity-sig")).unwrap();
    let root = String::from_utf8_lossy(&root)[13..77].to_owned();
    assert_eq!(uuids.map(|uuid| uuid.replace('-', "")).concat(), root);
    assert_eq!(
        names,
        [
            "SHA256SUMS",
            "SHA256SUMS.gpg",
            "kilnos_1.efi",
            "kilnos_1.root-verity-sig.raw",
            &format!("kilnos_1_{}.root-verity.raw.xz", uuids[1]),
            &format!("kilnos_1_{}.root.raw.xz", uuids[0]),
        ]
        .map(str::to_owned)
        .iter()
        .cloned()
        .collect::<std::collections::BTreeSet<_>>()
        .into_iter()
        .collect::<Vec<_>>()
    );
    assert!(installed("sha256sum"));
    let (summed, said) = {
        let output = Command::new("sha256sum")
            .args(["--check", "--strict", "SHA256SUMS"])
            .current_dir(world.path("out/release"))
            .output()
            .unwrap();
        (
            output.status.success(),
            String::from_utf8_lossy(&output.stdout).into_owned(),
        )
    };
    assert!(summed && said.lines().count() == 4, "{said}");
    // The root has the keys by which the device knows the release.
    world.done(&["extract", "out/root.ext4", "/", "--out", "device"]);
    if installed("gpgv") {
        let verify = [
            "--keyring",
            "./device/import-pubring.gpg",
            "out/release/SHA256SUMS.gpg",
            "out/release/SHA256SUMS",
        ];
        let said = ran(&world, "gpgv", &verify);
        assert!(said.contains("Good signature from \"kilnos\""), "{said}");
        world.done(&["release", "key", "--key", "other.key", "--out", "others.gpg"]);
        let foreign = [&["--keyring", "./others.gpg"], &verify[2..]].concat();
        assert!(!run(&world, "gpgv", &foreign).0);
    }
    assert_eq!(
        fs::read_to_string(world.path("device/os-release")).unwrap(),
        "IMAGE_ID=kilnos\nIMAGE_VERSION=1\n"
    );
    let mut texts = String::new();
    for name in listed(&world, "device/sysupdate.d") {
        let text = fs::read_to_string(world.path(&format!("device/sysupdate.d/{name}"))).unwrap();
        texts.extend(["--- ", &name, "\n", &text]);
    }
    assert_snapshot!("transfers", texts);
    // The same once more.
    build(&world, "again", &[]);
    for name in &names {
        let [one, other] =
            ["out", "again"].map(|out| fs::read(world.path(&format!("{out}/release/{name}"))).unwrap());
        assert!(one == other, "{name}");
    }
}

#[test]
fn a_release_is_verified_and_compared() {
    let Some(world) = with_stub() else { return };
    build(&world, "v1", &[]);
    next(&world, "1", "2");
    build(&world, "v2", &[]);
    world.done(&[
        "release", "key", "--key", "rsa.key", "--out", "keys.gpg", "--user", "kilnos",
    ]);
    let verify = ["release", "verify", "v2/release", "--keyring", "keys.gpg"];
    let against = [&verify[..], &["--against", "v1/kilnos.manifest.json"]].concat();
    let said = world.done(&[&against[..], &["--json"]].concat());
    let said: Value = serde_json::from_str(&said).unwrap();
    let new: Vec<(u64, u64)> = said["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| {
            (
                file["new_blocks"].as_u64().unwrap(),
                file["blocks"].as_u64().unwrap(),
            )
        })
        .collect();
    // The sections with the root hash and the signature; a block of the file and the inodes' checksums; three blocks of hashes.
    assert!(
        new.iter()
            .all(|(new, blocks)| (1..8).contains(new) && new <= blocks),
        "{new:?}"
    );
    let folder = world.done(&[&verify[..], &["--against", "v1/release"]].concat());
    assert!(folder.starts_with("kilnos 2, signed by "), "{folder}");
    assert!(folder.contains("new blocks of 4096 bytes: "), "{folder}");
    // Slots that devices have are smaller than the new version.
    world.edit(
        "v1/kilnos.manifest.json",
        "\"slot_size\": 2097152",
        "\"slot_size\": 4096",
    );
    let said = world.refused(4, &against);
    assert!(said.contains("of the slots that devices have"), "{said}");
    let refused = |code, arguments: &[&str]| world.refused(code, arguments);
    assert_snapshot!(refused(2, &["release", "verify", "v2/release", "--against", "v2/release"]), @"error: v2/release: is version 2, too: no device would take the new one");
    world.done(&["release", "key", "--key", "other.key", "--out", "others.gpg"]);
    let foreign = refused(7, &["release", "verify", "v2/release", "--keyring", "others.gpg"]);
    assert!(foreign.contains("which is not in the keyring"), "{foreign}");
    let name = listed(&world, "v2/release").pop().unwrap();
    let path = world.path(&format!("v2/release/{name}"));
    let mut bytes = fs::read(&path).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&path, bytes).unwrap();
    let said = refused(6, &["release", "verify", "v2/release"]);
    assert!(said.contains("its SHA-256 is "), "{said}");
}

#[test]
fn keys_can_be_elsewhere() {
    let Some(world) = with_stub() else { return };
    let usual = build(&world, "usual", &[]);
    // The key signs itself where it is, and the keyring goes to those who build.
    world.done(&[
        "release", "key", "--key", "rsa.key", "--out", "keys.gpg", "--user", "kilnos",
    ]);
    let sign = "sign = { key = \"rsa.key\", time = 1700000000 }";
    world.edit(
        "spec.toml",
        sign,
        "sign = { keyring = \"keys.gpg\", attach = \"made.gpg\" }",
    );
    world.edit("spec.toml", "key = \"rsa.key\"\n", "attach = \"root.der\"\n");
    let unsigned = build(&world, "unsigned", &["--unsigned"]);
    assert_eq!(unsigned["release"], Value::Null);
    assert_eq!(listed(&world, "unsigned/release"), [""; 0]);
    let root = world.path("unsigned/root.roothash");
    assert!(installed("openssl"));
    let arguments = format!(
        "smime -sign -binary -noattr -outform DER -md sha256 -signer rsa.pem -inkey rsa.key -in {} -out root.der",
        root.display()
    );
    ran(&world, "openssl", &arguments.split(' ').collect::<Vec<_>>());
    let half = build(&world, "half", &["--unsigned"]);
    assert_eq!(half["release"]["version"], "1");
    let names = listed(&world, "half/release");
    assert!(names.contains(&"SHA256SUMS".to_owned()) && !names.contains(&"SHA256SUMS.gpg".to_owned()));
    let sums = fs::read(world.path("half/release/SHA256SUMS")).unwrap();
    // With the same keys it is the same release.
    assert!(sums == fs::read(world.path("usual/release/SHA256SUMS")).unwrap());
    assert_eq!(half["release"], usual["release"]);
    world.done(&[
        "release",
        "sign",
        "half/release",
        "--key",
        "rsa.key",
        "--signature-time",
        "1700000000",
    ]);
    let signature = fs::read(world.path("half/release/SHA256SUMS.gpg")).unwrap();
    assert!(signature == fs::read(world.path("usual/release/SHA256SUMS.gpg")).unwrap());
    // A command that asks a token does it as well.
    let command = "openssl dgst -sha256 -sign rsa.key";
    let sign = [
        "release",
        "sign",
        "half/release",
        "--signer-cmd",
        command,
        "--certificate",
        "rsa.pem",
    ];
    world.done(&[&sign[..], &["--key-time", "1", "--signature-time", "1700000000"]].concat());
    assert!(signature == fs::read(world.path("half/release/SHA256SUMS.gpg")).unwrap());
    world.write("made.gpg", &signature);
    build(&world, "whole", &[]);
    assert!(signature == fs::read(world.path("whole/release/SHA256SUMS.gpg")).unwrap());
    // One of other bytes is not attached.
    world.edit("spec.toml", "version = \"1\"", "version = \"2\"");
    let said = world.refused(7, &["build", "spec.toml", "--out", "whole", "--unsigned"]);
    assert!(said.contains("or was changed"), "{said}");
}

#[test]
fn what_gpg_signs_is_attached() {
    if !installed("gpg") {
        return;
    }
    for kind in ["rsa3072", "ed25519"] {
        let world = world();
        fs::create_dir(world.path("gnupg")).unwrap();
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        fs::set_permissions(world.path("gnupg"), private).unwrap();
        let quick = [
            "--batch",
            "--passphrase",
            "",
            "--quick-gen-key",
            "kilnos",
            kind,
            "sign",
            "never",
        ];
        ran(&world, "gpg", &quick);
        ran(&world, "gpg", &["--export", "--output", "keys.gpg", "kilnos"]);
        world.write("release/x_1.efi", b"an image");
        let sum = crate::world::sha256sum(&world.path("release/x_1.efi"));
        world.write("release/SHA256SUMS", format!("{sum}  x_1.efi\n").as_bytes());
        for armour in ["--armor", "--no-armor"] {
            let sign = [
                "--batch",
                "--yes",
                armour,
                "--detach-sign",
                "--output",
                "release/SHA256SUMS.gpg",
            ];
            ran(&world, "gpg", &[&sign[..], &["release/SHA256SUMS"]].concat());
            let said = world.done(&["release", "verify", "release", "--keyring", "keys.gpg"]);
            assert!(said.starts_with("x 1, signed by "), "{said}");
        }
        let said = world.refused(3, &["release", "verify", "release", "--keyring", "rsa.pem"]);
        assert!(said.contains("keyring"), "{said}");
        let _ = run(&world, "gpgconf", &["--kill", "all"]);
    }
}
