//! What can be said of files, in every format: by outside tools' eyes what was asked for is there, and what a format cannot
//! hold is refused before the work, with a way out.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::process::{Command, Stdio};

use crate::oracle::installed;
use crate::world::World;

/// What is said of a small root, whatever its format.
const SAID: [&str; 22] = [
    "--tree",
    "tree",
    "--exclude",
    "/var/cache/*",
    "--directory",
    "/tmp",
    "--directory",
    "/var/empty",
    "--node",
    "/dev/console=char 5:1",
    "--node",
    "/run/queue=fifo",
    "--attributes",
    "/tmp mode=1777",
    "--attributes",
    "/etc/{shadow,gshadow} mode=0640 group=42",
    "--attributes",
    "/var/** owner=7 group=8 mode=644 directory-mode=2755",
    "--attributes",
    "/bin/ping mode=0755 capabilities=cap_net_raw=ep",
    "--attributes",
    "/etc/shadow xattr:user.note=0x6869 time=1700000000",
];

fn world() -> World {
    let world = World::new();
    for (path, text) in [
        ("tree/etc/shadow", "root::"),
        ("tree/bin/ping", "#!"),
        ("tree/var/cache/rubbish", "rubbish"),
        ("tree/var/lib/state", "state"),
    ] {
        world.write(path, text.as_bytes());
    }
    symlink("lib/state", world.path("tree/var/link")).unwrap();
    world
}

/// A line for each file: mode, owner, group, kind and time, as a list that root unpacks has them.
fn unpacked(world: &World, folder: &str) -> Vec<String> {
    let lines = Command::new("find")
        .args([folder, "-mindepth", "1", "-printf", "%P %y %m %U:%G %T@\\n"])
        .current_dir(world.path("."))
        .output()
        .unwrap();
    assert!(lines.status.success());
    let text = String::from_utf8(lines.stdout).unwrap();
    let mut lines: Vec<String> = text
        .lines()
        .map(|line| line.trim_end_matches(".0000000000").to_string())
        .collect();
    lines.sort();
    lines
}

const WANTED: [&str; 17] = [
    "bin d 555 0:0 1",
    "bin/ping f 755 0:0 1",
    "dev c 755 0:0 1",
    "dev/console c 600 0:0 1",
    "etc d 555 0:0 1",
    "etc/shadow f 640 0:42 1700000000",
    "run d 755 0:0 1",
    "run/queue p 600 0:0 1",
    "tmp d 1777 0:0 1",
    "var d 555 0:0 1",
    "var/cache d 2755 7:8 1",
    "var/empty d 2755 7:8 1",
    "var/lib d 2755 7:8 1",
    "var/lib/state f 644 7:8 1",
    "var/link l 777 7:8 1",
    "",
    "",
];

fn wanted() -> Vec<String> {
    let lines = WANTED.into_iter().filter(|line| !line.is_empty());
    lines.map(|line| line.replace("dev c 755", "dev d 755")).collect()
}

#[test]
fn squashfs_has_what_was_said() {
    if !installed("unsquashfs") {
        return;
    }
    let world = world();
    world.done(&[&["squashfs", "--level", "1", "--out", "o"], &SAID[..]].concat());
    let mut unsquashfs = Command::new("unsquashfs");
    unsquashfs
        .args(["-q", "-n", "-xattrs", "-d", "unpacked", "o"])
        .current_dir(world.path("."));
    let output = unsquashfs.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(unpacked(&world, "unpacked"), wanted());
    let capability = Command::new("getcap")
        .arg(world.path("unpacked/bin/ping"))
        .output()
        .unwrap();
    let capability = String::from_utf8(capability.stdout).unwrap();
    assert!(capability.trim_end().ends_with("cap_net_raw=ep"), "{capability}");
}

