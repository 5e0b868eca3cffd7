//! A reader that others wrote, with decompressors of its own, finds in our images what was put into them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use btrfs::Options;
use fs_btrfs::Filesystem;
use fs_core::FileDevice;
use image::{Kind, NodeId, Tree, Xattr};

use crate::support::{COMPRESSIONS, METADATA, PROFILES, compressible, odd, options, plan, write};

/// What it finds at a path and below.
struct Theirs {
    system: Filesystem,
    /// The inodes of ours that have been come by, and theirs.
    inodes: BTreeMap<NodeId, u64>,
    files: u32,
}

impl Theirs {
    fn mount(path: &Path) -> Theirs {
        Theirs {
            system: Filesystem::mount(Arc::new(FileDevice::open(path).unwrap())).unwrap(),
            inodes: BTreeMap::new(),
            files: 0,
        }
    }

    fn compare(&mut self, number: u64, tree: &Tree, id: NodeId, path: &[u8]) {
        let path = image::show(path);
        let before = self.inodes.insert(id, number);
        assert!(
            before.is_none_or(|before| before == number),
            "{path}: a hard link"
        );
        if before.is_some() {
            return;
        }
        let (inode, node) = (self.system.read_inode(number).unwrap(), tree.node(id));
        let meta = &node.meta;
        assert_eq!(inode.mode & 0o7777, u32::from(meta.mode), "{path}");
        assert_eq!((inode.uid, inode.gid), (meta.uid, meta.gid), "{path}");
        let xattrs = self.system.list_xattrs(number).unwrap();
        let mut xattrs: Vec<Xattr> = xattrs
            .into_iter()
            .map(|xattr| Xattr {
                name: xattr.name.into(),
                value: xattr.value.into(),
            })
            .collect();
        xattrs.sort();
        assert_eq!(xattrs, meta.xattrs, "{path}");
        match &node.kind {
            Kind::File(content) => {
                let found = self.system.read_file(number).unwrap();
                assert!(found == content.to_vec().unwrap(), "{path}: other bytes");
                self.files += 1;
            }
            Kind::Symlink(target) => assert_eq!(self.system.read_link(number).unwrap(), **target, "{path}"),
            _ => {}
        }
    }

    /// All below a directory.
    fn compare_all(&mut self, number: u64, tree: &Tree, id: NodeId, path: &[u8]) {
        self.compare(number, tree, id, path);
        if !matches!(tree.node(id).kind, Kind::Directory(_)) {
            return;
        }
        let mut entries = self.system.read_dir(number).unwrap();
        entries.retain(|entry| entry.name != b"." && entry.name != b"..");
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        let names: Vec<&[u8]> = entries.iter().map(|entry| &*entry.name).collect();
        let wanted: Vec<&[u8]> = tree.children(id).map(|(name, _)| name).collect();
        assert_eq!(names, wanted, "{}", image::show(path));
        for (entry, (name, id)) in entries.iter().zip(tree.children(id)) {
            self.compare_all(entry.ino, tree, id, &[path, name].join(&b'/'));
        }
    }
}

#[test]
fn another_reader_finds_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("image");
    let mut tree = odd();
    tree.graft(NodeId::ROOT, b"compressible", compressible()).unwrap();
    for (number, compression) in COMPRESSIONS.into_iter().enumerate() {
        let options = Options {
            compression,
            ..options(PROFILES[number % 2], METADATA[number / 2 % 2])
        };
        write(&plan(&tree, &options).image, &path);
        let mut theirs = Theirs::mount(&path);
        theirs.compare_all(256, &tree, NodeId::ROOT, b"");
        assert!(theirs.files > 60, "{}", theirs.files);
    }
}
