//! GRUB on disks and in file systems: what is refused before anything is made, and what lies where.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod access;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;

use image::{ReadAt, Silent, Tree};
use spec::{Plan, Rehash, Squashing, Work};

use access::access;

const SYSTEM: &str = "/nix/store/ssssssssssssssssssssssssssssssss-system";
const LINUX: &str = "/nix/store/llllllllllllllllllllllllllllllll-linux-6.1";
const HASH: &str = "sha256:1ib0rn0jdvh35xmfrwnxg16q2zsdjbk0b8h6819bz0njrn3v579h";

const HEAD: &str = r#"
schema = 1
name = "x"
[closure]
from = "registration"
store-root = "store"
"#;

/// An ELF file of one section that GRUB's kernel would have.
fn kernel() -> Vec<u8> {
    let mut file = vec![0; 52];
    file[..6].copy_from_slice(b"\x7fELF\x01\x01");
    file[18] = 3;
    file[32] = 56;
    file[46] = 40;
    file[48] = 1;
    file.extend(b"code");
    for field in [0, 1, 6, 0x9000, 52, 4, 0, 0, 0, 0_u32] {
        file.extend(field.to_le_bytes());
    }
    file
}

/// A folder with a system, and files that are as long as GRUB's.
fn world() -> tempfile::TempDir {
    let world = tempfile::tempdir().unwrap();
    let file = |path: &str, bytes: &[u8]| {
        let path = world.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    };
    for name in ["Image", "initrd"] {
        file(&format!("store{LINUX}/{name}"), name.as_bytes());
    }
    for (name, text) in [("nixos-version", "25.11"), ("kernel-params", "loglevel=4")] {
        file(&format!("store{SYSTEM}/{name}"), text.as_bytes());
    }
    for (name, target) in [("kernel", "Image"), ("initrd", "initrd")] {
        let link = world.path().join(format!("store{SYSTEM}/{name}"));
        symlink(format!("{LINUX}/{target}"), link).unwrap();
    }
    let specialisation = world.path().join(format!("store{SYSTEM}/specialisation"));
    fs::create_dir(&specialisation).unwrap();
    symlink(SYSTEM, specialisation.join("safe")).unwrap();
    let paths = format!("{LINUX}\n{HASH}\n1\n\n0\n{SYSTEM}\n{HASH}\n1\n\n1\n{LINUX}\n");
    file("registration", paths.as_bytes());

    let modules = "biosdisk part_gpt part_msdos ext2 fat squash4 normal search linux configfile test echo loadenv serial \
                   terminal minicmd ls halt reboot";
    let list = modules.replace(' ', ":\n") + ":\n";
    file("grub/moddep.lst", format!("{list}btrfs: missing\n").as_bytes());
    for name in modules.split_whitespace() {
        file(&format!("grub/{name}.mod"), name.as_bytes());
    }
    for (name, len) in [
        ("boot.img", 512),
        ("diskboot.img", 512),
        ("lzma_decompress.img", 2848),
    ] {
        file(&format!("grub/{name}"), &vec![0x5a; len]);
    }
    file("grub/kernel.img", &kernel());
    world
}

fn planned(world: &Path, text: &str) -> spec::Result<Plan> {
    let spec = spec::parse(&format!("{HEAD}{text}"), Path::new("spec.toml"))?;
    let gathered = spec::gather(&spec, Rehash::Skip, &access(world))?;
    let work = Work {
        folder: world,
        squashing: Squashing::Estimate,
        threads: 1,
        progress: &Silent,
        segments: None,
        roots: None,
        efi: None,
        release: None,
        only: &[],
    };
    spec::plan(&spec, &gathered, &work)
}

/// A root with a menu, a region for it, and a disk with these keys.
fn with(fs: &str, disk: &str) -> String {
    format!(
        "[fs.root]\ngrub = {{}}\nclosure = true\n{fs}\n[disk]\n{disk}\n\
         [[disk.region]]\nname = 'root'\ntype = 'linux'\ncontent = 'fs.root'"
    )
}

const EXT4: &str = "format = 'ext4'";
const MBR: &str = "table = 'mbr'\ngrub = { from = 'grub' }";
const GPT: &str = "grub = { from = 'grub' }\n[[disk.region]]\nname = 'bios'\ntype = 'bios-boot'";

