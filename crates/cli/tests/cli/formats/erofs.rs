//! What erofs makes of each property that the other formats are asked for.

use std::os::unix::fs::MetadataExt as _;

use super::Cell::{self, Kept, Refused};
use super::{Row, names, rows, wrong};
use crate::oracle::installed;

/// What erofs-utils say of the file, and what they unpack: dumps show neither set-id bits nor numbers of devices.
pub(super) const LISTED: &str = r#"
dump.erofs-newer --path=/thing out/it.erofs
rm -rf x
fsck.erofs-newer --extract=x --xattrs out/it.erofs
ls -a x
stat -c 'kind %F mode %a links %h rdev %t:%T' x/thing
python3 -c '
import os
for name in os.listxattr("x/thing", follow_symlinks=False):
    value = os.getxattr("x/thing", name, follow_symlinks=False)
    print(f"{name}:{len(value)}:", value[:3])'
"#;

/// What becomes of the rows, by what they are called; of names, `cell` knows most.
const CELLS: [(&str, Cell); 53] = [
    ("setuid", Kept("mode 4755 ")),
    ("setgid", Kept("mode 2755 ")),
    ("sticky", Kept("mode 1777 ")),
    ("no bits", Kept("mode 0 ")),
    ("uid 65535", Kept("Uid: 65535 Gid: 0 ")),
    ("uid 65536", Kept("Uid: 65536 Gid: 0 ")),
    ("gid 70001", Kept("Uid: 0 Gid: 70001 ")),
    ("uid -2", Kept("Uid: 4294967294 Gid: 0 ")),
    ("uid -1", NOBODY),
    ("gid -1", NOBODY),
    (
        "uid of 33 bits",
        Refused(3, "thing: its uid is 4294967296, the limit is 4294967295"),
    ),
    ("before all", Kept("Timestamp: 1901-12-13 20:45:51.0")),
    ("1901", Kept("Timestamp: 1901-12-13 20:45:52.0")),
    ("before 1970", Kept("Timestamp: 1969-12-31 23:59:59.0")),
    ("1970", Kept("Timestamp: 1970-01-01 00:00:01.0")),
    ("1979", Kept("Timestamp: 1979-12-31 23:59:59.0")),
    ("1980", Kept("Timestamp: 1980-01-01 00:00:00.0")),
    ("parts of a second", Kept("Timestamp: 2023-11-14 22:13:20.0")),
    ("2038", Kept("Timestamp: 2038-01-19 03:14:08.0")),
    ("2106", Kept("Timestamp: 2106-02-07 06:28:15.0")),
    ("2106, a second later", Kept("Timestamp: 2106-02-07 06:28:16.0")),
    ("2107", Kept("Timestamp: 2107-12-31 23:59:59.0")),
    ("2108", Kept("Timestamp: 2108-01-01 00:00:00.0")),
    ("2446", Kept("Timestamp: 2446-05-10 22:38:55.0")),
    ("after all", Kept("Timestamp: 2446-05-10 22:38:56.0")),
    ("user.", Kept("user.a:1: b'v'")),
    ("trusted.", Kept("trusted.a:1: b'v'")),
    ("security.", Kept("security.selinux:1: b'v'")),
    // What is unpacked gets its owner after its capabilities, and loses them.
    ("capabilities", Kept("Xattr size: 48 ")),
    ("an access list", Kept("system.posix_acl_access:")),
    ("other lists", NAMESPACE),
    ("no namespace", NAMESPACE),
    ("an empty name", NAMESPACE),
    ("a name of 255 bytes", Kept("nnnnn:1: b'v'")),
    (
        "a name of 256 bytes",
        Refused(3, "the name has 256 bytes, the limit is 255"),
    ),
    // fsck.erofs unpacks no attribute without a value.
    ("an empty value", Kept("Xattr size: 20 ")),
    ("4000 bytes", Kept("Xattr size: 4020 ")),
    ("4200 bytes", Kept("Xattr size: 4220 ")),
    ("64 KiB", TOO_MUCH),
    ("more", TOO_MUCH),
    (
        "a character device",
        Kept("kind character special file mode 444 links 1 rdev 5:1 "),
    ),
    (
        "a block device",
        Kept("kind block special file mode 444 links 1 rdev 8:0 "),
    ),
    ("the last device", Kept("rdev fff:fffff ")),
    ("a large major", NUMBERS),
    ("a large minor", NUMBERS),
    ("a pipe", Kept("kind fifo mode 444 ")),
    ("a folder", Kept("kind directory mode 555 ")),
    ("a link", Kept("kind symbolic link mode 777 ")),
    ("a link to 60 bytes", Kept("Size: 60 ")),
    ("a link to 4095 bytes", Kept("Size: 4095 ")),
    ("two names", Kept("links 2 ")),
    ("two names, made two files", Kept("links 1 ")),
    ("letters of others", Kept("ä€\u{1f600}")),
];

const NOBODY: Cell = Refused(
    2,
    "/thing: it belongs to 4294967295, which Linux takes for nobody",
);
const NAMESPACE: Cell = Refused(3, "the name must begin with user., trusted. or security.");
const TOO_MUCH: Cell = Refused(3, "the limit is 65535");
const NUMBERS: Cell = Refused(3, "the limits are 4095 and 1048575");

/// What becomes of a row: what the list says, or what becomes of it in an ext4 if that is an error of the archive, or a name.
fn cell(row: &Row) -> Cell {
    let listed = CELLS.iter().find(|(what, _)| *what == row.what);
    listed.map_or(row.cells[1], |(_, cell)| *cell)
}

#[test]
fn all_properties_are_kept_or_refused() {
    let is_root = std::fs::metadata("/proc/self").unwrap().uid() == 0;
    if !is_root || !installed("dump.erofs-newer") || !installed("fsck.erofs-newer") {
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
        .filter_map(|row| wrong(row, "erofs", cell(row)))
        .collect();
    assert!(all.is_empty(), "{}", all.join("\n"));
}
