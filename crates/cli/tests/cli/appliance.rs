//! The disk of an appliance: what others say of it, what its first boot makes of it, and what is wrong with one.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use insta::assert_snapshot;
use serde_json::Value;

use crate::look::shell;
use crate::oracle::installed;
use crate::world::{World, noise, without_digests};

/// An ESP with a signed boot loader and a signed image, a root under dm-verity with its signature, and a second slot of each.
pub(crate) const SPEC: &str = r#"schema = 1
name = "kilnos"
seed = "x"

[release]
version = "1"
uki = "main"
sign = { key = "rsa.key", certificate = "rsa.pem" }
first-boot = [{ name = "var", type = "var", size-min = "16MiB" }]

[fs.root]
format = "erofs"
compression = "lz4"
tree = "tree"

[fs.root.files]
"/usr/lib/repart.d" = "{release.repart}"

[verity.root]
data = "fs.root"
signature = { key = "rsa.key", certificate = "rsa.pem" }

[uki.main]
stub = "linuxx64.efi.stub"
linux = "systemd-bootx64.efi"
initrd = "initrd"
os-release = "os-release"
cmdline = "roothash={fs.root.roothash} systemd.verity_root_options=panic-on-corruption panic=10"
sign = { key = "rsa.key", certificate = "rsa.pem" }

[efi.boot]
source = "systemd-bootx64.efi"
sign = { key = "rsa.key", certificate = "rsa.pem" }

[secure-boot]
pk = { key = "rsa.key", certificate = "rsa.pem" }
kek = { key = "rsa.key", certificate = "rsa.pem" }
db = ["rsa.pem"]

[fs.esp]
format = "fat"
bits = 16
size = "16MiB"
files = { "/EFI/BOOT/BOOTX64.EFI" = "{efi.boot}", "/loader/keys/auto/db.auth" = "{secure-boot.db}" }
text = { "/loader/loader.conf" = "timeout 0\n" }

[disk]

[[disk.region]]
name = "esp"
type = "esp"
content = "fs.esp"

[[disk.region]]
name = "root-verity-sig"
type = "root-x86-64-verity-sig"
content = "verity.root.signature"

[[disk.region]]
name = "root-verity-sig-b"
slot-of = "root-verity-sig"

[[disk.region]]
name = "root-verity"
type = "root-x86-64-verity"
content = "verity.root"

[[disk.region]]
name = "root-verity-b"
slot-of = "root-verity"

[[disk.region]]
name = "root"
type = "root-x86-64"
size = "4MiB"
content = "fs.root"

[[disk.region]]
name = "root-b"
slot-of = "root"
"#;

/// A file system and its hash tree that are on no disk.
const OTHER: &str = r#"[fs.other]
format = "erofs"
tree = "tree"

[verity.other]
data = "fs.other"

"#;

pub(crate) const BUILD: [&str; 4] = ["build", "spec.toml", "--out", "out"];

pub(crate) fn world() -> Option<World> {
    if !installed("ukify-newer") {
        return None;
    }
    let world = World::new();
    shell(
        &world,
        "cp \"$(dirname \"$(command -v ukify-newer)\")\"/root/usr/lib/systemd/boot/efi/*x64.efi* .",
    );
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../signature/tests/data");
    for (from, to) in [("rsa2048", "rsa"), ("p256", "ec")] {
        for ending in ["key", "pem"] {
            let bytes = fs::read(data.join(format!("{from}.{ending}"))).unwrap();
            world.write(&format!("{to}.{ending}"), &bytes);
        }
    }
    shell(&world, "chmod 600 *.key");
    world.write("tree/usr/file", &noise(300_000));
    world.write("initrd", b"an initrd");
    world.write("os-release", b"ID=kilnos\nIMAGE_ID=kilnos\nIMAGE_VERSION=1\n");
    world.write("spec.toml", SPEC.as_bytes());
    Some(world)
}

