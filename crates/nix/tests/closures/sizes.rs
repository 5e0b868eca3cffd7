//! What names and lengths tell of store paths.

use std::sync::atomic::{AtomicU64, Ordering};

use image::{Cancelled, Progress, Silent};
use nix::{Checking, Closure, Depth, Error, Mismatch, Wanted, check, nar};

use crate::fixture::{Fixture, app, lib};

const SIZES: Checking = Checking {
    mismatch: Mismatch::Fail,
    depth: Depth::Sizes,
    wanted: Wanted::Repeated,
};

/// Counts the bytes of files that are read.
#[derive(Default)]
struct Reading(AtomicU64);

impl Progress for Reading {
    fn begin(&self, _: &str, _: u64) {}

    fn advance(&self, bytes: u64) -> Result<(), Cancelled> {
        self.0.fetch_add(bytes, Ordering::Relaxed);
        Ok(())
    }
}

#[test]
fn sizes_are_those_of_what_is_written() {
    let fixture = Fixture::new();
    for len in [0, 1, 7, 8, 9, 4097] {
        fixture.write(&app(), "file", &vec![b'x'; len]);
        let tree = fixture.tree();
        for path in [app(), lib()] {
            let node = tree.lookup(path.as_str().as_bytes()).unwrap();
            let (_, size) = nar::hash(&tree, node, &Silent).unwrap();
            let mut written = Vec::new();
            nar::write(&tree, node, &mut written, &Silent).unwrap();
            assert_eq!(nar::size(&tree, node).unwrap(), size);
            assert_eq!(written.len() as u64, size);
        }
    }
}

#[test]
fn sizes_are_compared_and_nothing_is_read() {
    let fixture = Fixture::new();
    let read = Reading::default();
    let checked = check(&mut fixture.closure(), &fixture.tree(), &read, SIZES).unwrap();
    assert_eq!(
        (checked.rehashed, checked.digests.iter().flatten().count()),
        (Vec::new(), 0)
    );
    assert_eq!(read.0.into_inner(), 0);
    // Bytes of the same length show only when they are read.
    fixture.write(&app(), "copy", b"sAme bytes");
    let tree = fixture.tree();
    check(&mut fixture.closure(), &tree, &Silent, SIZES).unwrap();
    let full = check(&mut fixture.closure(), &tree, &Silent, Checking::default());
    assert!(matches!(full, Err(Error::Mismatch { count: 1, .. })));
    // A name or a length that is another one shows, with the hash that was found.
    for (name, bytes) in [
        ("copy", &b"some more bytes, and more"[..]),
        ("one name more", b""),
    ] {
        let fixture = Fixture::new();
        fixture.write(&app(), name, bytes);
        let tree = fixture.tree();
        let read = Reading::default();
        let sizes = check(&mut fixture.closure(), &tree, &read, SIZES).unwrap_err();
        let full = check(&mut fixture.closure(), &tree, &Silent, Checking::default()).unwrap_err();
        assert!(matches!(sizes, Error::Mismatch { count: 1, .. }), "{sizes}");
        assert_eq!(sizes.to_string(), full.to_string());
        assert!(read.0.into_inner() > 0);
    }
}

#[test]
fn what_has_no_registered_hash_is_read() {
    let fixture = Fixture::new();
    let list = fixture.info().join("store-paths");
    let checked = |checking| {
        let mut closure = Closure::read(&list).unwrap();
        check(&mut closure, &fixture.tree(), &Silent, checking).unwrap();
        closure.paths().to_vec()
    };
    assert_eq!(checked(SIZES), checked(Checking::default()));
    assert!(checked(SIZES).iter().all(|info| info.nar_hash.is_some()));
}
