//! What mkfs.btrfs and Linux have made is read, and found to be right.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use btrfs::read::FileSystem;
use btrfs::{Access, Error};
use image::{Kind, NodeId};

use crate::mounted::run_in;
use crate::support::oracle::installed;
use crate::support::{EVERYTHING, Mounted, assert_listed, assert_same, bytes, is_possible, run, words};

fn open(path: &Path) -> Result<FileSystem, Error> {
    let file = File::open(path).unwrap();
    let size = file.metadata().unwrap().len();
    FileSystem::open(Arc::new(file), size)
}

fn empty(path: &Path, len: u64) {
    File::create(path).unwrap().set_len(len).unwrap();
}

fn mkfs(arguments: &[&str], paths: &[&Path]) {
    run(Command::new("mkfs.btrfs").arg("-q").args(arguments).args(paths));
}

/// A folder with files of many lengths.
fn folder(dir: &Path) -> PathBuf {
    let folder = dir.join("folder");
    std::fs::create_dir_all(folder.join("a/b")).unwrap();
    for (number, len) in [0, 1, 2048, 4096, 4097, 3_000_000].into_iter().enumerate() {
        std::fs::write(folder.join(format!("a/{number}")), bytes(len, 3)).unwrap();
    }
    for number in 0..1200 {
        std::fs::write(folder.join(format!("a/b/{number}")), words(number)).unwrap();
    }
    std::fs::write(folder.join("words"), words(700_000)).unwrap();
    std::os::unix::fs::symlink("target", folder.join("a/b/link")).unwrap();
    folder
}

/// What a mkfs.btrfs makes of the folder is what is read.
fn is_read(program: &str, arguments: &[&str], folder: &Path) -> FileSystem {
    let path = folder.with_file_name("image");
    empty(&path, 256 << 20);
    let mut mkfs = Command::new(program);
    run(mkfs.arg("-q").args(arguments).arg("-r").arg(folder).arg(&path));
    let system = open(&path).unwrap();
    let mut wanted = image::scan(folder, EVERYTHING).unwrap();
    if let Err(error) = system.check() {
        panic!("{arguments:?}: {error}");
    }
    let found = system.tree().unwrap();
    wanted.node_mut(NodeId::ROOT).meta = found.node(NodeId::ROOT).meta.clone();
    assert_same(&found, &wanted);
    assert_listed(&system, &found);
    system
}

#[test]
fn what_mkfs_makes_of_a_folder_is_read() {
    if !installed("mkfs.btrfs") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let folder = folder(dir.path());
    for arguments in [
        &[][..],
        &["-m", "dup", "-d", "dup"],
        &["-m", "single"],
        &["-n", "4096"],
        &["-n", "65536"],
        &["--mixed"],
        &["-R", "^free-space-tree"],
        &["-O", "^no-holes"],
        &["-O", "^skinny-metadata,^extref"],
        &["-R", "quota"],
    ] {
        is_read("mkfs.btrfs", arguments, &folder);
    }
}

#[test]
fn what_a_newer_mkfs_makes_of_a_folder_is_read() {
    let program = "mkfs.btrfs-newer";
    if !installed(program) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let folder = folder(dir.path());
    for arguments in [
        &[][..],
        &["-O", "^block-group-tree"],
        &["-O", "^free-space-tree,^block-group-tree"],
        &["--compress", "zstd:3"],
        &["--compress", "zlib"],
        &["--shrink"],
    ] {
        is_read(program, arguments, &folder);
    }
    let subvolumes = ["--subvol", "ro:a", "--subvol", "default:a/b"];
    let contents = is_read(program, &subvolumes, &folder).contents().unwrap();
    let id = |path: &[u8]| contents.tree.lookup(path).unwrap();
    let wanted = [(id(b"/a"), Access::ReadOnly), (id(b"/a/b"), Access::Writable)];
    assert_eq!(contents.subvolumes, wanted.into());
    assert_eq!(contents.default_subvolume, id(b"/a/b"));
}

