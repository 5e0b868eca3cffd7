//! A damaged database is refused, or gives the same closure: never one with fewer paths.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use image::{Fault, Tree};
use nix::{Closure, StorePath, database, read_database};
use rusqlite::Connection;

const HASH: &str = "sha256:1ib0rn0jdvh35xmfrwnxg16q2zsdjbk0b8h6819bz0njrn3v579h";

fn path(number: usize) -> StorePath {
    format!("/nix/store/{number:032}-path").parse().unwrap()
}

/// Paths that refer to those with half their number and to the one before, down from the last.
fn closure(count: usize) -> Closure {
    let mut text = String::new();
    for number in 0..count {
        let mut references = vec![path(number), path(number / 2), path(number.saturating_sub(1))];
        references.sort_unstable();
        references.dedup();
        let _ = write!(
            text,
            "{}\n{HASH}\n{}\n\n{}\n",
            path(number),
            number + 1,
            references.len()
        );
        for reference in references {
            let _ = writeln!(text, "{reference}");
        }
    }
    Closure::from_registration(Path::new("registration"), text.as_bytes()).unwrap()
}

/// A database in a folder of its own.
struct Made {
    dir: tempfile::TempDir,
    bytes: Vec<u8>,
    whole: Closure,
    root: StorePath,
}

impl Made {
    fn new(count: usize) -> Made {
        let whole = closure(count);
        Made {
            dir: tempfile::tempdir().unwrap(),
            bytes: database(&whole, &Tree::default(), 1).unwrap(),
            whole,
            root: path(count - 1),
        }
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("db.sqlite")
    }

    fn read(&self, bytes: &[u8]) -> nix::Result<Closure> {
        fs::write(self.file(), bytes).unwrap();
        read_database(&self.file(), std::slice::from_ref(&self.root))
    }

    /// What reading says after a change by statements.
    fn after(&self, statements: &str) -> String {
        fs::write(self.file(), &self.bytes).unwrap();
        let connection = Connection::open(self.file()).unwrap();
        connection.execute_batch("pragma foreign_keys = off").unwrap();
        connection.execute_batch(statements).unwrap();
        drop(connection);
        match read_database(&self.file(), std::slice::from_ref(&self.root)) {
            Ok(closure) => format!("{} paths", closure.paths().len()),
            Err(error) => {
                assert_eq!(error.fault(), Fault::Input);
                error
                    .to_string()
                    .replace(&self.file().display().to_string(), "DB")
            }
        }
    }
}

/// Which paths there are and what they refer to. Hashes and sizes have no second place in the database: they are compared
/// with the store's bytes.
fn names(closure: &Closure) -> Vec<(&StorePath, &Option<Vec<StorePath>>)> {
    let paths = closure.paths().iter();
    paths.map(|info| (&info.path, &info.references)).collect()
}

#[test]
fn bytes_that_changed_hide_no_path() {
    let made = Made::new(120);
    assert_eq!(made.read(&made.bytes).unwrap(), made.whole);
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).unwrap()
    };
    let (mut refused, mut same) = (0, 0);
    for round in 0..900 {
        let mut bytes = made.bytes.clone();
        let mut at = random(bytes.len());
        // What is not used of pages is zero, and most of it: there nothing happens.
        while round % 8 > 0 && bytes[at] == 0 {
            at = random(bytes.len());
        }
        bytes[at] ^= u8::try_from(random(255) + 1).unwrap();
        match made.read(&bytes) {
            Err(_) => refused += 1,
            Ok(read) => {
                assert!(names(&read) == names(&made.whole), "byte {at} was believed");
                same += 1;
            }
        }
    }
    assert!(refused > 300 && same > 100, "{refused} refused, {same} the same");
}

