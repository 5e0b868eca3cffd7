//! Images that Linux does not mount are not opened.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/mount.rs"]
mod mount;
#[expect(dead_code, reason = "each test file uses its own part")]
mod support;

use std::fmt::Write as _;
use std::sync::Arc;

use image::{Content, Node, NodeId, ReadAt, Tree, Xattr};
use squashfs::Compression;
use squashfs::read::Archive;
use support::{options, plan};

const SUPERBLOCK: usize = 96;

/// An image with all tables.
fn image(compression: Compression) -> Vec<u8> {
    let mut tree = Tree::default();
    tree.node_mut(NodeId::ROOT).meta.uid = 1000;
    for name in ["/one", "/two"] {
        let id = tree
            .add_at(name.as_bytes(), Node::file(support::bytes(700, 3)))
            .unwrap();
        tree.node_mut(id).meta.xattrs = vec![Xattr {
            name: b"user.name"[..].into(),
            value: name.as_bytes().into(),
        }];
    }
    let image = plan(&tree, &options(compression, 4096), 1).image;
    let mut bytes = vec![0; usize::try_from(image.size()).unwrap()];
    image.read_exact_at(&mut bytes, 0).unwrap();
    bytes
}

fn number(image: &[u8], at: usize) -> usize {
    usize::try_from(u64::from_le_bytes(image[at..at + 8].try_into().unwrap())).unwrap()
}

/// Where the superblock says that ids, extended attributes, fragments and the export table are.
const LISTS: [usize; 4] = [48, 56, 80, 88];

fn open(image: &[u8]) -> Result<(), String> {
    let size = image.len() as u64;
    let archive = Archive::open(Arc::new(Content::from(image.to_vec())), size);
    let tree = archive.and_then(|archive| archive.tree());
    tree.map(drop).map_err(|error| error.to_string())
}

/// One byte after the other of what Linux looks at when it mounts an image, with other bits.
fn changed(image: &[u8], is_plain: bool) -> Vec<(usize, u8)> {
    let mut places: Vec<usize> = (0..SUPERBLOCK).collect();
    places.extend(SUPERBLOCK..SUPERBLOCK + 4);
    for list in LISTS {
        let start = number(image, list);
        places.extend(start..start + 8);
    }
    let attributes = number(image, LISTS[1]);
    places.extend(attributes + 8..attributes + 24);
    if is_plain {
        // The inodes, of which Linux reads the root's.
        places.extend(number(image, 64)..number(image, 72));
    }
    let change = |place: usize| [1, 8, 0x80].map(|bits| (place, image[place] ^ bits));
    places.into_iter().flat_map(change).collect()
}

fn compare(compression: Compression) {
    if !mount::is_possible() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let image = image(compression);
    let mounted = |image: &[u8]| mount::with(image, dir.path(), |_| Ok(()));
    assert_eq!(mounted(&image), Ok(()));
    assert_eq!(open(&image), Ok(()));
    let (mut wrong, mut refused) = (String::new(), 0);
    for (place, byte) in changed(&image, compression == Compression::None) {
        let mut image = image.clone();
        image[place] = byte;
        let Err(problem) = mounted(&image) else { continue };
        refused += 1;
        if open(&image).is_ok() {
            writeln!(wrong, "byte {place} is {byte}: {problem}").unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(refused > 100, "{refused}");
}

#[test]
fn what_linux_does_not_mount_is_not_opened() {
    compare(Compression::Zstd { level: 3 });
}

#[test]
fn inodes_that_linux_does_not_mount_are_not_opened() {
    compare(Compression::None);
}

#[test]
fn options_that_linux_does_not_read_are_refused() {
    compare(Compression::Gzip { level: 6 });
}

/// A field of the superblock, or of a table, with another number.
fn with(image: &[u8], place: usize, size: usize, change: fn(u64) -> u64) -> Vec<u8> {
    let mut image = image.to_vec();
    let field = &mut image[place..place + size];
    let number = field
        .iter()
        .rev()
        .fold(0, |number, byte| number << 8 | u64::from(*byte));
    field.copy_from_slice(&change(number).to_le_bytes()[..size]);
    image
}

#[test]
fn tables_have_to_lie_where_linux_expects_them() {
    let image = image(Compression::Zstd { level: 3 });
    let [ids, attributes, fragments, export] = LISTS.map(|list| number(&image, list));
    let cases = [
        (
            "damaged SquashFS: the table of its exported inodes",
            with(&image, LISTS[3], 8, |start| start + 8),
        ),
        (
            "does not end where the next one begins",
            with(&image, 4, 4, |count| count + 1024),
        ),
        (
            "does not end where the next one begins",
            with(&image, 4, 4, |_| 0xffff_ffff),
        ),
        (
            "the table of its exported inodes is empty",
            with(&image, 4, 4, |_| 0),
        ),
        (
            "blocks that do not follow one another",
            with(&image, export, 8, |place| place + 4096),
        ),
        ("the table of its ids is empty", with(&image, 26, 2, |_| 0)),
        (
            "the table of its ids does not end",
            with(&image, LISTS[0], 8, |start| start - 1),
        ),
        (
            "blocks that do not follow one another",
            with(&image, ids, 8, |place| place + 4096),
        ),
        (
            "the table of its extended attributes is empty",
            with(&image, attributes + 8, 4, |_| 0),
        ),
        (
            "extended attributes does not end",
            with(&image, attributes + 8, 4, |count| count + 512),
        ),
        (
            "extended attributes begins behind",
            with(&image, attributes, 8, |start| start + 8000),
        ),
        (
            "the table of its fragments reaches into",
            with(&image, LISTS[2], 8, |start| start + 4096),
        ),
        (
            "the table of its fragments begins behind",
            with(&image, fragments, 8, |start| start + 4096),
        ),
        (
            "directories lie behind",
            with(&image, 72, 8, |start| start + 4096),
        ),
        ("inodes lie behind", with(&image, 64, 8, |start| start + 4096)),
        ("its root lies behind", with(&image, 32, 8, |root| root | 0xffff)),
        ("version 4.1", with(&image, 30, 2, |_| 1)),
    ];
    for (wanted, image) in cases {
        let problem = open(&image).unwrap_err();
        assert!(problem.contains(wanted), "{wanted}: {problem}");
    }
}
