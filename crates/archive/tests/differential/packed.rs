//! What the tools pack out of folders, in all of their formats.

use std::fs;
use std::path::Path;

use crate::tools::{Compared, Tool, done, folder, ready, run, told};
use crate::{ALL, read};

/// Packs with Python, in one of its formats.
const PYTHON: &str = "
import sys, tarfile
with tarfile.open(sys.argv[1], 'w', format=getattr(tarfile, sys.argv[3] + '_FORMAT')) as tar:
    tar.add(sys.argv[2], '.')
";

/// Compares what a tool has packed with what it unpacks again.
fn same(packed: &Path, tool: Tool, compared: Compared, what: &str) -> String {
    let bytes = fs::read(packed).unwrap();
    let theirs = told(&tool.unpack(packed).unwrap().tree, compared);
    let ours = read(&bytes).map(|tree| told(&tree, compared));
    let ours = ours.unwrap_or_else(|error| error.to_string());
    for (ours, theirs) in ours.lines().zip(theirs.lines()) {
        assert_eq!(ours, theirs, "{what}");
    }
    assert_eq!(ours.lines().count(), theirs.lines().count(), "{what}");
    ours
}

fn gnu(kind: &str, options: &[&str]) -> String {
    let (folder, packed) = (folder(kind), tempfile::NamedTempFile::new().unwrap());
    let (from, to) = (folder.path().to_str().unwrap(), packed.path().to_str().unwrap());
    done("tar", &[&["-C", from, "-cf", to][..], options, &["."]].concat());
    let tool = if options.contains(&"--acls") {
        Tool::Gnu
    } else {
        Tool::GnuAttributes
    };
    same(packed.path(), tool, Compared::ALL, &format!("{kind} {options:?}"))
}

#[test]
fn by_gnu_tar() {
    if !ready() {
        return;
    }
    for format in ["v7", "oldgnu", "gnu", "ustar", "posix"] {
        let format = format!("--format={format}");
        gnu("plain", &[&format]);
        gnu(
            "plain",
            &[&format, "--numeric-owner", "--blocking-factor=1", "--sort=name"],
        );
    }
    for format in ["oldgnu", "gnu", "posix"] {
        gnu("all", &[&format!("--format={format}")]);
    }
    let told = gnu(
        "attributes",
        &["--format=posix", "--xattrs", "--xattrs-include=*"],
    );
    let names = gnu("escapes", &["--format=posix", "--xattrs", "--xattrs-include=*"]);
    assert!(names.contains("user.a=b=a=b"), "{names}");
    assert!(told.contains("system.posix_acl_default="), "{told}");
    gnu(
        "attributes",
        &["--format=posix", "--xattrs", "--xattrs-include=*", "--acls"],
    );
    gnu(
        "all",
        &["--format=posix", "--pax-option=globexthdr.name=g,mtime=77,uid=5"],
    );
    gnu("fractions", &["--format=posix"]);
    gnu("all", &["--format=gnu", "--label=a volume"]);
    gnu("all", &["--format=posix", "--label=a volume"]);
    gnu(
        "plain",
        &["--format=gnu", "--absolute-names", "--transform=s,^[.]/,/,"],
    );
}

#[test]
fn sparse_by_gnu_tar() {
    if !ready() {
        return;
    }
    for options in [
        &["--format=oldgnu"][..],
        &["--format=gnu"],
        &["--format=posix", "--sparse-version=0.0"],
        &["--format=posix", "--sparse-version=0.1"],
        &["--format=posix", "--sparse-version=1.0"],
    ] {
        let told = gnu("sparse", &[options, &["--sparse"]].concat());
        assert!(told.contains("/many is /again"), "{told}");
        gnu(
            "sparse",
            &[options, &["--sparse", "--hole-detection=raw"]].concat(),
        );
    }
}

#[test]
fn by_bsdtar() {
    if !ready() {
        return;
    }
    for (format, kinds) in [
        ("v7", &["plain", "sparse"][..]),
        ("ustar", &["plain", "sparse"]),
        ("gnutar", &["plain", "all", "sparse"]),
        ("pax", &["plain", "all", "sparse", "attributes"]),
        ("paxr", &["plain", "all", "sparse", "attributes"]),
    ] {
        for kind in kinds {
            let (folder, packed) = (folder(kind), tempfile::NamedTempFile::new().unwrap());
            let (from, to) = (folder.path().to_str().unwrap(), packed.path().to_str().unwrap());
            // What a format cannot hold is left out, and said.
            run("bsdtar", &["-C", from, "--format", format, "-cf", to, "."]);
            same(
                packed.path(),
                Tool::Bsd,
                Compared::BSD,
                &format!("{kind} {format}"),
            );
        }
    }
}

