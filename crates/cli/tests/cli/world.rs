//! A folder with a small store, a specification and an output folder, and the binary run in it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::Read;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use image::{Keep, Kind};

/// The toplevel; it refers to `LINUX` and `LIB`.
pub(crate) const SYSTEM: &str = "/nix/store/ssssssssssssssssssssssssssssssss-system";
pub(crate) const LINUX: &str = "/nix/store/llllllllllllllllllllllllllllllll-linux-6.1";
pub(crate) const LIB: &str = "/nix/store/bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb-lib-1.0";

/// A/B firmware in small: every kind of part, and a board that has rules.
pub(crate) const SPEC: &str = r#"schema = 1
name = "demo-{series}"

[closure]
from = "closure-info"
store-root = "store"

[fs.rootfs]
format = "squashfs"
level = 3
closure = true
symlinks = { "/init" = "{toplevel}/init" }
directories = ["/proc", "/etc"]

[script.boot]
source = "boot.cmd"
arch = "arm64"
substitute = { buildId = "{fs.rootfs.id}" }

[fs.boot]
format = "fat"
label = "BOOT"
size = "16MiB"
free = "1MiB"

[fs.boot.files]
"/Image" = "{kernel}"
"/boot.scr" = "{script.boot}"

[disk]
size = "40MiB"
board = "rockchip"

[[disk.region]]
name = "idbloader"
raw = "idbloader.img"

[[disk.region]]
name = "boot"
type = "xbootldr"
offset = "16MiB"
content = "fs.boot"

[[disk.region]]
name = "rootfs"
type = "root-arm64"
offset = "32MiB"
size = "1MiB"
content = "fs.rootfs"
"#;

/// A folder of its own for one test.
pub(crate) struct World {
    dir: tempfile::TempDir,
}

