//! What is read is what was planned.

use std::process::Command;
use std::sync::Arc;

use erofs::read::FileSystem;
use erofs::{Compression, Looking, Options, Profile};
use image::{Image, Kind, Node, NodeId, ReadAt, Silent, Tree, Xattr};
use proptest::prelude::*;

use crate::support::oracle::installed;
use crate::support::{
    COMPRESSIONS, all_options, around, assert_same, compressible, everything, noise, odd, options, plan, run,
    try_plan, words,
};

fn open(image: &Image) -> FileSystem {
    FileSystem::open(Arc::new(image.clone()), image.size()).unwrap()
}

fn round_trip(tree: &Tree, options: &Options) {
    let planned = plan(tree, options);
    let file_system = open(&planned.image);
    assert_same(&file_system.tree().unwrap(), tree);
    file_system.check().unwrap();
    // What is said before it is made is right.
    let looking = Looking {
        threads: 2,
        digests: &[],
        progress: &Silent,
    };
    let outlook = erofs::outlook(tree, options, &looking).unwrap();
    let size = planned.image.size();
    assert_eq!(outlook.is_bound, options.compression != Compression::None);
    if outlook.is_bound {
        assert!(outlook.size >= size, "{} {size}", outlook.size);
    } else {
        assert_eq!(outlook.size, size);
    }
}

#[test]
fn the_zoo_comes_back() {
    for tree in [Tree::default(), everything()] {
        round_trip(&tree, &options());
    }
    let mut tree = odd();
    tree.graft(NodeId::ROOT, b"compressible", compressible()).unwrap();
    for options in all_options() {
        round_trip(&tree, &options);
    }
}

#[test]
fn paths_are_found_without_reading_all() {
    let tree = odd();
    let file_system = open(&plan(&tree, &options()).image);
    for entry in tree.walk() {
        let found = file_system.find(&entry.path).unwrap().unwrap();
        assert_eq!(found.meta, tree.node(entry.id).meta);
        let names = file_system.list(&entry.path).unwrap();
        let wanted: Vec<&[u8]> = tree.children(entry.id).map(|(name, _)| name).collect();
        let found: Option<Vec<&[u8]>> = names
            .as_ref()
            .map(|names| names.iter().map(|entry| &*entry.name).collect());
        assert_eq!(found.unwrap_or_default(), wanted);
    }
    assert!(file_system.find(b"/no/such/file").unwrap().is_none());
}

#[test]
fn threads_and_hard_links_of_the_host_change_nothing() {
    let all = |image: &Image| {
        let mut bytes = vec![0; usize::try_from(image.size()).unwrap()];
        image.read_exact_at(&mut bytes, 0).unwrap();
        bytes
    };
    let mut tree = odd();
    tree.graft(NodeId::ROOT, b"compressible", compressible()).unwrap();
    for (compression, profile) in COMPRESSIONS
        .map(|compression| (compression, Profile::Portable))
        .into_iter()
        .chain([(Compression::Zstd { level: 3 }, Profile::Modern)])
    {
        let options = Options {
            profile,
            compression,
            cluster: 128 << 10,
            ..options()
        };
        let [one, eight] = [1, 8].map(|threads| {
            let planned = try_plan(&tree, &options, threads).unwrap();
            all(&planned.image)
        });
        assert!(one == eight);
    }
}

/// Linux takes a link for damaged whose target ends before it should.
#[test]
fn targets_with_a_zero_byte_are_refused() {
    let mut tree = Tree::default();
    let link = Node::symlink(*b"to\0where");
    tree.add_at(b"/link", link).unwrap();
    let error = try_plan(&tree, &options(), 1).unwrap_err();
    assert_eq!(error.to_string(), "/link: the link's target has a zero byte");
}

/// Nobody could ask for an attribute by such a name, or for the second of two.
#[test]
fn attributes_that_no_file_has_are_refused() {
    for (names, problem) in [
        (vec!["user.a\0b"], "the name has a zero byte"),
        (vec!["user.a", "user.b", "user.b"], "the name is there twice"),
    ] {
        let mut tree = Tree::default();
        let mut file = Node::file(b"text".to_vec());
        file.meta.xattrs = (1..)
            .zip(names)
            .map(|(value, name)| Xattr {
                name: name.as_bytes().into(),
                value: [value].into(),
            })
            .collect();
        tree.add_at(b"/file", file).unwrap();
        let error = try_plan(&tree, &options(), 1).unwrap_err();
        assert!(error.to_string().ends_with(problem), "{error}");
    }
}

/// A mode has twelve bits, whatever else is in it: the others would say that the root is something else.
#[test]
fn modes_have_twelve_bits() {
    let mut tree = Tree::default();
    tree.node_mut(NodeId::ROOT).meta.mode = 0o136_613;
    let image = plan(&tree, &options()).image;
    let read = open(&image).tree().unwrap();
    assert_eq!(read.node(NodeId::ROOT).meta.mode, 0o6613);
}

