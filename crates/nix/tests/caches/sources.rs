//! Closures out of caches, when nothing goes wrong.

use image::Silent;
use nix::Caches;

use crate::failures::assert_same;
use crate::made::{APP, BIG, LIB, Made, fetched, info, options, path, trust};
use crate::server::Server;

#[test]
fn folders_and_servers_give_the_same() {
    let made = Made::new();
    let server = Server::new(made.path().into(), &[], true);
    let (from_folder, tree) = fetched(&[made.address()], trust(), None).unwrap();
    let (from_server, other) = fetched(std::slice::from_ref(&server.address), trust(), None).unwrap();
    assert_eq!(from_folder, from_server);
    for text in [APP, BIG, LIB] {
        assert_same(&tree, text);
        assert_same(&other, text);
        assert!(tree.unit(tree.lookup(text.as_bytes()).unwrap()).is_some());
    }
    assert_eq!(from_folder.toplevel(None).unwrap(), &path(APP));
}

/// The second cache has what the first one lacks.
#[test]
fn caches_complete_each_other() {
    let (one, other) = (Made::new(), Made::new());
    std::fs::remove_file(one.path().join(info(LIB))).unwrap();
    std::fs::remove_file(other.path().join(info(BIG))).unwrap();
    assert!(fetched(&[one.address()], trust(), None).is_err());
    assert!(fetched(&[one.address(), other.address()], trust(), None).is_ok());
}

/// Listings tell names and sizes before a NAR is fetched; bad ones are as none.
#[test]
fn listings_help_to_plan() {
    let made = Made::new();
    let listing = |size: u32| {
        format!(
            "{{\"version\":1,\"root\":{{\"type\":\"directory\",\"entries\":{{\"data\":{{\"type\":\"regular\",\"size\":{size}}}}}}}}}"
        )
    };
    let caches = Caches::open(&[made.address()], &options(), trust()).unwrap();
    let ls = |text: &str| info(text).replace(".narinfo", ".ls");
    let known = || {
        let mut found = caches.find(&[path(APP)], &Silent).unwrap();
        let all = found.list(&Silent).unwrap();
        (all, found.tree().unwrap())
    };
    assert!(!known().0);
    made.write(&ls(APP), b"{\"version\":1,\"root\":{\"type\":\"directory\"}}");
    made.write(
        &ls(LIB),
        b"{\"version\":1,\"root\":{\"type\":\"regular\",\"size\":24}}",
    );
    made.write(&ls(BIG), b"nonsense");
    assert!(!known().0);
    made.write(&ls(BIG), listing(77).as_bytes());
    let (all, tree) = known();
    let tree = tree.filter(|_| all).unwrap();
    let data = tree.node(tree.lookup(format!("{BIG}/data").as_bytes()).unwrap());
    assert!(
        matches!(&data.kind, image::Kind::File(content) if content.len() == 77 && content.to_vec().is_err())
    );
    // What the listing says of the size is no part of what is fetched.
    let (_, tree) = fetched(&[made.address()], trust(), None).unwrap();
    assert_same(&tree, BIG);
}
