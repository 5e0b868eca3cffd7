//! The NixOS modules, and image.repart's definitions: tables that other tools accept, with partitions where they belong.

use std::fs;
use std::path::Path;

use crate::guide_inside;
use crate::nix_world::{Partition, gpt, names, world};
use crate::tools::{installed, output, run, said, tool};

const ESP: &str = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b";
const LINUX: &str = "0fc63daf-8483-4772-8e79-3d69d8477de4";
const MIB: u64 = 1 << 20;

/// What all hosts have: the ids come from `fileSystems`.
fn boot(first: u64, count: u64) -> Partition {
    Partition {
        first,
        last: first + count - 1,
        kind: ESP.into(),
        guid: "44444444-4444-4444-4444-444421453a7d".into(),
        name: "EFI System".into(),
    }
}

/// Checks a table with sfdisk, sgdisk and a reader of ours, and answers with the entries' place and the partitions.
fn table(image: &Path) -> (u64, Vec<Partition>) {
    run(tool("sfdisk").arg("--verify").arg(image));
    let verdict = said(&output(tool("sgdisk").arg("-v").arg(image)));
    assert!(verdict.contains("No problems found."), "{verdict}");
    let table = gpt(image, 512);
    let listed = run(tool("partx").args(["-g", "-o", "START,END"]).arg(image));
    let listed: Vec<u64> = listed
        .split_whitespace()
        .map(|number| number.parse().unwrap())
        .collect();
    let read: Vec<u64> = table
        .1
        .iter()
        .flat_map(|partition| [partition.first, partition.last])
        .collect();
    assert_eq!(listed, read);
    table
}

#[test]
fn hosts_of_sane_image_have_the_tables_that_they_had() {
    if !installed(&["sfdisk", "sgdisk", "partx", "mdir", "debugfs"]) {
        return;
    }
    let Some(world) = world() else { return };
    let [moby_old, moby, pro, efi, chromebook] = world
        .built([
            "sane.moby-old",
            "sane.moby",
            "sane.pinephone-pro",
            "sane.efi-old-spelling",
            "sane.chromebook",
        ])
        .map(|folder| folder.join("nixos.img"));
    let count = 64 * MIB / 512;
    for (image, entries, first) in [
        (&moby_old, 32770, 32802),
        (&moby, 32736, 32768),
        (&pro, 2, 32768),
        (&efi, 2, 32768),
    ] {
        let (found, partitions) = table(image);
        assert_eq!(found, entries, "{}", image.display());
        let [esp, store] = &partitions[..] else {
            panic!("{partitions:?}")
        };
        assert_eq!(esp, &boot(first, count));
        assert_eq!(
            (store.first, &*store.kind, &*store.guid, &*store.name),
            (
                first + count,
                LINUX,
                "11111111-2222-3333-4444-555555555555",
                "Linux filesystem"
            )
        );
    }
    // The loader lies amid where entries usually are, once by a script and once as a region.
    for image in [&moby_old, &moby] {
        let bytes = fs::read(image).unwrap();
        assert!(bytes[8192..].starts_with(b"secondary program loader"));
    }
    let (_, partitions) = table(&chromebook);
    assert_eq!(partitions.len(), 3);
    assert_eq!(
        (partitions[0].first, &*partitions[0].kind, &*partitions[0].name),
        (32768, "fe3a2a5d-4f32-41a7-b725-accc3285a309", "kernel")
    );
    assert_eq!(partitions[1], boot(32768 + 32768, count));

    let files = |image: &Path, first: u64| {
        let fat = format!("{}@@{}", image.display(), first * 512);
        run(tool("mdir").args(["-/", "-b", "-i", &fat, "::"]))
    };
    assert!(files(&pro, 32768).contains("::/extlinux/extlinux.conf\n"));
    assert!(!files(&efi, 32768).contains("extlinux"));
    assert!(files(&efi, 32768).contains("::/dtbs/rockchip/rk3328-rock64.dtb\n"));
    let root = format!("{}?offset={}", efi.display(), (32768 + count) * 512);
    let listed = run(tool("debugfs").args(["-R", "ls -p /var", &root]));
    assert!(listed.contains("/log/"), "{listed}");
}

