//! A reader that others wrote in Rust finds what was packed.

use std::collections::BTreeMap;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;

use erofs::Options;
use erofs_rs::EroFS;
use erofs_rs::backend::SliceImage;
use image::{Kind, NodeId, ReadAt, Tree};

use crate::support::{CLUSTERS, COMPRESSIONS, compressible, modern_options, odd, options, plan};

/// Compares all paths, kinds, owners, modes, times, contents, targets and attributes.
fn agree(image: &[u8], tree: &Tree) {
    let theirs = EroFS::new(SliceImage::new(image)).unwrap();
    let mut wanted: BTreeMap<Vec<u8>, NodeId> =
        tree.walk().map(|entry| (entry.path.clone(), entry.id)).collect();
    wanted.remove(&b"/"[..]);
    wanted.remove(&b""[..]);
    for entry in theirs.walk_dir("/").unwrap() {
        let entry = entry.unwrap();
        let path = entry.dir_entry.path().into_vec();
        let shown = image::show(&path);
        let node = tree.node(wanted.remove(&path).unwrap());
        let inode = entry.inode;
        assert_eq!(
            (inode.uid(), inode.gid(), inode.permissions().mode() & 0o7777),
            (node.meta.uid, node.meta.gid, node.meta.mode.into()),
            "{shown}"
        );
        assert_eq!(inode.modified_unix().0, node.meta.mtime, "{shown}");
        let found = theirs.xattrs_inode(inode).unwrap();
        let xattrs = node.meta.xattrs.iter();
        let xattrs = xattrs.map(|xattr| (xattr.name.to_vec(), xattr.value.to_vec()));
        assert_eq!(found, xattrs.collect(), "{shown}");
        match &node.kind {
            Kind::Directory(_) => assert!(inode.is_dir(), "{shown}"),
            Kind::File(content) => {
                let mut bytes = Vec::new();
                let mut file = theirs.open_inode_file(inode).unwrap();
                file.read_to_end(&mut bytes).unwrap();
                assert!(bytes == content.to_vec().unwrap(), "{shown}");
            }
            Kind::Symlink(target) => {
                let found = theirs.read_link_inode(inode).unwrap();
                assert_eq!(found.into_vec(), target.to_vec(), "{shown}");
            }
            Kind::CharDevice(device) | Kind::BlockDevice(device) => {
                assert_eq!(inode.device(), Some((device.major, device.minor)), "{shown}");
            }
            Kind::Fifo | Kind::Socket => assert!(!inode.is_file() && !inode.is_dir(), "{shown}"),
        }
    }
    assert_eq!(
        wanted.keys().map(|path| image::show(path)).collect::<Vec<_>>(),
        [""; 0]
    );
}

#[test]
fn a_reader_that_others_wrote_agrees() {
    let mut tree = odd();
    tree.graft(NodeId::ROOT, b"compressible", compressible()).unwrap();
    let portable = COMPRESSIONS.into_iter().zip(CLUSTERS.into_iter().cycle());
    let portable = portable.map(|(compression, cluster)| Options {
        compression,
        cluster,
        ..options()
    });
    for options in portable.chain(modern_options()) {
        let image = plan(&tree, &options).image;
        let mut bytes = vec![0; usize::try_from(image.size()).unwrap()];
        image.read_exact_at(&mut bytes, 0).unwrap();
        agree(&bytes, &tree);
    }
}