#[test]
fn ext4_has_what_was_said() {
    if !installed("debugfs") {
        return;
    }
    let world = world();
    world.done(&[&["ext4", "--out", "o"], &SAID[..]].concat());
    let debugfs = |request: &str| {
        let output = Command::new("debugfs")
            .args(["-R", request])
            .arg(world.path("o"))
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    fs::create_dir(world.path("unpacked")).unwrap();
    debugfs(&format!("rdump / {}", world.path("unpacked").display()));
    // debugfs unpacks files and folders with modes and owners; of the rest it says what it finds.
    let found = unpacked(&world, "unpacked");
    for line in wanted().iter().filter(|line| line.contains(" f ")) {
        let line = line.rsplit_once(' ').unwrap().0;
        assert!(
            found.iter().any(|found| found.starts_with(line)),
            "{line}: {found:?}"
        );
    }
    let console = debugfs("stat /dev/console");
    assert!(
        console.contains("Type: character special") && console.contains("05:01"),
        "{console}"
    );
    assert!(debugfs("stat /tmp").contains("Mode:  01777"));
    assert!(debugfs("stat /run/queue").contains("Type: FIFO"));
    let shadow = debugfs("stat /etc/shadow");
    assert!(
        shadow.contains("user.note (2) = \"hi\"") && shadow.contains("0x6553f100"),
        "{shadow}"
    );
    assert!(debugfs("stat /bin/ping").contains("security.capability (20)"));
    assert!(!debugfs("ls /var/cache").contains("rubbish"));
}

#[test]
fn fat_has_what_links_lead_to() {
    if !installed("mcopy") {
        return;
    }
    let world = world();
    // A farm of links, as buildEnv makes them.
    fs::create_dir(world.path("farm")).unwrap();
    symlink("../tree/etc", world.path("farm/etc")).unwrap();
    symlink("../tree/bin/ping", world.path("farm/PING.EXE")).unwrap();
    let args = ["fat", "--tree", "farm", "--out", "o"];
    let said = world.refused(2, &args);
    insta::assert_snapshot!(said, @r"
    error: /PING.EXE: FAT cannot hold a symbolic link
    hint: leave it out with `exclude`; `follow-links` puts what links lead to in their place
    ");
    world.done(
        &[
            &args[..],
            &["--follow-links", "--attributes", "/etc/** time=1700000000"],
        ]
        .concat(),
    );
    let mcopy = |args: &[&str]| {
        let output = Command::new("mcopy")
            .args(["-i", "o"])
            .args(args)
            .current_dir(world.path("."))
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    mcopy(&["-s", "-m", "::/", "unpacked"]);
    assert_eq!(fs::read(world.path("unpacked/etc/shadow")).unwrap(), b"root::");
    assert_eq!(fs::read(world.path("unpacked/PING.EXE")).unwrap(), b"#!");
    // Links that lead around in a circle.
    symlink("../../farm", world.path("tree/etc/back")).unwrap();
    let said = world.refused(3, &[&args[..], &["--follow-links"]].concat());
    assert!(said.contains("leads back to a folder that it lies in"), "{said}");
    fs::remove_file(world.path("tree/etc/back")).unwrap();
    symlink("none", world.path("tree/etc/dead")).unwrap();
    let said = world.refused(3, &[&args[..], &["--follow-links"]].concat());
    assert!(
        said.contains("farm/etc/dead") || said.contains("tree/etc/dead"),
        "{said}"
    );
}

/// Layers on top of each other, and one archive on standard input, are what the tree is that they were packed from.
#[test]
fn trees_come_in_layers_and_on_standard_input() {
    if !installed("tar") {
        return;
    }
    let world = world();
    let tar = |folder: &str, archive: &str| {
        let packed = Command::new("tar")
            .args(["-C", folder, "-cf", archive, "."])
            .current_dir(world.path("."))
            .status();
        assert!(packed.unwrap().success());
    };
    tar("tree", "base.tar");
    world.write("second/etc/.wh.shadow", b"");
    world.write("second/etc/motd", b"hello");
    tar("second", "second.tar");
    let squashfs = ["squashfs", "--level", "1", "--out", "o", "--tree"];
    world.done(&[&squashfs[..], &["base.tar", "--tree", "second.tar"]].concat());
    let layered = fs::read(world.path("o")).unwrap();
    fs::remove_file(world.path("tree/etc/shadow")).unwrap();
    world.write("tree/etc/motd", b"hello");
    world.done(&[&squashfs[..], &["tree"]].concat());
    assert!(fs::read(world.path("o")).unwrap() == layered);
    world.edit("spec.toml", "[fs.rootfs]\n", "[fs.layers]\nformat = \"squashfs\"\nlevel = 1\ntree = [\"base.tar\", \"second.tar\"]\n\n[fs.rootfs]\n");
    world.done(&["build", "spec.toml", "--out", "out", "--only", "fs.layers"]);
    assert!(fs::read(world.path("out/layers.squashfs")).unwrap() == layered);
    // The plain bytes, and the same compressed, through a pipe.
    tar("tree", "tree.tar");
    let compressed = Command::new("gzip")
        .arg("-k")
        .arg(world.path("tree.tar"))
        .status()
        .unwrap();
    assert!(compressed.success());
    for archive in ["tree.tar", "tree.tar.gz"] {
        let mut cat = Command::new("cat")
            .arg(world.path(archive))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut kiln = world.kiln(&[&squashfs[..], &["-"]].concat());
        let output = kiln.stdin(cat.stdout.take().unwrap()).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        assert!(cat.wait().unwrap().success());
        assert!(fs::read(world.path("o")).unwrap() == layered, "{archive}");
    }
    let said = world.refused(2, &[&squashfs[..], &["tree", "--tree", "base.tar"]].concat());
    assert!(said.contains("tree is a folder"), "{said}");
    let said = world.refused(3, &[&squashfs[..], &["-"]].concat());
    assert!(said.contains("standard input"), "{said}");
}

/// Every format and every property that it does not have: never dropped, and said before anything is compressed.
#[test]
fn what_a_format_cannot_hold_is_refused_early() {
    let world = World::new();
    world.write("old/file", b"1");
    let touched = |path: &str, time: &str| {
        let touched = Command::new("touch")
            .args(["-d", time])
            .arg(world.path(path))
            .status()
            .unwrap();
        assert!(touched.success());
    };
    touched("old/file", "1969-12-31 23:59:00 UTC");
    assert_eq!(fs::metadata(world.path("old/file")).unwrap().mtime(), -60);
    let tree = ["--tree", "old", "--out", "o"];
    let with = |verb: &str, more: &[&str]| -> Vec<String> {
        [&[verb][..], &tree, more]
            .concat()
            .iter()
            .map(ToString::to_string)
            .collect()
    };
    let cases: [(&str, &[&str], i32, &str); 11] = [
        ("squashfs", &["--keep", "times"], 2, "its time is -60 seconds"),
        (
            "squashfs",
            &["--attributes", "/file time=4294967296"],
            2,
            "its time is 4294967296 seconds",
        ),
        (
            "squashfs",
            &["--attributes", "/file xattr:system.posix_acl_access=x"],
            3,
            "SquashFS holds only",
        ),
        (
            "ext4",
            &["--attributes", "/file time=99999999999"],
            2,
            "99999999999",
        ),
        (
            "ext4",
            &["--attributes", "/file xattr:system.data=x"],
            3,
            "system.data",
        ),
        (
            "fat",
            &["--attributes", "/file mode=0644"],
            2,
            "no modes, owners or attributes",
        ),
        (
            "fat",
            &["--attributes", "/file owner=1"],
            2,
            "no modes, owners or attributes",
        ),
        (
            "fat",
            &["--attributes", "/file xattr:user.a=x"],
            2,
            "no modes, owners or attributes",
        ),
        (
            "fat",
            &["--attributes", "/file time=4354819200"],
            2,
            "its time is 4354819200 seconds",
        ),
        (
            "fat",
            &["--node", "/console=char 5:1"],
            2,
            "nodes is no key of format fat",
        ),
        (
            "fat",
            &["--keep-xattr", "user.*"],
            2,
            "xattrs is no key of format fat",
        ),
    ];
    for (verb, more, code, problem) in cases {
        let args = with(verb, more);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let said = world.refused(code, &args);
        assert!(said.contains(problem), "{args:?}: {said}");
        assert!(!said.contains("compressing"), "{said}");
        assert!(
            verb == "fat" || said.contains("hint:") || problem == "system.data",
            "{said}"
        );
    }
}

/// What a FAT is asked to keep and cannot.
#[test]
fn a_fat_keeps_times_alone() {
    let world = World::new();
    world.write("old/file", b"1");
    for kept in ["modes", "owners", "xattrs", "hard-links"] {
        let spec = format!(
            "schema = 1\nname = \"x\"\n[fs.a]\nformat = \"fat\"\ntree = \"old\"\nkeep = [\"{kept}\"]\n"
        );
        world.write("spec.toml", spec.as_bytes());
        let said = world.build_refused(2);
        assert!(said.contains("a FAT has times alone"), "{said}");
    }
}
