//! The demo's images are folders: what `kiln ls` and `kiln extract` say of them is what outside tools say; and how long that
//! takes.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::demo::{is_made, kiln, store_paths};
use crate::guide_inside;
use crate::listing::{assert_same, list};
use crate::rock64::Rock64;
use crate::tools::{given, installed, is_root, output, run, tool};

/// What a listing says, by path.
fn listed(image: &Path, path: &str) -> BTreeMap<String, Value> {
    let text = run(kiln().args(["ls", "-R", "--json"]).arg(image).arg(path));
    let entries: Vec<Value> = serde_json::from_str(&text).unwrap();
    let path = |entry: &Value| entry["path"].as_str().unwrap().to_string();
    entries.into_iter().map(|entry| (path(&entry), entry)).collect()
}

/// The names below a path.
fn below<'a>(entries: &'a BTreeMap<String, Value>, part: &str) -> Vec<&'a str> {
    let names = entries.keys().filter_map(|path| path.strip_prefix(part));
    let names = names.filter(|name| name.starts_with('/'));
    // Lists of one name a line end there.
    names.map(|name| name.split("\\n-end").next().unwrap()).collect()
}

/// The lines that are paths, as listings show them.
fn paths(command: &mut Command) -> Vec<String> {
    let output = output(command);
    assert!(output.status.success(), "{command:?}");
    let lines = output.stdout.split(|byte| *byte == b'\n');
    let lines = lines.map(|line| line.strip_prefix(b"::").unwrap_or(line));
    let lines = lines.filter(|line| line.starts_with(b"/"));
    // mdir writes a slash behind folders.
    let mut paths: Vec<String> = lines
        .map(|line| image::show(line.strip_suffix(b"/").unwrap_or(line)))
        .collect();
    paths.sort();
    paths
}

#[test]
fn a_rock64_is_what_outside_tools_say() {
    if !is_made() || !is_root() || !installed(&["sfdisk", "mdir", "mcopy", "unsquashfs", "rauc"]) {
        return;
    }
    let rock64 = Rock64::build();
    let image = rock64.path("atomicnix-25.11.img");
    let entries = listed(&image, "/");
    let table: Value = serde_json::from_str(&run(tool("sfdisk").arg("--json").arg(&image))).unwrap();
    for (number, partition) in (1..).zip(table["partitiontable"]["partitions"].as_array().unwrap()) {
        let name = partition["name"].as_str().unwrap();
        let ours = &entries[&format!("/{name}")]["image"]["partition"];
        let theirs = ["start", "size"].map(|key| partition[key].as_u64().unwrap() * 512);
        assert_eq!(["start", "size"].map(|key| ours[key].as_u64().unwrap()), theirs);
        assert_eq!(ours["number"], number);
    }
    let boot = rock64.path("boot.vfat");
    let mut mdir = tool("mdir");
    assert_eq!(
        below(&entries, "/boot-a"),
        paths(mdir.args(["-/", "-b", "-i"]).arg(&boot).arg("::/"))
    );
    let mut unsquashfs = tool("unsquashfs");
    let unsquashfs = unsquashfs
        .args(["-l", "-d", ""])
        .arg(rock64.path("rootfs.squashfs"));
    assert_eq!(below(&entries, "/rootfs-a"), paths(unsquashfs));

    let dir = tempfile::tempdir().unwrap();
    let ours = dir.path().join("ours");
    run(kiln()
        .arg("extract")
        .arg(&image)
        .arg("/rootfs-a")
        .arg("--out")
        .arg(&ours));
    assert_same(&list(&ours), &list(&rock64.unpacked().path));
    let files = dir.path().join("files");
    run(kiln().arg("extract").arg(&boot).arg("--out").arg(&files));
    let theirs = dir.path().join("theirs");
    fs::create_dir(&theirs).unwrap();
    run(tool("mcopy")
        .args(["-s", "-n", "-i"])
        .arg(&boot)
        .arg("::/")
        .arg(&theirs));
    run(tool("diff").arg("-r").arg(&files).arg(&theirs));
}

