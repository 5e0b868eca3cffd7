//! What each format makes of each name.

use super::Cell::{Kept, Refused};
use super::rows::{file, row};
use super::{Entry, Row};

const LONGEST: [u8; 255] = [b'n'; 255];
const LONGER: [u8; 256] = [b'n'; 256];

pub(super) fn names() -> Vec<Row> {
    let name = |what, name: &'static [u8], cells| row(what, "", vec![Entry { name, ..file() }], cells);
    let cannot = Refused(2, "a name on FAT cannot hold the character");
    let end = Refused(2, "a name on FAT cannot end with a dot or a space");
    let long = Refused(3, "a name of 256 bytes, the limit is 255");
    let both = vec![
        Entry {
            name: b"Thing",
            ..file()
        },
        Entry {
            name: b"tHING",
            ..file()
        },
    ];
    let mut rows = vec![
        name("255 bytes", &LONGEST, [Kept("nnn"), Kept("nnn"), Kept("nnn")]),
        name("256 bytes", &LONGER, [long, long, long]),
        name(
            "letters of others",
            "ä€\u{1f600}".as_bytes(),
            [
                Kept("ä€\u{1f600}"),
                Kept(r"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"),
                Kept("ä€"),
            ],
        ),
        name(
            "no UTF-8",
            b"thing\xe4",
            [
                Kept("thing\u{fffd}"),
                Kept("thing"),
                Refused(2, "a name on FAT must be UTF-8"),
            ],
        ),
        name("a new line", b"thi\nng", [Kept("thi"), Kept("thi"), cannot]),
        name(
            "a dot at its end",
            b"thing.",
            [Kept("thing."), Kept("thing."), end],
        ),
        name(
            "a space at its end",
            b"thing ",
            [Kept("thing "), Kept("thing"), end],
        ),
        name("a device of DOS", b"con", [Kept("con"), Kept("con"), Kept("con")]),
        row(
            "two that differ in case",
            "",
            both,
            [
                Kept("tHING"),
                Kept("tHING"),
                Refused(2, "/tHING: FAT takes it for Thing, because it ignores case"),
            ],
        ),
    ];
    for (what, bad) in [
        ("\"", &b"thi\"ng"[..]),
        ("*", b"thi*ng"),
        (":", b"thi:ng"),
        ("<", b"thi<ng"),
        (">", b"thi>ng"),
        ("?", b"thi?ng"),
        ("a backslash", b"thi\\ng"),
        ("|", b"thi|ng"),
        ("a control character", b"thi\x01ng"),
        ("delete", b"thi\x7fng"),
    ] {
        let fat = if what == "delete" { Kept("thi") } else { cannot };
        rows.push(name(what, bad, [Kept("thi"), Kept("thi"), fat]));
    }
    rows
}
