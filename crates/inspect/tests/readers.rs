//! What other tools have made, seen through the one namespace.
#![expect(clippy::unwrap_used, reason = "functions of tests")]

#[path = "../../../tests/zoo/oracle.rs"]
mod oracle;

use std::path::Path;
use std::process::Command;

use image::{Content, Layout, Silent};
use inspect::{Check, Format, Last, Outcome, Reach, Work, open};
use oracle::installed;

fn run(dir: &Path, line: &str) {
    let mut words = line.split(' ');
    let output = Command::new(words.next().unwrap())
        .args(words)
        .current_dir(dir)
        .output()
        .unwrap();
    assert!(output.status.success(), "{line}: {output:?}");
}

fn work(dir: &Path) -> Work<'_> {
    Work {
        folder: dir,
        threads: 2,
        progress: &Silent,
    }
}

fn cat(content: &Content, path: &str, work: &Work) -> Vec<u8> {
    let inside = open(content.clone(), work).unwrap();
    let found = inside
        .find(path.as_bytes(), Last::Followed, Reach::Entries, work)
        .unwrap();
    found.content().unwrap().to_vec().unwrap()
}

fn checks(content: &Content, work: &Work) -> Vec<Check> {
    let inside = open(content.clone(), work).unwrap();
    let mut checks = Vec::new();
    let told = inside.check(None, work, &mut |check| -> Result<(), inspect::Error> {
        checks.push(check);
        Ok(())
    });
    told.unwrap();
    checks
}

fn noise(len: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let next = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    (0..len).map(next).collect()
}

#[test]
fn environments_are_folders_of_variables() {
    if !installed("mkenvimage") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let work = work(dir.path());
    std::fs::write(
        dir.path().join("env.txt"),
        "BOOT_ORDER=A B\na/b=1\nbootcmd=run distro\n",
    )
    .unwrap();
    run(dir.path(), "mkenvimage -r -s 16384 -o env.img env.txt");
    let copy = std::fs::read(dir.path().join("env.img")).unwrap();
    let mut both = [&copy[..], &copy].concat();
    for file in [copy, both.clone()] {
        let content = Content::from(file);
        assert_eq!(Format::of(&content).unwrap(), Format::Environment);
        assert_eq!(cat(&content, "/bootcmd", &work), b"run distro");
        assert_eq!(cat(&content, "/a%2Fb", &work), b"1");
        assert!(matches!(checks(&content, &work)[0].outcome, Outcome::Sound));
    }
    both[16384 + 40] ^= 1;
    let content = Content::from(both);
    assert_eq!(cat(&content, "/BOOT_ORDER", &work), b"A B");
    assert!(matches!(checks(&content, &work)[0].outcome, Outcome::Damaged(_)));
}

#[test]
fn scripts_lie_in_partitions() {
    if !installed("mkimage") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let work = work(dir.path());
    std::fs::write(dir.path().join("boot.cmd"), "echo hi\n").unwrap();
    run(
        dir.path(),
        "mkimage -A arm64 -T script -C none -d boot.cmd boot.scr",
    );
    let mut script = std::fs::read(dir.path().join("boot.scr")).unwrap();
    script.resize(1 << 20, 0);
    assert_eq!(cat(&script.into(), "/script", &work), b"echo hi\n");
}

#[test]
fn plain_bundles_are_folders() {
    if !installed("rauc") || !installed("openssl") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let work = work(dir.path());
    let image = noise(50_000);
    std::fs::create_dir(dir.path().join("input")).unwrap();
    std::fs::write(dir.path().join("input/root.img"), &image).unwrap();
    let manifest = "[update]\ncompatible=test\n\n[image.rootfs]\nfilename=root.img\n";
    std::fs::write(dir.path().join("input/manifest.raucm"), manifest).unwrap();
    run(
        dir.path(),
        "openssl req -new -x509 -newkey rsa:2048 -nodes -keyout key -out cert -days 7300 -subj /CN=test",
    );
    run(
        dir.path(),
        "rauc bundle --cert cert --key key --keyring cert input plain.raucb",
    );
    let file = std::fs::read(dir.path().join("plain.raucb")).unwrap();
    let content = Content::from(file.clone());
    assert_eq!(Format::of(&content).unwrap(), Format::Bundle);
    for name in ["/root.img", "/rootfs"] {
        assert!(cat(&content, name, &work) == image);
    }
    assert!(matches!(checks(&content, &work)[0].outcome, Outcome::Sound));
    // Stored as they are, because noise does not compress: the images' digests are all that looks there.
    let mut bad = file;
    bad[20_000] ^= 1;
    assert!(matches!(
        checks(&bad.into(), &work)[0].outcome,
        Outcome::Damaged(_)
    ));
}