#[test]
fn parts_of_a_host_are_built_alone() {
    if !installed(&["fsck.fat", "e2fsck"]) {
        return;
    }
    let Some(world) = world() else { return };
    let [boot, store, without] = world.built([
        "sane.moby-old.bootFsImg",
        "sane.moby-old.passthru.nixFsImg",
        "sane.moby-old.withoutBootloader",
    ]);
    let (boot, store) = (boot.join("boot.vfat"), store.join("nix.ext4"));
    let without = without.join("nixos.img");
    run(tool("fsck.fat").arg("-n").arg(&boot));
    run(tool("e2fsck").arg("-fn").arg(&store));
    let disk = fs::read(&without).unwrap();
    assert!(
        disk[8192..].iter().take(512).all(|byte| *byte == 0),
        "no loader yet"
    );
    for (part, first) in [(boot, 32802_usize), (store, 32802 + 131_072)] {
        let bytes = fs::read(&part).unwrap();
        assert!(disk[first * 512..].starts_with(&bytes), "{}", part.display());
    }
}

/// The guide's commands, over builds that other tests ask for, too. What they say is what mtools and debugfs say.
#[test]
fn each_part_of_a_host_is_looked_into() {
    if !installed(&["mdir", "debugfs", "cmp"]) {
        return;
    }
    let Some(world) = world() else { return };
    let attributes = ["", ".bootFsImg", ".passthru.nixFsImg"].map(|part| format!("sane.moby-old{part}"));
    let attributes = attributes.each_ref().map(String::as_str);
    let (places, _) = world.built_with_log(&attributes, &[]);
    let dir = tempfile::tempdir().unwrap();
    let links: Vec<(&str, &Path)> = ["result", "boot", "store"]
        .into_iter()
        .zip(places.iter().map(std::path::PathBuf::as_path))
        .collect();
    let printed = guide_inside::run_section("Each part of a host with `sane.image`", dir.path(), &links);
    assert!(printed.len() >= 12, "{printed:?}");
    let said = |start: &str| guide_inside::of(&printed, &format!("kiln {start}"));

    let table = said("ls -l result/nixos.img ");
    assert!(table.contains("EFI System  (fat, partition 1 at byte"), "{table}");
    assert!(
        table.contains("Linux filesystem  (ext4, partition 2 at byte"),
        "{table}"
    );
    let boot = places[1].join("boot.vfat");
    let mut names: Vec<String> = run(tool("mdir").args(["-/", "-b", "-i"]).arg(&boot).arg("::"))
        .lines()
        .map(|line| line.trim_start_matches("::").trim_end_matches('/').to_string())
        .collect();
    names.push("/".into());
    names.sort();
    let listed: Vec<&str> = said("ls -R boot/boot.vfat").lines().collect();
    assert_eq!(listed, names);
    let menu = said("cat result/nixos.img \"/EFI System/extlinux");
    let theirs = tool("mtype")
        .arg("-i")
        .arg(&boot)
        .arg("::/extlinux/extlinux.conf")
        .output();
    assert_eq!(menu.as_bytes(), theirs.unwrap().stdout);
    let store = places[2].join("nix.ext4");
    let theirs = run(tool("debugfs").args(["-R", "ls -p /nix/store"]).arg(&store));
    let ours = said("ls store/nix.ext4 /nix/store");
    assert!(ours.lines().count() > 3, "{ours}");
    for name in ours.lines() {
        assert!(theirs.contains(&format!("/{name}/")), "{name}");
    }
    assert_eq!(ours, said("ls result/nixos.img \"/Linux filesystem/nix/store"));
    let registration = said("cat result/nixos.img \"/Linux filesystem/nix-path");
    assert!(registration.starts_with("/nix/store/"), "{registration}");
    // A partition may end behind its file system.
    let len = fs::metadata(&store).unwrap().len().to_string();
    run(tool("cmp")
        .args(["-n", &len])
        .arg(dir.path().join("nix.ext4"))
        .arg(&store));
    assert!(dir.path().join("esp/extlinux/extlinux.conf").is_file());
    assert!(
        !said("check result").contains("damaged"),
        "{}",
        said("check result")
    );
}

