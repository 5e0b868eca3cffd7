//! QEMU and others read every byte of our containers.

use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;

use container::{Compression, Format, Options};

use crate::disks::{contained, corners, kinds, options, store};
use crate::oracle::installed;

/// Runs a tool that has to succeed, and answers with what it says.
fn run(tool: &str, arguments: &[&str], file: &Path) -> String {
    let output = Command::new(tool).args(arguments).arg(file).output().unwrap();
    let (out, err) = (output.stdout, output.stderr);
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&out),
        String::from_utf8_lossy(&err)
    );
    assert!(
        output.status.success(),
        "{tool} {arguments:?} {}: {said}",
        file.display()
    );
    said
}

/// What QEMU calls a container, and whether it has a check for it; none of those that it does not read.
fn qemu(format: Format) -> Option<(&'static str, bool)> {
    match format {
        Format::Raw => Some(("raw", false)),
        Format::Qcow2 => Some(("qcow2", true)),
        Format::Vhd | Format::VhdFixed => Some(("vpc", false)),
        Format::Vhdx => Some(("vhdx", true)),
        Format::Vdi => Some(("vdi", true)),
        Format::Vmdk | Format::VmdkStream => Some(("vmdk", true)),
        Format::Ova | Format::Vma | Format::Gce | Format::AndroidSparse => None,
    }
}

/// All that QEMU reads.
fn readable() -> Vec<Options<'static>> {
    let mut all: Vec<Options> = Format::ALL
        .into_iter()
        .filter(|format| qemu(*format).is_some())
        .map(|format| options(format, "container"))
        .collect();
    for (compression, level) in [(Compression::Zstd, None), (Compression::Zlib, Some(9))] {
        all.push(Options {
            compression: Some(compression),
            level,
            ..options(Format::Qcow2, "container")
        });
    }
    all
}

#[test]
fn qemu_reads_every_byte_of_every_corner() {
    if !installed("qemu-img") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (raw, file) = (dir.path().join("raw"), dir.path().join("container"));
    for (name, image) in corners(dir.path()) {
        store(&image, &raw);
        for options in readable() {
            let Options {
                format, compression, ..
            } = options;
            let name = format!("{name} {format} {compression:?}");
            let (called, checks) = qemu(format).unwrap();
            if !is_corner(format, image.size() >> 20) {
                continue;
            }
            let planned = contained(&image, &options, dir.path(), 2).unwrap();
            store(&planned.image, &file);
            if checks {
                let said = run("qemu-img", &["check", "-f", called], &file);
                assert!(said.contains("No errors were found"), "{name}: {said}");
            }
            let said = run("qemu-img", &["info", "-f", called, "--output=json"], &file);
            let size = format!("\"virtual-size\": {},", image.size());
            assert!(said.contains(&size), "{name}: {said}");
            if image.size() <= 64 << 20 {
                let arguments = ["compare", "-f", "raw", "-F", called, raw.to_str().unwrap()];
                let said = run("qemu-img", &arguments, &file);
                assert!(said.contains("Images are identical."), "{name}: {said}");
            } else {
                compare_parts(called, &file, &raw, &image);
            }
        }
    }
}

/// Whether a disk of so many MiB is worth a look.
fn is_corner(format: Format, size: u64) -> bool {
    match size {
        31 | 33 => matches!(format, Format::Vmdk | Format::VmdkStream),
        511..=513 => format == Format::Qcow2,
        131_072.. => format == Format::Vhdx,
        _ => true,
    }
}

