//! The tools that unpack what we read: GNU tar, bsdtar and Python's tarfile.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use image::{Keep, Kind, Tree, Xattr, show};

use crate::oracle::installed;

/// Everything that a tree can keep.
pub(crate) const ALL: Keep = Keep {
    modes: true,
    owners: true,
    times: true,
    xattrs: true,
    hard_links: true,
    follow_links: false,
};

/// Who unpacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tool {
    /// GNU tar, with access lists: those that it has as text.
    Gnu,
    /// GNU tar, with attributes alone.
    GnuAttributes,
    Bsd,
    Python,
}

/// Unpacks with all that an archive says of files; what cannot be unpacked is an exception.
const PYTHON: &str = "
import sys, tarfile
tarfile.open(sys.argv[1], errorlevel=2).extractall(sys.argv[2], numeric_owner=True, filter='fully_trusted')
";

/// Whether the tools are here, and root rights, which owners and devices need.
pub(crate) fn ready() -> bool {
    let tools = ["tar", "bsdtar", "python3"].map(installed);
    let id = Command::new("id").arg("-u").output().unwrap();
    tools.iter().all(|found| *found) && id.stdout.trim_ascii() == b"0"
}

/// Runs a program in plain surroundings.
pub(crate) fn run<A: AsRef<OsStr>>(program: &str, arguments: &[A]) -> Output {
    let mut command = Command::new("sh");
    command.args(["-c", "umask 022; exec \"$@\"", "sh", program]);
    command.args(arguments).env("LC_ALL", "C").env("TZ", "UTC");
    command.output().unwrap()
}

/// The same, of which nothing may fail.
pub(crate) fn done<A: AsRef<OsStr>>(program: &str, arguments: &[A]) {
    let output = run(program, arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program}: {said}");
}

impl Tool {
    /// What the tool makes of an archive, as a tree of contents at hand, or what it says against it.
    pub(crate) fn unpack(self, archive: &Path) -> Result<Unpacked, String> {
        let folder = tempfile::tempdir().unwrap();
        let into = folder.path().to_str().unwrap();
        let path = archive.to_str().unwrap();
        let gnu = [
            "-xpf",
            path,
            "-C",
            into,
            "--numeric-owner",
            "--xattrs",
            "--xattrs-include=*",
        ];
        let output = match self {
            Tool::Gnu => run("tar", &[&gnu[..], &["--acls"]].concat()),
            Tool::GnuAttributes => run("tar", &gnu),
            Tool::Bsd => run("bsdtar", &["-xpf", path, "-C", into, "--numeric-owner"]),
            Tool::Python => run("python3", &["-c", PYTHON, path, into]),
        };
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        // bsdtar goes on behind a damaged header and calls that a success.
        if !output.status.success() || said.contains("Damaged tar archive") {
            return Err(said);
        }
        let tree = image::scan(folder.path(), ALL).unwrap();
        Ok(Unpacked {
            tree,
            _folder: folder,
        })
    }
}

/// What a tool has unpacked, as long as somebody looks at it.
pub(crate) struct Unpacked {
    pub(crate) tree: Tree,
    _folder: tempfile::TempDir,
}

/// What of a tree is compared.
#[derive(Clone, Copy)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "four independent switches, named where they are set"
)]
pub(crate) struct Compared {
    /// The root's own mode, owner, time and attributes.
    pub(crate) root: bool,
    /// Times of folders.
    pub(crate) folder_times: bool,
    /// Times of symbolic links.
    pub(crate) link_times: bool,
    /// Extended attributes.
    pub(crate) xattrs: bool,
}

impl Compared {
    /// What an archive says that knows all of its folders.
    pub(crate) const ALL: Compared = Compared {
        root: true,
        folder_times: true,
        link_times: true,
        xattrs: true,
    };
    /// What an archive says that does not: the tool, and the folder that it unpacks into, have made the rest.
    pub(crate) const SAID: Compared = Compared {
        root: false,
        folder_times: false,
        ..Compared::ALL
    };
    /// What bsdtar unpacks, but not into.
    pub(crate) const BSD: Compared = Compared {
        root: false,
        ..Compared::ALL
    };
    /// What Python unpacks.
    pub(crate) const PYTHON: Compared = Compared {
        root: false,
        link_times: false,
        xattrs: false,
        ..Compared::ALL
    };
}

/// Everything about a tree that is compared, line by line; hard links show the first name.
pub(crate) fn told(tree: &Tree, compared: Compared) -> String {
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
        if path == "/" && !compared.root {
            continue;
        }
        let (kind, timed) = match &node.kind {
            Kind::File(content) => (contents(content), true),
            Kind::Directory(_) => ("a folder".into(), compared.folder_times),
            Kind::Symlink(target) => (format!("-> {}", show(target)), compared.link_times),
            other => (format!("{other:?}"), true),
        };
        let meta = &node.meta;
        let time = if timed { meta.mtime } else { 0 };
        let xattrs: Vec<String> = meta
            .xattrs
            .iter()
            .filter(|_| compared.xattrs)
            .map(|Xattr { name, value }| format!("{}={}", show(name), show(value)))
            .collect();
        writeln!(
            text,
            "{path} {:04o} {}:{} {time} {xattrs:?} {kind}",
            meta.mode, meta.uid, meta.gid
        )
        .unwrap();
    }
    text
}

/// A content in few words, all of whose bytes count.
fn contents(content: &image::Content) -> String {
    let bytes = content.to_vec().unwrap();
    if bytes.len() <= 40 {
        return format!("{:?}", show(&bytes));
    }
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{} bytes {hash:016x}", bytes.len())
}

/// A folder of files of a kind, as `folder.py` has them.
pub(crate) fn folder(kind: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/differential/folder.py");
    done("python3", &[script, kind, folder.path().to_str().unwrap()]);
    folder
}

/// A file with these bytes.
pub(crate) fn file(bytes: &[u8]) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), bytes).unwrap();
    file
}
