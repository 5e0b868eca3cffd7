//! Disks are flashed in a guest: a compressed image with its block map onto one that had another image, and onto those that must not or
//! cannot be; and the guide to it, followed to the letter.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use crate::amd64::{boot, is_made_for_amd64, machine, of_system, place, store};
use crate::demo::{files_in, is_made, kiln, kiln_program, target, workspace};
use crate::tools::{installed, run, said, tool, with_libraries};

/// What an older image has left everywhere.
const OLD: &[u8] = b"OLD LOADER\n";
const MIB: u64 = 1 << 20;
/// The disk that is flashed.
const DISK: u64 = 96 * MIB;
/// Where the disk that fails does.
const FAILS_AT: u64 = 9 * MIB;

/// A board whose boot ROM looks into gaps, and an image that has nothing there.
const SPEC: &str = r#"
schema = 1
name = "sensor-1.0"

[fs.root]
format = "ext4"
label = "root"
size = "40MiB"
files = { "/noise" = "noise" }

[disk]
board = "am335x"
table = "mbr"
size = "64MiB"
compress = "zstd"
bmap = true

[[disk.region]]
name = "root"
type = "linux"
offset = "4MiB"
content = "fs.root"

[[disk.region]]
name = "data"
type = "linux"
size = "8MiB"
"#;

/// The guest's own disk: its root is a partition.
const ROOT: &str = r#"
schema = 1
name = "guest"

[fs.root]
format = "ext4"
size = "SIZE"
directories = ["/proc", "/sys", "/dev", "/run", "/tmp", "/mnt", "/sbin", "/work/result"]
attributes = [{ path = "/bin/*", mode = "0755" }, { path = "/progs/*", mode = "0755" }, { path = "/first", mode = "0755" }]

[fs.root.files]
"/first" = "first"
"/guide" = "guide"
"/bin/busybox" = "BUSYBOX"
"/bin/kiln" = "kiln-in-guest"
"/bin/sudo" = "sudo-in-guest"
"/work/result/sensor-1.0.img.zst" = "out/sensor-1.0.img.zst"
"/work/result/sensor-1.0.img.bmap" = "out/sensor-1.0.img.bmap"
"/work/result/sensor-1.0.manifest.json" = "out/sensor-1.0.manifest.json"
"/work/noise" = "noise"
PROGS

[disk]
table = "mbr"

[[disk.region]]
name = "root"
type = "linux"
content = "fs.root"
"#;

const FIRST: &str = r#"#!/bin/busybox sh
export PATH=/bin:/sbin
/bin/busybox --install -s /bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev; mount -t tmpfs run /run; mount -t tmpfs tmp /tmp
cd /work
# try NAME COMMAND…: what came of it, and what was said.
try() {
  name=$1; shift
  status=0
  "$@" > /tmp/said 2>&1 < /dev/null || status=$?
  sed "s/^/SAID $name: /" /tmp/said
  echo "CODE $name $status"
}
image=result/sensor-1.0.img.zst
try list kiln flash
try unasked kiln flash $image /dev/vdb
try root kiln flash $image /dev/vda --yes
try root-partition kiln flash $image /dev/vda1 --yes
try small kiln flash $image /dev/vdc --yes
try fails kiln flash $image /dev/vdd --yes
try read-only kiln flash $image /dev/vdg --yes
try flash kiln flash $image /dev/vdb --yes
try partitions grep -c ' vdb[12]$' /proc/partitions
try mount mount -t ext4 -o ro /dev/vdb1 /mnt
try same cmp /mnt/noise noise
try mounted kiln flash $image /dev/vdb --yes
umount /mnt
try partition kiln flash $image /dev/vdb1 --yes
try source kiln flash /dev/vdb1 /dev/vdb --yes
try sibling kiln flash /dev/vdb1 /dev/vdb2 --yes
mkswap /dev/vdb2 > /dev/null; swapon /dev/vdb2
try swap kiln flash $image /dev/vdb --yes
swapoff /dev/vdb2
# Killed in the middle: this disk is slow.
kiln flash $image /dev/vde --yes > /tmp/killed 2>&1 &
until head -c 10 /dev/vde | grep -q 'kiln flash'; do sleep 0.1; done
kill -9 $!
wait
try killed kiln flash
# Stopped in the middle.
kiln flash $image /dev/vde --yes > /tmp/stopped 2>&1 &
sleep 1
kill -TERM $!
wait $!
echo "CODE stopped $?"
sed 's/^/SAID stopped: /' /tmp/stopped
# Pulled out in the middle.
kiln flash $image /dev/vde --yes > /tmp/pulled 2>&1 &
sleep 1
echo 1 > /sys/block/vde/device/../remove
wait $!
echo "CODE pulled $?"
sed 's/^/SAID pulled: /' /tmp/pulled
# The guide, on a disk that is called as it is there.
ln -s vdf /dev/sdb
number=0
while read -r line; do
  number=$((number + 1))
  try "guide-$number" sh -euc "$line"
