//! Disks by systemd-repart and by Kiln, out of the same definitions.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::evaluated;
use crate::demo::kiln;
use crate::nix_world::{names, world};
use crate::tools::{given, installed, is_root, run, tool};

const SEED: &str = "0867da16-f251-457d-a9e8-c31f9a3c220b";

/// A disk by systemd-repart and one by Kiln out of the same definitions.
pub(super) struct Pair {
    dir: tempfile::TempDir,
    pub(super) file: String,
}

impl Pair {
    pub(super) fn make(case: &Value) -> Pair {
        let dir = tempfile::tempdir().unwrap();
        let (theirs, ours) = (dir.path().join("theirs"), dir.path().join("ours"));
        let definitions = dir.path().join("repart.d");
        for folder in [&theirs, &ours, &definitions] {
            fs::create_dir(folder).unwrap();
        }
        for (id, text) in case["definitions"].as_object().unwrap() {
            let file = definitions.join(format!("{id}.conf"));
            fs::write(file, text.as_str().unwrap()).unwrap();
        }
        let file = case["specification"]["disk"]["file"].as_str().unwrap().to_owned();
        let size = case["size"].as_str().unwrap();
        let split = case["split"].as_bool().unwrap();
        let mut repart = tool("systemd-repart");
        repart
            .current_dir(&theirs)
            .args(["--dry-run=no", "--empty=create", "--json=pretty"])
            .arg(format!("--size={size}"))
            .arg(format!("--seed={SEED}"))
            .arg(format!("--definitions={}", definitions.display()))
            .arg(format!("--split={split}"))
            .arg(&file);
        fs::write(theirs.join("repart-output.json"), run(&mut repart)).unwrap();
        let spec = dir.path().join("spec.json");
        fs::write(&spec, case["specification"].to_string()).unwrap();
        run(kiln()
            .arg("build")
            .arg(&spec)
            .arg("--out")
            .arg(&ours)
            .args(["--only", "disk"]));
        Pair { dir, file }
    }

    pub(super) fn folder(&self, who: &str) -> PathBuf {
        self.dir.path().join(who)
    }

    /// What sfdisk says of a disk, but where its table ends: Kiln's has room before the first MiB.
    pub(super) fn table(&self, who: &str) -> Vec<String> {
        let mut sfdisk = tool("sfdisk");
        let dump = run(sfdisk.current_dir(self.folder(who)).arg("--dump").arg(&self.file));
        dump.lines()
            .filter(|line| !line.starts_with("first-lba"))
            .map(str::to_owned)
            .collect()
    }

    pub(super) fn list(&self, who: &str) -> Value {
        let text = fs::read(self.folder(who).join("repart-output.json")).unwrap();
        serde_json::from_slice(&text).unwrap()
    }

    /// The same without what systemd-repart says since versions 253 and 257.
    pub(super) fn list_without_news(&self, who: &str) -> Value {
        let mut list = self.list(who);
        for (number, entry) in list.as_array_mut().unwrap().iter_mut().enumerate() {
            let entry = entry.as_object_mut().unwrap();
            assert_eq!(entry.remove("partno"), Some(json!(number)), "{}", self.file);
            entry.remove("split_path");
        }
        list
    }

    /// Both disks have the same size, table and list, and the same files lie beside them.
    fn compare(&self, name: &str) {
        let size = |who: &str| fs::metadata(self.folder(who).join(&self.file)).unwrap().len();
        assert_eq!(size("ours"), size("theirs"), "{name}");
        assert_eq!(self.table("ours"), self.table("theirs"), "{name}");
        assert_eq!(self.list_without_news("ours"), self.list("theirs"), "{name}");
        assert_eq!(
            names(&self.folder("ours")),
            names(&self.folder("theirs")),
            "{name}"
        );
    }
}

