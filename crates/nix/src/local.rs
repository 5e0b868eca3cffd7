//! The database of a local store, read while Nix goes on using it.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::{Path, PathBuf};

use rusqlite::limits::Limit;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension};

use crate::closure::{Closure, PathInfo};
use crate::database::DATABASE_DIR;
use crate::error::{Error, Result};
use crate::store_path::StorePath;

/// The first bytes of every database.
pub(crate) const MAGIC: &[u8] = b"SQLite format 3\0";

/// The tables that are read.
const TABLES: [&str; 2] = ["ValidPaths", "Refs"];

/// The longest text or row of a database that is read. Store paths and signatures are far from it.
const VALUE_MAX: i32 = 1 << 20;

/// How many steps of the library's machine pass between two looks at how many there were.
const STEPS: i32 = 1 << 20;

/// The database of the store that lies under a folder.
pub(crate) fn database_of(root: &Path) -> PathBuf {
    root.join(DATABASE_DIR.trim_start_matches('/')).join("db.sqlite")
}

/// The closure of some paths, as a store's database (`db.sqlite`) knows it. Only the tables `ValidPaths` and `Refs` are
/// looked at, which all versions from 5 on have. Nothing is written.
///
/// What is damaged is refused rather than believed to be a smaller closure: the structure of the file, rows that a table
/// and its index do not both have, and references to store paths that are not there.
///
/// # Errors
/// When the database cannot be read or is damaged, or a path is not valid in it.
pub fn read_database(database: &Path, roots: &[StorePath]) -> Result<Closure> {
    read(database, Some(roots))
}

/// All that a store's database knows, as [`read_database`] reads it.
///
/// # Errors
/// As [`read_database`].
pub fn read_whole_database(database: &Path) -> Result<Closure> {
    read(database, None)
}

/// The closure of some paths, or of all.
fn read(database: &Path, roots: Option<&[StorePath]>) -> Result<Closure> {
    let failed = |source| failed(database, source);
    let mut connection = open(database).map_err(failed)?;
    // One transaction, so that what was checked is what is read, whatever Nix does meanwhile.
    let connection = connection.transaction().map_err(failed)?;
    check_structure(&connection, database)?;
    let paths = valid_paths(&connection, database)?;
    let references = references(&connection, database, &paths)?;
    let mut hash_row = connection
        .prepare("select hash, narSize from ValidPaths where id = ?")
        .map_err(failed)?;

    let own = |id: i64| {
        let from = references.partition_point(|(referrer, _)| *referrer < id);
        let own = references[from..]
            .iter()
            .take_while(move |(referrer, _)| *referrer == id);
        own.map(|(_, reference)| *reference)
    };
    let bad = |problem: Error| damaged(database, problem.to_string());
    let ids: BTreeMap<&str, i64> = paths.iter().map(|(id, path)| (path.as_str(), *id)).collect();
    let mut wanted = Vec::new();
    if roots.is_none() {
        wanted.extend(paths.keys().copied());
    }
    for root in roots.unwrap_or_default() {
        let id = ids.get(root.as_str()).ok_or_else(|| Error::NotValid {
            path: root.clone(),
            database: database.into(),
        })?;
        wanted.push(*id);
    }
    let mut reached: BTreeMap<i64, StorePath> = BTreeMap::new();
    while let Some(id) = wanted.pop() {
        if let Entry::Vacant(place) = reached.entry(id) {
            let path = paths.get(&id).map_or("", String::as_str);
            place.insert(path.parse().map_err(bad)?);
            wanted.extend(own(id));
        }
    }

    let info = |(id, path): (&i64, &StorePath)| {
        let row = |row: &rusqlite::Row| Ok((row.get(0)?, row.get(1)?));
        let (hash, nar_size): (String, Option<i64>) = hash_row.query_row([id], row).map_err(failed)?;
        let mut references: Vec<StorePath> = own(*id)
            .filter_map(|reference| reached.get(&reference).cloned())
            .collect();
        references.sort_unstable();
        Ok(PathInfo {
            path: path.clone(),
            nar_hash: Some(hash.parse().map_err(bad)?),
            // Old stores did not know it.
            nar_size: nar_size
                .and_then(|size| u64::try_from(size).ok())
                .filter(|size| *size > 0),
            references: Some(references),
        })
    };
    Closure::of(reached.iter().map(info).collect::<Result<_>>()?)
}

/// An error of the library, which is damage where the file is to blame.
fn failed(database: &Path, source: rusqlite::Error) -> Error {
    let damaged = matches!(
        source.sqlite_error_code(),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::OperationInterrupted)
    );
    match source {
        rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::IntegralValueOutOfRange(..)
        | rusqlite::Error::InvalidColumnType(..) => self::damaged(database, source.to_string()),
        _ if damaged => self::damaged(database, source.to_string()),
        source => Error::StoreDatabase {
            database: database.into(),
            source,
        },
    }
}

fn damaged(database: &Path, problem: impl Into<String>) -> Error {
    Error::StoreDatabaseDamaged {
        database: database.into(),
        problem: problem.into(),
    }
}

