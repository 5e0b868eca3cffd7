//! The image boots in QEMU: U-Boot finds its script, the kernel reads our squashfs, and Nix verifies the store in it.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use image::{Content, Device, Kind, NodeId, Tree};
use sha2::{Digest, Sha256};
use squashfs::Compression;

use crate::demo::{demo, is_made, kiln, toplevel, with_level};
use crate::tools::{installed, run, tool};
use crate::zoo::{add_specials, giants_with, options, plan, write, zoo};

const BLOCK: usize = 128 << 10;
const U_BOOT: &str = "/usr/lib/u-boot/qemu_arm64/u-boot.bin";
/// As demo/store/zoo.sh has it: of larger files only the ends are read.
const LARGE: u64 = 64 << 20;
/// As demo/store/zoo.sh has it: larger folders are summed up.
const CROWD: usize = 5000;

/// How many names a folder of the zoo has: an emulated kernel needs minutes for the larger.
pub(crate) const CROWDS: [u32; 2] = [6000, 65_000];

/// Everything odd, with so many names in one folder and a file of more than 4 GiB.
pub(crate) fn whole_zoo(names: u32) -> Tree {
    let mut tree = zoo(BLOCK);
    add_specials(&mut tree);
    tree.graft(NodeId::ROOT, b"giants", giants_with(names)).unwrap();
    tree
}

/// As demo/store/zoo.sh writes targets and paths.
fn escaped(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        if byte.is_ascii_alphanumeric() || b"_.,:+=@/-".contains(byte) {
            text.push(char::from(*byte));
        } else {
            write!(text, "\\{byte:03o}").unwrap();
        }
        text
    })
}