#[test]
fn tables_are_those_of_systemd_repart() {
    if !installed(&["systemd-repart", "sfdisk"]) {
        return;
    }
    let Some(world) = world() else { return };
    let cases = evaluated(&world, "tables");
    let cases = cases.as_object().unwrap();
    assert_eq!(cases.len(), 5);
    for (name, case) in cases {
        let pair = Pair::make(case);
        pair.compare(name);
        if case["split"] == true {
            for file in names(&pair.folder("ours")) {
                let size = |who: &str| fs::metadata(pair.folder(who).join(&file)).unwrap().len();
                if file != "repart-output.json" {
                    assert_eq!(size("ours"), size("theirs"), "{file}");
                }
            }
        }
    }
}

/// Whether systemd-repart 252 can make file systems here.
pub(super) fn has_loops() -> bool {
    let has_loops = Path::new("/dev/loop-control").exists();
    is_root() && given(has_loops, "there are loop devices")
}

#[test]
fn file_systems_have_the_ids_and_labels_of_systemd_repart() {
    let tools = [
        "systemd-repart",
        "sfdisk",
        "blkid",
        "mkswap",
        "mkfs.vfat",
        "mkfs.ext4",
    ];
    if !installed(&tools) || !has_loops() {
        return;
    }
    let Some(world) = world() else { return };
    let pair = Pair::make(&evaluated(&world, "formatted"));
    pair.compare("formatted");
    let parts = names(&pair.folder("ours"));
    assert_eq!(parts.len(), 6, "{parts:?}");
    for file in parts.iter().filter(|file| file.matches('.').count() == 2) {
        let probed = |who: &str| {
            let mut blkid = tool("blkid");
            let text = run(blkid
                .args(["--probe", "--output", "export"])
                .arg(pair.folder(who).join(file)));
            let fields = text.lines().filter_map(|line| line.split_once('='));
            let known = |key: &str| ["TYPE", "UUID", "LABEL", "VERSION", "USAGE"].contains(&key);
            fields
                .filter(|(key, _)| known(key))
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .collect::<BTreeMap<_, _>>()
        };
        let ours = probed("ours");
        assert!(ours.len() >= 4, "{file}: {ours:?}");
        assert_eq!(ours, probed("theirs"), "{file}");
    }
}

/// Folders that file systems are made of.
pub(super) fn sources() -> tempfile::TempDir {
    let sources = tempfile::tempdir().unwrap();
    for (path, text) in [
        ("one/file", "one"),
        ("one/both/first", "first"),
        ("two/file", "two"),
        ("three/both/second", "second"),
    ] {
        let file = sources.path().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    std::os::unix::fs::symlink("file", sources.path().join("one/link")).unwrap();
    sources
}

#[test]
fn files_lie_where_systemd_repart_puts_them() {
    if !installed(&["systemd-repart", "sfdisk", "mkfs.ext4", "debugfs", "diff"]) || !has_loops() {
        return;
    }
    let Some(world) = world() else { return };
    let sources = sources();
    let case = evaluated(&world, "filled").to_string();
    let case = case.replace("/SOURCES", sources.path().to_str().unwrap());
    let pair = Pair::make(&serde_json::from_str(&case).unwrap());
    pair.compare("filled");
    let parts = names(&pair.folder("ours"));
    let part = parts.iter().find(|file| file.contains(".root-")).unwrap();
    for who in ["ours", "theirs"] {
        let tree = pair.dir.path().join(format!("tree-{who}"));
        fs::create_dir(&tree).unwrap();
        let mut debugfs = tool("debugfs");
        debugfs
            .args(["-R", &format!("rdump / {}", tree.display())])
            .arg(pair.folder(who).join(part));
        run(&mut debugfs);
    }
    let tree = |who: &str| pair.dir.path().join(format!("tree-{who}"));
    let text = |path: &str| fs::read_to_string(tree("ours").join(path)).unwrap();
    assert_eq!((text("etc/file"), text("a%b/c")), ("one".into(), "one".into()));
    assert_eq!(
        (text("etc/more/file"), text("etc/both/second")),
        ("two".into(), "second".into())
    );
    let mut diff = tool("diff");
    run(diff
        .args(["--recursive", "--no-dereference"])
        .args([tree("ours"), tree("theirs")]));
}
