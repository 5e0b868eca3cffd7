//! How long a guest's processor takes to read a little here and there out of each format: the figures in docs/guide-parts.md.
//!
//! Its clock counts instructions, a nanosecond for each, and jumps while there is nothing to do. So what it was busy with counts, and
//! what else this machine does changes nothing.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use crate::boots::console_lines;
use crate::btrfs::initrd;
use crate::demo::{demo, is_made, kiln, store_paths, target, toplevel};
use crate::tools::{files, installed, run, tool};

const U_BOOT: &str = "/usr/lib/u-boot/qemu_arm64/u-boot.bin";
/// How often something is read.
const READS: usize = 1200;

/// What is measured: a name, the kernel's name of the format, and the verb with its options.
const IMAGES: [(&str, &str, &str); 7] = [
    ("squashfs zstd 1MiB", "squashfs", "squashfs --level 3"),
    (
        "squashfs zstd 128KiB",
        "squashfs",
        "squashfs --level 3 --block-size 128KiB",
    ),
    ("erofs lz4hc 1MiB", "erofs", "erofs --compression lz4hc"),
    (
        "erofs lz4hc 64KiB",
        "erofs",
        "erofs --compression lz4hc --cluster-size 64KiB",
    ),
    ("erofs", "erofs", "erofs"),
    ("ext4", "ext4", "ext4 --profile readonly --registration ="),
    (
        "btrfs zstd",
        "btrfs",
        "btrfs --compression zstd --level 3 --free 0B --registration =",
    ),
];

const SPEC: &str = r#"
schema = 1
name = "reads"

[closure]
from = "DEMO/out/store/closure-info"
store-root = "DEMO/out/store/root"

[fs.root]
format = "erofs"
closure = true
files = { "/measure" = "measure", "/large" = "large", "/small" = "small", "/disks" = "disks", "/read.pl" = "read.pl" }
attributes = [{ path = "/measure", mode = "0755" }]
directories = ["/proc", "/sys", "/dev", "/run"]

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
content = "fs.root"
"#;

const BOOT: &str = r#"
setenv bootargs "console=ttyAMA0 loglevel=4 panic=-1 root=/dev/vda2 rootfstype=erofs ro init=/measure"
load ${devtype} ${devnum}:${distro_bootpart} ${kernel_addr_r} /Image
load ${devtype} ${devnum}:${distro_bootpart} ${ramdisk_addr_r} /initrd
setenv initrd_size ${filesize}
booti ${kernel_addr_r} ${ramdisk_addr_r}:${initrd_size} ${fdtcontroladdr}
"#;

const MEASURE: &str = r#"#!TOPLEVEL/sw/bin/bash
export PATH=TOPLEVEL/sw/bin
for folder in proc:proc sysfs:sys devtmpfs:dev tmpfs:run; do
  busybox mount -t ${folder%:*} ${folder%:*} /${folder#*:}
done
busybox mkdir /run/disk
perl /read.pl /dev/null > /run/log
while read -r device type name; do
  busybox mount -t $type -o ro /dev/$device /run/disk
  for list in large small; do
    echo 3 > /proc/sys/vm/drop_caches
    echo "READS $name|$list|$(perl /read.pl /$list 2>&1)"
  done
  busybox umount /run/disk
done < /disks
echo BOOT-DONE
busybox poweroff -f
"#;

/// Reads as many bytes at each place of a list, and says for how many seconds the processor was busy, and how many bytes there were.
const READ: &str = r#"
sub now {
  open(my $clock, '<', '/proc/stat') or die;
  # All but idle, and waiting for the disk.
  my @cpu = split ' ', <$clock>;
  return ($cpu[1] + $cpu[2] + $cpu[3] + $cpu[6] + $cpu[7]) / 100;
}
open(my $list, '<', $ARGV[0]) or die;
my @places = map { chomp; [split / /, $_, 3] } <$list>;
my ($start, $bytes) = (now(), 0);
for my $place (@places) {
  open(my $file, '<', "/run/disk/$place->[2]") or die "$place->[2]: $!";
  sysseek($file, $place->[0], 0);
  $bytes += sysread($file, my $buffer, $place->[1]);
}
printf "%.2f %d", now() - $start, $bytes;
"#;

/// Files of some store paths, with their lengths.
fn all_files(folder: &Path, found: &mut Vec<(PathBuf, u64)>) {
    for path in files(folder) {
        let meta = fs::symlink_metadata(&path).unwrap();
        if meta.is_dir() {
            all_files(&path, found);
        } else if meta.is_file() {
            found.push((path, meta.len()));
        }
    }
}

/// Two lists of places to read, which are the same in each run.
fn lists(found: &[(PathBuf, u64)], root: &Path) -> [String; 2] {
    let mut state = 1_u64;
    let mut below = |limit: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) % limit
    };
    [(1 << 20, u64::MAX, true), (1, 64 << 10, false)].map(|(least, most, is_part)| {
        let fit: Vec<_> = found
            .iter()
            .filter(|(_, len)| (least..most).contains(len))
            .collect();
        let mut line = |_| {
            let (path, len) = fit[usize::try_from(below(fit.len() as u64)).unwrap()];
            let path = path.strip_prefix(root).unwrap().display();
            let start = if is_part { below(len / 4096) * 4096 } else { 0 };
            let count = if is_part { 4096 } else { *len };
            format!("{start} {count} {path}\n")
        };
        (0..READS).map(&mut line).collect()
    })
}

