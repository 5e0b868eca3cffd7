//! Signature partitions: what openssl and systemd-repart say of them, who signs, and what is wrong with them.

use std::fs;
use std::path::Path;
use std::process::Command;

use insta::assert_snapshot;
use serde_json::Value;
use verity::RootSignature;

use crate::oracle::installed;
use crate::world::{World, noise};

const SPEC: &str = r#"schema = 1
name = "x"
seed = "seed"

[fs.root]
format = "ext4"
profile = "readonly"
size = "1MiB"
tree = "tree"

[verity.root]
data = "fs.root"

[verity.root.signature]
certificate = "rsa.pem"
key = "rsa.key"

[disk]
"#;

/// Where a disk has the root, its hash tree and its signature partition.
pub(crate) const REGIONS: &str = r#"
[[disk.region]]
name = "root"
type = "root-x86-64"
content = "fs.root"

[[disk.region]]
name = "root-verity"
type = "root-x86-64-verity"
content = "verity.root"

[[disk.region]]
name = "root-verity-sig"
type = "root-x86-64-verity-sig"
content = "verity.root.signature"
"#;

const BUILD: [&str; 4] = ["build", "spec.toml", "--out", "out"];
const SIGNATURE: &str = "out/root.verity-sig";

fn spec() -> String {
    format!("{SPEC}{REGIONS}")
}

/// A tree, a specification, and two people with keys and certificates of their own.
fn world() -> Option<World> {
    if !installed("openssl") {
        return None;
    }
    let world = World::new();
    fs::create_dir(world.path("tree")).unwrap();
    world.write("tree/file", &noise(300_000));
    world.write("spec.toml", spec().as_bytes());
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../signature/tests/data");
    for (kind, name) in [("rsa2048", "rsa"), ("p256", "ec")] {
        for ending in ["key", "pem"] {
            let bytes = fs::read(data.join(format!("{kind}.{ending}"))).unwrap();
            world.write(&format!("{name}.{ending}"), &bytes);
        }
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        fs::set_permissions(world.path(&format!("{name}.key")), mode).unwrap();
    }
    Some(world)
}

fn run(world: &World, tool: &str, arguments: &[&str]) -> String {
    let output = Command::new(tool)
        .args(arguments)
        .current_dir(world.path(""))
        .output()
        .unwrap();
    assert!(output.status.success(), "{tool} {arguments:?}: {output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What a signature partition says.
fn said(bytes: &[u8]) -> Value {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap();
    assert!(bytes[end..].iter().all(|byte| *byte == 0));
    serde_json::from_slice(&bytes[..end]).unwrap()
}

fn key<'a>(said: &'a Value, key: &str) -> &'a str {
    said[key].as_str().unwrap()
}

/// Builds with `more`, and lets openssl verify the signature over the root hash that the manifest has.
fn verified(world: &World, certificate: &str, more: &[&str]) -> Vec<u8> {
    world.done(&[&BUILD[..], more].concat());
    let bytes = fs::read(world.path(SIGNATURE)).unwrap();
    assert_eq!(bytes.len(), 16384);
    let said = said(&bytes);
    let manifest: Value =
        serde_json::from_slice(&fs::read(world.path("out/x.manifest.json")).unwrap()).unwrap();
    let files = manifest["files"].as_array().unwrap();
    for part in ["verity.root", "verity.root.signature"] {
        let file = files.iter().find(|file| file["part"] == part).unwrap();
        assert_eq!(file["id"], said["rootHash"], "{part}");
    }
    let digest = run(
        world,
        "openssl",
        &["x509", "-in", certificate, "-noout", "-fingerprint", "-sha256"],
    );
    let digest = digest
        .trim()
        .rsplit('=')
        .next()
        .unwrap()
        .replace(':', "")
        .to_lowercase();
    assert_eq!(key(&said, "certificateFingerprint"), digest);
    world.write("sig.base64", key(&said, "signature").as_bytes());
    run(world, "sh", &["-c", "base64 -d < sig.base64 > sig.der"]);
    world.write("hash", key(&said, "rootHash").as_bytes());
    for command in ["smime", "cms"] {
        run(
            world,
            "openssl",
            &[
                command,
                "-verify",
                "-binary",
                "-inform",
                "DER",
                "-in",
                "sig.der",
                "-content",
                "hash",
                "-CAfile",
                certificate,
                "-purpose",
                "any",
                "-no_check_time",
                "-out",
                "/dev/null",
            ],
        );
    }
    bytes
}

