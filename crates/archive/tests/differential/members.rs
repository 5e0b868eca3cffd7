//! What headers say: types, names and numbers.

use crate::Verdict::{Agreed, Bsd, Gnu, Refused, RefusedAlone};
use crate::blocks::{dir, file, hard, head, of_type, padded, pax, symlink};
use crate::judge;

#[test]
fn types() {
    let device = |kind| head(kind, "x", 0).octal(329, 8, 1).octal(337, 8, 3);
    let cases = vec![
        ("contiguous", vec![of_type(b'7', "x", b"data")], Agreed),
        (
            "a device",
            vec![device(b'3').alone(), device(b'4').alone()],
            Agreed,
        ),
        (
            "a device without numbers",
            vec![head(b'3', "x", 0).alone()],
            Agreed,
        ),
        ("an old device", vec![device(b'3').magic([0; 8]).alone()], Agreed),
        (
            "an old file",
            vec![head(0, "x", 4).magic([0; 8]).with(b"data")],
            Agreed,
        ),
        (
            "an old folder",
            vec![head(0, "x/", 0).magic([0; 8]).alone(), file("x/y", "1")],
            Agreed,
        ),
        (
            "a folder that says it is a file",
            vec![head(b'0', "x/", 0).alone(), file("x/y", "1")],
            Agreed,
        ),
        (
            "a folder that says it is a file, with a content",
            vec![file("x/", "data"), file("y", "1")],
            Refused("a header with a wrong checksum"),
        ),
        ("a link with a slash", vec![symlink("x/", "t")], Agreed),
        (
            "a label",
            vec![head(b'V', "label", 0).alone(), file("y", "1")],
            Agreed,
        ),
        (
            "a folder of a backup",
            vec![of_type(b'D', "x/", b"Ya\0\0"), file("y", "1")],
            Agreed,
        ),
        (
            "a part of a file",
            vec![of_type(b'M', "x", b"data"), file("y", "1")],
            Refused("x: is continued from another volume"),
        ),
        (
            "an access list of Solaris",
            vec![of_type(b'A', "x", b"data"), file("y", "1")],
            Refused("x: is an access list of Solaris, which is not read"),
        ),
        (
            "an extended header of Solaris",
            vec![of_type(b'X', "x", b"16 path=renamed\n"), file("y", "1")],
            Agreed,
        ),
    ];
    judge(&cases);
}

#[test]
fn types_that_say_less() {
    let mut cases = Vec::new();
    // As POSIX has it: what is not known is a file.
    for kind in b"ENZ89s" {
        cases.push((
            "an unknown type",
            vec![of_type(*kind, "x", b"data"), file("y", "1")],
            Agreed,
        ));
        let header = head(*kind, "x", 4).magic(*b"ustar  \0");
        cases.push((
            "GNU's unknown type",
            vec![header.with(b"data"), file("y", "1")],
            Agreed,
        ));
    }
    // Only files have a content, whatever length is said.
    for kind in b"23456D" {
        let header = || head(*kind, "x", 700).link("t");
        if *kind != b'D' {
            cases.push((
                "a length of nothing",
                vec![header().alone(), file("y", "1")],
                Agreed,
            ));
            let content = padded(&[b'c'; 700]);
            let entries = vec![header().alone(), content, file("y", "1")];
            cases.push((
                "content of what has none",
                entries,
                Refused("a header with a wrong checksum"),
            ));
        }
    }
    let linked = |content: &[u8]| {
        vec![
            file("x", "1"),
            head(b'1', "z", 1).link("x").with(content),
            file("y", "1"),
        ]
    };
    cases.push(("a length of a hard link", linked(b""), Agreed));
    cases.push((
        "a hard link with a content",
        linked(b"2"),
        Refused("a header with a wrong checksum"),
    ));
    judge(&cases);
}