done < /guide
echo FLASH-DONE
sync
mount -o remount,ro /
poweroff -f
"#;

/// What the console has to say.
const WANTED: &[&str] = &[
    "SAID list: /dev/vdb  96 MiB, virtio, no model, serial KILN-b",
    "SAID list:   the running system is on it: vda1 is mounted at /",
    "CODE list 0",
    "\"serial\": \"KILN-c\",",
    "SAID unasked: error: /dev/vdb: nobody can be asked, because there is no terminal",
    "CODE unasked 2",
    "SAID root: error: /dev/vda: the running system is on it: vda1 is mounted at /",
    "CODE root 5",
    "SAID root-partition: error: /dev/vda1: the running system is on it: vda1 is mounted at /",
    "CODE root-partition 5",
    "SAID small: error: /dev/vdc: has 8388608 bytes, and the image 67108864: 58720256 bytes too few",
    "CODE small 4",
    "SAID fails: error: /dev/vdd: cannot be written: Input/output error (os error 5), at byte 8388608 of 100663296",
    "SAID fails: warning: /dev/vdd: is partly written; its first block says so, and it boots nothing until it is flashed again",
    "CODE fails 5",
    "SAID read-only: error: /dev/vdg: it is write-protected",
    "CODE read-only 5",
    "of 64 MiB written, read back, and equal",
    "SAID flash:   partitions: vdb1, vdb2",
    "CODE flash 0",
    "SAID partitions: 2",
    "CODE mount 0",
    "CODE same 0",
    "SAID mounted: error: /dev/vdb: vdb1 is mounted at /mnt",
    "SAID mounted: hint: if it is the right one: `sudo umount /dev/vdb1`",
    "CODE mounted 5",
    "SAID partition: error: /dev/vdb1: it is a partition of vdb, and the image is a whole disk",
    "CODE partition 5",
    "SAID source: error: /dev/vdb: the image is read from it",
    "CODE source 5",
    "SAID sibling: error: /dev/vdb2: has 8388608 bytes, and the image 41943040: 33554432 bytes too few",
    "CODE sibling 4",
    "SAID swap: error: /dev/vdb: vdb2 is swap that is in use",
    "CODE swap 5",
    "serial KILN-e, partly written by a flash that did not end",
    "SAID stopped: error: stopped: /dev/vde is partly written, and marked so",
    "CODE stopped 130",
    "SAID pulled: error: /dev/vde: is gone: it was pulled out, or has failed, at byte",
    "CODE pulled 5",
    "FLASH-DONE",
];

/// Busybox in the demo's store.
fn busybox() -> PathBuf {
    let paths = fs::read_to_string(store().join("closure-info/store-paths")).unwrap();
    let found = paths
        .lines()
        .map(|path| place(&format!("{path}/bin/busybox")))
        .find(|path| path.is_file());
    found.unwrap()
}

/// The commands of the guide.
fn guide() -> Vec<String> {
    let text = fs::read_to_string(workspace().join("docs/guide-flash.md")).unwrap();
    let blocks = text.split("```sh\n").skip(1);
    let lines = blocks.flat_map(|block| block.split("```").next().unwrap_or_default().lines());
    lines.map(ToString::to_string).collect()
}

/// A disk full of what an older image has left.
fn old_disk(path: &Path, size: u64) {
    let bytes = OLD.repeat(usize::try_from(MIB).unwrap() / OLD.len() + 1);
    let file = File::create(path).unwrap();
    for mib in 0..size / MIB {
        let at = usize::try_from(mib * MIB % OLD.len() as u64).unwrap();
        let end = at + usize::try_from(MIB).unwrap();
        file.write_all_at(&bytes.repeat(2)[at..end], mib * MIB).unwrap();
    }
}