#[test]
fn openssl_verifies_what_keys_and_commands_sign() {
    let Some(world) = world() else { return };
    let by_key = verified(&world, "rsa.pem", &["--keyring", "rsa.pem"]);
    let image = fs::read(world.path("out/x.img")).unwrap();
    let table: Value = serde_json::from_str(&world.done(&["ls", "--json", "out/x.img"])).unwrap();
    assert!(table.to_string().contains("root-verity-sig"), "{table}");
    assert!(image.windows(by_key.len()).any(|window| window == by_key));
    // A command signs the same digits, and gives the same bytes.
    let command = "openssl dgst -sha256 -sign rsa.key";
    let by_command = verified(&world, "rsa.pem", &["--signer-cmd", command]);
    assert!(by_command == by_key && fs::read(world.path("out/x.img")).unwrap() == image);
    // ECDSA as well, twice the same.
    let ec = ["--key", "ec.key", "--certificate", "ec.pem"];
    let once = verified(&world, "ec.pem", &ec);
    assert!(once != by_key && once == verified(&world, "ec.pem", &ec));
    // A larger region is read to its end, so zeros are in it.
    world.edit(
        "spec.toml",
        "content = \"verity.root.signature\"",
        "content = \"verity.root.signature\"\nsize = \"64KiB\"",
    );
    world.done(&[&BUILD[..], &["--only", "disk"]].concat());
    let info = run(
        &world,
        "sh",
        &["-c", "fallocate -d -n out/x.img; stat -c %s out/x.img"],
    );
    assert!(!info.is_empty());
    world.done(&["check", "out/x.img"]);
}

