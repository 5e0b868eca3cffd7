//! `kiln build demo/rock64.toml`, as it is: the image that a Rock64 is flashed with.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::demo::{demo, digests, host_path, is_made, kiln, toplevel, workspace};
use crate::listing::{assert_same, demo_root, list};
use crate::shared::{Shared, shared};
use crate::tools::{installed, is_root, output, peak_kib, run, said, tool};

const MIB: u64 = 1 << 20;
const SECTOR: u64 = 512;
const IMAGE: &str = "atomicnix-25.11.img";
const IMAGE_SIZE: u64 = 1170 * MIB;
const BOOT_START: u64 = 16 * MIB;
const BOOT_SIZE: u64 = 128 * MIB;
const ROOT_START: u64 = 144 * MIB;
const ROOT_SIZE: u64 = 1024 * MIB;
/// The end of 128 entries behind the header.
const ENTRIES_END: u64 = 34 * SECTOR;

/// The finished build.
pub(crate) struct Rock64 {
    outputs: Shared,
}

impl Rock64 {
    /// Builds it, once per test run.
    pub(crate) fn build() -> Rock64 {
        let outputs = shared("rock64", |folder| {
            let mut build = kiln();
            build.current_dir(workspace());
            build.args(["build", "demo/rock64.toml", "--out"]).arg(folder);
            let peak = peak_kib(&build);
            fs::write(folder.with_extension("peak-kib"), peak.to_string()).unwrap();
        });
        Rock64 { outputs }
    }

    /// The most memory that the build held, in KiB.
    pub(crate) fn peak_kib(&self) -> u64 {
        let text = fs::read_to_string(self.outputs.path.with_extension("peak-kib")).unwrap();
        text.parse().unwrap()
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.outputs.path.join(file)
    }

    pub(crate) fn image(&self) -> PathBuf {
        self.path(IMAGE)
    }

    /// Bytes of the image.
    fn bytes(&self, start: u64, end: u64) -> Vec<u8> {
        let mut bytes = vec![0; usize::try_from(end - start).unwrap()];
        let image = File::open(self.image()).unwrap();
        image.read_exact_at(&mut bytes, start).unwrap();
        bytes
    }

    /// The root file system, unpacked by squashfs-tools once per test run.
    pub(crate) fn unpacked(&self) -> Shared {
        shared("rock64-root", |folder| {
            let mut command = tool("unsquashfs");
            command.args(["-no-progress", "-quiet", "-force", "-dest"]);
            run(command.arg(folder).arg(self.path("rootfs.squashfs")));
        })
    }
}

#[test]
fn the_image_is_sparse_and_has_its_size() {
    if !is_made() {
        return;
    }
    let rock64 = Rock64::build();
    let metadata = fs::metadata(rock64.image()).unwrap();
    assert_eq!(metadata.len(), IMAGE_SIZE);
    let parts: u64 = ["boot.vfat", "rootfs.squashfs"]
        .iter()
        .map(|part| fs::metadata(rock64.path(part)).unwrap().blocks() * 512)
        .sum();
    let taken = metadata.blocks() * 512;
    assert!(
        taken < parts + 16 * MIB,
        "the image takes {taken} bytes, its parts {parts}"
    );
}

