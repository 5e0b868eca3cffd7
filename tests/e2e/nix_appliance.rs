//! `kiln.layout = "appliance"`: an image and a release out of a NixOS configuration, unsigned in the sandbox and signed
//! elsewhere, and configurations that are refused.

mod refused;
mod signed;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::demo::workspace;
use crate::nix_world::{World, names, world};
use crate::tools::{given, installed, output, run, tool};

const MIB: u64 = 1 << 20;

/// A program of Nix on `tests/nix/appliance.nix`.
fn nix(world: &World, program: &str) -> Command {
    let mut command = world.nix(program);
    command.arg(workspace().join("tests/nix/appliance.nix"));
    command
}

fn evaluated(world: &World, attribute: &str) -> Value {
    let mut command = nix(world, "nix-instantiate");
    command.args(["--eval", "--strict", "--json", "-A", attribute]);
    serde_json::from_str(&run(&mut command)).unwrap()
}

/// Builds the disk, the release and the kernel image of an attribute, and answers where they lie.
fn built(world: &World, attribute: &str, prepare: impl Fn(&mut Command)) -> [PathBuf; 3] {
    let mut command = nix(world, "nix-build");
    command.arg("--no-out-link");
    for part in ["image", "kilnRelease", "uki"] {
        command.args(["-A", &format!("{attribute}.{part}")]);
    }
    prepare(&mut command);
    let paths = run(&mut command);
    let mut lines = paths.lines();
    let mut next = || {
        let path = lines.next().unwrap();
        world.store().join(path.trim_start_matches('/'))
    };
    [next(), next(), next()]
}

/// Whether systemd-boot's files are there.
fn has_stub() -> bool {
    let folder = Path::new("/usr/lib/systemd/boot/efi");
    given(
        folder.exists(),
        "/usr/lib/systemd/boot/efi is there (systemd-boot-efi)",
    )
}

/// A partition, as sfdisk sees it.
struct Partition {
    start: u64,
    len: u64,
    kind: String,
    uuid: String,
    attributes: String,
}

/// The partitions of a disk by what they are called, each name with those of that name in order.
fn partitions(image: &Path) -> BTreeMap<String, Vec<Partition>> {
    run(tool("sfdisk").arg("--verify").arg(image));
    let table: Value = serde_json::from_str(&run(tool("sfdisk").arg("--json").arg(image))).unwrap();
    let mut found: BTreeMap<String, Vec<Partition>> = BTreeMap::new();
    for entry in table["partitiontable"]["partitions"].as_array().unwrap() {
        let text = |key: &str| entry[key].as_str().unwrap_or_default().to_lowercase();
        let bytes = |key: &str| entry[key].as_u64().unwrap() * 512;
        found.entry(text("name")).or_default().push(Partition {
            start: bytes("start"),
            len: bytes("size"),
            kind: text("type"),
            uuid: text("uuid").replace('-', ""),
            attributes: text("attrs"),
        });
    }
    found
}

/// A partition as a file of its own.
fn extracted(image: &Path, partition: &Partition, to: &Path) {
    let (skip, count) = (partition.start / 4096, partition.len / 4096);
    run(tool("dd")
        .args(["bs=4096", "status=none", "conv=sparse"])
        .args([format!("skip={skip}"), format!("count={count}")])
        .arg(format!("if={}", image.display()))
        .arg(format!("of={}", to.display())));
}

fn from_esp(image: &Path, esp: &Partition, path: &str) -> Vec<u8> {
    let fat = format!("{}@@{}", image.display(), esp.start);
    let mut command = tool("mtype");
    let output = output(command.args(["-i", &fat, &format!("::{path}")]));
    assert!(output.status.success(), "{path}");
    output.stdout
}

fn section(image: &Path, name: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("section");
    let mut objcopy = tool("objcopy");
    objcopy.args(["--output-target=binary", "--only-section", name]);
    run(objcopy.args([image, &out]));
    String::from_utf8(fs::read(out).unwrap())
        .unwrap()
        .replace('\0', "")
}

/// What nixpkgs' functions say of this machine.
fn kinds() -> [&'static str; 2] {
    match std::env::consts::ARCH {
        "aarch64" => [
            "b0e01050-ee5f-4390-949a-9101b17104e9",
            "6e11a4e7-fbca-4ded-b9e9-e1a512bb664e",
        ],
        _ => [
            "8484680c-9521-48c6-9c11-b0720656f69e",
            "77ff5f63-e7b6-4633-acf4-1565b864c0e6",
        ],
    }
}

