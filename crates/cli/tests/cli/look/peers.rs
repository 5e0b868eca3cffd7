//! Images of the tools that others use: what they were made of is what is listed, extracted and found sound.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::MetadataExt as _;

use serde_json::Value;

use super::{checked, listed, shell};
use crate::oracle::installed;
use crate::world::World;

/// A folder of whatever file systems have.
const ODDITIES: &str = r"
mkdir -p src/dir/deep src/empty
printf text >src/file; printf '' >src/none
ln src/file src/dir/again
ln -s ../file src/dir/link; ln -s /etc/passwd src/absolute
truncate -s 3M src/sparse; printf end >>src/sparse
head -c 300000 /dev/urandom >src/dir/deep/noise
printf x >'src/a name'; printf y >'src/dir/ä'; printf z >'src/dir/\'
printf w >src/dir/$(printf 'esc\033[31m')
chmod 4711 src/file; chmod 1777 src/empty; chmod 640 src/dir/deep/noise
touch -d @1700000000 src/file; touch -h -d @1600000000 src/dir/link
";

/// As root: what only root can make.
const ROOTS: &str = "mkfifo src/fifo; mknod src/null c 1 3; mknod src/disk b 8 260; chown 12:34 src/none; chown -h 5:6 src/absolute";

fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

/// The folder as lines: all that listings say.
fn found(world: &World, folder: &str) -> BTreeMap<String, String> {
    let text = shell(
        world,
        &format!(
            "cd {folder}; find . -mindepth 1 -printf '%P\\t%y\\t%04m\\t%U\\t%G\\t%s\\t%Ts\\t%n\\t%l\\n'"
        ),
    );
    let line = |line: &str| {
        let fields: Vec<&str> = line.split('\t').collect();
        let [path, kind, mode, uid, gid, size, time, links, target] = fields[..] else {
            unreachable!("{line:?}");
        };
        let path = format!("/{}", image::show(path.as_bytes()));
        let is_file = kind == "f";
        let mut text = format!("{kind} {uid}:{gid} {time}");
        if kind != "l" {
            let _ = write!(text, " {mode}");
        }
        if is_file {
            let _ = write!(text, " {size} bytes, {links} names");
        }
        (path, text + target)
    };
    text.lines().map(line).collect()
}

/// The same out of a listing.
fn said(entries: &BTreeMap<String, Value>) -> BTreeMap<String, String> {
    let line = |(path, entry): (&String, &Value)| {
        let kind = match entry["type"].as_str().unwrap() {
            "directory" => "d",
            "file" => "f",
            "symlink" => "l",
            "char-device" => "c",
            "block-device" => "b",
            "fifo" => "p",
            other => unreachable!("{other}"),
        };
        let mut text = format!("{kind} {}:{} {}", entry["uid"], entry["gid"], entry["mtime"]);
        if kind != "l" {
            let _ = write!(text, " {}", entry["mode"].as_str().unwrap());
        }
        if kind == "f" {
            let _ = write!(text, " {} bytes, {} names", entry["size"], entry["links"]);
        }
        (path.clone(), text + entry["target"].as_str().unwrap_or_default())
    };
    let inner = entries
        .iter()
        .filter(|(path, _)| *path != "/" && !path.starts_with("/lost+found"));
    inner.map(line).collect()
}

fn sources(world: &World) {
    shell(world, ODDITIES);
    if is_root() {
        shell(world, ROOTS);
    }
}

/// Lists, extracts and checks an image of the folder `src`.
fn is_the_folder(world: &World, image: &str, path: &str) {
    let listing = listed(world, &[image, path]);
    let listing = listing
        .into_iter()
        .map(|(name, entry)| {
            let below = name.strip_prefix(path.trim_end_matches('/'));
            (below.unwrap_or(&name).to_string(), entry)
        })
        .filter(|(name, _)| !name.is_empty())
        .collect();
    let wanted = found(world, "src");
    assert_eq!(said(&listing), wanted, "{image}");
    // mkfs.btrfs forgets which device it was.
    if is_root() && image != "x.btrfs" {
        assert_eq!(
            (&listing["/disk"]["major"], &listing["/disk"]["minor"]),
            (&8.into(), &260.into())
        );
    }
    world.done(&["extract", image, path, "--out", "extracted"]);
    shell(
        world,
        "rm -rf extracted/lost+found; diff -r --no-dereference src extracted >diff || grep -qv 'special file' diff",
    );
    let mut again = found(world, "extracted");
    if !is_root() {
        again.clone_from(&wanted);
    }
    assert_eq!(again, wanted, "{image}");
    let blocks = fs::metadata(world.path("extracted/sparse")).unwrap().blocks();
    assert!(blocks < 1024, "{image}: {blocks} blocks");
    fs::remove_dir_all(world.path("extracted")).unwrap();
    for part in checked(world, &[image]) {
        assert!(
            part.ends_with(" sound") || part.ends_with(" unknown unknown"),
            "{image}: {part}"
        );
    }
}