#[test]
fn partitioners_accept_the_table() {
    if !is_made() || !installed(&["sfdisk", "sgdisk", "fdisk"]) {
        return;
    }
    let rock64 = Rock64::build();
    let image = rock64.image();
    let verified = said(&output(tool("sfdisk").arg("--verify").arg(&image)));
    assert!(verified.contains("No errors detected."), "{verified}");
    let verified = run(tool("sgdisk").arg("-v").arg(&image));
    assert!(verified.contains("No problems found."), "{verified}");
    let listed = output(tool("fdisk").arg("-l").arg(&image));
    assert!(
        listed.status.success() && listed.stderr.is_empty(),
        "{}",
        said(&listed)
    );

    let table: Value = serde_json::from_str(&run(tool("sfdisk").arg("--json").arg(&image))).unwrap();
    let table = &table["partitiontable"];
    assert_eq!(
        (table["label"].as_str(), table["sectorsize"].as_u64()),
        (Some("gpt"), Some(512))
    );
    let partitions: Vec<_> = table["partitions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|partition| {
            let (start, size) = (&partition["start"], &partition["size"]);
            let (kind, name) = (&partition["type"], &partition["name"]);
            format!(
                "{start} {size} {} {}",
                kind.as_str().unwrap(),
                name.as_str().unwrap()
            )
        })
        .collect();
    assert_eq!(
        partitions,
        [
            "32768 262144 BC13C2FF-59E6-4262-A352-B275FD6F7172 boot-a",
            "294912 2097152 B921B045-1DF0-41C3-AF44-4C6F280D3FAE rootfs-a",
        ]
    );
}

#[test]
fn loaders_lie_at_their_sectors_and_nothing_else_lies_outside_partitions() {
    if !is_made() {
        return;
    }
    let rock64 = Rock64::build();
    let mut gap = rock64.bytes(ENTRIES_END, BOOT_START);
    for (file, sector) in [("idbloader.img", 64), ("u-boot.itb", 16384)] {
        let loader = fs::read(demo().join("out/loader").join(file)).unwrap();
        let start = usize::try_from(sector * SECTOR - ENTRIES_END).unwrap();
        let place = &mut gap[start..start + loader.len()];
        assert!(place == loader, "{file} is not at sector {sector}");
        place.fill(0);
    }
    assert_eq!(
        gap.iter().position(|byte| *byte != 0),
        None,
        "a byte before the first partition"
    );
    // The entries' copy and the header's take the last 33 sectors.
    let tail = rock64.bytes(ROOT_START + ROOT_SIZE, IMAGE_SIZE - 33 * SECTOR);
    assert_eq!(
        tail.iter().position(|byte| *byte != 0),
        None,
        "a byte behind the last partition"
    );
}

#[test]
fn partitions_hold_the_parts() {
    if !is_made() {
        return;
    }
    let rock64 = Rock64::build();
    for (file, start, size) in [
        ("boot.vfat", BOOT_START, BOOT_SIZE),
        ("rootfs.squashfs", ROOT_START, ROOT_SIZE),
    ] {
        let part = fs::read(rock64.path(file)).unwrap();
        let partition = rock64.bytes(start, start + size);
        let (content, slack) = partition.split_at(part.len());
        assert!(content == part, "{file} differs from its partition");
        assert!(slack.iter().all(|byte| *byte == 0), "bytes behind {file}");
    }
}

/// fsck.fat has nothing to say but how many files there are.
fn assert_clean(fat: &Path) {
    let output = output(tool("fsck.fat").arg("-n").arg(fat));
    let text = said(&output);
    assert!(output.status.success(), "{text}");
    let lines: Vec<_> = text.lines().collect();
    assert!(
        lines.len() == 2 && lines[0].starts_with("fsck.fat ") && lines[1].contains(" files, "),
        "{text}"
    );
}