#[test]
fn names() {
    let long = |len: usize| "n".repeat(len);
    let prefixed = |magic: [u8; 8]| vec![head(b'0', "x", 0).magic(magic).put(345, b"pre").alone()];
    judge(&[
        ("a prefix", prefixed(*b"ustar\x0000"), Agreed),
        ("a prefix of another version", prefixed(*b"ustar\0  "), Agreed),
        (
            "no prefix, but what GNU has there",
            prefixed(*b"ustar  \0"),
            Agreed,
        ),
        ("no prefix, but what nobody knows", prefixed([0; 8]), Agreed),
        (
            "a prefix of nobody",
            prefixed(*b"ustar   "),
            Refused("neither that of POSIX nor that of GNU"),
        ),
        (
            "as much as there is room for",
            vec![head(b'0', &long(100), 0).put(345, long(155).as_bytes()).alone()],
            Agreed,
        ),
        (
            "from the root",
            vec![file("/etc/x", "1"), dir("//var//"), symlink("/l", "/etc/x")],
            Agreed,
        ),
        (
            "the root",
            vec![dir("/"), dir("."), dir("./"), dir("//"), file("x", "1")],
            Agreed,
        ),
        ("dots and slashes", vec![file("./a/./b//c", "1")], Agreed),
        (
            "no name",
            vec![head(b'0', "", 1).with(b"1"), file("y", "1")],
            Refused("a path without a name"),
        ),
        (
            "a root that is a file",
            vec![file(".", "1")],
            Refused(".: is no folder, as a root has to be"),
        ),
        (
            "upwards",
            vec![file("../x", "1")],
            Refused("../x: the path leads out of its folder"),
        ),
        (
            "downwards and up",
            vec![dir("a/"), file("a/../x", "1")],
            Refused("leads out of its folder"),
        ),
    ]);
}

#[test]
fn names_before_their_headers() {
    let long = |len: usize| "n".repeat(len);
    judge(&[
        (
            "a long name",
            vec![
                of_type(b'L', "././@LongLink", &[long(250).as_bytes(), b"\0"].concat()),
                file("x", "1"),
            ],
            Agreed,
        ),
        (
            "a long name without an end",
            vec![of_type(b'L', "L", b"long"), file("x", "1")],
            Agreed,
        ),
        (
            "two long names",
            vec![
                of_type(b'L', "L", b"one\0"),
                of_type(b'L', "L", b"two\0"),
                file("x", "1"),
            ],
            Agreed,
        ),
        (
            "a long name behind a path",
            vec![
                pax("path", b"path"),
                of_type(b'L', "L", b"long\0"),
                file("x", "1"),
            ],
            Agreed,
        ),
        (
            "a long name before a path",
            vec![
                of_type(b'L', "L", b"long\0"),
                pax("path", b"path"),
                file("x", "1"),
            ],
            Gnu,
        ),
        (
            "a long target",
            vec![
                of_type(b'K', "K", &[b't'; 300]),
                head(b'2', "x", 0).mode(0o777).link("t").alone(),
            ],
            Agreed,
        ),
        ("a path", vec![pax("path", b"d/other"), file("x", "1")], Agreed),
        (
            "a target",
            vec![pax("linkpath", b"other"), symlink("x", "t")],
            Agreed,
        ),
        (
            "a path with a zero",
            vec![pax("path", b"a\0b"), file("x", "1")],
            RefusedAlone("a name with a zero byte"),
        ),
        (
            "no path, so the header's",
            vec![pax("path", b""), file("x", "1")],
            Bsd,
        ),
        (
            "a name of 256 bytes",
            vec![pax("path", long(256).as_bytes()), file("x", "1")],
            Refused("a name of 256 bytes, the limit is 255"),
        ),
        (
            "a target from nowhere",
            vec![symlink("x", "")],
            Refused("x: is a link to nothing"),
        ),
        (
            "a hard link from nowhere",
            vec![hard("x", "")],
            Refused("x: is a link to nothing"),
        ),
    ]);
}

