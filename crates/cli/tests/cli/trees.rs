//! `kiln tree`: a folder is what the file system of the same specification has, by outside tools' eyes.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::Command;

use crate::oracle::installed;
use crate::world::World;

const SPEC: &str = r#"
schema = 1
name = "t"

[closure]
from = "closure-info"
store-root = "store"

[fs.root]
format = "squashfs"
level = 1
closure = true
registration = "/nix-path-registration"
tree = "host"
keep = ["hard-links"]
directories = ["/tmp"]
symlinks = { "/init" = "{toplevel}/init" }
text = { "/etc/hostname" = "kiln\n" }
nodes = { "/run/queue" = "fifo", "/run/socket" = "socket", "/dev/console" = "char 5:1", "/dev/disk" = "block 8:0" }
attributes = [
  { path = "/tmp", mode = "1777" },
  { path = "/etc/hostname", mode = "4640", owner = 7, group = 42, time = 1700000000 },
]
"#;

fn world() -> World {
    let world = World::new();
    world.write("spec.toml", SPEC.as_bytes());
    world.write("host/home/file", b"text");
    fs::hard_link(world.path("host/home/file"), world.path("host/home/again")).unwrap();
    world
}

/// A line for each file, with all that lists show; devices' numbers come from their metadata.
fn listed(world: &World, folder: &str) -> Vec<String> {
    let found = Command::new("find")
        .args([folder, "-printf", "%P %y %m %U:%G %T@ %n %l\\n"])
        .current_dir(world.path("."))
        .output()
        .unwrap();
    assert!(found.status.success());
    let text = String::from_utf8(found.stdout).unwrap();
    let mut lines: Vec<String> = text.lines().map(String::from).collect();
    lines.sort();
    lines
}

fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

#[test]
fn a_folder_is_what_a_squashfs_of_the_same_holds() {
    if !installed("unsquashfs") || !is_root() {
        return;
    }
    let world = world();
    let said = world.done(&["tree", "spec.toml", "--out", "folder"]);
    assert!(
        said.starts_with("folder: ") && said.contains(" entries, "),
        "{said}"
    );
    world.done(&["build", "spec.toml", "--out", "out", "--only", "fs.root"]);
    let mut unsquashfs = Command::new("unsquashfs");
    let unsquashfs = unsquashfs
        .args(["-q", "-n", "-d", "unpacked", "out/root.squashfs"])
        .current_dir(world.path("."));
    let output = unsquashfs.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(listed(&world, "folder"), listed(&world, "unpacked"));
    let hostname = "etc/hostname f 4640 7:42 1700000000.0000000000 1 ";
    let lines = listed(&world, "folder");
    assert!(lines.iter().any(|line| line == hostname), "{lines:?}");
    let same = Command::new("diff")
        .args(["-r", "--no-dereference", "folder/home", "unpacked/home"])
        .current_dir(world.path("."))
        .status()
        .unwrap();
    assert!(same.success());
    for (folder, path) in [
        ("folder", "dev/console"),
        ("unpacked", "dev/console"),
        ("folder", "dev/disk"),
    ] {
        let number = fs::metadata(world.path(folder).join(path)).unwrap().rdev();
        assert_eq!(number, if path == "dev/disk" { 0x800 } else { 0x501 });
    }
    let full = world.refused(5, &["tree", "spec.toml", "--out", "folder"]);
    assert_eq!(
        full.trim(),
        "error: folder: cannot be written: directory not empty"
    );
}

#[test]
fn whose_files_they_are_without_root() {
    if !installed("setpriv") || !is_root() {
        return;
    }
    let world = world();
    let open = Command::new("chmod")
        .args(["-R", "a+rwX"])
        .arg(world.path("."))
        .status();
    assert!(open.unwrap().success());
    let as_nobody = |args: &[&str]| {
        let kiln = world.kiln(&[&["tree", "spec.toml", "--out", "folder"], args].concat());
        let mut command = Command::new("setpriv");
        command
            .args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"])
            .arg(kiln.get_program())
            .args(kiln.get_args())
            .current_dir(world.path("."));
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, said) = as_nobody(&[]);
    assert_eq!(code, Some(5), "{said}");
    assert!(
        said.contains(
            "error: /: belongs to user 0 and group 0, and only root can make that\nhint: run it as root"
        ),
        "{said}"
    );
    let (code, said) = as_nobody(&["--owners", "mine"]);
    assert!(
        code == Some(5) && said.contains("/dev/console: is a device"),
        "{said}"
    );
    let nodes = r#", "/dev/console" = "char 5:1", "/dev/disk" = "block 8:0""#;
    world.edit("spec.toml", nodes, "");
    let (code, said) = as_nobody(&["--owners", "mine"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(
        listed(&world, "folder")
            .iter()
            .all(|line| line.contains(" 65534:65534 "))
    );
    fs::remove_dir_all(world.path("folder")).unwrap();
    // All root's, there is no owner to lose, and the user is told.
    world.edit("spec.toml", "owner = 7, group = 42, ", "");
    let (code, said) = as_nobody(&[]);
    assert!(
        code == Some(0) && said.contains("warning: everything belongs to you"),
        "{said}"
    );
}

#[test]
fn which_file_system_it_is() {
    let world = world();
    let verity = world.refused(2, &["tree", "spec.toml", "--part", "disk", "--out", "folder"]);
    assert!(verity.starts_with("error: "), "{verity}");
    world.edit(
        "spec.toml",
        "[fs.root]",
        "[fs.boot]\nformat = \"fat\"\n\n[fs.root]",
    );
    let several = world.refused(2, &["tree", "spec.toml", "--out", "folder"]);
    assert_eq!(
        several.trim(),
        "error: the specification has several file systems\nhint: say which one: --part fs.boot, --part fs.root …"
    );
    world.done(&["tree", "spec.toml", "--part", "fs.boot", "--out", "folder"]);
    assert_eq!(listed(&world, "folder").len(), 1);
    let inside = world.refused(
        2,
        &["tree", "spec.toml", "--part", "fs.root", "--out", "host/out"],
    );
    assert!(inside.contains("would be written into"), "{inside}");
}
