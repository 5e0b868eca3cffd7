//! The same bytes on any host: each test changes what must not matter, and compares all outputs.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::demo::{
    copy_inputs, demo, digests, host_path, is_made, kiln, kiln_program, store_paths, with_level,
};
use crate::listing::list;
use crate::shared::{Shared, shared};
use crate::tools::{given, installed, is_root, output, run, said, tool};

const NOBODY: u32 = 65534;

/// What the specification gets besides what is in it: the same closure as a root that can be written.
const EXT4: &str = r#"
[fs.sd]
format = "ext4"
closure = true
registration = "/nix-path-registration"
database = true
extlinux = {}
"#;

/// The Rock64's specification with level 3 and an ext4, in a folder of the caller.
fn specification(folder: &Path) -> PathBuf {
    let path = with_level("rock64.toml", 3, folder);
    add_ext4(&path);
    path
}

fn add_ext4(path: &Path) {
    let text = fs::read_to_string(path).unwrap();
    fs::write(path, text + EXT4).unwrap();
}

/// The build that all others are compared with.
fn reference() -> Shared {
    shared("reference", |folder| {
        let dir = tempfile::tempdir().unwrap();
        let spec = specification(dir.path());
        run(kiln().arg("build").arg(spec).arg("--out").arg(folder));
    })
}

/// Builds into a new folder below `dir` with a command that ends in kiln, and compares.
fn assert_same_build(mut command: Command, spec: &Path, dir: &Path) {
    let out = dir.join("made");
    fs::create_dir(&out).unwrap();
    if given_away(dir) {
        chown(&out, Some(NOBODY), Some(NOBODY)).unwrap();
    }
    run(command.arg("build").arg(spec).arg("--out").arg(&out));
    let (found, wanted) = (digests(&out), digests(&reference().path));
    assert_eq!(found, wanted);
    let names: Vec<_> = wanted.keys().map(String::as_str).collect();
    let device =
        ["boot-line.txt", "boot.cmd", "fstab", "fw_env.config"].map(|file| format!("atomicnix-25.11.{file}"));
    let mut expected: Vec<&str> = device.iter().map(String::as_str).collect();
    expected.extend([
        "atomicnix-25.11.img",
        "atomicnix-25.11.manifest.json",
        "atomicnix-25.11.system.conf",
        "atomicnix-25.11.systemd-repart.service.conf",
        "atomicnix-25.11.uboot.env",
        "boot.cmd",
        "boot.scr",
        "boot.vfat",
        "rock64.raucb",
        "rootfs.squashfs",
        "sd.ext4",
    ]);
    assert_eq!(names, expected);
}

fn given_away(dir: &Path) -> bool {
    fs::metadata(dir).unwrap().uid() == NOBODY
}

/// A new folder, and a copy of the inputs in it.
fn copy() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let spec = copy_inputs(dir.path());
    add_ext4(&spec);
    (dir, spec)
}

/// The type of the file system that a folder lies on, and the bytes free there.
fn file_system(folder: &str) -> Option<(String, u64)> {
    let output = output(tool("df").args(["-B1", "--output=fstype,avail", folder]));
    let text = String::from_utf8(output.stdout).ok()?;
    let (kind, free) = text.lines().nth(1)?.split_once(' ')?;
    Some((kind.to_string(), free.trim().parse().ok()?))
}

/// A folder on another file system than the demo's, with room.
fn elsewhere() -> Option<TempDir> {
    let (here, _) = file_system(demo().join("out").to_str().unwrap()).unwrap();
    let other = ["/dev/shm", "/run", "/tmp", "/var/tmp", "/mnt"]
        .into_iter()
        .find(|folder| file_system(folder).is_some_and(|(kind, free)| kind != here && free > 3 << 29));
    let condition = format!("/dev/shm, say, has 1.5 GiB free on something else than {here}");
    given(other.is_some(), &condition).then(|| TempDir::new_in(other.unwrap()).unwrap())
}

#[test]
fn on_another_day_and_file_system_with_eight_threads() {
    if !is_made() || !installed(&["faketime"]) {
        return;
    }
    let Some(dir) = elsewhere() else { return };
    let spec = copy_inputs(dir.path());
    add_ext4(&spec);
    let mut touch = tool("find");
    touch
        .arg(dir.path())
        .args(["-exec", "touch", "-h", "-d", "2001-02-03", "{}", "+"]);
    run(&mut touch);
    assert_eq!(fs::metadata(&spec).unwrap().mtime(), 981_158_400);

    let later = |program: &Path| {
        let mut command = tool("faketime");
        command.args(["-f", "@2031-05-06 07:08:09"]).arg(program);
        command
    };
    let date = run(later(Path::new("date")).arg("+%F"));
    assert_eq!(date, "2031-05-06\n");
    let mut command = later(&kiln_program());
    command.args(["--jobs", "8"]);
    assert_same_build(command, &spec, dir.path());
}

/// Has Nix make hard links of equal files in the store of a copy.
fn optimise(copy: &Path) {
    let root = copy.join("out/store/root");
    let dump = demo().join("out/store/registration-dump");
    let home = tempfile::tempdir().unwrap();
    let nix_store = || {
        let mut command = tool("nix-store");
        command.arg("--store").arg(&root);
        command.env("HOME", home.path()).env("NIX_CONF_DIR", home.path());
        command
    };
    fs::write(home.path().join("nix.conf"), "build-users-group =\n").unwrap();
    run(nix_store().arg("--load-db").stdin(fs::File::open(dump).unwrap()));
    let optimised = said(&output(nix_store().arg("--optimise")));
    let inside = |path: &Path| root.join(path.strip_prefix(demo().join("out/store/root")).unwrap());
    let edge_cases = store_paths()
        .into_iter()
        .find(|path| path.contains("-edge-cases-"))
        .unwrap();
    let copies = inside(&host_path(&edge_cases)).join("duplicates/copy-1");
    let names = fs::metadata(copies).unwrap().nlink();
    assert!(names > 64, "Nix left {names} names: {optimised}");
}

/// Everything else that must not matter, at once: a build for each would need half a minute.
#[test]
fn as_nobody_in_another_country_from_an_optimised_store_with_one_thread() {
    if !is_made() || !installed(&["setpriv", "nix-store"]) || !is_root() {
        return;
    }
    let (dir, spec) = copy();
    optimise(dir.path());
    // Where the reference was made is not open to everybody, perhaps; nor has the store to be root's.
    fs::copy(kiln_program(), dir.path().join("kiln")).unwrap();
    run(tool("chmod").args(["-R", "u+w"]).arg(dir.path()));
    run(tool("chown").arg("-hR").arg(NOBODY.to_string()).arg(dir.path()));
    let some = list(&dir.path().join("out/store/closure-info"));
    assert!(some.values().all(|entry| entry.owner.0 == NOBODY), "{some:?}");
    assert_eq!(fs::metadata(&spec).unwrap().permissions().mode() & 0o200, 0o200);
    let mut command = tool("setpriv");
    command
        .args(["--reuid=65534", "--regid=65534", "--clear-groups", "sh", "-c"])
        .args(["umask 077; exec \"$@\"", "sh", "../kiln", "--jobs", "1"])
        .current_dir(dir.path().join("out"))
        .env("LC_ALL", "tr_TR.UTF-8")
        .env("LANG", "tr_TR.UTF-8")
        .env("TZ", "Asia/Kathmandu")
        .env("HOME", "/nonexistent")
        .env("SOURCE_DATE_EPOCH", "1234567890");
    assert_same_build(command, Path::new("../rock64.toml"), dir.path());
}