#[test]
fn numbers() {
    let mtime = |bytes: &[u8]| vec![head(b'0', "x", 0).put(136, bytes).alone()];
    let uid = |bytes: &[u8]| vec![head(b'0', "x", 0).put(108, bytes).alone()];
    let mode = |bytes: &[u8]| vec![head(b'0', "x", 0).put(100, bytes).alone()];
    let signed = || {
        let mut bytes = head(b'0', "x\u{ff}", 0).put(148, b"        ").0;
        let sum: i32 = bytes.iter().map(|byte| i32::from(byte.cast_signed())).sum();
        bytes[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        vec![bytes.to_vec()]
    };
    judge(&[
        (
            "zeros",
            vec![head(b'0', "x", 0).put(100, &[0; 48]).alone()],
            Agreed,
        ),
        ("blanks", uid(b"        "), Refused("x: its uid cannot be read")),
        (
            "blank modes",
            mode(b"        "),
            Refused("x: its mode cannot be read"),
        ),
        (
            "blank times",
            mtime(b"            "),
            Refused("x: its mtime cannot be read"),
        ),
        ("no end", uid(b"00000017"), Agreed),
        ("blanks before", uid(b"     17 "), Agreed),
        (
            "a zero before",
            uid(b"\0    17 "),
            Refused("x: its uid cannot be read"),
        ),
        (
            "something behind",
            uid(b"  17x   "),
            Refused("x: its uid cannot be read"),
        ),
        ("something behind the end", uid(b" 17\0xx\0\0"), Gnu),
        (
            "a digit too large",
            uid(b"0000089\0"),
            Refused("x: its uid cannot be read"),
        ),
        ("words", uid(b"zzzzzzz\0"), Refused("x: its uid cannot be read")),
        ("a type in the mode", mode(b"0100644\0"), Agreed),
        ("all bits", mode(b"0007777\0"), Agreed),
        ("GNU's number", uid(b"\x80\0\0\0\xee\x6b\x28\0"), Agreed),
        (
            "GNU's number below zero",
            uid(&[0xff; 8]),
            Refused("x: its uid is -1, the limit is 4294967295"),
        ),
        ("GNU's time", mtime(b"\x80\0\0\0\0\0\0\0\0\0\0\x05"), Agreed),
        (
            "GNU's time before 1970",
            mtime(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfb"),
            Agreed,
        ),
        (
            "GNU's time after all",
            mtime(b"\x80\x01\0\0\0\0\0\0\0\0\0\0"),
            Refused("x: its mtime cannot be read"),
        ),
        (
            "a length below zero",
            vec![head(b'0', "x", 0).put(124, &[0xff; 12]).alone()],
            Refused("a size that is no number"),
        ),
        ("a sum of signed bytes", signed(), Agreed),
    ]);
}

#[test]
fn numbers_in_records() {
    judge(&[
        (
            "a length of pax",
            vec![
                pax("size", b"600"),
                head(b'0', "x", 3).with(&[b'z'; 600]),
                file("y", "1"),
            ],
            Agreed,
        ),
        (
            "a shorter one",
            vec![pax("size", b"1"), file("x", "123456"), file("y", "1")],
            Agreed,
        ),
        (
            "half a second before 1970",
            vec![pax("mtime", b"-0.5"), file("x", "1")],
            Gnu,
        ),
        ("no fraction", vec![pax("mtime", b"5."), file("x", "1")], Agreed),
        (
            "only a fraction",
            vec![pax("mtime", b".5"), file("x", "1")],
            Refused("x: its mtime is .5, which is no time"),
        ),
        (
            "a plus",
            vec![pax("mtime", b"+5"), file("x", "1")],
            Refused("x: its mtime is +5, which is no time"),
        ),
        (
            "no time",
            vec![pax("mtime", b"x"), file("x", "1")],
            Refused("x: its mtime is x, which is no time"),
        ),
        (
            "no owner",
            vec![pax("uid", b"x"), file("x", "1")],
            Refused("x: its uid is x, which is no number"),
        ),
    ]);
}