#[test]
fn a_configuration_becomes_a_disk_and_a_release() {
    let tools = [
        "sfdisk",
        "mtype",
        "mdir",
        "veritysetup",
        "fsck.erofs-newer",
        "objcopy",
        "xz",
        "sha256sum",
    ];
    if !installed(&tools) || !has_stub() {
        return;
    }
    let Some(world) = world() else { return };
    let [disk, release, uki] = built(&world, "usual", |_| {});
    let again = built(&world, "usual", |command| {
        command.arg("--check");
    });
    assert_eq!([&disk, &release, &uki], again.each_ref());
    assert_eq!(names(&disk), ["appliance_7.img", "nix-support"]);
    assert_eq!(names(&uki), ["appliance_7+3.efi"]);

    let image = disk.join("appliance_7.img");
    let found = partitions(&image);
    let [esp] = &found["esp"][..] else {
        panic!("one ESP")
    };
    let [tree, data] = &found["appliance_7"][..] else {
        panic!("a tree and its data")
    };
    assert_eq!([&*data.kind, &*tree.kind], kinds());
    assert_eq!((data.len, tree.len), (128 * MIB, 1_064_960));
    assert_eq!(esp.len, 48 * MIB);

    // The kernel image in the ESP says the root hash of the store beside it.
    let kernel = from_esp(&image, esp, "/EFI/Linux/appliance_7+3-0.efi");
    assert_eq!(kernel, fs::read(uki.join("appliance_7+3.efi")).unwrap());
    let cmdline = section(&uki.join("appliance_7+3.efi"), ".cmdline");
    let (before, root) = cmdline.split_once(" usrhash=").unwrap();
    assert!(
        before.starts_with("init=/nix/store/") && before.contains(" panic=10 "),
        "{cmdline}"
    );
    assert_eq!((&*data.uuid, &*tree.uuid), (&root[..32], &root[32..]));
    let release_text = section(&uki.join("appliance_7+3.efi"), ".osrel");
    assert_eq!(release_text, "ID=nixos\nIMAGE_ID=appliance\nIMAGE_VERSION=7\n");
    let dir = tempfile::tempdir().unwrap();
    let [data_file, tree_file] = ["data", "tree"].map(|name| dir.path().join(name));
    extracted(&image, data, &data_file);
    extracted(&image, tree, &tree_file);
    let mut verify = tool("veritysetup");
    run(verify.arg("verify").args([&data_file, &tree_file]).arg(root));

    // It is /usr: with the store, and what systemd-sysupdate reads.
    let usr = dir.path().join("usr");
    let extract = format!("--extract={}", usr.display());
    run(tool("fsck.erofs-newer").arg(extract).arg(&data_file));
    assert!(usr.join("nix/store").is_dir());
    let env = fs::read_link(usr.join("bin/env")).unwrap();
    assert!(
        env.starts_with("/nix/store") && env.ends_with("bin/env"),
        "{env:?}"
    );
    let transfers = usr.join("lib/sysupdate.d");
    assert!(names(&transfers).len() == 3, "{:?}", names(&transfers));
    let loader = from_esp(&image, esp, "/loader/loader.conf");
    assert_eq!(String::from_utf8(loader).unwrap(), "timeout 5\neditor no\n");

    check_release(&release, root, [&data_file, &tree_file], &kernel);
    assert_eq!([&*data.attributes, &*tree.attributes], ["guid:60"; 2]);
}

/// The folder for the web server has what the disk has.
fn check_release(release: &Path, root: &str, partitions: [&Path; 2], kernel: &[u8]) {
    let uuid = |half: &str| {
        [0..8, 8..12, 12..16, 16..20, 20..32]
            .map(|part| &half[part])
            .join("-")
    };
    let [data, tree] = [&root[..32], &root[32..]].map(uuid);
    let files = [
        "SHA256SUMS".to_owned(),
        "appliance_7.efi".to_owned(),
        format!("appliance_7_{data}.store.raw.xz"),
        format!("appliance_7_{tree}.store-verity.raw.xz"),
    ];
    let mut sorted = files.to_vec();
    sorted.sort();
    assert_eq!(names(release), sorted);
    run(tool("sha256sum")
        .args(["--check", "--strict", "SHA256SUMS"])
        .current_dir(release));
    assert_eq!(fs::read(release.join(&files[1])).unwrap(), kernel);
    let dir = tempfile::tempdir().unwrap();
    for (file, partition) in files[2..].iter().zip(partitions) {
        let plain = dir.path().join("plain");
        let mut xz = tool("xz");
        xz.args(["-d", "-c"]).arg(release.join(file));
        let bytes = output(&mut xz).stdout;
        fs::write(&plain, &bytes).unwrap();
        // It ends where the file system does, the partition later.
        let whole = fs::read(partition).unwrap();
        assert!(whole.starts_with(&bytes), "{file}");
        assert!(whole[bytes.len()..].iter().all(|byte| *byte == 0), "{file}");
    }
}

