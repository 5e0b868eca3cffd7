//! A closure as btrfs: btrfs-progs read it, and a system boots from it, uses up what was promised, and grows it.

use std::fs;
use std::path::{Path, PathBuf};

use image::Seed;

use crate::boots::{CROWDS, assert_listed, console_lines, whole_zoo};
use crate::demo::{demo, host_path, is_made, kiln, store_paths, target, toplevel};
use crate::tools::{files, installed, run, tool};

const U_BOOT: &str = "/usr/lib/u-boot/qemu_arm64/u-boot.bin";
/// What the root promises.
const FREE: u64 = 64 << 20;
const FILES: u32 = 1000;

/// The root is a subvolume that is the default, as installers for desktops make it. There is a FAT for the kernel, because
/// Debian's U-Boot for this machine was built without btrfs.
const SPEC: &str = r#"
schema = 1
name = "btrfs-{series}"

[closure]
from = "DEMO/out/store/closure-info"
store-root = "DEMO/out/store/root"

[fs.root]
format = "btrfs"
label = "root"
compression = "zstd"
level = 3
free = "64MiB"
closure = true
closure-at = "/@/nix/store"
registration = "/@/nix-path-registration"
directories = [
  "/@/proc", "/@/sys", "/@/dev", "/@/run", "/@/etc", "/@/tmp", "/@/home", "/@/srv", "/other",
]
files = { "/@/first" = "first" }
attributes = [{ path = "/@/first", mode = "0755" }, { path = "/@/tmp", mode = "1777" }]

[fs.root.subvolumes]
"/@" = { default = true }
"/@/nix" = {}
"/@/home" = {}
"/@/srv" = { read-only = true }
"/other" = {}

[script.boot]
source = "boot.cmd"
arch = "arm64"

[fs.boot]
format = "fat"
files = { "/Image" = "{kernel}", "/initrd" = "initrd", "/boot.scr" = "{script.boot}" }

[disk]
table = "gpt"

[[disk.region]]
name = "boot"
type = "xbootldr"
bootable = true
content = "fs.boot"

[[disk.region]]
name = "root"
type = "root-arm64"
attributes = ["growfs"]
content = "fs.root"
"#;

const BOOT: &str = r#"
setenv bootargs "console=ttyAMA0 loglevel=5 panic=-1 root=/dev/vda2 rootfstype=btrfs rw init=/first"
load ${devtype} ${devnum}:${distro_bootpart} ${kernel_addr_r} /Image
load ${devtype} ${devnum}:${distro_bootpart} ${ramdisk_addr_r} /initrd
setenv initrd_size ${filesize}
booti ${kernel_addr_r} ${ramdisk_addr_r}:${initrd_size} ${fdtcontroladdr}
"#;

