//! systemd is the initrd's init: its own generators read `roothash=` and `usrhash=`, udev finds the partitions by the halves of
//! the hash, and systemd-veritysetup opens them. What they are linked to is what starts.

mod signed;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::amd64::{self, machine_of, unchanged};
use crate::demo::{demo, is_made, kiln, target};
use crate::tools::{flip_in_noise, given, installed, noise, run, sha256, tool};

/// A partition under dm-verity, PLACE of which is `root` or `usr`, and a boot entry whose options are those that `kiln.appliance`
/// writes into its command line.
const SPEC: &str = r#"schema = 1
name = "stage1"
seed = "stage1"

[fs.PLACE]
format = "erofs"
tree = "tree"
keep = ["modes"]

[fs.esp]
format = "fat"

[fs.esp.text]
"/loader/entries/stage1.conf" = """
options systemd.verity_PLACE_options=panic-on-corruption KEY={fs.PLACE.roothash}
"""

[verity.PLACE]
data = "fs.PLACE"

[disk]

[[disk.region]]
name = "esp"
type = "esp"
content = "fs.esp"

[[disk.region]]
name = "PLACE-verity"
type = "PLACE-x86-64-verity"
content = "verity.PLACE"
attributes = ["read-only"]

[[disk.region]]
name = "PLACE"
type = "PLACE-x86-64"
content = "fs.PLACE"
attributes = ["read-only"]
"#;

