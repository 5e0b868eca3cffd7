//! What extended headers say, and what is said of holes.

use crate::Verdict::{Agreed, Bsd, Gnu, Refused, RefusedAlone};
use crate::blocks::{dir, file, hard, head, of_type, padded, pax, records};
use crate::judge;

#[test]
fn extended_headers() {
    judge(&[
        (
            "for all that follows, as POSIX has it; bsdtar does not look at it",
            vec![
                records(b'g', &[("mtime", b"77"), ("uid", b"5")]),
                file("x", "1"),
                pax("mtime", b"99"),
                file("y", "2"),
            ],
            Gnu,
        ),
        (
            "two for one",
            vec![
                records(b'x', &[("path", b"p"), ("mtime", b"5")]),
                pax("path", b"q"),
                file("x", "1"),
            ],
            Refused("two extended headers for one entry"),
        ),
        (
            "an unknown record",
            vec![pax("NOBODY.knows", b"this"), file("x", "1")],
            Agreed,
        ),
        (
            "behind the end",
            vec![of_type(b'x', "p", b"99 x=1\n"), file("x", "1")],
            Refused("records make no sense"),
        ),
        (
            "no length",
            vec![of_type(b'x', "p", b"foo"), file("x", "1")],
            Refused("records make no sense"),
        ),
        (
            "no value",
            vec![of_type(b'x', "p", b"6 foo\n"), file("x", "1")],
            Refused("extended header without ="),
        ),
        (
            "zeros behind",
            vec![of_type(b'x', "p", b"8 uid=3\n\0\0"), file("x", "1")],
            Refused("make no sense"),
        ),
        (
            "an attribute without a value",
            vec![pax("SCHILY.xattr.user.a", b""), file("x", "1")],
            Agreed,
        ),
        (
            "an attribute with =",
            vec![pax("SCHILY.xattr.user.a=b", b"c"), file("x", "1")],
            Agreed,
        ),
        (
            "GNU's attribute with =",
            vec![pax("SCHILY.xattr.user.a%3Db%2520", b"c"), file("x", "1")],
            Gnu,
        ),
        (
            "bsdtar's attribute",
            vec![pax("LIBARCHIVE.xattr.user.a%3db", b"aGVsbG8"), file("x", "1")],
            Bsd,
        ),
        (
            "bsdtar's attribute, padded",
            vec![pax("LIBARCHIVE.xattr.user.a", b"aGVsbA=="), file("x", "1")],
            Bsd,
        ),
        (
            "bsdtar's attribute that is damaged",
            vec![pax("LIBARCHIVE.xattr.user.a", b"a\xffGV"), file("x", "1")],
            Refused("x: its attribute LIBARCHIVE.xattr.user.a cannot be read"),
        ),
        (
            "GNU's label, which it keeps where SELinux is",
            vec![
                pax("RHT.security.selinux", b"system_u:object_r:bin_t:s0"),
                file("x", "1"),
            ],
            Bsd,
        ),
    ]);
}

#[test]
fn access_lists() {
    let list = |text: &[u8]| vec![pax("SCHILY.acl.access", text), file("x", "1")];
    judge(&[
        ("a list", list(b"user::rw-,user:1000:r--,group::r--,mask::r--,other::---"), Agreed),
        ("a list in lines", list(b"user::rw-\nuser:1000:r--\n#no\ngroup::r--\nmask::r--\nother::---\n"), Agreed),
        ("a list that says the mode alone", list(b"user::rw-,group::r--,other::---"), Agreed),
        ("a list of another mode", list(b"user::rwx,user:7:r--,group::r--,mask::rwx,other::rwx"), Agreed),
        ("a list in no order", list(b"o::r,m::rwx,u:9:r,g:5:-w-,u:7:x,g::---,u::rwx"), Agreed),
        ("a list of names and numbers", list(b"user::rw-,user:bob:r--:1000,group::r--,mask::r--,other::---"), Bsd),
        (
            "a list of names",
            list(b"user::rw-,user:nosuchuser:r--,group::r--,mask::r--,other::---"),
            Refused("x: its access list names nosuchuser, and nobody here knows the number"),
        ),
        ("half a list", list(b"user::rw-,group::r--"), RefusedAlone("x: its access list makes no sense")),
        ("a list without its mask", list(b"u::rwx,u:7:r--,g::r--,o::---"), Refused("makes no sense")),
        ("no list", list(b"hello"), RefusedAlone("x: its access list makes no sense")),
        (
            "a list for what will be in a folder",
            vec![
                pax("SCHILY.acl.default", b"user::rwx,user:1000:r--,group::r--,mask::r--,other::---"),
                dir("x/"),
                pax("SCHILY.acl.default", b"user::rwx,group::r-x,other::---"),
                dir("y/"),
            ],
            Agreed,
        ),
        (
            "a binary list beside one of names",
            vec![
                records(
                    b'x',
                    &[
                        ("SCHILY.acl.access", b"user::rw-,user:daemon:r--,group::r--,mask::r--,other::---"),
                        (
                            "SCHILY.xattr.system.posix_acl_access",
                            b"\x02\0\0\0\x01\0\x06\0\xff\xff\xff\xff\x02\0\x04\0\x01\0\0\0\x04\0\x04\0\xff\xff\xff\xff\
                              \x10\0\x04\0\xff\xff\xff\xff\x20\0\0\0\xff\xff\xff\xff",
                        ),
                    ],
                ),
                file("x", "1"),
            ],
            Gnu,
        ),
    ]);
}

