//! image.repart: systemd-repart and Kiln make the same disk of the same definitions; every key has its effect or is refused.

mod layouts;
mod refused;
mod signed;
mod tables;
mod verity;
mod verity_store;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::demo::workspace;
use crate::nix_world::{World, names, world};
use crate::tools::{installed, run, tool};

/// The value of an attribute of `tests/nix/repart.nix`.
fn evaluated(world: &World, attribute: &str) -> Value {
    let mut command = world.nix("nix-instantiate");
    command
        .args(["--eval", "--strict", "--json", "-A", attribute])
        .arg(workspace().join("tests/nix/repart.nix"));
    serde_json::from_str(&run(&mut command)).unwrap()
}

/// Builds an attribute inside the sandbox, twice with the same bytes, and answers where it lies.
fn built(world: &World, attribute: &str) -> PathBuf {
    let build = |more: &[&str]| {
        let mut command = world.nix("nix-build");
        command
            .arg(workspace().join("tests/nix/repart.nix"))
            .args(["--no-out-link", "-A", attribute])
            .args(more);
        run(&mut command)
    };
    let path = build(&[]);
    assert_eq!(path, build(&["--check"]));
    world.store().join(path.trim().trim_start_matches('/'))
}

#[test]
fn keys_have_their_effects() {
    let Some(world) = world() else { return };
    let generic = json!({
        "formats": {
            "esp": "fat",
            "xbootldr": "fat",
            "home": "ext4",
            "directories": "ext4",
            "none": {},
        },
        "sizes": {
            "usual": "10485760B",
            "fat": false,
            "fat32": 32,
            "rounded": "12288B",
            "suffix": "1073741824B",
            "esp": "104857600B",
            "large": "272629760B",
            "best": false,
            "most": "20971520B",
            "squashfs": "4096B",
            "blocks": "10485760B",
        },
        "labels": {
            "usual": "home",
            "known": "appliance--%",
            "fs": "twenty-one chara",
            "volume": "volume",
        },
        "attributes": {
            "usual": ["growfs"],
            "verity": ["read-only"],
            "generic": [],
            "meaningless": [],
            "readOnly": ["read-only"],
            "off": ["0x6000000000000001"],
        },
        "idle": {
            "name": "home",
            "type": "home",
            "guid": "259bc0e0-fe99-455f-849d-130316e0a559",
            "attributes": ["growfs"],
            "definition": "10-x.conf",
            "offset": "1MiB",
            "size": "10485760B",
        },
        "contexts": [true, true, true, true],
        "keys": "none",
        "compression": {
            "zstd": ["zstd", 3],
            "xz": ["xz", 3],
            "zstd-seekable": ["zstd", 3],
        },
    });
    let mut effects = evaluated(&world, "effects");
    let mkfs = effects.as_object_mut().unwrap().remove("mkfs").unwrap();
    assert_eq!(
        (&mkfs["compression"], &mkfs["level"], &mkfs["block-size"]),
        (&json!("zstd"), &json!(5), &json!("128KiB"))
    );
    assert_eq!(effects, generic);
}

/// The functions derive ids from types before Kiln runs, so they have a table of their own.
#[test]
fn types_have_the_guids_that_kiln_knows() {
    let Some(world) = world() else { return };
    let table = fs::read_to_string(workspace().join("crates/disk/src/types.rs")).unwrap();
    let known = |name: &str| {
        let start = format!("\"{name}\" ");
        let line = table.lines().find(|line| line.trim_start().starts_with(&start));
        line.unwrap_or_else(|| panic!("{name} is a type")).to_owned()
    };
    let types = evaluated(&world, "types");
    let types = types.as_object().unwrap();
    assert!(types.len() > 90, "{}", types.len());
    for (name, guid) in types {
        let name = if name == "linux-generic" { "linux" } else { name };
        let line = known(name);
        assert!(line.contains(guid.as_str().unwrap()), "{line}");
    }
}

/// Decompresses the image and its parts beside it, and answers the folder that has them.
fn decompressed(made: &Path, dir: &Path) {
    for file in names(made) {
        if let Some(plain) = file.strip_suffix(".zst") {
            let out = fs::File::create(dir.join(plain)).unwrap();
            let mut zstd = tool("zstd");
            zstd.args(["--decompress", "--stdout"]).arg(made.join(&file));
            assert!(zstd.stdout(out).status().unwrap().success());
        }
    }
}

