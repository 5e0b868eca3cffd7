//! The zoo of odd trees, a text form of trees that tests compare, and how tools of others are run. The tests of all
//! formats share it.

pub(crate) mod oracle;

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Arc;

use image::{Content, Device, Kind, Layout, Meta, Node, NodeId, Tree, Unit, Xattr, show};
use sha2::{Digest, Sha256};

/// Bytes that look different at every place, and compress badly unless `step` is 0.
pub(crate) fn bytes(len: usize, step: u32) -> Vec<u8> {
    let mut state = step;
    let next = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(step);
        (state >> 24) as u8
    };
    (0..len).map(next).collect()
}

/// A tree with everything that file systems get wrong, for blocks of `block` bytes.
pub(crate) fn zoo(block: usize) -> Tree {
    let mut tree = Tree::default();
    let mut file = |path: &str, bytes: Vec<u8>| tree.add_at(path.as_bytes(), Node::file(bytes)).unwrap();
    for (number, len) in [0, 1, 4095, 4096, 4097, block - 1, block, block + 1, 3 * block + 5]
        .into_iter()
        .enumerate()
    {
        file(
            &format!("/sizes/{len}-{number}"),
            bytes(len, 7 + u32::try_from(number).unwrap()),
        );
    }
    file("/sparse/all", vec![0; 4 * block]);
    file("/sparse/head", [vec![0; 2 * block], bytes(block, 3)].concat());
    file(
        "/sparse/middle",
        [bytes(block, 4), vec![0; 2 * block], bytes(9, 4)].concat(),
    );
    file(
        "/sparse/tail",
        [bytes(block, 5), vec![0; 2 * block + 77]].concat(),
    );
    file("/sparse/small", vec![0; block / 2]);
    for number in 0..5 {
        file(&format!("/duplicates/small-{number}"), bytes(block / 3, 11));
        file(&format!("/duplicates/large-{number}"), bytes(2 * block + 9, 12));
    }
    file("/names/Case", b"upper".to_vec());
    file("/names/case", b"lower".to_vec());
    file(&format!("/names/{}", "l".repeat(255)), b"long".to_vec());
    file("/names/ü-unicode-名前", b"utf-8".to_vec());
    let deep = "/level".repeat(40);
    file(&format!("{deep}/leaf"), b"leaf".to_vec());
    let names = tree.lookup(b"/names").unwrap();
    for name in [
        &b"latin1-\xe9"[..],
        b"\xff",
        b"tab\tnewline\n",
        b"quote\"'\\",
        b"-dash",
        b" space ",
        b"\x01",
    ] {
        tree.add(names, name, Node::file(name)).unwrap();
    }
    for len in [1, 59, 60, 61, 4095] {
        tree.add_at(format!("/links/{len}").as_bytes(), Node::symlink("t".repeat(len)))
            .unwrap();
    }
    tree.add_at(b"/links/dangling", Node::symlink("/nowhere"))
        .unwrap();
    tree.add_at(b"/links/odd", Node::symlink(b"\xe9\n")).unwrap();
    tree.make_directory(b"/empty/directory").unwrap();
    let linked = tree.add_at(b"/hard/a", Node::file(&b"linked"[..])).unwrap();
    let hard = tree.lookup(b"/hard").unwrap();
    tree.link(hard, b"b", linked).unwrap();
    tree.link(names, b"elsewhere", linked).unwrap();
    tree
}

/// What needs root to be unpacked: devices, owners, modes and times.
pub(crate) fn add_specials(tree: &mut Tree) {
    let mut add = |path: &str, mode: u16, kind: Kind| {
        let meta = Meta {
            mode,
            uid: 1000,
            gid: 100,
            mtime: 1_234_567_890,
            xattrs: Vec::new(),
        };
        tree.add_at(path.as_bytes(), Node { meta, kind }).unwrap()
    };
    add(
        "/dev/null",
        0o666,
        Kind::CharDevice(Device { major: 1, minor: 3 }),
    );
    add(
        "/dev/disk",
        0o660,
        Kind::BlockDevice(Device {
            major: 259,
            minor: 0x12345,
        }),
    );
    add("/dev/pipe", 0o600, Kind::Fifo);
    add("/dev/socket", 0o700, Kind::Socket);
    add("/modes/setuid", 0o4755, Kind::File(Content::from(&b"su"[..])));
    add("/modes/none", 0, Kind::File(Content::from(&b"none"[..])));
    add(
        "/modes/sticky",
        0o1777,
        Kind::Directory(image::Directory::default()),
    );
    tree.node_mut(NodeId::ROOT).meta.mtime = 4_000_000_000;
}

