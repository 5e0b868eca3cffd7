//! Roots that are a btrfs, as `tests/nix/btrfs.nix` makes them: functions, nixpkgs' make-btrfs-fs.nix, modules, `sane.image`
//! and image.repart. What is built, btrfs-progs look at.

mod told;

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::nix_images::{nix, on_host};
use crate::nix_world::{World, gpt, names, world};
use crate::tools::{installed, is_root, output, run, said, tool};

const UUID: &str = "14e19a7b-0ae0-484d-9d54-43bd6fdc20c7";

/// The value of an expression over `tests/nix/btrfs.nix`, which is `t` in it.
fn evaluated(world: &World, expression: &str) -> Value {
    let mut command = nix(world, "nix-instantiate", "btrfs.nix", &["--expr", expression]);
    serde_json::from_str(&run(&mut command)).unwrap()
}

/// Builds attributes inside the sandbox, twice with the same bytes, and answers where they lie.
fn built<const N: usize>(world: &World, attributes: [&str; N]) -> [PathBuf; N] {
    let build = |more: &[&str]| {
        let mut command = nix(world, "nix-build", "btrfs.nix", &["--no-out-link"]);
        for attribute in attributes {
            command.args(["-A", attribute]);
        }
        run(command.args(more))
    };
    let paths = build(&[]);
    assert_eq!(paths, build(&["--check"]));
    let mut lines = paths.lines();
    attributes.map(|_| on_host(world, lines.next().unwrap()))
}

/// A file system in the eyes of btrfs-progs.
struct Btrfs {
    image: PathBuf,
    dir: tempfile::TempDir,
}

impl Btrfs {
    /// One in a file of its own, or `len` bytes from `start` on; checked in both ways that there are.
    fn checked(image: &Path, part: Option<(u64, u64)>) -> Btrfs {
        let dir = tempfile::tempdir().unwrap();
        let copy = dir.path().join("image");
        let (start, len) = part.unwrap_or((0, fs::metadata(image).unwrap().len()));
        run(tool("dd")
            .arg(format!("if={}", image.display()))
            .arg(format!("of={}", copy.display()))
            .args(["bs=1MiB", "iflag=skip_bytes,count_bytes", "status=none"])
            .args([
                "conv=sparse".into(),
                format!("skip={start}"),
                format!("count={len}"),
            ]));
        File::options()
            .write(true)
            .open(&copy)
            .unwrap()
            .set_len(len)
            .unwrap();
        for mode in ["original", "lowmem"] {
            let mut check = tool("btrfs");
            check
                .args(["check", "--check-data-csum", "--mode", mode])
                .arg(&copy);
            let output = output(&mut check);
            let said = said(&output);
            assert!(
                output.status.success() && said.contains("no error found"),
                "{said}"
            );
            for word in ["ERROR", "WARNING", "error:", "mismatch"] {
                assert!(!said.contains(word), "{said}");
            }
        }
        Btrfs { image: copy, dir }
    }

    /// The image in a folder that a function has made.
    fn in_folder(folder: &Path, name: &str) -> Btrfs {
        Btrfs::checked(&folder.join(name), None)
    }

    fn inspect(&self, words: &[&str]) -> String {
        run(tool("btrfs").arg("inspect-internal").args(words).arg(&self.image))
    }

    /// A field of the superblock.
    fn superblock(&self, field: &str) -> String {
        let dump = self.inspect(&["dump-super"]);
        let mut lines = dump.lines();
        let line = lines.find_map(|line| line.strip_prefix(&format!("{field}\t")));
        line.unwrap_or_else(|| panic!("{field} is in {dump}"))
            .trim()
            .into()
    }

    /// The subvolumes, with what they are: "read-only" or "", and a star behind the default one.
    fn subvolumes(&self) -> Vec<String> {
        let dump = self.inspect(&["dump-tree", "-t", "root"]);
        let items: Vec<&str> = dump.split("\titem ").collect();
        let default = items
            .iter()
            .find(|item| item.contains("name: default"))
            .and_then(|item| item.split("location key (").nth(1))
            .map(|key| key.split(' ').next().unwrap());
        let mut found = Vec::new();
        for item in &items {
            // item 7 key (FS_TREE ROOT_REF 256) …: root ref key dirid 256 sequence 2 name nix
            let Some(key) = item.split("ROOT_REF ").nth(1) else {
                continue;
            };
            let id = key.split(')').next().unwrap();
            let name = item.split(" name ").nth(1).unwrap().lines().next().unwrap();
            let root = format!("key ({id} ROOT_ITEM ");
            let root = items.iter().find(|item| item.contains(&root)).unwrap();
            let access = if root.contains("flags 0x1(RDONLY)") {
                " read-only"
            } else {
                ""
            };
            let star = if default == Some(id) { " *" } else { "" };
            found.push(format!("{name}{access}{star}"));
        }
        found.sort();
        found
    }