pub(crate) fn sha256(hasher: Sha256) -> String {
    let digest = hasher.finalize();
    digest
        .iter()
        .fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// The sha256 of a file; of a large one, of its first two MiB and what begins at its last whole MiB.
fn content_sha256(content: &Content) -> String {
    let mut hasher = Sha256::new();
    let mut reader = content.reader().unwrap();
    let mut chunk = vec![0; 1 << 20];
    let mut chunks_left = if content.len() > LARGE { 2 } else { u64::MAX };
    while reader.remaining() > 0 {
        if chunks_left == 0 {
            reader.skip(((content.len() >> 20) - 3) << 20);
        }
        chunks_left = chunks_left.wrapping_sub(1);
        let len = reader.fill(&mut chunk).unwrap();
        hasher.update(&chunk[..len]);
    }
    sha256(hasher)
}

/// The letter and the number of a type, and what demo/store/zoo.sh prints as size and content.
fn seen(kind: &Kind) -> (char, u16, u64, String) {
    let device = |Device { major, minor }: &Device| format!("{major:x}:{minor:x}");
    match kind {
        Kind::File(content) => ('f', 0o100_000, content.len(), content_sha256(content)),
        Kind::Directory(_) => ('d', 0o040_000, 0, "-".into()),
        Kind::Symlink(target) => ('l', 0o120_000, target.len() as u64, escaped(target)),
        Kind::CharDevice(number) => ('c', 0o020_000, 0, device(number)),
        Kind::BlockDevice(number) => ('b', 0o060_000, 0, device(number)),
        Kind::Fifo => ('p', 0o010_000, 0, "-".into()),
        Kind::Socket => ('s', 0o140_000, 0, "-".into()),
    }
}

/// What the guest has to print of a tree.
fn listing(tree: &Tree) -> Vec<String> {
    let (mut lines, mut crowds) = (Vec::new(), Vec::new());
    let mut add = |path: &[u8], id: NodeId| {
        let (letter, _, size, content) = seen(&tree.node(id).kind);
        let mode = tree.node(id).meta.mode;
        let line = format!("ZOO {letter} {mode:o} {size} {content} {}", escaped(path));
        lines.push((path.to_vec(), line));
    };
    add(b".", NodeId::ROOT);
    let mut todo = vec![(b".".to_vec(), NodeId::ROOT)];
    while let Some((path, id)) = todo.pop() {
        let children = tree
            .children(id)
            .map(|(name, id)| ([&path, name].join(&b'/'), id));
        if tree.children(id).count() > CROWD {
            let mut sorted: Vec<_> = children.collect();
            sorted.sort();
            let mut hasher = Sha256::new();
            for (path, id) in &sorted {
                let (_, type_bits, size, _) = seen(&tree.node(*id).kind);
                hasher.update(format!("{:x} {size} ", type_bits | tree.node(*id).meta.mode));
                hasher.update([path, &b"\n"[..]].concat());
            }
            let (count, sum) = (sorted.len(), sha256(hasher));
            crowds.push((
                path.clone(),
                format!("ZOO-CROWD {count} {sum} {}", escaped(&path)),
            ));
            continue;
        }
        for (path, id) in children {
            add(&path, id);
            if matches!(tree.node(id).kind, Kind::Directory(_)) {
                todo.push((path, id));
            }
        }
    }
    lines.sort();
    crowds.sort();
    lines.into_iter().chain(crowds).map(|(_, line)| line).collect()
}

/// Boots the demo's system with a second disk, and answers what the console said.
fn boot(zoo: &Path, dir: &Path) -> Vec<String> {
    let spec = with_level("qemu-arm64.toml", 3, dir);
    let out = dir.join("out");
    fs::create_dir(&out).unwrap();
    run(kiln().arg("build").arg(spec).arg("--out").arg(&out));
    let console = dir.join("console.log");
    let mut boot = tool(demo().join("boot").to_str().unwrap());
    boot.arg(out.join("qemu-arm64-25.11.img"));
    boot.arg("--log").arg(&console).args(["--timeout", "600"]);
    let drive = format!("if=virtio,format=raw,readonly=on,file={}", zoo.display());
    run(boot.args(["-drive", &drive]));
    console_lines(&console)
}

/// The lines of a console's log.
pub(crate) fn console_lines(log: &Path) -> Vec<String> {
    let text = String::from_utf8_lossy(&fs::read(log).unwrap()).into_owned();
    text.lines()
        .map(|line| line.trim_end_matches('\r').to_string())
        .collect()
}

/// The guest has listed a tree as it is.
pub(crate) fn assert_listed(console: &[String], tree: &Tree) {
    let begin = console.iter().position(|line| line == "ZOO-BEGIN").unwrap();
    let end = console.iter().position(|line| line == "ZOO-END").unwrap();
    let (found, wanted) = (&console[begin + 1..end], listing(tree));
    for (found, wanted) in found.iter().zip(&wanted) {
        assert_eq!(found, wanted);
    }
    assert_eq!(found.len(), wanted.len());
    assert!(wanted.last().unwrap().starts_with("ZOO-CROWD "));
}

#[test]
fn the_kernel_reads_our_squashfs_and_nix_verifies_the_store_in_it() {
    the_kernel_reads_our_squashfs(CROWDS[0]);
}

#[test]
#[ignore = "long: tests/long runs it"]
fn the_kernel_reads_a_squashfs_with_a_crowd() {
    the_kernel_reads_our_squashfs(CROWDS[1]);
}

fn the_kernel_reads_our_squashfs(names: u32) {
    if !is_made() || !installed(&["qemu-system-aarch64", U_BOOT, "bash"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let tree = whole_zoo(names);
    let second_disk = dir.path().join("zoo.squashfs");
    let options = options(Compression::Zstd { level: 3 }, u32::try_from(BLOCK).unwrap());
    write(&plan(&tree, &options, 2), &second_disk);
    let console = boot(&second_disk, dir.path());

    let says = |wanted: &str| console.iter().any(|line| line.starts_with(wanted));
    let paths = crate::demo::store_paths().len();
    for wanted in [
        format!("STAGE2 {}", toplevel()),
        "CHECK ok bash: ".into(),
        "CHECK ok systemctl: ".into(),
        "CHECK ok perl: ".into(),
        "CHECK ok mtimes: 1".into(),
        "CHECK ok load-db: loaded".into(),
        format!("CHECK ok count: {paths} entries in /nix/store, {paths} in the closure"),
        "CHECK ok verify: Nix finds nothing wrong".into(),
        "BOOT-DONE".into(),
    ] {
        assert!(says(&wanted), "the console does not say {wanted:?}");
    }

    assert_listed(&console, &tree);
}
