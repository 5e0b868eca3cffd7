//! Closures as roots: with the environment's links, with hard links, with copies, and without any store.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::io::Read as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::amd64::{boot, host, is_made_for_amd64, machine, of_system, store, unchanged};
use crate::demo::{kiln, target};
use crate::tools::{files, installed, run, tool};

/// What nixpkgs' buildEnv would be called.
pub(crate) const ENV: &str = "/nix/store/zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz-minimal-env";

/// Runs as process 1: what is in the place of a link, whether programs run, and what is left of the store.
const INIT: &str = r#"#!/bin/bash
export PATH=/bin LC_ALL=C
echo "SORT is a $(stat -c '%F with %h names' /bin/sort)"
echo "RUNS $(printf 'b\na\n' | sort | head -n 1) in bash ${BASH_VERSION%%.*}"
echo "DOCS $(ls /share/doc/coreutils | sort | head -n 1)"
echo "STORE $(busybox find / -xdev | busybox grep -c nix/store) names"
echo DONE
busybox poweroff -f
"#;

/// The store paths of the demo, with what each refers to.
fn references() -> BTreeMap<String, Vec<String>> {
    let text = fs::read_to_string(store().join("closure-info/registration")).unwrap();
    let mut lines = text.lines().map(ToString::to_string);
    let mut references = BTreeMap::new();
    while let Some(path) = lines.next() {
        let count = lines.nth(3).unwrap().parse().unwrap();
        references.insert(path, lines.by_ref().take(count).collect());
    }
    references
}

/// A store of its own with bash, coreutils, busybox, what these need, and an environment of them; and the list of its
/// paths.
pub(crate) fn minimal(dir: &Path) -> PathBuf {
    let references = references();
    let named = |name: &str| {
        let is_it = |path: &&String| path[44..].starts_with(name);
        references.keys().find(is_it).unwrap().clone()
    };
    let (bash, coreutils) = (named("bash-5"), named("coreutils-"));
    let busybox = named("busybox-static");
    let mut open = vec![bash.clone(), coreutils.clone(), busybox.clone()];
    let mut paths = BTreeSet::new();
    while let Some(path) = open.pop() {
        if paths.insert(path.clone()) {
            open.extend(references[&path].iter().cloned());
        }
    }
    let root = dir.join("root");
    fs::create_dir_all(root.join("nix/store")).unwrap();
    let mut copy = tool("cp");
    copy.arg("-a").args(paths.iter().map(|path| host(path)));
    run(copy.arg(root.join("nix/store")));

    let env = root.join(ENV.trim_start_matches('/'));
    fs::create_dir_all(env.join("bin")).unwrap();
    fs::create_dir_all(env.join("share/doc")).unwrap();
    for package in [&bash, &coreutils, &busybox] {
        for program in files(&host(package).join("bin")) {
            let name = program.file_name().unwrap().to_str().unwrap();
            drop(symlink(
                format!("{package}/bin/{name}"),
                env.join("bin").join(name),
            ));
        }
    }
    let docs = format!("{coreutils}/share/doc/coreutils");
    symlink(docs, env.join("share/doc/coreutils")).unwrap();
    paths.insert(ENV.to_string());
    let list = dir.join("store-paths");
    fs::write(&list, paths.into_iter().collect::<Vec<_>>().join("\n") + "\n").unwrap();
    list
}

/// Boots a root with the demo's kernel, and answers what the console said.
fn boots(image: &Path, format: &str) -> Vec<String> {
    let arguments = format!("quiet root=/dev/vda rootfstype={format} ro init=/init");
    let mut machine = machine(&of_system("initrd"), &arguments);
    boot(
        machine.args(["-drive", &unchanged(image)]),
        &image.with_extension("console"),
    )
}

