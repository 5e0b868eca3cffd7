//! What specifications put into a file system, read back from its image.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod access;

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;

use image::{Kind, Silent, Tree};
use spec::{Detail, Rehash, Squashing, Work};

use access::access;

const SYSTEM: &str = "/nix/store/ssssssssssssssssssssssssssssssss-system";
const LINUX: &str = "/nix/store/llllllllllllllllllllllllllllllll-linux-6.1";
const HASH: &str = "sha256:1ib0rn0jdvh35xmfrwnxg16q2zsdjbk0b8h6819bz0njrn3v579h";

/// What every specification here begins with.
const HEAD: &str = r#"
schema = 1
name = "x"
[closure]
from = "registration"
store-root = "store"
[fs.boot]
"#;

/// A folder with a store of a system and its kernel, and two folders of firmware.
fn world() -> tempfile::TempDir {
    let world = tempfile::tempdir().unwrap();
    let file = |path: &str, text: &str| {
        let path = world.path().join(path.trim_start_matches('/'));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    for (path, text) in [
        ("Image", "kernel"),
        ("initrd", "initrd"),
        ("dtbs/rockchip/rk3328-rock64.dtb", "rock64"),
    ] {
        file(&format!("store{LINUX}/{path}"), text);
    }
    file(&format!("store{SYSTEM}/nixos-version"), "25.11");
    file(&format!("store{SYSTEM}/kernel-params"), "loglevel=4");
    for (name, target) in [("kernel", "Image"), ("initrd", "initrd"), ("dtbs", "dtbs")] {
        let link = world.path().join(format!("store{SYSTEM}/{name}"));
        symlink(format!("{LINUX}/{target}"), link).unwrap();
    }
    let mut registration = String::new();
    write!(
        registration,
        "{LINUX}\n{HASH}\n1\n\n0\n{SYSTEM}\n{HASH}\n1\n\n1\n{LINUX}\n"
    )
    .unwrap();
    file("registration", &registration);
    file("firmware/start4.elf", "start");
    file("firmware/overlays/one.dtbo", "one");
    file("extra/overlays/two.dtbo", "two");
    file("extra/config.txt", "arm_64bit=1");
    file("clash/overlays/one.dtbo", "another one");
    file("u-boot.bin", "u-boot");
    world
}

/// The tree in the FAT of `[fs.boot]`, which these keys describe.
fn made(world: &Path, keys: &str) -> spec::Result<Tree> {
    made_of(world, &format!("{HEAD}format = 'fat'\n{keys}"))
}

/// The same in an ext4.
fn made_ext4(world: &Path, keys: &str) -> spec::Result<Tree> {
    made_of(world, &format!("{HEAD}format = 'ext4'\n{keys}"))
}

fn made_of(world: &Path, text: &str) -> spec::Result<Tree> {
    let spec = spec::parse(text, Path::new("spec.toml"))?;
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
    let part = spec::plan(&spec, &gathered, &work)?.parts.remove(0);
    let (source, size) = (Arc::new(part.content.clone()), part.content.len());
    Ok(match part.detail {
        Detail::Fat { .. } => fat::read::FileSystem::open(source, size).unwrap().tree().unwrap(),
        _ => ext4::read::FileSystem::open(source, size)
            .unwrap()
            .tree()
            .unwrap(),
    })
}

/// The files of a tree: path and text.
fn files(tree: &Tree) -> String {
    let mut text = String::new();
    for entry in tree.walk() {
        if let Kind::File(content) = &tree.node(entry.id).kind {
            let content = String::from_utf8_lossy(&content.to_vec().unwrap()).into_owned();
            writeln!(text, "{} {content}", image::show(&entry.path)).unwrap();
        }
    }
    text
}

fn error(world: &Path, keys: &str) -> String {
    made(world, keys).unwrap_err().to_string()
}

#[test]
fn several_folders_become_one() {
    let world = world();
    let keys = r#"
        [fs.boot.files]
        "/" = ["firmware/", "extra/"]
        "/u-boot-rpi4.bin" = "u-boot.bin"
        "/dtbs" = "{dtbs}"
    "#;
    insta::assert_snapshot!(files(&made(world.path(), keys).unwrap()), @r"
    /config.txt arm_64bit=1
    /dtbs/rockchip/rk3328-rock64.dtb rock64
    /overlays/one.dtbo one
    /overlays/two.dtbo two
    /start4.elf start
    /u-boot-rpi4.bin u-boot
    ");
}

#[test]
fn a_name_in_two_folders_is_an_error() {
    let world = world();
    for sources in [r#"["firmware", "clash"]"#, r#"["clash", "extra", "firmware"]"#] {
        let keys = format!("files = {{ '/boot' = {sources} }}");
        assert_eq!(
            error(world.path(), &keys),
            "fs.boot: /boot/overlays/one.dtbo: is in the tree already"
        );
    }
    let keys = r#"files = { "/" = "firmware", "/overlays" = "u-boot.bin" }"#;
    assert_eq!(
        error(world.path(), keys),
        "fs.boot: /overlays: is in the tree already"
    );
    let keys = r#"files = { "/" = ["firmware", "none"] }"#;
    assert!(error(world.path(), keys).contains("none: cannot be read"));
    let keys = "files = { '/' = 1 }";
    assert!(error(world.path(), keys).contains("expected a source or a list of sources"));
}

#[test]
fn a_boot_menu_lies_where_it_is_wanted() {
    let world = world();
    let keys = r#"
        extlinux = { at = "/", timeout = 1 }
        files = { "/u-boot.bin" = "u-boot.bin" }
    "#;
    insta::assert_snapshot!(files(&made(world.path(), keys).unwrap()), @r"
    /extlinux/extlinux.conf # Generated file, all changes will be lost on nixos-rebuild!

    # Change this to e.g. nixos-42 to temporarily boot to an older configuration.
    DEFAULT nixos-default

    TIMEOUT 10
    MENU TITLE ------------------------------------------------------------

    LABEL nixos-default
      MENU LABEL NixOS - Default
      LINUX ../nixos/llllllllllllllllllllllllllllllll-linux-6.1-Image
      INITRD ../nixos/llllllllllllllllllllllllllllllll-linux-6.1-initrd
      APPEND init=/nix/store/ssssssssssssssssssssssssssssssss-system/init loglevel=4
      FDTDIR ../nixos/llllllllllllllllllllllllllllllll-linux-6.1-dtbs

    /nixos/llllllllllllllllllllllllllllllll-linux-6.1-Image kernel
    /nixos/llllllllllllllllllllllllllllllll-linux-6.1-dtbs/rockchip/rk3328-rock64.dtb rock64
    /nixos/llllllllllllllllllllllllllllllll-linux-6.1-initrd initrd
    /u-boot.bin u-boot
    ");
    let usual = made_ext4(world.path(), "extlinux = {}").unwrap();
    assert!(usual.lookup(b"/boot/extlinux/extlinux.conf").is_some());

    let keys = r#"
        extlinux = { at = "/" }
        files = { "/extlinux/extlinux.conf" = "u-boot.bin" }
    "#;
    assert_eq!(
        error(world.path(), keys),
        "fs.boot: /extlinux/extlinux.conf: is in the tree already"
    );
    assert!(error(world.path(), "extlinux = { time-out = 1 }").contains("unknown field `time-out`"));
}

#[test]
fn the_database_lies_where_nix_looks_for_it() {
    let world = world();
    let tree = made_ext4(world.path(), "database = true\ntime = 315532800").unwrap();
    let bytes = |path: &str| {
        let Kind::File(content) = &tree.node(tree.lookup(path.as_bytes()).unwrap()).kind else {
            return Vec::new();
        };
        content.to_vec().unwrap()
    };
    assert_eq!(bytes("/nix/var/nix/db/schema"), b"10");
    let closure = nix::Closure::read(&world.path().join("registration")).unwrap();
    let expected = nix::database(&closure, &Tree::default(), 315_532_800).unwrap();
    assert!(bytes("/nix/var/nix/db/db.sqlite") == expected);

    let keys = "database = true\nfiles = { '/nix/var/nix/db/schema' = 'u-boot.bin' }";
    let error = made_ext4(world.path(), keys).unwrap_err();
    assert_eq!(
        error.to_string(),
        "fs.boot: /nix/var/nix/db/schema: is in the tree already"
    );
}

#[test]
fn what_needs_a_closure_says_so() {
    let world = world();
    let without = |keys: &str| {
        let text = format!("schema = 1\nname = 'x'\n[fs.boot]\nformat = 'ext4'\n{keys}");
        made_of(world.path(), &text).unwrap_err().to_string()
    };
    assert_eq!(
        without("database = true"),
        "fs.boot: database = true needs a [closure] with store paths"
    );
    assert_eq!(
        without("extlinux = {}"),
        "fs.boot.extlinux: a boot menu needs a [closure] with a toplevel"
    );
}

#[test]
fn store_paths_lie_where_the_file_system_is_mounted() {
    let world = world();
    let version = |tree: &Tree, at: &str| {
        let path = format!("{at}/{}/nixos-version", SYSTEM.trim_start_matches("/nix/store/"));
        tree.lookup(path.as_bytes()).is_some()
    };
    let all = "closure = true\nextlinux = {}\nregistration = '/nix-path-registration'";
    for (keys, at) in [
        ("", "/nix/store"),
        ("closure-at = '/store'", "/store"),
        ("closure-at = '/'", ""),
    ] {
        let tree = made_ext4(world.path(), &format!("{all}\n{keys}")).unwrap();
        assert!(version(&tree, at), "{keys}");
        let registration = tree.lookup(b"/nix-path-registration").unwrap();
        assert_eq!(tree.node(registration).meta.mode, 0o444, "{keys}");
        assert!(tree.lookup(b"/boot/extlinux/extlinux.conf").is_some(), "{keys}");
        assert_eq!(tree.lookup(b"/nix").is_some(), at == "/nix/store", "{keys}");
    }
    let error = made_ext4(world.path(), "closure-at = '/'").unwrap_err();
    assert_eq!(
        error.to_string(),
        "fs.boot: closure-at means nothing without closure = true"
    );
}

#[test]
fn the_database_lies_beside_its_store() {
    let world = world();
    let all = "closure = true\ndatabase = true";
    for (keys, folder) in [
        ("", "/nix/var/nix/db"),
        ("closure-at = '/store'", "/var/nix/db"),
        ("closure-at = '/@/nix/store'", "/@/nix/var/nix/db"),
        ("closure-at = '/@nix/store'", "/@nix/var/nix/db"),
        ("closure-at = '/'", "/nix/var/nix/db"),
        ("closure-at = '/paths'", "/nix/var/nix/db"),
    ] {
        let tree = made_ext4(world.path(), &format!("{all}\n{keys}")).unwrap();
        let file = |folder: &str| tree.lookup(format!("{folder}/db.sqlite").as_bytes());
        assert!(file(folder).is_some(), "{keys}");
        assert_eq!(
            file("/nix/var/nix/db").is_some(),
            folder == "/nix/var/nix/db",
            "{keys}"
        );
    }
}

#[test]
fn a_squashfs_of_store_paths_in_its_root() {
    let world = world();
    let text = format!("{HEAD}format = 'squashfs'\nclosure = true\nclosure-at = '/'\nlevel = 1");
    let spec = spec::parse(&text, Path::new("spec.toml")).unwrap();
    let gathered = spec::gather(&spec, Rehash::Accept, &access(world.path())).unwrap();
    let work = Work {
        folder: world.path(),
        squashing: Squashing::Spool(world.path()),
        threads: 1,
        progress: &Silent,
        segments: None,
        roots: None,
        efi: None,
        release: None,
        only: &[],
    };
    let part = spec::plan(&spec, &gathered, &work).unwrap().parts.remove(0);
    let (source, size) = (Arc::new(part.content.clone()), part.content.len());
    let tree = squashfs::read::Archive::open(source, size)
        .unwrap()
        .tree()
        .unwrap();
    let name = SYSTEM.trim_start_matches("/nix/store");
    assert!(files(&tree).contains(&format!("{name}/kernel-params loglevel=4\n")));
    assert!(tree.lookup(b"/nix").is_none());
}
