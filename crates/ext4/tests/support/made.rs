//! Images that others' tools make of trees.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{File, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use ext4::Error;
use ext4::read::FileSystem;
use image::{Kind, Node, NodeId, Tree};

use crate::support::oracle::installed;
use crate::support::{fsck, run};

pub(crate) const TOOLS: [&str; 3] = ["mke2fs", "e2fsck", "debugfs"];

/// Only root can make devices and give files away. In CI the tests run as root.
pub(crate) fn can_make() -> bool {
    let root = run(Command::new("id").arg("-u")).trim() == "0";
    (root || installed("root's rights")) && have_tools()
}

/// Whether the tools are here.
pub(crate) fn have_tools() -> bool {
    TOOLS.into_iter().all(installed)
}

/// The tree without some nodes. Hard links stay what they are.
pub(crate) fn without(tree: &Tree, drop: impl Fn(&Node) -> bool) -> Tree {
    let mut kept = Tree::new(empty(tree.node(NodeId::ROOT)));
    let mut ids = BTreeMap::new();
    for entry in tree.walk().skip(1).filter(|entry| entry.path != b"/lost+found") {
        let node = tree.node(entry.id);
        if drop(node) {
            continue;
        }
        let cut = entry.path.iter().rposition(|byte| *byte == b'/').unwrap();
        let (parent, name) = (kept.lookup(&entry.path[..cut]).unwrap(), &entry.path[cut + 1..]);
        if let Some(id) = ids.get(&entry.id) {
            kept.link(parent, name, *id).unwrap();
        } else {
            ids.insert(entry.id, kept.add(parent, name, empty(node)).unwrap());
        }
    }
    kept
}

/// A directory without its entries; anything else as it is.
fn empty(node: &Node) -> Node {
    let kind = match &node.kind {
        Kind::Directory(_) => Kind::Directory(image::Directory::default()),
        other => other.clone(),
    };
    let meta = node.meta.clone();
    Node { meta, kind }
}

fn host(folder: &Path, path: &[u8]) -> PathBuf {
    folder.join(OsStr::from_bytes(path.strip_prefix(b"/").unwrap()))
}

/// Makes a folder of the host out of a tree, without its extended attributes.
pub(crate) fn unpack(tree: &Tree, folder: &Path) {
    let mut first: BTreeMap<NodeId, PathBuf> = BTreeMap::new();
    for entry in tree.walk().skip(1) {
        let (path, node) = (host(folder, &entry.path), tree.node(entry.id));
        if let Some(first) = first.get(&entry.id) {
            std::fs::hard_link(first, &path).unwrap();
            continue;
        }
        first.insert(entry.id, path.clone());
        let mknod = |kind: &str, device: Option<&image::Device>| {
            let numbers = device.map(|device| [device.major, device.minor].map(|number| number.to_string()));
            run(Command::new("mknod")
                .arg(&path)
                .arg(kind)
                .args(numbers.iter().flatten()));
        };
        match &node.kind {
            Kind::Directory(_) => std::fs::create_dir(&path).unwrap(),
            Kind::File(content) => std::fs::write(&path, content.to_vec().unwrap()).unwrap(),
            Kind::Symlink(target) => symlink(OsStr::from_bytes(target), &path).unwrap(),
            Kind::CharDevice(device) => mknod("c", Some(device)),
            Kind::BlockDevice(device) => mknod("b", Some(device)),
            Kind::Fifo => mknod("p", None),
            Kind::Socket => drop(UnixListener::bind(&path).unwrap()),
        }
        std::os::unix::fs::lchown(&path, Some(node.meta.uid), Some(node.meta.gid)).unwrap();
        if !matches!(node.kind, Kind::Symlink(_)) {
            std::fs::set_permissions(&path, Permissions::from_mode(node.meta.mode.into())).unwrap();
        }
    }
    run(Command::new("find")
        .arg(folder)
        .args(["-exec", "touch", "-h", "-d", "@1", "{}", "+"]));
    for entry in tree.walk().skip(1) {
        let mtime = tree.node(entry.id).meta.mtime;
        if mtime != 1 {
            let time = format!("@{mtime}");
            run(Command::new("touch")
                .args(["-h", "-d", &time])
                .arg(host(folder, &entry.path)));
        }
    }
}

/// An image that mke2fs has made of a folder, and debugfs has completed.
pub(crate) struct Made {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) path: PathBuf,
}

impl Made {
    /// An image of a folder, of 80 MiB.
    pub(crate) fn of(folder: &Path, arguments: &[&str]) -> Made {
        let made = Made::empty();
        let mut command = Command::new("mke2fs");
        command
            .args(arguments)
            .args(["-q", "-N", "8000", "-d"])
            .arg(folder);
        run(command.arg(&made.path).arg("80M"));
        made
    }

    fn empty() -> Made {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("image");
        Made { dir, path }
    }

    /// Makes a small file system with nothing in it.
    pub(crate) fn small(arguments: &[&str]) -> Made {
        let made = Made::empty();
        run(Command::new("mke2fs")
            .args(arguments)
            .arg("-q")
            .arg(&made.path)
            .arg("16M"));
        made
    }

    /// Runs commands of debugfs.
    pub(crate) fn debugfs(&self, commands: &str) {
        let script = self.dir.path().join("script");
        std::fs::write(&script, commands).unwrap();
        let said = run(Command::new("debugfs")
            .arg("-w")
            .arg("-f")
            .arg(&script)
            .arg(&self.path));
        // Its exit code says nothing.
        let expected = ["debugfs", "Allocated inode: ", "Filesystem features: "];
        let is_fine =
            |line: &str| !line.contains(": ") || expected.iter().any(|start| line.starts_with(start));
        assert!(said.lines().all(is_fine), "{said}");
    }

    pub(crate) fn add_xattrs(&self, tree: &Tree) {
        let mut script = Vec::new();
        for entry in tree.walk() {
            for xattr in &tree.node(entry.id).meta.xattrs {
                let path = std::str::from_utf8(&entry.path).unwrap();
                let name = std::str::from_utf8(&xattr.name).unwrap();
                let value = self.dir.path().join(format!("value-{}", script.len()));
                std::fs::write(&value, &xattr.value).unwrap();
                script.push(format!("ea_set -f {} \"{path}\" {name}\n", value.display()));
            }
        }
        self.debugfs(&script.concat());
    }

    pub(crate) fn open(&self) -> Result<FileSystem, Error> {
        let file = File::open(&self.path).unwrap();
        let size = file.metadata().unwrap().len();
        FileSystem::open(Arc::new(file), size)
    }

    /// The tree, without lost+found, when everything is right.
    pub(crate) fn tree(&self) -> Tree {
        fsck(&self.path);
        let found = self.open().unwrap();
        found.check().unwrap();
        let mut tree = without(&found.tree().unwrap(), |_| false);
        let root = &mut tree.node_mut(NodeId::ROOT).meta;
        (root.mtime, root.uid, root.gid) = (1, 0, 0);
        tree
    }
}