/// The first two MiB.
fn head(plan: &Plan) -> Vec<u8> {
    let mut bytes = vec![0; 2 << 20];
    let image = &plan.disk.as_ref().unwrap().0.image;
    image.read_exact_at(&mut bytes, 0).unwrap();
    bytes
}

#[test]
fn the_core_lies_in_the_gap_of_an_mbr() {
    let world = world();
    let disk = head(&planned(world.path(), &with(EXT4, MBR)).unwrap());
    assert_eq!(disk[..0x5c], [0x5a; 0x5c]);
    assert_eq!(disk[0x5c..0x64], 1_u64.to_le_bytes());
    assert_eq!(disk[0x64..0x68], [0xff, 0x5a, 0x90, 0x90]);
    assert_eq!(disk[510..512], [0x55, 0xaa]);
    let core = &disk[512..];
    assert_eq!(core[..488], [0x5a; 488]);
    assert_eq!(core[500..508], 2_u64.to_le_bytes());
    assert_eq!(core[510..512], 0x820_u16.to_le_bytes());
}

#[test]
fn the_core_lies_in_the_partition_of_a_gpt() {
    let world = world();
    // Wherever that is.
    let disk = GPT.replace("'bios-boot'", "'bios-boot'\noffset = '1024KiB'\nsize = '64KiB'");
    for (disk, sector) in [(GPT, 2048_u64), (&disk, 2048)] {
        let disk = head(&planned(world.path(), &with(EXT4, disk)).unwrap());
        assert_eq!(disk[0x5c..0x64], sector.to_le_bytes());
        let core = &disk[1 << 20..];
        assert_eq!(core[..488], [0x5a; 488]);
        assert_eq!(core[500..508], (sector + 1).to_le_bytes());
    }
    let hybrid = format!("table = 'hybrid'\n{GPT}");
    let hybrid = with(EXT4, &hybrid).replace("'fs.root'", "'fs.root'\nmbr-type = 'linux'");
    let hybrid = head(&planned(world.path(), &hybrid).unwrap());
    assert_eq!(hybrid[0x5c..0x64], 2048_u64.to_le_bytes());
}

#[test]
fn what_grub_cannot_do_is_said_before_anything_is_made() {
    let world = world();
    let squash = "format = 'squashfs'";
    for (fs, disk, problem) in [
        (
            squash,
            MBR.to_string(),
            "disk.grub.root: fs.root is a squashfs compressed with zstd, which GRUB cannot read: a FAT or an ext4 can have the \
             kernels and the menu (grub = { at = \"/\" }); or say compression = \"xz\" or \"gzip\"",
        ),
        (
            "format = 'btrfs'\nprofile = 'modern'",
            MBR.into(),
            "disk.grub.root: fs.root is a btrfs of the profile modern, which GRUB cannot read: say profile = \"portable\"",
        ),
        (
            "format = 'btrfs'",
            MBR.into(),
            "disk.grub: grub: has no module missing",
        ),
        (
            "format = 'btrfs'\ncompression = 'zstd'",
            MBR.replace(" }", ", modules = ['luks'] }"),
            "disk.grub: grub: has no module missing, zstd, luks",
        ),
        (
            EXT4,
            format!("{MBR}\nsector-size = 4096"),
            "disk.grub: a BIOS counts sectors of 512 bytes, and disk.sector-size is 4096",
        ),
        (
            EXT4,
            MBR.replace("mbr", "none"),
            "disk.grub: needs a table: \"gpt\", \"mbr\" or \"hybrid\"",
        ),
        (
            EXT4,
            format!("{MBR}\nboot-code = 'grub/boot.img'"),
            "disk.grub: disk.boot-code is what a BIOS runs, and so would this be",
        ),
        (
            EXT4,
            MBR.replace("mbr", "gpt"),
            "disk.grub: needs a region of the type \"bios-boot\", for a GPT leaves no gap before partitions",
        ),
        (
            EXT4,
            format!("{GPT}\nraw = 'grub/boot.img'"),
            "disk.grub: region \"bios\" has a content, and GRUB's core image belongs there",
        ),
        (
            EXT4,
            format!("{GPT}\nsize = '1KiB'"),
            "disk.grub: GRUB's core image has 3584 bytes, and region \"bios\" has 1024: 2560 too few",
        ),
        (
            EXT4,
            format!("{MBR}\n[[disk.region]]\nname = 'a'\ntype = 'linux'\noffset = '1KiB'\nsize = '1MiB'"),
            "disk.grub: GRUB's core image has 3584 bytes, and region \"a\" at 1024 leaves it 512: 3072 too few",
        ),
        (
            EXT4,
            MBR.replace(" }", ", root = 'fs.rot' }"),
            "disk.grub.root: there is no part \"fs.rot\"",
        ),
    ] {
        let error = planned(world.path(), &with(fs, &disk)).unwrap_err().to_string();
        let error = error.replace(&world.path().join("grub").display().to_string(), "grub");
        assert_eq!(error, problem, "{fs}, {disk}");
    }
    let without = with(EXT4, MBR).replace("grub = {}\n", "");
    assert_eq!(
        planned(world.path(), &without).unwrap_err().to_string(),
        "disk.grub.root: is missing, and no file system has a menu (grub = {})"
    );
    let named = without.replace("from = 'grub'", "from = 'grub', root = 'fs.root'");
    planned(world.path(), &named).unwrap();
    let two = format!("{}\n[fs.b]\nformat = 'fat'\ngrub = {{}}", with(EXT4, MBR));
    assert_eq!(
        planned(world.path(), &two).unwrap_err().to_string(),
        "disk.grub.root: is missing, and several file systems have a menu (grub)"
    );
}

