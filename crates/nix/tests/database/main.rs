//! The store's database: its rows, and what Nix says of a store that was given one.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod damage;
mod nix_store;
mod rows;

use std::path::Path;

use rusqlite::{Connection, OpenFlags, Row, types::ValueRef};

fn open(path: &Path) -> Connection {
    Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap()
}

/// The rows of a query, a line for each.
fn rows(database: &Connection, query: &str) -> String {
    let mut statement = database.prepare(query).unwrap();
    let columns = statement.column_count();
    let value = |value: ValueRef<'_>| match value {
        ValueRef::Null => "-".to_string(),
        ValueRef::Text(text) => str::from_utf8(text).unwrap().to_string(),
        ValueRef::Integer(number) => number.to_string(),
        other => panic!("{other:?}"),
    };
    let row = |row: &Row<'_>| {
        let values = (0..columns).map(|column| value(row.get_ref_unwrap(column)));
        Ok(values.collect::<Vec<_>>().join(" ") + "\n")
    };
    statement
        .query_map([], row)
        .unwrap()
        .map(Result::unwrap)
        .collect()
}
