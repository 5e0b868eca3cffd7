//! `kiln bundle`, and builds with a bundle: what comes out, and every input that must be refused.

mod inputs;
mod others;
mod plain;
mod signers;

use std::fs;
use std::process::Command;

use insta::assert_snapshot;
use serde_json::Value;

use crate::oracle::installed;
use crate::world::{World, without_digests};

const BUNDLE: &str = r#"
[bundle]
compatible = "rock64"
version = "{version}"

[bundle.image.boot]
content = "fs.boot"

[bundle.image.rootfs]
content = "fs.rootfs"

[bundle.sign]
key = "keys/leaf.key"
certificate = "keys/leaf.pem"
keyring = "keys/root.pem"
time = 1900000000
"#;

const PKI: &str = r"
set -e
cat > pki.cnf <<END
[req]
distinguished_name = dn
prompt = no
[dn]
CN = unused
[ca]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
[leaf]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = emailProtection, codeSigning
END
key() { openssl ecparam -name prime256v1 -genkey -noout -out $1.key; }
root() {
  key $1
  openssl req -new -x509 -key $1.key -out $1.pem -days 7300 -subj /CN=$1 -config pki.cnf -extensions ca
}
issue() {
  key $1
  openssl req -new -key $1.key -subj /CN=$1 -config pki.cnf -out csr
  openssl x509 -req -in csr -CA $2.pem -CAkey $2.key -CAcreateserial -out $1.pem -days $4 -extfile pki.cnf -extensions $3
}
root root; root other
issue inter root ca 7300; issue leaf root leaf 7300; issue deep inter leaf 7300; issue short root leaf 1
openssl pkcs8 -topk8 -in leaf.key -out locked.key -v2 aes-256-cbc -iter 1000 -passout pass:sesame
printf 'sesame\n' > right; printf 'open\n' > wrong
";

/// The usual world with a bundle and keys.
pub(crate) fn world() -> Option<World> {
    if !installed("openssl") {
        return None;
    }
    let world = World::new();
    world.edit("spec.toml", "[disk]\n", &format!("{}\n[disk]\n", BUNDLE.trim()));
    fs::create_dir(world.path("keys")).unwrap();
    let made = Command::new("sh")
        .args(["-c", PKI])
        .current_dir(world.path("keys"))
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    Some(world)
}

/// The usual world, built.
fn built() -> Option<World> {
    let world = world()?;
    world.done(&["build", "spec.toml", "--out", "out"]);
    Some(world)
}

const BUILD: [&str; 4] = ["build", "spec.toml", "--out", "out"];
const FILE: &str = "out/demo-25.11.raucb";

