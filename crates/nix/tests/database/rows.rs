//! What is in the database, and what cannot be.

use std::fs;
use std::path::Path;

use data_encoding::HEXLOWER;
use image::{Fault, Kind, Node, NodeId, Tree};
use nix::{Closure, database, database_folder};
use sha2::{Digest, Sha256};

use crate::{open, rows};

const A: &str = "/nix/store/0023a8ppvzkvviq2887k7cpw39wzjibi-a";
const B: &str = "/nix/store/v83yia23qrmm0484d2fz9ak12pbfd5x8-b";
const DRV: &str = "/nix/store/1ib0rn0jdvh35xmfrwnxg16q2zsdjbk0-a.drv";
const HASH: &str = "sha256:1ib0rn0jdvh35xmfrwnxg16q2zsdjbk0b8h6819bz0njrn3v579h";

/// `a` refers to itself and to `b`, and was made by its derivation.
fn records() -> [String; 3] {
    [
        format!("{A}\n{HASH}\n1292192\n{DRV}\n2\n{A}\n{B}\n"),
        format!("{B}\n{HASH}\n7\n\n0\n"),
        format!("{DRV}\n{HASH}\n100\n\n1\n{B}\n"),
    ]
}

fn text() -> String {
    records().concat()
}

fn closure(text: &str) -> Closure {
    Closure::from_registration(Path::new("registration"), text.as_bytes()).unwrap()
}

fn with_derivation(term: &str) -> Tree {
    let mut tree = Tree::default();
    tree.add_at(DRV.as_bytes(), Node::file(term.as_bytes())).unwrap();
    tree
}

fn tree() -> Tree {
    with_derivation(&format!(
        r#"Derive([("out","{A}","","")],[],[],"x","/bin/sh",[],[])"#
    ))
}

#[test]
fn bytes_are_pinned_and_the_order_of_records_is_not_in_them() {
    let made = database(&closure(&text()), &tree(), 1).unwrap();
    let [a, b, derivation] = records();
    for other in [[&b, &derivation, &a], [&derivation, &a, &b]] {
        let text: String = other.into_iter().map(String::as_str).collect();
        assert!(database(&closure(&text), &tree(), 1).unwrap() == made);
    }
    let swapped = text().replace(&format!("\n{A}\n{B}\n"), &format!("\n{B}\n{A}\n"));
    assert_ne!(swapped, text());
    assert!(database(&closure(&swapped), &tree(), 1).unwrap() == made);
    let digest = HEXLOWER.encode(&Sha256::digest(&made));
    assert_eq!(
        (made.len(), digest.as_str()),
        (
            49_152,
            "91fc6ac4ae3e007989596b5ec80efc17d6376b1c5cfeeb1cc7c15af32a6de231"
        )
    );
}

#[test]
fn rows_say_what_the_registration_says() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db.sqlite");
    let bytes = database(&closure(&text()), &tree(), 315_532_800).unwrap();
    fs::write(&path, &bytes).unwrap();
    let database = open(&path);
    assert_eq!(rows(&database, "pragma integrity_check"), "ok\n");
    assert_eq!(rows(&database, "pragma foreign_key_check"), "");
    assert_eq!(rows(&database, "pragma journal_mode"), "delete\n");
    let base16 = "sha256:309db287cdd282bf524006a205e6924d7f814d78ddf2ec6a2f03ee2681cd60c5";
    assert_eq!(
        rows(&database, "select * from ValidPaths"),
        format!(
            "1 {A} {base16} 315532800 - 1292192 - - -\n\
             2 {DRV} {base16} 315532800 - 100 - - -\n\
             3 {B} {base16} 315532800 - 7 - - -\n"
        )
    );
    assert_eq!(rows(&database, "select * from Refs"), "1 1\n1 3\n2 3\n");
    assert_eq!(
        rows(&database, "select * from DerivationOutputs"),
        format!("2 out {A}\n")
    );
}