#[test]
fn every_layout_boots() {
    if !is_made_for_amd64() || !installed(&["qemu-system-x86_64", "timeout", "e2fsck", "debugfs"]) {
        return;
    }
    let dir = tempfile::tempdir_in(target()).unwrap();
    let dir = dir.path();
    let list = minimal(dir);
    let init = dir.join("init");
    fs::write(&init, INIT).unwrap();
    run(tool("chmod").arg("755").arg(&init));
    let mut spec = format!(
        "schema = 1\nname = \"layouts\"\n[closure]\nfrom = {list:?}\nstore-root = {:?}\n",
        dir.join("root")
    );
    let layouts = [
        ("links", "squashfs", "symbolic link with 1 names"),
        ("hardlinks", "ext4", "regular file with 2 names"),
        ("copies", "squashfs", "regular file with 1 names"),
        ("fhs", "ext4", "regular file with 1 names"),
    ];
    for (layout, format, _) in layouts {
        writeln!(
            spec,
            "[fs.{layout}]\nformat = '{format}'\nlayout = '{layout}'\nenv = '{ENV}'"
        )
        .unwrap();
        spec += "files = { \"/init\" = \"init\" }\ndirectories = [\"/dev\", \"/proc\", \"/sys\"]\n";
        spec += match format {
            "squashfs" => "level = 1\n",
            _ => "free = \"0B\"\n",
        };
    }
    fs::write(dir.join("spec.toml"), spec).unwrap();
    let out = dir.join("out");
    fs::create_dir(&out).unwrap();
    run(kiln()
        .arg("build")
        .arg(dir.join("spec.toml"))
        .arg("--out")
        .arg(&out));
    for (layout, format, sort) in layouts {
        let image = out.join(format!("{layout}.{format}"));
        if format == "ext4" {
            run(tool("e2fsck").arg("-fn").arg(&image));
        }
        let console = boots(&image, format);
        let store = console.iter().find(|line| line.starts_with("STORE "));
        let has_store = store.is_some_and(|line| line != "STORE 0 names");
        assert_eq!(has_store, layout != "fhs", "{layout}: {console:?}");
        for wanted in [
            format!("SORT is a {sort}"),
            "RUNS a in bash 5".to_string(),
            "DOCS AUTHORS".to_string(),
            "DONE".to_string(),
        ] {
            assert!(console.contains(&wanted), "{layout}: {wanted}, {console:?}");
        }
    }
}

#[test]
fn nothing_in_a_root_without_a_store_needs_one() {
    if !is_made_for_amd64() || !installed(&["unsquashfs", "readelf", "find"]) {
        return;
    }
    let dir = tempfile::tempdir_in(target()).unwrap();
    let (image, root) = (dir.path().join("root.squashfs"), dir.path().join("root"));
    let mut made = kiln();
    made.args([
        "squashfs",
        "--json",
        "--compression",
        "zstd",
        "--level",
        "1",
        "--merge-usr",
    ]);
    made.args(["--layout", "fhs", "--env", "{toplevel}/sw"]);
    made.arg("--closure").arg(store().join("closure-info"));
    made.arg("--store-root").arg(store().join("root"));
    let report = run(made.arg("--out").arg(&image));
    run(tool("unsquashfs").args(["-q", "-n", "-d"]).arg(&root).arg(&image));

    let names = run(tool("find").arg(&root).args(["-path", "*nix/store*"]));
    assert_eq!(names, "");
    let links = run(tool("find").arg(&root).args(["-lname", "*nix/store*"]));
    assert_eq!(links, "");
    // Interpreters and run paths, as binutils see them.
    let (mut elves, mut rewritten) = (0, 0);
    let found = run(tool("find").arg(&root).args(["-type", "f", "-size", "+0"]));
    let is_elf = |path: &&str| {
        let mut magic = [0; 4];
        // Names with line breaks or of no script are of the demo's odd files, which are no programs.
        let read = fs::File::open(path).and_then(|mut file| file.read_exact(&mut magic));
        read.is_ok() && magic == *b"\x7fELF"
    };
    for some in found.lines().filter(is_elf).collect::<Vec<_>>().chunks(100) {
        let told = run(tool("readelf")
            .args(["--program-headers", "--dynamic", "--wide"])
            .args(some));
        elves += some.len();
        let is_place = |line: &&str| line.contains("interpreter:") || line.contains("PATH)");
        for place in told.lines().filter(is_place) {
            assert!(!place.contains("/nix/store"), "{place}");
            rewritten += usize::from(place.contains("[//"));
            rewritten += usize::from(place.contains("interpreter: //"));
        }
    }
    assert!(
        elves > 500 && rewritten > 500,
        "{elves} ELF files, {rewritten} paths in them"
    );

    // The report names what stays: what the manual pages of Nix and its programs say of store paths.
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    let layout = &report["layouts"][0];
    assert!(layout["rewritten_files"].as_u64() > Some(500), "{layout}");
    let texts = |list: &str, key: &str| -> Vec<String> {
        let entries = layout[list].as_array().unwrap().iter();
        entries.map(|entry| entry[key].as_str().unwrap().into()).collect()
    };
    assert_eq!(texts("conflicts", "path"), ["/usr/sbin"]);
    let left = texts("leftovers", "path");
    assert!(
        left.contains(&"/usr/share/man/man1/nix-env.1.gz".to_string()),
        "{left:?}"
    );
    assert!(left.iter().all(|path| path.contains("nix")), "{left:?}");
    let kinds: BTreeSet<String> = texts("leftovers", "kind").into_iter().collect();
    assert_eq!(
        kinds.into_iter().collect::<Vec<_>>(),
        ["compressed", "outside-closure"]
    );
}
