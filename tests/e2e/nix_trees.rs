//! A root as a folder: what a shell makes of an environment and its closure, and more.

use std::fs;
use std::path::Path;

use crate::nix_world::{names, world};
use crate::tools::{run, tool};

/// Kinds, programs and links of all that is in a folder.
fn listed(folder: &Path) -> Vec<String> {
    let format = "%P %y %l %m\n";
    let text = run(tool("find")
        .arg(folder)
        .args(["-mindepth", "1", "-printf", format]));
    let line = |line: &str| {
        let (rest, mode) = line.rsplit_once(' ').unwrap();
        let runs = u32::from_str_radix(mode, 8).unwrap() & 0o100 != 0;
        format!("{rest}{}", if runs { " x" } else { "" })
    };
    let mut lines: Vec<String> = text.lines().map(line).collect();
    lines.sort();
    lines
}

#[test]
fn an_environment_and_its_closure_as_a_shell_copies_them() {
    let Some(world) = world() else { return };
    let [made, environment] = world.built(["drop-ins.tree.links", "drop-ins.tree.environment"]);
    let dir = tempfile::tempdir().unwrap();
    let copied = dir.path().join("copied");
    let store = copied.join("nix/store");
    fs::create_dir_all(&store).unwrap();
    let name = environment.file_name().unwrap().to_str().unwrap();
    let mut query = world.nix("nix-store");
    let paths = run(query
        .args(["--query", "--requisites"])
        .arg(format!("/nix/store/{name}")));
    for path in paths.lines() {
        let path = world.store().join(path.trim_start_matches('/'));
        run(tool("cp").args(["-r", "-P"]).arg(path).arg(&store));
    }
    let copy = r#"cp -r -P "$0"/* "$1""#;
    run(tool("bash").args(["-c", copy]).arg(&environment).arg(&copied));
    assert_eq!(listed(&made), listed(&copied));
    run(tool("diff")
        .args(["-r", "--no-dereference"])
        .arg(&made)
        .arg(&copied));
}

#[test]
fn a_root_without_a_store_is_a_folder_too() {
    let Some(world) = world() else { return };
    let [fhs, files] = world.built(["drop-ins.tree.fhs", "drop-ins.tree.files"]);
    assert!(fhs.join("bin/true").is_file() && !fhs.join("nix").exists());
    assert_eq!(names(&files), [".hidden", "bin", "closed", "etc", "usr"]);
    let lines = listed(&files);
    for line in [
        "bin l usr/bin x",
        "closed/in/kept f ",
        "etc/run f  x",
        "usr/bin d  x",
    ] {
        assert!(lines.iter().any(|found| found == line), "{line} in {lines:?}");
    }
}
