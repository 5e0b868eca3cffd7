//! Trees made from bytes, and a form of trees that can be compared.

use std::collections::BTreeMap;
use std::sync::Arc;

use arbitrary::{Result, Unstructured};
use image::{Content, Device, Kind, Layout, Meta, Node, NodeId, Tree, Unit, Xattr};

/// What a tree is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavour {
    /// Everything that a tree can hold, in files of a few blocks.
    Unix,
    /// Mostly what FAT can hold.
    Fat,
}

/// Names that are alike, reserved, or about as long as something has room for.
const NAMES: [&str; 22] = [
    "a",
    "A",
    "b",
    "README.TXT",
    "readme.txt",
    "Readme.txt",
    "kernel-6.12.img",
    "kernel-6.13.img",
    "KERNEL~1.IMG",
    "k\u{212a}",
    "ä",
    "Ä",
    "ß.txt",
    "é",
    ".config",
    "x.tar.gz",
    "noext",
    "ABCDEFGH.XYZ",
    "ABCDEFGHI",
    "AUX",
    "~1",
    "+,;=[]",
];

const LENS: [usize; 12] = [
    0, 1, 511, 512, 513, 4095, 4096, 4097, 8192, 12_293, 65_536, 70_000,
];

/// A tree of at most 48 nodes, and sometimes a directory of many more.
pub fn tree(u: &mut Unstructured, flavour: Flavour) -> Result<Tree> {
    let root = match u.ratio(1, 64)? {
        true => node(u, flavour)?,
        false => Node {
            meta: meta(u, flavour)?,
            ..Node::directory()
        },
    };
    let mut tree = Tree::new(root);
    let mut directories = vec![NodeId::ROOT];
    let mut others: Vec<NodeId> = Vec::new();
    for _ in 0..u.int_in_range(0..=48)? {
        if u.is_empty() {
            break;
        }
        let parent = *u.choose(&directories)?;
        let name = name(u, flavour)?;
        if !others.is_empty() && u.ratio(1, 8)? {
            _ = tree.link(parent, &name, *u.choose(&others)?);
        } else if let Ok(id) = tree.add(parent, &name, node(u, flavour)?) {
            match tree.node(id).kind {
                Kind::Directory(_) => directories.push(id),
                _ => others.push(id),
            }
        }
    }
    if u.ratio(1, 16)? {
        let parent = *u.choose(&directories)?;
        for number in 0..u.int_in_range(0..=700)? {
            _ = tree.add(
                parent,
                format!("kernel-of-{number}.img").as_bytes(),
                Node::file(&b"same"[..]),
            );
        }
    }
    let ids: Vec<NodeId> = tree.nodes().map(|(id, _)| id).collect();
    for _ in 0..u.int_in_range(0..=4)? {
        let id = *u.choose(&ids)?;
        let order = u.bytes(2.min(u.len()))?.into();
        let name = format!("unit {}", id.index()).into_bytes().into();
        tree.mark_unit(id, Unit { order, name });
    }
    Ok(tree)
}

fn name(u: &mut Unstructured, flavour: Flavour) -> Result<Vec<u8>> {
    Ok(match (u.int_in_range(0..=15)?, flavour) {
        (0..=9, _) => u.choose(&NAMES)?.as_bytes().to_vec(),
        (10..=11, _) => u.choose(&NAMES)?.repeat(u.int_in_range(1..=40)?).into_bytes(),
        (12..=14, Flavour::Fat) => {
            let legal = |character: &char| *character >= ' ' && !"\"*/:<>?\\|".contains(*character);
            let text: &str = u.arbitrary()?;
            text.chars()
                .filter(legal)
                .take(60)
                .collect::<String>()
                .into_bytes()
        }
        _ => {
            let len = u.int_in_range(1..=255)?.min(u.len());
            u.bytes(len)?.to_vec()
        }
    })
}

fn node(u: &mut Unstructured, flavour: Flavour) -> Result<Node> {
    let kind = match (u.int_in_range(0..=15)?, flavour) {
        (0..=4, _) => Node::directory().kind,
        (5..=11, _) => Kind::File(content(u)?),
        // One such length is enough: reading compares its ends only.
        (12, Flavour::Fat) if u.ratio(1, 8)? => Kind::File(Content::Zeros(u.int_in_range(0..=5 << 30)?)),
        (_, Flavour::Fat) if u.ratio(63, 64)? => Kind::File(content(u)?),
        (12, _) => Kind::Symlink(match u.ratio(1, 16)? {
            true => vec![b't'; u.int_in_range(60_000..=66_000)?].into(),
            false => u.arbitrary::<&[u8]>()?.into(),
        }),
        (13, _) => Kind::CharDevice(device(u)?),
        (14, _) => Kind::BlockDevice(device(u)?),
        _ if u.arbitrary()? => Kind::Fifo,
        _ => Kind::Socket,
    };
    let meta = meta(u, flavour)?;
    Ok(Node { meta, kind })
}

fn device(u: &mut Unstructured) -> Result<Device> {
    let (major, minor) = (u.int_in_range(0..=4100)?, u.int_in_range(0..=1_050_000)?);
    Ok(Device { major, minor })
}

