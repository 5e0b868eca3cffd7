//! Environments that mkenvimage has made, found without being told how.
#![expect(clippy::unwrap_used, reason = "functions of tests")]

#[path = "../../../tests/zoo/oracle.rs"]
mod oracle;

use std::path::Path;
use std::process::Command;

use oracle::installed;
use uboot::{ByteOrder, Copies, Copy, EnvironmentError, find_environment};

const TEXT: &str = "BOOT_ORDER=A B\nBOOT_A_LEFT=3\nbootcmd=run distro; reset\n";

fn made(dir: &Path, arguments: &str, text: &str) -> Vec<u8> {
    let (source, out) = (dir.join("env.txt"), dir.join("env.img"));
    std::fs::write(&source, text).unwrap();
    let output = Command::new("mkenvimage")
        .args(arguments.split(' '))
        .arg("-o")
        .args([&out, &source])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    std::fs::read(out).unwrap()
}

#[test]
fn sizes_and_layouts_are_found() {
    if !installed("mkenvimage") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    for size in [0x200, 0x1000, 0x20000, 1000, 70_001] {
        for (more, copies, byte_order) in [
            ("", Copies::One, ByteOrder::Little),
            (" -b", Copies::One, ByteOrder::Big),
            (" -r", Copies::Two, ByteOrder::Little),
            (" -b -r -p 0", Copies::Two, ByteOrder::Big),
        ] {
            let file = made(dir.path(), &format!("-s {size}{more}"), TEXT);
            let found = find_environment(&file).unwrap();
            assert_eq!(
                (found.size, found.copies, found.byte_order, &found.second),
                (size, copies, byte_order, &None),
                "{size}{more}"
            );
            let variables = &found.current().unwrap().variables;
            assert_eq!(variables.len(), 3);
            assert_eq!(variables["bootcmd"], "run distro; reset");
            // In a partition, bytes of something older are behind it.
            let longer = [&file[..], &[0x5a; 5000]].concat();
            let again = find_environment(&longer);
            match size % 512 {
                0 => assert_eq!(again.unwrap().first, found.first),
                _ => assert_eq!(again, None),
            }
            let mut bad = file;
            bad[20] ^= 1;
            assert_eq!(find_environment(&bad), None);
        }
    }
}

#[test]
fn the_later_of_two_copies_holds() {
    if !installed("mkenvimage") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let first = made(dir.path(), "-s 4096 -r", TEXT);
    let mut second = made(dir.path(), "-s 4096 -r", "BOOT_ORDER=B A\n");
    for (flags, holds, order) in [
        (0, Copy::First, "A B"),
        (1, Copy::First, "A B"),
        (2, Copy::Second, "B A"),
        (255, Copy::Second, "B A"),
    ] {
        second[4] = flags;
        let found = find_environment(&[&first[..], &second].concat()).unwrap();
        assert_eq!(found.holds(), holds, "{flags}");
        assert_eq!(found.current().unwrap().variables["BOOT_ORDER"], order);
    }
    for (at, holds) in [(100, Copy::Second), (4096 + 100, Copy::First)] {
        let mut both = [&first[..], &second].concat();
        both[at] ^= 1;
        let found = find_environment(&both).unwrap();
        assert_eq!(found.holds(), holds);
        let damaged = if at < 4096 {
            found.first
        } else {
            found.second.unwrap()
        };
        assert!(matches!(damaged, Err(EnvironmentError::WrongChecksum { .. })));
    }
}

#[test]
fn nothing_else_is_one() {
    for bytes in [
        &b""[..],
        b"abc",
        &[0; 4096],
        &[0xff; 4096],
        b"\x12\x34\x56\x78a=b\0\0",
    ] {
        assert_eq!(find_environment(bytes), None);
    }
    // The checksum of no variable is not zero.
    let mut empty = crc32fast::hash(&[0; 508]).to_le_bytes().to_vec();
    empty.resize(512, 0);
    assert_eq!(
        find_environment(&empty)
            .unwrap()
            .current()
            .unwrap()
            .variables
            .len(),
        0
    );
}