/// Extended attributes on a file, a directory and a link.
pub(crate) fn add_xattrs(tree: &mut Tree) {
    let xattr = |name: &str, value: &[u8]| Xattr {
        name: name.as_bytes().into(),
        value: value.into(),
    };
    let mut capability = [0; 20];
    (capability[3], capability[5]) = (2, 0x20);
    let shared = vec![
        xattr("security.capability", &capability),
        xattr("user.note", b"shared"),
    ];
    for path in ["/hard/a", "/sizes", "/names/Case"] {
        let id = tree.lookup(path.as_bytes()).unwrap();
        tree.node_mut(id).meta.xattrs.clone_from(&shared);
    }
    let id = tree.lookup(b"/names/case").unwrap();
    tree.node_mut(id).meta.xattrs = vec![xattr("user.big", &bytes(3000, 21)), xattr("user.empty", b"")];
    let id = tree.lookup(b"/links/dangling").unwrap();
    tree.node_mut(id).meta.xattrs = vec![xattr("trusted.link", b"on a link")];
}

/// Marks every directory in the root as a unit.
pub(crate) fn add_units(tree: &mut Tree) {
    let roots: Vec<(Vec<u8>, NodeId)> = tree
        .children(NodeId::ROOT)
        .map(|(name, id)| (name.to_vec(), id))
        .collect();
    for (name, id) in roots {
        tree.mark_unit(
            id,
            Unit {
                order: name.clone().into(),
                name: name.into(),
            },
        );
    }
}

/// A directory of 65 000 names and a file of more than 4 GiB, most of it a hole.
pub(crate) fn giants() -> Tree {
    giants_with(65_000)
}

/// The same with another number of names.
pub(crate) fn giants_with(names: u32) -> Tree {
    let mut tree = Tree::default();
    let many = tree.make_directory(b"/many").unwrap();
    for number in 0..names {
        tree.add(
            many,
            format!("name-of-file-{number}").as_bytes(),
            Node::file(&b""[..]),
        )
        .unwrap();
    }
    let size = (4 << 30) + 12345;
    let mut layout = Layout::new();
    layout.put(1 << 20, "head", &b"head"[..]);
    layout.put(size - 4, "tail", &b"tail"[..]);
    let content = Content::Image(Arc::new(layout.finish(size).unwrap()));
    tree.add_at(b"/large", Node::file(content)).unwrap();
    tree
}

/// Every name of a tree with all that is known of it, one a line. Names of one file have the same number.
pub(crate) fn dump(tree: &Tree) -> Vec<String> {
    let mut first: BTreeMap<NodeId, usize> = BTreeMap::new();
    let line = |(number, entry): (usize, image::Entry)| {
        let node = tree.node(entry.id);
        let same = *first.entry(entry.id).or_insert(number);
        let Meta {
            mode,
            uid,
            gid,
            mtime,
            xattrs,
        } = &node.meta;
        let xattrs: Vec<String> = xattrs
            .iter()
            .map(|xattr| format!("{}={}", show(&xattr.name), show(&xattr.value)))
            .collect();
        let what = match &node.kind {
            Kind::Directory(_) => "directory".to_string(),
            Kind::File(content) => format!("file {} {}", content.len(), digest(content)),
            Kind::Symlink(target) => format!("link {}", show(target)),
            Kind::CharDevice(device) => format!("char {}:{}", device.major, device.minor),
            Kind::BlockDevice(device) => format!("block {}:{}", device.major, device.minor),
            Kind::Fifo => "fifo".to_string(),
            Kind::Socket => "socket".to_string(),
        };
        format!(
            "{} #{same} {mode:o} {uid}:{gid} @{mtime} {xattrs:?} {what}",
            show(&entry.path)
        )
    };
    tree.walk().enumerate().map(line).collect()
}

/// Of what is more than zeros, with its place: it takes seconds to hash gigabytes of these.
fn digest(content: &Content) -> String {
    let mut hasher = Sha256::new();
    let mut reader = content.reader().unwrap();
    let (mut chunk, zeros) = (vec![0; 1 << 20], vec![0; 1 << 20]);
    let mut place = 0_u64;
    while reader.remaining() > 0 {
        let len = reader.fill(&mut chunk).unwrap();
        if chunk[..len] != zeros[..len] {
            hasher.update(place.to_le_bytes());
            hasher.update(&chunk[..len]);
        }
        place += len as u64;
    }
    hex(&hasher.finalize())
}

/// The first bytes of a digest.
pub(crate) fn hex(digest: &[u8]) -> String {
    digest[..8]
        .iter()
        .fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// Compares line by line, so that a failure shows the line and not two whole trees.
pub(crate) fn assert_same(found: &Tree, wanted: &Tree) {
    let (found, wanted) = (dump(found), dump(wanted));
    for (found, wanted) in found.iter().zip(&wanted) {
        assert_eq!(found, wanted);
    }
    assert_eq!(found.len(), wanted.len());
}

pub(crate) fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "{command:?}: {text}");
    text
}
