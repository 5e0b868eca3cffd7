//! What options and arguments of a btrfs become in a specification and in a system, and what is refused.

use serde_json::{Value, json};

use super::evaluated;
use crate::demo::workspace;
use crate::nix_images::nix;
use crate::nix_world::{World, world};
use crate::tools::{output, said};

/// nixpkgs' make-btrfs-fs.nix has these without the tools that only it runs, with these defaults.
#[test]
fn the_arguments_of_make_btrfs_fs() {
    let Some(world) = world() else { return };
    let file = workspace().join("nix/drop-ins/make-btrfs-fs.nix");
    let ours = evaluated(
        &world,
        &format!("builtins.functionArgs (import {})", file.display()),
    );
    let ours = ours.as_object().unwrap();
    let needed: Vec<&str> = ours
        .iter()
        .filter(|(_, has_default)| **has_default == json!(false))
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(needed, ["lib", "pkgs", "storePaths", "volumeLabel"]);
    for argument in ["compressImage", "populateImageCommands", "uuid"] {
        assert_eq!(ours[argument], json!(true), "{argument}");
    }
    let mut usual = evaluated(&world, "t.defaults");
    assert_eq!(usual["name"], "btrfs-fs.img");
    assert_eq!(
        usual["specification"]["fs"]["root"].take(),
        json!({
            "closure": true,
            "compression": "none",
            "directories": ["/nix/store"],
            "file": "btrfs-fs.img",
            "format": "btrfs",
            "free": "16MiB",
            "keep": ["modes", "hard-links"],
            "label": "NIXOS_SD",
            "registration": "/nix-path-registration",
            "tree": "files",
            "uuid": "44444444-4444-4444-8888-888888888888",
        })
    );
    assert_eq!(
        evaluated(&world, "t.changed"),
        json!({
            "compressImage": { "compress": "zstd", "name": "btrfs-fs.img.zst" },
            "compression": { "compression": "zstd", "level": 3 },
            "free": { "free": "1GiB" },
            "keys": { "profile": "modern" },
            "storePaths": {},
            "subvolumes": { "directories": ["/nix/store", "/home"], "subvolumes": { "/home": {} } },
            "uuid": { "uuid": "14e19a7b-0ae0-484d-9d54-43bd6fdc20c7" },
            "volumeLabel": { "label": "OTHER" },
        })
    );
}

/// The system mounts its root as what it is, has the driver in its first root, and makes it larger.
#[test]
fn systems_know_that_their_root_is_a_btrfs() {
    let Some(world) = world() else { return };
    let root = |kind: &str, label: &str, options: &[&str]| {
        let device = format!("/dev/disk/by-label/{label}");
        let first = if kind == "btrfs" {
            json!({ "btrfs": true })
        } else {
            json!({})
        };
        json!({ "first": first, "root": { "device": device, "fsType": kind, "options": options } })
    };
    let (grown, first) = ("x-systemd.growfs", "x-initrd.mount");
    assert_eq!(
        evaluated(&world, "t.systems"),
        json!({
            "card": root("btrfs", "NIXOS_SD", &[grown, first, "compress=zstd"]),
            "efi": root("btrfs", "nixos", &[grown, first, "compress=zstd:9"]),
            "plain": root("btrfs", "nixos", &[grown, first]),
            "ext4": root("ext4", "nixos", &[grown, first]),
            "specification": root("btrfs", "nixos", &[grown, first, "compress=lzo"]),
            // sdImage's own commands grow it.
            "sd": root("btrfs", "NIXOS_SD", &[first, "compress=zstd", "noatime"]),
            "sd-creator": root("btrfs", "NIXOS_SD", &[first, "compress=zstd"]),
            "sd-nixpkgs": root("btrfs", "NIXOS_SD", &[first]),
            "sd-ext4": root("ext4", "NIXOS_SD", &[first]),
            "sd-other": root("btrfs", "NIXOS_SD", &[first]),
        })
    );
    let growing = evaluated(&world, "t.growing");
    let text = |name: &str| growing[name].as_str().unwrap().to_string();
    assert!(text("btrfs").contains("/bin/btrfs filesystem resize max / ||"));
    assert!(text("ext4").contains("/bin/resize2fs \"$root\"") && !text("ext4").contains("bin/btrfs"));
}

