//! A closure as erofs: erofs-utils unpack what was packed, the host's hard links change nothing, and a system boots from it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use image::Seed;

use crate::boots::{CROWDS, assert_listed, console_lines, whole_zoo};
use crate::demo::{demo, is_made, kiln, store_paths, target, toplevel, with_level};
use crate::tools::{installed, run, tool};

const U_BOOT: &str = "/usr/lib/u-boot/qemu_arm64/u-boot.bin";

/// Store paths of the demo with the odd and the usual: their names without hashes.
const PACKED: [&str; 4] = ["edge-cases-1.0", "bash-", "systemd-", "nix-bin-"];

/// Some of the demo's store paths, and the folder that they lie in.
fn some_paths() -> (Vec<String>, PathBuf) {
    let is_packed = |path: &String| {
        let name = path.rsplit('/').next().unwrap();
        PACKED
            .iter()
            .any(|packed| name.split_once('-').unwrap().1.starts_with(packed))
    };
    let mut paths = store_paths();
    paths.retain(is_packed);
    assert!(paths.len() >= PACKED.len(), "{paths:?}");
    (paths, demo().join("out/store/root"))
}

/// The verb, for a list of store paths.
fn erofs(list: &Path, root: &Path, out: &Path) -> Command {
    let mut command = kiln();
    command.arg("erofs").arg("--closure").arg(list);
    command.arg("--store-root").arg(root).arg("--out").arg(out);
    command
}

/// What `fsck.erofs` unpacks is, in the eyes of `diff`, what lies in the store.
#[test]
fn fsck_unpacks_store_paths_of_every_compressor_and_cluster() {
    if !is_made() || !installed(&["fsck.erofs", "fsck.erofs-newer", "dump.erofs-newer", "diff"]) {
        return;
    }
    let dir = tempfile::tempdir_in(target()).unwrap();
    let [list, image, unpacked] = ["list", "image", "unpacked"].map(|name| dir.path().join(name));
    let (paths, root) = some_paths();
    fs::write(&list, paths.join("\n") + "\n").unwrap();
    // The tests of the format have all combinations, on smaller trees.
    for (kind, cluster) in [
        ("lz4", Some("8KiB")),
        ("lz4", Some("1MiB")),
        ("lz4hc", Some("128KiB")),
        ("deflate", Some("64KiB")),
        ("zstd", Some("8KiB")),
        ("zstd", Some("1MiB")),
        ("none", None),
    ] {
        let mut make = erofs(&list, &root, &image);
        make.args(["--compression", kind, "--profile", "dev"]);
        if let Some(cluster) = cluster {
            make.args(["--cluster-size", cluster]);
        }
        run(&mut make);
        // Debian 12's knows no packed file, and unpacks holes wrongly, those of mkfs.erofs, too.
        if kind == "none" {
            run(tool("fsck.erofs").arg(&image));
        }
        let mut extract = tool("fsck.erofs-newer");
        extract.arg(format!("--extract={}", unpacked.display()));
        let said = run(extract.args(["--force", "--overwrite"]).arg(&image));
        assert!(!said.contains("rror:"), "{kind} {cluster:?}: {said}");
        for path in &paths {
            let mut diff = tool("diff");
            diff.args(["-r", "--no-dereference"]);
            diff.arg(root.join(&path[1..])).arg(unpacked.join(&path[1..]));
            assert_eq!(run(&mut diff), "", "{kind} {cluster:?}");
        }
        let said = run(tool("dump.erofs-newer").arg("-s").arg(&image));
        let named = kind.trim_end_matches("hc");
        assert_eq!(said.contains("fragments"), kind != "none", "{said}");
        assert!(kind == "none" || said.contains(named), "{kind}: {said}");
        fs::remove_dir_all(&unpacked).unwrap();
    }
}

/// A data partition and its tree, as `image.repart` makes them out of `/nix/store`.
const VERITY: &str = r#"
schema = 1
name = "verity"
seed = "verity"

[closure]
from = "list"
store-root = "root"

[fs.store]
format = "erofs"
KEYS
closure = true
closure-at = "/"

[verity.store]
data = "fs.store"
"#;

/// nixpkgs' images of erofs and their root hashes depend on `auto-optimise-store` of the host (nixpkgs issue 552280): where
/// files of its store are hard links of each other, they are in the image. Here they are not.
#[test]
fn hard_links_of_the_host_s_store_change_no_byte_and_no_root_hash() {
    if !is_made() || !installed(&["cp", "veritysetup"]) {
        return;
    }
    let dir = tempfile::tempdir_in(target()).unwrap();
    let (paths, root) = some_paths();
    for host in ["apart", "linked"] {
        let store = dir.path().join(host).join("root/nix/store");
        fs::create_dir_all(&store).unwrap();
        let mut copy = tool("cp");
        copy.args(["-a", "--no-preserve=links", "--"]);
        copy.args(paths.iter().map(|path| root.join(&path[1..])));
        run(copy.arg(&store));
        let list = dir.path().join(host).join("list");
        fs::write(list, paths.join("\n") + "\n").unwrap();
    }
    let linked = optimise(&dir.path().join("linked/root/nix/store"));
    assert!(linked > 20, "{linked}");
    for keys in ["", "compression = \"lz4\"", "compression = \"zstd\"\nlevel = 3"] {
        let built = ["apart", "linked"].map(|host| {
            let folder = dir.path().join(host);
            fs::write(folder.join("spec.toml"), VERITY.replace("KEYS", keys)).unwrap();
            let _ = fs::remove_dir_all(folder.join("out"));
            fs::create_dir(folder.join("out")).unwrap();
            let mut build = kiln();
            build.arg("build").arg(folder.join("spec.toml"));
            run(build.arg("--out").arg(folder.join("out")));
            let [image, tree] = ["store.erofs", "store.verity"].map(|file| folder.join("out").join(file));
            let manifest = fs::read(folder.join("out/verity.manifest.json")).unwrap();
            let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
            let files = manifest["files"].as_array().unwrap();
            let entry = files.iter().find(|file| file["part"] == "verity.store").unwrap();
            let root_hash = entry["id"].as_str().unwrap().to_string();
            let mut verify = tool("veritysetup");
            run(verify.arg("verify").args([&image, &tree]).arg(&root_hash));
            (fs::read(&image).unwrap(), fs::read(&tree).unwrap(), root_hash)
        });
        let [apart, linked] = &built;
        assert!(apart.0 == linked.0 && apart.1 == linked.1, "{keys}");
        assert_eq!(apart.2, linked.2, "{keys}");
    }
}