/// Made elsewhere: the digits come out, the signature comes in, and the image is the one that the key makes.
#[test]
fn signed_elsewhere() {
    let Some(world) = world() else { return };
    verified(&world, "rsa.pem", &[]);
    let image = fs::read(world.path("out/x.img")).unwrap();
    world.edit(
        "spec.toml",
        "certificate = \"rsa.pem\"\nkey = \"rsa.key\"",
        "attach = \"root.p7s\"",
    );
    let missing = world.refused(3, &BUILD);
    assert!(missing.contains("root.p7s: cannot be read"), "{missing}");
    let said = world.run(&[&BUILD[..], &["--unsigned"]].concat());
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    let told = "warning: verity.root.signature: is not signed, and its partition holds zeros; root.roothash is what is to be \
                signed: build again with `verity.root.signature.attach`\n";
    assert!(said.stderr.contains(told), "{}", said.stderr);
    let unsigned = fs::read(world.path("out/x.img")).unwrap();
    let differ = image
        .iter()
        .zip(&unsigned)
        .filter(|(one, other)| one != other)
        .count();
    assert!(image.len() == unsigned.len() && differ < 16384);
    let checked = world.done(&["check", "out/x.img"]);
    let line = checked
        .lines()
        .find(|line| line.starts_with("/root-verity-sig"))
        .unwrap();
    assert_snapshot!(line, @"/root-verity-sig (verity-signature): unknown: nothing is signed in it yet: it holds zeros");
    let sign = |key: &str, digits: &str| {
        let line = [
            "smime", "-sign", "-binary", "-noattr", "-outform", "DER", "-in", digits, "-signer",
        ];
        let rest = [
            &format!("{key}.pem"),
            "-inkey",
            &format!("{key}.key"),
            "-out",
            "root.p7s",
        ];
        run(&world, "openssl", &[&line[..], &rest].concat());
    };
    sign("rsa", "out/root.roothash");
    world.done(&BUILD);
    assert!(fs::read(world.path("out/x.img")).unwrap() == image);
    // One of something else, and one with attributes.
    world.write("other", b"0123");
    sign("rsa", "other");
    assert_snapshot!(world.refused(7, &BUILD).replace(key(&self::said(&fs::read(world.path(SIGNATURE)).unwrap()), "rootHash"), "HASH"), @r"
    error: verity.root.signature: the signature was not made with the key of O = Kiln, CN = Test rsa2048, or was changed
    hint: what is signed has to be the 64 digits of the root hash and no more: HASH; `kiln build --unsigned` writes them
    ");
    run(
        &world,
        "openssl",
        &[
            "smime", "-sign", "-binary", "-outform", "DER", "-in", "hash", "-signer", "rsa.pem", "-inkey",
            "rsa.key", "-out", "root.p7s",
        ],
    );
    assert_snapshot!(world.refused(7, &BUILD), @r"
    error: root.p7s: the signature is not accepted: it has signed attributes, which Linux refuses here
    hint: `openssl smime -sign -binary -noattr -outform DER` makes one that Linux accepts
    ");
    // By somebody whom devices do not trust.
    sign("ec", "hash");
    world.done(&BUILD);
    let refused = world.refused(7, &[&BUILD[..], &["--keyring", "rsa.pem"]].concat());
    assert_snapshot!(refused, @"error: verity.root.signature: O = Kiln, CN = Test p256 is not trusted: the chain ends with it, and it is not among the trusted certificates");
}

#[test]
fn nobody_signs() {
    let Some(world) = world() else { return };
    world.edit("spec.toml", "key = \"rsa.key\"\n", "");
    assert_snapshot!(world.refused(2, &BUILD), @r"
    error: nobody signs verity.root.signature: there is no key
    hint: give --key, --signer-cmd for a key that lives elsewhere, or --unsigned
    ");
    world.edit("spec.toml", "certificate = \"rsa.pem\"\n", "");
    assert_snapshot!(world.refused(2, &BUILD), @r"
    error: nobody signs verity.root.signature: there is no certificate
    hint: give --certificate and --key, or --unsigned to sign it elsewhere
    ");
    // What does not need the signature needs no key.
    world.done(&[&BUILD[..], &["--only", "verity.root"]].concat());
    let wrong = ["--key", "ec.key", "--certificate", "rsa.pem"];
    assert_snapshot!(world.refused(2, &[&BUILD[..], &wrong].concat()), @r"
    error: the private key does not belong to the certificate of O = Kiln, CN = Test rsa2048
    hint: --key and --certificate have to belong together
    ");
    let foreign = [
        "--signer-cmd",
        "openssl dgst -sha256 -sign ec.key",
        "--certificate",
        "rsa.pem",
    ];
    assert_snapshot!(world.refused(3, &[&BUILD[..], &foreign].concat()), @"error: verity.root.signature: what the signer gave is no signature by the key of O = Kiln, CN = Test rsa2048");
    world.edit("spec.toml", "[verity.root.signature]\n", "");
    assert_snapshot!(world.refused(2, &BUILD), @r#"
    error: disk.region "root-verity-sig": verity.root.signature: there is no signature, because nobody is said to sign verity.root
    hint: [verity.root.signature] says who: `certificate` and `key`, or options of `kiln build`; or leave the partition out
    "#);
}

/// What a real systemd-repart writes for the same data, salt, key and certificate.
#[test]
fn systemd_repart_writes_the_same() {
    if !installed("systemd-repart") {
        return;
    }
    let Some(world) = world() else { return };
    world.done(&[&BUILD[..], &["--only", "fs.root"]].concat());
    fs::create_dir(world.path("repart.d")).unwrap();
    let define = |file: &str, kind: &str, verity: &str, more: &str| {
        let text = format!("[Partition]\nType=usr-arm64{kind}\nVerity={verity}\nVerityMatchKey=root\n{more}");
        world.write(&format!("repart.d/{file}"), text.as_bytes());
    };
    let root = world.path("out/root.ext4");
    let copy = format!(
        "CopyBlocks={}\nSizeMinBytes=1M\nSizeMaxBytes=1M\n",
        root.display()
    );
    define("10.conf", "", "data", &copy);
    define("20.conf", "-verity", "hash", "");
    define("30.conf", "-verity-sig", "signature", "");
    let line = [
        "--empty=create",
        "--size=16M",
        "--dry-run=no",
        "--definitions=repart.d",
        "--split=yes",
        "--private-key=rsa.key",
        "--certificate=rsa.pem",
        "--seed=00000000-0000-0000-0000-000000000001",
        "theirs.img",
    ];
    run(&world, "systemd-repart", &line);
    let theirs = fs::read(world.path("theirs.img.usr-arm64-verity-sig")).unwrap();
    // Its trees are over blocks of 512 bytes, so their root hashes are others; the signature is one of a given root hash.
    let file = |name: &str| fs::read(world.path(name)).unwrap();
    let certificate = signature::Certificate::read_pem_or_der(&file("rsa.pem"), "rsa.pem")
        .unwrap()
        .remove(0);
    let root = RootSignature::read(&theirs).unwrap().root;
    let identity = signature::Identity {
        certificate: certificate.clone(),
        intermediates: Vec::new(),
    };
    let key = signature::Key::read(&file("rsa.key"), None).unwrap();
    let text = verity::signed_text(&root);
    let ours = RootSignature {
        root,
        fingerprint: certificate.fingerprint(),
        signature: signature::sign_bare(text.as_bytes(), &identity, &key).unwrap(),
    };
    assert!(
        ours.to_bytes().unwrap() == theirs,
        "every byte of the partition is the same"
    );
    // The tables agree on types, and on GUIDs that are halves of a root hash; that of the signature derives from a seed.
    world.write("spec.toml", spec().replace("root-x86-64", "usr-arm64").as_bytes());
    world.done(&BUILD);
    let table = |image: &str, root: &str| {
        let table: Value = serde_json::from_str(&run(&world, "sfdisk", &["--json", image])).unwrap();
        let partitions = table["partitiontable"]["partitions"].as_array().unwrap().clone();
        let text = |partition: &Value, key: &str| partition[key].as_str().unwrap().to_lowercase();
        let guids: Vec<String> = partitions
            .iter()
            .map(|partition| text(partition, "uuid").replace('-', ""))
            .collect();
        assert_eq!([&guids[0][..], &guids[1]].concat(), root, "{image}");
        assert!(!root.contains(&guids[2]), "{image}");
        let types = partitions.iter().map(|partition| text(partition, "type"));
        types.collect::<Vec<_>>()
    };
    let own = said(&file(SIGNATURE));
    assert_eq!(
        table("out/x.img", self::key(&own, "rootHash")),
        table("theirs.img", &text)
    );
    // What systemd-repart wrote is sound here.
    let checked = world.done(&["check", "theirs.img", "--keyring", "rsa.pem"]);
    assert!(
        checked.contains("/usr-arm64-verity-sig (verity-signature): sound\n"),
        "{checked}"
    );
}

#[test]
fn check_looks_at_every_byte() {
    let Some(world) = world() else { return };
    world.done(&BUILD);
    let sound = world.done(&["check", "out/x.img", "--keyring", "rsa.pem", "--purpose", "any"]);
    let of_signature = sound.split("/root-verity-sig").nth(1).unwrap();
    assert_snapshot!(of_signature, @r"
     (verity-signature): sound
      checked: its text, and that zeros are behind it
      checked: the signature of the root hash, by the certificate in it
      checked: the fingerprint of that certificate
      checked: who made it
      checked: that a hash tree on the disk has the root hash
    ");
    assert_snapshot!(world.done(&["check", SIGNATURE]), @r"
    / (manifest): sound
      checked: its size
      checked: its fs-verity digest, over every byte
    / (verity-signature): sound
      checked: its text, and that zeros are behind it
      checked: the signature of the root hash, by the certificate in it
      checked: the fingerprint of that certificate
      not checked: whether the root hash is that of a hash tree: there is none beside it
      not checked: who made it: nobody is trusted without --keyring
    ");
    let untrusted = world.run(&["check", "out/x.img", "--keyring", "ec.pem", "--purpose", "any"]);
    assert_eq!(untrusted.code, Some(7), "{}", untrusted.stderr);
    let info = world.done(&["info", "out/x.img", "/root-verity-sig"]);
    assert!(info.contains("signer") && info.contains("Test rsa2048"), "{info}");
    let image = fs::read(world.path("out/x.img")).unwrap();
    let signature = fs::read(world.path(SIGNATURE)).unwrap();
    let start = image
        .windows(64)
        .position(|window| window == &signature[..64])
        .unwrap();
    let text = signature.iter().position(|byte| *byte == 0).unwrap();
    // In each key and each value, in the zeros behind the text, and in the last byte.
    let root = signature
        .windows(10)
        .position(|window| window == b"rootHash\":")
        .unwrap()
        + 11;
    for at in [
        0,
        3,
        root,
        root + 63,
        90,
        120,
        170,
        190,
        400,
        text - 4,
        text - 1,
        text,
        text + 1,
        16383,
    ] {
        let mut changed = image.clone();
        changed[start + at] ^= 1;
        world.write("changed.img", &changed);
        let said = world.run(&["check", "changed.img"]);
        assert!(
            [Some(6), Some(7)].contains(&said.code),
            "byte {at}: {} {}",
            said.stdout,
            said.stderr
        );
    }
    // The signature of another root hash.
    world.write("tree/file", &noise(1000));
    world.done(&[&BUILD[..3], &["other"]].concat());
    let other = fs::read(world.path("other/root.verity-sig")).unwrap();
    let mut changed = image.clone();
    changed[start..start + other.len()].copy_from_slice(&other);
    world.write("changed.img", &changed);
    let said = world.run(&["check", "changed.img"]);
    assert_eq!(said.code, Some(6));
    let line = said
        .stderr
        .lines()
        .find(|line| line.starts_with("error"))
        .unwrap();
    assert!(line.contains("is that of no hash tree on the disk"), "{line}");
}