#[test]
fn limine_lies_in_the_same_places() {
    let world = world();
    let mut file = b"\xeb\x3c\x90LIMINE  ".to_vec();
    file.resize(512, 0xb0);
    file.resize(512 + 1500, 0x52);
    fs::write(world.path().join("limine.bin"), &file).unwrap();
    let limine = |disk: &str| {
        with(
            EXT4,
            &disk.replace("grub = { from = 'grub' }", "limine = { from = 'limine.bin' }"),
        )
    };
    for (disk, start) in [(MBR, 512), (GPT, 1 << 20)] {
        let disk = head(&planned(world.path(), &limine(disk)).unwrap());
        assert_eq!(disk[..218], file[..218]);
        assert_eq!(disk[0x1a4..0x1a8], [0, 4, 0, 2]);
        assert_eq!(disk[0x1a8..0x1b0], u64::try_from(start).unwrap().to_le_bytes());
        assert_eq!(
            disk[0x1b0..0x1b8],
            u64::try_from(start + 1024).unwrap().to_le_bytes()
        );
        assert_eq!(disk[start..start + 1500], file[512..]);
    }
    let error = |text: &str| planned(world.path(), text).map(drop).unwrap_err().to_string();
    assert_eq!(
        error(&limine(&format!("{GPT}\nsize = '1KiB'"))),
        "disk.limine: Limine's second stage has 1536 bytes, and region \"bios\" has 1024: 512 too few"
    );
    assert_eq!(
        error(&with(EXT4, &format!("limine = {{ from = 'limine.bin' }}\n{MBR}"))),
        "disk: grub and limine exclude each other: a BIOS runs one of them"
    );
    fs::write(world.path().join("limine.bin"), "other").unwrap();
    let error = error(&limine(MBR));
    assert!(
        error.ends_with("limine.bin: is no limine-bios-hdd.h: it does not begin with Limine's boot sector"),
        "{error}"
    );
}

/// The tree of a file system with these keys.
fn tree(world: &Path, keys: &str) -> spec::Result<Tree> {
    let plan = planned(world, &format!("[fs.root]\n{keys}"))?;
    let content = plan.parts[0].content.clone();
    let (source, size) = (Arc::new(content.clone()), content.len());
    Ok(if keys.contains("fat") {
        fat::read::FileSystem::open(source, size).unwrap().tree().unwrap()
    } else {
        ext4::read::FileSystem::open(source, size)
            .unwrap()
            .tree()
            .unwrap()
    })
}

fn text(tree: &Tree, path: &str) -> String {
    let id = tree
        .lookup(path.as_bytes())
        .unwrap_or_else(|| panic!("{path} is not there"));
    let image::Kind::File(content) = &tree.node(id).kind else {
        panic!("{path} is no file")
    };
    String::from_utf8(content.to_vec().unwrap()).unwrap()
}

/// What boots of a menu: titles and where kernels are.
fn entries(menu: &str) -> Vec<&str> {
    let lines = menu.lines().map(str::trim);
    lines
        .filter_map(|line| {
            let title = line
                .strip_prefix("menuentry ")
                .and_then(|line| line.split('"').nth(1));
            title.or_else(|| {
                line.strip_prefix("linux ")
                    .and_then(|line| line.split(' ').next())
            })
        })
        .collect()
}