/// Compares what QEMU reads of the parts of a disk that have data: of all of it, that takes minutes.
fn compare_parts(called: &str, file: &Path, raw: &Path, image: &image::Image) {
    let mut parts: Vec<u64> = image
        .extents()
        .iter()
        .flat_map(|extent| [extent.start >> 20, (extent.end() - 1) >> 20])
        .collect();
    parts.dedup();
    let out = file.with_extension("part");
    for part in parts {
        let (skip, input) = (format!("skip={part}"), format!("if={}", file.display()));
        let output = format!("of={}", out.display());
        let arguments = ["dd", "-f", called, "-O", "raw", "bs=1M", "count=1", &skip, &input];
        // It counts from the begin of the input.
        let count = format!("count={}", part + 1);
        let arguments = arguments.map(|word| if word == "count=1" { &count } else { word });
        let done = Command::new("qemu-img")
            .args(arguments)
            .arg(&output)
            .status()
            .unwrap();
        assert!(done.success(), "{called} {part}");
        let mut wanted = vec![0; 1 << 20];
        std::fs::File::open(raw)
            .unwrap()
            .read_exact_at(&mut wanted, part << 20)
            .unwrap();
        assert!(std::fs::read(&out).unwrap() == wanted, "{called}: MiB {part}");
    }
}

/// More than 2 GiB of a file: reference counts take a second cluster.
#[test]
fn qemu_counts_the_clusters_of_large_files() {
    if !installed("qemu-img") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (raw, file) = (dir.path().join("raw"), dir.path().join("container"));
    std::fs::write(&raw, b"begin").unwrap();
    let open = std::fs::File::options().write(true).open(&raw).unwrap();
    open.set_len((2 << 30) + (3 << 20)).unwrap();
    let mut layout = image::Layout::new();
    let span = image::Content::Span {
        source: std::sync::Arc::new(std::fs::File::open(&raw).unwrap()),
        start: 0,
        len: (2 << 30) + (3 << 20),
    };
    layout.put(0, "data", span);
    let image = layout.finish((2 << 30) + (3 << 20)).unwrap();
    let planned = contained(&image, &options(Format::Qcow2, "x"), dir.path(), 1).unwrap();
    let map = planned.image.map();
    let counts = map.iter().find(|line| line.label == "qcow2 refcounts").unwrap();
    assert!(counts.end - counts.start > 64 << 10, "{counts:?}");
    // Without the data, which would be zeros.
    store(&planned.image, &file);
    let said = run("qemu-img", &["check", "-f", "qcow2"], &file);
    assert!(said.contains("No errors were found"), "{said}");
}

/// Runs a shell command, where `$1` is the container and `$2` the disk.
fn shell(command: &str, file: &Path, raw: &Path, dir: &Path) {
    let done = Command::new("bash")
        .args(["-eo", "pipefail", "-c", command, "sh"])
        .args([file, raw])
        .current_dir(dir)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{}: {command}: {said}", file.display());
}

/// 7-Zip, libsparse, GNU tar and bsdtar are the second readers.
#[test]
fn others_read_the_same_bytes() {
    let tools = ["7z", "simg2img", "tar", "bsdtar"];
    if !tools.into_iter().all(installed) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let kinds = kinds(dir.path());
    // Google's disks are whole GiB.
    let large = kinds.slice(0..1 << 30);
    let (raw, file) = (dir.path().join("raw"), dir.path().join("container"));
    let seven = "7z x -so \"$1\" | cmp - \"$2\"";
    for (format, compression, command) in [
        (Format::Vhd, None, seven),
        (Format::VhdFixed, None, seven),
        (Format::Vdi, None, seven),
        (Format::Vmdk, None, seven),
        (Format::VmdkStream, None, seven),
        (Format::Qcow2, None, seven),
        (Format::Qcow2, Some(Compression::Zlib), seven),
        (Format::AndroidSparse, None, "simg2img \"$1\" out; cmp out \"$2\""),
        (
            Format::Gce,
            None,
            "tar -xSf \"$1\"; cmp -n 67108864 disk.raw \"$2\"; test $(stat -c %s disk.raw) = 1073741824",
        ),
        (
            Format::Gce,
            None,
            "bsdtar -xf \"$1\"; cmp -n 67108864 disk.raw \"$2\"; test $(stat -c %s disk.raw) = 1073741824",
        ),
    ] {
        let disk = if format == Format::Gce { &large } else { &kinds };
        store(disk, &raw);
        let file = file.with_extension(format.ending());
        let options = Options {
            compression,
            ..options(format, "x")
        };
        let planned = contained(disk, &options, dir.path(), 2).unwrap();
        store(&planned.image, &file);
        shell(command, &file, &raw, dir.path());
    }
}

