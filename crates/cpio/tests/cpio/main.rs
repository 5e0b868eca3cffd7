//! What other programs see in our archives.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../../../../tests/zoo/oracle.rs"]
mod oracle;

use std::io::Write;
use std::process::{Command, Stdio};

use image::Content;

use crate::oracle::installed;

/// What a program lists of an archive on its standard input.
fn listed(program: &str, arguments: &[&str], archive: &[u8]) -> String {
    let mut command = Command::new(program);
    command.args(arguments).env("LC_ALL", "C");
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(archive).unwrap();
    let said = child.wait_with_output().unwrap();
    assert!(said.status.success(), "{program}");
    String::from_utf8(said.stdout).unwrap()
}

#[test]
fn other_programs_read_it() {
    let files = [
        ("/nix/store.squashfs", Content::from(&b"squashfs"[..])),
        ("/nix/other", Content::Zeros(0)),
        ("/z", Content::from(&b"zz"[..])),
    ];
    let archive = Content::from(cpio::append(&[], &files).unwrap())
        .to_vec()
        .unwrap();
    for (program, arguments) in [("cpio", &["-tv", "--quiet"][..]), ("bsdtar", &["-tvf", "-"])] {
        if !installed(program) {
            continue;
        }
        let said = listed(program, arguments, &archive);
        let lines: Vec<&str> = said.lines().collect();
        let names: Vec<&str> = lines
            .iter()
            .map(|line| line.rsplit(' ').next().unwrap())
            .collect();
        assert_eq!(
            names,
            ["nix", "nix/store.squashfs", "nix/other", "z"],
            "{program}: {said}"
        );
        assert!(
            lines[0].starts_with("drwxr-xr-x") && lines[1].starts_with("-r--r--r--"),
            "{said}"
        );
    }
}