#[test]
fn a_disk_with_large_sectors_is_one() {
    if !installed(&["fsck.fat", "debugfs", "e2fsck"]) {
        return;
    }
    let Some(world) = world() else { return };
    let [image, boot, store] = world.built([
        "sane.large-sectors",
        "sane.large-sectors.bootFsImg",
        "sane.large-sectors.nixFsImg",
    ]);
    let (entries, partitions) = gpt(&image.join("nixos.img"), 4096);
    assert_eq!(entries, 2);
    let places: Vec<u64> = partitions
        .iter()
        .map(|partition| partition.first * 4096)
        .collect();
    assert_eq!(places, [16 * MIB, 316 * MIB]);
    let boot = fs::read(boot.join("boot.vfat")).unwrap();
    assert_eq!(
        u16::from_le_bytes([boot[11], boot[12]]),
        4096,
        "bytes of a FAT's sector"
    );
    // Its root is mounted at /nix.
    let store = store.join("nix.ext4");
    run(tool("e2fsck").arg("-fn").arg(&store));
    let listed = run(tool("debugfs").args(["-R", "ls -p /"]).arg(&store));
    for name in ["store", "var", "nix-path-registration"] {
        assert!(listed.contains(&format!("/{name}/")), "{listed}");
    }
    assert!(!listed.contains("/nix/"), "{listed}");
}

#[test]
fn a_variant_fills_what_nixos_asks_of_it() {
    if !installed(&["zstd", "sfdisk"]) {
        return;
    }
    let Some(world) = world() else { return };
    let [image] = world.built(["modules.sd-card"]);
    assert_eq!(
        world.evaluated("{ inherit (t.modules.path) extension filePath; }"),
        serde_json::json!({ "extension": "img.zst", "filePath": "board.img.zst" })
    );
    assert_eq!(names(&image), ["board.img.zst", "nix-support"]);
    let dir = tempfile::tempdir().unwrap();
    let disk = dir.path().join("board.img");
    run(tool("zstd")
        .args(["-q", "-d"])
        .arg(image.join("board.img.zst"))
        .arg("-o")
        .arg(&disk));
    let dump = run(tool("sfdisk").arg("-d").arg(&disk));
    for line in [
        "label: dos\n",
        "label-id: 0x2178694e\n",
        "start=       16384, size=       61440, type=b\n",
        "type=83, bootable\n",
    ] {
        assert!(dump.contains(line), "{dump}");
    }
}

#[test]
fn definitions_of_image_repart_make_a_disk() {
    if !installed(&["sfdisk", "sgdisk", "partx", "unsquashfs", "mcopy"]) {
        return;
    }
    let Some(world) = world() else { return };
    let [made] = world.built(["repart"]);
    let image = made.join("appliance_7.raw");
    let (_, partitions) = table(&image);
    let root = if cfg!(target_arch = "x86_64") {
        "4f68bce3-e8cd-4db1-96e7-fbcaf984b709"
    } else {
        "b921b045-1df0-41c3-af44-4c6f280d3fae"
    };
    let shown: Vec<_> = partitions
        .iter()
        .map(|partition| (&*partition.name, &*partition.kind, partition.first % 8))
        .collect();
    assert_eq!(
        shown,
        [
            ("esp", ESP, 0),
            ("nix-store", LINUX, 0),
            ("root", root, 0),
            ("home", "933ac7e1-2eb4-4f13-b844-0e14e2aef915", 0),
        ]
    );
    let sizes: Vec<u64> = partitions
        .iter()
        .map(|partition| (partition.last + 1 - partition.first) * 512 / MIB)
        .collect();
    // A FAT to boot from has 100 MiB or more, as systemd-repart has it since version 258.
    assert_eq!((sizes[0], sizes[2], sizes[3]), (100, 256, 8));
    assert_eq!(partitions[1].guid, "8f2d6e5a-95a8-4b0c-8f4e-0d6b1fd8fb0e");
    let fat = format!("{}@@{}", image.display(), partitions[0].first * 512);
    assert_eq!(
        run(tool("mcopy").args(["-i", &fat, "::loader/loader.conf", "-"])),
        "timeout 3\n"
    );
    // Store paths without their folder.
    let start = partitions[1].first * 512;
    let listing = run(tool("unsquashfs")
        .args(["-l", "-o", &start.to_string()])
        .arg(&image));
    assert!(
        listing.lines().any(|line| line.ends_with("-coreutils-9.1-1")),
        "{listing}"
    );
    assert!(!listing.contains("squashfs-root/nix"), "{listing}");
    let attributes = run(tool("sfdisk").arg("-d").arg(&image));
    assert!(
        // systemd-repart passes over ReadOnly for this type, too.
        attributes.contains("name=\"nix-store\"\n")
            && attributes.contains("name=\"root\", attrs=\"GUID:59\""),
        "{attributes}"
    );
    assert!(
        world
            .failure("repart-unknown")
            .contains("image.repart.partitions.20-store: Encrypt: ")
    );
}