#[test]
fn the_boot_partition_holds_the_closures_files() {
    if !is_made() || !installed(&["fsck.fat", "mcopy", "mlabel", "mkimage"]) {
        return;
    }
    let rock64 = Rock64::build();
    let dir = tempfile::tempdir().unwrap();
    let fat = dir.path().join("fat");
    fs::write(&fat, rock64.bytes(BOOT_START, BOOT_START + BOOT_SIZE)).unwrap();
    assert_clean(&fat);
    let label = run(tool("mlabel").arg("-s").arg("-i").arg(&fat).arg("::"));
    assert!(label.contains("BOOT-A"), "{label}");

    let out = dir.path().join("out");
    fs::create_dir(&out).unwrap();
    run(tool("mcopy").args(["-s", "-i"]).arg(&fat).arg("::*").arg(&out));
    // What mkimage makes of the same commands.
    let (commands, script) = (rock64.path("boot.cmd"), dir.path().join("boot.scr"));
    let mut mkimage = tool("mkimage");
    mkimage.env("SOURCE_DATE_EPOCH", "0");
    mkimage.args(["-C", "none", "-A", "arm64", "-T", "script", "-d"]);
    run(mkimage.arg(&commands).arg(&script));
    let commands = fs::read_to_string(commands).unwrap();
    assert!(
        commands.contains(&format!("init={}/init", toplevel())),
        "{commands}"
    );
    assert!(!commands.contains('@'), "a placeholder is left: {commands}");

    let device_tree = "dtbs/rockchip/rk3328-rock64.dtb";
    let dtbs = host_path(&format!("{}/dtbs", toplevel()));
    let wanted = [
        ("Image", host_path(&format!("{}/kernel", toplevel()))),
        ("initrd", host_path(&format!("{}/initrd", toplevel()))),
        (device_tree, dtbs.join("rockchip/rk3328-rock64.dtb")),
        ("boot.scr", script),
    ];
    for (name, source) in &wanted {
        let (found, source) = (fs::read(out.join(name)).unwrap(), fs::read(source).unwrap());
        assert!(!source.is_empty() && found == source, "{name} differs");
    }
    let names: Vec<_> = list(&out)
        .into_iter()
        .filter(|(_, entry)| entry.what.starts_with("file"))
        .map(|(name, _)| String::from_utf8(name).unwrap())
        .collect();
    assert_eq!(names, ["Image", "boot.scr", device_tree, "initrd"]);
}

#[test]
fn files_fit_into_the_boot_partition_of_the_finished_image() {
    if !is_made() || !installed(&["fsck.fat", "mcopy", "mdir"]) {
        return;
    }
    let rock64 = Rock64::build();
    let dir = tempfile::tempdir().unwrap();
    let image = dir.path().join("disk.img");
    run(tool("cp").arg("--sparse=always").arg(rock64.image()).arg(&image));
    let at = format!("{}@@{BOOT_START}", image.display());
    let free = run(tool("mdir").args(["-i", &at, "::"]));
    let free = free.lines().find(|line| line.contains("bytes free")).unwrap();
    let free: String = free.chars().filter(char::is_ascii_digit).collect();
    assert!(free.parse::<u64>().unwrap() >= 28 * MIB, "{free} bytes free");

    // What a running device or a user adds: first something small, then all of the promise together with it.
    let small = b"hostname = \"rock\"\n".to_vec();
    let large = vec![b'x'; usize::try_from(28 * MIB).unwrap() - (64 << 10)];
    for (name, bytes) in [("config.toml", small), ("log", large)] {
        let (source, back) = (dir.path().join(name), dir.path().join("back"));
        fs::write(&source, &bytes).unwrap();
        run(tool("mcopy")
            .args(["-i", &at])
            .arg(&source)
            .arg(format!("::{name}")));
        run(tool("mcopy")
            .args(["-n", "-i", &at])
            .arg(format!("::{name}"))
            .arg(&back));
        assert!(fs::read(&back).unwrap() == bytes, "{name} comes back changed");
        let partition = dir.path().join("partition");
        let mut bytes = vec![0; usize::try_from(BOOT_SIZE).unwrap()];
        let disk = File::open(&image).unwrap();
        disk.read_exact_at(&mut bytes, BOOT_START).unwrap();
        fs::write(&partition, bytes).unwrap();
        assert_clean(&partition);
    }
}

#[test]
fn unsquashfs_finds_the_closure() {
    if !is_made() || !installed(&["unsquashfs"]) || !is_root() {
        return;
    }
    let unpacked = Rock64::build().unpacked();
    assert_same(&list(&unpacked.path), &demo_root());
}