#[test]
fn libyal_reads_what_stands_in_headers() {
    let tools = ["vhdiinfo", "vmdkinfo"];
    if !tools.into_iter().all(installed) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let disk = kinds(dir.path());
    for (format, tool) in [
        (Format::Vhd, "vhdiinfo"),
        (Format::VhdFixed, "vhdiinfo"),
        (Format::Vhdx, "vhdiinfo"),
        (Format::Vmdk, "vmdkinfo"),
        (Format::VmdkStream, "vmdkinfo"),
    ] {
        let name = format!("disk.{}", format.ending());
        let file = dir.path().join(&name);
        let planned = contained(&disk, &options(format, &name), dir.path(), 2).unwrap();
        store(&planned.image, &file);
        let said = run(tool, &[], &file);
        assert!(said.contains("48 MiB (50331648 bytes)"), "{format}: {said}");
    }
}

/// No reader of Proxmox is at hand: one that follows its description of the format, and doubts every field, makes the disk again.
#[test]
fn a_vma_is_what_its_description_says() {
    if !installed("python3") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (raw, file) = (dir.path().join("raw"), dir.path().join("disk.vma"));
    let reader = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vma.py");
    let corners = corners(dir.path());
    let small = corners.iter().filter(|(_, image)| image.size() <= 64 << 20);
    for (name, image) in small {
        store(image, &raw);
        let options = Options {
            machine: container::Machine {
                memory: 3 << 30,
                cpus: 5,
                uefi: true,
            },
            ..options(Format::Vma, "vzdump-qemu-my server.vma")
        };
        let planned = contained(image, &options, dir.path(), 2).unwrap();
        store(&planned.image, &file);
        let said = run("python3", &[reader, raw.to_str().unwrap()], &file);
        for line in [
            "bios: ovmf\n",
            "cores: 5\n",
            "memory: 3072\n",
            "name: my-server\n",
            "virtio0: local-lvm:",
        ] {
            assert!(said.contains(line), "{name}: {said}");
        }
        assert!(
            said.ends_with("#qmdump#map:virtio0:drive-virtio0:local-lvm:raw:\n"),
            "{name}: {said}"
        );
        if name != "kinds" {
            continue;
        }
        // It notices a byte of a header.
        let bytes = std::fs::read(&file).unwrap();
        let start = usize::try_from(planned.image.map()[1].start).unwrap();
        for place in [100, 5000, 12_300, start + 6, start + 45, start + 500] {
            let mut damaged = bytes.clone();
            damaged[place] ^= 1;
            std::fs::write(&file, damaged).unwrap();
            let mut reader_again = Command::new("python3");
            let output = reader_again.arg(reader).arg(&raw).arg(&file).output().unwrap();
            assert!(!output.status.success(), "{name}: {place}");
        }
    }
}

/// The manifest's checksums hold, the VMDK in it is one, and the description is XML that names its length.
#[test]
fn an_ova_is_a_tar_of_what_its_manifest_says() {
    let tools = ["tar", "sha256sum", "qemu-img", "python3"];
    if !tools.into_iter().all(installed) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let disk = kinds(dir.path());
    let (raw, file) = (dir.path().join("raw"), dir.path().join("a server.ova"));
    store(&disk, &raw);
    let planned = contained(&disk, &options(Format::Ova, "a server.ova"), dir.path(), 2).unwrap();
    store(&planned.image, &file);
    let script = r#"tar -xf "$1"; test "$(tar -tf "$1" | tr "\\n" " ")" = "a_server.ovf a_server.mf a_server-disk1.vmdk "
        sed -E 's/^SHA256\((.*)\)= (.*)$/\2  \1/' a_server.mf | sha256sum --check --strict
        qemu-img compare -f raw -F vmdk "$2" a_server-disk1.vmdk
        python3 -c '
import os, xml.etree.ElementTree as tree
name = "{http://schemas.dmtf.org/ovf/envelope/1}"
file = tree.parse("a_server.ovf").find(f"{name}References/{name}File")
assert int(file.get(name + "size")) == os.stat(file.get(name + "href")).st_size
'"#;
    shell(script, &file, &raw, dir.path());
}