    /// How data is compressed: the numbers of compressors in all trees.
    fn compressors(&self) -> Vec<char> {
        let dump = self.inspect(&["dump-tree"]);
        let mut kinds: Vec<char> = dump
            .lines()
            .filter_map(|line| line.split("extent compression ").nth(1))
            .filter_map(|kind| kind.chars().next())
            .collect();
        kinds.sort_unstable();
        kinds.dedup();
        kinds
    }

    /// All files, as `btrfs restore` reads them, with their modes.
    fn restored(&self) -> PathBuf {
        let folder = self.dir.path().join("files");
        fs::create_dir(&folder).unwrap();
        let mut restore = tool("btrfs");
        restore
            .args(["restore", "--snapshots", "--symlinks", "--metadata", "--xattr"])
            .arg(&self.image)
            .arg(&folder);
        run(&mut restore);
        folder
    }
}

/// The whole closure of a store path below a folder, as the store has it.
fn same_closure(world: &World, root: &str, below: &Path) {
    let mut query = world.nix("nix-store");
    let paths = run(query.args(["--query", "--requisites", root]));
    assert!(paths.lines().count() > 1, "{paths}");
    for path in paths.lines() {
        let name = Path::new(path).file_name().unwrap();
        run(tool("diff")
            .args(["--recursive", "--no-dereference"])
            .arg(on_host(world, path))
            .arg(below.join(name)));
    }
}

fn coreutils(world: &World) -> String {
    let path = evaluated(world, "t.pkgs.demo.coreutils");
    path.as_str().unwrap().into()
}

fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn decompressed(file: &Path, dir: &Path) -> PathBuf {
    let plain = dir.join("plain");
    run(tool("zstd").args(["-q", "-d"]).arg(file).arg("-o").arg(&plain));
    plain
}

/// Whether what all tests here need is here.
fn ready() -> Option<World> {
    if !installed(&["btrfs", "zstd", "diff"]) || !is_root() {
        return None;
    }
    world()
}

#[test]
fn the_function_makes_what_is_asked_of_it() {
    let Some(world) = ready() else { return };
    let [whole, file] = built(&world, ["functions.whole", "functions.file"]);
    assert_eq!(names(&whole), ["nix-support", "root.btrfs"]);
    let products = fs::read_to_string(whole.join("nix-support/hydra-build-products")).unwrap();
    assert!(products.starts_with("file btrfs-image /nix/store/"), "{products}");
    let root = Btrfs::in_folder(&whole, "root.btrfs");
    assert_eq!(
        root.superblock("label"),
        "a label of many more letters than an ext4 has"
    );
    assert_eq!(root.superblock("fsid"), UUID);
    assert_eq!(root.subvolumes(), ["home read-only", "nix"]);
    assert!(root.compressors().contains(&'3'), "zstd");
    let files = root.restored();
    same_closure(&world, &coreutils(&world), &files.join("nix/store"));
    assert_eq!(
        fs::read_to_string(files.join("home/user/note")).unwrap(),
        "hello\n"
    );
    assert!(files.join("nix/var/nix/db/db.sqlite").is_file());

    // A file, which is compressed as a whole.
    assert!(file.is_file() && file.to_str().unwrap().ends_with("-data.img.zst"));
    let dir = tempfile::tempdir().unwrap();
    let data = Btrfs::checked(&decompressed(&file, dir.path()), None);
    assert_eq!(data.compressors(), ['0']);
    let chunks = data.inspect(&["dump-tree", "-t", "chunk"]);
    assert!(!chunks.contains("DUP"), "{chunks}");
    let files = data.restored();
    assert_eq!(names(&files), ["kept", "zeros"]);
    assert_eq!(fs::read(files.join("zeros")).unwrap(), vec![0; 300_000]);
}

