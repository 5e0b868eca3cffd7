//! A closure as btrfs in the hands of Linux and btrfs-progs: scrubbed, filled, grown to the size of a card, snapshotted,
//! balanced, sent and received; and whole afterwards.

use std::fs;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use btrfs::read::FileSystem;

use crate::amd64::{boot, is_made_for_amd64, machine, of_system, store, toplevel};
use crate::btrfs::add_modules;
use crate::demo::{files_in, kiln, target};
use crate::tools::{installed, place_of, run, tool, with_libraries};

/// What the root promises.
const FREE: u64 = 64 << 20;
const FILES: u32 = 1000;
/// A card.
const CARD: u64 = 64 << 30;

const SPEC: &str = r#"
schema = 1
name = "btrfs-{series}"

[closure]
from = "STORE/closure-info"
store-root = "STORE/root"

[fs.root]
format = "btrfs"
profile = "modern"
compression = "zstd"
level = 3
free = "64MiB"
closure = true
registration = "/nix-path-registration"
directories = ["/proc", "/sys", "/dev", "/run", "/etc", "/tmp", "/received", "/snapshots"]
attributes = [{ path = "/first", mode = "0755" }, { path = "/progs/*", mode = "0755" }]

[fs.root.files]
"/first" = "first"
"/sent/kernel" = "{kernel}"
"/sent/folder/first" = "first"
PROGS

[fs.root.subvolumes]
"/nix" = {}
"/sent" = { read-only = true }
"#;

