//! A root, a `/usr`, a store and more, each of another format and each under dm-verity, found by halves of the root hashes that
//! a boot entry has; and what the kernel says of a flipped byte, and of signatures.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::amd64::{boot, is_made_for_amd64, machine, of_system, unchanged};
use crate::btrfs::add_modules;
use crate::demo::{kiln, target, workspace};
use crate::tools::{flip_in_noise, installed, noise, place_of, run, tool, with_libraries};

const SPEC: &str = r#"schema = 1
name = "verity"
seed = "verity"

[fs.root]
format = "erofs"
tree = "root"
keep = ["modes"]

[fs.usr]
format = "ext4"
profile = "readonly"
tree = "usr"

[fs.store]
format = "btrfs"
compression = "zstd"
level = 1
tree = "store"

[fs.srv]
format = "squashfs"
level = 1
tree = "srv"

[fs.esp]
format = "fat"

[fs.esp.text]
"/loader/entries/verity.conf" = """
options roothash={fs.root.roothash} usrhash={fs.usr.roothash} storehash={verity.store.roothash} srvhash={fs.srv.roothash}
"""

[verity.root]
data = "fs.root"

[verity.root.signature]
certificate = "KEYS/rsa2048.pem"
key = "KEYS/rsa2048.key"

[verity.usr]
data = "fs.usr"

[verity.store]
data = "fs.store"

[verity.srv]
data = "fs.srv"

[disk]

[[disk.region]]
name = "esp"
type = "esp"
content = "fs.esp"

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

[[disk.region]]
name = "usr"
type = "usr-x86-64"
content = "fs.usr"

[[disk.region]]
name = "usr-verity"
type = "usr-x86-64-verity"
content = "verity.usr"

[[disk.region]]
name = "store"
type = "linux"
content = "fs.store"

[[disk.region]]
name = "store-verity"
type = "linux"
content = "verity.store"

[[disk.region]]
name = "srv"
type = "srv"
content = "fs.srv"

[[disk.region]]
name = "srv-verity"
type = "linux"
content = "verity.srv"
"#;

/// The first RAM disk: opens what the command line names, as systemd's generators do, from the first disk; then tries what
/// has to fail on the second, which has a flipped byte in its root.
const INITRD: &str = r#"#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for module in /modules/*; do insmod "$module"; done
tool() { local name=$1; shift; /tools/loader --library-path /tools "/tools/$name" "$@"; }
hash() { sed "s/.*$1=\([0-9a-f]*\).*/\1/" /proc/cmdline; }
# partition DISK DIGITS: the one of that GUID.
partition() {
  local guid=$(echo "$2" | sed 's/\(.\{8\}\)\(.\{4\}\)\(.\{4\}\)\(.\{4\}\)/\1-\2-\3-\4-/')
  for device in /dev/$1?*; do
    [ "$(tool blkid -p -s PART_ENTRY_UUID -o value "$device")" != "$guid" ] || echo "$device"
  done
}
# open DISK NAME KEY [OPTION]: what KEY= says, by the halves of the root hash.
open() {
  local root=$(hash "$3")
  local data=$(partition "$1" "$(echo "$root" | cut -c1-32)") tree=$(partition "$1" "$(echo "$root" | cut -c33-64)")
  tool veritysetup open $4 "$data" "$2" "$tree" "$root"
  echo "VERITY open $1 $2 $?"
}
while [ ! -b /dev/vdb ]; do sleep 0.1; done
open vda root roothash
mount -t erofs -o ro /dev/mapper/root /mnt
open vda usr usrhash
mount -t ext4 -o ro /dev/mapper/usr /mnt/usr
open vda store storehash
mount -t btrfs -o ro /dev/mapper/store /mnt/nix/store
open vda srv srvhash
mount -t squashfs -o ro /dev/mapper/srv /mnt/srv
open vdb damaged roothash
mount -t erofs -o ro /dev/mapper/damaged /damaged
cmp /damaged/bin/busybox /mnt/bin/busybox && echo "VERITY the rest can be read"
cat /damaged/noise > /noise
echo "VERITY cat $?"
umount /damaged
tool veritysetup close damaged
open vdb signed roothash --root-hash-signature=/signed
open vdb forged roothash --root-hash-signature=/forged
umount /dev /sys /proc
exec switch_root /mnt /init
"#;

/// What the root starts.
const INIT: &str = r#"#!/bin/busybox sh
busybox() { /bin/busybox "$@"; }
busybox mount -t proc proc /proc
for folder in / /usr /nix/store /srv; do
  busybox awk -v "folder=$folder" '$2 == folder { from = $1 " " $3 } END { print "VERITY", folder, from }' /proc/mounts
done
for folder in /files /usr /nix/store /srv; do
  cd $folder
  echo "VERITY sum $folder $(busybox find . -type f | busybox sort | busybox xargs /bin/busybox sha256sum |
    busybox sha256sum)"
done
echo VERITY-DONE
busybox poweroff -f
"#;

/// The modules of the first RAM disk, with those that they need, in the order in which they are loaded.
const MODULES: [&str; 6] = [
    "virtio_pci",
    "virtio_blk",
    "dm-verity",
    "squashfs",
    "btrfs",
    "erofs",
];

fn program(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// The trees of the three file systems.
fn trees(dir: &Path, busybox: &Path) {
    for folder in ["bin", "proc", "usr", "nix/store", "srv", "files"] {
        fs::create_dir_all(dir.join("root").join(folder)).unwrap();
    }
    fs::copy(busybox, dir.join("root/bin/busybox")).unwrap();
    program(&dir.join("root/init"), INIT);
    fs::write(dir.join("root/noise"), noise(1_000_000)).unwrap();
    let text = (0..50_000).fold(String::new(), |mut text, number| {
        writeln!(text, "{number}").unwrap();
        text
    });
    for (folder, name) in [
        ("root/files", "text"),
        ("usr/share", "text"),
        ("store/one", "text"),
        ("srv/one", "text"),
    ] {
        let folder = dir.join(folder);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(name), format!("{}\n{text}", folder.display())).unwrap();
        fs::write(folder.join("noise"), noise(200_000)).unwrap();
    }
}