fn build(dir: &Path, spec: &str, name: &str, out: &str) {
    fs::write(dir.join(name), spec).unwrap();
    fs::create_dir(dir.join(out)).unwrap();
    let mut build = kiln();
    build.current_dir(dir).args(["build", name, "--out", out]);
    run(&mut build);
}

/// Makes the image, the guest's disk, and the others.
fn prepare(dir: &Path) {
    // Nothing that a file system or a compressor makes smaller.
    let noise: Vec<u8> = (0..10_u32 << 18)
        .flat_map(|number| {
            number
                .wrapping_mul(2_654_435_761)
                .rotate_left(number % 31)
                .to_le_bytes()
        })
        .collect();
    fs::write(dir.join("noise"), noise).unwrap();
    build(dir, SPEC, "sensor.toml", "out");
    let loader = "#!/bin/sh\nexec /progs/loader --library-path /progs /progs/kiln \"$@\"\n";
    fs::write(dir.join("kiln-in-guest"), loader).unwrap();
    fs::write(dir.join("sudo-in-guest"), "#!/bin/sh\nexec \"$@\"\n").unwrap();
    fs::write(dir.join("guide"), guide().join("\n") + "\n").unwrap();
    fs::write(dir.join("first"), FIRST).unwrap();
    let program = fs::metadata(kiln_program()).unwrap().len();
    let root = ROOT
        .replace("SIZE", &format!("{}MiB", program / MIB + 140))
        .replace("BUSYBOX", busybox().to_str().unwrap())
        .replace("PROGS", &files_in("/progs", &with_libraries(&[kiln_program()])));
    build(dir, &root, "guest.toml", "guest");
    for (name, size) in [
        ("b", DISK),
        ("c", 8 * MIB),
        ("d", DISK),
        ("e", DISK),
        ("f", DISK),
        ("g", DISK),
    ] {
        old_disk(&dir.join(name), size);
    }
}

/// Has the guest flash all of them, and answers what the console said.
fn flash(dir: &Path) -> Vec<String> {
    let mut machine = machine(
        &of_system("initrd"),
        "loglevel=3 root=/dev/vda1 rootfstype=ext4 rw init=/first",
    );
    let file = |name: &str| dir.join(name).display().to_string();
    let mut drive = |name: &str, more: &str| {
        machine.arg("-drive").arg(format!(
            "if=none,id={name},format=raw,cache=unsafe,discard=unmap,{more}"
        ));
        let device = format!("virtio-blk-pci,drive={name},serial=KILN-{name}");
        machine.arg("-device").arg(device);
    };
    drive("a", &format!("file={}", file("guest/guest.img")));
    drive("b", &format!("file={}", file("b")));
    drive("c", &format!("file={}", file("c")));
    // It takes no byte behind a place.
    let fails = format!(
        "file.driver=blkdebug,file.image.driver=file,file.image.filename={},file.inject-error.0.event=none,\
         file.inject-error.0.iotype=write,file.inject-error.0.errno=5,file.inject-error.0.sector={},werror=report",
        file("d"),
        FAILS_AT / 512
    );
    drive("d", &fails);
    drive("e", &format!("bps_wr=4000000,file={}", file("e")));
    drive("f", &format!("file={}", file("f")));
    drive("g", &format!("readonly=on,file={}", file("g")));
    boot(&mut machine, &dir.join("console.log"))
}