#[test]
fn roots_have_what_options_say() {
    let Some(world) = world() else { return };
    let roots = evaluated(&world, "t.roots");
    let keys = ["format", "compression", "level", "subvolumes", "directories"];
    let of = |name: &str| {
        let root = roots[name].as_object().unwrap();
        let known = keys
            .iter()
            .filter_map(|key| Some(((*key).to_string(), root.get(*key)?.clone())));
        Value::Object(known.collect())
    };
    let usual = json!({ "format": "btrfs", "compression": "zstd", "subvolumes": {}, "directories": [] });
    assert_eq!([of("usual"), of("efi")], [usual.clone(), usual]);
    assert_eq!(of("ext4"), json!({ "format": "ext4" }));
    assert_eq!(
        of("all"),
        json!({
            "format": "btrfs",
            "compression": "lzo",
            "subvolumes": {
                "/home": { "default": false, "read-only": false },
                "/snapshots": { "default": true, "read-only": true },
            },
            "directories": ["/home", "/snapshots"],
        })
    );
    let warnings = evaluated(
        &world,
        r#"(t.sd [
             t.uBoot
             {
               kiln.rootFormat = "btrfs";
               kiln.btrfs.subvolumes."/home" = { };
               fileSystems."/".options = [ "noatime,subvol=@" "subvol=home" "subvol=/" ];
             }
           ]).warnings"#,
    );
    let warnings = warnings.as_array().unwrap();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    let words = "fileSystems.\"/\".options: the image has no subvolume @";
    assert!(warnings[0].as_str().unwrap().contains(words), "{warnings:?}");
}

/// Subvolumes and compression of `sane.image` are those that the system mounts.
#[test]
fn stores_of_sane_image_are_as_they_are_mounted() {
    let Some(world) = world() else { return };
    let with = |more: Value| {
        let mut keys = json!({
            "closure": true,
            "directories": [],
            "format": "btrfs",
            "free": "64MiB",
            "label": "NIXOS_SYSTEM",
            "registration": "/nix-path-registration",
            "subvolumes": {},
            "uuid": "11111111-2222-3333-4444-555555555555",
        });
        let more = more.as_object().unwrap().clone();
        keys.as_object_mut().unwrap().extend(more);
        keys
    };
    let expected = json!({
        "flat": with(json!({ "directories": ["/var/log"] })),
        "compressed": with(json!({ "compression": "zstd", "level": 3 })),
        "apart": with(json!({
            "closure-at": "/@nix/store",
            "compression": "zlib",
            "directories": ["/@", "/@home", "/@nix", "/@/var/log", "/@home/user", "/@nix/var"],
            "registration": "/@nix/nix-path-registration",
            "subvolumes": { "/@": {}, "/@home": {}, "/@nix": {} },
        })),
        "store": with(json!({ "closure-at": "/store", "compression": "lzo" })),
    });
    assert_eq!(evaluated(&world, "t.stores"), expected);
}

#[test]
fn keys_of_repart_have_their_effects() {
    let Some(world) = world() else { return };
    let mut effects = evaluated(&world, "t.effects");
    let usual = effects.as_object_mut().unwrap().remove("usual").unwrap();
    assert_eq!(
        (&usual["format"], &usual["size"]),
        (&json!("btrfs"), &json!("268435456B"))
    );
    assert!(usual.get("compression").is_none() && usual.get("subvolumes").is_none());
    assert!(usual["uuid"].is_string());
    assert_eq!(
        effects,
        json!({
            // As systemd-repart has it: 256 MiB, or what is in it.
            "size": "268435456B",
            "minimized": { "free": "0B", "size": false, "least": "10485760B" },
            "label": "a label of many more letters than a partition or an ext4 may have",
            "subvolumes": {
                "/home": {},
                "/var/log": { "read-only": true },
                "/appliance": { "read-only": false },
            },
            "list": { "/home": { "read-only": true }, "/a": { "read-only": true } },
            "last": { "/home": { "read-only": false } },
            "default": { "/@": { "default": true, "read-only": true }, "/@home": {} },
            "root": { "/home": {} },
            "zstd": { "compression": "zstd" },
            "level": { "compression": "zstd", "level": 15 },
            "usualLevel": { "compression": "zlib" },
            "lzo": { "compression": "lzo" },
            "none": {},
            "mkfs": { "compression": "zstd", "level": 4, "metadata": "single" },
            "keys": "modern",
        })
    );
}

