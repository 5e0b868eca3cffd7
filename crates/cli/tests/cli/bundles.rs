//! `kiln bundle`, and builds with a bundle: what comes out, and every input that must be refused.

use std::fs;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::process::Command;
use std::time::{Duration, Instant};

use insta::assert_snapshot;
use serde_json::Value;

use crate::world::{World, missing, without_digests};

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
fn world() -> Option<World> {
    if Command::new("openssl").arg("version").output().is_err() {
        missing("openssl");
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
        file["sha256"].clone()
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
    assert_snapshot!(refused(&world, 2, &all), @r"
    error: the signature has no time
    hint: give --signing-time with seconds since 1970, or `now`; $SOURCE_DATE_EPOCH does, too
    ");
    let bad = refused(&world, 2, &[&all[..], &["--signing-time", "yesterday"]].concat());
    assert_snapshot!(bad, @r#"error: --signing-time: "yesterday": must be seconds since 1970, or `now`"#);
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

#[test]
fn keys_of_a_bundle_that_make_no_sense() {
    let cases = [
        ("target-rauc = \"1.8\"", "target-rauc = \"1.7\""),
        ("target-rauc = \"1.8\"", "target-rauc = \"new\""),
        ("[bundle.image.boot]\n", "[bundle.image.boot]\ntype = \"vfat\"\n"),
        (
            "[bundle.image.boot]\n",
            "[bundle.image.boot]\nfile = \"../boot.vfat\"\n",
        ),
        (
            "[bundle.image.boot]\n",
            "[bundle.image.boot]\nhooks = [\"post-install\"]\n",
        ),
        (
            "content = \"fs.boot\"\n\n[bundle.image.rootfs]",
            "content = \"fs.root\"\n\n[bundle.image.rootfs]",
        ),
        (
            "content = \"fs.boot\"\n\n[bundle.image.rootfs]",
            "content = \"script.boot\"\n\n[bundle.image.rootfs]",
        ),
        ("compatible = \"rock64\"", "compatible = \"\""),
        ("[bundle]\n", "[bundle]\nblock-size = \"3KiB\"\n"),
        ("[bundle]\n", "[bundle]\nfile = \"boot.vfat\"\n"),
        ("version = \"{version}\"", "version = \"{versoin}\""),
    ];
    let mut errors = String::new();
    for (from, to) in cases {
        let Some(world) = world() else { return };
        world.edit(
            "spec.toml",
            "compatible = \"rock64\"\n",
            "compatible = \"rock64\"\ntarget-rauc = \"1.8\"\n",
        );
        world.edit("spec.toml", from, to);
        errors += &refused(&world, 2, &[]);
    }
    assert_snapshot!(errors, @r#"
    error: bundle: adaptive images: known since RAUC 1.8, and the bundle is for RAUC 1.7
    error: bundle.target-rauc: "new": must be a version of RAUC such as 1.8, from 1.5 on
    error: bundle: an image's type: known since RAUC 1.15, and the bundle is for RAUC 1.8
    error: bundle: manifest: file name "../boot.vfat" must be a name without folders
    error: bundle: manifest: image boot: has a hook, and there is no program in [hooks]
    error: bundle.image.boot.content: there is no part "fs.root"
    hint: did you mean fs.rootfs?
    error: bundle.image.boot.content: "script.boot": must be a file system or a hash tree
    error: bundle: manifest: compatible is empty
    error: bundle: block size of 3072 bytes: must be a power of two from 4096 to 1048576
    error: boot.vfat: fs.boot and bundle both make a file of this name
    hint: give one of them another name with the key `file`
    error: bundle.version: there is no value {versoin}
    hint: did you mean version?
    "#);
}

#[test]
fn a_specification_without_a_bundle() {
    let world = World::new();
    let build = ["bundle", "build", "spec.toml", "--out", "out"];
    assert_snapshot!(world.refused(2, &build), @"error: spec.toml: has no [bundle]");
}

#[test]
fn an_image_that_is_no_multiple_of_a_block() {
    let Some(world) = world() else { return };
    world.edit("spec.toml", "size = \"16MiB\"\n", "size = \"32769s\"\n");
    world.edit("spec.toml", "offset = \"32MiB\"", "offset = \"33MiB\"");
    assert_snapshot!(refused(&world, 2, &["--only", "bundle"]), @"error: bundle: image boot: 16777728 bytes, which is not a multiple of 4096, as adaptive updates need it");
    world.edit(
        "spec.toml",
        "content = \"fs.boot\"\n\n[bundle.image.rootfs]",
        "content = \"fs.boot\"\nadaptive = false\n\n[bundle.image.rootfs]",
    );
    world.done(&BUILD);
}

#[test]
fn files_that_are_no_bundles() {
    let Some(world) = built() else { return };
    let good = fs::read(world.path(FILE)).unwrap();
    let verify = |code: i32| world.refused(code, &["bundle", "verify", "bad", "--keyring", "keys/root.pem"]);
    world.write("bad", b"");
    assert_snapshot!(verify(6), @"error: bad: 0 bytes are too few for a bundle");
    let sparse = fs::File::create(world.path("bad")).unwrap();
    sparse.set_len(4 << 30).unwrap();
    assert_snapshot!(verify(6), @"error: bad: no bundle: its last eight bytes say that there is no signature");
    sparse
        .write_all_at(&(1u64 << 63).to_be_bytes(), (4 << 30) - 8)
        .unwrap();
    assert_snapshot!(verify(6), @"error: bad: a signature of 9223372036854775808 bytes: the limit is 65536");
    let flipped = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        world.write("bad", &bytes);
    };
    flipped(20_000);
    assert_snapshot!(verify(6), @"error: bad: data: block 4 at byte 16384 does not have the hash that level 0 has for it");
    flipped(good.len() - 20);
    assert_snapshot!(verify(7), @"error: bad: the signature was not made with the key of CN = leaf, or was changed");
    world.write("bad", &good);
    let foreign = ["bundle", "verify", "bad", "--keyring", "keys/other.pem"];
    assert_snapshot!(world.refused(7, &foreign), @"error: bad: CN = leaf is not trusted: no certificate of its issuer, CN = root, is trusted or in the signature");
    assert_snapshot!(world.refused(3, &["bundle", "verify", "none", "--keyring", "keys/root.pem"]), @"error: none: cannot be read: No such file or directory (os error 2)");
    assert_snapshot!(world.refused(3, &["bundle", "verify", "keys", "--keyring", "keys/root.pem"]), @"error: keys: is not a regular file");
    assert_snapshot!(world.refused(2, &["bundle", "verify", "bad"]), @r"
    error: nobody is trusted: there is no keyring
    hint: give --keyring with the certificates that devices trust
    ");
    assert_snapshot!(world.refused(2, &["bundle", "info", "bad"]), @r"
    error: nobody is trusted: there is no keyring
    hint: give --keyring with the certificates that devices trust, or --no-verify
    ");
    flipped(20_000);
    fs::create_dir(world.path("unpacked")).unwrap();
    let extract = [
        "bundle",
        "extract",
        "bad",
        "--out",
        "unpacked",
        "--keyring",
        "keys/root.pem",
    ];
    assert_snapshot!(world.refused(6, &extract), @"error: bad: data: block 4 at byte 16384 does not have the hash that level 0 has for it");
    let old = [
        "bundle",
        "resign",
        "bad",
        "--out",
        "again",
        "--keyring",
        "keys/root.pem",
        "--signing-time",
        "now",
    ];
    let with = ["--key", "keys/leaf.key", "--certificate", "keys/leaf.pem"];
    assert_snapshot!(world.refused(6, &[&old[..], &with].concat()), @"error: bad: data: block 4 at byte 16384 does not have the hash that level 0 has for it");
}

/// Whoever asks whether a signature is good must not be answered otherwise.
#[test]
fn nothing_stands_for_a_good_signature() {
    let Some(world) = built() else { return };
    let good = fs::read(world.path(FILE)).unwrap();
    world.done(&[&BUILD[..], &["--unsigned"]].concat());
    let unsigned = format!("{FILE}.unsigned");
    let info = ["bundle", "info", &unsigned, "--keyring", "keys/root.pem"];
    assert_snapshot!(world.refused(7, &info), @r"
    error: out/demo-25.11.raucb.unsigned: the bundle is not signed
    hint: `kiln bundle sign` signs it
    ");
    // A list of revoked certificates that is none.
    world.write(FILE, &good);
    let verify = ["bundle", "verify", FILE, "--keyring", "keys/root.pem"];
    assert_snapshot!(world.refused(3, &[&verify[..], &["--crl", "keys/root.pem"]].concat()), @"error: keys/root.pem: holds no list of revoked certificates");
    // Certificates have to be valid now, whatever the signer says that the time was.
    let short = [
        "--key",
        "keys/short.key",
        "--certificate",
        "keys/short.pem",
        "--signing-time",
        "now",
    ];
    world.done(&[&BUILD[..], &short].concat());
    world.done(&verify);
    let later = world.refused(7, &[&verify[..], &["--at", "1900000000"]].concat());
    assert!(
        later.contains("the certificate of CN = short expired at"),
        "{later}"
    );
    // Nothing waits for a pipe that nobody writes to, or reads without end.
    let pipe = Command::new("mkfifo").arg(world.path("pipe")).status().unwrap();
    assert!(pipe.success());
    let fifo = ["bundle", "verify", "pipe", "--keyring", "keys/root.pem"];
    assert_snapshot!(world.refused(3, &fifo), @"error: pipe: is not a regular file");
    let endless = ["bundle", "verify", FILE, "--keyring", "/dev/zero"];
    assert_snapshot!(world.refused(3, &endless), @"error: /dev/zero: has more than 4194304 bytes, the limit");
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
