//! A closure as ext4: e2fsprogs read it, and systems boot from it, grow it and fill it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use image::{Content, Kind, NodeId};

use crate::boots::{CROWDS, assert_listed, console_lines, whole_zoo};
use crate::demo::{demo, is_made, kiln, target};
use crate::tools::{given, installed, run, tool};

/// What the demo's SD image promises.
const FREE: u64 = 64 << 20;
const FREE_INODES: u64 = 4096;

/// The demo's stores: for arm64 and amd64.
const STORES: [&str; 2] = ["store", "store-amd64"];

pub(crate) fn is_made_for_all() -> bool {
    let made = |store: &&str| {
        let stamp = demo().join("out").join(store).join("stamp");
        given(
            stamp.exists(),
            &format!("{} is there (tests/run store makes it)", stamp.display()),
        )
    };
    is_made() && STORES.iter().all(made)
}

/// The closure of a store as ext4.
fn closure(store: &str, out: &Path, jobs: &str) {
    let store = demo().join("out").join(store);
    let mut command = kiln();
    command
        .arg("ext4")
        .arg("--closure")
        .arg(store.join("closure-info"));
    command
        .arg("--store-root")
        .arg(store.join("root"))
        .arg("--database");
    command.args([
        "--label",
        "NIXOS_SD",
        "--free",
        "64MiB",
        "--free-inodes",
        "4096",
        "--jobs",
        jobs,
    ]);
    run(command.arg("--out").arg(out));
}

fn debugfs(image: &Path, command: &str) -> String {
    run(tool("debugfs").args(["-R", command]).arg(image))
}

#[test]
fn e2fsprogs_agree_on_closures() {
    if !is_made_for_all() || !installed(&["e2fsck", "debugfs", "dumpe2fs", "diff"]) {
        return;
    }
    let dir = tempfile::tempdir_in(target()).unwrap();
    for store in STORES {
        let image = dir.path().join(format!("{store}.ext4"));
        closure(store, &image, "2");
        run(tool("e2fsck").arg("-fn").arg(&image));
        let folder = dir.path().join(store);
        fs::create_dir(&folder).unwrap();
        debugfs(&image, &format!("rdump /nix/store {}", folder.display()));
        let made = demo().join("out").join(store);
        let paths = fs::read_to_string(made.join("closure-info/store-paths")).unwrap();
        for path in paths.lines() {
            let name = path.strip_prefix("/nix/").unwrap();
            let ours = folder.join(name);
            run(tool("diff")
                .args(["-r", "--no-dereference"])
                .arg(made.join("root/nix").join(name))
                .arg(ours));
        }
        let large = debugfs(&image, "htree_dump /nix/store");
        assert!(large.contains("Hash Version: 1"), "{large}");
        check_overhead(&image);
        all_is_read_back(&image);
        run(tool("chmod").args(["-R", "u+w"]).arg(&folder));
    }
}

/// What is neither payload nor journal nor free is less than two percent of those.
fn check_overhead(image: &Path) {
    let text = run(tool("dumpe2fs").arg("-h").arg(image));
    let number = |name: &str| -> u64 {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap();
        line.rsplit(' ').next().unwrap().parse().unwrap()
    };
    let journal = number("Total journal blocks:");
    let overhead = number("Overhead clusters:") - journal;
    let rest = number("Block count:") - overhead;
    assert!(
        overhead * 50 <= rest,
        "{overhead} blocks of overhead, {rest} others"
    );
}

/// A reader that others wrote finds every file of the closure, as our own reader does.
fn all_is_read_back(image: &Path) {
    let len = fs::metadata(image).unwrap().len();
    let source = Arc::new(fs::File::open(image).unwrap());
    let ours = ext4::read::FileSystem::open(source, len).unwrap().tree().unwrap();
    let theirs = ext4_view::Ext4::load_from_path(image).unwrap();
    let mut files = 0;
    for entry in ours.walk() {
        if let Kind::File(content) = &ours.node(entry.id).kind {
            let bytes = theirs
                .read(ext4_view::Path::try_from(entry.path.as_slice()).unwrap())
                .unwrap();
            assert_eq!(content.to_vec().unwrap(), bytes, "{:?}", image::show(&entry.path));
            files += 1;
        }
    }
    assert!(files > 5000, "{files}");
}

#[test]
fn a_closure_is_the_same_ext4_for_any_number_of_threads() {
    if !is_made_for_all() {
        return;
    }
    let dir = tempfile::tempdir_in(target()).unwrap();
    let images = ["1", "8"].map(|jobs| {
        let image = dir.path().join(jobs);
        closure("store", &image, jobs);
        image
    });
    run(tool("cmp").args(&images));
}

/// Builds one of the demo's images.
fn build(name: &str, dir: &Path) -> PathBuf {
    let out = dir.join(name);
    fs::create_dir(&out).unwrap();
    run(kiln()
        .arg("build")
        .arg(demo().join(format!("{name}.toml")))
        .arg("--out")
        .arg(&out));
    let images: Vec<PathBuf> = crate::tools::files(&out);
    let is_image = |path: &&PathBuf| path.extension().is_some_and(|ending| ending == "img");
    images.iter().find(is_image).unwrap().clone()
}

