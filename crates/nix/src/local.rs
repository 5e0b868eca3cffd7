//! The database of a local store, read while Nix goes on using it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, OptionalExtension};

use crate::closure::{Closure, PathInfo};
use crate::database::DATABASE_DIR;
use crate::error::{Error, Result};
use crate::store_path::StorePath;

/// The first bytes of every database.
pub(crate) const MAGIC: &[u8] = b"SQLite format 3\0";

/// The database of the store that lies under a folder.
pub(crate) fn database_of(root: &Path) -> PathBuf {
    root.join(DATABASE_DIR.trim_start_matches('/')).join("db.sqlite")
}

/// The closure of some paths, as a store's database (`db.sqlite`) knows it. Only the tables `ValidPaths` and `Refs` are
/// looked at, which all versions from 5 on have. Nothing is written.
///
/// # Errors
/// When the database cannot be read, or a path is not valid in it.
pub fn read_database(database: &Path, roots: &[StorePath]) -> Result<Closure> {
    let failed = |source| Error::StoreDatabase {
        database: database.into(),
        source,
    };
    let connection = open(database).map_err(failed)?;
    let mut path_row = connection
        .prepare("select id, hash, narSize from ValidPaths where path = ?")
        .map_err(failed)?;
    let mut reference_rows = connection
        .prepare("select path from Refs join ValidPaths on reference = id where referrer = ? order by path")
        .map_err(failed)?;
    let mut known: BTreeMap<StorePath, PathInfo> = BTreeMap::new();
    let mut wanted: Vec<StorePath> = roots.to_vec();
    while let Some(path) = wanted.pop() {
        if known.contains_key(&path) {
            continue;
        }
        let row = |row: &rusqlite::Row| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
        let found: Option<(i64, String, Option<i64>)> = path_row
            .query_row([path.as_str()], row)
            .optional()
            .map_err(failed)?;
        let (id, hash, nar_size) = found.ok_or_else(|| Error::NotValid {
            path: path.clone(),
            database: database.into(),
        })?;
        let references = reference_rows
            .query_map([id], |row| row.get::<_, String>(0))
            .and_then(Iterator::collect::<rusqlite::Result<Vec<String>>>)
            .map_err(failed)?;
        let mut references = references
            .iter()
            .map(|text| text.parse())
            .collect::<Result<Vec<StorePath>>>()?;
        references.sort_unstable();
        wanted.extend(
            references
                .iter()
                .filter(|path| !known.contains_key(path))
                .cloned(),
        );
        let info = PathInfo {
            path: path.clone(),
            nar_hash: Some(hash.parse()?),
            // Old stores did not know it.
            nar_size: nar_size
                .and_then(|size| u64::try_from(size).ok())
                .filter(|size| *size > 0),
            references: Some(references),
        };
        known.insert(path, info);
    }
    Closure::of(known.into_values().collect())
}

/// Opens a database without writing: what Nix has not moved from its log into the database yet counts, and where there
/// is no log, not even a lock is taken.
fn open(database: &Path) -> rusqlite::Result<Connection> {
    let log = database.with_extension("sqlite-wal");
    let has_log = std::fs::metadata(log).is_ok_and(|meta| meta.len() > 0);
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
    let connection = Connection::open_with_flags(format!("file:{path}?{mode}"), flags)?;
    connection.busy_timeout(std::time::Duration::from_secs(30))?;
    Ok(connection)
}