#[test]
#[ignore = "long: tests/long runs it"]
fn a_little_is_read_here_and_there() {
    if !is_made() || !installed(&["qemu-system-aarch64", U_BOOT]) {
        return;
    }
    let dir = tempfile::tempdir_in(target()).unwrap();
    let dir = dir.path();
    let root = demo().join("out/store/root");
    // Names of the odd ones have spaces and line breaks.
    let mut paths = store_paths();
    paths.retain(|path| !path.contains("-linux-6") && !path.contains("edge-cases"));
    fs::write(dir.join("list"), paths.join("\n") + "\n").unwrap();
    let mut found = Vec::new();
    for path in &paths {
        let path = root.join(&path[1..]);
        if path.is_dir() {
            all_files(&path, &mut found);
        }
    }
    let [large, small] = lists(&found, &root);
    let mut disks = String::new();
    let mut drives = Vec::new();
    for ((name, kind, words), letter) in IMAGES.iter().zip('b'..) {
        let image = dir.join(format!("{letter}.img"));
        let mut words = words.split(' ').map(|word| if word == "=" { "" } else { word });
        let mut make = kiln();
        make.arg(words.next().unwrap()).args(words);
        make.arg("--closure")
            .arg(dir.join("list"))
            .arg("--store-root")
            .arg(&root);
        run(make.arg("--out").arg(&image));
        writeln!(disks, "vd{letter} {kind} {name}").unwrap();
        let size = fs::metadata(&image).unwrap().len();
        eprintln!("{name}: {} KiB", size >> 10);
        drives.push("-drive".to_string());
        drives.push(format!(
            "if=virtio,format=raw,readonly=on,file={}",
            image.display()
        ));
    }
    let spec = SPEC.replace("DEMO", demo().to_str().unwrap());
    let measure = MEASURE.replace("TOPLEVEL", &toplevel());
    for (name, text) in [
        ("spec.toml", &*spec),
        ("boot.cmd", BOOT),
        ("measure", &measure),
        ("read.pl", READ),
        ("large", &large),
        ("small", &small),
        ("disks", &disks),
    ] {
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
    let log = dir.join("console.log");
    let mut boot = tool(demo().join("boot").to_str().unwrap());
    boot.arg(out.join("reads.img")).arg("--log").arg(&log);
    run(boot
        .args(["--timeout", "900", "-icount", "shift=0,sleep=off"])
        .args(&drives));
    let console = console_lines(&log);
    let said: Vec<&str> = console
        .iter()
        .filter_map(|line| line.strip_prefix("READS "))
        .collect();
    eprintln!("{}", said.join("\n"));
    assert_eq!(said.len(), 2 * IMAGES.len());
    // All have read the same.
    for list in ["|large|", "|small|"] {
        let bytes = |line: &&&str| line.contains(list);
        let counts: Vec<u64> = said
            .iter()
            .filter(bytes)
            .map(|line| line.rsplit(' ').next().unwrap().parse().unwrap())
            .collect();
        assert!(
            counts[0] > 0 && counts.iter().all(|count| *count == counts[0]),
            "{counts:?}"
        );
    }
}
