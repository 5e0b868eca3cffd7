//! What the tests of btrfs share: the zoo of all formats, how an image is made, and how it is checked.

#[path = "../../../../tests/zoo/mounted.rs"]
mod mounted;
#[path = "../../../../tests/zoo/mod.rs"]
mod shared;
#[path = "../../../../tests/zoo/sparse.rs"]
mod sparse;
#[path = "../../../../tests/zoo/streams.rs"]
mod streams;

use std::path::Path;
use std::process::Command;

use btrfs::read::FileSystem;
use btrfs::{Access, Compression, Error, Metadata, Options, Planned, Profile, Work};
use image::{Kind, Node, NodeId, Seed, Silent, Spool, Tree};
pub(crate) use mounted::{EVERYTHING, Mounted, is_possible};
pub(crate) use shared::*;
pub(crate) use sparse::write;
pub(crate) use streams::{noise, words};

pub(crate) const PROFILES: [Profile; 2] = [Profile::Portable, Profile::Modern];
pub(crate) const METADATA: [Metadata; 2] = [Metadata::Dup, Metadata::Single];

pub(crate) const COMPRESSIONS: [Compression; 5] = [
    Compression::None,
    Compression::Zlib { level: 6 },
    Compression::Lzo,
    Compression::Zstd { level: 3 },
    Compression::Zstd { level: 15 },
];

pub(crate) fn options(profile: Profile, metadata: Metadata) -> Options {
    let seed = Seed::new(b"test");
    Options {
        profile,
        metadata,
        ..Options::new(seed.uuid("fs"), seed)
    }
}

pub(crate) fn try_plan(tree: &Tree, options: &Options, threads: usize) -> Result<Planned, Error> {
    let spool = Spool::create(&std::env::temp_dir()).unwrap();
    btrfs::plan(tree, options, &work(&spool, threads))
}

fn work(spool: &Spool, threads: usize) -> Work<'_> {
    Work {
        spool,
        threads,
        digests: &[],
        progress: &Silent,
        reuse: None,
    }
}

/// The same with a spool that stays.
pub(crate) fn plan_into(tree: &Tree, options: &Options, spool: &Spool) -> Planned {
    btrfs::plan(tree, options, &work(spool, 2)).unwrap()
}

pub(crate) fn plan(tree: &Tree, options: &Options) -> Planned {
    try_plan(tree, options, 2).unwrap()
}

/// Files around every border of what is compressed together, some of which shrink only in parts.
pub(crate) fn compressible() -> Tree {
    let mut tree = Tree::default();
    let mut add = |name: String, bytes: Vec<u8>| {
        tree.add_at(name.as_bytes(), Node::file(bytes)).unwrap();
    };
    for len in [
        1, 2048, 2049, 4096, 4097, 8191, 8192, 8193, 131_071, 131_072, 131_073, 600_001,
    ] {
        add(format!("/words-{len}"), words(len));
        add(format!("/ones-{len}"), vec![1; len]);
        add(format!("/noise-{len}"), noise(len as u64).to_vec().unwrap());
        let halves = [
            words(len / 2),
            noise(len as u64).to_vec().unwrap(),
            words(len / 3),
        ]
        .concat();
        add(format!("/halves-{len}"), halves);
    }
    let parts: Vec<Vec<u8>> = (1..40)
        .map(|part| match part % 3 {
            0 => noise(part * 9000).to_vec().unwrap(),
            1 => words(usize::try_from(part * 10_001).unwrap()),
            _ => vec![0; usize::try_from(part * 5000).unwrap()],
        })
        .collect();
    add("/parts".to_string(), parts.concat());
    tree
}

/// A tree for subvolumes in subvolumes, whose files share extents across their borders.
pub(crate) fn with_subvolumes() -> Tree {
    let mut tree = odd();
    for (number, path) in ["/@", "/@/nix", "/@/nix/store", "/@home", "/plain/inside"]
        .into_iter()
        .enumerate()
    {
        let id = tree.make_directory(path.as_bytes()).unwrap();
        tree.graft(id, b"odd", odd()).unwrap();
        tree.node_mut(id).meta.mode = 0o700 + u16::try_from(number).unwrap();
        tree.node_mut(id).meta.mtime = 5;
    }
    tree
}