fn meta(u: &mut Unstructured, flavour: Flavour) -> Result<Meta> {
    let mut meta = Meta::root(0o755);
    if u.ratio(3, 4)? {
        return Ok(meta);
    }
    meta.mtime = match u.arbitrary()? {
        true => u.arbitrary()?,
        false => u.int_in_range(-1..=i64::from(u32::MAX) + 1)?,
    };
    if flavour == Flavour::Unix {
        (meta.mode, meta.uid, meta.gid) = u.arbitrary()?;
        for _ in 0..u.int_in_range(0..=3)? {
            let mut name = u
                .choose(&["user.", "security.", "trusted.", "user.note"])?
                .as_bytes()
                .to_vec();
            name.extend(u.arbitrary::<&[u8]>()?);
            if u.ratio(1, 64)? {
                name.splice(..4, *b"system");
            }
            let value = match u.ratio(1, 16)? {
                true => vec![b'v'; u.int_in_range(0..=70_000)?].into(),
                false => u.arbitrary::<&[u8]>()?.into(),
            };
            meta.xattrs.push(Xattr {
                name: name.into(),
                value,
            });
        }
        meta.xattrs.sort();
    }
    Ok(meta)
}

/// A content of at most 70 000 bytes, of every kind but a host's file.
pub fn content(u: &mut Unstructured) -> Result<Content> {
    Ok(match u.int_in_range(0..=7)? {
        0..=1 => Content::from(u.arbitrary::<&[u8]>()?),
        2 => Content::Zeros(u.choose(&LENS)?.to_owned() as u64),
        3..=5 => noise(*u.choose(&LENS)?, u.arbitrary()?).into(),
        6 => {
            let (start, len) = (u.int_in_range(0..=5000)?, *u.choose(&LENS)? as u64);
            let source = Arc::new(Content::from(noise(75_000, u.arbitrary()?)));
            Content::Span { source, start, len }
        }
        _ => {
            let mut layout = Layout::new();
            layout.put(u.int_in_range(0..=5000)?, "first", noise(300, u.arbitrary()?));
            layout.put(u.int_in_range(5300..=9000)?, "second", u.arbitrary::<&[u8]>()?);
            let size = layout.end() + u.int_in_range(0..=5000)?;
            layout.finish(size).expect("no overlap").into()
        }
    })
}

/// Bytes that look different everywhere; few different bytes when `state` is a multiple of 4.
pub fn noise(len: usize, mut state: u32) -> Vec<u8> {
    let mask = if state.is_multiple_of(4) { 3 } else { 0xff };
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8 & mask
    };
    std::iter::repeat_with(&mut next).take(len).collect()
}

/// One name in a tree, with everything that formats keep of it.
#[derive(Debug, PartialEq, Eq)]
pub struct Line {
    pub meta: Meta,
    pub what: What,
    /// The first name of the same node: another one when it is a hard link.
    pub first: Vec<u8>,
}

/// What a node is, with its bytes.
#[derive(Debug, PartialEq, Eq)]
pub enum What {
    Directory,
    /// The length, the first 128 KiB, and the last bytes.
    File(u64, Vec<u8>, Vec<u8>),
    Symlink(Box<[u8]>),
    CharDevice(Device),
    BlockDevice(Device),
    Fifo,
    Socket,
}

/// All names of a tree.
pub fn lines(tree: &Tree) -> BTreeMap<Vec<u8>, Line> {
    let mut firsts: BTreeMap<NodeId, Vec<u8>> = BTreeMap::new();
    let mut lines = BTreeMap::new();
    for entry in tree.walk() {
        let node = tree.node(entry.id);
        let line = Line {
            meta: node.meta.clone(),
            what: what(&node.kind),
            first: firsts
                .entry(entry.id)
                .or_insert_with(|| entry.path.clone())
                .clone(),
        };
        lines.insert(entry.path, line);
    }
    lines
}

fn what(kind: &Kind) -> What {
    match kind {
        Kind::Directory(_) => What::Directory,
        Kind::File(content) => {
            let (len, start) = (content.len(), content.len().saturating_sub(600));
            let tail = Content::Span {
                source: Arc::new(content.clone()),
                start,
                len: len - start,
            };
            let head = crate::head(content, 128 << 10).expect("a file's first bytes");
            What::File(len, head, tail.to_vec().expect("a file's last bytes"))
        }
        Kind::Symlink(target) => What::Symlink(target.clone()),
        Kind::CharDevice(device) => What::CharDevice(*device),
        Kind::BlockDevice(device) => What::BlockDevice(*device),
        Kind::Fifo => What::Fifo,
        Kind::Socket => What::Socket,
    }
}

/// Fails with the first name that is not the same.
pub fn assert_same(read: &BTreeMap<Vec<u8>, Line>, planned: &BTreeMap<Vec<u8>, Line>) {
    for path in planned.keys().chain(read.keys()) {
        let shown = image::show(path);
        match (read.get(path), planned.get(path)) {
            (Some(read), Some(planned)) => {
                assert_eq!(read.meta, planned.meta, "{shown}");
                assert_eq!(read.first, planned.first, "{shown}");
                assert!(
                    read.what == planned.what,
                    "{shown} has other bytes, or is another thing"
                );
            }
            (read, _) => panic!(
                "{shown} was {}",
                if read.is_some() { "never planned" } else { "lost" }
            ),
        }
    }
}