#[test]
fn what_is_not_read_of_others_is_named() {
    if !installed("mkfs.btrfs") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let [path, second, third, fourth] = ["1", "2", "3", "4"].map(|name| dir.path().join(name));
    let mut said = Vec::new();
    for (arguments, count) in [
        (&["--csum", "xxhash"][..], 1),
        (&["--csum", "sha256"], 1),
        (&["--csum", "blake2"], 1),
        (&["-m", "raid1", "-d", "raid0"], 2),
        (&["-m", "raid1c3", "-d", "raid1c3"], 3),
        (&["-m", "raid6", "-d", "raid6"], 4),
    ] {
        let paths = &[&*path, &*second, &*third, &*fourth][..count];
        for path in paths {
            empty(path, 256 << 20);
        }
        mkfs(arguments, paths);
        let error = open(&path).unwrap_err();
        assert!(matches!(error, Error::Unsupported { .. }), "{error}");
        said.push(error.to_string());
    }
    insta::assert_snapshot!(said.join("\n"), @r"
    the file system uses checksums of xxhash64, which kiln does not read
    the file system uses checksums of sha256, which kiln does not read
    the file system uses checksums of blake2b, which kiln does not read
    the file system uses 2 devices, which kiln does not read
    the file system uses RAID 1 with three or four copies, which kiln does not read
    the file system uses RAID 5 or 6, which kiln does not read
    ");
}

/// A file system that has lived: snapshots of snapshots, files that share parts, space that is reserved, files without
/// checksums, and what Linux has compressed.
const LIFE: &str = "
    mkdir d && for i in $(seq 3000); do echo $i > d/file-$i; done
    head -c 3000000 /dev/urandom > large && sync
    btrfs -q subvolume create inner && echo 1 > inner/one
    btrfs -q subvolume snapshot . first
    echo changed > d/file-7 && dd if=/dev/urandom of=large bs=4096 seek=100 count=3 conv=notrunc status=none
    cp --reflink=always large reflink
    btrfs -q subvolume snapshot -r first second
    rm -r first/d && sync
    fallocate -l 1M reserved && echo begin | dd of=reserved conv=notrunc status=none
    touch bare && chattr +C bare && head -c 300000 /dev/urandom > bare
    truncate -s 10M sparse && echo end >> sparse
    for how in zstd lzo zlib; do
        mkdir $how && btrfs property set $how compression $how
        seq 300000 > $how/large && seq 300 > $how/small
    done
    ln large link && mkfifo pipe && mknod device c 5 1
    btrfs -q subvolume create gone && echo 1 > gone/file && sync && btrfs -q subvolume delete -c gone
    sync && btrfs -q subvolume sync .
";

fn live(mounted: &Mounted, script: &str) {
    run_in(mounted, "sh", &["-ec", script]);
}

#[test]
fn what_linux_has_written_is_read() {
    if !is_possible("btrfs") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    for (number, (arguments, how)) in [
        (&[][..], "loop"),
        (&["-n", "4096", "-m", "single"], "loop"),
        (&["-R", "^free-space-tree"], "loop,space_cache=v1"),
    ]
    .into_iter()
    .enumerate()
    {
        let [path, folder] = ["image", "folder"].map(|name| dir.path().join(format!("{name}-{number}")));
        empty(&path, 1 << 30);
        mkfs(arguments, &[&path]);
        let mounted = Mounted::new("btrfs", &path, &folder, how);
        live(&mounted, LIFE);
        if number == 1 {
            live(&mounted, "btrfs -q balance start --full-balance .");
        }
        drop(mounted);
        run(Command::new("btrfs")
            .args(["check", "--check-data-csum"])
            .arg(&path));
        let system = open(&path).unwrap();
        if let Err(error) = system.check() {
            panic!("{arguments:?}: {error}");
        }
        let found = system.contents().unwrap();
        assert_eq!(found.subvolumes.len(), 3, "{:?}", found.subvolumes);
        {
            let mounted = Mounted::new("btrfs", &path, &folder, "loop,ro");
            let mut wanted = image::scan(mounted.0, EVERYTHING).unwrap();
            // Where nothing is, Linux shows the time of looking.
            for path in ["/first/inner", "/second/inner"] {
                let [own, id] = [&found.tree, &wanted].map(|tree| tree.lookup(path.as_bytes()).unwrap());
                wanted.node_mut(id).meta.mtime = found.tree.node(own).meta.mtime;
            }
            assert_same(&found.tree, &wanted);
        }
        assert_listed(&system, &found.tree);
        let hollow = system.list(b"/first/inner").unwrap().unwrap();
        assert!(hollow.is_empty());
    }
}

/// So many free pieces that Linux describes them with bits.
#[test]
fn bitmaps_of_free_space_are_read() {
    if !is_possible("btrfs") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let [path, folder] = ["image", "folder"].map(|name| dir.path().join(name));
    empty(&path, 1 << 30);
    mkfs(&["-m", "single"], &[&path]);
    let mounted = Mounted::new("btrfs", &path, &folder, "loop,max_inline=0");
    live(
        &mounted,
        "mkdir d && head -c 60000000 /dev/urandom | split -a 5 -b 4096 - d/x && sync
         ls d | awk 'NR % 2' | sed 's,^,d/,' | xargs rm && sync",
    );
    drop(mounted);
    let said = run(Command::new("btrfs")
        .args(["inspect-internal", "dump-tree", "-t", "10"])
        .arg(&path));
    assert!(said.contains("FREE_SPACE_BITMAP"), "{said}");
    let system = open(&path).unwrap();
    system.check().unwrap();
    let tree = system.tree().unwrap();
    let files = tree
        .nodes()
        .filter(|(_, node)| matches!(node.kind, Kind::File(_)));
    assert!(files.count() > 7000);
    // One bit more or less is noticed.
    let mut image = std::fs::read(&path).unwrap();
    let place = bitmap(&image);
    image[place] ^= 1;
    let node = place / 16384 * 16384;
    let sum = crc32c::crc32c(&image[node + 32..node + 16384]);
    image[node..node + 4].copy_from_slice(&sum.to_le_bytes());
    std::fs::write(&path, &image).unwrap();
    let error = open(&path).unwrap().check().unwrap_err().to_string();
    assert!(error.contains("ranges are free"), "{error}");
}

/// A byte in the middle of a bitmap that is not all zeros.
fn bitmap(image: &[u8]) -> usize {
    let system = 65536;
    let fsid = &image[system + 32..system + 48];
    let number = |at: usize| u32::from_le_bytes(image[at..at + 4].try_into().unwrap()) as usize;
    let generation = |at: usize| u64::from_le_bytes(image[at..at + 8].try_into().unwrap());
    let is_leaf = |start: &usize| {
        &image[start + 32..start + 48] == fsid && image[start + 88] == 10 && image[start + 100] == 0
    };
    let leaves = (1 << 20..image.len() - 16384).step_by(16384).filter(is_leaf);
    let leaf = leaves.max_by_key(|start| generation(start + 80)).unwrap();
    let heads = (0..number(leaf + 96)).map(|item| leaf + 101 + item * 25);
    let mut places = heads
        .filter(|head| image[head + 8] == 200)
        .map(|head| leaf + 101 + number(head + 17) + 60);
    places.find(|place| ![0, 255].contains(&image[*place])).unwrap()
}
