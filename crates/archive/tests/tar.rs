//! Tar archives as trees: those of GNU tar, and those of nobody in his right mind.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use archive::{Packed, read_tar};
use image::{Keep, Kind, Silent, Spool, Tree, show};
use proptest::prelude::*;
use tar::{Builder, EntryType, Header};

const ALL: Keep = Keep {
    modes: true,
    owners: true,
    times: true,
    xattrs: true,
    hard_links: true,
    follow_links: false,
};

/// Everything about a tree; hard links show the first name.
fn told(tree: &Tree) -> String {
    let mut text = String::new();
    let mut first: Vec<Option<String>> = vec![None; tree.len()];
    for entry in tree.walk() {
        let path = show(&entry.path);
        let node = tree.node(entry.id);
        if let Some(first) = &first[entry.id.index()] {
            writeln!(text, "{path} is {first}").unwrap();
            continue;
        }
        first[entry.id.index()] = Some(path.clone());
        let kind = match &node.kind {
            Kind::File(content) => format!("{:?}", show(&content.to_vec().unwrap())),
            Kind::Directory(_) => "a folder".into(),
            other => format!("{other:?}"),
        };
        writeln!(text, "{path} {:?} {kind}", node.meta).unwrap();
    }
    text
}

fn spool() -> Spool {
    Spool::create(&std::env::temp_dir()).unwrap()
}

fn read(bytes: &[u8], keep: Keep) -> archive::Result<Tree> {
    read_tar(bytes, Path::new("a.tar"), keep, &spool())
}

fn error(bytes: &[u8]) -> String {
    read(bytes, ALL).map(|tree| told(&tree)).unwrap_err().to_string()
}

/// A folder with all that tar knows without root rights.
fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    let long = "n".repeat(200);
    let deep = format!("{}/{long}", "d".repeat(150));
    fs::create_dir_all(root.join(&deep)).unwrap();
    fs::create_dir(root.join("empty")).unwrap();
    fs::write(root.join("script"), "#!/bin/sh\n").unwrap();
    fs::set_permissions(root.join("script"), PermissionsExt::from_mode(0o4755)).unwrap();
    fs::write(root.join(&deep).join("file"), "x".repeat(100_000)).unwrap();
    fs::write(root.join("none"), "").unwrap();
    fs::hard_link(root.join("script"), root.join("second")).unwrap();
    symlink("script", root.join("link")).unwrap();
    symlink(format!("{deep}/{long}/none"), root.join("long")).unwrap();
    let odd = <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(b"odd\xff\nname");
    fs::write(root.join(odd), "odd").unwrap();
    dir
}

/// Packs a folder with GNU tar.
fn packed(folder: &Path, options: &[&str]) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut tar = Command::new("tar");
    tar.arg("-C")
        .arg(folder)
        .arg("-cf")
        .arg(file.path())
        .args(options)
        .arg(".");
    assert!(tar.status().unwrap().success(), "{tar:?}");
    file
}

#[test]
fn archives_of_gnu_tar_are_the_folders_that_they_have_packed() {
    let folder = folder();
    for keep in [ALL, Keep::default()] {
        let wanted = told(&image::scan(folder.path(), keep).unwrap());
        for options in [
            &["--format=gnu"][..],
            &["--format=posix", "--xattrs"],
            &["--format=gnu", "--gzip"],
            &["--format=posix", "--xz"],
            &["--format=posix", "--zstd"],
            &["--format=gnu", "--bzip2"],
            &["--format=gnu", "--sort=name", "--blocking-factor=1"],
        ] {
            let file = packed(folder.path(), options);
            let packed = Packed::open(file.path()).unwrap();
            let tree = archive::tar(packed, keep, &spool(), &Silent).unwrap();
            assert_eq!(told(&tree), wanted, "{options:?}");
        }
    }
}

fn header(kind: EntryType, path: &str, size: u64) -> Header {
    let mut header = Header::new_gnu();
    let name = &mut header.as_old_mut().name;
    name[..path.len()].copy_from_slice(path.as_bytes());
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(1);
    header.set_cksum();
    header
}