/// The partitions of a disk, as sfdisk lists them.
fn partitions(world: &World, disk: &str) -> Vec<Value> {
    let table = shell(
        world,
        &format!("sfdisk --verify --quiet {disk} && sfdisk --json {disk}"),
    );
    let table: Value = serde_json::from_str(&table).unwrap();
    table["partitiontable"]["partitions"].as_array().unwrap().clone()
}

fn named(partition: &Value) -> String {
    let text = |key: &str| partition[key].as_str().unwrap().to_lowercase();
    format!("{} {} {}", text("name"), text("type"), partition["size"])
}

/// Takes the regions of second slots out of a specification.
fn without_second_slots(world: &World) {
    for name in ["root-verity-sig", "root-verity", "root"] {
        let region = format!("[[disk.region]]\nname = \"{name}-b\"\nslot-of = \"{name}\"\n");
        world.edit("spec.toml", &region, "");
    }
}

#[test]
fn others_find_what_belongs_together() {
    let tools = ["sfdisk", "mcopy", "sbverify", "veritysetup", "objcopy"];
    if !tools.iter().all(|tool| installed(tool)) {
        return;
    }
    let Some(world) = world() else { return };
    let said = world.run(&BUILD);
    assert_eq!(
        (said.code, said.stderr.contains("warning:")),
        (Some(0), false),
        "{}",
        said.stderr
    );
    let list = partitions(&world, "out/kilnos.img");
    assert_snapshot!(list.iter().map(named).collect::<Vec<_>>().join("\n"), @r##"
    esp c12a7328-f81f-11d2-ba4b-00a0c93ec93b 32768
    kilnos_1 41092b05-9fc8-4523-994f-2def0408b176 32
    _empty 41092b05-9fc8-4523-994f-2def0408b176 32
    kilnos_1 2c7357ed-ebd2-46d9-aec1-23d437ec2bf5 80
    _empty 2c7357ed-ebd2-46d9-aec1-23d437ec2bf5 80
    kilnos_1 4f68bce3-e8cd-4db1-96e7-fbcaf984b709 8192
    _empty 4f68bce3-e8cd-4db1-96e7-fbcaf984b709 8192
    "##);
    // What firmware starts, as it lies in the ESP.
    let start = list[0]["start"].as_u64().unwrap() * 512;
    let esp = format!("out/kilnos.img@@{start}");
    assert_snapshot!(shell(&world, &format!("mdir -b -/ -i {esp} ::/EFI")), @r##"
    ::/EFI/BOOT/
    ::/EFI/Linux/
    ::/EFI/BOOT/BOOTX64.EFI
    ::/EFI/Linux/kilnos_1+3-0.efi
    "##);
    shell(
        &world,
        &format!("mcopy -i {esp} ::/EFI/Linux/kilnos_1+3-0.efi uki.efi"),
    );
    shell(
        &world,
        &format!("mcopy -i {esp} ::/EFI/BOOT/BOOTX64.EFI boot.efi"),
    );
    shell(
        &world,
        "sbverify --cert rsa.pem uki.efi && sbverify --cert rsa.pem boot.efi",
    );
    shell(&world, "objcopy --dump-section=.cmdline=cmdline uki.efi copy.efi");
    let cmdline = fs::read_to_string(world.path("cmdline")).unwrap();
    let hash = cmdline.split([' ', '=']).nth(1).unwrap();
    // Data and tree by the halves of the hash, as the initrd finds them.
    let found = |half: &str| {
        let uuid = |partition: &&Value| {
            partition["uuid"]
                .as_str()
                .unwrap()
                .replace('-', "")
                .to_lowercase()
                == half
        };
        let partition = list.iter().find(uuid).unwrap();
        let (start, size) = (&partition["start"], &partition["size"]);
        shell(
            &world,
            &format!("dd if=out/kilnos.img of={half} bs=512 skip={start} count={size} status=none"),
        );
        partition["name"].as_str().unwrap().to_owned()
    };
    assert_eq!([found(&hash[..32]), found(&hash[32..])], ["kilnos_1", "kilnos_1"]);
    shell(
        &world,
        &format!("veritysetup verify {} {} {hash}", &hash[..32], &hash[32..]),
    );
    // Second slots hold nothing.
    for partition in list.iter().filter(|partition| partition["name"] == "_empty") {
        let (start, size) = (&partition["start"], &partition["size"]);
        shell(
            &world,
            &format!(
                "dd if=out/kilnos.img bs=512 skip={start} count={size} status=none | cmp -n $(({size} * 512)) - /dev/zero"
            ),
        );
    }
}

/// systemd-repart makes the second slots of a disk without them, and none of one that has them.
#[test]
fn the_first_boot_makes_second_slots() {
    if !["sfdisk", "systemd-repart"].iter().all(|tool| installed(tool)) {
        return;
    }
    let Some(world) = world() else { return };
    world.done(&BUILD);
    let wanted: Vec<String> = partitions(&world, "out/kilnos.img").iter().map(named).collect();
    let repart = |definitions: &str, disk: &str| {
        shell(
            &world,
            &format!(
                "cp out/kilnos.img {disk} && systemd-repart --definitions={definitions} --dry-run=no --empty=refuse \
                 --size=64M --seed=00000000-0000-0000-0000-000000000001 --json=short {disk}"
            ),
        );
        partitions(&world, disk)
    };
    let root = |folder: &str| {
        world.done(&["extract", "out/root.erofs", "/usr/lib/repart.d", "--out", folder]);
    };
    root("both.d");
    let both = repart("both.d", "both.img");
    assert_eq!(
        both.len(),
        wanted.len() + 1,
        "all slots are there already: {both:?}"
    );
    without_second_slots(&world);
    world.done(&BUILD);
    let first = partitions(&world, "out/kilnos.img");
    assert_eq!(first.len(), 4);
    root("one.d");
    assert_eq!(
        shell(&world, "diff -r both.d one.d"),
        "",
        "devices are told the same"
    );
    let made = repart("one.d", "one.img");
    // What was there is as it was, GUIDs and all; each slot has a second one of its type and size.
    assert_eq!(
        made[..4].iter().map(named).collect::<Vec<_>>(),
        first.iter().map(named).collect::<Vec<_>>()
    );
    assert_eq!(made[3]["uuid"], first[3]["uuid"]);
    let sorted = |list: &[String]| {
        let mut list: Vec<String> = list.to_vec();
        list.sort();
        list
    };
    let made: Vec<String> = made.iter().map(named).collect();
    let (var, slots): (Vec<String>, Vec<String>) =
        made.into_iter().partition(|name| name.starts_with("var "));
    assert_eq!(sorted(&slots), sorted(&wanted));
    assert_eq!(var.len(), 1);
    assert_snapshot!(shell(&world, "cd one.d && tail -n +1 *"), @r##"
    ==> 10-root-verity-sig.conf <==
    [Partition]
    Type=41092b05-9fc8-4523-994f-2def0408b176
    SizeMinBytes=16384
    SizeMaxBytes=16384

    ==> 20-root-verity-sig-b.conf <==
    [Partition]
    Type=41092b05-9fc8-4523-994f-2def0408b176
    Label=_empty
    SizeMinBytes=16384
    SizeMaxBytes=16384

    ==> 30-root-verity.conf <==
    [Partition]
    Type=2c7357ed-ebd2-46d9-aec1-23d437ec2bf5
    SizeMinBytes=40960
    SizeMaxBytes=40960

    ==> 40-root-verity-b.conf <==
    [Partition]
    Type=2c7357ed-ebd2-46d9-aec1-23d437ec2bf5
    Label=_empty
    SizeMinBytes=40960
    SizeMaxBytes=40960

    ==> 50-root.conf <==
    [Partition]
    Type=4f68bce3-e8cd-4db1-96e7-fbcaf984b709
    SizeMinBytes=4194304
    SizeMaxBytes=4194304
    GrowFileSystem=off

    ==> 60-root-b.conf <==
    [Partition]
    Type=4f68bce3-e8cd-4db1-96e7-fbcaf984b709
    Label=_empty
    SizeMinBytes=4194304
    SizeMaxBytes=4194304
    GrowFileSystem=off

    ==> 70-var.conf <==
    [Partition]
    Type=4d21b016-b534-45c2-a9fb-5c16e091fd2d
    Label=var
    SizeMinBytes=16777216
    "##);
}

/// What a build says that is refused, with whatever exit code.
fn refusal(world: &World) -> String {
    let said = world.run(&BUILD);
    let code = said.code.unwrap();
    assert!((2..=4).contains(&code), "{}", said.stderr);
    assert_eq!(said.stderr.matches("error:").count(), 1, "{}", said.stderr);
    let error = &said.stderr[said.stderr.find("error:").unwrap()..];
    format!("{code}: {error}")
}

#[test]
fn what_does_not_find_its_partitions_is_refused() {
    let cases = [
        ("another mount", "roothash={", "usrhash={"),
        (
            "a part that is not on the disk",
            "{fs.root.roothash}",
            "{fs.other.roothash}",
        ),
        ("a hash of nothing here", "{fs.root.roothash}", &"5".repeat(64)),
        (
            "a GUID of its own",
            "size = \"4MiB\"\n",
            "size = \"4MiB\"\nguid = \"00000000-0000-0000-0000-000000000001\"\n",
        ),
        (
            "two images of one version",
            "timeout 0\\n\" }",
            "timeout 0\\n\", \"/EFI/Linux/kilnos_1.efi\" = \"x\" }",
        ),
        (
            "no room for a second image",
            "size = \"16MiB\"",
            "size = \"8MiB\"",
        ),
        ("as small as possible", "size = \"16MiB\"\n", ""),
        ("a slot of nothing", "slot-of = \"root\"", "slot-of = \"rot\""),
        (
            "a slot with a size",
            "slot-of = \"root\"",
            "slot-of = \"root\"\nsize = \"1MiB\"",
        ),
        (
            "another root",
            "slot-of = \"root\"",
            "type = \"root-x86-64\"\nsize = \"4MiB\"",
        ),
        (
            "a slot that repart would round",
            "size = \"4MiB\"",
            "size = \"2050KiB\"",
        ),
        (
            "a label that is too long",
            "version = \"1\"",
            "version = \"1.2026-11-29.build-of-the-night-0001\"",
        ),
        (
            "a second slot in first-boot",
            "type = \"var\"",
            "type = \"root-x86-64\"",
        ),
    ];
    let mut said = String::new();
    for (name, from, to) in cases {
        let Some(world) = world() else { return };
        world.edit("spec.toml", from, to);
        world.edit("spec.toml", "[efi.boot]", &format!("{OTHER}[efi.boot]"));
        world.write("initrd", &noise(4_000_000));
        write!(said, "── {name}\n{}", refusal(&world)).unwrap();
    }
    assert_snapshot!(without_digests(&said));
}

/// Secure Boot would refuse what it is to start.
#[test]
fn a_signer_that_firmware_does_not_get_is_refused() {
    let Some(world) = world() else { return };
    world.edit("spec.toml", "db = [\"rsa.pem\"]", "db = [\"ec.pem\"]");
    assert_snapshot!(world.refused(2, &BUILD), @r##"
    error: efi.boot.sign: O = Kiln, CN = Test rsa2048 signs it, and secure-boot.db has neither that certificate nor one of its issuers: firmware with these keys would not start it
    hint: name its certificate in secure-boot.db, or sign with another key
    "##);
}

#[test]
fn a_release_that_would_wait_for_ever_is_told() {
    let Some(world) = world() else { return };
    world.edit(
        "spec.toml",
        " systemd.verity_root_options=panic-on-corruption panic=10",
        "",
    );
    let said = world.run(&BUILD);
    assert_eq!(said.code, Some(0));
    let warning = said
        .stderr
        .lines()
        .find(|line| line.starts_with("warning:"))
        .unwrap();
    assert_snapshot!(warning, @"warning: uki.main.cmdline: lacks systemd.verity_root_options=panic-on-corruption and panic=10: a version whose partition is damaged waits in the initrd for ever, and is never counted as failed (3 tries)");
}