/// Makes hard links of files with equal bytes and modes, as `nix-store --optimise` does; answers of how many.
fn optimise(store: &Path) -> usize {
    let mut first = std::collections::HashMap::new();
    let (mut linked, mut waiting) = (0, vec![store.to_path_buf()]);
    while let Some(folder) = waiting.pop() {
        for path in crate::tools::files(&folder) {
            let meta = fs::symlink_metadata(&path).unwrap();
            if meta.is_dir() {
                waiting.push(path);
            } else if meta.is_file() {
                let key = (fs::read(&path).unwrap(), meta.permissions().mode());
                let other = first.entry(key).or_insert_with(|| path.clone());
                if *other != path {
                    fs::remove_file(&path).unwrap();
                    fs::hard_link(&*other, &path).unwrap();
                    linked += 1;
                }
            }
        }
    }
    linked
}

/// The demo's disk with a root that is an erofs in the place of its squashfs.
fn spec(dir: &Path) -> PathBuf {
    let path = with_level("qemu-arm64.toml", 1, dir);
    let text = fs::read_to_string(&path).unwrap();
    let squashfs = "format = \"squashfs\"\ncompression = \"zstd\"\nlevel = 1\nblock-size = \"1MiB\"\n";
    let changed = text.replace(
        squashfs,
        "format = \"erofs\"\ncompression = \"lz4\"\nlabel = \"rootfs\"\n",
    );
    assert_ne!(text, changed);
    let script = fs::read_to_string(demo().join("boot-qemu.cmd")).unwrap();
    let replaced = script.replace("squashfs", "erofs");
    assert!(replaced.contains("rootfstype=erofs ro") && replaced.contains("zoo:erofs"));
    fs::write(dir.join("boot-qemu.cmd"), replaced).unwrap();
    let source = format!("source = \"{}", demo().join("").display());
    fs::write(&path, changed.replace(&source, "source = \"")).unwrap();
    path
}

/// Linux 6.1 reads every byte of the store that the registration vouches for, and the zoo on a second disk.
#[test]
fn a_system_boots_from_an_erofs_and_nix_verifies_the_store_in_it() {
    if !is_made() || !installed(&["qemu-system-aarch64", U_BOOT, "bash", "fsck.erofs-newer"]) {
        return;
    }
    let dir = tempfile::tempdir_in(target()).unwrap();
    let dir = dir.path();
    let out = dir.join("out");
    fs::create_dir(&out).unwrap();
    run(kiln().arg("build").arg(spec(dir)).arg("--out").arg(&out));
    run(tool("fsck.erofs-newer").arg(out.join("rootfs.erofs")));

    let tree = whole_zoo(CROWDS[0]);
    let zoo = dir.join("zoo.erofs");
    let spool = image::Spool::create(dir).unwrap();
    let mut options = erofs::Options::new(Seed::new(b"zoo").uuid("fs"));
    options.compression = erofs::Compression::Lz4 { level: 1 };
    options.cluster = 128 << 10;
    let work = erofs::Work {
        spool: &spool,
        threads: 2,
        digests: &[],
        progress: &image::Silent,
        reuse: None,
    };
    let planned = erofs::plan(&tree, &options, &work).unwrap();
    image::write(&zoo, &planned.image, &image::Silent)
        .unwrap()
        .keep()
        .unwrap();

    let log = dir.join("console.log");
    let mut boot = tool(demo().join("boot").to_str().unwrap());
    boot.arg(out.join("qemu-arm64-25.11.img")).arg("--log").arg(&log);
    boot.args(["--timeout", "800"]);
    let drive = format!("if=virtio,format=raw,readonly=on,file={}", zoo.display());
    run(boot.args(["-drive", &drive]));
    let console = console_lines(&log);
    let paths = store_paths().len();
    for wanted in [
        format!("STAGE2 {}", toplevel()),
        "CHECK ok mtimes: 1".into(),
        "CHECK ok load-db: loaded".into(),
        format!("CHECK ok count: {paths} entries in /nix/store, {paths} in the closure"),
        "CHECK ok verify: Nix finds nothing wrong".into(),
        "BOOT-DONE".into(),
    ] {
        let is_said = console.iter().any(|line| line.starts_with(&wanted));
        assert!(is_said, "the console does not say {wanted:?}");
    }
    assert_eq!(console.iter().find(|line| line.contains("erofs: ")), None);
    assert_listed(&console, &tree);
}