/// The line that the guest prints of a folder.
fn sum(folder: &Path) -> String {
    let script = "find . -type f | LC_ALL=C sort | xargs sha256sum | sha256sum";
    run(tool("sh").args(["-c", script]).current_dir(folder))
        .trim()
        .to_string()
}

/// The first RAM disk, with this machine's tools and their libraries, and the signature of what was built.
fn initrd(dir: &Path, busybox: &Path) -> PathBuf {
    let root = dir.join("initrd.d");
    for folder in ["bin", "tools", "modules", "proc", "sys", "dev", "mnt", "damaged"] {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    fs::copy(busybox, root.join("bin/busybox")).unwrap();
    program(&root.join("init"), INITRD);
    for (name, path) in with_libraries(&["veritysetup", "blkid"].map(place_of)) {
        fs::copy(path, root.join("tools").join(name)).unwrap();
    }
    put_signatures(dir);
    let pack = "find . | busybox cpio -o -H newc > ../initrd";
    run(tool("sh").args(["-c", pack]).current_dir(&root));
    let mut initrd = fs::read(dir.join("initrd")).unwrap();
    add_modules(&mut initrd, of_system, &MODULES);
    fs::write(dir.join("initrd"), initrd).unwrap();
    dir.join("initrd")
}

/// Puts what Kiln has signed into the first RAM disk, as it is, and with a bit flipped.
fn put_signatures(dir: &Path) {
    let partition = fs::read(dir.join("out/root.verity-sig")).unwrap();
    let end = partition.iter().position(|byte| *byte == 0).unwrap();
    let said: Value = serde_json::from_slice(&partition[..end]).unwrap();
    fs::write(dir.join("signature.base64"), said["signature"].as_str().unwrap()).unwrap();
    let signature = dir.join("initrd.d/signed");
    run(tool("sh")
        .args(["-c", "base64 -d < signature.base64 > initrd.d/signed"])
        .current_dir(dir));
    let mut forged = fs::read(&signature).unwrap();
    forged[20] ^= 1;
    fs::write(dir.join("initrd.d/forged"), forged).unwrap();
}

#[test]
fn linux_reads_a_root_a_usr_and_a_store_and_refuses_a_flipped_byte() {
    let tools = ["qemu-system-x86_64", "busybox", "veritysetup", "blkid", "ldd"];
    if !is_made_for_amd64() || !installed(&tools) {
        return;
    }
    let dir = tempfile::tempdir_in(target()).unwrap();
    let dir = dir.path();
    let busybox = &place_of("busybox");
    trees(dir, busybox);
    let keys = workspace().join("crates/signature/tests/data");
    fs::write(
        dir.join("spec.toml"),
        SPEC.replace("KEYS", keys.to_str().unwrap()),
    )
    .unwrap();
    run(kiln()
        .arg("build")
        .arg(dir.join("spec.toml"))
        .arg("--out")
        .arg(dir.join("out")));
    let image = dir.join("out/verity.img");
    flip_in_noise(&image, &dir.join("damaged.img"));

    let initrd = initrd(dir, busybox);
    let entry = run(kiln()
        .arg("cat")
        .arg(&image)
        .arg("/esp/loader/entries/verity.conf"));
    let options = entry.trim().strip_prefix("options ").unwrap();
    let mut machine = machine(&initrd, &format!("loglevel=5 {options}"));
    for disk in [&image, &dir.join("damaged.img")] {
        machine.args(["-drive", &unchanged(disk)]);
    }
    check(&boot(&mut machine, &dir.join("console.log")), dir);
}

/// What has to be on the console.
fn check(console: &[String], dir: &Path) {
    let text = console.join("\n");
    let sums = [
        ("/files", "root/files"),
        ("/usr", "usr"),
        ("/nix/store", "store"),
        ("/srv", "srv"),
    ]
    .map(|(folder, tree)| format!("VERITY sum {folder} {}", sum(&dir.join(tree))));
    let wanted = [
        "VERITY open vda root 0",
        "VERITY open vda usr 0",
        "VERITY open vda store 0",
        "VERITY open vda srv 0",
        "VERITY / /dev/mapper/root erofs",
        "VERITY /usr /dev/mapper/usr ext4",
        "VERITY /nix/store /dev/mapper/store btrfs",
        "VERITY /srv /dev/mapper/srv squashfs",
        // Only the block with the flipped byte is refused.
        "VERITY open vdb damaged 0",
        "VERITY the rest can be read",
        "VERITY cat 1",
        // The kernel reads the signature: nobody whom it knows has made it. One with a flipped bit is none.
        "VERITY open vdb signed 4",
        "VERITY open vdb forged 4",
        "VERITY-DONE",
    ];
    for wanted in wanted.iter().copied().chain(sums.iter().map(String::as_str)) {
        let said = console.iter().any(|line| line == wanted);
        assert!(said, "the console does not say {wanted:?}:\n{text}");
    }
    let kernel_says = |parts: &[&str]| {
        let said = console
            .iter()
            .any(|line| parts.iter().all(|part| line.contains(part)));
        assert!(said, "the kernel does not say {parts:?}:\n{text}");
    };
    kernel_says(&["device-mapper: verity: ", ": data block ", " is corrupted"]);
    kernel_says(&["Root hash verification failed (-ENOKEY)"]);
    kernel_says(&["Root hash verification failed (-EBADMSG)"]);
}
