//! How long a guest's processor takes to read a little here and there out of each format: the figures in docs/guide-parts.md.
//!
//! Its clock counts instructions, a nanosecond for each, and jumps while there is nothing to do. So what it was busy with counts, and
//! what else this machine does changes nothing. The kernel is the appliance's, which reads all that erofs can have but `modern`.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use crate::amd64::{boot, machine_of, unchanged};
use crate::demo::{demo, is_made, kiln, store_paths, target};
use crate::tools::{files, given, installed, place_of, run, tool, with_libraries};

/// How often something is read.
const READS: usize = 1200;

/// What is measured: a name, the kernel's name of the format, and the verb with its options.
const IMAGES: [(&str, &str, &str); 9] = [
    ("squashfs, zstd 3, 1 MiB", "squashfs", "squashfs --level 3"),
    (
        "squashfs, zstd 3, 128 KiB",
        "squashfs",
        "squashfs --level 3 --block-size 128KiB",
    ),
    (
        "erofs, zstd 3, 1 MiB",
        "erofs",
        "erofs --compression zstd --level 3",
    ),
    (
        "erofs, zstd 3, 128 KiB",
        "erofs",
        "erofs --compression zstd --level 3 --cluster-size 128KiB",
    ),
    ("erofs, lz4hc 9, 1 MiB", "erofs", "erofs --compression lz4hc"),
    (
        "erofs, lz4hc 9, 64 KiB",
        "erofs",
        "erofs --compression lz4hc --cluster-size 64KiB",
    ),
    ("erofs", "erofs", "erofs"),
    (
        "ext4, readonly",
        "ext4",
        "ext4 --profile readonly --registration =",
    ),
    (
        "btrfs, zstd 3",
        "btrfs",
        "btrfs --compression zstd --level 3 --free 0B --registration =",
    ),
];

const MODULES: [&str; 4] = ["virtio_blk", "squashfs", "btrfs", "erofs"];

const INIT: &str = r#"#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for module in /modules/*; do insmod "$module"; done
while [ ! -b /dev/vdLAST ]; do sleep 0.1; done
read_list() { /tools/loader --library-path /tools /tools/perl /read.pl "$1" 2>&1; }
read_list /dev/null
while IFS='|' read -r device type name; do
  mount -t $type -o ro /dev/$device /disk
  for list in large small; do
    echo 3 > /proc/sys/vm/drop_caches
    echo "READS $name|$list|$(read_list /$list)"
  done
  umount /disk
done < /disks
poweroff -f
"#;

/// Reads as many bytes at each place of a list, and says for how many seconds the processor was busy, and how many bytes there were.
/// A kernel knows how long it was idle, and guesses at each tick what else it does.
const READ: &str = r#"
sub first {
  open(my $file, '<', $_[0]) or die;
  return split ' ', <$file>;
}
sub now {
  my ($up, $idle) = first('/proc/uptime');
  my @cpu = first('/proc/stat');
  return $up - $idle - $cpu[5] / 100;
}
open(my $list, '<', $ARGV[0]) or die;
my @places = map { chomp; [split / /, $_, 3] } <$list>;
my ($start, $bytes) = (now(), 0);
for my $place (@places) {
  open(my $file, '<', "/disk/$place->[2]") or die "$place->[2]: $!";
  sysseek($file, $place->[0], 0);
  $bytes += sysread($file, my $buffer, $place->[1]);
}
printf "%.2f %d\n", now() - $start, $bytes;
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

/// Unpacks modules of the appliance's kernel into a folder, with those that they need, which come before them by name.
fn unpack_modules(into: &Path) {
    let packages = demo().join("out/appliance-parts/packages/all");
    let folder = ["lib/modules", "usr/lib/modules"].map(|folder| packages.join(folder));
    let folder = folder.iter().find(|folder| folder.is_dir()).unwrap();
    let mut all = Vec::new();
    all_files(folder, &mut all);
    let mut done: Vec<String> = Vec::new();
    for name in MODULES {
        unpack_module(name, &all, into, &mut done);
    }
}

