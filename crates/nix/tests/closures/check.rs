//! What is found in the bytes of store paths.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::Mutex;

use image::{Cancelled, Fault, Kind, Node, NodeId, Progress, Silent, Tree};
use nix::{Closure, Error, Mismatch, Store, check, registration};

use crate::fixture::{Fixture, app, lib, store_path};

#[test]
fn digests_tell_duplicates() {
    let fixture = Fixture::new();
    let tree = fixture.tree();
    let checked = check(&mut fixture.closure(), &tree, &Silent, Mismatch::Fail).unwrap();
    assert_eq!(checked.rehashed, []);
    assert_eq!(checked.digests.len(), tree.len());
    let digest = |name: &str| {
        let id = tree.lookup(format!("{}/{name}", app()).as_bytes()).unwrap();
        checked.digests[id.index()]
    };
    let hex = data_encoding::HEXLOWER.encode(&digest("copy").unwrap());
    assert_eq!(
        hex,
        "58100dc8fc06562ce3e578231dc948e083520ee49c4b4ee5a5a28bb4b4003feb"
    );
    assert_eq!(digest("bin/run"), digest("copy"));
    assert_eq!(digest("name"), digest("copy"));
    assert_eq!(digest("other"), None);
    assert_eq!(checked.digests.iter().flatten().count(), 3);
}

#[test]
fn a_list_gets_hashes_but_no_registration() {
    let fixture = Fixture::new();
    let mut list = Closure::read(&fixture.info().join("store-paths")).unwrap();
    assert!(
        registration(&list)
            .unwrap_err()
            .to_string()
            .contains("its hash is not known")
    );
    let checked = check(&mut list, &fixture.tree(), &Silent, Mismatch::Fail).unwrap();
    assert_eq!(checked.rehashed, []);
    for (listed, registered) in list.paths().iter().zip(fixture.closure().paths()) {
        assert_eq!(
            (listed.nar_hash, listed.nar_size),
            (registered.nar_hash, registered.nar_size)
        );
    }
    let error = registration(&list).unwrap_err();
    assert!(error.to_string().contains("its references are not known"));
    assert_eq!(error.fault(), Fault::Request);
}

#[test]
fn what_changed_is_found_and_can_be_rehashed() {
    let fixture = Fixture::new();
    let before = fixture.closure();
    fixture.write(&app(), "copy", b"sane bytes");
    let mut closure = fixture.closure();
    let error = check(&mut closure, &fixture.tree(), &Silent, Mismatch::Fail).unwrap_err();
    let after = Closure::from_registration(Path::new(""), fixture.hashed().as_bytes()).unwrap();
    let (old, new) = (before.get(&app()).unwrap(), after.get(&app()).unwrap());
    let (old, new, size) = (
        old.nar_hash.unwrap(),
        new.nar_hash.unwrap(),
        old.nar_size.unwrap(),
    );
    assert_eq!(
        error.to_string(),
        format!(
            "{}: registered as {old} ({size} bytes), found {new} ({size} bytes)",
            app()
        )
    );
    assert_eq!(error.fault(), Fault::Input);

    let mut closure = before;
    let checked = check(&mut closure, &fixture.tree(), &Silent, Mismatch::Rehash).unwrap();
    assert_eq!(checked.rehashed.len(), 1);
    assert_eq!(checked.rehashed[0].found_hash, new);
    assert_eq!(closure, after);
    check(&mut closure, &fixture.tree(), &Silent, Mismatch::Fail).unwrap();
}

#[test]
fn a_wrong_size_is_a_mismatch() {
    let fixture = Fixture::new();
    let text = fixture.hashed();
    let size = fixture.closure().get(&lib()).unwrap().nar_size.unwrap();
    fixture.register(&text.replace(&format!("\n{size}\n\n0\n"), "\n8\n\n0\n"));
    let error = check(&mut fixture.closure(), &fixture.tree(), &Silent, Mismatch::Fail).unwrap_err();
    assert!(matches!(error, Error::Mismatch { count: 1, .. }), "{error}");
    let message = error.to_string();
    assert!(
        message.starts_with(lib().as_str()) && message.contains("(8 bytes)"),
        "{message}"
    );
}

