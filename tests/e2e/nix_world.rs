//! Nix with a store of its own, and Kiln's Nix code in it: what is built here is built inside Nix's sandbox.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::demo::{demo, kiln_program, toplevel, toplevel_of, workspace};
use crate::shared::{Shared, shared};
use crate::tools::{files, given, installed, output, place_of, run, said, tool, with_libraries};

/// When bundles are signed: any time at which the demo's certificates are good.
const SIGNING_TIME: u64 = 1_800_000_000;

/// A store that has the demo's closure for this machine, and everything else that the Nix code is tested with.
pub(crate) struct World {
    shared: Shared,
}

/// The demo's store whose programs run on this machine. Nix takes no store behind a link.
fn native_store() -> PathBuf {
    let name = if cfg!(target_arch = "x86_64") {
        "store-amd64"
    } else {
        "store"
    };
    let out = demo().join("out");
    fs::canonicalize(&out).unwrap_or(out).join(name)
}

/// The world, when Nix, kiln and the demo's store are here.
pub(crate) fn world() -> Option<World> {
    let needed = ["nix", "nix-build", "patchelf", "python3"];
    let native = native_store();
    let made = [
        kiln_program(),
        native.join("stamp"),
        demo().join("out/store/stamp"),
        demo().join("out/loader/u-boot.itb"),
        demo().join("out/keys/release.pem"),
    ];
    let is_here = |path: &PathBuf| {
        let condition = format!("{} is there (tests/run store build makes it)", path.display());
        given(path.exists(), &condition)
    };
    if !installed(&needed) || !made.iter().all(is_here) {
        return None;
    }
    Some(World {
        shared: shared("nix", |folder| fill(folder, &native)),
    })
}

fn fill(folder: &Path, native: &Path) {
    let home = folder.join("home");
    fs::create_dir(&home).unwrap();
    let conf = "build-users-group =\nsubstituters =\nsandbox = true\nsandbox-fallback = false\nfsync-metadata = false\n\
                experimental-features = nix-command flakes\n";
    fs::write(home.join("nix.conf"), conf).unwrap();
    let system = toplevel_of(native);
    let mut copy = nix(folder, "nix");
    copy.args(["copy", "--no-check-sigs", "--from"])
        .arg(native.join("root"))
        .arg("--to")
        .arg(folder.join("store"))
        .arg(&system);
    run(&mut copy);
    kiln_as_built(&folder.join("kiln"));
    let list = fs::read_to_string(native.join("closure-info/store-paths")).unwrap();
    let path = |name: &str| {
        let starts = |path: &&str| {
            let rest = path.get("/nix/store/".len() + 33..).unwrap_or_default();
            rest.strip_prefix(name)
                .and_then(|rest| rest.strip_prefix('-'))
                .is_some_and(|version| version.starts_with(|digit: char| digit.is_ascii_digit()))
        };
        list.lines()
            .find(starts)
            .unwrap_or_else(|| panic!("{name} is in the demo's closure"))
    };
    let inputs = serde_json::json!({
        "bash": path("bash"),
        "coreutils": path("coreutils"),
        "kiln": folder.join("kiln"),
        "keys": native.with_file_name("keys"),
        "loader": native.with_file_name("loader"),
        "time": SIGNING_TIME,
        "paths": {
            "busybox": path("busybox-static"),
            "coreutils": path("coreutils"),
            "toplevel": system,
        },
        // The demo's system of another machine, which is not in the store: a binary cache has it.
        "foreign": { "aarch64-linux": { "toplevel": toplevel() } },
    });
    fs::write(folder.join("inputs.json"), inputs.to_string()).unwrap();
}

/// A folder with kiln, patchelf, and the libraries and the loader of both.
fn kiln_as_built(folder: &Path) {
    fs::create_dir(folder).unwrap();
    for (name, path) in with_libraries(&[kiln_program(), place_of("patchelf")]) {
        fs::copy(path, folder.join(name)).unwrap();
    }
    run(tool("strip").arg("--strip-debug").arg(folder.join("kiln")));
}