#[test]
fn rdsquashfs_finds_the_closure() {
    if !is_made() || !installed(&["rdsquashfs"]) || !is_root() {
        return;
    }
    let rock64 = Rock64::build();
    let dir = tempfile::tempdir().unwrap();
    let unpacked = dir.path().join("root");
    let mut command = tool("rdsquashfs");
    command.args([
        "--quiet",
        "--chmod",
        "--chown",
        "--set-times",
        "--unpack-path",
        "/",
    ]);
    command.arg("--unpack-root").arg(&unpacked);
    run(command.arg(rock64.path("rootfs.squashfs")));
    let (mut found, mut wanted) = (list(&unpacked), demo_root());
    // The root it makes itself, and now.
    let roots = (found.remove(&b""[..]), wanted.remove(&b""[..]));
    assert!(roots.0.is_some() && roots.1.is_some());
    assert_same(&found, &wanted);
}

#[test]
fn the_manifest_names_every_file() {
    if !is_made() {
        return;
    }
    if !installed(&["fsverity"]) {
        return;
    }
    let rock64 = Rock64::build();
    let manifest = "atomicnix-25.11.manifest.json";
    let text = fs::read(rock64.path(manifest)).unwrap();
    let read: Value = serde_json::from_slice(&text).unwrap();
    let mut found = digests(&rock64.outputs.path);
    found.remove(manifest);
    let entries = read["files"].as_array().unwrap();
    for entry in entries {
        let file = entry["file"].as_str().unwrap();
        let size = fs::metadata(rock64.path(file)).unwrap().len();
        assert_eq!(entry["size"].as_u64(), Some(size), "{file}");
        let tree = run(tool("fsverity")
            .args(["digest", "--compact"])
            .arg(rock64.path(file)));
        assert_eq!(entry["fsverity"].as_str(), Some(tree.trim()), "{file}");
        // Only what is published has one.
        let sha256 = found.remove(file).filter(|_| file == "rock64.raucb");
        assert_eq!(entry["sha256"].as_str(), sha256.as_deref(), "{file}");
    }
    assert!(found.is_empty(), "not in the manifest: {found:?}");
    assert_eq!(entries.len(), 13, "{entries:?}");
    assert_eq!(read["toplevel"].as_str(), Some(toplevel().as_str()));
}

#[test]
fn the_bundle_is_an_update_of_the_same_bytes() {
    if !is_made() || !installed(&["rauc"]) {
        return;
    }
    let rock64 = Rock64::build();
    let (keyring, bundle) = (demo().join("out/keys/ca.pem"), rock64.path("rock64.raucb"));
    let rauc = |command: &str| {
        let mut rauc = tool("rauc");
        rauc.arg(command).arg("--keyring").arg(&keyring).arg(&bundle);
        rauc
    };
    let info = run(&mut rauc("info"));
    for said in [
        "'rock64'",
        "boot.vfat",
        "rootfs.squashfs",
        "block-hash-index",
        "CN = Release",
    ] {
        assert!(info.contains(said), "{said}: {info}");
    }
    let dir = tempfile::tempdir().unwrap();
    let unpacked = dir.path().join("unpacked");
    run(rauc("extract").arg(&unpacked));
    let found = digests(&unpacked);
    let made = digests(&rock64.outputs.path);
    for image in ["boot.vfat", "rootfs.squashfs"] {
        assert_eq!(found[image], made[image], "{image}");
    }
    // The factory's slots begin with the same bytes, and nothing but zeros is behind them.
    let slots = [
        ("boot.vfat", BOOT_START, BOOT_SIZE),
        ("rootfs.squashfs", ROOT_START, ROOT_SIZE),
    ];
    for (image, start, size) in slots {
        let bytes = fs::read(unpacked.join(image)).unwrap();
        let slot = rock64.bytes(start, start + size);
        assert!(slot.starts_with(&bytes), "{image}");
        assert!(slot[bytes.len()..].iter().all(|byte| *byte == 0), "{image}");
    }
    // Images that are compressed already are stored as they are: no byte is lost but what vouches for them.
    let bundle_size = fs::metadata(&bundle).unwrap().len();
    let images = fs::metadata(rock64.path("rootfs.squashfs")).unwrap().len() + 40 * MIB;
    assert!(
        bundle_size < images + images / 50,
        "{bundle_size} bytes for {images}"
    );
}