/// A folder that nobody can write to shows that nothing was written to it.
#[test]
fn compressed_disks_are_read_in_place() {
    if !installed("xz") || !installed("sfdisk") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut layout = Layout::new();
    layout.put(1 << 20, "partition", noise(1 << 20));
    let image = Content::from(layout.finish(8 << 20).unwrap());
    std::fs::write(dir.path().join("disk.img"), image.to_vec().unwrap()).unwrap();
    std::fs::write(
        dir.path().join("script"),
        "label: dos\n1 : start=2048, size=2048, type=83\n",
    )
    .unwrap();
    run(dir.path(), "sh -c sfdisk\tdisk.img<script");
    run(dir.path(), "xz --block-size=262144 -k disk.img");
    run(dir.path(), "gzip -k disk.img");
    let nowhere = dir.path().join("nowhere");
    for (name, work) in [("disk.img.xz", work(&nowhere)), ("disk.img.gz", work(dir.path()))] {
        let file = Content::from(std::fs::read(dir.path().join(name)).unwrap());
        assert!(cat(&file, "/1", &work) == noise(1 << 20), "{name}");
    }
    let gzip = Content::from(std::fs::read(dir.path().join("disk.img.gz")).unwrap());
    assert!(open(gzip, &work(&nowhere)).is_err());
}

/// An MBR does not say how large its sectors are. fdisk has made one in sectors of 4096 bytes, with logical partitions.
#[test]
fn what_lies_there_tells_the_sectors_of_an_mbr() {
    if !installed("fdisk") || !installed("mke2fs") || !installed("mkfs.vfat") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let work = work(dir.path());
    std::fs::write(
        dir.path().join("keys"),
        "o\nn\np\n1\n\n+16M\nn\ne\n2\n\n\nn\n\n+8M\nn\n\n+4M\nw\n",
    )
    .unwrap();
    run(dir.path(), "truncate -s 64M disk.img");
    run(dir.path(), "sh -c fdisk\t-b\t4096\tdisk.img<keys>log");
    std::fs::create_dir(dir.path().join("files")).unwrap();
    std::fs::write(dir.path().join("files/name"), "text").unwrap();
    let ls = |path: &str| -> Vec<String> {
        let content = Content::from(std::fs::read(dir.path().join("disk.img")).unwrap());
        let inside = open(content, &work).unwrap();
        let found = inside.find(path.as_bytes(), Last::Followed, Reach::Entries, &work);
        let mut names = Vec::new();
        let tell = &mut |item: inspect::Item| -> Result<(), inspect::Error> {
            let part = item.part.map(|part| (part.format.name(), part.size >> 20));
            names.push(format!("{} {part:?}", image::show(item.path)));
            Ok(())
        };
        found.unwrap().list(false, &work, tell).unwrap();
        names
    };
    // Nothing lies anywhere yet: sectors are the usual ones.
    assert!(ls("/")[0].starts_with("/1 Some((\"unknown\", 2"), "{:?}", ls("/"));
    run(dir.path(), "mkfs.vfat -F 16 -C x.vfat 16384");
    run(dir.path(), "mke2fs -q -t ext4 -d files x.ext4 4M");
    // Its own places: 256 sectors in front of each partition.
    run(
        dir.path(),
        "dd if=x.vfat of=disk.img bs=4096 seek=256 conv=notrunc",
    );
    let ext4 = 256 + 4096 + 256 + 2048 + 256;
    run(
        dir.path(),
        &format!("dd if=x.ext4 of=disk.img bs=4096 seek={ext4} conv=notrunc"),
    );
    let wanted = [
        "/1 Some((\"fat\", 16))",
        "/5 Some((\"unknown\", 8))",
        "/6 Some((\"ext4\", 4))",
    ];
    assert_eq!(ls("/"), wanted);
    assert!(ls("/6").contains(&"/6/name None".to_string()), "{:?}", ls("/6"));
}
