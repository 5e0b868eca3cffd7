//! Devices in specifications: their texts, and what does not fit together.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod access;

use std::fs;
use std::path::Path;

use image::{Kind, Silent};
use spec::{Plan, Rehash, Squashing, Work};

use access::access;

const SPEC: &str = r#"
schema = 1
name = "x"
seed = "seed"

[fs.rootfs]
format = "squashfs"

[fs.rootfs.files]
"/etc/rauc/system.conf" = "{device.system-conf}"
"/etc/fw_env.config" = "{device.fw-env}"
"/etc/repart.d" = "{device.repart}"
"/etc/systemd/system/systemd-repart.service.d/disk.conf" = "{device.repart-service}"

[fs.rootfs.text]
"/etc/fstab" = "{device.fstab}# end\n"

[script.choose]
source = "{device.boot-cmd}"
arch = "arm64"

[fs.boot]
format = "fat"
size = "64MiB"
text = { "/boot.scr" = "x" }

[disk]
table = "gpt"

[[disk.region]]
name = "loader"
raw = "loader"
offset = "64s"

[[disk.region]]
name = "uboot-env"
content = "device.environment"
offset = "4064KiB"

[[disk.region]]
name = "boot-a"
type = "xbootldr"
offset = "16MiB"
content = "fs.boot"

[[disk.region]]
name = "rootfs-a"
type = "root-arm64"
size = "256MiB"
content = "fs.rootfs"

[device]
disk = "/dev/vda"
compatible = "kiln-demo"
keyring = "/etc/rauc/keyring.pem"
data-directory = "/data/rauc"

[device.environment]
region = "uboot-env"
size = "8KiB"
variables = { board = "virt" }

[device.slot.boot]
partitions = ["boot-a", "boot-b"]
bootnames = ["A", "B"]

[device.slot.rootfs]
partitions = ["rootfs-a", "rootfs-b"]
parent = "boot"

[[device.partition]]
name = "boot-b"
like = "boot-a"

[[device.partition]]
name = "rootfs-b"
like = "rootfs-a"

[[device.partition]]
name = "data"
type = "linux"
size-min = "256MiB"

[[device.mount]]
partition = "data"
at = "/data"
format = "ext4"

[device.boot]
keep = "region"
prepare = ["virtio scan"]
environment-size = "256KiB"
variables = { bootdelay = "0" }

[device.rauc.system]
mountprefix = "/run/rauc"
"#;

fn plan(text: &str) -> spec::Result<Plan> {
    let world = tempfile::tempdir().unwrap();
    fs::write(world.path().join("loader"), "loader").unwrap();
    let spec = spec::parse(text, Path::new("spec.toml"))?;
    let gathered = spec::gather(&spec, Rehash::Compare, &access(world.path()))?;
    let work = Work {
        folder: world.path(),
        squashing: Squashing::Spool(world.path()),
        threads: 1,
        progress: &Silent,
        segments: None,
        roots: None,
        efi: None,
        release: None,
        only: &[],
    };
    spec::plan(&spec, &gathered, &work)
}

