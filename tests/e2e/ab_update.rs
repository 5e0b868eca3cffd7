//! The lives of a device that updates itself: `demo/ab-update` lives them in QEMU, with RAUC of two releases of Debian in the
//! device. The short life is lived each time; the long one has all that can go wrong, power cuts too.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::demo::{demo, is_made, kiln, kiln_program, target};
use crate::tools::{given, installed, run, tool};

const BLOCK: usize = 4096;

/// The closure of a release, as `demo/make-store` has made it.
fn release(number: u32) -> PathBuf {
    demo().join(format!("out/store/ab/{number}/closure-info"))
}

fn releases_are_made() -> bool {
    let condition = format!("{} is there (tests/run store makes it)", release(3).display());
    is_made() && given(release(3).exists(), &condition)
}

/// What has to be said, each by the beginning of a line behind `ab-update: `.
type Said = &'static [&'static str];

const UPDATES: Said = &[
    // The first boot makes the other slot, and leaves the loaders alone.
    "booted slot A: / is /dev/vda2",
    "the first boot made boot-b, rootfs-b and data",
    "the loaders before the first partition are as they were",
    "boot of slot A has sha256 ",
    "rootfs of slot A has sha256 ",
    "marked slot A as good",
    // An update from a file: the other slot has the bytes of the next release, and runs.
    "installed /data/2.raucb",
    "boot of slot B has sha256 ",
    "rootfs of slot B has sha256 ",
    "booted slot B: / is /dev/vda4",
    "marked slot B as good: BOOT_B_LEFT is 3",
    // One over the network, which does not start.
    "the device has rauc ",
    "installed http://",
    "fetched ",
    "booted slot B: / is /dev/vda4",
    "slot A panicked three times, and slot B is back",
];

const FOREIGN: Said = &["refused a bundle signed by somebody else: "];

const FOR_ANOTHER: Said = &["refused a bundle for another device: "];

/// What is not what was signed.
const FLIPPED: Said = &[
    "refused a bundle with a flipped byte in its payload: ",
    "refused a bundle with a flipped byte in its hash tree: ",
    "refused a bundle with a flipped byte in its manifest: ",
    "refused a bundle with a flipped byte in its signature: ",
    "refused a bundle with a flipped byte in its trailer: ",
    "slot A was not written",
];

const TORN: Said = &[
    "refused a bundle with a flipped byte in an image: ",
    "slot A is not tried: BOOT_A_LEFT is 0",
];

const POWER_CUTS: Said = &[
    "power cut half a second after it began: slot B boots",
    "power cut in the boot partition: slot B boots",
    "power cut at a third of the root partition: slot B boots",
    "power cut at two thirds of the root partition: slot B boots",
    "power cut when the other slot was to become active: slot ",
    "power cut right after it: slot ",
];

const DONE: Said = &["done in "];

/// A device lives, and all of this has to be said, in this order.
fn live(life: &str, stages: &[Said]) {
    let programs = [
        "qemu-system-aarch64",
        "/usr/lib/u-boot/qemu_arm64/u-boot.bin",
        "python3",
        "nginx",
        "openssl",
    ];
    if !releases_are_made() || !installed(&programs) {
        return;
    }
    let dir = tempfile::tempdir_in(target()).unwrap();
    let mut device = tool(demo().join("ab-update").to_str().unwrap());
    device.args(["--life", life]).arg("--kiln").arg(kiln_program());
    let told = run(device.arg("--out").arg(dir.path()));
    eprintln!("{told}");
    let mut lines = told.lines().filter_map(|line| line.strip_prefix("ab-update: "));
    for wanted in stages.concat() {
        assert!(
            lines.any(|line| line.starts_with(wanted)),
            "{wanted:?} is missing, or not where it should be:\n{told}"
        );
    }
}

#[test]
fn a_device_updates_itself_falls_back_and_refuses() {
    live("short", &[UPDATES, FOREIGN, FLIPPED, DONE]);
}