/// What is refused, and words of what is said: what is wrong, and the way out.
const REFUSED: [(&str, &str); 32] = [
    (
        "flag",
        "10-x: Subvolumes = /home:cow: cow: no flag; there are ro and nodatacow",
    ),
    (
        "nodatacow",
        "nodatacow is not supported: files of an image have checksums",
    ),
    ("fields", "Subvolumes = /home:ro:ro: must be PATH or PATH:FLAGS"),
    ("relative", "Subvolumes = home: home is no absolute path"),
    (
        "dots",
        "Subvolumes = /a/../b: /a/../b is no absolute path without ..",
    ),
    ("specifier", "Subvolumes = /%H: %H is not known"),
    (
        "read-only-root",
        "Subvolumes = /:ro: the root of a btrfs is none that can be read-only",
    ),
    ("default", "DefaultSubvolume = /nix: is none of Subvolumes"),
    ("default-alone", "DefaultSubvolume = /home: is none of Subvolumes"),
    (
        "ext4",
        "10-x: Subvolumes and DefaultSubvolume are for Format = btrfs",
    ),
    (
        "ext4-default",
        "10-x: Subvolumes and DefaultSubvolume are for Format = btrfs",
    ),
    ("compressor", "Compression = xz: btrfs has lzo zlib zstd"),
    ("level", "CompressionLevel = 16: must be a number from 0 to 15"),
    (
        "zlib-level",
        "CompressionLevel = 10: must be a number from 0 to 9",
    ),
    (
        "lzo-level",
        "CompressionLevel = 1: there are levels with Compression = zlib and zstd",
    ),
    (
        "level-alone",
        "CompressionLevel = 3: there are levels with Compression = zlib and zstd",
    ),
    ("sector", "FileSystemSectorSize is for Format = vfat"),
    (
        "mkfs-profile",
        "image.repart.mkfsOptions.btrfs: -m raid1: not supported",
    ),
    ("mkfs-data", "-d dup: not supported"),
    ("mkfs-node", "-n 4096: not supported"),
    ("mkfs-csum", "--csum xxhash: not supported"),
    ("mkfs-compress", "--compress zstd:16: not supported"),
    ("mkfs-compress-lzo", "--compress lzo:1: not supported"),
    ("mkfs-compress-kind", "--compress xz: not supported"),
    (
        "mkfs-option",
        "--mixed: not supported: known are --compress --csum -L -U -d -m -n -s",
    ),
    (
        "sane-subvolid",
        "has the option subvolid, whose number is not known before there is an image: say subvol=NAME",
    ),
    (
        "sane-compress",
        "fileSystems.\"/\" has the option compress=xz: there are lzo zlib zstd",
    ),
    ("sane-format", "sane.image: / is xfs: there are btrfs and ext4"),
    (
        "sane-elsewhere",
        "sane.image.extraDirectories: /home is not below /nix",
    ),
    ("format", "kiln.rootFormat"),
    ("compression", "kiln.btrfs.compression"),
    ("negative", "kiln.btrfs.level"),
];

fn refused(world: &World, name: &str) -> String {
    let expression = format!("t.refused.{name}");
    let words = ["--expr", &expression];
    let output = output(&mut nix(world, "nix-instantiate", "btrfs.nix", &words));
    assert!(!output.status.success(), "{name} has a value");
    said(&output)
}

#[test]
fn what_a_btrfs_cannot_be_is_refused_by_its_name() {
    let Some(world) = world() else { return };
    let names = evaluated(&world, "t.namesOfRefused");
    for name in names.as_array().unwrap() {
        let name = name.as_str().unwrap();
        let said = refused(&world, name);
        let expected = REFUSED.iter().find(|(known, _)| *known == name);
        let (_, words) = expected.unwrap_or_else(|| panic!("{name} stands in the table: {said}"));
        assert!(said.contains(words), "{name}: {said}");
    }
    assert_eq!(names.as_array().unwrap().len(), REFUSED.len());
}