fn unpack_module(name: &str, all: &[(PathBuf, u64)], into: &Path, done: &mut Vec<String>) {
    let name = name.replace('-', "_");
    if done.contains(&name) {
        return;
    }
    let file = format!("{name}.ko.xz");
    let (packed, _) = all
        .iter()
        .find(|(path, _)| path.file_name().unwrap().to_str().unwrap().replace('-', "_") == file)
        .unwrap();
    let here = into.join(&name);
    let script = format!("xz -dc {} > {}", packed.display(), here.display());
    run(tool("sh").args(["-c", &script]));
    let bytes = fs::read(&here).unwrap();
    let word = b"\0depends=";
    let at = bytes
        .windows(word.len())
        .position(|window| window == word)
        .unwrap()
        + word.len();
    let len = bytes[at..].iter().position(|byte| *byte == 0).unwrap();
    let needs = std::str::from_utf8(&bytes[at..at + len]).unwrap();
    for need in needs.split(',').filter(|need| !need.is_empty()) {
        unpack_module(need, all, into, done);
    }
    fs::rename(&here, into.join(format!("{}-{name}.ko", 100 + done.len()))).unwrap();
    done.push(name);
}

/// The first RAM disk: it is all that the guest has besides the disks.
fn initrd(dir: &Path, texts: &[(&str, &str)]) -> PathBuf {
    let root = dir.join("initrd.d");
    for folder in ["bin", "tools", "modules", "proc", "sys", "dev", "disk"] {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    fs::copy(place_of("busybox"), root.join("bin/busybox")).unwrap();
    for (name, path) in with_libraries(&[place_of("perl")]) {
        fs::copy(path, root.join("tools").join(name)).unwrap();
    }
    unpack_modules(&root.join("modules"));
    for (name, text) in texts {
        fs::write(root.join(name), text).unwrap();
    }
    let pack = "chmod 755 init && find . | busybox cpio -o -H newc > ../initrd";
    run(tool("sh").args(["-c", pack]).current_dir(&root));
    dir.join("initrd")
}

#[test]
#[ignore = "long: tests/long runs it"]
fn a_little_is_read_here_and_there() {
    let kernel = demo().join("out/appliance-parts/vmlinuz");
    let has_kernel = given(
        kernel.exists(),
        "the appliance's kernel (tests/run store fetches it)",
    );
    let tools = ["qemu-system-x86_64", "busybox", "perl", "ldd", "xz"];
    if !is_made() || !has_kernel || !installed(&tools) {
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
    let mut images = Vec::new();
    for ((name, kind, words), letter) in IMAGES.iter().zip('a'..) {
        let image = dir.join(format!("{letter}.img"));
        let mut words = words.split(' ').map(|word| if word == "=" { "" } else { word });
        let mut make = kiln();
        make.arg(words.next().unwrap()).args(words);
        make.arg("--closure")
            .arg(dir.join("list"))
            .arg("--store-root")
            .arg(&root);
        run(make.arg("--out").arg(&image));
        writeln!(disks, "vd{letter}|{kind}|{name}").unwrap();
        let size = fs::metadata(&image).unwrap().len();
        eprintln!("{name}: {} KiB", size >> 10);
        images.push(image);
    }
    let last = disks.lines().last().unwrap()[2..3].to_string();
    let init = INIT.replace("LAST", &last);
    let texts = [
        ("init", &*init),
        ("read.pl", READ),
        ("large", &*large),
        ("small", &*small),
        ("disks", &*disks),
    ];
    let mut machine = machine_of(&kernel, &initrd(dir, &texts), "loglevel=4");
    machine.args(["-icount", "shift=0,sleep=off"]);
    for image in &images {
        machine.args(["-drive", &unchanged(image)]);
    }
    check(&boot(&mut machine, &dir.join("console.log")));
}

/// All formats were read, and gave the same.
fn check(console: &[String]) {
    let said: Vec<&str> = console
        .iter()
        .filter_map(|line| line.strip_prefix("READS "))
        .collect();
    eprintln!("{}", said.join("\n"));
    assert_eq!(said.len(), 2 * IMAGES.len(), "{}", console.join("\n"));
    for list in ["|large|", "|small|"] {
        let counts: Vec<u64> = said
            .iter()
            .filter(|line| line.contains(list))
            .map(|line| line.rsplit(' ').next().unwrap().parse().unwrap())
            .collect();
        assert!(
            counts[0] > 0 && counts.iter().all(|count| *count == counts[0]),
            "{counts:?}"
        );
    }
}