/// Where the last partition of a disk begins.
fn last_partition(disk: &Path) -> u64 {
    let text = run(tool("sfdisk").arg("--dump").arg(disk));
    let line = text.lines().rfind(|line| line.contains("start=")).unwrap();
    let (_, start) = line.split_once("start=").unwrap();
    let sector: u64 = start.split(',').next().unwrap().trim().parse().unwrap();
    sector * 512
}

/// Boots an image on a disk of 64 GiB, which the system grows into, and checks what it leaves.
fn boots_and_grows(image: &Path, arch: &str, more: &[&str]) -> Vec<String> {
    let dir = image.parent().unwrap();
    let (console, disk) = (dir.join("console.log"), dir.join("disk"));
    let mut boot = tool(demo().join("boot").to_str().unwrap());
    boot.arg(image)
        .args(["--arch", arch, "--timeout", "800", "--disk-size", "64G"]);
    boot.arg("--log").arg(&console).arg("--keep").arg(&disk);
    run(boot.args(more));
    let console = console_lines(&console);
    for wanted in [
        "CHECK ok grow: from ",
        "CHECK ok database: ",
        "CHECK ok database-verify: Nix finds nothing wrong",
        "CHECK ok load-db: loaded",
        "CHECK ok verify: Nix finds nothing wrong",
        "CHECK ok kernel-log: no complaints",
        "BOOT-DONE",
    ] {
        assert!(
            console.iter().any(|line| line.starts_with(wanted)),
            "the console does not say {wanted:?}"
        );
    }
    let place = format!("{}?offset={}", disk.display(), last_partition(&disk));
    run(tool("e2fsck").arg("-fn").arg(&place));
    let text = run(tool("dumpe2fs").arg("-h").arg(&place));
    let blocks = text
        .lines()
        .find(|line| line.starts_with("Block count:"))
        .unwrap();
    let blocks: u64 = blocks.rsplit(' ').next().unwrap().parse().unwrap();
    assert!(blocks > (63 << 30) / 4096, "{blocks}");
    console
}

#[test]
fn the_sd_image_boots_keeps_its_promises_and_grows() {
    the_sd_image_boots(CROWDS[0]);
}

#[test]
#[ignore = "long: tests/long runs it"]
fn the_sd_image_boots_beside_an_ext4_with_a_crowd() {
    the_sd_image_boots(CROWDS[1]);
}

fn the_sd_image_boots(names: u32) {
    let tools = [
        "qemu-system-aarch64",
        "/usr/lib/u-boot/qemu_arm64/u-boot.bin",
        "e2fsck",
        "sfdisk",
    ];
    if !is_made_for_all() || !installed(&tools) {
        return;
    }
    let dir = tempfile::tempdir_in(target()).unwrap();
    let image = build("sd-image", dir.path());
    run(tool("sfdisk").arg("--verify").arg(&image));

    let mut tree = whole_zoo(names);
    let found = tree.make_directory(b"/lost+found").unwrap();
    tree.node_mut(found).meta.mode = 0o700;
    let zoo = dir.path().join("zoo.ext4");
    let seed = image::Seed::new(b"zoo");
    let options = ext4::Options::new(seed.uuid("fs"), seed.uuid("hash"));
    let planned = ext4::plan(&tree, &options).unwrap();
    image::write(&zoo, &planned.image, &image::Silent)
        .unwrap()
        .keep()
        .unwrap();

    let checks = format!("fill:{FREE}:{FREE_INODES},zoo:ext4");
    let drive = format!("if=virtio,format=raw,readonly=on,file={}", zoo.display());
    let console = boots_and_grows(&image, "arm64", &["--checks", &checks, "-drive", &drive]);
    assert!(console.iter().any(|line| line.starts_with("CHECK ok fill: ")));
    assert_listed(&console, &tree);
}

#[test]
fn the_efi_image_boots_and_grows() {
    if !is_made_for_all()
        || !installed(&[
            "qemu-system-x86_64",
            "/usr/share/ovmf/OVMF.fd",
            "e2fsck",
            "sgdisk",
        ])
    {
        return;
    }
    let dir = tempfile::tempdir_in(target()).unwrap();
    let image = build("efi", dir.path());
    run(tool("sgdisk").arg("-v").arg(&image));
    boots_and_grows(&image, "amd64", &[]);
}

/// What reads contents in the tests: a file system inside of another is a file like any other.
#[test]
fn a_file_system_in_a_file_system_is_whole() {
    if !installed(&["e2fsck", "debugfs"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let seed = image::Seed::new(b"nested");
    let options = ext4::Options::new(seed.uuid("fs"), seed.uuid("hash"));
    let inner = ext4::plan(&whole_zoo(CROWDS[1]), &options).unwrap().image;
    let mut tree = image::Tree::default();
    tree.add(
        NodeId::ROOT,
        b"inner",
        image::Node::file(Content::Image(Arc::new(inner))),
    )
    .unwrap();
    let outer = dir.path().join("outer");
    let planned = ext4::plan(&tree, &options).unwrap();
    image::write(&outer, &planned.image, &image::Silent)
        .unwrap()
        .keep()
        .unwrap();
    run(tool("e2fsck").arg("-fn").arg(&outer));
    let unpacked = dir.path().join("inner");
    debugfs(&outer, &format!("dump /inner {}", unpacked.display()));
    run(tool("e2fsck").arg("-fn").arg(&unpacked));
}