#[test]
fn thousands_of_paths_in_any_order() {
    let path = |number: usize| format!("/nix/store/{number:032}-path");
    let record = |number: usize| {
        let references: String = (0..number.min(9))
            .map(|back| path(number - back) + "\n")
            .collect();
        format!(
            "{}\n{HASH}\n{number}\n\n{}\n{references}",
            path(number),
            number.min(9)
        )
    };
    let text = |numbers: &mut dyn Iterator<Item = usize>| numbers.map(record).collect::<String>();
    let forward = text(&mut (0..5000));
    let backward = text(&mut (0..5000).rev());
    let made = database(&closure(&forward), &Tree::default(), 1).unwrap();
    assert!(made == database(&closure(&backward), &Tree::default(), 1).unwrap());
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("db.sqlite");
    fs::write(&file, made).unwrap();
    let database = open(&file);
    assert_eq!(rows(&database, "pragma integrity_check"), "ok\n");
    assert_eq!(rows(&database, "select count(*) from Refs"), "44955\n");
    let digest = HEXLOWER.encode(&Sha256::digest(fs::read(&file).unwrap()));
    assert_eq!(
        digest,
        "4cd579ab1d2bf8e98e17a9468db5ef612fda9d570dcfbf308f1f1af996d0d688"
    );
}

#[test]
fn an_empty_closure_has_a_database() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db.sqlite");
    fs::write(&path, database(&Closure::default(), &Tree::default(), 1).unwrap()).unwrap();
    assert_eq!(rows(&open(&path), "select * from ValidPaths"), "");
}

#[test]
fn the_folder_is_that_of_nix() {
    let folder = database_folder(&closure(&text()), &tree(), 1).unwrap();
    let names: Vec<_> = folder.children(NodeId::ROOT).map(|(name, _)| name).collect();
    assert_eq!(names, [&b"db.sqlite"[..], b"schema"]);
    let Kind::File(schema) = &folder.node(folder.lookup(b"/schema").unwrap()).kind else {
        panic!("schema is no file")
    };
    assert_eq!(schema.to_vec().unwrap(), b"10");
}

#[test]
fn what_cannot_be_registered_is_named() {
    let error = |closure: &Closure, tree: &Tree| {
        let error = database(closure, tree, 1).unwrap_err();
        (error.to_string(), error.fault())
    };
    let list = Closure::from_list(Path::new("list"), format!("{A}\n").as_bytes()).unwrap();
    let (message, fault) = error(&list, &tree());
    assert_eq!(
        message,
        format!(
            "{A}: its hash is not known, so it cannot be registered; use a closureInfo instead of a list"
        )
    );
    assert_eq!(fault, Fault::Request);

    let large = text().replace("1292192", "9223372036854775808");
    let (message, fault) = error(&closure(&large), &tree());
    assert_eq!(
        message,
        format!(
            "{A}: its NAR has 9223372036854775808 bytes, the limit of the store's database is \
             9223372036854775807"
        )
    );
    assert_eq!(fault, Fault::Limit);

    let circle = text().replace("\n7\n\n0\n", &format!("\n7\n\n1\n{A}\n"));
    let (message, fault) = error(&closure(&circle), &tree());
    assert_eq!(
        message,
        format!("{A}: refers to itself over other paths: {A} → {B} → {A}")
    );
    assert_eq!(fault, Fault::Input);

    let all = closure(&text());
    for term in ["", "Derive([", "a file that is called .drv"] {
        let (message, fault) = error(&all, &with_derivation(term));
        assert_eq!(
            message,
            format!("{DRV}: is not a derivation, which its name says it is")
        );
        assert_eq!(fault, Fault::Input);
    }
    let (message, _) = error(&all, &with_derivation(r#"Derive([("out","/etc/passwd","","")],"#));
    assert_eq!(
        message,
        "/etc/passwd: not a store path: it does not lie directly in /nix/store"
    );
    assert_eq!(error(&all, &Tree::default()).0, format!("{DRV}: not in the tree"));
}
