//! Segments out of shared caches: whatever is wrong with them changes no byte, and Linux reads what is taken.

use std::fs;
use std::path::Path;

use btrfs::{Compression, Options};
use cache::{Cache, Checksum, Found, Key, Places, Segments, Shared};
use image::{Content, Tree};

use crate::reuse::{ZSTD, bytes, cache, cold, entries, options, plan, plan_with, tree};

fn shared(dir: &Path) -> Shared {
    let address = format!("file://{}", dir.display());
    Shared::open(&address, &remote::Options::default()).unwrap()
}

/// A folder that has all segments, and what a build from nothing makes.
fn filled(tree: &Tree, options: &Options) -> (tempfile::TempDir, Vec<u8>) {
    let dir = tempfile::tempdir().unwrap();
    plan(tree, options, 2, &[&cache(dir.path())]);
    (dir, cold(tree, options))
}

/// A build with these shared caches, and a near one that may keep what comes from them.
fn fetched(tree: &Tree, options: &Options, threads: usize, shared: &[Shared], near: &Cache) -> Vec<u8> {
    let near: [&dyn Segments; 1] = [near];
    bytes(&plan_with(tree, options, threads, Places { near: &near, shared }))
}

#[test]
fn what_is_fetched_is_what_would_be_made() {
    let tree = tree();
    for compression in [
        Compression::Zlib { level: 6 },
        Compression::Lzo,
        Compression::Zstd { level: 11 },
    ] {
        let options = options(compression);
        let (dir, wanted) = filled(&tree, &options);
        for threads in [1, 8] {
            let near = tempfile::tempdir().unwrap();
            let (place, cache) = (shared(dir.path()), cache(near.path()));
            let places = [place];
            assert!(fetched(&tree, &options, threads, &places, &cache) == wanted);
            assert!(places[0].fetched() > 0);
            assert_eq!(places[0].warnings(), Vec::<String>::new());
            // Whether fetched or made, it is kept near, and the same.
            let (here, there) = (entries(near.path()), entries(dir.path()));
            assert_eq!(here.len(), there.len());
            for (here, there) in here.iter().zip(&there) {
                assert!(fs::read(here).unwrap() == fs::read(there).unwrap());
            }
        }
    }
}

/// What is done to blocks and words.
type Harm = fn(&mut [u8], &mut [u32]);

/// An entry whose blocks and words somebody has changed, with a digest that vouches for them.
fn forge(path: &Path, change: Harm) {
    let mut bytes = fs::read(path).unwrap();
    let end = bytes.len() - 88;
    let number = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
    let len = usize::try_from(number(end + 16)).unwrap();
    let key: Key = path.file_name().unwrap().to_str().unwrap().parse().unwrap();
    let words = bytes[len..end].chunks_exact(4);
    let mut sizes: Vec<u32> = words
        .map(|word| u32::from_le_bytes(word.try_into().unwrap()))
        .collect();
    change(&mut bytes[..len], &mut sizes);
    let mut checksum = Checksum::new(&key);
    checksum.add(&bytes[..len]);
    let digest = checksum.finish(&sizes);
    for (number, size) in sizes.iter().enumerate() {
        bytes[len + 4 * number..][..4].copy_from_slice(&size.to_le_bytes());
    }
    let at = bytes.len() - 32;
    bytes[at..].copy_from_slice(&digest);
    fs::write(path, bytes).unwrap();
}

#[test]
fn nobody_who_writes_there_is_believed() {
    let tree = tree();
    for compression in [Compression::Zlib { level: 6 }, Compression::Lzo, ZSTD] {
        let options = options(compression);
        let (dir, wanted) = filled(&tree, &options);
        let paths = entries(dir.path());
        let sound: Vec<Vec<u8>> = paths.iter().map(|path| fs::read(path).unwrap()).collect();
        let harms: [Harm; 7] = [
            |bytes, _| bytes[0] ^= 4,
            |bytes, _| bytes[bytes.len() / 2] ^= 4,
            // Behind what is compressed.
            |bytes, _| *bytes.last_mut().unwrap_or(&mut 0) ^= 1,
            |_, sizes| sizes[0] ^= 1,
            |_, sizes| sizes[0] ^= 1 << 28,
            |_, sizes| sizes[0] ^= 1 << 31,
            |_, sizes| sizes.iter_mut().for_each(|size| *size = 0),
        ];
        for (number, harm) in harms.into_iter().enumerate() {
            for (path, bytes) in paths.iter().zip(&sound) {
                fs::write(path, bytes).unwrap();
                forge(path, harm);
            }
            let near = tempfile::tempdir().unwrap();
            let (places, cache) = ([shared(dir.path())], cache(near.path()));
            let made = fetched(&tree, &options, 2, &places, &cache);
            assert!(made == wanted, "{compression:?} {number}");
            let warnings = places[0].warnings();
            assert!(!warnings.is_empty(), "{compression:?} {number}");
            for (here, bytes) in entries(near.path()).iter().zip(&sound) {
                assert!(
                    &fs::read(here).unwrap() == bytes,
                    "{number}: only what is right is kept"
                );
            }
        }
    }
}

#[test]
fn segments_are_checked_without_their_files() {
    let tree = tree();
    for compression in [Compression::Zlib { level: 6 }, Compression::Lzo, ZSTD] {
        let (dir, _) = filled(&tree, &options(compression));
        for path in entries(dir.path()) {
            let key: Key = path.file_name().unwrap().to_str().unwrap().parse().unwrap();
            let found = cache(dir.path()).find(&key).unwrap();
            assert!(btrfs::is_segment(&found));
            btrfs::check_segment(&found).unwrap();
            let mut bytes = fs::read(&path).unwrap();
            bytes.truncate(usize::try_from(found.len).unwrap());
            // The digest is what vouches for the others.
            bytes[0] ^= 0x55;
            let harmed = Found {
                source: std::sync::Arc::new(Content::from(bytes)),
                ..found
            };
            assert!(btrfs::check_segment(&harmed).is_err(), "{compression:?}");
            let others = Found {
                sizes: vec![4096],
                ..harmed
            };
            assert!(!btrfs::is_segment(&others) && btrfs::check_segment(&others).is_err());
        }
    }
}