/// Goes before the system's own init, which lets Nix read every file and compare its hashes.
const FIRST: &str = r#"#!TOPLEVEL/sw/bin/bash
export PATH=TOPLEVEL/sw/bin
for folder in proc:proc sysfs:sys devtmpfs:dev tmpfs:run; do
  busybox mount -t ${folder%:*} ${folder%:*} /${folder#*:}
done
btrfs() { /progs/loader --library-path /progs /progs/btrfs "$@"; }
# try NAME COMMAND…: says what came of it, and the first lines that it printed where it failed.
try() {
  local name=$1 status=0
  shift
  "$@" > /run/log 2>&1 || status=$?
  echo "FIRST $name $status"
  [ $status = 0 ] || busybox head -n 20 /run/log
}
scrub() {
  btrfs scrub start -B / > /run/scrub; busybox cat /run/scrub; busybox grep -q 'no errors found' /run/scrub
}
grow() {
  btrfs filesystem resize max / && [ "$(df -B1M --output=size / | tail -n 1)" -gt 65000 ]
}
travel() {
  btrfs send /sent | btrfs receive /received && busybox cmp /sent/kernel /received/sent/kernel || return
  btrfs subvolume snapshot /sent /snapshots/next && echo more > /snapshots/next/more &&
    busybox rm /snapshots/next/folder/first && btrfs property set /snapshots/next ro true &&
    btrfs send -p /sent /snapshots/next | btrfs receive /received || return
  busybox cmp /snapshots/next/more /received/next/more && busybox cmp /sent/kernel /received/next/kernel &&
    [ ! -e /received/next/folder/first ]
}
snapshot() {
  btrfs subvolume snapshot -r /nix /snapshots/nix && btrfs subvolume snapshot / /snapshots/root &&
    echo changed > /snapshots/root/first && [ "$(busybox head -c 2 /first)" = '#!' ]
}
try scrub scrub
try fill TOPLEVEL/checks/fill PROMISE
try grow grow
try large dd if=/dev/urandom of=/large bs=1M count=100
try snapshot snapshot
try travel travel
try balance btrfs balance start --full-balance /
try scrub-again scrub
try remove busybox rm /large
try delete btrfs subvolume delete --commit-after /snapshots/root
try gone btrfs subvolume sync /
echo "FIRST devices $(btrfs device stats / | busybox grep -cv ' 0$')"
# Nix keeps its state in memory, and reads what is here.
busybox sync
busybox mount -o remount,ro /
busybox umount /run /dev /sys /proc
exec TOPLEVEL/init
"#;

/// This machine's btrfs-progs, with their libraries and their loader, as lines of a specification.
fn progs() -> String {
    let mut files = with_libraries(&[place_of("btrfs")]);
    // What ends threads looks for this one when it does.
    let name = "libgcc_s.so.1";
    files.insert(name.into(), files["libc.so.6"].with_file_name(name));
    files_in("/progs", &files)
}

/// Builds the file system, and the first RAM disk that mounts it.
fn build(dir: &Path) -> (PathBuf, PathBuf) {
    let first = FIRST
        .replace("TOPLEVEL", &toplevel())
        .replace("PROMISE", &format!("{FREE}:{FILES}"));
    let spec = SPEC
        .replace("STORE", store().to_str().unwrap())
        .replace("PROGS", &progs());
    fs::write(dir.join("spec.toml"), spec).unwrap();
    fs::write(dir.join("first"), first).unwrap();
    let out = dir.join("out");
    fs::create_dir(&out).unwrap();
    run(kiln()
        .arg("build")
        .arg(dir.join("spec.toml"))
        .arg("--out")
        .arg(&out));
    let mut initrd = fs::read(of_system("initrd")).unwrap();
    add_modules(&mut initrd, of_system, &["btrfs"]);
    fs::write(dir.join("initrd"), initrd).unwrap();
    (out.join("root.btrfs"), dir.join("initrd"))
}

/// Both of btrfs-progs' modes, and our own reader, find nothing.
fn check(image: &Path) {
    for arguments in [&["--check-data-csum"][..], &["--mode=lowmem"]] {
        let said = run(tool("btrfs").arg("check").args(arguments).arg(image));
        assert!(!said.contains("rror:") && !said.contains("ERROR"), "{said}");
    }
    let size = fs::metadata(image).unwrap().len();
    let system = FileSystem::open(Arc::new(File::open(image).unwrap()), size).unwrap();
    system.check().unwrap();
}

#[test]
fn linux_scrubs_fills_grows_balances_and_sends_a_closure() {
    let tools = ["qemu-system-x86_64", "btrfs", "ldd"];
    if !is_made_for_amd64() || !installed(&tools) {
        return;
    }
    let dir = tempfile::tempdir_in(target()).unwrap();
    let dir = dir.path();
    let (image, initrd) = build(dir);
    check(&image);
    // Sparse, whatever it is written to.
    let disk = dir.join("disk");
    run(tool("cp").arg("--sparse=always").args([&image, &disk]));
    File::options()
        .write(true)
        .open(&disk)
        .unwrap()
        .set_len(CARD)
        .unwrap();

    let mut machine = machine(
        &initrd,
        "loglevel=5 root=/dev/vda rootfstype=btrfs rw init=/first",
    );
    machine.arg("-drive").arg(format!(
        "if=virtio,format=raw,cache=unsafe,discard=unmap,detect-zeroes=unmap,file={}",
        disk.display()
    ));
    let console = boot(&mut machine, &dir.join("console.log"));
    let text = console.join("\n");
    for wanted in [
        "FIRST scrub 0",
        "FIRST fill 0",
        "FIRST grow 0",
        "FIRST large 0",
        "FIRST snapshot 0",
        "FIRST travel 0",
        "FIRST balance 0",
        "FIRST scrub-again 0",
        "FIRST remove 0",
        "FIRST delete 0",
        "FIRST gone 0",
        "FIRST devices 0",
        "CHECK ok mtimes: 1",
        "CHECK ok load-db: loaded",
        "CHECK ok verify: Nix finds nothing wrong",
        "CHECK ok kernel-log: no complaints",
        "BOOT-DONE",
    ] {
        let said = console.iter().any(|line| line.starts_with(wanted));
        assert!(said, "the console does not say {wanted:?}:\n{text}");
    }
    let complaint = console
        .iter()
        .find(|line| line.contains("BTRFS") && !line.contains("BTRFS info"));
    assert_eq!(complaint, None);
    check(&disk);
}