#[test]
fn what_leads_nowhere_is_refused() {
    let made = Made::new(6);
    let all = [
        ("", "6 paths"),
        (
            "delete from ValidPaths where id = 2",
            "DB: is damaged: Refs names the store path of row 2 of ValidPaths, and there is none",
        ),
        (
            "insert into Refs values (6, 77)",
            "DB: is damaged: Refs names the store path of row 77 of ValidPaths, and there is none",
        ),
        (
            "insert into Refs values (77, 1)",
            "DB: is damaged: Refs names the store path of row 77 of ValidPaths, and there is none",
        ),
        (
            "update ValidPaths set path = '/tmp/x' where id = 2",
            "DB: is damaged: /tmp/x: not a store path",
        ),
        (
            "update Refs set reference = 'x' where referrer = 3 and reference = 3",
            "DB: is damaged: Invalid column type Text",
        ),
        (
            "update ValidPaths set path = x'00' where id = 2",
            "DB: is damaged: Invalid column type Blob",
        ),
        ("drop table Refs", "DB: is damaged: there is no table Refs"),
        (
            "alter table Refs rename to Old; create view Refs as select * from Old",
            "DB: is damaged: Refs is not an ordinary table",
        ),
        (
            "drop table Refs; create view Refs as with recursive n(referrer, reference) as \
             (select 6, 1 union all select 6, reference from n) select * from n",
            "DB: is damaged: Refs is not an ordinary table",
        ),
        (
            "drop table Refs; create table Refs (referrer integer, reference integer)",
            "DB: is damaged: Refs has no index of its rows",
        ),
        (
            "drop table Refs; create table Refs (referrer integer, reference integer as (referrer), primary key (referrer))",
            "DB: is damaged: it has virtual tables or computed columns",
        ),
        (
            "pragma writable_schema = on; update sqlite_schema set rootpage = 0 where name = 'Refs'",
            "DB: is damaged: Refs is not an ordinary table",
        ),
        (
            "delete from ValidPaths where id = 6; delete from Refs where referrer = 6",
            "/nix/store/00000000000000000000000000000005-path: is not valid in the store of DB",
        ),
    ];
    for (statements, expected) in all {
        let said = made.after(statements);
        assert!(
            said.starts_with(expected),
            "{statements}\nsaid: {said}\nexpected: {expected}"
        );
    }
}

#[test]
fn what_is_no_database_is_told() {
    let made = Made::new(3);
    let cut = made.read(&made.bytes[..8192]).unwrap_err();
    assert!(cut.to_string().contains(": is damaged: "), "{cut}");
    let mut other = made.bytes.clone();
    other[..16].fill(b'x');
    let other = made.read(&other).unwrap_err();
    assert!(
        other
            .to_string()
            .ends_with(": is damaged: file is not a database"),
        "{other}"
    );
}

/// Nix keeps what it did last in a log beside the database while it runs.
#[test]
fn a_database_in_use_is_read_with_its_log() {
    let made = Made::new(4);
    fs::write(made.file(), &made.bytes).unwrap();
    let nix = Connection::open(made.file()).unwrap();
    nix.execute_batch(
        "pragma journal_mode = wal; pragma wal_autocheckpoint = 0;
         insert into ValidPaths (path, hash, registrationTime, narSize)
             select replace(path, '3-path', '9-path'), hash, 1, 1 from ValidPaths where id = 4;
         insert into Refs values (4, 5);",
    )
    .unwrap();
    assert!(fs::metadata(made.dir.path().join("db.sqlite-wal")).unwrap().len() > 0);
    let read = || read_database(&made.file(), std::slice::from_ref(&made.root)).unwrap();
    assert_eq!(read().paths().len(), 5);
    // What is not finished yet does not count, and nobody waits for it.
    nix.execute_batch("begin immediate; delete from Refs where referrer = 4")
        .unwrap();
    assert_eq!(read().paths().len(), 5);
    drop(nix);
    assert_eq!(read().paths().len(), 5);
}

/// An interrupted change to a database without such a log has to be undone first, which only a writer can.
#[test]
fn an_interrupted_change_is_not_believed() {
    let made = Made::new(40);
    fs::write(made.file(), &made.bytes).unwrap();
    let nix = Connection::open(made.file()).unwrap();
    nix.execute_batch(
        "pragma journal_mode = persist; pragma cache_size = 1; pragma cache_spill = 1; begin;
         delete from Refs; update ValidPaths set sigs = hex(zeroblob(2000));",
    )
    .unwrap();
    let copy = Made::new(40);
    for name in ["db.sqlite", "db.sqlite-journal"] {
        fs::copy(made.dir.path().join(name), copy.dir.path().join(name)).unwrap();
    }
    drop(nix);
    assert!(
        fs::read(copy.file()).unwrap() != made.bytes,
        "nothing was spilled"
    );
    let read = read_database(&copy.file(), std::slice::from_ref(&copy.root));
    assert!(read.is_err());
}