#[test]
fn what_sd_image_calls_for_a_btrfs() {
    let Some(world) = ready() else { return };
    let [plain, compressed] = built(&world, ["called.plain", "called.compressed"]);
    assert!(plain.is_file() && plain.to_str().unwrap().ends_with("-btrfs-fs.img"));
    assert!(compressed.is_file() && compressed.to_str().unwrap().ends_with("-btrfs-fs.img.zst"));
    let root = Btrfs::checked(&plain, None);
    assert_eq!(root.superblock("label"), "NIXOS_SD");
    assert_eq!(root.superblock("fsid"), UUID);
    assert_eq!(root.subvolumes(), ["home", "nix read-only"]);
    assert_eq!(root.compressors(), ['0']);
    let files = root.restored();
    assert_eq!(
        names(&files),
        [
            ".hidden",
            "again",
            "boot",
            "home",
            "link",
            "nix",
            "nix-path-registration",
            "run"
        ]
    );
    same_closure(&world, &coreutils(&world), &files.join("nix/store"));
    assert_eq!(fs::read_to_string(files.join("boot/menu")).unwrap(), "menu\n");
    assert_eq!(fs::read_link(files.join("link")).unwrap(), Path::new("boot/menu"));
    assert_eq!(mode(&files.join("run")), 0o755);
    assert_eq!(mode(&files.join("nix-path-registration")), 0o444);
    // A directory that is a subvolume, too, has the mode that the commands gave it; btrfs restore passes over that.
    let home = root.inspect(&["dump-tree", "-t", "256"]);
    assert!(home.contains("mode 40700 links 1 uid 0 gid 0"), "{home}");
    let inodes = root.inspect(&["dump-tree", "-t", "5"]);
    assert!(inodes.contains("mode 100755 links 2 uid 0 gid 0"), "{inodes}");
    let registration = fs::read_to_string(files.join("nix-path-registration")).unwrap();
    assert!(registration.contains(&coreutils(&world)), "{registration}");

    let dir = tempfile::tempdir().unwrap();
    let bytes = |path: &Path| fs::read(path).unwrap();
    assert!(bytes(&decompressed(&compressed, dir.path())) == bytes(&plain));
}

/// First byte and count of bytes of the second partition.
fn second(image: &Path) -> (u64, u64) {
    let text = run(tool("partx")
        .args(["-g", "-b", "-o", "START,SIZE", "--nr", "2"])
        .arg(image));
    let mut words = text.split_whitespace().map(|word| word.parse::<u64>().unwrap());
    (words.next().unwrap() * 512, words.next().unwrap())
}

#[test]
fn cards_have_a_root_that_is_a_btrfs() {
    if !installed(&["partx"]) {
        return;
    }
    let Some(world) = ready() else { return };
    let [card, changed, disk] = built(&world, ["card", "changed-card", "disk"]);
    let image = card.join("sd-image/board.img");
    let part = second(&image);
    let root = Btrfs::checked(&image, Some(part));
    assert_eq!(root.superblock("label"), "NIXOS_SD");
    assert_eq!(root.superblock("fsid"), "44444444-4444-4444-8888-888888888888");
    assert_eq!(root.subvolumes(), ["home", "nix"]);
    let files = root.restored();
    assert_eq!(
        names(&files),
        ["boot", "home", "nix", "nix-path-registration"],
        "a menu, a store and what commands made"
    );
    let menu = fs::read_to_string(files.join("boot/extlinux/extlinux.conf")).unwrap();
    assert!(menu.contains("\nTIMEOUT 50\n"), "{menu}");
    assert!(files.join("nix/var/nix/db/db.sqlite").is_file());
    let toplevel = evaluated(&world, "(t.sd [ t.uBoot ]).system.build.toplevel.outPath");
    let toplevel = Path::new(toplevel.as_str().unwrap()).file_name().unwrap();
    assert!(files.join("nix/store").join(toplevel).is_dir());

    // What preBuildCommands made of the root is what lies in the image.
    let changed = changed.join("sd-image/board.img");
    let (start, len) = second(&changed);
    let root = Btrfs::checked(&changed, Some((start, len)));
    assert_eq!(root.compressors(), ['0']);
    let held: u64 = root.superblock("dev_item.total_bytes").parse().unwrap();
    assert_eq!(held + 65536, len);

    let image = disk.join("board.img");
    let root = Btrfs::checked(&image, Some(second(&image)));
    assert_eq!(root.subvolumes(), ["home read-only"]);
    assert_eq!(root.superblock("label"), "NIXOS_SD");
    assert!(root.restored().join("nix/var/nix/db/db.sqlite").is_file());
}

