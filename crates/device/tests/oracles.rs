//! What RAUC and systemd-repart make of our texts.
#![expect(clippy::unwrap_used, reason = "functions of tests")]

#[path = "../../../tests/zoo/oracle.rs"]
mod oracle;
mod support;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;

use device::{Device, Error, Made, Size, Status, repart, repart_service, system_conf};
use disk::read::Disk;
use image::{Content, Seed, Silent};
use oracle::installed;
use support::{MIB, device};

/// What RAUC says when it is to write something to a slot that it cannot write there. It reads its configuration first.
fn rauc(dir: &Path, text: &str, slot: &str) -> String {
    let conf = dir.join("system.conf");
    fs::write(&conf, text).unwrap();
    let image = dir.join("image.odd");
    fs::write(&image, "odd").unwrap();
    let mut command = Command::new("rauc");
    command
        .arg("--conf")
        .arg(&conf)
        .args(["write-slot", slot])
        .arg(image);
    let output = command.output().unwrap();
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn rauc_reads_its_configuration() {
    if !installed("rauc") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut file = device();
    file.status = Status::File("/data/rauc.status".to_owned());
    for device in [device(), file] {
        let text = system_conf(&device).unwrap();
        for (slot, kind) in [
            ("boot.0", "vfat"),
            ("boot.1", "vfat"),
            ("rootfs.0", "raw"),
            ("rootfs.1", "raw"),
        ] {
            let said = rauc(dir.path(), &text, slot);
            assert!(said.contains(&format!("for slot type {kind}")), "{said}");
        }
        let said = rauc(dir.path(), &text, "boot.2");
        assert!(said.contains("No matching slot found"), "{said}");
        let said = rauc(
            dir.path(),
            &text.replace("bundle-formats", "bundle-format"),
            "boot.0",
        );
        assert!(said.contains("Invalid key 'bundle-format'"), "{said}");
    }
}

/// Every setting that we say RAUC has, with a value, and whether RAUC 1.8 has it.
const SETTINGS: &[(&str, &str, &str, bool)] = &[
    ("autoinstall", "path", "/data/auto.raucb", true),
    ("casync", "install-args", "--seed-output=no", true),
    ("casync", "storepath", "/data/store", true),
    ("casync", "tmppath", "/data/tmp", true),
    ("casync", "use-desync", "false", true),
    ("encryption", "cert", "/etc/rauc/cert.pem", true),
    ("encryption", "key", "/etc/rauc/key.pem", true),
    ("handlers", "post-install", "/bin/true", true),
    ("handlers", "pre-install", "/bin/true", true),
    ("handlers", "system-info", "/bin/true", true),
    ("keyring", "allow-partial-chain", "true", true),
    ("keyring", "allowed-signer-cns", "release", false),
    ("keyring", "check-crl", "false", true),
    ("keyring", "check-purpose", "codesign", true),
    ("keyring", "directory", "/etc/rauc/keys", true),
    ("keyring", "use-bundle-signing-time", "true", true),
    ("polling", "url", "https://example.org/a.raucb", false),
    ("streaming", "sandbox-user", "nobody", true),
    ("streaming", "send-headers", "boot-id", false),
    ("streaming", "tls-ca", "/etc/ca.pem", true),
    ("streaming", "tls-cert", "/etc/cert.pem", true),
    ("streaming", "tls-key", "/etc/key.pem", true),
    ("system", "activate-installed", "true", true),
    ("system", "bundle-formats", "verity", true),
    ("system", "max-bundle-download-size", "1000000", true),
    ("system", "max-bundle-signature-size", "1000000", false),
    ("system", "min-bundle-version", "1.0.0", false),
    ("system", "mountprefix", "/run/rauc", true),
    ("system", "perform-pre-check", "true", false),
    ("system", "prevent-late-fallback", "true", false),
    ("system", "variant-name", "small box", true),
];

#[test]
fn rauc_knows_the_settings_that_we_say_it_knows() {
    if !installed("rauc") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    for (section, key, value, known) in SETTINGS {
        let mut device = device();
        let setting = BTreeMap::from([((*key).to_owned(), (*value).to_owned())]);
        device.settings.insert((*section).to_owned(), setting);
        if let Err(error) = system_conf(&device) {
            assert!(matches!(error, Error::TooNew { .. }), "{error}");
            assert!(!known, "{error}");
            device.rauc.minor = 16;
        }
        let said = rauc(dir.path(), &system_conf(&device).unwrap(), "boot.0");
        assert_eq!(said.contains("for slot type vfat"), *known, "{key}: {said}");
    }
}

/// The factory's image of a device, on a disk of `size` bytes; what no table owns is filled with a pattern.
fn factory(device: &Device, path: &Path, size: u64) {
    let mut regions = Vec::new();
    let mut add = |name: &str, start: u64, end: u64, partition| {
        let bytes: Vec<u8> = (start..end).map(|at| (at / 512 % 251) as u8 + 1).collect();
        regions.push(disk::Region {
            name: name.to_owned(),
            place: Some(start),
            size: Some(end - start),
            content: Some(Content::from(bytes)),
            partition,
        });
    };
    for region in &device.disk.regions {
        add(&region.name, region.range.start, region.range.end, None);
    }
    for partition in &device.partitions {
        if let Made::Factory(start) = partition.made {
            let kind = disk::Partition::new(partition.kind);
            add(&partition.name, start, start + partition.size.min(), Some(kind));
        }
    }
    let options = disk::Options {
        size: disk::Size::Exactly(device.disk.size),
        ..disk::Options::new(Seed::new(b"repart"))
    };
    let planned = disk::plan(&options, &regions).unwrap();
    image::write(path, &planned.image, &Silent)
        .unwrap()
        .keep()
        .unwrap();
    File::options()
        .write(true)
        .open(path)
        .unwrap()
        .set_len(size)
        .unwrap();
}

/// Lets systemd-repart do what it does at the first boot.
fn first_boot(device: &Device, dir: &Path, image: &Path) {
    let _ = fs::remove_dir_all(dir.join("repart.d"));
    fs::create_dir(dir.join("repart.d")).unwrap();
    for file in repart(device).unwrap() {
        fs::write(dir.join("repart.d").join(&file.name), &file.text).unwrap();
    }
    let service = repart_service(device).unwrap();
    assert!(service.contains("systemd-repart --dry-run=no --discard=no /dev/vda\n"));
    run_repart(dir, image);
}

fn run_repart(dir: &Path, image: &Path) {
    let output = Command::new("systemd-repart")
        .args([
            "--dry-run=no",
            "--discard=no",
            "--no-pager",
            "--seed=6d02ba5e8d2d4e0e9b1f0c2b6a7c1a55",
        ])
        .arg(format!("--definitions={}", dir.join("repart.d").display()))
        .arg(image)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

fn read(path: &Path, start: u64, end: u64) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(end - start).unwrap()];
    FileExt::read_exact_at(&File::open(path).unwrap(), &mut bytes, start).unwrap();
    bytes
}

