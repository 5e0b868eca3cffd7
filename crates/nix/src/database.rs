//! The store's database, finished: the first `nix-store` finds it and needs no `--load-db`.
//!
//! ```text
//!  /nix/var/nix/db/schema      10
//!  /nix/var/nix/db/db.sqlite   ValidPaths         id  path  hash  registrationTime  deriver  narSize  …
//!                                                  ▲   a row per store path, sorted by path
//!                              Refs               referrer  reference       a path may refer to itself
//!                              DerivationOutputs  drv  id  path             of the paths that are derivations
//!                              SchemaMigrations   migration                 empty
//! ```
//!
//! Columns, indexes and trigger are those of `schema.sql` in Nix's sources, under names that Nix's statements use.
//! Newer ones also want `SchemaMigrations`, and fail to make it where nothing can be written: having it lets them use
//! a read-only image as a store.
//!
//! Everything is written in one order into a database in memory, so the same closure gives the same bytes: the
//! [format](https://www.sqlite.org/fileformat2.html) has a stated byte order, and nothing in it tells of a time, a
//! host, or the library that wrote it.
//!
//! The header says that there is a rollback journal, not a write-ahead log, so that the file can be opened where
//! nothing can be written. Nix turns on the log when it first opens the database to write, and makes what else it
//! keeps beside it: `big-lock`, and eight megabytes of `reserved`.

use image::{Kind, NodeId, Tree};
use rusqlite::{Connection, MAIN_DB, params};

use crate::closure::{Closure, PathInfo};
use crate::derivation;
use crate::error::{Error, Result};
use crate::store_path::StorePath;

/// The folder of the database, as seen from inside the system that uses it.
pub const DATABASE_DIR: &str = "/nix/var/nix/db";

/// The version of the tables; Nix writes it without a newline, and reads nothing else.
const SCHEMA_VERSION: &str = "10";

/// What decides the layout of the file and has defaults that a build of the library can change.
const FORMAT: &str = "
pragma page_size = 4096;
pragma encoding = 'UTF-8';
pragma auto_vacuum = none;
pragma secure_delete = on;
pragma foreign_keys = on;
begin;
";

const TABLES: [&str; 4] = [
    "create table ValidPaths (
    id               integer primary key autoincrement not null,
    path             text unique not null,
    hash             text not null,
    registrationTime integer not null,
    deriver          text,
    narSize          integer,
    ultimate         integer,
    sigs             text,
    ca               text
)",
    "create table Refs (
    referrer  integer not null,
    reference integer not null,
    primary key (referrer, reference),
    foreign key (referrer) references ValidPaths(id) on delete cascade,
    foreign key (reference) references ValidPaths(id) on delete restrict
)",
    "create table DerivationOutputs (
    drv  integer not null,
    id   text not null,
    path text not null,
    primary key (drv, id),
    foreign key (drv) references ValidPaths(id) on delete cascade
)",
    "create table SchemaMigrations (migration text primary key not null)",
];

/// Made after the rows are in, which packs the indexes tightly. Without the trigger, a path that refers to itself
/// could not be deleted.
const INDEXES: [&str; 3] = [
    "create index IndexReference on Refs(reference)",
    "create trigger DeleteSelfRefs before delete on ValidPaths
  begin
    delete from Refs where referrer = old.id and reference = old.id;
  end",
    "create index IndexDerivationOutputs on DerivationOutputs(path)",
];

/// The bytes of `db.sqlite` for a closure: what `nix-store --load-db` would make of its
/// [registration](crate::registration) of closureInfo in an empty store: without derivers, which differ from source to source. Every path is
/// registered at `time`, in seconds since 1970. The contents of derivations are looked up in `tree`, which holds
/// the closure under `/nix/store`; nothing else is read.
///
/// # Errors
/// When a path's hash or references are not known, its size is more than the database can hold, paths refer to
/// each other in a circle, or a path that is called a derivation is none.
pub fn database(closure: &Closure, tree: &Tree, time: i64) -> Result<Vec<u8>> {
    refuse_cycles(closure)?;
    let mut connection = Connection::open_in_memory()?;
    connection.execute_batch(FORMAT)?;
    for table in TABLES {
        connection.execute_batch(table)?;
    }
    fill(&connection, closure, tree, time)?;
    for index in INDEXES {
        connection.execute_batch(index)?;
    }
    connection.execute_batch("commit")?;
    Ok(connection.serialize(MAIN_DB)?.to_vec())
}

