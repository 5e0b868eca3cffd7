//! Drop-ins take what the originals take: each argument, its default and what it changes, as `tests/nix/drop-ins.nix` calls
//! them. Names and defaults are those of nixpkgs' make-ext4-fs.nix and make-squashfs.nix, and of `AtomicNix`'s files.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::demo::{demo, kiln, workspace};
use crate::nix_world::{World, names, world};
use crate::tools::{installed, run, sha256, tool};

/// The originals' arguments without the tools that only they run: the file, those that have to be given, and those with
/// defaults.
const ARGUMENTS: [(&str, &str, &str); 6] = [
    (
        "make-ext4-fs",
        "lib pkgs storePaths volumeLabel",
        "compressImage populateImageCommands uuid",
    ),
    (
        "make-squashfs",
        "lib pkgs",
        "comp fileName hydraBuildProduct noStrip pseudoFiles storeContents",
    ),
    ("squashfs", "maxSquashfsSize nixosConfig pkgs", ""),
    (
        "rauc-bundle",
        "bootScript caCert nixosConfig pkgs signingCert signingKeyPath squashfsImage",
        "",
    ),
    ("boot-script", "buildId pkgs", ""),
    (
        "image",
        "bootScript nixosConfig pkgs squashfsImage ubootRock64",
        "",
    ),
];

#[test]
fn the_arguments_of_the_originals() {
    let Some(world) = world() else { return };
    for (file, demanded, optional) in ARGUMENTS {
        let path = workspace().join(format!("nix/drop-ins/{file}.nix"));
        let ours = world.evaluated(&format!("builtins.functionArgs (import {})", path.display()));
        let ours = ours.as_object().unwrap();
        let needed: Vec<&str> = ours
            .iter()
            .filter(|(_, has_default)| **has_default == json!(false))
            .map(|(name, _)| name.as_str())
            .collect();
        assert_eq!(needed.join(" "), demanded, "{file}");
        for argument in optional.split_whitespace() {
            assert_eq!(ours[argument], json!(true), "{file}: {argument}");
        }
    }
}

#[test]
fn defaults_are_those_of_the_originals() {
    let Some(world) = world() else { return };
    let mut ext4 = world.evaluated("t.drop-ins.defaults.ext4");
    assert_eq!(ext4["name"], "ext4-fs.img");
    let fs = ext4["specification"]["fs"]["root"].take();
    assert_eq!(
        fs,
        json!({
            "closure": true,
            "directories": ["/nix/store"],
            "file": "ext4-fs.img",
            "format": "ext4",
            "free": "16MiB",
            "keep": ["modes", "hard-links"],
            "label": "NIXOS_SD",
            "registration": "/nix-path-registration",
            "tree": "files",
            "uuid": "44444444-4444-4444-8888-888888888888",
        })
    );
    let mut squashfs = world.evaluated("t.drop-ins.defaults.squashfs");
    assert_eq!(squashfs["name"], "squashfs.img");
    let fs = squashfs["specification"]["fs"]["squashfs"].take();
    assert_eq!(
        fs,
        json!({
            "attributes": [],
            "closure": true,
            "closure-at": "/",
            "compression": "xz",
            "directories": [],
            "file": "squashfs.squashfs",
            "files": {},
            "format": "squashfs",
            "nodes": {},
            "registration": "/nix-path-registration",
            "symlinks": {},
        })
    );
}

#[test]
fn what_each_argument_changes() {
    let Some(world) = world() else { return };
    let changes = world.evaluated("t.drop-ins.changes");
    assert_eq!(
        changes,
        json!({
            "ext4": {
                "compressImage": { "compress": "zstd", "name": "ext4-fs.img.zst" },
                "storePaths": {},
                "uuid": { "uuid": "14e19a7b-0ae0-484d-9d54-43bd6fdc20c7" },
                "volumeLabel": { "label": "OTHER" },
            },
            "squashfs": {
                "comp-gzip": { "compression": "gzip", "level": 9 },
                "comp-gzip-options": { "compression": "gzip", "level": 3 },
                "comp-null": { "compression": "none" },
                "comp-xz": {},
                "comp-xz-options": {},
                "comp-zstd": { "compression": "zstd", "level": 15 },
                "comp-zstd-options": { "compression": "zstd", "level": 22 },
                "fileName": { "file": "store.squashfs", "name": "store.img" },
                "hydraBuildProduct": { "name": "squashfs" },
                "noStrip": { "closure-at": null },
                "nothing": { "closure": null, "closure-at": null },
                "storeContents": {},
            },
        })
    );
}