#[test]
fn many_mismatches_are_shown_in_order_up_to_ten() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("nix/store")).unwrap();
    let store = Store {
        root: Some(dir.path().into()),
    };
    let zeros = "0".repeat(64);
    let mut text = String::new();
    for (position, letter) in "0123456789abcdf".chars().enumerate() {
        let path = store_path(letter, "x");
        // The last of them are the biggest, and thus read first.
        fs::write(store.host_path(&path), vec![b'x'; position]).unwrap();
        writeln!(text, "{path}\n{zeros}\n1\n\n0").unwrap();
    }
    let mut closure = Closure::from_registration(Path::new("r"), text.as_bytes()).unwrap();
    let tree = closure.tree(&store).unwrap();
    let error = check(&mut closure, &tree, &Silent, Mismatch::Fail)
        .unwrap_err()
        .to_string();
    let lines: Vec<&str> = error.lines().collect();
    assert_eq!(lines.len(), 12);
    assert_eq!(lines[0], "15 store paths are not what was registered:");
    for (line, letter) in lines[1..11].iter().zip("0123456789".chars()) {
        assert!(
            line.starts_with(&format!("  {}: ", store_path(letter, "x"))),
            "{line}"
        );
    }
    assert_eq!(lines[11], "  and 5 more");
}

/// Hears what a check tells, and stops it after some bytes.
struct Listener {
    begun: Mutex<Vec<(String, u64)>>,
    left: Mutex<u64>,
}

impl Listener {
    fn new(left: u64) -> Listener {
        Listener {
            begun: Mutex::default(),
            left: Mutex::new(left),
        }
    }
}

impl Progress for Listener {
    fn begin(&self, step: &str, total: u64) {
        self.begun.lock().unwrap().push((step.into(), total));
    }

    fn advance(&self, bytes: u64) -> Result<(), Cancelled> {
        let mut left = self.left.lock().unwrap();
        *left = left.checked_sub(bytes).ok_or(Cancelled)?;
        Ok(())
    }
}

#[test]
fn progress_hears_every_byte_and_can_stop() {
    let fixture = Fixture::new();
    let total = fixture.tree().content_len();
    let listener = Listener::new(total);
    check(&mut fixture.closure(), &fixture.tree(), &listener, Mismatch::Fail).unwrap();
    assert_eq!(
        *listener.begun.lock().unwrap(),
        [("checking store paths".to_owned(), total)]
    );
    assert_eq!(*listener.left.lock().unwrap(), 0);

    let listener = Listener::new(total - 1);
    let error = check(&mut fixture.closure(), &fixture.tree(), &listener, Mismatch::Fail).unwrap_err();
    assert_eq!(
        (error.fault(), error.to_string()),
        (Fault::Cancelled, "stopped".into())
    );
}

#[test]
fn a_file_that_changes_its_length_is_an_error() {
    let fixture = Fixture::new();
    let tree = fixture.tree();
    fixture.write(&app(), "copy", b"longer than it was");
    let error = check(&mut fixture.closure(), &tree, &Silent, Mismatch::Rehash).unwrap_err();
    assert!(
        error.to_string().contains("changed after it was planned"),
        "{error}"
    );
}

#[test]
fn special_files_are_refused_by_path() {
    let fixture = Fixture::new();
    let mut tree = fixture.tree();
    let root = tree.lookup(app().as_str().as_bytes()).unwrap();
    tree.add(
        root,
        b"pipe",
        Node {
            kind: Kind::Fifo,
            ..Node::directory()
        },
    )
    .unwrap();
    let error = check(&mut fixture.closure(), &tree, &Silent, Mismatch::Rehash).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("{}/pipe: a named pipe cannot be in a store path", app())
    );
}

/// What `nix hash path` of Nix 2.8 says.
#[test]
fn nar_hashes_are_pinned() {
    let mut tree = Tree::default();
    tree.add_at(b"/bin/run", Node::file(&b"#!/bin/sh\n"[..]).mode(0o555))
        .unwrap();
    tree.add_at(b"/empty", Node::file(&b""[..])).unwrap();
    tree.add_at(b"/link", Node::symlink("bin/run")).unwrap();
    let (hash, size) = nix::nar::hash(&tree, NodeId::ROOT, &Silent).unwrap();
    assert_eq!(
        hash.to_string(),
        "sha256:18kkdrmlmdzx17n1q27dcgglx5a0ysrk3zpms17gp6jfn89kzz8a"
    );
    assert_eq!(size, 872);
}