/// The [folder](DATABASE_DIR) of the [database], to be put into a tree.
///
/// # Errors
/// As [`database`].
pub fn database_folder(closure: &Closure, tree: &Tree, time: i64) -> Result<Tree> {
    let mut folder = Tree::default();
    let files = [
        ("db.sqlite", database(closure, tree, time)?),
        ("schema", SCHEMA_VERSION.into()),
    ];
    for (name, bytes) in files {
        folder.add(NodeId::ROOT, name.as_bytes(), image::Node::file(bytes))?;
    }
    Ok(folder)
}

fn fill(connection: &Connection, closure: &Closure, tree: &Tree, time: i64) -> Result<()> {
    let mut path_row = connection.prepare(
        "insert into ValidPaths (id, path, hash, registrationTime, narSize) values (?, ?, ?, ?, ?)",
    )?;
    for (id, info) in (1_i64..).zip(closure.paths()) {
        let hash = info.nar_hash.ok_or_else(|| unknown(info, "hash is"))?;
        path_row.execute(params![
            id,
            info.path.as_str(),
            format!("sha256:{}", hash.to_base16()),
            time,
            nar_size(info)?,
        ])?;
    }
    let mut reference_row = connection.prepare("insert into Refs (referrer, reference) values (?, ?)")?;
    let mut output_row =
        connection.prepare("insert or replace into DerivationOutputs (drv, id, path) values (?, ?, ?)")?;
    for (id, info) in (1_i64..).zip(closure.paths()) {
        let references = info
            .references
            .as_ref()
            .ok_or_else(|| unknown(info, "references are"))?;
        for reference in references {
            let reference = row_id(closure, reference).ok_or_else(|| Error::MissingReference {
                path: info.path.clone(),
                reference: reference.clone(),
            })?;
            reference_row.execute([id, reference])?;
        }
        if info.path.name().ends_with(derivation::ENDING) {
            for (name, path) in outputs(&info.path, tree)? {
                output_row.execute(params![id, name, path.as_str()])?;
            }
        }
    }
    Ok(())
}

/// Refuses what Nix refuses to register: a path that refers, over others, to itself.
fn refuse_cycles(closure: &Closure) -> Result<()> {
    let paths = closure.paths();
    let others = |at: usize| {
        let references = paths[at].references.iter().flatten();
        references
            .filter_map(|reference| closure.position(reference))
            .filter(move |reference| *reference != at)
    };
    let mut referrers: Vec<Vec<usize>> = vec![Vec::new(); paths.len()];
    let mut open_counts: Vec<usize> = (0..paths.len()).map(|at| others(at).count()).collect();
    for at in 0..paths.len() {
        others(at).for_each(|reference| referrers[reference].push(at));
    }
    let mut closed: Vec<usize> = (0..paths.len()).filter(|at| open_counts[*at] == 0).collect();
    while let Some(at) = closed.pop() {
        for referrer in &referrers[at] {
            open_counts[*referrer] -= 1;
            if open_counts[*referrer] == 0 {
                closed.push(*referrer);
            }
        }
    }
    let Some(mut at) = open_counts.iter().position(|count| *count > 0) else {
        return Ok(());
    };
    // Whatever is still open refers to something open, so the way must come back to where it was.
    let mut way = vec![at];
    while let Some(next) = others(at).find(|next| open_counts[*next] > 0) {
        if let Some(first) = way.iter().position(|known| *known == next) {
            way.drain(..first);
            way.push(next);
            break;
        }
        way.push(next);
        at = next;
    }
    Err(Error::Cycle {
        way: way.into_iter().map(|at| paths[at].path.clone()).collect(),
    })
}

fn unknown(info: &PathInfo, unknown: &'static str) -> Error {
    Error::Unknown {
        path: info.path.clone(),
        unknown,
    }
}

fn nar_size(info: &PathInfo) -> Result<i64> {
    let size = info.nar_size.ok_or_else(|| unknown(info, "size is"))?;
    i64::try_from(size).map_err(|_| Error::NarTooLarge {
        path: info.path.clone(),
        size,
    })
}

/// The number of a path's row: they are counted from 1 in the order of the paths.
fn row_id(closure: &Closure, path: &StorePath) -> Option<i64> {
    i64::try_from(closure.position(path)? + 1).ok()
}

fn outputs(path: &StorePath, tree: &Tree) -> Result<Vec<(String, StorePath)>> {
    let root = tree
        .lookup(path.as_str().as_bytes())
        .ok_or_else(|| Error::NotInTree { path: path.clone() })?;
    let known = match &tree.node(root).kind {
        Kind::File(content) => derivation::outputs(&content.to_vec()?).transpose()?,
        _ => None,
    };
    known.ok_or_else(|| Error::NotADerivation { path: path.clone() })
}
