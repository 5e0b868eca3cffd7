//! Nix itself as the oracle.

#![expect(clippy::print_stderr, reason = "a test says why it is skipped")]

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use image::{Kind, NodeId};
use nix::{Closure, DATABASE_DIR, Store, StorePath, database_folder};

use crate::{open, rows};

/// Whether Nix is there. Without it a test ends early, unless oracles are required.
#[expect(
    clippy::disallowed_methods,
    reason = "the switch that makes a missing oracle an error"
)]
fn nix_is_there() -> bool {
    let there = ["nix-store", "nix-instantiate", "nix"]
        .into_iter()
        .all(|tool| Command::new(tool).arg("--version").output().is_ok());
    let required = std::env::var("KILN_ORACLES").is_ok_and(|value| value == "required");
    assert!(there || !required, "Nix is missing");
    if !there {
        eprintln!("skipped: Nix is missing");
    }
    there
}

/// A store in a folder that can be removed again.
struct Chroot {
    dir: tempfile::TempDir,
}

impl Chroot {
    fn new() -> Chroot {
        Chroot {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    /// A store with copies of another's paths, that Nix has not seen yet.
    fn copy(other: &Chroot, closure: &Closure) -> Chroot {
        let chroot = Chroot::new();
        fs::create_dir_all(chroot.host("/nix/store")).unwrap();
        for info in closure.paths() {
            let mut copy = Command::new("cp");
            copy.arg("-a").arg(other.host(info.path.as_str()));
            assert!(copy.arg(chroot.host("/nix/store")).status().unwrap().success());
        }
        chroot
    }

    fn run(&self, tool: &str, arguments: &[&str]) -> (String, String) {
        let mut command = Command::new(tool);
        if tool == "nix" {
            command.args(["--extra-experimental-features", "nix-command"]);
        }
        let output = command
            .args(arguments)
            .arg("--store")
            .arg(self.dir.path())
            .output()
            .unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{tool} {arguments:?}: {errors}");
        (String::from_utf8(output.stdout).unwrap(), errors)
    }

    /// What a tool of Nix answers about this store.
    fn ask(&self, tool: &str, arguments: &[&str]) -> String {
        self.run(tool, arguments).0
    }

    /// What Nix complains about when it reads every path.
    fn verify(&self) -> String {
        let (output, errors) = self.run("nix-store", &["--verify", "--check-contents"]);
        let complaint = |line: &&str| !line.ends_with("...") && !line.starts_with("warning: the group");
        output + &errors.lines().filter(complaint).collect::<String>()
    }

    fn load(&self, registration: &str) {
        let file = self.dir.path().join("registration");
        fs::write(&file, registration).unwrap();
        let mut load = Command::new("nix-store");
        load.arg("--load-db").arg("--store").arg(self.dir.path());
        let output = load.stdin(fs::File::open(file).unwrap()).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }

    fn store(&self) -> Store {
        Store {
            root: Some(self.dir.path().into()),
        }
    }

    fn host(&self, path: &str) -> PathBuf {
        self.dir.path().join(path.trim_start_matches('/'))
    }

    /// The rows of Nix's tables, without the numbers and times that it makes up.
    fn tables(&self) -> [String; 3] {
        let database = open(&self.host(DATABASE_DIR).join("db.sqlite"));
        [
            "select path, hash, deriver, narSize, ultimate, sigs, ca from ValidPaths order by path",
            "select a.path, b.path from Refs join ValidPaths a on referrer = a.id \
             join ValidPaths b on reference = b.id order by 1, 2",
            "select v.path, o.id, o.path from DerivationOutputs o join ValidPaths v on drv = v.id \
             order by 1, 2",
        ]
        .map(|query| rows(&database, query))
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

/// A store of a folder, a file, and two derivations of which one has two outputs; and its registration, in which
/// the folder refers to itself and to the file.
fn store_of_nix() -> (Chroot, String) {
    let chroot = Chroot::new();
    let sources = tempfile::tempdir().unwrap();
    let folder = sources.path().join("folder");
    fs::create_dir_all(folder.join("empty")).unwrap();
    symlink("/nowhere", folder.join("link")).unwrap();
    fs::write(folder.join("file"), b"#!/bin/sh\n").unwrap();
    fs::write(sources.path().join("alone"), b"alone").unwrap();
    for name in ["folder", "alone"] {
        chroot.ask(
            "nix-store",
            &["--add", sources.path().join(name).to_str().unwrap()],
        );
    }
    let expression = r#"
        let one = derivation { name = "one"; system = "none"; builder = "/b"; outputs = [ "out" "dev" ]; };
        in derivation { name = "two"; system = "none"; builder = "/b"; inherit one; quotes = "\"\n\\"; }"#;
    chroot.ask("nix-instantiate", &["-E", expression]);

    let dumped = closure(&chroot.ask("nix-store", &["--dump-db"]));
    let mut text = String::new();
    for info in dumped.paths() {
        let (hash, size) = (info.nar_hash.unwrap(), info.nar_size.unwrap());
        let mut references = info.references.clone().unwrap();
        if info.path.name() == "folder" {
            references = [info.path.clone(), named(&dumped, "alone")].into();
        }
        let count = references.len();
        writeln!(text, "{}\n{hash}\n{size}\n\n{count}", info.path).unwrap();
        for reference in references {
            writeln!(text, "{reference}").unwrap();
        }
    }
    assert_eq!(dumped.paths().len(), 4);
    (chroot, text)
}

fn named(closure: &Closure, name: &str) -> StorePath {
    let mut paths = closure.paths().iter().map(|info| &info.path);
    paths.find(|path| path.name() == name).unwrap().clone()
}

fn closure(text: &str) -> Closure {
    Closure::from_registration(Path::new("dump"), text.as_bytes()).unwrap()
}

/// Gives a store the database that we make, before Nix has seen it.
fn furnish(chroot: &Chroot, closure: &Closure) {
    let tree = closure.tree(&chroot.store()).unwrap();
    let folder = database_folder(closure, &tree, 1).unwrap();
    fs::create_dir_all(chroot.host(DATABASE_DIR)).unwrap();
    for (name, id) in folder.children(NodeId::ROOT) {
        let Kind::File(content) = &folder.node(id).kind else {
            panic!("{} is no file", image::show(name))
        };
        let path = chroot.host(DATABASE_DIR).join(str::from_utf8(name).unwrap());
        fs::write(path, content.to_vec().unwrap()).unwrap();
    }
}

#[test]
fn nix_takes_our_database_for_its_own() {
    if !nix_is_there() {
        return;
    }
    let (source, text) = store_of_nix();
    let closure = closure(&text);
    let theirs = Chroot::copy(&source, &closure);
    theirs.load(&text);
    let ours = Chroot::copy(&source, &closure);
    furnish(&ours, &closure);
    assert_eq!(ours.tables(), theirs.tables());
    assert!(ours.tables().iter().all(|rows| !rows.is_empty()));

    assert_eq!(ours.verify(), "");
    let dump = ours.ask("nix-store", &["--dump-db"]);
    assert_eq!(dump, theirs.ask("nix-store", &["--dump-db"]));
    let json = ours.ask("nix", &["path-info", "--all", "--json", "--closure-size"]);
    assert_eq!(json.matches(r#""registrationTime":1}"#).count(), 4, "{json}");
    assert_eq!(json.matches(r#""closureSize":"#).count(), 4, "{json}");
    for info in closure.paths() {
        for question in [
            "--requisites",
            "--references",
            "--referrers",
            "--deriver",
            "--hash",
            "--size",
        ] {
            let arguments = ["--query", question, info.path.as_str()];
            assert_eq!(
                ours.ask("nix-store", &arguments),
                theirs.ask("nix-store", &arguments),
                "{question}"
            );
        }
    }
    for name in ["one.drv", "two.drv"] {
        let path = named(&closure, name);
        let arguments = ["--query", "--outputs", path.as_str()];
        assert_eq!(
            ours.ask("nix-store", &arguments),
            theirs.ask("nix-store", &arguments)
        );
    }
}

#[test]
fn nix_goes_on_with_our_database() {
    if !nix_is_there() {
        return;
    }
    let (source, text) = store_of_nix();
    let closure = closure(&text);
    let ours = Chroot::copy(&source, &closure);
    furnish(&ours, &closure);
    let file = ours.dir.path().join("new");
    fs::write(&file, b"new").unwrap();
    let added = ours.ask("nix-store", &["--add", file.to_str().unwrap()]);
    assert_eq!(ours.ask("nix-store", &["--dump-db"]).matches("-new\n").count(), 1);
    assert_eq!(ours.verify(), "");
    // A path that refers to itself can go, and then everything can.
    let folder = named(&closure, "folder");
    ours.ask("nix-store", &["--delete", folder.as_str()]);
    assert!(!ours.host(folder.as_str()).exists());
    ours.ask("nix-store", &["--gc"]);
    assert!(!ours.host(added.trim_end()).exists());
    assert_eq!(ours.ask("nix-store", &["--dump-db"]), "");
    let database = open(&ours.host(DATABASE_DIR).join("db.sqlite"));
    assert_eq!(rows(&database, "pragma integrity_check"), "ok\n");
}