#[test]
fn contents_are_where_definitions_say() {
    let tools = [
        "zstd",
        "mcopy",
        "debugfs",
        "unsquashfs",
        "blkid",
        "dd",
        "cmp",
        "sfdisk",
    ];
    if !installed(&tools) {
        return;
    }
    let Some(world) = world() else { return };
    let made = built(&world, "contents");
    let files = [
        "appliance_7.blocks-4.raw.zst",
        "appliance_7.esp.raw.zst",
        "appliance_7.linux-generic.raw.zst",
        "appliance_7.raw.zst",
        "appliance_7.root-x86-64.raw.zst",
        "appliance_7.srv.raw.zst",
        "appliance_7.tmp.raw.zst",
        "nix-support",
        "repart-output.json",
    ];
    let expected: Vec<String> = files
        .iter()
        .map(|file| match std::env::consts::ARCH {
            "aarch64" => file.replace("x86-64", "arm64"),
            _ => (*file).to_owned(),
        })
        .collect();
    assert_eq!(names(&made), expected);
    let dir = tempfile::tempdir().unwrap();
    decompressed(&made, dir.path());
    let image = dir.path().join("appliance_7.raw");
    run(tool("sfdisk").arg("--verify").arg(&image));

    // Each part is the bytes of its partition.
    let list: Value = serde_json::from_slice(&fs::read(made.join("repart-output.json")).unwrap()).unwrap();
    let list = list.as_array().unwrap();
    let part = |file: &str| list.iter().find(|entry| entry["file"] == file).unwrap();
    let bytes = |entry: &Value, key: &str| entry[key].as_u64().unwrap();
    let mut split = 0;
    for entry in list {
        let Some(path) = entry["split_path"].as_str() else {
            continue;
        };
        let file = dir.path().join(path.strip_suffix(".zst").unwrap());
        assert_eq!(
            fs::metadata(&file).unwrap().len(),
            bytes(entry, "raw_size"),
            "{path}"
        );
        let mut cmp = tool("cmp");
        cmp.arg(format!("--bytes={}", bytes(entry, "raw_size")))
            .arg(format!("--ignore-initial=0:{}", bytes(entry, "offset")))
            .arg(&file)
            .arg(&image);
        run(&mut cmp);
        split += 1;
    }
    assert_eq!(split, 6);
    assert_eq!(bytes(part("30-store.conf"), "raw_padding"), 4096);
    assert_eq!(bytes(part("50-blocks.conf"), "raw_size"), 8192);
    assert!(bytes(part("40-strip.conf"), "raw_size") >= 10 << 20);
    assert!(list.iter().all(|entry| bytes(entry, "offset") % 4096 == 0));

    let root = expected.iter().find(|file| file.contains("root-")).unwrap();
    check_trees(dir.path(), root.strip_suffix(".zst").unwrap());
    let swap = part("60-swap.conf");
    let probed = run(tool("blkid")
        .arg(format!("--offset={}", bytes(swap, "offset")))
        .args(["--probe", "--output", "export"])
        .arg(&image));
    assert!(
        probed.contains("TYPE=swap") && probed.contains("LABEL=swap"),
        "{probed}"
    );
}

/// The files in each of the partitions.
fn check_trees(dir: &Path, root: &str) {
    let esp = dir.join("appliance_7.esp.raw");
    let mcopy = |path: &str| run(tool("mcopy").arg("-i").arg(&esp).args([path, "-"]));
    assert_eq!(mcopy("::loader/loader.conf"), "timeout 3\n");
    assert_eq!(mcopy("::EFI/BOOT/BOOTX64.EFI"), "other\n");
    let ext4 = |file: &str, request: &str| run(tool("debugfs").args(["-R", request]).arg(dir.join(file)));
    for (path, text) in [
        ("/etc/loader.conf", "timeout 3\n"),
        ("/etc/other", "other\n"),
        ("/etc/deep/%name", "deep\n"),
    ] {
        assert_eq!(ext4(root, &format!("cat {path}")), text, "{path}");
    }
    assert!(
        ext4(root, "stat /init").contains("Fast link dest") || ext4(root, "stat /init").contains("symlink")
    );
    assert!(ext4(root, "stat /sbin/init").contains("\"../init\""));
    for path in ["/var", "/etc/empty"] {
        assert!(
            ext4(root, &format!("stat {path}")).contains("directory"),
            "{path}"
        );
    }
    // A source without a target lies where it came from.
    assert!(ext4(root, "ls -p /nix/store").contains("-other/"));
    // A store path at the root of a partition of its own.
    assert!(ext4("appliance_7.srv.raw", "ls -p /").contains("-other/"));
    let all = ext4("appliance_7.tmp.raw", "ls -p /all");
    assert!(all.contains("/sub/") && !all.contains("loader.conf"), "{all}");
    let sub = ext4("appliance_7.tmp.raw", "ls -p /all/sub");
    assert!(sub.contains("/file/") && !sub.contains("secret"), "{sub}");
    let store = run(tool("unsquashfs")
        .args(["-l", "-d", ""])
        .arg(dir.join("appliance_7.linux-generic.raw")));
    assert!(
        store
            .lines()
            .any(|line| line.starts_with("/@/store/") && line.ends_with("/bin/ls")),
        "{store}"
    );
}

#[test]
fn the_module_takes_the_place_of_nixpkgs_own_image() {
    if !installed(&["xz", "unsquashfs", "mcopy"]) {
        return;
    }
    let Some(world) = world() else { return };
    let paths = |name: &str| json!({ "image": name, "fileName": name, "filePath": name });
    assert_eq!(
        evaluated(&world, "module.paths"),
        json!({
            "plain": paths("appliance_7.raw"),
            "zstd": paths("appliance_7.raw.zst"),
            "renamed": paths("board.raw"),
        })
    );
    let made = built(&world, "module.compressed");
    assert_eq!(
        names(&made),
        [
            "appliance_7.esp.raw.xz",
            "appliance_7.linux-generic.raw.xz",
            "appliance_7.raw.xz",
            "nix-support",
            "repart-output.json",
        ]
    );
    let dir = tempfile::tempdir().unwrap();
    for file in ["appliance_7.esp.raw", "appliance_7.linux-generic.raw"] {
        let out = fs::File::create(dir.path().join(file)).unwrap();
        let mut xz = tool("xz");
        xz.args(["--decompress", "--stdout"])
            .arg(made.join(format!("{file}.xz")));
        assert!(xz.stdout(out).status().unwrap().success());
    }
    let esp = dir.path().join("appliance_7.esp.raw");
    let conf = run(tool("mcopy")
        .arg("-i")
        .arg(&esp)
        .args(["::loader/loader.conf", "-"]));
    assert_eq!(conf, "timeout 3\n");
    let store = dir.path().join("appliance_7.linux-generic.raw");
    let listed = run(tool("unsquashfs").args(["-l", "-d", ""]).arg(store));
    assert!(listed.lines().any(|line| line.starts_with("/store/")), "{listed}");
}