/// An archive of headers and what follows each.
fn archive(entries: &[(EntryType, &str, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (kind, path, content) in entries {
        let (len, target) = match kind {
            EntryType::Symlink | EntryType::Link => (0, *content),
            _ => (content.len(), &b""[..]),
        };
        let mut header = header(*kind, path, len as u64);
        header.as_old_mut().linkname[..target.len()].copy_from_slice(target);
        header.set_cksum();
        bytes.extend_from_slice(header.as_bytes());
        if len > 0 {
            bytes.extend_from_slice(content);
            bytes.resize(bytes.len().next_multiple_of(512), 0);
        }
    }
    bytes.resize(bytes.len() + 1024, 0);
    bytes
}

#[test]
fn hostile_archives_fail_cleanly() {
    use EntryType::{Directory, GNULongName, Link, Regular, Symlink, XHeader};
    let long = vec![b'n'; 300];
    let deep = "a/".repeat(2100);
    for (entries, problem) in [
        (
            &[(Regular, "../x", &b""[..])][..],
            "../x: the path leads out of its folder",
        ),
        (
            &[(Regular, "a/../../x", b"")],
            "a/../../x: the path leads out of its folder",
        ),
        (
            &[(Symlink, "x", b"/etc"), (Regular, "x/passwd", b"")],
            "x/passwd: x on the way to it is a link to /etc, which may lead out of its folder",
        ),
        (
            &[(Symlink, "x", b"a/../.."), (Regular, "x/passwd", b"")],
            "x/passwd: x on the way to it is a link to a/../.., which may lead out of its folder",
        ),
        (
            &[(Directory, "x", b""), (Regular, "x/y", b""), (Symlink, "x", b"z")],
            "x: is a folder that is not empty, and nothing else can take its place",
        ),
        (
            &[(Regular, "x", b""), (Regular, "x/y", b"")],
            "x/y: x on the way to it is no folder",
        ),
        (
            &[(Link, "x", b"../../etc/passwd")],
            "x: link to ../../etc/passwd: the path leads out of its folder",
        ),
        (
            &[(Link, "x", b"y")],
            "x: is a hard link to y, and no such file comes before it",
        ),
        (
            &[(Link, "x", b"x")],
            "x: is a hard link to x, and no such file comes before it",
        ),
        (
            &[(Directory, "d", b""), (Link, "x", b"d")],
            "x: is a hard link to d, and no such file comes before it",
        ),
        (&[(Symlink, "x", b"")], "x: is a link to nothing"),
        (&[(Regular, ".", b"")], ".: is no folder, as a root has to be"),
        (
            &[(GNULongName, "L", &long), (Regular, "x", b"")],
            &format!("{}: a name of 300 bytes, the limit is 255", "n".repeat(300)),
        ),
        (
            &[(GNULongName, "L", deep.as_bytes()), (Regular, "x", b"")],
            &format!("{deep}: the path has 4096 bytes or more"),
        ),
        (
            &[(EntryType::new(b'M'), "x", b"")],
            "x: is continued from another volume; unpack the volumes with `tar --multi-volume`, and pack them anew",
        ),
        (
            &[(XHeader, "p", b"19 uid=99999999999\n"), (Regular, "x", b"")],
            "x: its uid is 99999999999, the limit is 4294967295",
        ),
        (
            &[(XHeader, "p", b"12 mtime=?\n")],
            "an extended header whose records make no sense at byte 1024",
        ),
        (
            &[(XHeader, "p", b"12 mtime=1e\n"), (Regular, "x", b"")],
            "x: its mtime is 1e, which is no time",
        ),
        (
            &[(XHeader, "p", b"")],
            "an extended header with nothing behind it at byte 1024",
        ),
    ] {
        let error = error(&archive(entries));
        let told = error.strip_prefix("a.tar: ").unwrap();
        assert_eq!(told, problem);
    }
}

#[test]
fn archives_that_are_cut_off_or_damaged_fail_cleanly() {
    let whole = archive(&[
        (EntryType::Regular, "one", &[b'1'; 700]),
        (EntryType::Directory, "two", b""),
    ]);
    assert!(read(&whole, ALL).is_ok());
    // GNU tar has no second block of zeros to spare.
    assert!(read(&whole[..whole.len() - 512], ALL).is_ok());
    for len in 0..whole.len() - 1024 + 512 {
        assert!(read(&whole[..len], ALL).is_err(), "{len} bytes");
    }
    let mut damaged = whole.clone();
    damaged[3] ^= 1;
    assert_eq!(
        error(&damaged),
        "a.tar: is no tar archive; tar is read as it is, or compressed with gzip, bzip2, xz or zstd"
    );
    let mut damaged = whole.clone();
    damaged[512 + 1024 + 3] ^= 1;
    assert_eq!(
        error(&damaged),
        "a.tar: a header with a wrong checksum at byte 1536"
    );
    assert_eq!(
        error(b""),
        "a.tar: an empty file, which is no tar archive, at byte 0"
    );
    assert_eq!(
        error(&[b'x'; 700]),
        "a.tar: is no tar archive; tar is read as it is, or compressed with gzip, bzip2, xz or zstd"
    );
    for size in [1 << 20, 1 << 62, u64::MAX] {
        let header = header(EntryType::Regular, "x", size);
        let error = error(&[header.as_bytes().as_slice(), &[0; 4096]].concat());
        assert!(error.contains("ends in the middle"), "{error}");
        let header = self::header(EntryType::XHeader, "x", size.max(2 << 20));
        let error = self::error(&[header.as_bytes().as_slice(), &[0; 4096]].concat());
        assert!(error.contains("more than 1 MiB"), "{error}");
    }
}

#[test]
fn attributes_times_and_devices_are_kept_when_asked() {
    let mut builder = Builder::new(Vec::new());
    let records = [
        ("SCHILY.xattr.user.b", &b"two\nlines"[..]),
        ("SCHILY.xattr.security.capability", b"\x01\0\0\x02"),
        ("mtime", b"1700000000.75"),
        ("uid", b"4000000000"),
    ];
    builder.append_pax_extensions(records).unwrap();
    builder
        .append(&header(EntryType::Regular, "x", 2), &b"hi"[..])
        .unwrap();
    let mut device = header(EntryType::Char, "null", 0);
    device.set_device_major(1).unwrap();
    device.set_device_minor(3).unwrap();
    device.set_cksum();
    builder.append(&device, &b""[..]).unwrap();
    let bytes = builder.into_inner().unwrap();
    insta::assert_snapshot!(told(&read(&bytes, ALL).unwrap()));
    insta::assert_snapshot!(told(&read(&bytes, Keep::default()).unwrap()));
}

/// Headers that say what they claim to say, whatever was changed in them.
fn with_checksums(bytes: &mut [u8]) {
    for block in bytes.chunks_exact_mut(512) {
        if block[257..262] == *b"ustar" {
            block[148..156].fill(b' ');
            let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
            block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Errors are fine, and so are other trees.
    #[test]
    fn changed_archives_do_no_harm(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        len in any::<prop::sample::Index>(),
        cut in any::<bool>(),
    ) {
        let mut bytes = archive(&[
            (EntryType::Directory, "folder", b""),
            (EntryType::XHeader, "p", b"17 path=folder/y\n27 SCHILY.xattr.user.a=bcd\n"),
            (EntryType::Regular, "x", b"content"),
            (EntryType::GNULongName, "L", b"folder/long"),
            (EntryType::Symlink, "x", b"y"),
            (EntryType::Link, "second", b"folder/y"),
            (EntryType::Char, "device", b""),
        ]);
        prop_assert!(read(&bytes, ALL).is_ok());
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        with_checksums(&mut bytes);
        if cut {
            bytes.truncate(len.index(bytes.len()));
        }
        if let Ok(tree) = read(&bytes, ALL) {
            told(&tree);
        }
    }
}