/// Refuses a database whose pages do not hold together, or whose tables are something that runs when it is read.
fn check_structure(connection: &Connection, database: &Path) -> Result<()> {
    let failed = |source| failed(database, source);
    for table in TABLES {
        let kind: Option<(String, i64)> = connection
            .query_row(
                "select type, coalesce(rootpage, 0) from sqlite_schema where name = ? and type != 'index'",
                [table],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .optional()
            .map_err(failed)?;
        // Virtual tables have no page.
        match kind {
            Some((kind, page)) if kind == "table" && page > 0 => {}
            Some(_) => return Err(damaged(database, format!("{table} is not an ordinary table"))),
            None => return Err(damaged(database, format!("there is no table {table}"))),
        }
    }
    let odd: i64 = connection
        .query_row(
            "select (select count(*) from sqlite_schema where type = 'table' and coalesce(rootpage, 0) = 0)
                 + (select count(*) from pragma_table_xinfo('ValidPaths') where hidden != 0)
                 + (select count(*) from pragma_table_xinfo('Refs') where hidden != 0)",
            [],
            |row| row.get(0),
        )
        .map_err(failed)?;
    if odd > 0 {
        return Err(damaged(database, "it has virtual tables or computed columns"));
    }
    let said: String = connection
        .query_row("pragma quick_check(1)", [], |row| row.get(0))
        .map_err(failed)?;
    if said != "ok" {
        return Err(damaged(database, said.lines().collect::<Vec<_>>().join(" ")));
    }
    Ok(())
}

/// The index that holds a table's rows once more: that of a column that is unique (`u`), or of the primary key (`pk`).
fn index_of(connection: &Connection, database: &Path, table: &str, origin: &str) -> Result<String> {
    let name = connection
        .query_row(
            "select name from pragma_index_list(?) where origin = ? and partial = 0",
            [table, origin],
            |row| row.get::<_, String>(0),
        )
        .optional()
        .map_err(|source| failed(database, source))?;
    // It becomes a part of a statement.
    name.filter(|name| {
        name.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    })
    .ok_or_else(|| damaged(database, format!("{table} has no index of its rows")))
}

/// Every valid path by its id, which the table and its index agree about.
fn valid_paths(connection: &Connection, database: &Path) -> Result<BTreeMap<i64, String>> {
    let index = index_of(connection, database, "ValidPaths", "u")?;
    let rows = |query: &str| -> rusqlite::Result<BTreeMap<i64, String>> {
        let mut statement = connection.prepare(query)?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        rows.collect()
    };
    let failed = |source| failed(database, source);
    let paths = rows("select id, path from ValidPaths not indexed").map_err(failed)?;
    let indexed = rows(&format!(
        "select id, path from ValidPaths indexed by {index} order by path"
    ));
    if paths != indexed.map_err(failed)? {
        return Err(damaged(
            database,
            "the table ValidPaths and its index are not the same",
        ));
    }
    Ok(paths)
}

/// All references, sorted: the ids of who refers to whom. Both are valid paths.
fn references(
    connection: &Connection,
    database: &Path,
    paths: &BTreeMap<i64, String>,
) -> Result<Vec<(i64, i64)>> {
    let index = index_of(connection, database, "Refs", "pk")?;
    let rows = |query: &str| -> rusqlite::Result<Vec<(i64, i64)>> {
        let mut statement = connection.prepare(query)?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let mut rows = rows.collect::<rusqlite::Result<Vec<_>>>()?;
        rows.sort_unstable();
        Ok(rows)
    };
    let failed = |source| failed(database, source);
    let references = rows("select referrer, reference from Refs not indexed").map_err(failed)?;
    let indexed = rows(&format!(
        "select referrer, reference from Refs indexed by {index} order by referrer, reference"
    ));
    if references != indexed.map_err(failed)? {
        return Err(damaged(database, "the table Refs and its index are not the same"));
    }
    let lost = |(referrer, reference): &(i64, i64)| {
        [*referrer, *reference]
            .into_iter()
            .find(|id| !paths.contains_key(id))
    };
    match references.iter().find_map(lost) {
        Some(id) => {
            let problem = format!("Refs names the store path of row {id} of ValidPaths, and there is none");
            Err(damaged(database, problem))
        }
        None => Ok(references),
    }
}

/// Opens a database without writing: what Nix has not moved from its log into the database yet counts, and where there
/// is no log, not even a lock is taken.
fn open(database: &Path) -> rusqlite::Result<Connection> {
    let has = |ending| {
        let log = std::fs::metadata(database.with_extension(ending));
        log.is_ok_and(|meta| meta.len() > 0)
    };
    // A journal holds what an interrupted change has to be undone with: the library sees to it, or refuses.
    let has_log = has("sqlite-wal") || has("sqlite-journal");
    let mode = if has_log { "mode=ro" } else { "mode=ro&immutable=1" };
    let path = std::path::absolute(database).unwrap_or_else(|_| database.into());
    let path: String = path
        .to_string_lossy()
        .chars()
        .map(|character| match character {
            '%' => "%25".into(),
            '?' => "%3f".into(),
            '#' => "%23".into(),
            other => other.to_string(),
        })
        .collect();
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(format!("file:{path}?{mode}"), flags)?;
    connection.busy_timeout(std::time::Duration::from_secs(30))?;
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, VALUE_MAX)?;
    // Reading a sound database takes a few steps a byte; one made to keep its reader busy takes any number.
    let size = std::fs::metadata(database).map_or(0, |meta| meta.len());
    let mut left = size.saturating_mul(16) / u64::from(STEPS.unsigned_abs()) + 256;
    connection.progress_handler(
        STEPS,
        Some(move || {
            left = left.saturating_sub(1);
            left == 0
        }),
    )?;
    connection.execute_batch(
        "pragma trusted_schema = off; pragma cell_size_check = on; pragma query_only = on;
         pragma ignore_check_constraints = on;",
    )?;
    Ok(connection)
}
