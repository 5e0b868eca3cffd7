//! `nixosModules.netboot` beside nixpkgs' netboot, and `mkNetboot`: an initrd with the store in it, where scripts look for it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::demo::workspace;
use crate::nix_world::{World, names, world};
use crate::tools::{installed, output, run, said, tool};

fn nix(world: &World, program: &str) -> Command {
    let mut command = world.nix(program);
    command.arg(workspace().join("tests/nix/netboot.nix"));
    command
}

/// Builds attributes, twice with the same bytes.
fn built<const N: usize>(world: &World, attributes: [&str; N]) -> [PathBuf; N] {
    let build = |more: &[&str]| {
        let mut command = nix(world, "nix-build");
        command.arg("--no-out-link").args(more);
        for attribute in attributes {
            command.args(["-A", attribute]);
        }
        run(&mut command)
    };
    let paths = build(&[]);
    assert_eq!(paths, build(&["--check"]));
    let mut lines = paths.lines();
    attributes.map(|_| {
        let path = lines.next().unwrap();
        world.store().join(path.trim_start_matches('/'))
    })
}

/// Unpacks the archive behind a system's initrd, as GNU cpio reads it.
fn unpacked(initrd: &[u8], system: &[u8], dir: &Path) {
    assert!(initrd.starts_with(system));
    let start = system.len().next_multiple_of(4);
    let archive = dir.join("archive");
    fs::write(&archive, &initrd[start..]).unwrap();
    let mut cpio = tool("cpio");
    cpio.args([
        "--extract",
        "--quiet",
        "--make-directories",
        "--no-absolute-filenames",
    ]);
    run(cpio.stdin(fs::File::open(&archive).unwrap()).current_dir(dir));
}

#[test]
fn scripts_of_nixpkgs_find_the_store() {
    if !installed(&["cpio", "unsquashfs", "fsck.erofs-newer"]) {
        return;
    }
    let Some(world) = world() else { return };
    let [tree, script, ramdisk, function] = built(
        &world,
        ["kexecTree", "netbootIpxeScript", "netbootRamdisk", "function"],
    );
    assert_eq!(names(&tree), ["bzImage", "initrd.gz", "kexec-boot"]);
    let link = fs::read_link(tree.join("initrd.gz")).unwrap();
    let name = ramdisk.file_name().unwrap().to_str().unwrap();
    assert_eq!(link, Path::new("/nix/store").join(name).join("initrd"));
    let script = fs::read_to_string(script.join("netboot.ipxe")).unwrap();
    assert!(script.contains("\ninitrd initrd\n"), "{script}");
    let system = format!("initrd of {}-linux\n", std::env::consts::ARCH);

    let dir = tempfile::tempdir().unwrap();
    let initrd = fs::read(ramdisk.join("initrd")).unwrap();
    unpacked(&initrd, system.as_bytes(), dir.path());
    let listed = run(tool("unsquashfs")
        .args(["-l", "-d", ""])
        .arg(dir.path().join("nix-store.squashfs")));
    // What is mounted at /nix/store.
    assert!(
        listed.lines().any(|line| line == "/nix-path-registration"),
        "{listed}"
    );
    assert!(
        listed
            .lines()
            .any(|line| line.contains("-nixos-system-nixos-") && line.ends_with("/init")),
        "{listed}"
    );
    assert!(!listed.contains("/nix/store"), "{listed}");

    let files = names(&function);
    for file in ["bzImage", "initrd", "kernel-params", "kexec-boot", "netboot.ipxe"] {
        assert!(files.contains(&file.to_owned()), "{files:?}");
    }
    let told = fs::read_to_string(function.join("kernel-params")).unwrap();
    assert!(
        told.starts_with("init=/nix/store/") && told.ends_with("/init {quiet} loglevel=4\n"),
        "{told}"
    );
    let dir = tempfile::tempdir().unwrap();
    let initrd = fs::read(function.join("initrd")).unwrap();
    unpacked(&initrd, system.as_bytes(), dir.path());
    run(tool("fsck.erofs-newer").arg(dir.path().join("store.erofs")));
}

#[test]
fn the_store_is_compressed_as_nixpkgs_options_say() {
    let Some(world) = world() else { return };
    let mut command = nix(&world, "nix-instantiate");
    command.args(["--eval", "--strict", "--json", "-A", "keys"]);
    let told: Value = serde_json::from_str(&run(&mut command)).unwrap();
    assert_eq!(
        [&told["usual"]["compression"], &told["usual"]["level"]],
        [&json!("zstd"), &json!(19)]
    );
    assert_eq!(told["said"]["compression"], "none");
    let mut command = nix(&world, "nix-instantiate");
    let output = output(command.args(["--eval", "-A", "refused"]));
    assert!(!output.status.success());
    let said = said(&output);
    assert!(
        said.contains("netboot.squashfsCompression: comp \"lz4\": Kiln writes no lz4"),
        "{said}"
    );
}
