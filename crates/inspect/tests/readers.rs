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