/// What lies where is told without gaps in the truth: no byte belongs to two.
#[test]
fn no_two_structures_overlap() {
    let mut tree = odd();
    tree.graft(NodeId::ROOT, b"compressible", compressible()).unwrap();
    for profile in [Profile::Portable, Profile::Modern] {
        for compression in COMPRESSIONS {
            let options = Options {
                profile,
                compression,
                ..options()
            };
            let image = plan(&tree, &options).image;
            let structures = open(&image).structures().unwrap();
            assert!(structures.len() > 400);
            for pair in structures.windows(2) {
                assert!(
                    pair[0].end <= pair[1].start,
                    "{profile:?} {compression:?}: {pair:?}"
                );
            }
        }
    }
}

/// Images of the format's own tools. What they call dedupe has clusters of which only a part is used.
#[test]
fn images_of_others_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let [folder, image] = ["folder", "image"].map(|name| dir.path().join(name));
    // Their slowest compressors need seconds for each MiB.
    let mut tree = around(&[1, 4095, 4096, 4097, 131_073, 1_048_577]);
    tree.add_at(b"/copies/words", Node::file(words(300_000))).unwrap();
    tree.add_at(
        b"/copies/more",
        Node::file([words(300_000), vec![1; 9000]].concat()),
    )
    .unwrap();
    image::write_tree(&folder, &tree, image::Owners::Mine, &Silent).unwrap();
    for (tool, arguments) in [
        ("mkfs.erofs", ""),
        ("mkfs.erofs", "-zlz4"),
        ("mkfs.erofs", "-zlz4hc,12 -C65536"),
        ("mkfs.erofs", "-zlz4hc -C65536 -Eztailpacking"),
        ("mkfs.erofs", "-zlz4 -Eforce-inode-extended"),
        ("mkfs.erofs", "--chunksize=4096"),
        ("mkfs.erofs-newer", "-zlz4hc -C1048576 -Efragments"),
        ("mkfs.erofs-newer", "-zzstd -C65536 -Eall-fragments"),
        ("mkfs.erofs-newer", "-zzstd -C131072 -Eztailpacking"),
        ("mkfs.erofs-newer", "-zdeflate -C65536"),
        ("mkfs.erofs-newer", "-zlzma,1 -C65536"),
        ("mkfs.erofs-newer", "-zlzma -C1048576 -Eztailpacking"),
        ("mkfs.erofs-newer", "-zlz4 -Ededupe"),
        ("mkfs.erofs-newer", "-zzstd -Ededupe,fragments"),
        ("mkfs.erofs-newer", "-b1024"),
        ("mkfs.erofs-newer", "-E48bit --chunksize=4096"),
        ("mkfs.erofs-newer", "-zlz4 -E48bit,dedupe"),
        ("mkfs.erofs-newer", "-zzstd -C131072 -E48bit,fragments"),
    ] {
        if !installed(tool) {
            continue;
        }
        let words = arguments.split(' ').filter(|word| !word.is_empty());
        let mut mkfs = Command::new(tool);
        run(mkfs.arg("--quiet").args(words).args([&image, &folder]));
        let file = std::fs::File::open(&image).unwrap();
        let size = file.metadata().unwrap().len();
        let file_system = FileSystem::open(Arc::new(file), size).unwrap();
        let shape = |tree: &Tree| {
            let entry = |entry: image::Entry| match &tree.node(entry.id).kind {
                Kind::File(content) => (entry.path, content.sha256(&Silent).unwrap()),
                _ => (entry.path, [0; 32]),
            };
            tree.walk().map(entry).collect::<Vec<_>>()
        };
        let found = file_system.tree();
        assert!(found.is_ok(), "{tool} {arguments}: {found:?}");
        let found = found.unwrap();
        assert!(shape(&found) == shape(&tree), "{tool} {arguments}");
        let checked = file_system.check();
        assert!(checked.is_ok(), "{tool} {arguments}: {checked:?}");
        std::fs::remove_file(&image).unwrap();
    }
}

fn trees() -> impl Strategy<Value = Tree> {
    let file = (0_u64..300_000, 0_usize..3, "[a-c]{1,3}(/[a-c]{1,2}){0,2}");
    proptest::collection::vec(file, 0..20).prop_map(|files| {
        let mut tree = Tree::default();
        for (len, kind, path) in files {
            let node = match kind {
                0 => Node::file(noise(len)),
                1 => Node::file(words(usize::try_from(len).unwrap())),
                _ => Node::file(image::Content::Zeros(len)),
            };
            // Some are in the way of others.
            let _ = tree.add_at(format!("/{path}").as_bytes(), node);
        }
        tree
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_tree_comes_back(
        tree in trees(),
        number in 0..COMPRESSIONS.len(),
        cluster in 13_u32..=20,
        is_modern: bool,
    ) {
        let options = Options {
            profile: if is_modern { Profile::Modern } else { Profile::Portable },
            compression: COMPRESSIONS[number],
            cluster: 1 << cluster,
            ..options()
        };
        round_trip(&tree, &options);
    }
}
