//! image.repart: systemd-repart and Kiln make the same disk of the same definitions; every key has its effect or is refused.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::demo::{kiln, workspace};
use crate::nix_world::{World, names, world};
use crate::tools::{given, installed, is_root, output, run, said, tool};

const SEED: &str = "0867da16-f251-457d-a9e8-c31f9a3c220b";

/// The value of an attribute of `tests/nix/repart.nix`.
fn evaluated(world: &World, attribute: &str) -> Value {
    let mut command = world.nix("nix-instantiate");
    command
        .args(["--eval", "--strict", "--json", "-A", attribute])
        .arg(workspace().join("tests/nix/repart.nix"));
    serde_json::from_str(&run(&mut command)).unwrap()
}

/// What Nix says of an attribute that has no value.
fn refused(world: &World, attribute: &str) -> String {
    let mut command = world.nix("nix-instantiate");
    command
        .args(["--eval", "--strict", "--json", "-A", attribute])
        .arg(workspace().join("tests/nix/repart.nix"));
    let output = output(&mut command);
    assert!(!output.status.success(), "{attribute} has a value");
    said(&output)
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

/// A disk by systemd-repart and one by Kiln out of the same definitions.
struct Pair {
    dir: tempfile::TempDir,
    file: String,
}

impl Pair {
    fn make(case: &Value) -> Pair {
        let dir = tempfile::tempdir().unwrap();
        let (theirs, ours) = (dir.path().join("theirs"), dir.path().join("ours"));
        let definitions = dir.path().join("repart.d");
        for folder in [&theirs, &ours, &definitions] {
            fs::create_dir(folder).unwrap();
        }
        for (id, text) in case["definitions"].as_object().unwrap() {
            let file = definitions.join(format!("{id}.conf"));
            fs::write(file, text.as_str().unwrap()).unwrap();
        }
        let file = case["specification"]["disk"]["file"].as_str().unwrap().to_owned();
        let size = case["size"].as_str().unwrap();
        let split = case["split"].as_bool().unwrap();
        let mut repart = tool("systemd-repart");
        repart
            .current_dir(&theirs)
            .args(["--dry-run=no", "--empty=create", "--json=pretty"])
            .arg(format!("--size={size}"))
            .arg(format!("--seed={SEED}"))
            .arg(format!("--definitions={}", definitions.display()))
            .arg(format!("--split={split}"))
            .arg(&file);
        fs::write(theirs.join("repart-output.json"), run(&mut repart)).unwrap();
        let spec = dir.path().join("spec.json");
        fs::write(&spec, case["specification"].to_string()).unwrap();
        run(kiln()
            .arg("build")
            .arg(&spec)
            .arg("--out")
            .arg(&ours)
            .args(["--only", "disk"]));
        Pair { dir, file }
    }

    fn folder(&self, who: &str) -> PathBuf {
        self.dir.path().join(who)
    }

    /// What sfdisk says of a disk, but where its table ends: Kiln's has room before the first MiB.
    fn table(&self, who: &str) -> Vec<String> {
        let mut sfdisk = tool("sfdisk");
        let dump = run(sfdisk.current_dir(self.folder(who)).arg("--dump").arg(&self.file));
        dump.lines()
            .filter(|line| !line.starts_with("first-lba"))
            .map(str::to_owned)
            .collect()
    }

    fn list(&self, who: &str) -> Value {
        let text = fs::read(self.folder(who).join("repart-output.json")).unwrap();
        serde_json::from_slice(&text).unwrap()
    }

    /// Both disks have the same size, table and list, and the same files lie beside them.
    fn compare(&self, name: &str) {
        let size = |who: &str| fs::metadata(self.folder(who).join(&self.file)).unwrap().len();
        assert_eq!(size("ours"), size("theirs"), "{name}");
        assert_eq!(self.table("ours"), self.table("theirs"), "{name}");
        let mut ours = self.list("ours");
        for (number, entry) in ours.as_array_mut().unwrap().iter_mut().enumerate() {
            // systemd-repart says these since version 253 and 257.
            let entry = entry.as_object_mut().unwrap();
            assert_eq!(entry.remove("partno"), Some(json!(number)), "{name}");
            entry.remove("split_path");
        }
        assert_eq!(ours, self.list("theirs"), "{name}");
        assert_eq!(
            names(&self.folder("ours")),
            names(&self.folder("theirs")),
            "{name}"
        );
    }
}

#[test]
fn tables_are_those_of_systemd_repart() {
    if !installed(&["systemd-repart", "sfdisk"]) {
        return;
    }
    let Some(world) = world() else { return };
    let cases = evaluated(&world, "tables");
    let cases = cases.as_object().unwrap();
    assert_eq!(cases.len(), 5);
    for (name, case) in cases {
        let pair = Pair::make(case);
        pair.compare(name);
        if case["split"] == true {
            for file in names(&pair.folder("ours")) {
                let size = |who: &str| fs::metadata(pair.folder(who).join(&file)).unwrap().len();
                if file != "repart-output.json" {
                    assert_eq!(size("ours"), size("theirs"), "{file}");
                }
            }
        }
    }
}

#[test]
fn file_systems_have_the_ids_and_labels_of_systemd_repart() {
    let tools = [
        "systemd-repart",
        "sfdisk",
        "blkid",
        "mkswap",
        "mkfs.vfat",
        "mkfs.ext4",
    ];
    let has_loops = Path::new("/dev/loop-control").exists();
    if !installed(&tools) || !is_root() || !given(has_loops, "there are loop devices") {
        return;
    }
    let Some(world) = world() else { return };
    let pair = Pair::make(&evaluated(&world, "formatted"));
    pair.compare("formatted");
    let parts = names(&pair.folder("ours"));
    assert_eq!(parts.len(), 6, "{parts:?}");
    for file in parts.iter().filter(|file| file.matches('.').count() == 2) {
        let probed = |who: &str| {
            let mut blkid = tool("blkid");
            let text = run(blkid
                .args(["--probe", "--output", "export"])
                .arg(pair.folder(who).join(file)));
            let fields = text.lines().filter_map(|line| line.split_once('='));
            let known = |key: &str| ["TYPE", "UUID", "LABEL", "VERSION", "USAGE"].contains(&key);
            fields
                .filter(|(key, _)| known(key))
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .collect::<BTreeMap<_, _>>()
        };
        let ours = probed("ours");
        assert!(ours.len() >= 4, "{file}: {ours:?}");
        assert_eq!(ours, probed("theirs"), "{file}");
    }
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

/// What is refused, and words of what is said: what is wrong, and the way out.
const REFUSED: [(&str, &str); 45] = [
    ("refused.verity", "10-x: Verity: not supported: say [verity.NAME]"),
    (
        "refused.encrypt",
        "10-x: Encrypt: not supported: an image would hold its key",
    ),
    (
        "refused.subvolumes",
        "10-x: Subvolumes: not supported: only btrfs",
    ),
    (
        "refused.erofs",
        "10-x: Format = erofs: Kiln makes ext4 squashfs swap vfat",
    ),
    (
        "refused.btrfs",
        "10-x: Format = btrfs: Kiln makes ext4 squashfs swap vfat",
    ),
    (
        "refused.typo",
        "10-x: SizeMinByte: not supported: no key of repart.d",
    ),
    ("refused.type", "10-x: Type = roof: no name of repart.d(5)"),
    (
        "refused.size",
        "10-x: SizeMinBytes = 1MiB: must be a whole number",
    ),
    ("refused.sizes", "10-x: SizeMinBytes is more than SizeMaxBytes"),
    (
        "refused.paddings",
        "10-x: PaddingMinBytes is more than PaddingMaxBytes",
    ),
    ("refused.flags", "10-x: Flags = yes: must be 0x"),
    ("refused.boolean", "10-x: ReadOnly = maybe: must be yes or no"),
    (
        "refused.specifier",
        "10-x: Label = %H: %H is not known when an image is made; say its value in Nix",
    ),
    (
        "refused.longLabel",
        "has 42 characters, a partition's has at most 36",
    ),
    ("refused.uuid", "10-x: UUID = null: must be a UUID"),
    ("refused.minimize", "10-x: Minimize: needs a Format"),
    (
        "refused.copyOptions",
        "CopyFiles = /a:/b:noatime: noatime: no option",
    ),
    (
        "refused.fsverity",
        "fsverity=copy is not supported: Kiln's file systems have no fs-verity; leave it out",
    ),
    ("refused.copyRelative", "CopyFiles = a:/b: a is no absolute path"),
    ("refused.copyDots", "/b/../c is no absolute path without .."),
    ("refused.link", "MakeSymlinks = /a: must be LINK:TARGET"),
    (
        "refused.swapFiles",
        "10-x: Format = swap: a swap area holds no files",
    ),
    (
        "refused.emptySquashfs",
        "10-x: Format = squashfs: there is nothing in it",
    ),
    ("refused.blocksAndFormat", "10-x: CopyBlocks excludes Format"),
    (
        "refused.blocksAuto",
        "10-x: CopyBlocks = auto: there is no running system",
    ),
    (
        "refused.excludeTwo",
        "ExcludeFiles: Kiln excludes from one source of CopyFiles, and there are 2",
    ),
    (
        "refused.excludeElsewhere",
        "ExcludeFiles = /ab/x: is not below /a",
    ),
    (
        "refused.compression",
        "Compression and CompressionLevel are for Format = squashfs",
    ),
    ("refused.splitName", "10-x: SplitName = a/b: has a slash"),
    (
        "refused.seed",
        "image.repart.seed: random ids would make another image each time; say a UUID",
    ),
    (
        "refused.random",
        "image.repart.seed: random ids would make another image each time; say a UUID",
    ),
    ("refused.badSeed", "image.repart.seed: rock64: must be a UUID"),
    (
        "refused.sectorSize",
        "image.repart.sectorSize: 2048: Kiln makes disks with sectors of 512 or 4096 bytes",
    ),
    (
        "refused.imageSize",
        "image.repart.imageSize: size = 1.5G: must be a whole number",
    ),
    (
        "refused.tooSmall",
        "image.repart.imageSize: the partitions need 11554816 bytes, and there are 8388608",
    ),
    (
        "refused.algorithm",
        "image.repart.compression.algorithm: lz4: must be zstd, zstd-seekable or xz",
    ),
    (
        "refused.noKeys",
        "image.repart.partitions: keys for 20-root: there is no such partition",
    ),
    ("refused.none", "image.repart.partitions: there are none"),
    (
        "refused.unknownSizes",
        "image.repart.imageSize: 1G: the sizes of 10-x follow from what is in them",
    ),
    (
        "refused.sameLabels",
        "image.repart.partitions.2: Label = x: 1 has the same",
    ),
    (
        "refused.mkfs",
        "image.repart.mkfsOptions.ext4: -O quota: not supported: known are -L -U -m",
    ),
    (
        "module.refused.verity",
        "image.repart.verityStore: Kiln makes no such image",
    ),
    (
        "module.refused.fileName",
        "image.fileName and image.filePath: Kiln's output has appliance_7.raw",
    ),
    (
        "module.refused.extension",
        "image.extension = img: Kiln's output has appliance_7.raw",
    ),
    ("module.refused.label", "an assertion of the image"),
];

#[test]
fn what_cannot_be_followed_is_refused_by_its_name() {
    let Some(world) = world() else { return };
    for kind in ["refused", "module.refused"] {
        let all = evaluated(&world, &format!("namesOf.{kind}"));
        for name in all.as_array().unwrap() {
            let attribute = format!("{kind}.{}", name.as_str().unwrap());
            let said = refused(&world, &attribute);
            let expected = REFUSED.iter().find(|(known, _)| *known == attribute);
            let (_, words) = expected.unwrap_or_else(|| panic!("{attribute} stands in the table: {said}"));
            assert!(said.contains(words), "{attribute}: {said}");
        }
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