#[test]
fn kernels_are_read_where_the_store_is_and_copied_elsewhere() {
    let world = world();
    let menu = |keys: &str, path: &str| {
        let tree = tree(world.path(), keys).unwrap();
        let menu = text(&tree, path);
        (tree, menu)
    };
    let uuid = "44444444-4444-4444-8888-888888888888";
    let (root, in_store) = menu(
        &format!(
            "format = 'ext4'\nclosure = true\nuuid = '{uuid}'\ngrub = {{ generations = {{ 7 = '{SYSTEM}' }}, time = 1763683200 }}"
        ),
        "/boot/grub/grub.cfg",
    );
    let kernel = format!("($drive1){LINUX}/Image");
    assert_eq!(
        entries(&in_store),
        [
            "NixOS - Default",
            &kernel,
            "NixOS - Default - safe",
            &kernel,
            "NixOS - Configuration 7 (2025-11-21 - 25.11)",
            &kernel,
            "NixOS - Configuration 7 - safe (2025-11-21 - 25.11)",
            &kernel,
        ]
    );
    assert!(root.lookup(b"/boot/kernels").is_none());
    assert!(
        in_store.contains(&format!("  linux {kernel} init={SYSTEM}/init loglevel=4\n")),
        "{in_store}"
    );
    assert!(in_store.contains(&format!("  search --set=drive1 --fs-uuid {uuid}\n")));

    let (boot, copied) = menu(
        "format = 'fat'\nid = '2178694e'\ngrub = { at = '/', serial = { unit = 1 } }",
        "/grub/grub.cfg",
    );
    let name = format!("{}-Image", &LINUX["/nix/store/".len()..]);
    assert_eq!(
        entries(&copied)[..2],
        ["NixOS - Default", &format!("($drive1)/kernels/{name}")]
    );
    assert_eq!(text(&boot, &format!("/kernels/{name}")), "Image");
    assert!(copied.contains("\nserial --unit=1 --speed=115200\n"));
    assert!(copied.contains(" --fs-uuid 2178-694E\n"));

    let (both, copied) = menu(
        "format = 'ext4'\nclosure = true\ngrub = { copy-kernels = true, timeout = -1, default = 1 }",
        "/boot/grub/grub.cfg",
    );
    assert_eq!(entries(&copied)[1], format!("($drive1)/boot/kernels/{name}"));
    assert_eq!(text(&both, &format!("/boot/kernels/{name}")), "Image");
    assert!(copied.contains("  set default=1\n  set timeout=-1\n"));
    let (_, relative) = menu("format = 'fat'\ngrub = { at = 'a/' }", "/a/grub/grub.cfg");
    assert_eq!(entries(&relative)[1], format!("($drive1)/a/kernels/{name}"));
    let (_, elsewhere) = menu(
        "format = 'ext4'\nclosure = true\nclosure-at = '/'\ngrub = {}",
        "/boot/grub/grub.cfg",
    );
    assert_eq!(
        entries(&elsewhere)[1],
        format!("($drive1){}/Image", &LINUX["/nix/store".len()..])
    );
}

#[test]
fn menus_that_cannot_be_are_refused() {
    let world = world();
    let error = |keys: &str| tree(world.path(), keys).map(drop).unwrap_err().to_string();
    for (keys, problem) in [
        (
            "format = 'fat'\ngrub = { copy-kernels = false }",
            "fs.root.grub: copy-kernels = false needs a store in the same file system",
        ),
        (
            "format = 'swap'\nsize = '1MiB'\ngrub = {}",
            "fs.root: grub is no key of format swap",
        ),
        (
            "format = 'fat'\ngrub = { timeout = 4294967296 }",
            "fs.root.grub: timeout = 4294967296: the limit is 4294967295 seconds",
        ),
        (
            "format = 'fat'\ngrub = { generations = { x = '{toplevel}' } }",
            "fs.root.grub.generations.\"x\": the key must be the number of a generation",
        ),
    ] {
        assert_eq!(error(keys), problem);
    }
    let params = world.path().join(format!("store{SYSTEM}/kernel-params"));
    fs::write(params, "a=\"b").unwrap();
    assert_eq!(
        error("format = 'fat'\ngrub = {}"),
        format!("fs.root: {SYSTEM}: the kernel's parameters have a quote without its other one")
    );
}
