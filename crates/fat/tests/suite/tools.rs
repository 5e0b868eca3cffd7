//! Trees for tests, and the tools that judge what Kiln makes of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use image::{Content, Image, Keep, Kind, Node, NodeId, Tree};
use tempfile::TempDir;

/// Whether the tools are there. When not, the test is skipped, or fails when all oracles are demanded.
pub(crate) fn have(tools: &[&str]) -> bool {
    let missing: Vec<_> = tools.iter().filter(|tool| !is_installed(tool)).collect();
    if missing.is_empty() {
        return true;
    }
    #[expect(clippy::disallowed_methods, reason = "tests ask whether oracles are demanded")]
    let required = std::env::var("KILN_ORACLES").is_ok_and(|value| value == "required");
    assert!(!required, "{missing:?} are missing");
    println!("skipped: {missing:?} are missing");
    false
}

fn is_installed(tool: &str) -> bool {
    ["/usr/sbin", "/sbin", "/usr/bin", "/bin", "/usr/local/bin"]
        .iter()
        .any(|folder| Path::new(folder).join(tool).exists())
}

/// An image as a file in a folder of its own.
pub(crate) struct OnDisk {
    pub(crate) folder: TempDir,
    pub(crate) path: PathBuf,
}

impl OnDisk {
    pub(crate) fn empty() -> OnDisk {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("fat.img");
        OnDisk { folder, path }
    }

    pub(crate) fn new(image: &Image) -> OnDisk {
        let disk = OnDisk::empty();
        image::write(&disk.path, image, &image::Silent)
            .unwrap()
            .keep()
            .unwrap();
        disk
    }

    /// Runs a tool, and answers whether it succeeded and what it said.
    pub(crate) fn try_run(&self, tool: &str, arguments: &[&str]) -> (bool, String) {
        let mut command = Command::new(tool);
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin:/usr/local/bin")
            .env("LC_ALL", "C.UTF-8")
            .env("TZ", "UTC")
            .env("MTOOLSRC", "/dev/null")
            .env_remove("MTOOLS_SKIP_CHECK");
        let output = command.output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (
            output.status.success(),
            String::from_utf8_lossy(&said).into_owned(),
        )
    }

    pub(crate) fn run(&self, tool: &str, arguments: &[&str]) -> String {
        let (done, said) = self.try_run(tool, arguments);
        assert!(done, "{tool} {arguments:?}: {said}");
        said
    }

    /// fsck finds nothing to complain about: behind the parameters it says only what it looks at and how full it is.
    pub(crate) fn check(&self) -> String {
        let said = self.run("fsck.fat", &["-n", "-v", "-V", "fat.img"]);
        let found = said.split_once("sectors total").unwrap().1.lines();
        let expected = [
            "Starting check/repair pass.",
            "Starting verification pass.",
            "Checking free cluster summary.",
            "Checking for unused clusters.",
            "",
        ];
        for line in found.filter(|line| !expected.contains(&line.trim())) {
            assert!(line.starts_with("fat.img: "), "{line}: {said}");
        }
        said
    }

    /// What mtools take out of the image.
    pub(crate) fn extracted(&self) -> Tree {
        let out = self.folder.path().join("out");
        std::fs::create_dir(&out).unwrap();
        let (done, said) = self.try_run("mcopy", &["-s", "-n", "-i", "fat.img", "::*", "out/"]);
        assert!(done || said.contains("not found"), "{said}");
        let keep = Keep {
            times: true,
            ..Keep::default()
        };
        image::scan(&out, keep).unwrap()
    }
}

/// Paths, with contents for files.
pub(crate) fn contents(tree: &Tree) -> BTreeMap<String, Option<Vec<u8>>> {
    let content = |id: NodeId| match &tree.node(id).kind {
        Kind::File(content) => Some(content.to_vec().unwrap()),
        _ => None,
    };
    tree.walk()
        .map(|entry| (image::show(&entry.path), content(entry.id)))
        .collect()
}

/// Both trees have the same paths and contents.
pub(crate) fn assert_same(found: &Tree, expected: &Tree) {
    let (found, expected) = (contents(found), contents(expected));
    let differs = |path: &&String| found.get(*path) != expected.get(*path);
    let different: Vec<_> = found.keys().chain(expected.keys()).filter(differs).collect();
    assert!(different.is_empty(), "{different:?} differ");
}

/// Bytes that are different everywhere.
pub(crate) fn noise(len: usize, seed: u32) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state
    };
    let mut bytes: Vec<u8> = std::iter::repeat_with(|| next().to_le_bytes())
        .take(len.div_ceil(4))
        .flatten()
        .collect();
    bytes.truncate(len);
    bytes
}

pub(crate) fn file(len: usize) -> Node {
    Node::file(noise(len, u32::try_from(len).unwrap()))
}

pub(crate) fn put(tree: &mut Tree, path: &str, node: Node) -> NodeId {
    tree.add_at(path.as_bytes(), node).unwrap()
}

/// What a Rock64 has in its boot partition.
pub(crate) fn boot(kernel_len: usize) -> Tree {
    let mut tree = Tree::default();
    put(&mut tree, "/Image", file(kernel_len));
    put(&mut tree, "/initrd", file(70_000));
    put(&mut tree, "/boot.scr", file(1234));
    put(&mut tree, "/dtbs/rockchip/rk3328-rock64.dtb", file(54_321));
    tree
}

/// Odd sizes and odd names.
pub(crate) fn zoo() -> Tree {
    let mut tree = Tree::default();
    for len in [
        0, 1, 511, 512, 513, 2047, 2048, 2049, 4095, 4096, 4097, 32_767, 32_768, 32_769,
    ] {
        put(&mut tree, &format!("/sizes/{len}"), file(len));
    }
    put(&mut tree, &format!("/names/{}", "x".repeat(255)), file(3));
    put(&mut tree, &format!("/names/{}.txt", "é".repeat(125)), file(4));
    for name in [
        "config.txt",
        "CMDLINE.TXT",
        "Image",
        "kernel8.img",
        "a.b.c",
        ".hidden",
        " leading",
        "sp ace",
        "日本語",
        "ÄÖÜ",
        "x+y=[z];,",
        "~1",
        "longna~1.txt",
        "longname.text",
        "longname.text2",
        "thirteenchars",
        "26 characters in this name",
        "E5",
        "å",
        "%percent%",
        "{brace}",
        "a'b",
        "dollar$",
        "..two.dots",
    ] {
        put(&mut tree, &format!("/names/{name}"), file(name.len()));
    }
    for number in 0..40 {
        put(
            &mut tree,
            &format!("/collide/same beginning {number}.extension"),
            file(number),
        );
    }
    let deep = (1..=40).fold(String::new(), |path, level| format!("{path}/level {level}"));
    put(&mut tree, &format!("{deep}/bottom"), file(77));
    put(&mut tree, "/empty", Node::directory());
    put(&mut tree, "/EMPTY.2", Node::directory());
    let target = put(&mut tree, "/linked", file(5000));
    let names = tree.lookup(b"/names").unwrap();
    tree.link(names, b"hard link", target).unwrap();
    tree
}

/// A directory of many files with long names.
pub(crate) fn many(count: usize) -> Tree {
    let mut tree = Tree::default();
    for number in 0..count {
        let path = format!("/many/file number {number} of many.txt");
        put(&mut tree, &path, Node::file(Content::from(path.as_bytes())));
    }
    tree
}
