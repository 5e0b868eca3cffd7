//! A system that comes with its kernel, as over a network: its store is in memory. Then it reads a disk that Kiln serves.

use std::fs;
use std::path::Path;

use crate::amd64::{is_made_for_amd64, of_system};
use crate::boots::console_lines;
use crate::btrfs::add_modules;
use crate::demo::{kiln, target};
use crate::forged::add;
use crate::layouts::{ENV, minimal};
use crate::tools::{installed, run, sha256, with_libraries};

/// The client, as this machine has it.
const CLIENT: &str = "/usr/sbin/nbd-client";

/// Process 1: finds the store in memory, runs a program of it, and asks for the disk.
const INIT: &str = r#"#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for module in /modules/*; do insmod "$module" 2> /dev/null; done
mkdir -p /nix/store
mount -t squashfs -o loop,ro /nix-store.squashfs /nix/store
echo "STORE $(ls /nix/store | wc -l) paths"
echo "RUNS $(printf 'b\na\n' | ENV/bin/sort | head -n 1)"
port=$(sed -n 's/.*nbd\.port=\([0-9]*\).*/\1/p' /proc/cmdline)
ifconfig lo 127.0.0.1 up
ifconfig eth0 10.0.2.15 netmask 255.255.255.0 up
/nbd/loader --library-path /nbd /nbd/nbd-client 10.0.2.2 "$port" /dev/nbd0 -N disk 2>&1
blockdev --getro /dev/nbd0
echo "DISK $(sha256sum /dev/nbd0 | cut -d ' ' -f 1)"
if echo x > /dev/nbd0; then echo "WRITTEN"; fi
/nbd/loader --library-path /nbd /nbd/nbd-client -d /dev/nbd0
echo NETBOOT-DONE
poweroff -f
"#;

const SPEC: &str = r#"
schema = 1
name = "net"
digests = []

[closure]
from = "store-paths"
store-root = "root"

[fs.store]
format = "squashfs"
level = 1
closure = true
closure-at = "/"

[netboot]
store = "fs.store"
kernel = "KERNEL"
initrd = ["system-initrd", "more-initrd"]
cmdline = "console=ttyS0 quiet panic=-1 no_timer_check rdinit=/netboot-init"

[disk]
[[disk.region]]
name = "store"
type = "linux"
content = "fs.store"
"#;

/// Boots what was built with what it says, while the disk is served: its port is in the address.
const BOOT: &str = r#"
port=$(expr "$1" : '.*:\([0-9]*\)/')
exec timeout 400 qemu-system-x86_64 -machine q35 -cpu qemu64 -accel tcg -m 1024 -display none -monitor none -no-reboot \
  -nic user,model=virtio-net-pci -serial "file:$3" -kernel "$2/bzImage" -initrd "$2/initrd" \
  -append "$(cat "$2/kernel-params") nbd.port=$port"
"#;

/// What the kernel unpacks behind the system's own RAM disk: process 1, the client and its libraries.
fn archive() -> Vec<u8> {
    let mut archive = Vec::new();
    let init = INIT.replace("ENV", ENV);
    add(&mut archive, "netboot-init", 0o100_755, init.as_bytes());
    add(&mut archive, "nbd", 0o040_755, b"");
    for (name, path) in with_libraries(&[CLIENT.into()]) {
        let bytes = fs::read(path).unwrap();
        add(&mut archive, &format!("nbd/{name}"), 0o100_755, &bytes);
    }
    add(&mut archive, "TRAILER!!!", 0, b"");
    archive
}

/// The kernel and the first RAM disk as the system has them, and the modules that it lacks.
fn system(dir: &Path) -> String {
    fs::copy(of_system("initrd"), dir.join("system-initrd")).unwrap();
    let mut more = archive();
    let modules = ["virtio_net", "nbd", "loop", "squashfs"];
    add_modules(&mut more, of_system, &modules);
    fs::write(dir.join("more-initrd"), more).unwrap();
    of_system("kernel").to_str().unwrap().to_string()
}

#[test]
#[ignore = "long: tests/long runs it"]
fn a_store_in_memory_boots_and_reads_what_is_served() {
    if !is_made_for_amd64() || !installed(&["qemu-system-x86_64", "timeout", "ldd", CLIENT]) {
        return;
    }
    let dir = tempfile::tempdir_in(target()).unwrap();
    let dir = dir.path();
    let list = minimal(dir);
    let paths = fs::read_to_string(&list).unwrap().lines().count();
    let spec = dir.join("spec.toml");
    fs::write(&spec, SPEC.replace("KERNEL", &system(dir))).unwrap();
    let out = dir.join("out");
    fs::create_dir(&out).unwrap();
    run(kiln().arg("build").arg(&spec).arg("--out").arg(&out));
    let log = dir.join("console.log");
    let mut serve = kiln();
    serve
        .args(["serve"])
        .arg(&spec)
        .args(["--listen", "0", "--", "sh", "-c", BOOT, "boot", "{uri}"])
        .arg(&out)
        .arg(&log);
    run(&mut serve);
    let console = console_lines(&log);
    for wanted in [
        format!("STORE {paths} paths"),
        "RUNS a".to_string(),
        format!("DISK {}", sha256(&out.join("net.img"))),
        "NETBOOT-DONE".to_string(),
    ] {
        assert!(console.contains(&wanted), "no {wanted:?} in {console:#?}");
    }
    assert!(!console.iter().any(|line| line == "WRITTEN"), "{console:#?}");
}
