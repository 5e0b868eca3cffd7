//! Nix itself as the oracle: NAR hashes, registrations and what a damaged store is said to be.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test may panic and say why it is skipped"
)]

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use image::{Keep, NodeId, Silent, scan_path};
use nix::{Closure, Error, Mismatch, Store, StorePath, check, nar, registration};

/// Whether Nix is there. Without it a test ends early, unless oracles are required.
#[expect(
    clippy::disallowed_methods,
    reason = "the switch that makes a missing oracle an error"
)]
fn nix_is_there() -> bool {
    let tools = ["nix-store", "nix"];
    let missing = tools
        .into_iter()
        .find(|tool| Command::new(tool).arg("--version").output().is_err());
    if let Some(tool) = missing {
        let required = std::env::var("KILN_ORACLES").is_ok_and(|value| value == "required");
        assert!(!required, "{tool} is missing");
        eprintln!("skipped: {tool} is missing");
    }
    missing.is_none()
}

fn run(command: &mut Command, input: &[u8]) -> (Vec<u8>, String, bool) {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.stdout, errors, output.status.success())
}

/// A store of Nix's own making, in a folder that can be removed again.
struct Chroot {
    dir: tempfile::TempDir,
}

impl Chroot {
    fn new() -> Chroot {
        Chroot {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    fn command(&self) -> Command {
        let mut command = Command::new("nix-store");
        command.arg("--store").arg(self.dir.path());
        command
    }

    fn run(&self, arguments: &[&str], input: &[u8]) -> Vec<u8> {
        let (output, errors, success) = run(self.command().args(arguments), input);
        assert!(success, "{arguments:?}: {errors}");
        output
    }

    fn add(&self, path: &Path) -> StorePath {
        let (output, errors, success) = run(self.command().arg("--add").arg(path), b"");
        assert!(success, "{errors}");
        String::from_utf8(output).unwrap().trim_end().parse().unwrap()
    }

    fn closure(&self) -> Closure {
        Closure::from_registration(Path::new("dump"), &self.run(&["--dump-db"], b"")).unwrap()
    }

    fn store(&self) -> Store {
        Store {
            root: Some(self.dir.path().into()),
        }
    }

    /// What `--verify --check-contents` complains about.
    fn verify(&self) -> String {
        let (_, errors, _) = run(self.command().args(["--verify", "--check-contents"]), b"");
        let complaint = |line: &&str| !line.ends_with("...") && !line.starts_with("warning: the group");
        errors.lines().filter(complaint).collect()
    }
}

impl Drop for Chroot {
    fn drop(&mut self) {
        // Whoever is not root could not remove folders of mode 0555.
        let _ = Command::new("chmod")
            .arg("-R")
            .arg("u+w")
            .arg(self.dir.path())
            .status();
    }
}

/// Files, links and folders of all the kinds that have ever been archived wrongly.
fn zoo(dir: &Path) -> Vec<PathBuf> {
    let tree = dir.join("tree");
    fs::create_dir_all(tree.join("empty-folder")).unwrap();
    for len in 0..=17 {
        fs::write(tree.join(format!("len-{len}")), vec![b'x'; len]).unwrap();
    }
    let large: Vec<u8> = (0..(5_u32 << 20) + 3)
        .map(|number| number.to_le_bytes()[2])
        .collect();
    fs::write(tree.join("large"), large).unwrap();
    for name in [
        &b"caf\xe9"[..],
        b"\xff\xfe",
        "\u{e9}".as_bytes(),
        b"new\nline",
        b"\x01\"'\\ *",
        &[b'n'; 255],
    ] {
        fs::write(tree.join(OsStr::from_bytes(name)), name).unwrap();
    }
    for name in ["Case", "case", "CASE", "a", "a-b", "a.b", "a0"] {
        fs::create_dir(tree.join(name)).unwrap();
        fs::write(tree.join(name).join("b"), name).unwrap();
    }
    for mode in [0o755, 0o744, 0o655, 0o611, 0o400, 0o4755, 0o666] {
        let path = tree.join(format!("mode-{mode:o}"));
        fs::write(&path, b"#!/bin/sh\n").unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
    }
    fs::hard_link(tree.join("large"), tree.join("large-again")).unwrap();
    symlink("len-1", tree.join("link")).unwrap();
    symlink("/nowhere/at\u{e9}", tree.join("dangling")).unwrap();
    symlink(".", tree.join("loop")).unwrap();
    symlink("x".repeat(4095), tree.join("long-link")).unwrap();
    fs::create_dir_all(tree.join(["d"; 60].join("/"))).unwrap();
    fs::write(tree.join(["d"; 60].join("/")).join("bottom"), b"bottom").unwrap();

    fs::create_dir(dir.join("empty")).unwrap();
    fs::write(dir.join("file"), b"a file on its own").unwrap();
    fs::copy(tree.join("mode-755"), dir.join("program")).unwrap();
    symlink("file", dir.join("link")).unwrap();
    ["tree", "empty", "file", "program", "link"]
        .map(|name| dir.join(name))
        .into()
}

#[test]
fn nar_hashes_are_those_of_nix() {
    if !nix_is_there() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    for path in zoo(dir.path()) {
        let tree = scan_path(&path, Keep::default()).unwrap();
        let (hash, size) = nar::hash(&tree, NodeId::ROOT, &Silent).unwrap();
        let (dump, errors, success) = run(Command::new("nix-store").arg("--dump").arg(&path), b"");
        assert!(success, "{errors}");
        assert_eq!(size, dump.len() as u64, "{}", path.display());

        let mut command = Command::new("nix");
        command.args(["--extra-experimental-features", "nix-command", "hash", "path"]);
        let (output, errors, success) = run(command.arg("--base32").arg(&path), b"");
        assert!(success, "{errors}");
        let theirs = String::from_utf8(output).unwrap();
        assert_eq!(
            hash.to_string(),
            format!("sha256:{}", theirs.trim_end()),
            "{}",
            path.display()
        );
        let sri = String::from_utf8(run(&mut command_sri(&path), b"").0).unwrap();
        assert_eq!(sri.trim_end().parse::<nix::Hash>().unwrap(), hash);
    }
}

fn command_sri(path: &Path) -> Command {
    let mut command = Command::new("nix");
    command
        .args([
            "--extra-experimental-features",
            "nix-command",
            "hash",
            "path",
            "--sri",
        ])
        .arg(path);
    command
}

#[test]
fn a_store_of_nix_checks_and_its_registration_loads() {
    if !nix_is_there() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let chroot = Chroot::new();
    // Nix refuses to add a link.
    for path in zoo(dir.path()).into_iter().filter(|path| !path.is_symlink()) {
        chroot.add(&path);
    }
    let mut closure = chroot.closure();
    assert_eq!(closure.paths().len(), 4);
    let tree = closure.tree(&chroot.store()).unwrap();
    assert_eq!(tree.units().len(), 4);
    check(&mut closure, &tree, &Silent, Mismatch::Fail).unwrap();

    // Let everything refer to the first path, and the first to itself.
    let first = closure.paths()[0].path.clone();
    let text = String::from_utf8(registration(&closure).unwrap()).unwrap();
    let referring = text.replace("\n\n0\n", &format!("\n\n1\n{first}\n"));
    chroot.run(&["--load-db"], referring.as_bytes());
    let referring_closure = chroot.closure();
    assert_eq!(registration(&referring_closure).unwrap(), referring.as_bytes());
    for info in referring_closure.paths() {
        let theirs = chroot.run(&["--query", "--references", info.path.as_str()], b"");
        assert_eq!(theirs, format!("{first}\n").as_bytes());
    }
    // A database that knew nothing before says the same.
    let other = Chroot::new();
    other.run(&["--load-db"], referring.as_bytes());
    assert_eq!(other.run(&["--dump-db"], b""), chroot.run(&["--dump-db"], b""));
}

#[test]
fn nix_and_we_find_the_same_damage() {
    if !nix_is_there() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("file"), b"as it was added").unwrap();
    let chroot = Chroot::new();
    let path = chroot.add(&dir.path().join("file"));
    assert_eq!(chroot.verify(), "");
    let host_path = chroot.store().host_path(&path);
    fs::set_permissions(&host_path, PermissionsExt::from_mode(0o644)).unwrap();
    fs::write(&host_path, b"as it is now").unwrap();

    let mut closure = chroot.closure();
    let tree = closure.tree(&chroot.store()).unwrap();
    let error = check(&mut closure, &tree, &Silent, Mismatch::Fail).unwrap_err();
    let Error::Mismatch { shown, count: 1 } = error else {
        panic!("{error}")
    };
    let complaint = chroot.verify();
    assert!(
        complaint.contains(&shown[0].registered_hash.to_string()),
        "{complaint}"
    );
    assert!(
        complaint.contains(&shown[0].found_hash.to_string()),
        "{complaint}"
    );

    let mut closure = chroot.closure();
    check(&mut closure, &tree, &Silent, Mismatch::Rehash).unwrap();
    let other = Chroot::new();
    let copied = other.store().host_path(&path);
    fs::create_dir_all(copied.parent().unwrap()).unwrap();
    fs::copy(&host_path, copied).unwrap();
    other.run(&["--load-db"], &registration(&closure).unwrap());
    assert_eq!(other.verify(), "");
}
