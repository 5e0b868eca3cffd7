//! What the tests share: stubs, parts, and how they become images.

use std::path::{Path, PathBuf};
use std::process::Command;

use image::Content;
use uki::{Options, Parts, Planned};

/// The stub of systemd 252, as Debian 12 has it.
pub(crate) const OLD_STUB: &str = "/usr/lib/systemd/boot/efi/linuxx64.efi.stub";

/// The folder of newer stubs, which `tests/run install` fetches with ukify.
pub(crate) fn newer() -> PathBuf {
    let out = Command::new("sh")
        .args(["-c", "command -v ukify-newer"])
        .output()
        .unwrap();
    let path = String::from_utf8(out.stdout).unwrap();
    let folder = Path::new(path.trim()).parent().unwrap();
    folder.join("root/usr/lib/systemd/boot/efi")
}

/// A content of a file.
pub(crate) fn file(path: &Path) -> Content {
    Content::host_file(path).unwrap()
}

/// A text as a content.
#[expect(clippy::unnecessary_wraps, reason = "what parts have")]
pub(crate) fn text(text: &str) -> Option<Content> {
    Some(Content::from(text.as_bytes()))
}

/// The bytes of an image, written as every image is.
pub(crate) fn bytes(image: &image::Image) -> Vec<u8> {
    Content::from(image.clone()).to_vec().unwrap()
}

/// A sound kernel for x86-64: systemd-boot is a PE file, and has lines of SBAT.
pub(crate) fn kernel() -> Content {
    file(&newer().join("systemd-bootx64.efi"))
}

/// Parts that every image here has.
pub(crate) fn parts() -> Parts {
    Parts {
        os_release: text("ID=kiln\nVERSION_ID=1\n"),
        cmdline: text("console=ttyS0 quiet"),
        uname: text("6.1.0-kiln"),
        linux: Some(kernel()),
        initrds: vec![Content::from(&b"an initrd"[..])],
        ..Parts::default()
    }
}

/// Plans an image without a policy.
pub(crate) fn plan(stub: &Content, base: Parts) -> Planned {
    let options = Options {
        base,
        ..Options::default()
    };
    uki::plan(stub, &options, None).unwrap()
}

/// Runs a tool, which has to succeed; answers what it prints.
pub(crate) fn run(command: &mut Command) -> String {
    let out = command.output().unwrap();
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&out.stdout),
        String::from_utf8_lossy(&out.stderr)
    );
    assert!(out.status.success(), "{command:?}: {said}");
    said
}