#[test]
fn hosts_of_sane_image_have_their_subvolumes() {
    let Some(world) = ready() else { return };
    let [flat, compressed, apart, store] = built(
        &world,
        [
            "layouts.flat",
            "layouts.compressed",
            "layouts.apart.nixFsImg",
            "layouts.store.nixFsImg",
        ],
    );
    let id = "11111111-2222-3333-4444-555555555555";
    let roots = [&flat, &compressed].map(|folder| {
        let image = folder.join("nixos.img");
        let (_, partitions) = gpt(&image, 512);
        let part = &partitions[1];
        assert_eq!((&*part.guid, &*part.name), (id, "Linux filesystem"));
        let len = (part.last + 1 - part.first) * 512;
        Btrfs::checked(&image, Some((part.first * 512, len)))
    });
    let closure = coreutils(&world);
    for root in &roots {
        assert_eq!(root.superblock("label"), "NIXOS_SYSTEM");
        assert_eq!(root.superblock("fsid"), id);
        assert_eq!(root.subvolumes(), Vec::<String>::new());
    }
    assert_eq!(roots[0].compressors(), ['0']);
    assert!(roots[1].compressors().contains(&'3'));
    let files = roots.map(|root| (root.restored(), root));
    for (folder, _) in &files {
        same_closure(&world, &closure, &folder.join("nix/store"));
        assert!(folder.join("nix-path-registration").is_file());
    }
    assert!(files[0].0.join("var/log").is_dir());

    let apart = Btrfs::in_folder(&apart, "nix.btrfs");
    assert_eq!(apart.subvolumes(), ["@", "@home", "@nix"]);
    assert!(apart.compressors().contains(&'1'), "zlib");
    let files = apart.restored();
    assert_eq!(names(&files), ["@", "@home", "@nix"]);
    assert_eq!(
        names(&files.join("@nix")),
        ["nix-path-registration", "store", "var"]
    );
    same_closure(&world, &closure, &files.join("@nix/store"));
    assert!(files.join("@/var/log").is_dir() && files.join("@home/user").is_dir());

    let store = Btrfs::in_folder(&store, "nix.btrfs");
    assert!(store.compressors().contains(&'2'), "lzo");
    let files = store.restored();
    assert_eq!(names(&files), ["nix-path-registration", "store"]);
    same_closure(&world, &closure, &files.join("store"));
}

#[test]
fn definitions_of_image_repart_make_a_btrfs() {
    let Some(world) = ready() else { return };
    let [made] = built(&world, ["partitioned"]);
    let image = made.join("appliance_7.raw");
    let (_, partitions) = gpt(&image, 512);
    let [root, small] = [&partitions[0], &partitions[1]].map(|part| {
        let len = (part.last + 1 - part.first) * 512;
        (Btrfs::checked(&image, Some((part.first * 512, len))), len)
    });
    let (root, len) = root;
    assert_eq!(len, 300 << 20);
    let held: u64 = root.superblock("dev_item.total_bytes").parse().unwrap();
    assert_eq!(held, len, "as large as the partition");
    assert_eq!(root.superblock("label"), "root");
    assert_eq!(root.subvolumes(), ["@snapshots read-only", "home *", "nix"]);
    assert!(root.compressors().contains(&'3'));
    let files = root.restored();
    assert_eq!(names(&files), ["@snapshots", "etc", "home", "nix"]);
    same_closure(&world, &coreutils(&world), &files.join("nix/store"));
    assert_eq!(fs::read_to_string(files.join("etc/sub/file")).unwrap(), "deep\n");

    let (small, len) = small;
    let held: u64 = small.superblock("dev_item.total_bytes").parse().unwrap();
    assert!(held <= len && len < 20 << 20, "{held} in {len}");
    assert_eq!(names(&small.restored()), ["sub"]);
}