/// Here bsdtar does not unpack what it has packed, but we do.
#[test]
fn attributes_with_odd_names() {
    if !ready() {
        return;
    }
    let (folder, packed) = (folder("escapes"), tempfile::NamedTempFile::new().unwrap());
    let (from, to) = (folder.path().to_str().unwrap(), packed.path().to_str().unwrap());
    let wanted = told(&image::scan(folder.path(), ALL).unwrap(), Compared::ALL);
    for program in [
        &["bsdtar", "--format=pax"][..],
        &["tar", "--format=posix", "--xattrs", "--xattrs-include=*"],
    ] {
        done(
            program[0],
            &[&program[1..], &["-C", from, "-cf", to, "."]].concat(),
        );
        let ours = read(&fs::read(packed.path()).unwrap()).unwrap();
        assert_eq!(told(&ours, Compared::ALL), wanted, "{program:?}");
    }
}

#[test]
fn by_python() {
    if !ready() {
        return;
    }
    for format in ["USTAR", "GNU", "PAX"] {
        for kind in ["plain", "all"] {
            if (format, kind) == ("USTAR", "all") {
                continue;
            }
            let (folder, packed) = (folder(kind), tempfile::NamedTempFile::new().unwrap());
            let (from, to) = (folder.path().to_str().unwrap(), packed.path().to_str().unwrap());
            done("python3", &["-c", PYTHON, to, from, format]);
            let what = format!("{kind} {format}");
            same(packed.path(), Tool::Python, Compared::PYTHON, &what);
            same(packed.path(), Tool::GnuAttributes, Compared::ALL, &what);
            same(packed.path(), Tool::Bsd, Compared::BSD, &what);
        }
    }
}

const SIZE: u64 = 9 << 30;

/// Nobody reads all of it here: more than a header's octal digits can say, and nearly nothing in it.
#[test]
fn sparse_files_of_many_gigabytes() {
    if !ready() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = fs::File::create(folder.path().join("huge")).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, b"in the middle", 5 << 30).unwrap();
    file.set_len(SIZE).unwrap();
    let from = folder.path().to_str().unwrap();
    for options in [
        &["tar", "--format=gnu", "--sparse"][..],
        &["tar", "--format=posix", "--sparse", "--sparse-version=0.0"],
        &["tar", "--format=posix", "--sparse", "--sparse-version=0.1"],
        &["tar", "--format=posix", "--sparse", "--sparse-version=1.0"],
        &["bsdtar", "--format=pax"],
    ] {
        let packed = tempfile::NamedTempFile::new().unwrap();
        let to = packed.path().to_str().unwrap();
        done(
            options[0],
            &[&options[1..], &["-C", from, "-cf", to, "."]].concat(),
        );
        assert!(packed.path().metadata().unwrap().len() < 1 << 20, "{options:?}");
        let tree = read(&fs::read(packed.path()).unwrap()).unwrap();
        let node = tree.node(tree.lookup(b"/huge").unwrap());
        let image::Kind::File(content) = &node.kind else {
            panic!("no file")
        };
        assert_eq!(content.len(), SIZE, "{options:?}");
        let mut bytes = [1; 4096];
        image::ReadAt::read_exact_at(content, &mut bytes, (5 << 30) - 100).unwrap();
        assert_eq!(bytes[..100], [0; 100]);
        assert_eq!(bytes[100..113], *b"in the middle");
        assert_eq!(bytes[113..], [0; 4096 - 113]);
        image::ReadAt::read_exact_at(content, &mut bytes, SIZE - 4096).unwrap();
        assert_eq!(bytes, [0; 4096]);
        let runs = content.data_runs().unwrap();
        assert!(runs.len() == 1 && runs[0].start == 5 << 30, "{runs:?}");
    }
}

/// Volumes of a larger archive are no archives: what is missing of their files would be missing in the tree.
#[test]
fn volumes_are_refused() {
    if !ready() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    fs::create_dir(path("in")).unwrap();
    fs::write(path("in/large"), vec![b'l'; 30_000]).unwrap();
    for format in ["--format=gnu", "--format=posix"] {
        let (first, second) = (path("1.tar"), path("2.tar"));
        let options = [
            format,
            "-M",
            "-L",
            "20",
            "-C",
            &path("in"),
            "-cf",
            &first,
            "-f",
            &second,
            ".",
        ];
        done("tar", &options);
        for volume in [first, second] {
            let error = read(&fs::read(&volume).unwrap()).map(|tree| told(&tree, Compared::ALL));
            let error = error.unwrap_err().to_string();
            let known = ["is continued from another volume", "ends in the middle"];
            assert!(
                known.iter().any(|known| error.contains(known)),
                "{format} {volume}: {error}"
            );
        }
    }
}