/// The disk is the image wherever the block map says so, and nothing of the older one is left where a loader is looked for.
fn assert_flashed(dir: &Path, disk: &str) {
    let image = dir.join("image");
    run(tool("zstd")
        .args(["-q", "-d"])
        .arg(dir.join("out/sensor-1.0.img.zst"))
        .arg("-o")
        .arg(&image));
    // The guide has written all of it to another disk.
    let whole = fs::read(dir.join("f")).unwrap();
    let (image, flashed) = (fs::read(image).unwrap(), fs::read(dir.join(disk)).unwrap());
    assert!(whole[..image.len()] == image, "{disk}");
    let map = fs::read_to_string(dir.join("out/sensor-1.0.img.bmap")).unwrap();
    let mut count = 0;
    for line in map.lines().filter(|line| line.contains("<Range")) {
        let blocks = line.split("> ").nth(1).unwrap().split(" <").next().unwrap();
        let (first, last) = blocks.split_once('-').unwrap();
        let (first, last): (usize, usize) = (first.parse().unwrap(), last.parse().unwrap());
        let range = first * 4096..(last + 1) * 4096;
        assert!(image[range.clone()] == flashed[range.clone()], "{range:?}");
        count += 1;
    }
    assert!(count > 3, "{map}");
    // For the boot ROM, the map itself has the four places; and the flasher the rest of the gap.
    for look in [0, 128, 256, 384_usize] {
        let block = look * 1024 / 4096;
        assert!(map.contains(&format!("> {block}-")), "{map}");
    }
    assert!(flashed[512..4 << 20].iter().all(|byte| *byte == 0));
    let behind = &flashed[80 << 20..81 << 20];
    let left = behind.windows(OLD.len()).any(|window| window == OLD);
    assert!(left, "what is behind the image is as it was");
    let table = run(tool("sfdisk").arg("--json").arg(dir.join(disk)));
    let table: serde_json::Value = serde_json::from_str(&table).unwrap();
    let starts = table["partitiontable"]["partitions"].as_array().unwrap();
    let starts: Vec<_> = starts
        .iter()
        .map(|partition| partition["start"].as_u64().unwrap())
        .collect();
    assert_eq!(starts, [8192, 90_112]);
}

#[test]
fn disks_are_flashed_refused_and_told_of() {
    let tools = ["qemu-system-x86_64", "ldd", "sfdisk", "zstd"];
    if !is_made_for_amd64() || !installed(&tools) {
        return;
    }
    let dir = tempfile::tempdir_in(target()).unwrap();
    let dir = dir.path();
    prepare(dir);
    let console = flash(dir);
    let text = console.join("\n");
    let has = |wanted: &str| {
        assert!(
            text.contains(wanted),
            "the console does not say {wanted:?}:\n{text}"
        );
    };
    for wanted in WANTED {
        has(wanted);
    }
    for (number, command) in (1..).zip(guide()) {
        assert!(
            text.contains(&format!("CODE guide-{number} 0")),
            "{command}:\n{text}"
        );
    }
    assert_flashed(dir, "b");
    for (disk, is_old) in [("c", true), ("d", false), ("e", false), ("g", true)] {
        let start = &fs::read(dir.join(disk)).unwrap()[..4096];
        let wanted: &[u8] = if is_old { OLD } else { flash::MARK };
        assert!(
            start.starts_with(wanted) && start[510..512] != [0x55, 0xaa],
            "{disk}"
        );
    }
}

/// With a terminal, the question is asked, and answered.
#[test]
fn who_has_a_terminal_is_asked() {
    if !is_made() || !installed(&["script"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    fs::write(path("image"), [7; 5000]).unwrap();
    let answered = |answer: &str| {
        fs::write(path("disk"), [1; 8192]).unwrap();
        let (kiln, image, disk) = (kiln_program(), path("image"), path("disk"));
        let command = format!("{} flash {} {}", kiln.display(), image.display(), disk.display());
        let mut script = tool("sh");
        script.args([
            "-c",
            "{ sleep 0.3; echo \"$1\"; sleep 0.3; } | script -qec \"$2\" /dev/null",
        ]);
        script.args(["ask", answer, &command]);
        let output = script.output().unwrap();
        (output.status.code(), said(&output))
    };
    let (code, text) = answered("n");
    assert!(
        text.contains("is lost. Flash it? [y/N]") && text.contains("disk: not flashed"),
        "{text}"
    );
    assert_eq!(
        (code, fs::read(path("disk")).unwrap()),
        (Some(130), vec![1; 8192])
    );
    let (code, text) = answered("y");
    assert!(
        text.contains("4.8 KiB of 4.8 KiB written, read back, and equal"),
        "{text}"
    );
    let disk = fs::read(path("disk")).unwrap();
    assert!(
        code == Some(0) && disk[..5000] == [7; 5000] && disk[8191] == 0,
        "{text}"
    );
}