/// What systemd switches to. The last file has a flipped byte on some disks.
const INIT: &str = r#"#!/BUSYBOX sh
exec > /dev/console 2>&1
busybox() { /BUSYBOX "$@"; }
# systemd gives up the mounts of the initrd, and keeps these.
busybox awk '$2 == "/" || $2 == "/usr" { print "STAGE1 mount", $2, $1, $3 }' /proc/mounts
for part in /sys/block/dm-0/slaves/*; do
  echo "STAGE1 part $(busybox sed -n 's/^PARTNAME=//p' "$part/uevent")"
done
echo "STAGE1 uuid $(busybox cat /sys/block/dm-0/dm/uuid)"
for name in text noise; do
  echo "STAGE1 sum $(busybox sha256sum "/FILES/$name")"
done
echo STAGE1-DONE
busybox poweroff -f
"#;

/// What a partition is mounted as, and what of it there is to say.
struct Place {
    /// `root` or `usr`.
    name: &'static str,
    /// The key of the command line that has the root hash.
    key: &'static str,
    /// What else the command line says.
    options: &'static str,
    /// Where busybox is, from the file system's root and from the system's.
    busybox: [&'static str; 2],
    /// The same of what starts.
    init: [&'static str; 2],
    /// The same of the files.
    files: [&'static str; 2],
}

const ROOT: Place = Place {
    name: "root",
    key: "roothash",
    options: "init=/init",
    busybox: ["bin/busybox", "bin/busybox"],
    init: ["init", "init"],
    files: ["files", "files"],
};

/// The root is in memory, as NixOS' appliances have it.
const USR: Place = Place {
    name: "usr",
    key: "usrhash",
    options: "root=tmpfs init=/usr/lib/init",
    busybox: ["bin/busybox", "usr/bin/busybox"],
    init: ["lib/init", "usr/lib/init"],
    files: ["share/files", "usr/share/files"],
};

/// A folder that `demo/make-appliance` has made, unless something is missing.
fn parts(name: &str, who: &str) -> Option<PathBuf> {
    let parts = demo().join("out").join(name);
    let stamp = parts.join("stamp");
    let condition = format!("{} is there ({who} makes it)", stamp.display());
    let is_there =
        is_made() && given(stamp.exists(), &condition) && installed(&["qemu-system-x86_64", "busybox"]);
    is_there.then_some(parts)
}

/// The tree of a place, in a folder of that name.
fn make_tree(place: &Place, dir: &Path) {
    let tree = dir.join("tree");
    for folder in [
        "bin",
        "dev",
        "etc",
        "lib",
        "proc",
        "run",
        "sys",
        "tmp",
        "usr",
        place.files[0],
    ] {
        fs::create_dir_all(tree.join(folder)).unwrap();
    }
    let busybox = run(tool("sh").args(["-c", "command -v busybox"]));
    fs::copy(busybox.trim(), tree.join(place.busybox[0])).unwrap();
    let init = INIT
        .replace("BUSYBOX", place.busybox[1])
        .replace("FILES", place.files[1]);
    fs::write(tree.join(place.init[0]), init).unwrap();
    fs::set_permissions(tree.join(place.init[0]), fs::Permissions::from_mode(0o755)).unwrap();
    // systemd switches to nothing that is no system.
    fs::write(tree.join("lib/os-release"), "ID=kilnos\n").unwrap();
    fs::write(tree.join("etc/os-release"), "ID=kilnos\n").unwrap();
    fs::write(
        tree.join(place.files[0]).join("text"),
        "read by an emulated kernel\n".repeat(5000),
    )
    .unwrap();
    fs::write(tree.join(place.files[0]).join("noise"), noise(1_000_000)).unwrap();
}

/// Builds the image of a place, and answers it and the command line.
fn build(place: &Place, dir: &Path) -> (PathBuf, String) {
    make_tree(place, dir);
    let spec = SPEC.replace("PLACE", place.name).replace("KEY", place.key);
    fs::write(dir.join("spec.toml"), spec).unwrap();
    run(kiln()
        .arg("build")
        .arg(dir.join("spec.toml"))
        .arg("--out")
        .arg(dir.join("out")));
    let image = dir.join("out/stage1.img");
    let entry = run(kiln()
        .arg("cat")
        .arg(&image)
        .arg("/esp/loader/entries/stage1.conf"));
    let options = entry.trim().strip_prefix("options ").unwrap();
    (image, format!("{options} {}", place.options))
}

/// Boots an image, and answers what the console said.
fn boot(parts: &Path, image: &Path, options: &str, dir: &Path) -> Vec<String> {
    let mut machine = machine_of(
        &parts.join("vmlinuz"),
        &parts.join("stage1"),
        &format!("loglevel=5 {options}"),
    );
    machine.args(["-drive", &unchanged(image)]);
    amd64::boot(&mut machine, &dir.join("console.log"))
}

/// The line that says the sum of a file.
fn sum(place: &Place, name: &str, dir: &Path) -> String {
    let sum = sha256(&dir.join("tree").join(place.files[0]).join(name));
    format!("STAGE1 sum {sum}  /{}/{name}", place.files[1])
}

/// All of these lines are there.
fn assert_says(console: &[String], wanted: &[String]) {
    for wanted in wanted {
        assert!(
            console.iter().any(|line| line.ends_with(wanted)),
            "the console does not say {wanted:?}:\n{}",
            console.join("\n")
        );
    }
}

/// What systemd's generators say, and where the partitions are mounted.
fn found(place: &Place) -> Vec<String> {
    let says = format!("Using verity {0} device /dev/mapper/{0}.", place.name);
    [vec![says], mounted(place)].concat()
}

/// Where the partitions are mounted.
fn mounted(place: &Place) -> Vec<String> {
    let name = place.name;
    [
        format!("STAGE1 mount /{} /dev/mapper/{name} erofs", place.mount()),
        format!("STAGE1 part {name}"),
        format!("STAGE1 part {name}-verity"),
    ]
    .into()
}

impl Place {
    fn mount(&self) -> &'static str {
        if self.name == "usr" { "usr" } else { "" }
    }
}

#[test]
fn systemd_finds_a_root_by_its_hash_and_panics_at_a_flipped_byte() {
    let Some(parts) = parts("appliance-parts", "tests/run store") else {
        return;
    };
    let dir = tempfile::tempdir_in(target()).unwrap();
    let dir = dir.path();
    let (image, options) = build(&ROOT, dir);
    // What was read before the flipped byte was right.
    flip_in_noise(&image, &dir.join("damaged.img"));
    let console = boot(&parts, &dir.join("damaged.img"), &options, dir);
    assert_says(&console, &found(&ROOT));
    assert_says(&console, &[sum(&ROOT, "text", dir)]);
    let text = console.join("\n");
    assert!(
        text.contains("Kernel panic - not syncing: dm-verity device corrupted"),
        "{text}"
    );
    assert!(!text.contains("STAGE1-DONE"), "{text}");
}

#[test]
fn systemd_finds_a_usr_by_its_hash() {
    let Some(parts) = parts("appliance-parts", "tests/run store") else {
        return;
    };
    let dir = tempfile::tempdir_in(target()).unwrap();
    let dir = dir.path();
    let (image, options) = build(&USR, dir);
    let console = boot(&parts, &image, &options, dir);
    assert_says(&console, &found(&USR));
    let sums = ["text", "noise"].map(|name| sum(&USR, name, dir));
    assert_says(&console, &sums);
    assert_says(
        &console,
        &["STAGE1 mount / rootfs tmpfs".into(), "STAGE1-DONE".into()],
    );
}