/// What a run said.
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Said {
        Said {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl World {
    /// With everything that `SPEC` needs, and an image of an earlier build.
    pub(crate) fn new() -> World {
        let dir = tempfile::tempdir().unwrap();
        let world = World { dir };
        fs::create_dir_all(world.path("store/nix/store")).unwrap();
        fs::create_dir(world.path("out")).unwrap();
        world.write("out/demo-25.11.img", b"an earlier build");
        world.write_store(LIB, "lib/libc.so", &b"shared ".repeat(2000));
        world.write_store(LINUX, "Image", &noise(5000));
        world.write_store(SYSTEM, "init", b"#!/bin/sh\n");
        world.write_store(SYSTEM, "nixos-version", b"25.11.20261121.abcdef0");
        symlink(format!("{LINUX}/Image"), world.store(SYSTEM).join("kernel")).unwrap();
        world.write("boot.cmd", b"echo @buildId@\n");
        world.write("idbloader.img", &noise(3000));
        world.write("spec.toml", SPEC.as_bytes());
        world.register(&world.hashed());
        world
    }

    /// With a specification that differs from `SPEC` in one place.
    pub(crate) fn with(from: &str, to: &str) -> World {
        let world = World::new();
        world.edit("spec.toml", from, to);
        world
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    pub(crate) fn write(&self, path: &str, bytes: &[u8]) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    pub(crate) fn edit(&self, path: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.path(path)).unwrap();
        assert_eq!(text.matches(from).count(), 1, "{from}");
        fs::write(self.path(path), text.replace(from, to)).unwrap();
    }

    /// Where a store path lies.
    pub(crate) fn store(&self, path: &str) -> PathBuf {
        self.path("store").join(path.trim_start_matches('/'))
    }

    pub(crate) fn write_store(&self, path: &str, name: &str, bytes: &[u8]) {
        self.write(&format!("store{path}/{name}"), bytes);
    }

    /// The registration of what lies in the store.
    pub(crate) fn hashed(&self) -> String {
        let list = format!("{LIB}\n{LINUX}\n{SYSTEM}\n");
        let closure = nix::Closure::from_list(Path::new("list"), list.as_bytes()).unwrap();
        let root = Some(self.path("store"));
        let tree = closure.tree(&nix::Store { root }).unwrap();
        let mut text = String::new();
        for (path, references) in [
            (LIB, String::from("0")),
            (LINUX, "0".into()),
            (SYSTEM, format!("2\n{LIB}\n{LINUX}")),
        ] {
            let node = tree.lookup(path.as_bytes()).unwrap();
            let (hash, size) = nix::nar::hash(&tree, node, &image::Silent).unwrap();
            writeln!(text, "{path}\n{hash}\n{size}\n\n{references}").unwrap();
        }
        text
    }

    /// Makes the folder that `closureInfo` makes of a registration, whether or not it is true.
    pub(crate) fn register(&self, registration: &str) {
        let lines: Vec<&str> = registration.lines().collect();
        let records = lines.windows(3).filter(|record| record[1].starts_with("sha256:"));
        let list: Vec<&str> = records.clone().map(|record| record[0]).collect();
        let total: u64 = records.map(|record| record[2].parse::<u64>().unwrap()).sum();
        self.write("closure-info/registration", registration.as_bytes());
        self.write("closure-info/store-paths", (list.join("\n") + "\n").as_bytes());
        self.write("closure-info/total-nar-size", format!("{total}\n").as_bytes());
    }

    /// Changes the registration in one place, as a liar would.
    pub(crate) fn lie(&self, from: &str, to: &str) {
        let text = fs::read_to_string(self.path("closure-info/registration")).unwrap();
        assert_eq!(text.matches(from).count(), 1, "{from}");
        self.register(&text.replace(from, to));
    }

    /// The binary in this folder, with two threads whatever the machine.
    pub(crate) fn kiln(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kiln"));
        command
            .env_clear()
            .current_dir(self.dir.path())
            .args(args)
            .args(["--jobs", "2"]);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Said {
        self.kiln(args).output().unwrap().into()
    }

    /// A run that works. Answers its stdout.
    pub(crate) fn done(&self, args: &[&str]) -> String {
        let said = self.run(args);
        assert_eq!(said.code, Some(0), "{}", said.stderr);
        assert!(!said.stderr.contains("error:"), "{}", said.stderr);
        said.stdout
    }

    /// A run that is refused with this exit code and changes nothing. Answers the error and its hint.
    pub(crate) fn refused(&self, code: i32, args: &[&str]) -> String {
        let before = self.files();
        let said = self.run(args);
        self.check_refusal(code, &before, said)
    }

    /// `refused` for the usual build.
    pub(crate) fn build_refused(&self, code: i32) -> String {
        self.refused(code, &["build", "spec.toml", "--out", "out"])
    }

    pub(crate) fn check_refusal(&self, code: i32, before: &BTreeMap<String, Vec<u8>>, said: Said) -> String {
        let Said {
            code: found,
            stdout,
            stderr,
        } = said;
        assert_eq!(found, Some(code), "{stderr}");
        assert_eq!(stdout, "", "results of a failure");
        assert_eq!(stderr.matches("error:").count(), 1, "{stderr}");
        assert!(stderr.matches("hint:").count() <= 1, "{stderr}");
        assert!(!stderr.contains("panicked"), "{stderr}");
        // What makes no sense is found before the long work.
        assert!(code != 2 || !stderr.contains("compressing"), "{stderr}");
        assert_eq!(&self.files(), before, "a failure changed files");
        let folder = format!("{}/", fs::canonicalize(self.dir.path()).unwrap().display());
        stderr[stderr.find("error:").unwrap()..].replace(&folder, "")
    }

    /// Everything in the folder, hidden or not, with the first bytes of files.
    pub(crate) fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let tree = image::scan(self.dir.path(), Keep::default()).unwrap();
        let entry = |entry: image::Entry| {
            let path = String::from_utf8(entry.path).unwrap();
            let first = match &tree.node(entry.id).kind {
                Kind::File(_) => self.first_bytes(&path),
                kind => format!("{kind:?}").chars().take(7).collect::<String>().into(),
            };
            (path, first)
        };
        tree.walk().map(entry).collect()
    }

    fn first_bytes(&self, path: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        match fs::File::open(self.path(path.trim_start_matches('/'))) {
            Ok(file) => file.take(64 << 10).read_to_end(&mut bytes).unwrap(),
            Err(error) => return error.to_string().into(),
        };
        bytes
    }

    /// The names in the output folder.
    pub(crate) fn outputs(&self) -> Vec<String> {
        let names = self.files().into_keys();
        names
            .filter_map(|path| Some(path.strip_prefix("/out/")?.to_string()))
            .collect()
    }
}

/// Bytes that no compressor makes smaller.
pub(crate) fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

/// The SHA-256 of a file, as coreutils see it.
pub(crate) fn sha256sum(file: &Path) -> String {
    let output = Command::new("sha256sum").arg(file).output().unwrap();
    String::from_utf8(output.stdout).unwrap()[..64].to_string()
}

/// A text with digests and GUIDs left out: other tests pin bytes.
pub(crate) fn without_digests(text: &str) -> String {
    let digest =
        |word: &str| word.len() >= 32 && word.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    let mut result = String::new();
    for word in text.split_inclusive(|c: char| !c.is_ascii_alphanumeric() && c != '-') {
        let (word, end) = word.split_at(
            word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric() && c != '-')
                .len(),
        );
        result.push_str(if digest(word) { "[digest]" } else { word });
        result.push_str(end);
    }
    result
}

/// Says that a test cannot run here, and fails where everything must be there.
pub(crate) fn missing(what: &str) {
    #[expect(clippy::disallowed_methods, reason = "a test's own switch, not the tool's")]
    let required = std::env::var("KILN_ORACLES").is_ok_and(|value| value == "required");
    assert!(!required, "{what}: not available, and KILN_ORACLES=required");
    eprintln!("skipped: {what}: not available");
}