/// A program of Nix that knows nothing of this machine's own store and configuration.
fn nix(folder: &Path, program: &str) -> Command {
    let mut command = tool(program);
    command
        .env("HOME", folder.join("home"))
        .env("NIX_CONF_DIR", folder.join("home"))
        .env("NIX_USER_CONF_FILES", "")
        .env("NIX_PATH", "")
        .env("KILN_TEST", folder.join("inputs.json"));
    command
}

impl World {
    fn folder(&self) -> &Path {
        &self.shared.path
    }

    /// The store, as `--store` has it.
    pub(crate) fn store(&self) -> PathBuf {
        self.folder().join("store")
    }

    /// A program of Nix that works on the store.
    pub(crate) fn nix(&self, program: &str) -> Command {
        self.nix_elsewhere(program, &self.store())
    }

    /// `nix` with its subcommand, which works on the store.
    pub(crate) fn nix_command(&self, arguments: &[&str]) -> Command {
        let mut command = nix(self.folder(), "nix");
        command.args(arguments).arg("--store").arg(self.store());
        command
    }

    /// Nix's configuration.
    pub(crate) fn configuration(&self) -> PathBuf {
        self.folder().join("home")
    }

    /// A program of Nix that works on another store.
    pub(crate) fn nix_elsewhere(&self, program: &str, store: &Path) -> Command {
        let mut command = nix(self.folder(), program);
        command.arg("--store").arg(store);
        command
    }

    /// Copies into another store what has to be there before anything is built.
    pub(crate) fn copy_shell(&self, store: &Path) {
        let inputs = fs::read_to_string(self.folder().join("inputs.json")).unwrap();
        let inputs: serde_json::Value = serde_json::from_str(&inputs).unwrap();
        let paths = ["bash", "coreutils"].map(|name| inputs[name].as_str().unwrap());
        let mut copy = nix(self.folder(), "nix");
        copy.args(["copy", "--no-check-sigs", "--from"]).arg(self.store());
        run(copy.arg("--to").arg(store).args(paths));
    }

    /// A command that has the store in `/nix`, as if it were this machine's own.
    pub(crate) fn in_place(&self, words: &[&str]) -> Command {
        let program = workspace().join("tests/nix/with-nix");
        let mut command = nix(self.folder(), program.to_str().unwrap());
        command.arg(self.store().join("nix")).args(words);
        command
    }

    fn build(&self, attributes: &[&str], more: &[&str]) -> Command {
        let mut command = self.nix("nix-build");
        command
            .arg(workspace().join("tests/nix/images.nix"))
            .arg("--no-out-link")
            .args(more);
        for attribute in attributes {
            command.args(["-A", attribute]);
        }
        command
    }

    /// Builds attributes of `tests/nix/images.nix`, then builds them again, and answers where they lie on this machine
    /// when both have the same bytes.
    pub(crate) fn built<const N: usize>(&self, attributes: [&str; N]) -> [PathBuf; N] {
        let paths = run(&mut self.build(&attributes, &[]));
        let again = run(&mut self.build(&attributes, &["--check"]));
        assert_eq!(paths, again);
        let mut lines = paths.lines();
        attributes.map(|attribute| {
            self.on_host(
                lines
                    .next()
                    .unwrap_or_else(|| panic!("nix-build says where {attribute} is")),
            )
        })
    }

    /// Where a path of the store lies on this machine.
    fn on_host(&self, path: &str) -> PathBuf {
        self.store().join(path.trim_start_matches('/'))
    }

    /// Builds attributes, and answers where all that they are lies on this machine, and what the builders said.
    pub(crate) fn built_with_log(&self, attributes: &[&str], more: &[&str]) -> (Vec<PathBuf>, String) {
        let output = output(&mut self.build(attributes, more));
        let log = said(&output);
        assert!(output.status.success(), "{log}");
        let paths = String::from_utf8(output.stdout).unwrap();
        (paths.lines().map(|path| self.on_host(path)).collect(), log)
    }