#[test]
fn images_of_mksquashfs_mke2fs_and_tar_are_read() {
    if !["mksquashfs", "mke2fs", "tar", "zstd", "xz", "gzip"]
        .into_iter()
        .all(installed)
    {
        return;
    }
    let world = World::new();
    sources(&world);
    shell(
        &world,
        "mksquashfs src x.squashfs -comp zstd -no-progress >log; mksquashfs src y.squashfs -comp xz -b 4K -no-progress >log; \
         mke2fs -q -t ext4 -d src x.ext4 32M; mke2fs -q -t ext2 -d src x.ext2 32M; tar -C src -cf x.tar .; tar -C src -cSf y.tar .; \
         zstd -q x.ext4; xz -k x.squashfs; gzip -k x.tar; zstd -q y.tar; gzip x.ext4.zst; mv x.ext2 x",
    );
    for image in [
        "x.squashfs",
        "y.squashfs",
        "x.ext4",
        "x",
        "x.tar",
        "y.tar",
        "x.ext4.zst.gz",
        "x.squashfs.xz",
        "x.tar.gz",
        "y.tar.zst",
    ] {
        is_the_folder(&world, image, "/");
    }
}

#[test]
fn a_btrfs_of_mkfs_is_read() {
    if !installed("mkfs.btrfs") {
        return;
    }
    let world = World::new();
    sources(&world);
    shell(
        &world,
        "truncate -s 128M x.btrfs; mkfs.btrfs -q -f --rootdir src x.btrfs",
    );
    is_the_folder(&world, "x.btrfs", "/");
}

#[test]
fn an_erofs_of_mkfs_is_read() {
    if !installed("mkfs.erofs-newer") {
        return;
    }
    let world = World::new();
    sources(&world);
    shell(
        &world,
        "mkfs.erofs-newer --quiet --chunksize=4096 x.erofs src; \
         mkfs.erofs-newer --quiet -zlz4hc -C65536 -Eztailpacking y.erofs src; \
         mkfs.erofs-newer --quiet -zzstd,level=3 -C1048576 -Efragments z.erofs src",
    );
    is_the_folder(&world, "x.erofs", "/");
    for (image, compressors) in [("y.erofs", "lz4"), ("z.erofs", "zstd")] {
        let listing = listed(&world, &[image, "/"]);
        let listing = listing.into_iter().filter(|(name, _)| name != "/").collect();
        assert_eq!(said(&listing), found(&world, "src"), "{image}");
        let info = world.done(&["info", image]);
        assert!(info.contains("erofs") && info.contains(compressors), "{info}");
        world.done(&["check", image]);
        world.done(&["extract", image, "/", "--out", "extracted"]);
        shell(
            &world,
            "diff -r --no-dereference src extracted >diff || grep -qv 'special file' diff; rm -rf extracted",
        );
    }
}

#[test]
fn disks_of_genimage_sgdisk_and_sfdisk_are_read() {
    if !["genimage", "sgdisk", "sfdisk", "mke2fs", "mcopy"]
        .into_iter()
        .all(installed)
    {
        return;
    }
    let world = World::new();
    sources(&world);
    shell(
        &world,
        "mke2fs -q -t ext4 -d src x.ext4 16M; mkfs.vfat -F 16 -C x.vfat 16384 >log; MTOOLSRC=/dev/null mcopy -i x.vfat src/sparse ::/; \
         mkdir root tmp; printf '%s' 'image gpt.img { hdimage { partition-table-type = \"gpt\" }
         partition boot { image = \"x.vfat\" } partition root { image = \"x.ext4\" } }
         image mbr.img { hdimage { }
         partition boot { image = \"x.vfat\" partition-type = 0xc } partition root { image = \"x.ext4\" partition-type = 0x83 } }' >c; \
         genimage --rootpath root --tmppath tmp --inputpath . --outputpath . --config c >log 2>&1; \
         truncate -s 64M sg.img; sgdisk -n 1:2048:+16M -c 1:boot -n 2:40960:+16M -c 2:root sg.img >log; \
         truncate -s 64M sf.img; printf '2048,32768,c\\n40960,20480,5\\n43008,18000,83\\n63488,32768,83\\n' | sfdisk -q sf.img; \
         for part in 'x.vfat 2048' 'x.ext4 40960'; do set -- $part; dd if=$1 of=sg.img bs=512 seek=$2 conv=notrunc; done 2>log; \
         dd if=x.ext4 of=sf.img bs=512 seek=63488 conv=notrunc 2>log",
    );
    is_the_folder(&world, "gpt.img", "/root");
    is_the_folder(&world, "mbr.img", "/2");
    is_the_folder(&world, "sg.img", "/root");
    let sparse = world.done(&["ls", "-l", "sg.img", "/boot/sparse"]);
    assert!(sparse.contains(" 3145731 "), "{sparse}");
    // What only holds others has no bytes of its own.
    let table: Value = serde_json::from_str(&shell(&world, "sfdisk --json sf.img")).unwrap();
    let table = table["partitiontable"]["partitions"].as_array().unwrap();
    let starts = table.iter().filter(|partition| partition["type"] != "5");
    let starts: Vec<u64> = starts
        .map(|partition| partition["start"].as_u64().unwrap())
        .collect();
    let ours = listed(&world, &["sf.img"]);
    let mut found: Vec<u64> = ours
        .values()
        .filter_map(|entry| entry["image"]["partition"]["start"].as_u64())
        .map(|start| start / 512)
        .collect();
    found.sort_unstable();
    assert_eq!(starts.len(), 3);
    for start in &starts {
        assert!(found.contains(start), "{starts:?} {found:?}");
    }
    let root = ours
        .keys()
        .find(|path| path.ends_with("/dir/deep/noise"))
        .unwrap();
    is_the_folder(&world, "sf.img", root.strip_suffix("/dir/deep/noise").unwrap());
}