/// Names, numbers, types, starts and sizes of the partitions on a disk.
fn partitions(path: &Path, size: u64) -> Vec<(String, u32, String, u64, u64)> {
    let file = File::open(path).unwrap();
    let disk = Disk::open(&file, size).unwrap();
    let lines = disk.partitions.iter().map(|partition| {
        let (number, kind) = (partition.entry.number, partition.entry.kind.to_string());
        (
            partition.name.clone(),
            number,
            kind,
            partition.start,
            partition.size(),
        )
    });
    lines.collect()
}

#[test]
fn the_first_boot_makes_what_is_missing_and_no_more() {
    if !installed("systemd-repart") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (image, size) = (dir.path().join("disk.img"), 256 * MIB);
    let device = device();
    factory(&device, &image, size);
    let gap = 34 * 512..device.disk.size - MIB;
    let before = read(&image, gap.start, gap.end);
    first_boot(&device, dir.path(), &image);
    assert!(
        read(&image, gap.start, gap.end) == before,
        "what was there has changed"
    );
    let found = partitions(&image, size);
    let of = |name: &str| found.iter().find(|(found, ..)| found == name).unwrap().clone();
    assert_eq!(found.len(), device.partitions.len());
    for partition in &device.partitions {
        let (_, number, kind, start, size) = of(&partition.name);
        assert_eq!(number, partition.number);
        assert_eq!(kind, partition.kind.guid().unwrap().to_string());
        match partition.size {
            Size::Exactly(exactly) => assert_eq!(size, exactly, "{}", partition.name),
            Size::AtLeast(min) => assert!(size > 100 * MIB && min < size, "{size}"),
        }
        assert!(start >= 16 * MIB);
    }
    // At the second boot there is nothing to do.
    let after = read(&image, 0, size);
    first_boot(&device, dir.path(), &image);
    assert!(read(&image, 0, size) == after);
}

#[test]
fn a_small_partition_would_lie_on_the_loaders() {
    if !installed("systemd-repart") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (image, size) = (dir.path().join("disk.img"), 256 * MIB);
    let mut small = device();
    factory(&small, &image, size);
    let data =
        |device: &mut Device, size: u64| device.partitions.last_mut().unwrap().size = Size::Exactly(size);
    data(&mut small, 12 * MIB);
    let error = repart(&small).unwrap_err();
    assert!(matches!(error, Error::OverLoader { .. }), "{error}");
    // Without loaders it is all right, and systemd-repart does put it there.
    let loaders = std::mem::take(&mut small.disk.regions);
    small.environment.medium = device::Medium::Other {
        node: "/dev/mtd0".to_owned(),
        erase_size: None,
    };
    small.chooser.keep = device::Keep::Saveenv;
    first_boot(&small, dir.path(), &image);
    let start = partitions(&image, size)
        .iter()
        .find(|(name, ..)| name == "data")
        .unwrap()
        .3;
    assert!(start < 16 * MIB, "{start}");
    assert!(!loaders.is_empty());
}