    /// What a build says that has to fail.
    pub(crate) fn failure(&self, attribute: &str) -> String {
        let output = output(&mut self.build(&[attribute], &[]));
        assert!(!output.status.success(), "{attribute} was built");
        said(&output)
    }

    /// The value of an expression over `tests/nix/images.nix`, which is `t` in it.
    pub(crate) fn evaluated(&self, expression: &str) -> serde_json::Value {
        serde_json::from_str(&run(&mut self.evaluation(expression))).unwrap()
    }

    /// What Nix says of an expression that has no value.
    pub(crate) fn refused(&self, expression: &str) -> String {
        let output = output(&mut self.evaluation(expression));
        assert!(!output.status.success(), "{expression} has a value");
        said(&output)
    }

    fn evaluation(&self, expression: &str) -> Command {
        let file = workspace().join("tests/nix/images.nix");
        let mut command = self.nix("nix-instantiate");
        command
            .args(["--eval", "--strict", "--json", "--expr"])
            .arg(format!("let t = import {}; in {expression}", file.display()));
        command
    }

    /// Makes the specification of an attribute again, on this machine and without Nix, from the registration of its
    /// closure, and answers the folder of outputs.
    pub(crate) fn without_nix(&self, attribute: &str, roots: &str, dir: &Path) -> PathBuf {
        let mut specification = self.evaluated(&format!("t.{attribute}.specification"));
        let roots = self.evaluated(roots);
        let mut query = self.nix("nix-store");
        query.args(["--query", "--requisites"]);
        query.args(
            roots
                .as_array()
                .unwrap()
                .iter()
                .map(|root| root.as_str().unwrap()),
        );
        let closure = run(&mut query);
        let mut dump = self.nix("nix-store");
        let registration = run(dump.arg("--dump-db").args(closure.lines()));
        fs::write(dir.join("registration"), without_derivers(&registration)).unwrap();
        specification["closure"]["from"] = "registration".into();
        specification["closure"]["store-root"] = self.store().to_str().unwrap().into();
        let spec = dir.join("spec.json");
        fs::write(&spec, specification.to_string()).unwrap();
        let out = dir.join("out");
        fs::create_dir(&out).unwrap();
        let mut kiln = crate::demo::kiln();
        kiln.arg("build").arg(&spec).arg("--out").arg(&out);
        run(&mut kiln);
        out
    }
}

/// A registration that says no more than a references graph: not what made the paths.
fn without_derivers(registration: &str) -> String {
    let mut lines = registration.lines();
    let mut text = String::new();
    while let Some(path) = lines.next() {
        let mut line = || lines.next().unwrap();
        let (hash, size, _, count) = (line(), line(), line(), line());
        text += &[path, hash, size, "", count, ""].join("\n");
        for _ in 0..count.parse().unwrap() {
            text += &[line(), ""].join("\n");
        }
    }
    text
}

/// The names in a folder.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let name = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_string();
    files(folder).iter().map(name).collect()
}

/// A partition, as `tests/nix/gpt.py` reads it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Partition {
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) kind: String,
    pub(crate) guid: String,
    pub(crate) name: String,
}

/// A partition table in the eyes of a reader that is not ours: where the entries of the main table begin, and the
/// partitions. All checksums, and the copy at the disk's end, are right.
pub(crate) fn gpt(image: &Path, sector_size: u64) -> (u64, Vec<Partition>) {
    let reader = workspace().join("tests/nix/gpt.py");
    let text = run(tool("python3")
        .arg(reader)
        .arg(image)
        .arg(sector_size.to_string()));
    let table: BTreeMap<String, serde_json::Value> = serde_json::from_str(&text).unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_string();
    let partitions = table["partitions"].as_array().unwrap().iter();
    let partitions = partitions.map(|partition| Partition {
        first: partition["first"].as_u64().unwrap(),
        last: partition["last"].as_u64().unwrap(),
        kind: text(&partition["type"]),
        guid: text(&partition["guid"]),
        name: text(&partition["name"]),
    });
    (table["entries"].as_u64().unwrap(), partitions.collect())
}