#[test]
#[ignore = "long: tests/long runs it"]
fn a_device_lives_through_updates_and_power_cuts() {
    live(
        "long",
        &[UPDATES, FOREIGN, FOR_ANOTHER, FLIPPED, TORN, POWER_CUTS, DONE],
    );
}

/// The blocks of an image, by their hashes.
fn blocks(image: &Path) -> Vec<[u8; 32]> {
    let bytes = fs::read(image).unwrap();
    bytes
        .chunks(BLOCK)
        .map(|block| Sha256::digest(block).into())
        .collect()
}

/// How many blocks in a thousand of the second image are not in the first.
fn new_blocks_per_mille(images: &[PathBuf; 2]) -> usize {
    let [first, second] = [&images[0], &images[1]].map(|image| blocks(image));
    let known: HashSet<_> = first.into_iter().collect();
    let new = second.iter().filter(|block| !known.contains(*block)).count();
    new * 1000 / second.len()
}

/// The sizes of a release's store paths, as they are registered.
fn sizes(number: u32) -> HashMap<String, usize> {
    let text = fs::read_to_string(release(number).join("registration")).unwrap();
    let mut lines = text.lines();
    let mut sizes = HashMap::new();
    while let Some(path) = lines.next() {
        let size = lines.nth(1).unwrap().parse().unwrap();
        let references: usize = lines.nth(1).unwrap().parse().unwrap();
        sizes.insert(path.to_string(), size);
        assert!(references == 0 || lines.nth(references - 1).is_some());
    }
    sizes
}

/// How many bytes in a thousand of the second release are in store paths that the first does not have.
fn new_bytes_per_mille() -> usize {
    let (first, second) = (sizes(1), sizes(2));
    let new = second.iter().filter(|(path, _)| !first.contains_key(*path));
    let new: usize = new.map(|(_, size)| size).sum();
    new * 1000 / second.values().sum::<usize>()
}

/// Both releases as `mksquashfs` packs them.
fn theirs(number: u32, out: &Path) {
    let list = fs::read_to_string(release(number).join("store-paths")).unwrap();
    let root = demo().join("out/store/root");
    let mut command = tool("mksquashfs");
    command.args(list.lines().map(|path| root.join(path.trim_start_matches('/'))));
    command
        .arg(out)
        .args(["-comp", "zstd", "-Xcompression-level", "3", "-b", "1M"]);
    run(command.args([
        "-no-xattrs",
        "-all-root",
        "-all-time",
        "1",
        "-mkfs-time",
        "1",
        "-quiet",
        "-no-progress",
    ]));
}

#[test]
fn a_small_change_is_a_small_update() {
    if !releases_are_made() || !installed(&["mksquashfs"]) {
        return;
    }
    let dir = tempfile::tempdir_in(target()).unwrap();
    let image = |who: &str, number| dir.path().join(format!("{who}-{number}.squashfs"));
    for number in [1, 2] {
        let mut command = kiln();
        command.arg("squashfs").arg("--closure").arg(release(number));
        command.arg("--store-root").arg(demo().join("out/store/root"));
        command.args(["--compression", "zstd", "--level", "3"]);
        run(command.arg("--out").arg(image("kiln", number)));
        theirs(number, &image("mksquashfs", number));
    }
    let [ours, theirs] =
        ["kiln", "mksquashfs"].map(|who| new_blocks_per_mille(&[image(who, 1), image(who, 2)]));
    eprintln!("new 4 KiB blocks: {ours} of 1000, mksquashfs {theirs} of 1000");
    let changed = new_bytes_per_mille();
    assert!((5..20).contains(&changed), "{changed} of 1000 bytes are new");
    assert!(
        ours < 2 * changed,
        "{ours} of 1000, and {changed} of 1000 bytes are new"
    );
    assert!(theirs > 500, "{theirs} of 1000");
}