/// Goes before the system's own init. It uses up what is promised, grows the file system as systemd does, and registers the
/// store as NixOS does.
const FIRST: &str = r#"#!TOPLEVEL/sw/bin/bash
export PATH=TOPLEVEL/sw/bin
for folder in proc:proc sysfs:sys devtmpfs:dev tmpfs:run; do
  busybox mount -t ${folder%:*} ${folder%:*} /${folder#*:}
done
echo "FIRST root $(busybox grep ' / ' /proc/mounts)"
echo "FIRST device $(stat -c %d / /nix /home /srv | sort -u | wc -l) subvolumes"
touch /srv/file 2> /dev/null || echo "FIRST /srv is read-only"
echo "FIRST fill $(TOPLEVEL/checks/fill PROMISE) $?"
before=$(df -B1M --output=size / | tail -n 1)
start=$(busybox date +%s)
(echo ', +' | sfdisk --no-reread --partno 2 /dev/vda && partx --update /dev/vda) > /run/log 2>&1 || cat /run/log
systemd=$(busybox readlink -f TOPLEVEL/sw/bin/systemctl)
${systemd%/bin/systemctl}/lib/systemd/systemd-growfs /
echo "FIRST grow $? from" $before "to" $(df -B1M --output=size / | tail -n 1)
dd if=/dev/zero of=/home/large bs=1M count=512 2> /run/log || cat /run/log
busybox sync
echo "FIRST home $(stat -c %s /home/large)"
store() { USER=root HOME=/run NIX_CONFIG='build-users-group =' nix-store "$@"; }
store --load-db < /nix-path-registration
echo "FIRST registered $(store --query --requisites TOPLEVEL | busybox wc -l) paths"
store --verify && store --verify-path /nix/store/*-edge-cases-1.0 && echo "FIRST verified"
# Every file is read by btrfs_guest's machine, which needs a minute less for it than this one.
busybox rm /nix-path-registration
busybox sync
busybox mount -o remount,ro /
busybox umount /run /dev /sys /proc
exec TOPLEVEL/init
"#;

/// The demo's first RAM disk, and behind it another with the modules that btrfs needs.
pub(crate) fn initrd() -> Vec<u8> {
    let of_system = |name: &str| host_path(&format!("{}/{name}", toplevel()));
    let mut bytes = fs::read(of_system("initrd")).unwrap();
    add_modules(&mut bytes, of_system, &["btrfs"]);
    bytes
}

/// Appends modules, and what they need, to a RAM disk, in the order in which they are loaded. A system has a list of them, and
/// they themselves lie beside its kernel.
pub(crate) fn add_modules(bytes: &mut Vec<u8>, of_system: impl Fn(&str) -> PathBuf, names: &[&str]) {
    let listed = files(&of_system("kernel-modules/lib/modules")).remove(0);
    let kernel = of_system("kernel");
    let linux = kernel.ancestors().nth(2).unwrap();
    let dependencies = fs::read_to_string(listed.join("modules.dep")).unwrap();
    let mut modules: Vec<&str> = Vec::new();
    for name in names {
        let start = format!("/{name}.ko:");
        let line = dependencies.lines().find(|line| line.contains(&start)).unwrap();
        // What others need comes last in the list, and it itself before all.
        for module in line.split([':', ' ']).filter(|word| !word.is_empty()).rev() {
            if !modules.contains(&module) {
                modules.push(module);
            }
        }
    }
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    for (number, module) in (900..).zip(modules) {
        let file = linux
            .join("lib/modules")
            .join(listed.file_name().unwrap())
            .join(module);
        let name = module.rsplit('/').next().unwrap();
        add(
            bytes,
            &format!("modules/{number}-{name}"),
            &fs::read(file).unwrap(),
        );
    }
    add(bytes, "TRAILER!!!", b"");
}

/// A file as cpio has it.
fn add(bytes: &mut Vec<u8>, name: &str, content: &[u8]) {
    let mut fields = [0; 13];
    fields[1] = 0o100_644;
    fields[4] = 1;
    fields[6] = content.len();
    fields[11] = name.len() + 1;
    bytes.extend(b"070701");
    bytes.extend(
        fields
            .iter()
            .flat_map(|field| format!("{field:08X}").into_bytes()),
    );
    bytes.extend([name.as_bytes(), b"\0"].concat());
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes.extend(content);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

/// Builds the disk.
fn build(dir: &Path) -> PathBuf {
    let demo = demo();
    let first = FIRST
        .replace("TOPLEVEL", &toplevel())
        .replace("PROMISE", &format!("{FREE}:{FILES}"));
    let spec = SPEC.replace("DEMO", demo.to_str().unwrap());
    for (name, text) in [("spec.toml", spec), ("boot.cmd", BOOT.into()), ("first", first)] {
        fs::write(dir.join(name), text).unwrap();
    }
    fs::write(dir.join("initrd"), initrd()).unwrap();
    let out = dir.join("out");
    fs::create_dir(&out).unwrap();
    run(kiln()
        .arg("build")
        .arg(dir.join("spec.toml"))
        .arg("--out")
        .arg(&out));
    out
}

/// Where the second partition of a disk begins, and its size.
fn second_partition(disk: &Path) -> (u64, u64) {
    let text = run(tool("sfdisk").arg("--json").arg(disk));
    let table: serde_json::Value = serde_json::from_str(&text).unwrap();
    let partition = &table["partitiontable"]["partitions"][1];
    let bytes = |key: &str| partition[key].as_u64().unwrap() * 512;
    (bytes("start"), bytes("size"))
}

fn check(image: &Path) {
    let said = run(tool("btrfs").args(["check", "--check-data-csum"]).arg(image));
    assert!(said.contains("no error found"), "{said}");
}

#[test]
fn a_system_boots_from_a_subvolume_uses_up_what_was_promised_and_grows() {
    if !is_made() || !installed(&["qemu-system-aarch64", U_BOOT, "btrfs", "sfdisk", "dd"]) {
        return;
    }
    let dir = tempfile::tempdir_in(target()).unwrap();
    let dir = dir.path();
    let out = build(dir);
    check(&out.join("root.btrfs"));

    let tree = whole_zoo(CROWDS[0]);
    let zoo = dir.join("zoo.btrfs");
    let spool = image::Spool::create(dir).unwrap();
    let seed = Seed::new(b"zoo");
    let mut options = btrfs::Options::new(seed.uuid("fs"), seed);
    options.compression = btrfs::Compression::Zstd { level: 3 };
    options.profile = btrfs::Profile::Modern;
    let work = btrfs::Work {
        spool: &spool,
        threads: 2,
        digests: &[],
        progress: &image::Silent,
        reuse: None,
    };
    let planned = btrfs::plan(&tree, &options, &work).unwrap();
    image::write(&zoo, &planned.image, &image::Silent)
        .unwrap()
        .keep()
        .unwrap();

    let (log, disk) = (dir.join("console.log"), dir.join("disk"));
    let mut boot = tool(demo().join("boot").to_str().unwrap());
    boot.arg(out.join("btrfs-25.11.img"));
    boot.args(["--timeout", "800", "--disk-size", "8G", "--checks", "zoo:btrfs"]);
    boot.arg("--log").arg(&log).arg("--keep").arg(&disk);
    let drive = format!("if=virtio,format=raw,readonly=on,file={}", zoo.display());
    run(boot.args(["-drive", &drive]));
    let console = console_lines(&log);
    let paths = store_paths().len();
    for wanted in [
        "FIRST root /dev/vda2 / btrfs rw".into(),
        "FIRST device 4 subvolumes".into(),
        "FIRST /srv is read-only".into(),
        "FIRST grow 0 from ".into(),
        format!("FIRST home {}", 512 << 20),
        format!("FIRST registered {paths} paths"),
        "FIRST verified".into(),
        format!("STAGE2 {}", toplevel()),
        "CHECK ok mtimes: 1".into(),
        "CHECK skip verify: no /nix-path-registration".into(),
        "CHECK ok kernel-log: no complaints".into(),
        "BOOT-DONE".into(),
    ] {
        assert!(
            console.iter().any(|line| line.starts_with(&wanted)),
            "the console does not say {wanted:?}"
        );
    }
    let line = |start: &str| console.iter().find(|line| line.starts_with(start)).unwrap();
    assert!(line("FIRST root").contains("subvol=/@"));
    assert!(line("FIRST fill").ends_with(" 0"), "{}", line("FIRST fill"));
    let complaint = console
        .iter()
        .find(|line| line.contains("BTRFS") && !line.contains("BTRFS info"));
    assert_eq!(complaint, None);
    assert_listed(&console, &tree);

    // What the system leaves is whole, and as large as the card.
    let (start, size) = second_partition(&disk);
    assert!(size > 7 << 30 && start.is_multiple_of(1 << 20), "{start} {size}");
    let left = dir.join("left");
    let mut copy = tool("dd");
    copy.args(["bs=1M", "conv=sparse", &format!("skip={}", start >> 20)]);
    copy.arg(format!("count={}", size.div_ceil(1 << 20)));
    copy.arg(format!("if={}", disk.display()))
        .arg(format!("of={}", left.display()));
    run(&mut copy);
    check(&left);
    let said = run(tool("btrfs").args(["inspect-internal", "dump-super"]).arg(&left));
    let total = said.lines().find_map(|line| line.strip_prefix("total_bytes"));
    assert_eq!(total.unwrap().trim().parse::<u64>().unwrap(), size / 4096 * 4096);
}