#[test]
fn what_a_drop_in_cannot_do_is_an_error_that_says_what_there_is() {
    let Some(world) = world() else { return };
    for (name, told) in [
        (
            "lz4",
            r#"comp "lz4 -Xhc": Kiln writes no lz4: there are gzip xz zstd, and null without compression"#,
        ),
        ("lzo", r#"comp "lzo": Kiln writes no lzo"#),
        ("empty", r#"comp "": names no compressor"#),
        (
            "bcj",
            r#"comp "xz -Xbcj x86": -Xbcj x86: Kiln writes no branch filters; leave it out"#,
        ),
        (
            "dict-size",
            "-Xdict-size 50%: Kiln's dictionaries are as large as a block (100%)",
        ),
        (
            "window-size",
            "-Xwindow-size 8: Kiln's gzip has windows of 15 bits",
        ),
        (
            "strategy",
            "-Xstrategy filtered: Kiln's gzip chooses its strategy itself",
        ),
        ("level", "-Xcompression-level must be 1 to 22"),
        ("no-level", "-Xcompression-level must be 1 to 22"),
        ("unknown", "-Xlong is not known; zstd has -Xcompression-level"),
        ("flag", "-noI is no option of zstd"),
        ("pipe", "a pipe is `i` with `f` at the end"),
        (
            "kind",
            "the kind `R`: known are d, m, f, s, b, c, i (as capitals with a time), l, L and x",
        ),
        ("fields", "has not the fields of `d`: PATH d MODE UID GID"),
        ("mode", "the mode u+rwx: modes are octal digits"),
        ("owner", "the owner lp: owners are numbers or root"),
        ("shell", "a shell would replace something in it"),
        ("no-target", "/nothing: is none of the pseudoFiles"),
        ("source", "source = ./scripts/boot.cmd"),
        (
            "tree-nodes",
            "mkTree: refused: it has nodes, which the store does not keep",
        ),
        (
            "tree-owner",
            "mkTree: refused: /x has owner, which the store does not keep",
        ),
        (
            "tree-mode",
            "mkTree: refused: /x has the mode 4755, which the store does not keep",
        ),
    ] {
        let said = world.failure(&format!("drop-ins.refused.{name}"));
        assert!(said.contains(told), "{name}: {said}");
    }
}

#[test]
fn commands_stay_in_their_shell() {
    if !installed(&["debugfs"]) {
        return;
    }
    let Some(world) = world() else { return };
    let [image, empty] = world.built(["drop-ins.shell.stays", "drop-ins.ext4-empty"]);
    let debugfs = |image: &Path, command: &str| run(tool("debugfs").args(["-R", command]).arg(image));
    assert_eq!(debugfs(&image, "cat /etc/kept"), "kept\n");
    let stat = debugfs(&image, "stat /etc/again");
    assert!(stat.contains("Links: 2"), "{stat}");
    let stat = debugfs(&image, "stat /etc");
    assert!(
        stat.contains("Mode:  0750") && stat.contains("User:     0"),
        "{stat}"
    );
    let root = debugfs(&image, "ls -p /");
    assert!(root.contains("/.hidden/"), "{root}");
    assert!(!root.contains("matched") && !root.contains("never"), "{root}");
    let stat = debugfs(&image, "stat /nix-path-registration");
    assert!(stat.contains("Mode:  0444"), "{stat}");

    assert_eq!(debugfs(&empty, "cat /nix-path-registration"), "");
    assert!(debugfs(&empty, "ls -p /nix").contains("/store/"));

    for broken in ["substitution", "pipe", "ends-badly"] {
        let said = world.failure(&format!("drop-ins.shell.{broken}"));
        assert!(
            !said.contains("cannot be read") && said.contains("failed"),
            "{said}"
        );
    }
}

#[test]
fn a_root_for_sd_image_to_decompress() {
    if !installed(&["zstd", "e2fsck"]) {
        return;
    }
    let Some(world) = world() else { return };
    let [image] = world.built(["drop-ins.rootFilesystemImage"]);
    assert!(image.is_file() && image.to_str().unwrap().ends_with("-root-fs.img.zst"));
    let dir = tempfile::tempdir().unwrap();
    let unpacked = dir.path().join("root-fs.img");
    run(tool("zstd")
        .args(["-q", "-d", "--no-progress"])
        .arg(&image)
        .arg("-o")
        .arg(&unpacked));
    run(tool("e2fsck").arg("-fn").arg(&unpacked));
}

#[test]
fn roots_without_a_store() {
    if !installed(&["debugfs", "unsquashfs"]) {
        return;
    }
    let Some(world) = world() else { return };
    let [ext4, squashfs] = world.built(["drop-ins.fhs.ext4", "drop-ins.fhs.squashfs"]);
    let root = run(tool("debugfs")
        .args(["-R", "ls -p /"])
        .arg(ext4.join("fhs-ext4.ext4")));
    assert!(root.contains("/bin/") && !root.contains("/nix/"), "{root}");
    let listing = run(tool("unsquashfs")
        .arg("-l")
        .arg(squashfs.join("fhs-squashfs.squashfs")));
    assert!(listing.contains("squashfs-root/bin/true\n"), "{listing}");
    assert!(!listing.contains("squashfs-root/nix\n"), "{listing}");
}

/// A squashfs as unsquashfs lists it, a line for each path, without times where `mksquashfs` takes the day's, and without the
/// sizes of folders.
fn listed(image: &Path) -> BTreeSet<String> {
    let listing = run(tool("unsquashfs").env("TZ", "UTC").arg("-lln").arg(image));
    let lines = listing.lines().filter(|line| line.contains("squashfs-root"));
    lines
        .map(|line| {
            let (meta, path) = line.split_once(" squashfs-root").unwrap();
            let mut words: Vec<&str> = meta.split_whitespace().collect();
            let day = words.len() - 2;
            let keeps = [" /old", " /then"]
                .iter()
                .any(|name| format!(" {path}") == **name);
            if !keeps {
                words.truncate(day);
            }
            if words[0].starts_with('d') {
                words.remove(2);
            }
            format!("{} {path}", words.join(" "))
        })
        .collect()
}

/// What mksquashfs makes of the same closure and pseudo files, called as nixpkgs calls it.
fn by_mksquashfs(world: &World, dir: &Path) -> PathBuf {
    let paths = run(world.nix("nix-store").args(["--query", "--requisites"]).arg(
        world
            .evaluated("\"${t.drop-ins.pseudo.specification.closure.toplevel}\"")
            .as_str()
            .unwrap(),
    ));
    let mut dump = world.nix("nix-store");
    let registration = run(dump.arg("--dump-db").args(paths.lines()));
    fs::write(dir.join("nix-path-registration"), registration).unwrap();
    let image = dir.join("theirs");
    let store = format!("{}/nix/store/", world.store().display());
    let said = world.evaluated("t.drop-ins.pseudoFiles");
    let lines = said.as_array().unwrap().iter();
    let words: Vec<String> = lines
        .map(|line| format!("-p \"{}\"", line.as_str().unwrap().replace("/nix/store/", &store)))
        .collect();
    let sources: Vec<String> = paths
        .lines()
        .map(|path| format!("{}{path}", world.store().display()))
        .collect();
    let command = format!(
        "mksquashfs nix-path-registration {} {} {} -no-hardlinks -keep-as-directory -all-root -b 1048576 \
         -noI -noD -noF -noX -no-progress -root-mode 0755",
        sources.join(" "),
        image.display(),
        words.join(" ")
    );
    run(tool("bash").arg("-c").arg(command).current_dir(dir));
    image
}

#[test]
fn pseudo_files_are_those_that_mksquashfs_makes() {
    if !installed(&["mksquashfs", "unsquashfs"]) {
        return;
    }
    let Some(world) = world() else { return };
    let [ours, empty] = world.built(["drop-ins.pseudo", "drop-ins.squashfs-empty"]);
    let dir = tempfile::tempdir().unwrap();
    let theirs = by_mksquashfs(&world, dir.path());
    // Nix's own record of paths has derivers, which closureInfo's has not.
    let registration = |line: &String| !line.ends_with(" /nix-path-registration");
    let (ours_listed, theirs_listed) = (listed(&ours), listed(&theirs));
    let only = |one: &BTreeSet<String>, other: &BTreeSet<String>| -> Vec<String> {
        one.difference(other)
            .filter(|line| registration(line))
            .cloned()
            .collect()
    };
    assert_eq!(
        only(&ours_listed, &theirs_listed),
        only(&theirs_listed, &ours_listed)
    );
    assert!(
        ours_listed
            .iter()
            .any(|line| line.starts_with("-r-------- 0/0 ") && !registration(line)),
        "{ours_listed:?}"
    );
    for (path, text) in [
        ("made", "made\n"),
        ("again", "made\n"),
        ("then", "then\n"),
        ("copied", "secondary program loader"),
    ] {
        assert_eq!(run(tool("unsquashfs").arg("-cat").arg(&ours).arg(path)), text);
    }
    let said = run(tool("unsquashfs").arg("-s").arg(&ours));
    assert!(
        said.contains("Inodes are uncompressed") || said.contains("uncompressed"),
        "{said}"
    );

    let listed = listed(&empty);
    assert_eq!(
        listed.into_iter().collect::<Vec<_>>(),
        [
            "-r--r--r-- 0/0 0 /nix-path-registration",
            "drwxr-xr-x 0/0 ",
            "drwxr-xr-x 3/7 /etc"
        ]
    );
}

#[test]
fn an_iso_s_usual_store() {
    if !installed(&["unsquashfs"]) {
        return;
    }
    let Some(world) = world() else { return };
    let [image] = world.built(["drop-ins.squashfs-xz"]);
    assert!(image.is_file() && image.to_str().unwrap().ends_with("-store.img"));
    let said = run(tool("unsquashfs").arg("-s").arg(&image));
    assert!(
        said.contains("Compression xz") && said.contains("Block size 1048576"),
        "{said}"
    );
    let listing = run(tool("unsquashfs").arg("-lln").arg(&image));
    let registration = listing
        .lines()
        .find(|line| line.ends_with("/nix-path-registration"));
    assert!(
        registration.is_some_and(|line| line.starts_with("-r--r--r-- 0/0 ")),
        "{listing}"
    );
}

#[test]
fn atomicnix_s_own_arguments_are_enough() {
    if !installed(&["unsquashfs", "openssl"]) {
        return;
    }
    let Some(world) = world() else { return };
    let [bundle, script] = world.built(["drop-ins.atomicnix.rauc-bundle", "drop-ins.atomicnix.script"]);
    let dir = tempfile::tempdir().unwrap();
    let unpacked = dir.path().join("bundle");
    let file = bundle.join("rock64.raucb");
    run(tool("unsquashfs").arg("-q").arg("-d").arg(&unpacked).arg(&file));
    let manifest = fs::read_to_string(unpacked.join("manifest.raucm")).unwrap();
    for (image, file) in [("boot", "boot.vfat"), ("rootfs", "rootfs.squashfs")] {
        let section = manifest.split(&format!("[image.{image}]\n")).nth(1).unwrap();
        let section: Vec<&str> = section.split("\n\n").next().unwrap().lines().collect();
        for line in ["type=raw", &format!("filename={file}")] {
            assert!(section.contains(&line), "{line} in {manifest}");
        }
    }
    let keys = demo().join("out/keys");
    let begins = run(tool("openssl")
        .args(["x509", "-noout", "-startdate", "-in"])
        .arg(keys.join("release.pem")));
    let begins = run(tool("date")
        .args(["-u", "+%Y-%m-%dT%H:%M:%SZ", "-d"])
        .arg(begins.trim().trim_start_matches("notBefore=")));
    let info = run(kiln()
        .args(["bundle", "info"])
        .arg(&file)
        .arg("--keyring")
        .arg(keys.join("ca.pem")));
    assert!(info.contains(&format!("Signed at {begins}")), "{begins} {info}");
    let (_, log) = world.built_with_log(&["drop-ins.atomicnix.rauc-bundle"], &["--check"]);
    assert!(
        log.contains(&format!("the bundle is signed as of {}", begins.trim())),
        "{log}"
    );
    assert_eq!(
        fs::read_to_string(script.join("boot.cmd")).unwrap(),
        "echo 0123\n"
    );
}

#[test]
fn a_host_s_own_boot_loader_and_menu() {
    if !installed(&["mcopy"]) {
        return;
    }
    let Some(world) = world() else { return };
    let [as_file, in_folder, menu] = world.built([
        "drop-ins.sane.as-file",
        "drop-ins.sane.in-folder",
        "drop-ins.sane.menu",
    ]);
    let file = as_file.join("nixos.img");
    assert_eq!(sha256(&file), sha256(&in_folder.join("nixos.img")));
    assert!(fs::read(&file).unwrap()[8192..].starts_with(b"secondary program loader"));
    assert_eq!(names(&as_file), ["nixos.img"]);

    let fat = format!("{}@@{}", menu.join("nixos.img").display(), 16 << 20);
    let read = |path: &str| run(tool("mcopy").args(["-i", &fat, &format!("::{path}"), "-"]));
    assert_eq!(read("spl.bin"), "secondary program loader");
    assert_eq!(read("overlays/rockchip/rk3328-rock64.dtb"), "device tree\n");
    let text = read("extlinux/extlinux.conf");
    assert!(
        text.contains("\nTIMEOUT 70\n") || text.starts_with("TIMEOUT 70\n"),
        "{text}"
    );
    assert!(
        text.lines().any(|line| line.trim_start().starts_with("FDT ") && line.ends_with("rockchip/rk3328-rock64.dtb")),
        "{text}"
    );
}