#[test]
fn a_system_is_told_what_its_disk_is_like() {
    if !has_stub() {
        return;
    }
    let Some(world) = world() else { return };
    let architecture = match std::env::consts::ARCH {
        "aarch64" => "arm64",
        _ => "x86-64",
    };
    let slot = |kind: &str, bytes: u64| {
        let bytes = bytes.to_string();
        json!({ "Type": format!("usr-{architecture}{kind}"), "SizeMinBytes": bytes, "SizeMaxBytes": bytes })
    };
    let empty = |kind: &str, bytes: u64| {
        let mut slot = slot(kind, bytes);
        slot["Label"] = "_empty".into();
        slot["ReadOnly"] = true.into();
        slot
    };
    let mount = |device: &str, kind: &str, options: &[&str]| json!({ "device": device, "fsType": kind, "options": options });
    let told = evaluated(&world, "told");
    assert_eq!(
        told,
        json!({
            "mounts": {
                "/": mount("tmpfs", "tmpfs", &["x-initrd.mount", "mode=0755"]),
                "/boot": mount("/dev/disk/by-label/ESP", "vfat", &["defaults"]),
                "/nix/store": mount("/usr/nix/store", "none", &["x-initrd.mount", "bind", "ro"]),
                "/var": mount("/dev/disk/by-partlabel/var", "ext4", &["x-initrd.mount"]),
            },
            "partitions": {
                "10-store-verity-a": slot("-verity", 1_064_960),
                "11-store-verity-b": empty("-verity", 1_064_960),
                "20-store-a": slot("", 128 * MIB),
                "21-store-b": empty("", 128 * MIB),
                "50-var": { "Type": "var", "Label": "var", "Format": "ext4", "SizeMinBytes": (1024 * MIB).to_string() },
            },
            "tries": 3,
            "growPartition": false,
            "kernelParams": ["panic=10", "systemd.verity_usr_options=panic-on-corruption", "loglevel=4"],
            "initrd": {
                "enable": true,
                "repart": true,
                "dmVerity": true,
                "formats": { "erofs": true, "ext4": true },
                "tools": ["folder"],
            },
            "sysupdate": true,
            "keyring": true,
            "nix": false,
            "warnings": [],
            "filePath": "appliance_7.img",
            "ukiFile": "appliance_7+3.efi",
            "toplevel": true,
        })
    );
}

#[test]
fn a_release_follows_what_nixpkgs_options_say() {
    if !has_stub() {
        return;
    }
    let Some(world) = world() else { return };
    let told = evaluated(&world, "specification");
    let release = |id: &str, tries: u32, more: Value| {
        let mut all = json!({
            "id": id,
            "version": "7",
            "partitions": ["store", "store-verity"],
            "uki": "main",
            "esp": "fs.esp",
            "tries": tries,
            "systemd": 258,
            "url": "https://updates.example.org/appliance",
        });
        for (key, value) in more.as_object().unwrap() {
            all[key] = value.clone();
        }
        all
    };
    assert_eq!(told["usual"]["release"], release("appliance", 3, json!({})));
    assert_eq!(told["usual"]["transfers"], "{release.transfers}");
    assert!(told["quiet"]["release"].get("url").is_none());
    assert_eq!(told["quiet"]["transfers"], Value::Null);
    // Those of the configuration are in /etc.
    assert_eq!(told["own"]["transfers"], Value::Null);
    assert_eq!(evaluated(&world, "ownTransfers"), true);
    assert_eq!(evaluated(&world, "plainTransfers"), true);
    let zstd = json!({ "compress": "zstd" });
    assert_eq!(told["once"]["release"], release("gate", 0, zstd));
    assert_eq!(told["once"]["compression"], "zstd");
    let signed = &told["signed"];
    for (key, name) in [("uki", "uki"), ("systemd-boot", "systemd-boot")] {
        assert_eq!(told["usual"][key], Value::Null);
        assert_eq!(signed[key], json!({ "attach": format!("/signatures/{name}") }));
    }
    assert_eq!(signed["loader"], "{efi.systemd-boot}");
    assert_eq!(signed["enrollment"], "/signatures/PK.auth");
    assert_eq!(signed["release"]["sign"]["attach"], "/signatures/release");
    assert_eq!(told["usual"]["release"].get("sign"), None);
    let nested = &told["nested"];
    assert_eq!(
        nested["uki"],
        json!({
            "attach": "/signatures/uki",
            "certificate": "/signatures/db.pem",
            "intermediates": ["/signatures/ca.pem"],
        })
    );
    let mut sign = signed["release"]["sign"].clone();
    sign["user"] = "somebody".into();
    assert_eq!(nested["release"]["sign"], sign);
    let warned = evaluated(&world, "warned");
    let [warned] = &warned.as_array().unwrap()[..] else {
        panic!("{warned}")
    };
    assert!(
        warned
            .as_str()
            .unwrap()
            .starts_with("kiln.appliance.keyring is not set"),
        "{warned}"
    );
    assert!(
        signed["release"]["sign"]["keyring"]
            .as_str()
            .unwrap()
            .ends_with("/keyring.gpg")
    );
}