#[test]
fn each_part_of_a_device_with_slots_is_looked_into() {
    if !is_made() {
        return;
    }
    let rock64 = Rock64::build();
    let dir = tempfile::tempdir().unwrap();
    let result = rock64.path("");
    let printed = guide_inside::run_section(
        "Each part of a device with slots",
        dir.path(),
        &[("result", &result)],
    );
    assert!(printed.len() >= 11, "{printed:?}");
    let said = |start: &str| guide_inside::of(&printed, &format!("kiln {start}"));
    let script = fs::read_to_string(rock64.path("boot.cmd")).unwrap();
    for command in [
        "cat result/atomicnix-25.11.img /boot-a/boot.scr",
        "cat result/boot.scr",
        "cat result/rock64.raucb /boot/boot.scr",
    ] {
        assert_eq!(said(command), script, "{command}");
    }
    assert_eq!(said("cat result/atomicnix-25.11.uboot.env"), "A B");
    let store: Vec<&str> = said("ls result/atomicnix-25.11.img /rootfs-a").lines().collect();
    let mut paths = store_paths();
    paths.sort();
    assert_eq!(store.len(), paths.len());
    assert!(store.iter().zip(&paths).all(|(name, path)| path.ends_with(name)));
}

/// Twenty thousand files in folders of a hundred.
fn many_files(folder: &Path) {
    for number in 0..20_000_u32 {
        let place = folder.join(format!("folder-{}", number / 100));
        fs::create_dir_all(&place).unwrap();
        fs::write(place.join(format!("file-{number}")), number.to_string()).unwrap();
    }
}

/// The least time of some runs.
fn fastest(mut work: impl FnMut()) -> Duration {
    let times = (0..5).map(|_| {
        let start = Instant::now();
        work();
        start.elapsed()
    });
    times.min().unwrap()
}

#[test]
fn listings_are_fast() {
    if !given(crate::demo::kiln_program().exists(), "kiln is built") {
        return;
    }
    if !installed(&["unsquashfs", "debugfs", "mksquashfs", "zstd"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    many_files(&path("many"));
    run(tool("mksquashfs")
        .arg(path("many"))
        .arg(path("x.squashfs"))
        .arg("-no-progress"));
    run(kiln()
        .arg("ext4")
        .arg("--tree")
        .arg(path("many"))
        .arg("--out")
        .arg(path("x.ext4")));
    let ours = |image: &str| fastest(|| drop(run(kiln().args(["ls", "-R"]).arg(path(image)))));
    let unsquashfs = fastest(|| drop(run(tool("unsquashfs").arg("-l").arg(path("x.squashfs")))));
    let squashfs = ours("x.squashfs");
    eprintln!("squashfs: {squashfs:?}, unsquashfs -l {unsquashfs:?}");
    // It lists no tree in one command: each folder has its own.
    let commands: String = (0..200).fold(String::from("ls -l /\n"), |text, number| {
        text + &format!("ls -l /folder-{number}\n")
    });
    fs::write(path("commands"), commands).unwrap();
    let debugfs = fastest(|| {
        drop(run(tool("debugfs")
            .arg("-f")
            .arg(path("commands"))
            .arg(path("x.ext4"))));
    });
    let ext4 = ours("x.ext4");
    eprintln!("ext4: {ext4:?}, debugfs {debugfs:?}");

    // One file out of a disk of a gigabyte, in place.
    let spec = "schema = 1\nname = \"x\"\n[fs.root]\nformat = \"ext4\"\ntree = \"many\"\nsize = \"1GiB\"\ncompress = \"zstd\"\n";
    fs::write(path("spec.toml"), spec).unwrap();
    run(kiln()
        .arg("build")
        .arg(path("spec.toml"))
        .arg("--out")
        .arg(path("out")));
    let packed = path("out/root.ext4.zst");
    let one = fastest(|| {
        assert_eq!(
            run(kiln().arg("cat").arg(&packed).arg("/folder-7/file-777")),
            "777"
        );
    });
    eprintln!("cat of one file in a 1 GiB .zst: {one:?}");
    assert!(one < Duration::from_millis(200), "{one:?}");
}
