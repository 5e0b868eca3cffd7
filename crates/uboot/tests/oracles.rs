//! What U-Boot's own tools say of our boot scripts, and what we say of theirs.
#![expect(clippy::unwrap_used, reason = "functions of tests")]

#[path = "../../../tests/zoo/oracle.rs"]
mod oracle;

use std::path::Path;
use std::process::Command;

use oracle::installed;
use uboot::{Arch, ScriptOptions, read_script, script};

const TIME: u32 = 1_763_683_200;

/// What mkimage makes of a source.
fn mkimage(dir: &Path, source: &[u8], args: &[&str]) -> Vec<u8> {
    let (cmd, scr) = (dir.join("boot.cmd"), dir.join("boot.scr"));
    std::fs::write(&cmd, source).unwrap();
    let output = Command::new("mkimage")
        .env("SOURCE_DATE_EPOCH", TIME.to_string())
        .args(args)
        .args(["-T", "script", "-d"])
        .args([&cmd, &scr])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    std::fs::read(scr).unwrap()
}

#[test]
fn mkimage_writes_the_same_bytes() {
    if !installed("mkimage") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let large = vec![b'#'; 3 << 20];
    let cases: [(&[u8], &str); 5] = [
        (b"echo hi\n", ""),
        (b"x", "AtomicNix boot"),
        (b"\xff\0\n", "exactly thirty-two bytes of name"),
        (b"odd length, no newline", "\u{e9}"),
        (&large, "large"),
    ];
    for arch in Arch::all() {
        for (source, name) in cases {
            let mut args = vec!["-C", "none", "-A", arch.name()];
            if !name.is_empty() {
                args.extend(["-n", name]);
            }
            let theirs = mkimage(dir.path(), source, &args);
            let options = ScriptOptions {
                arch,
                time: TIME,
                name: name.into(),
            };
            assert!(
                script(source, &options).unwrap() == theirs,
                "{arch} {name:?} differs"
            );
            let read = read_script(&theirs).unwrap();
            assert!(read.source == source && read.options == options);
        }
    }
}

#[test]
fn mkimage_knows_no_other_architectures() {
    if !installed("mkimage") {
        return;
    }
    let output = Command::new("mkimage").args(["-A", "list"]).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    let theirs: Vec<_> = text
        .lines()
        .filter_map(|line| line.strip_prefix('\t')?.split_whitespace().next())
        .filter(|name| *name != "invalid")
        .collect();
    let ours: Vec<_> = Arch::all().map(Arch::name).collect();
    assert_eq!(ours, theirs);
}

#[test]
fn scripts_with_the_default_compression_are_read_and_lists_of_scripts_are_not() {
    if !installed("mkimage") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let theirs = mkimage(dir.path(), b"echo hi\n", &["-A", "arm64"]);
    assert_eq!(read_script(&theirs).unwrap().source, b"echo hi\n");
    let list = format!("{0}:{0}", dir.path().join("boot.cmd").display());
    let scr = dir.path().join("two.scr");
    let made = Command::new("mkimage")
        .args(["-C", "none", "-A", "arm", "-T", "script", "-d", &list])
        .arg(&scr)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let error = read_script(&std::fs::read(&scr).unwrap()).unwrap_err();
    assert!(matches!(
        error,
        uboot::Error::WrongList {
            first: 8,
            second: 8,
            ..
        }
    ));
}

#[test]
fn dumpimage_lists_what_we_write() {
    if !installed("dumpimage") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("boot.scr");
    let options = ScriptOptions {
        arch: Arch::Arm64,
        time: 315_532_800,
        name: "boot".into(),
    };
    std::fs::write(&path, script(b"echo hi\n", &options).unwrap()).unwrap();
    let output = Command::new("dumpimage")
        .env("TZ", "UTC")
        .arg("-l")
        .arg(&path)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    for line in [
        "Image Name:   boot",
        "Created:      Tue Jan  1 00:00:00 1980",
        "Image Type:   AArch64 Linux Script (uncompressed)",
        "Image 0: 8 Bytes",
    ] {
        assert!(text.contains(line), "{text}");
    }
}
