//! What btrfs makes of each property that the other formats are asked for.

use super::Cell::{self, Kept, Refused};
use super::{Row, names, rows, wrong};
use crate::oracle::installed;

/// What becomes of the rows, by what they are called; of names, `cell` knows most.
const CELLS: [(&str, Cell); 52] = [
    ("setuid", Kept("mode 104755")),
    ("setgid", Kept("mode 42755")),
    ("sticky", Kept("mode 41777")),
    ("no bits", Kept("mode 100000")),
    ("uid 65535", Kept("uid 65535 gid 0")),
    ("uid 65536", Kept("uid 65536 gid 0")),
    ("gid 70001", Kept("uid 0 gid 70001")),
    ("uid -2", Kept("uid 4294967294 gid 0")),
    ("uid -1", NOBODY),
    ("gid -1", NOBODY),
    (
        "uid of 33 bits",
        Refused(3, "thing: its uid is 4294967296, the limit is 4294967295"),
    ),
    ("before all", Kept("mtime 18446744071562067967.0")),
    ("1901", Kept("mtime 18446744071562067968.0")),
    ("before 1970", Kept("mtime 18446744073709551615.0")),
    ("1970", Kept("mtime 1.0")),
    ("1979", Kept("mtime 315532799.0")),
    ("1980", Kept("mtime 315532800.0")),
    ("parts of a second", Kept("mtime 1700000000.0")),
    ("2038", Kept("mtime 2147483648.0")),
    ("2106", Kept("mtime 4294967295.0")),
    ("2106, a second later", Kept("mtime 4294967296.0")),
    ("2107", Kept("mtime 4354819199.0")),
    ("2108", Kept("mtime 4354819200.0")),
    ("2446", Kept("mtime 15032385535.0")),
    ("after all", Kept("mtime 15032385536.0")),
    ("user.", Kept("name: user.a data v")),
    ("trusted.", Kept("name: trusted.a data v")),
    ("security.", Kept("name: security.selinux data v")),
    (
        "capabilities",
        Kept("data_len 20 name_len 19 name: security.capability"),
    ),
    ("an access list", Kept("name: system.posix_acl_access")),
    ("other lists", NAMESPACE),
    ("no namespace", NAMESPACE),
    ("an empty name", NAMESPACE),
    (
        "a name of 255 bytes",
        Kept("data_len 1 name_len 255 name: user.nnn"),
    ),
    (
        "a name of 256 bytes",
        Refused(3, "the name has 256 bytes, the limit is 255"),
    ),
    ("an empty value", Kept("data_len 0 name_len 6 name: user.a")),
    (
        "4000 bytes",
        Kept("data_len 4000 name_len 6 name: user.a data vvv"),
    ),
    (
        "4200 bytes",
        Kept("data_len 4200 name_len 6 name: user.a data vvv"),
    ),
    ("64 KiB", TOO_MUCH),
    ("more", TOO_MUCH),
    (
        "a character device",
        Kept("mode 20444 links 1 uid 0 gid 0 rdev 5242881"),
    ),
    (
        "a block device",
        Kept("mode 60444 links 1 uid 0 gid 0 rdev 8388608"),
    ),
    ("the last device", Kept("rdev 4294967295")),
    ("a large major", NUMBERS),
    ("a large minor", NUMBERS),
    ("a pipe", Kept("mode 10444")),
    ("a folder", Kept("mode 40555")),
    ("a link", Kept("mode 120777 links 1")),
    (
        "a link to 60 bytes",
        Kept("inline extent data size 60 ram_bytes 60"),
    ),
    (
        "a link to 4095 bytes",
        Kept("inline extent data size 4095 ram_bytes 4095"),
    ),
    ("two names", Kept("mode 100444 links 2")),
    ("two names, made two files", Kept("mode 100444 links 1")),
];

const NOBODY: Cell = Refused(
    2,
    "/thing: it belongs to 4294967295, which Linux takes for nobody",
);
const NAMESPACE: Cell = Refused(3, "the name must begin with user., trusted. or security.");
const TOO_MUCH: Cell = Refused(3, "the limit is 16222");
const NUMBERS: Cell = Refused(3, "the limits are 4095 and 1048575");

/// What becomes of a row: what the list says, or what becomes of it in an ext4 if that is an error of the archive, or a name.
fn cell(row: &Row) -> Cell {
    let listed = CELLS.iter().find(|(what, _)| *what == row.what);
    listed.map_or(row.cells[1], |(_, cell)| *cell)
}

#[test]
fn all_properties_are_kept_or_refused() {
    if !installed("btrfs") {
        return;
    }
    let rows = [
        rows::modes_and_owners(),
        rows::times(),
        rows::attributes(),
        rows::sizes_of_attributes(),
        rows::kinds(),
        rows::links(),
        names::names(),
    ];
    let rows: Vec<Row> = rows.into_iter().flatten().collect();
    for (what, _) in CELLS {
        assert!(rows.iter().any(|row| row.what == what), "{what}");
    }
    let all: Vec<String> = rows
        .iter()
        .filter_map(|row| wrong(row, "btrfs", cell(row)))
        .collect();
    assert!(all.is_empty(), "{}", all.join("\n"));
}