fn refused(world: &World, code: i32, more: &[&str]) -> String {
    without_digests(&world.refused(code, &[&BUILD, more].concat()))
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn one_specification_makes_image_and_bundle() {
    let Some(world) = built() else { return };
    assert!(world.outputs().contains(&"demo-25.11.raucb".to_string()));
    let manifest = json(&fs::read_to_string(world.path("out/demo-25.11.manifest.json")).unwrap());
    let sha256 = |part: &str| {
        let files = manifest["files"].as_array().unwrap();
        let file = files.iter().find(|file| file["part"] == part).unwrap();
        crate::world::sha256sum(&world.path(&format!("out/{}", file["file"].as_str().unwrap())))
    };
    let info = world.done(&["bundle", "info", FILE, "--keyring", "keys/root.pem", "--json"]);
    let info = json(&info);
    // The factory's slots and the bundle's have the same bytes.
    assert_eq!(info["images"][0]["sha256"], sha256("fs.boot"));
    assert_eq!(info["images"][1]["sha256"], sha256("fs.rootfs"));
    assert_eq!(info["version"], "25.11.20261121.abcdef0");
    assert_eq!(info["verified"], true);
    // Again, with other threads: the same bytes.
    let first = fs::read(world.path(FILE)).unwrap();
    world.done(&["bundle", "build", "spec.toml", "--out", "out"]);
    assert!(fs::read(world.path(FILE)).unwrap() == first);
    let text = world.done(&["plan", "spec.toml"]);
    assert_snapshot!(without_digests(text.split("bundle →").nth(1).unwrap()), @r"
    demo-25.11.raucb: at most 16.3 MiB and a signature; for rock64, version 25.11.20261121.abcdef0
           16 MiB  boot.vfat → slot boot
           28 KiB  rootfs.squashfs → slot rootfs
    ");
}

/// A bundle is compressed like its squashfs, but no harder than small blocks are worth.
#[test]
fn levels_follow_the_squashfs() {
    let Some(world) = world() else { return };
    if !installed("unsquashfs") {
        return;
    }
    let compressor = || {
        world.done(&BUILD);
        let said = Command::new("unsquashfs")
            .arg("-s")
            .arg(world.path(FILE))
            .output()
            .unwrap();
        let said = String::from_utf8(said.stdout).unwrap();
        let lines = said.lines().skip_while(|line| !line.starts_with("Compression "));
        lines.take(2).map(str::trim).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(compressor(), "Compression zstd compression-level 3");
    world.edit("spec.toml", "level = 3\n", "");
    assert_eq!(compressor(), "Compression zstd compression-level 15");
    world.edit("spec.toml", "[bundle]\n", "[bundle]\nlevel = 17\n");
    assert_eq!(compressor(), "Compression zstd compression-level 17");
    world.edit("spec.toml", "level = 17\n", "compression = 'gzip'\nlevel = 8\n");
    assert_eq!(compressor(), "Compression gzip compression-level 8");
}

/// The segments of a squashfs in a bundle serve the next build.
#[test]
fn segments_are_lifted_out_of_a_bundle() {
    let Some(world) = built() else { return };
    fs::create_dir(world.path("next")).unwrap();
    fs::remove_file(world.path("out/rootfs.squashfs")).unwrap();
    fs::remove_file(world.path("out/demo-25.11.img")).unwrap();
    let next = |more: &[&str]| {
        let said = world.run(
            &[
                &["build", "spec.toml", "--out", "next", "--only", "fs.rootfs"],
                more,
            ]
            .concat(),
        );
        assert_eq!(said.code, Some(0), "{}", said.stderr);
        (said.stderr, fs::read(world.path("next/rootfs.squashfs")).unwrap())
    };
    let (stderr, cold) = next(&[]);
    assert!(stderr.contains("compressing:"), "{stderr}");
    for file in ["demo-25.11.raucb", "demo-25.11.manifest.json"] {
        let (stderr, lifted) = next(&["--reuse", &format!("out/{file}")]);
        assert!(
            !stderr.contains("compressing:") && !stderr.contains("warning:"),
            "{stderr}"
        );
        assert!(lifted == cold);
    }
}

#[test]
fn what_info_and_verify_say() {
    let Some(world) = built() else { return };
    let trust = ["--keyring", "keys/root.pem"];
    let info = world.done(&[&["bundle", "info", FILE], &trust[..]].concat());
    let info: String = info
        .split_inclusive('\n')
        .filter(|line| !line.contains("Not "))
        .collect();
    assert_snapshot!(without_digests(&info), @r#"
    Compatible:     "rock64"
    Version:        "25.11.20261121.abcdef0"
    Bundle Format:  verity
      Verity Salt:  [digest]
      Verity Hash:  [digest]
      Verity Size:  4096

    2 Images:
      [boot]
        Filename:  boot.vfat
        Checksum:  [digest]
        Size:      16777216
        Adaptive:  block-hash-index
      [rootfs]
        Filename:  rootfs.squashfs
        Checksum:  [digest]
        Size:      12288
        Adaptive:  block-hash-index

    Certificate Chain:
     0 Subject: CN = leaf
       Issuer: CN = root
       SHA-256: [digest]
     1 Subject: CN = root
       Issuer: CN = root
       SHA-256: [digest]

    Signed at 2030-03-17T17:46:40Z
    "#);
    let verified = world.done(&[&["bundle", "verify", FILE], &trust[..]].concat());
    assert_snapshot!(verified, @r"
    boot.vfat: 16 MiB, with index: good
    rootfs.squashfs: 12 KiB, with index: good
    out/demo-25.11.raucb: good, signed by CN = leaf
    ");
    let unverified = world.done(&["bundle", "info", FILE, "--no-verify"]);
    assert!(
        unverified.ends_with("\nThe signature was not checked.\n"),
        "{unverified}"
    );
    let json = json(&world.done(&[&["bundle", "verify", FILE, "--json"], &trust[..]].concat()));
    assert_eq!(json["chain"][0]["subject"], "CN = leaf");
    assert_eq!(json["compatible"], "rock64");
}

#[test]
fn extract_unpacks_what_is_verified() {
    let Some(world) = built() else { return };
    fs::create_dir(world.path("unpacked")).unwrap();
    let extract = [
        "bundle",
        "extract",
        FILE,
        "--out",
        "unpacked",
        "--keyring",
        "keys/root.pem",
    ];
    world.done(&extract);
    for file in ["boot.vfat", "rootfs.squashfs"] {
        let found = fs::read(world.path(&format!("unpacked/{file}"))).unwrap();
        assert!(
            found == fs::read(world.path(&format!("out/{file}"))).unwrap(),
            "{file}"
        );
    }
    assert_snapshot!(world.refused(5, &extract), @r"
    error: unpacked: is not empty
    hint: choose an empty folder with --out
    ");
}

#[test]
fn keys_can_stay_elsewhere() {
    let Some(world) = world() else { return };
    world.done(&[&BUILD[..], &["--unsigned"]].concat());
    let (unsigned, manifest) = (format!("{FILE}.unsigned"), format!("{FILE}.manifest"));
    let text = world.done(&["bundle", "info", &unsigned]);
    assert!(text.ends_with("\nThe bundle is not signed.\n"), "{text}");
    let sign = |bundle: &str, out: &str, verb: &str, more: &[&str]| {
        let usual = [
            "--certificate",
            "keys/leaf.pem",
            "--keyring",
            "keys/root.pem",
            "--signing-time",
            "1900000000",
        ];
        world.done(&[&["bundle", verb, bundle, "--out", out], &usual[..], more].concat())
    };
    sign(&unsigned, "signed", "sign", &["--key", "keys/leaf.key"]);
    // What is signed in one step and in two is the same.
    world.done(&BUILD);
    assert!(fs::read(world.path("signed")).unwrap() == fs::read(world.path(FILE)).unwrap());
    let command = "/usr/bin/openssl dgst -sha256 -sign keys/leaf.key";
    sign(&unsigned, "by-command", "sign", &["--signer-cmd", command]);
    world.done(&["bundle", "verify", "by-command", "--keyring", "keys/root.pem"]);
    // A signature that OpenSSL makes of the manifest.
    let cms = Command::new("openssl")
        .args([
            "cms",
            "-sign",
            "-nosmimecap",
            "-nodetach",
            "-binary",
            "-outform",
            "DER",
            "-out",
            "cms",
            "-in",
            &manifest,
        ])
        .args(["-signer", "keys/leaf.pem", "-inkey", "keys/leaf.key"])
        .current_dir(world.path("."))
        .output();
    assert!(cms.unwrap().status.success());
    let attach = [
        "bundle",
        "attach",
        &unsigned,
        "cms",
        "--out",
        "attached",
        "--keyring",
        "keys/root.pem",
    ];
    world.done(&attach);
    world.done(&["bundle", "verify", "attached", "--keyring", "keys/root.pem"]);
    // Signed anew, what is signed stays what it is.
    sign(FILE, "again", "resign", &["--key", "keys/leaf.key"]);
    assert!(fs::read(world.path("again")).unwrap() == fs::read(world.path(FILE)).unwrap());
    assert_snapshot!(world.refused(7, &["bundle", "verify", &unsigned, "--keyring", "keys/root.pem"]), @r"
    error: out/demo-25.11.raucb.unsigned: the bundle is not signed
    hint: `kiln bundle sign` signs it
    ");
    let resign = [
        "bundle",
        "sign",
        FILE,
        "--out",
        "x",
        "--certificate",
        "keys/leaf.pem",
        "--key",
        "keys/leaf.key",
    ];
    let resign = [
        &resign[..],
        &["--keyring", "keys/root.pem", "--signing-time", "now"],
    ]
    .concat();
    assert_snapshot!(world.refused(3, &resign), @r"
    error: out/demo-25.11.raucb: the bundle is signed already
    hint: `kiln bundle resign` signs it anew
    ");
}
