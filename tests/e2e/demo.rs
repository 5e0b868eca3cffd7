//! The demo: its specifications, its store, and the kiln that builds it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::tools::{files, given, run, sha256, tool, variable};

/// The workspace.
pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().into()
}

/// Cargo's folder for what is built.
pub(crate) fn target() -> PathBuf {
    workspace().join(variable("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()))
}

/// The program, as tests/run compiles it.
pub(crate) fn kiln_program() -> PathBuf {
    target().join("ci/kiln")
}

/// Nothing that one test has compressed reaches another: without a home there is no usual cache.
pub(crate) fn kiln() -> Command {
    let mut kiln = tool(kiln_program().to_str().unwrap());
    kiln.env_remove("HOME").env_remove("XDG_CACHE_HOME");
    kiln
}

/// Whether kiln, the demo's store and its loader have been made.
pub(crate) fn is_made() -> bool {
    let out = demo().join("out");
    [
        kiln_program(),
        out.join("store/closure-info/store-paths"),
        out.join("store/stamp"),
        out.join("loader/u-boot.itb"),
        out.join("keys/release.pem"),
    ]
    .iter()
    .all(|path| {
        let condition = format!("{} is there (tests/run store build makes it)", path.display());
        given(path.exists(), &condition)
    })
}

/// The demo's folder.
pub(crate) fn demo() -> PathBuf {
    workspace().join("demo")
}

/// The store paths of the demo's closure.
pub(crate) fn store_paths() -> Vec<String> {
    let text = fs::read_to_string(demo().join("out/store/closure-info/store-paths")).unwrap();
    text.lines().map(ToString::to_string).collect()
}

/// The store path of the demo's system.
pub(crate) fn toplevel() -> String {
    toplevel_of(&demo().join("out/store"))
}

/// The store path of the system in one of the demo's stores.
pub(crate) fn toplevel_of(store: &Path) -> String {
    let text = fs::read_to_string(store.join("toplevel")).unwrap();
    text.trim().into()
}

/// Where a path of the store's file system lies on this machine, when all links on the way are followed.
pub(crate) fn host_path(path: &str) -> PathBuf {
    followed(&demo().join("out/store/root"), path)
}

/// Where a path of a file system lies that is below a folder of this machine, when all links on the way are followed.
pub(crate) fn followed(root: &Path, path: &str) -> PathBuf {
    let mut place = root.to_path_buf();
    for part in path.trim_start_matches('/').split('/') {
        place.push(part);
        while let Ok(link) = fs::read_link(&place) {
            place = match link.strip_prefix("/") {
                Ok(inside) => root.join(inside),
                Err(_) => place.parent().unwrap().join(link),
            };
        }
    }
    place
}

/// A specification of the demo with another level, in a folder of the caller.
pub(crate) fn with_level(name: &str, level: u32, folder: &Path) -> PathBuf {
    let demo = demo();
    let text = fs::read_to_string(demo.join(name)).unwrap();
    let changed = text.replace("level = 19", &format!("level = {level}"));
    assert_ne!(text, changed, "{name} has level 19");
    let (out, source) = (demo.join("out/"), demo.join(""));
    let changed = changed
        .replace("\"out/", &format!("\"{}", out.display()))
        .replace("source = \"", &format!("source = \"{}", source.display()));
    let path = folder.join(name);
    fs::write(&path, changed).unwrap();
    path
}

/// Files of this machine as lines of a specification: each lies by its name in a folder.
pub(crate) fn files_in(folder: &str, files: &BTreeMap<String, PathBuf>) -> String {
    let line = |(name, path): (&String, &PathBuf)| format!("\"{folder}/{name}\" = \"{}\"\n", path.display());
    files.iter().map(line).collect()
}

/// A copy of all that the Rock64's image is made of, with level 3: `rock64.toml` in a folder of the caller.
pub(crate) fn copy_inputs(folder: &Path) -> PathBuf {
    let demo = demo();
    let store = folder.join("out/store/root/nix/store");
    fs::create_dir_all(&store).unwrap();
    let from = demo.join("out/store/root/nix/store");
    // Backwards, so that the copy's folders are in another order, if the file system keeps any.
    let mut copy = tool("cp");
    copy.arg("-a").arg("--");
    for path in store_paths().iter().rev() {
        copy.arg(from.join(path.rsplit('/').next().unwrap()));
    }
    run(copy.arg(&store));
    run(tool("cp")
        .arg("-a")
        .args(["store/closure-info", "loader", "keys"].map(|folder| demo.join("out").join(folder)))
        .arg(folder.join("out")));
    fs::rename(
        folder.join("out/closure-info"),
        folder.join("out/store/closure-info"),
    )
    .unwrap();
    fs::copy(demo.join("boot.cmd"), folder.join("boot.cmd")).unwrap();
    let text = fs::read_to_string(demo.join("rock64.toml")).unwrap();
    let path = folder.join("rock64.toml");
    fs::write(&path, text.replace("level = 19", "level = 3")).unwrap();
    path
}

/// The sha256 of each file in a folder of outputs.
pub(crate) fn digests(folder: &Path) -> BTreeMap<String, String> {
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_string();
    files(folder)
        .iter()
        .map(|path| (name(path), sha256(path)))
        .collect()
}
