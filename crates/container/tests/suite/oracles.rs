//! QEMU and others read every byte of our containers.

use std::path::Path;
use std::process::Command;

use container::{Format, plan};

use crate::disks::{corners, options, store};
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

/// What QEMU calls a container, and whether it has a check for it.
fn qemu(format: Format) -> (&'static str, bool) {
    match format {
        Format::Raw => ("raw", false),
        Format::Qcow2 => ("qcow2", true),
        Format::Vhd | Format::VhdFixed => ("vpc", false),
    }
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
        for format in Format::ALL {
            let (called, checks) = qemu(format);
            store(&plan(&image, &options(format, "container")).unwrap(), &file);
            if checks {
                let said = run("qemu-img", &["check", "-f", called], &file);
                assert!(said.contains("No errors were found"), "{name} {format}: {said}");
            }
            let said = run("qemu-img", &["info", "-f", called, "--output=json"], &file);
            let size = format!("\"virtual-size\": {},", image.size());
            assert!(said.contains(&size), "{name} {format}: {said}");
            let arguments = ["compare", "-f", "raw", "-F", called, raw.to_str().unwrap()];
            let said = run("qemu-img", &arguments, &file);
            assert!(said.contains("Images are identical."), "{name} {format}: {said}");
        }
    }
}