/// Its subvolumes.
pub(crate) fn subvolumes(tree: &Tree, options: Options) -> Options {
    let id = |path: &str| tree.lookup(path.as_bytes()).unwrap();
    let writable = ["/@", "/@home", "/plain/inside"].map(|path| (id(path), Access::Writable));
    let read_only = ["/@/nix", "/@/nix/store"].map(|path| (id(path), Access::ReadOnly));
    Options {
        subvolumes: writable.into_iter().chain(read_only).collect(),
        default_subvolume: id("/@"),
        ..options
    }
}

/// The zoo with all that it has, but without its giants.
pub(crate) fn odd() -> Tree {
    let mut tree = zoo(128 << 10);
    add_specials(&mut tree);
    add_xattrs(&mut tree);
    add_units(&mut tree);
    tree
}

/// The whole zoo.
pub(crate) fn everything() -> Tree {
    let mut tree = odd();
    tree.graft(NodeId::ROOT, b"giants", giants()).unwrap();
    tree
}

/// Path by path a file system is what it is as a whole.
pub(crate) fn assert_listed(system: &FileSystem, tree: &Tree) {
    let mut waiting = vec![(Vec::new(), NodeId::ROOT)];
    let mut count = 0;
    while let Some((path, id)) = waiting.pop() {
        count += 1;
        if count > 60 {
            return;
        }
        let found = system.find(&path).unwrap().unwrap();
        assert_eq!(found.meta, tree.node(id).meta, "{}", image::show(&path));
        let listed = system.list(&path).unwrap();
        let Kind::Directory(_) = tree.node(id).kind else {
            assert!(listed.is_none());
            continue;
        };
        let listed = listed.unwrap();
        assert_eq!(listed.len(), tree.children(id).count(), "{}", image::show(&path));
        for (entry, (name, id)) in listed.iter().zip(tree.children(id)) {
            assert_eq!((&*entry.name, &entry.node.meta), (name, &tree.node(id).meta));
            if let (Kind::File(found), Kind::File(wanted)) = (&entry.node.kind, &tree.node(id).kind)
                && found.len() < 1 << 20
            {
                assert_eq!(found.to_vec().unwrap(), wanted.to_vec().unwrap());
            }
            waiting.push(([&path[..], name].join(&b'/'), id));
        }
        assert!(
            system
                .find(&[&path[..], b"no such name"].join(&b'/'))
                .unwrap()
                .is_none()
        );
    }
}

/// What `btrfs check` says when there is nothing to say.
const USUAL: [&str; 12] = [
    "Opening filesystem to check...",
    "Checking filesystem on ",
    "UUID: ",
    "[",
    "found ",
    "total csum bytes: ",
    "total tree bytes: ",
    "total fs tree bytes: ",
    "total extent tree bytes: ",
    "btree space waste bytes: ",
    "file data blocks allocated: ",
    " referenced ",
];

/// btrfs-progs of this machine, and those of a newer Debian.
pub(crate) const PROGS: [&str; 2] = ["btrfs", "btrfs-newer"];

/// `btrfs check` reads everything and finds nothing, and says nothing else either: with all that are here.
pub(crate) fn check(path: &Path) {
    check_with(path, &["--check-data-csum"]);
}

/// The same in the mode that takes little memory, which goes another way. It does not know what an inode with very many
/// names in one directory is.
pub(crate) fn check_both(path: &Path) {
    check(path);
    check_with(path, &["--mode=lowmem"]);
}

fn check_with(path: &Path, arguments: &[&str]) {
    for program in PROGS.into_iter().filter(|program| oracle::installed(program)) {
        let said = run(Command::new(program).arg("check").args(arguments).arg(path));
        let is_usual = |line: &str| line.is_empty() || USUAL.iter().any(|usual| line.starts_with(usual));
        assert!(said.lines().all(is_usual), "{program}: {said}");
        assert!(said.contains("no error found"), "{program}: {said}");
    }
}