#[test]
fn texts_are_parts_outputs_and_files() {
    let plan = plan(SPEC).unwrap();
    let files: Vec<&str> = plan
        .parts
        .iter()
        .flat_map(|part| &part.files)
        .map(|(file, _)| file.as_str())
        .collect();
    insta::assert_snapshot!(files.join("\n"));
    let part = |name: &str| plan.parts.iter().find(|part| part.name == name).unwrap();
    let bytes = |name: &str| part(name).content.to_vec().unwrap();
    let text = |name: &str| String::from_utf8(bytes(name)).unwrap();
    assert!(text("device.system-conf").contains("bundle-formats=-plain\nmountprefix=/run/rauc\n"));
    assert!(
        text("device.system-conf")
            .contains("[slot.rootfs.1]\ndevice=/dev/disk/by-partlabel/rootfs-b\ntype=raw\n")
    );
    assert_eq!(text("device.fw-env"), "/dev/vda 0x3f8000 0x2000\n");
    let script = uboot::read_script(&bytes("script.choose")).unwrap();
    assert_eq!(script.source, bytes("device.boot-cmd"));
    let read = |name: &str| {
        uboot::read_environment(&bytes(name), uboot::Copies::One, uboot::ByteOrder::Little)
            .unwrap()
            .variables
    };
    assert_eq!(read("device.environment")["board"], "virt");
    assert_eq!(read("device.chooser")["bootcmd"], text("device.boot-line"));
    assert_eq!(
        (bytes("device.environment").len(), bytes("device.chooser").len()),
        (0x2000, 0x4_0000)
    );

    // They are in the root, which is where the disk says it is.
    let root = part("fs.rootfs").content.clone();
    let size = root.len();
    let archive = squashfs::read::Archive::open(std::sync::Arc::new(root), size).unwrap();
    let tree = archive.tree().unwrap();
    let at = |path: &str| match &tree.node(tree.lookup(path.as_bytes()).unwrap()).kind {
        Kind::File(content) => content.to_vec().unwrap(),
        other => panic!("{other:?}"),
    };
    assert_eq!(at("/etc/rauc/system.conf"), bytes("device.system-conf"));
    assert_eq!(
        at("/etc/fstab"),
        [bytes("device.fstab"), b"# end\n".to_vec()].concat()
    );
    let repart = String::from_utf8(at("/etc/repart.d/30-boot-b.conf")).unwrap();
    assert!(
        repart.contains("Label=boot-b\nSizeMinBytes=67108864\nSizeMaxBytes=67108864\n"),
        "{repart}"
    );
    assert!(tree.lookup(b"/etc/repart.d/50-data.conf").is_some());
    let (disk, _) = plan.disk.as_ref().unwrap();
    let region = disk.map.iter().find(|entry| entry.name == "uboot-env").unwrap();
    assert_eq!(
        (region.start, region.size(), region.content_len),
        (0x3f_8000, 0x2000, Some(0x2000))
    );
}

#[test]
fn what_does_not_fit_together_is_told() {
    let bundle = "[bundle]\ncompatible = \"kiln-demo\"\n[bundle.image.boot]\ncontent = \"fs.boot\"\n";
    let other = "[bundle]\ncompatible = \"kiln-demo\"\n[bundle.image.boot]\ncontent = \"fs.rootfs\"\n";
    let none = "[bundle]\ncompatible = \"kiln-demo\"\n[bundle.image.root]\ncontent = \"fs.rootfs\"\n";
    let cases: &[(&str, &str)] = &[
        ("like = \"boot-a\"", "type = \"xbootldr\"\nsize = \"32MiB\""),
        ("like = \"boot-a\"", "like = \"boot-c\""),
        ("like = \"boot-a\"\n", ""),
        ("size-min = \"256MiB\"", "size-min = \"8MiB\""),
        ("offset = \"4064KiB\"", "offset = \"16380KiB\""),
        (
            "region = \"uboot-env\"\nsize = \"8KiB\"",
            "region = \"uboot-env\"\noffset = \"4KiB\"\nsize = \"8KiB\"",
        ),
        ("region = \"uboot-env\"", "region = \"boot-a\""),
        ("[\"A\", \"B\"]", "[\"A\"]"),
        ("compatible = \"kiln-demo\"\n", ""),
        (
            "data-directory = \"/data/rauc\"",
            "data-directory = \"/var/lib/rauc\"",
        ),
        ("mountprefix = \"/run/rauc\"", "min-bundle-version = \"1.0\""),
        (
            "compatible = \"kiln-demo\"",
            "compatible = \"kiln-demo\"\nattempts = 10",
        ),
        ("disk = \"/dev/vda\"", "disk = \"/dev/nvme0n1\""),
        ("size = \"64MiB\"\n", ""),
        ("{device.fstab}", "{device.fstb}"),
        ("schema = 1", "schema = 1 #"),
        ("[device.rauc.system]\nmountprefix = \"/run/rauc\"\n", bundle),
        ("[device.rauc.system]\nmountprefix = \"/run/rauc\"\n", other),
        ("[device.rauc.system]\nmountprefix = \"/run/rauc\"\n", none),
    ];
    let told = cases.iter().map(|(from, to)| {
        assert!(SPEC.contains(from), "{from}");
        match plan(&SPEC.replacen(from, to, 1)) {
            Ok(_) => "fine".to_owned(),
            Err(error) => error.to_string(),
        }
    });
    insta::assert_snapshot!(told.collect::<Vec<_>>().join("\n"));
}
