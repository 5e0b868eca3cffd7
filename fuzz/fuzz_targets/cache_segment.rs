//! Segments that others keep: whatever lies where one should be, images are what they are without it.
#![no_main]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use cache::{Cache, Checksum, Key, Places, Segments, Shared, Shelf};
use image::{Content, Keep, Kind, Node, NodeId, Silent, Spool, Tree, Unit};
use libfuzzer_sys::fuzz_target;
use squashfs::{Compression, Options, Reuse, Work};

fuzz_target!(|data: &[u8]| {
    if let [choice, data @ ..] = data {
        run(usize::from(*choice), data);
    }
});

/// A tree, the image that is made of it, and a folder with its segments.
struct Setup {
    tree: Tree,
    wanted: Vec<u8>,
    folder: tempfile::TempDir,
    /// The segments' files, and their bytes.
    sound: Vec<(PathBuf, Vec<u8>)>,
}

static SETUP: OnceLock<Setup> = OnceLock::new();

/// Puts a damaged segment in a segment's place, or other bytes with a digest that vouches for them, near or far away.
fn run(choice: usize, data: &[u8]) {
    let setup = SETUP.get_or_init(setup);
    let (forged, far) = (choice & 1 != 0, choice & 2 != 0);
    let (path, sound) = &setup.sound[(choice >> 2) % setup.sound.len()];
    let bytes = if forged {
        forge(path, data)
    } else {
        harm(sound, data)
    };
    std::fs::write(path, bytes).expect("a file in memory");
    let folder = setup.folder.path();
    let made = if far {
        let shared = Shared::open(
            &format!("file://{}", folder.display()),
            &remote::Options::default(),
        );
        plan(&setup.tree, &[], &[shared.expect("a folder")])
    } else {
        let shelf = Shelf::open(folder).expect("a folder of segments");
        plan(&setup.tree, &[&shelf], &[])
    };
    std::fs::write(path, sound).expect("a file in memory");
    // Who may write near is believed when the digest is right.
    if far || !forged {
        assert!(
            made.expect("a segment is no reason to fail") == setup.wanted,
            "another image"
        );
    }
}

/// A segment's file with other bytes, two for the place of each; what is left over cuts it off.
fn harm(sound: &[u8], data: &[u8]) -> Vec<u8> {
    let mut bytes = sound.to_vec();
    let (changes, rest) = data.as_chunks();
    for [low, high, byte] in changes {
        let place = usize::from(u16::from_le_bytes([*low, *high])) % sound.len();
        bytes[place] = *byte;
    }
    bytes.truncate(sound.len() - rest.len());
    bytes
}

/// A segment's file with a right digest: how many blocks, their sizes, and their bytes, all out of `data`.
fn forge(path: &Path, data: &[u8]) -> Vec<u8> {
    let key: Key = path
        .file_name()
        .and_then(|name| name.to_str())
        .expect("a name")
        .parse()
        .expect("a key");
    let count = data.first().map_or(0, |count| usize::from(count % 16));
    let data = data.get(1..).unwrap_or_default();
    let (words, blocks) = data.split_at((4 * count).min(data.len()) / 4 * 4);
    let sizes: Vec<u32> = words
        .as_chunks()
        .0
        .iter()
        .map(|word| u32::from_le_bytes(*word))
        .collect();
    let mut checksum = Checksum::new(&key);
    checksum.add(blocks);
    let mut file = [blocks, words, b"kilnseg1"].concat();
    file.extend((sizes.len() as u64).to_le_bytes());
    file.extend((blocks.len() as u64).to_le_bytes());
    file.extend(key.0);
    file.extend(checksum.finish(&sizes));
    file
}

fn setup() -> Setup {
    let mut tree = Tree::default();
    for (unit, len) in [("/a", 9000u32), ("/b", 5000)] {
        let text: Vec<u8> = (0..len)
            .flat_map(|number| number.to_string().into_bytes())
            .collect();
        let root = tree.add_at(unit.as_bytes(), Node::directory()).expect("a folder");
        tree.add(root, b"large", Node::file(text.clone()))
            .expect("a file");
        tree.add(root, b"small", Node::file(&text[..700]))
            .expect("a file");
        let name = unit.as_bytes().into();
        tree.mark_unit(
            root,
            Unit {
                order: Box::default(),
                name,
            },
        );
    }
    let folder = tempfile::tempdir_in("/dev/shm").expect("a folder in memory");
    let cache = Cache::open(folder.path(), 1 << 30).expect("a cache");
    let wanted = plan(&tree, &[&cache], &[]).expect("a plan");
    let segments = folder.path().join("segments");
    let files = image::scan(&segments, Keep::default()).expect("the cache's files");
    let paths = files
        .walk()
        .filter(|entry| matches!(files.node(entry.id).kind, Kind::File(_)));
    let path =
        |bytes: Vec<u8>| segments.join(String::from_utf8(bytes).expect("a path").trim_start_matches('/'));
    let sound: Vec<_> = paths
        .map(|entry| path(entry.path))
        .map(|path| (path.clone(), std::fs::read(path).expect("a segment")))
        .collect();
    assert_eq!(sound.len(), 2);
    Setup {
        tree,
        wanted,
        folder,
        sound,
    }
}

fn plan(tree: &Tree, near: &[&dyn Segments], shared: &[Shared]) -> Result<Vec<u8>, squashfs::Error> {
    let spool = Spool::create(Path::new("/dev/shm")).expect("a spool in memory");
    let units: BTreeMap<NodeId, [u8; 32]> = (0..)
        .zip(tree.units())
        .map(|(number, (id, _))| (id, [number; 32]))
        .collect();
    let work = Work {
        spool: &spool,
        threads: 1,
        digests: &[],
        progress: &Silent,
        reuse: Some(Reuse {
            units: &units,
            places: Places { near, shared },
            confirm: None,
        }),
    };
    let options = Options {
        block_size: 4096,
        compression: Compression::Zstd { level: 1 },
        ..Options::default()
    };
    let planned = squashfs::plan(tree, &options, &work)?;
    Ok(Content::from(planned.image).to_vec().expect("an image"))
}
