//! Ends: archives without one, with half of one, with something behind it, and those that were cut off.

use std::fs;

use image::Silent;

use crate::Verdict::{Agreed, Refused, RefusedAlone};
use crate::blocks::{END, dir, file, hard, head, of_type, pax, symlink};
use crate::tools::{Compared, done, folder, ready, told};
use crate::{ALL, judge_bytes, read, spool};

#[test]
fn ends() {
    let (one, two) = (|| file("x", "1"), || file("y", "2"));
    let half = || vec![0; 512];
    let behind = "an entry behind the end of the archive";
    judge_bytes(&[
        ("a whole one", [one(), END.to_vec()].concat(), Agreed),
        ("half an end", [one(), half()].concat(), Agreed),
        ("half an end, and a bit", [one(), vec![0; 700]].concat(), Agreed),
        ("zeros to no block's end", [one(), vec![0; 1200]].concat(), Agreed),
        ("many zeros", [one(), vec![0; 1 << 20]].concat(), Agreed),
        ("nothing but an end", END.to_vec(), Agreed),
        ("half of that", half(), Agreed),
        (
            "no end",
            one(),
            RefusedAlone("ends without the blocks of zeros that end an archive"),
        ),
        (
            "garbage behind it",
            [one(), END.to_vec(), b"garbage".repeat(100)].concat(),
            Agreed,
        ),
        (
            "garbage behind half of it",
            [one(), half(), b"garbage".repeat(100)].concat(),
            Agreed,
        ),
        (
            "an entry behind it",
            [one(), END.to_vec(), two(), END.to_vec()].concat(),
            RefusedAlone(behind),
        ),
        (
            "an entry behind half of it",
            [one(), half(), two(), END.to_vec()].concat(),
            RefusedAlone(behind),
        ),
        (
            "an entry far behind it",
            [
                one(),
                vec![0; 10240],
                b"garbage!".repeat(128),
                two(),
                END.to_vec(),
            ]
            .concat(),
            RefusedAlone(behind),
        ),
        (
            "nothing",
            Vec::new(),
            Refused("an empty file, which is no tar archive"),
        ),
        (
            "zeros of no whole block",
            vec![0; 100],
            Refused("ends in the middle"),
        ),
        (
            "an extended header for nothing",
            [one(), pax("path", b"z"), END.to_vec()].concat(),
            Refused("nothing behind it"),
        ),
        (
            "a long name for nothing",
            [one(), of_type(b'L', "L", b"zzz\0"), END.to_vec()].concat(),
            Refused("an extended header with nothing behind it"),
        ),
        (
            "a header that is damaged",
            {
                let mut bytes = [one(), two(), END.to_vec()].concat();
                bytes[1024 + 3] ^= 1;
                bytes
            },
            Refused("a header with a wrong checksum at byte 1024"),
        ),
        (
            "no archive",
            b"This is no archive. ".repeat(100),
            Refused("no tar archive"),
        ),
    ]);
}

/// Wherever it is cut, an archive is refused, or nothing is missing.
#[test]
fn cut_at_every_byte() {
    let map = b"1\n512\n8\n";
    let sparse = [
        ("GNU.sparse.major", &b"1"[..]),
        ("GNU.sparse.minor", b"0"),
        ("GNU.sparse.name", b"sparse"),
        ("GNU.sparse.realsize", b"1000"),
    ];
    let whole = [
        dir("d/"),
        file("d/x", &"one".repeat(200)),
        pax("SCHILY.xattr.user.a", &[b'a'; 600]),
        file("d/y", "two"),
        of_type(b'L', "././@LongLink", &[b'n'; 200]),
        symlink("l", "t"),
        hard("h", "d/x"),
        crate::blocks::records(b'x', &sparse),
        of_type(
            b'0',
            "s",
            &[crate::blocks::padded(map), b"datadata".to_vec()].concat(),
        ),
        head(b'6', "p", 0).alone(),
        END.to_vec(),
    ]
    .concat();
    let wanted = told(&read(&whole).unwrap(), Compared::ALL);
    for len in 0..=whole.len() {
        match read(&whole[..len]) {
            Ok(tree) => {
                assert_eq!(told(&tree, Compared::ALL), wanted, "{len} bytes");
                assert!(len >= whole.len() - 512, "{len} bytes");
            }
            Err(error) => assert!(len < whole.len() - 512, "{len} bytes: {error}"),
        }
    }
}

/// A compressed stream says itself where it ends: that vouches for an archive without blocks at its end.
#[test]
fn compressed_and_cut() {
    if !ready() {
        return;
    }
    let folder = folder("plain");
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_string();
    done(
        "tar",
        &["-C", folder.path().to_str().unwrap(), "-cf", &path("a.tar"), "."],
    );
    let plain = fs::read(path("a.tar")).unwrap();
    let wanted = told(&read(&plain).unwrap(), Compared::ALL);
    let end = 512 + plain.iter().rposition(|byte| *byte != 0).unwrap() / 512 * 512;
    fs::write(path("endless.tar"), &plain[..end]).unwrap();
    let unpacked = |name: &str| {
        let path = path(name);
        let packed = archive::Packed::open(std::path::Path::new(&path)).unwrap();
        archive::tar(packed, ALL, &spool(), &Silent)
    };
    assert!(unpacked("endless.tar").is_err());
    for (program, ending) in [("gzip", "gz"), ("xz", "xz"), ("zstd", "zst"), ("bzip2", "bz2")] {
        for name in ["a.tar", "endless.tar"] {
            let packed = format!("{name}.{ending}");
            done(
                "sh",
                &[
                    "-c",
                    "\"$1\" -c \"$2\" > \"$3\"",
                    "sh",
                    program,
                    &path(name),
                    &path(&packed),
                ],
            );
            assert_eq!(
                told(&unpacked(&packed).unwrap(), Compared::ALL),
                wanted,
                "{packed}"
            );
            let bytes = fs::read(path(&packed)).unwrap();
            for len in [bytes.len() - 1, bytes.len() / 2, 20] {
                fs::write(path("cut"), &bytes[..len]).unwrap();
                assert!(unpacked("cut").is_err(), "{packed}: {len} bytes");
            }
        }
    }
}
