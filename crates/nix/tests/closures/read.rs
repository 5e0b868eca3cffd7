//! What is read and refused, and the trees of closures.

use std::fs;
use std::path::Path;

use image::{Fault, Meta, Silent, Tree};
use nix::{Closure, Mismatch, Store, StorePath, check, registration};

use crate::fixture::{Fixture, app, lib, link, store_path};

#[test]
fn a_closure_info_survives() {
    let fixture = Fixture::new();
    let closure = fixture.closure();
    assert_eq!(
        registration(&closure).unwrap(),
        fs::read(fixture.info().join("registration")).unwrap()
    );
    assert_eq!(
        Closure::read(&fixture.info().join("registration")).unwrap(),
        closure
    );
    let paths: Vec<String> = closure.paths().iter().map(|info| info.path.to_string()).collect();
    assert_eq!(paths.join("\n") + "\n", Fixture::list());
}

#[test]
fn the_files_of_a_closure_info_must_agree() {
    let fixture = Fixture::new();
    let lib_line = format!("{}\n", lib());
    assert_eq!(
        fixture.error_with("store-paths", &lib_line, ""),
        format!(
            "{}: in the registration but not listed in INFO/store-paths beside it",
            lib()
        )
    );
    let extra = store_path('d', "extra");
    assert_eq!(
        fixture.error_with("store-paths", &lib_line, &format!("{lib_line}{extra}\n")),
        format!("{extra}: listed in INFO/store-paths but not in the registration beside it")
    );
    let sum: u64 = fixture
        .closure()
        .paths()
        .iter()
        .filter_map(|info| info.nar_size)
        .sum();
    assert_eq!(
        fixture.error_with("total-nar-size", &sum.to_string(), "17"),
        format!("INFO/total-nar-size: says 17 bytes, the registration beside it adds up to {sum}")
    );
    assert_eq!(
        fixture.error_with("total-nar-size", "\n", "\n1\n"),
        "INFO/total-nar-size, line 2: the file goes on after its only line"
    );
    assert_eq!(
        fixture.error_with("store-paths", &lib_line, &lib_line.repeat(2)),
        format!("INFO/store-paths, line 4: {}: comes twice", lib())
    );
    fs::remove_file(fixture.info().join("total-nar-size")).unwrap();
    let error = Closure::read(&fixture.info()).unwrap_err();
    assert!(error.to_string().contains(": cannot be read: ") && error.fault() == Fault::Input);
}

#[test]
fn an_empty_closure_is_one() {
    let fixture = Fixture::new();
    for (file, text) in [
        ("registration", ""),
        ("store-paths", ""),
        ("total-nar-size", "0\n"),
    ] {
        fs::write(fixture.info().join(file), text).unwrap();
    }
    let mut closure = fixture.closure();
    assert_eq!(closure, Closure::default());
    let tree = closure.tree(&fixture.store()).unwrap();
    assert_eq!(tree.walk().count(), 3);
    check(&mut closure, &tree, &Silent, Mismatch::Fail).unwrap();
    assert_eq!(registration(&closure).unwrap(), b"");
    let error = closure.toplevel(None).unwrap_err().to_string();
    assert_eq!(
        error,
        "the toplevel must be given: no path of the closure could be it"
    );
}

#[test]
fn the_toplevel_is_what_nothing_else_refers_to() {
    let fixture = Fixture::new();
    let closure = fixture.closure();
    assert_eq!(closure.toplevel(None).unwrap(), &app());
    assert_eq!(closure.toplevel(Some(&lib())).unwrap(), &lib());
    let other = store_path('d', "other");
    let error = closure.toplevel(Some(&other)).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("{other}: the toplevel is not one of the 3 paths of the closure")
    );
    assert_eq!(error.fault(), Fault::Request);

    let list = Closure::read(&fixture.info().join("store-paths")).unwrap();
    let error = list.toplevel(None).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "the toplevel must be given: 3 paths of the closure could be it:\n  {}\n  {}\n  {}",
            app(),
            link(),
            lib()
        )
    );
    assert_eq!(error.fault(), Fault::Request);
}

#[test]
fn a_tree_holds_the_closure_as_the_store_means_it() {
    let fixture = Fixture::new();
    let tree = fixture.tree();
    let entries: Vec<String> = tree
        .walk()
        .map(|entry| {
            let Meta {
                mode,
                uid,
                gid,
                mtime,
                ref xattrs,
            } = tree.node(entry.id).meta;
            assert!((uid, gid, mtime, xattrs.len()) == (0, 0, 1, 0));
            format!("{mode:o} {}", image::show(&entry.path))
        })
        .collect();
    let app = app();
    assert_eq!(
        entries,
        [
            "755 /".into(),
            "755 /nix".into(),
            "755 /nix/store".into(),
            format!("555 {app}"),
            format!("555 {app}/bin"),
            format!("555 {app}/bin/run"),
            format!("444 {app}/copy"),
            format!("444 {app}/name"),
            format!("444 {app}/other"),
            format!("777 {}", link()),
            format!("444 {}", lib()),
        ]
    );
    assert_eq!(tree.link_counts().iter().max(), Some(&1));
    let units: Vec<(String, String)> = tree
        .units()
        .map(|(_, unit)| (image::show(&unit.order), image::show(&unit.name)))
        .collect();
    let unit = |path: &StorePath| (path.name().to_string(), path.base_name().into());
    assert_eq!(units, [unit(&app), unit(&link()), unit(&lib())]);
}

#[test]
fn a_path_that_is_not_in_the_store_is_named() {
    let fixture = Fixture::new();
    let closure = fixture.closure();
    fs::remove_file(fixture.host(&lib())).unwrap();
    let error = closure.tree(&fixture.store()).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "{}: not in the store: {} does not exist",
            lib(),
            fixture.host(&lib()).display()
        )
    );
    assert_eq!(error.fault(), Fault::Input);
    assert_eq!(Store::default().host_path(&lib()), Path::new(lib().as_str()));

    let mut closure = closure;
    let error = check(&mut closure, &Tree::default(), &Silent, Mismatch::Fail).unwrap_err();
    assert_eq!(error.to_string(), format!("{}: not in the tree", app()));
}