/// A sparse file in GNU's old way, whose data are two blocks.
fn old(segments: &[(u64, u64)], size: u64) -> Vec<Vec<u8>> {
    let mut header = head(b'S', "x", 1024).magic(*b"ustar  \0").octal(483, 12, size);
    for (index, (start, len)) in segments.iter().enumerate() {
        let place = 386 + 24 * index;
        header = header.octal(place, 12, *start).octal(place + 12, 12, *len);
    }
    vec![header.with(&data()), file("y", "1")]
}

fn data() -> Vec<u8> {
    [[b'a'; 512], [b'b'; 512]].concat()
}

#[test]
fn sparse_files_in_old_headers() {
    let star = head(b'S', "x", 1024)
        .octal(356, 12, 512)
        .octal(368, 12, 1024)
        .octal(380, 12, 9000)
        .octal(392, 12, 0)
        .octal(452, 12, 9000)
        .put(476, b"00000000001 00000000001 ")
        .put(508, b"tar\0");
    let no_sense = Refused("x: its map of holes makes no sense");
    judge(&[
        (
            "two parts",
            old(&[(512, 512), (2048, 512), (9000, 0)], 9000),
            Agreed,
        ),
        (
            "two parts, and no hole behind",
            old(&[(512, 512), (2048, 512)], 2560),
            Agreed,
        ),
        ("no hole", old(&[(0, 1024)], 1024), Agreed),
        (
            "two names",
            [old(&[(512, 1024)], 1536), vec![hard("z", "x")]].concat(),
            Agreed,
        ),
        (
            "twice",
            [old(&[(512, 1024)], 1536), old(&[(5, 1024)], 1029)].concat(),
            Agreed,
        ),
        (
            "a hole that only the length tells",
            old(&[(512, 1024)], 9000),
            Bsd,
        ),
        ("too long", old(&[(512, 1024)], 1000), no_sense),
        ("less than is said", old(&[(512, 512)], 9000), no_sense),
        ("more than is said", old(&[(512, 2048)], 9000), no_sense),
        (
            "parts of no whole blocks",
            old(&[(0, 500), (1000, 524), (9000, 0)], 9000),
            no_sense,
        ),
        (
            "parts in no order",
            old(&[(2048, 512), (512, 512), (9000, 0)], 9000),
            Agreed,
        ),
        (
            "parts that overlap",
            old(&[(0, 512), (256, 512), (9000, 0)], 9000),
            RefusedAlone("x: its map of holes makes no sense"),
        ),
        ("no parts", old(&[], 9000), no_sense),
        ("star's", vec![star.with(&data()), file("y", "1")], Gnu),
        (
            "nobody's",
            vec![head(b'S', "x", 1024).with(&data()), file("y", "1")],
            RefusedAlone("x: is sparse in a way that is not known"),
        ),
    ]);
}

#[test]
fn sparse_files_in_records() {
    let newest = |size: &[u8], map: &str| {
        let keys: [(&str, &[u8]); 4] = [
            ("GNU.sparse.major", b"1"),
            ("GNU.sparse.minor", b"0"),
            ("GNU.sparse.name", b"x"),
            ("GNU.sparse.realsize", size),
        ];
        let bytes = [padded(map.as_bytes()), data()].concat();
        vec![
            records(b'x', &keys),
            of_type(b'0', "GNUSparseFile.0/x", &bytes),
            file("y", "1"),
        ]
    };
    let map = |map: &[u8], blocks: &[u8], size: &[u8]| {
        let keys: [(&str, &[u8]); 4] = [
            ("GNU.sparse.size", size),
            ("GNU.sparse.numblocks", blocks),
            ("GNU.sparse.name", b"x"),
            ("GNU.sparse.map", map),
        ];
        vec![records(b'x', &keys), of_type(b'0', "z", &data()), file("y", "1")]
    };
    let oldest =
        |keys: &[(&str, &[u8])]| vec![records(b'x', keys), of_type(b'0', "x", &data()), file("y", "1")];
    let no_sense = Refused("x: its map of holes makes no sense");
    let unknown = "x: is sparse in a way that is not known";
    let (start, len) = ("GNU.sparse.offset", "GNU.sparse.numbytes");
    let (size, count) = ("GNU.sparse.size", "GNU.sparse.numblocks");
    let whole: [(&str, &[u8]); 6] = [
        (size, b"9000"),
        (count, b"2"),
        (start, b"512"),
        (len, b"1024"),
        (start, b"9000"),
        (len, b"0"),
    ];
    let odd: [(&str, &[u8]); 4] = [(size, b"9000"), (count, b"1"), (len, b"512"), (start, b"1024")];
    let future: [(&str, &[u8]); 2] = [("GNU.sparse.major", b"2"), ("GNU.sparse.minor", b"0")];
    judge(&[
        ("1.0", newest(b"9000", "2\n512\n1024\n9000\n0\n"), Agreed),
        ("1.0, too long", newest(b"500", "1\n512\n1024\n"), no_sense),
        ("1.0 without numbers", newest(b"9000", "1\nx\n1024\n"), no_sense),
        ("1.0 with no number", newest(b"9000", "1\n\n1024\n"), no_sense),
        (
            "1.0 with a map longer than all",
            newest(b"9000", "100\n512\n1024\n"),
            no_sense,
        ),
        ("0.1", map(b"512,1024,9000,0", b"2", b"9000"), Agreed),
        ("0.1 with half a map", map(b"512", b"1", b"9000"), no_sense),
        (
            "0.1 with another number of parts",
            map(b"512,1024", b"2", b"9000"),
            no_sense,
        ),
        ("0.0", oldest(&whole), Agreed),
        ("0.0 in another order", oldest(&odd), no_sense),
        ("a version of the future", oldest(&future), Refused(unknown)),
        (
            "holes of Solaris",
            vec![pax("SUN.holesdata", b" 0 10 20"), file("x", "1")],
            RefusedAlone(unknown),
        ),
    ]);
}
