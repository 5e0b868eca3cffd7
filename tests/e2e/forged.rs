//! Blocks that others may have made, read by the kernel of the demo's system: it is older than many, and reads files
//! straight into their pages.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::boots::{console_lines, sha256};
use crate::demo::{demo, host_path, toplevel};
use crate::tools::{given, installed, run, tool};

#[path = "../../crates/squashfs/tests/support/compressors.rs"]
mod compressors;
#[expect(dead_code, reason = "the other tests want to know what Kiln makes of them")]
#[path = "../../crates/squashfs/tests/support/forgeries.rs"]
mod forgeries;
#[path = "../../crates/squashfs/tests/support/tiny.rs"]
mod tiny;

use forgeries::{Verdict, forgeries};
use tiny::Tiny;

/// What the guest does: it has busybox and the modules of the system's initial RAM disk.
const INIT: &str = r#"#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t devtmpfs dev /dev
for module in /modules/*; do insmod "$module" 2> /dev/null; done
for image in /forged/*; do
  sum=unmounted
  if mount -t squashfs -o loop,ro "$image" /mnt 2> /dev/null; then
    sum=$(sha256sum /mnt/file 2> /dev/null) || sum=unread
    umount /mnt
  fi
  echo "FORGED ${image##*/} ${sum%% *}"
done
echo FORGED-DONE
poweroff -f
"#;

/// Adds a file to an archive of cpio's format "newc".
pub(crate) fn add(archive: &mut Vec<u8>, path: &str, mode: usize, bytes: &[u8]) {
    // Inode, mode, owners, one link, time, length, devices, the name's length, no sum.
    let fields = [
        archive.len(),
        mode,
        0,
        0,
        1,
        0,
        bytes.len(),
        0,
        0,
        0,
        0,
        path.len() + 1,
        0,
    ];
    archive.extend(b"070701");
    for field in fields {
        archive.extend(format!("{field:08x}").bytes());
    }
    archive.extend(path.as_bytes());
    archive.push(0);
    archive.resize(archive.len().next_multiple_of(4), 0);
    archive.extend(bytes);
    archive.resize(archive.len().next_multiple_of(4), 0);
}

/// What a kernel unpacks behind the system's own initial RAM disk.
fn archive() -> Vec<u8> {
    let mut archive = Vec::new();
    add(&mut archive, "forged-init", 0o100_755, INIT.as_bytes());
    add(&mut archive, "forged", 0o040_755, b"");
    for (number, forgery) in forgeries().iter().enumerate() {
        let tiny = Tiny {
            compressor: forgery.compressor,
            block_size: forgery.block_size,
            options: &forgery.options,
            block: &forgery.block,
            len: forgery.content.len(),
            start: forgery.start,
        };
        add(
            &mut archive,
            &format!("forged/{number}"),
            0o100_644,
            &tiny.image("file"),
        );
    }
    add(&mut archive, "TRAILER!!!", 0, b"");
    archive
}

/// What the guest says of each image.
fn boot(kernel: &Path, initrd: &Path, dir: &Path) -> BTreeMap<usize, String> {
    let mut disk = fs::read(initrd).unwrap();
    disk.resize(disk.len().next_multiple_of(4), 0);
    disk.extend(archive());
    let (path, console) = (dir.join("initrd"), dir.join("console.log"));
    fs::write(&path, disk).unwrap();
    let mut qemu = tool("timeout");
    qemu.args([
        "600",
        "qemu-system-aarch64",
        "-machine",
        "virt",
        "-cpu",
        "cortex-a57",
        "-accel",
        "tcg",
    ]);
    qemu.args([
        "-m",
        "1024",
        "-nic",
        "none",
        "-display",
        "none",
        "-monitor",
        "none",
        "-no-reboot",
    ]);
    qemu.arg("-kernel").arg(kernel).arg("-initrd").arg(path);
    qemu.args([
        "-append",
        "console=ttyAMA0 rdinit=/forged-init panic=-1 loglevel=3",
    ]);
    run(qemu.arg("-serial").arg(format!("file:{}", console.display())));
    let lines = console_lines(&console);
    assert!(lines.iter().any(|line| line == "FORGED-DONE"), "{lines:?}");
    let said = |line: &String| {
        let (number, said) = line.strip_prefix("FORGED ")?.split_once(' ')?;
        Some((number.parse().ok()?, said.to_string()))
    };
    lines.iter().filter_map(said).collect()
}

#[test]
fn the_kernel_reads_of_forged_blocks_what_we_say_it_reads() {
    let is_there = demo().join("out/store/toplevel").exists();
    if !given(is_there, "the demo's store is there (tests/run store makes it)")
        || !installed(&["qemu-system-aarch64"])
    {
        return;
    }
    let [kernel, initrd] = ["kernel", "initrd"].map(|name| host_path(&format!("{}/{name}", toplevel())));
    let dir = tempfile::tempdir().unwrap();
    let said = boot(&kernel, &initrd, dir.path());
    let mut wrong = Vec::new();
    for (number, forgery) in forgeries().iter().enumerate() {
        let wanted = sha256(Sha256::new_with_prefix(&forgery.content));
        let is_read = said[&number] == wanted;
        if forgery.linux != Verdict::Depends && is_read != (forgery.linux == Verdict::Read) {
            wrong.push(format!(
                "{}: {:?}, and not: {}",
                forgery.what, forgery.linux, said[&number]
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
