//! Closures out of binary caches: what is refused, with its exit code and its hint, and nothing left.

use std::fs;

use insta::assert_snapshot;

use crate::world::{SYSTEM, World};

/// A world with a cache, which nobody has signed, of everything in its store.
pub(crate) fn world() -> World {
    let world = World::new();
    world.write("cache/nix-cache-info", b"StoreDir: /nix/store\n");
    let text = world.hashed();
    let closure = nix::Closure::from_registration("reg".as_ref(), text.as_bytes()).unwrap();
    let root = Some(world.path("store"));
    let tree = closure.tree(&nix::Store { root }).unwrap();
    for info in closure.paths() {
        let mut nar = Vec::new();
        let node = tree.lookup(info.path.as_str().as_bytes()).unwrap();
        nix::nar::write(&tree, node, &mut nar, &image::Silent).unwrap();
        let name = info.path.name();
        world.write(&format!("cache/nar/{name}"), &nar);
        let references = info.references.iter().flatten();
        let references: Vec<&str> = references.map(nix::StorePath::base_name).collect();
        let narinfo = format!(
            "StorePath: {}\nURL: nar/{name}\nCompression: none\nNarHash: {}\nNarSize: {}\nReferences: {}\n",
            info.path,
            info.nar_hash.unwrap(),
            info.nar_size.unwrap(),
            references.join(" ")
        );
        world.write(
            &format!("cache/{}.narinfo", info.path.hash_part()),
            narinfo.as_bytes(),
        );
    }
    world
}

/// What is said when an ext4 out of the cache is refused.
fn refused(world: &World, code: i32, options: &[&str]) -> String {
    let address = format!("file://{}", world.path("cache").display());
    let arguments = ["ext4", "--closure", &address, "--out", "out/a.ext4"];
    world.refused(code, &[&arguments[..], options].concat())
}

#[test]
fn what_nobody_has_signed() {
    let world = world();
    assert_snapshot!(refused(&world, 7, &["--path", SYSTEM]), @r"
    error: /nix/store/ssssssssssssssssssssssssssssssss-system: from file://cache: is not to be trusted: nobody has signed it; trusted is cache.nixos.org-1
    hint: add the public key of who signed it to trusted-keys of [closure] (--trusted-key NAME:BASE64), or believe the cache with allow-unsigned = true (--allow-unsigned)
    ");
}

#[test]
fn paths_and_keys_that_make_no_sense() {
    let world = world();
    assert_snapshot!(refused(&world, 2, &[]), @r"
    error: file://cache: which store paths? name them in closure.paths, or the system in closure.toplevel
    hint: of the command line, that is --path STORE-PATH
    ");
    assert_snapshot!(refused(&world, 2, &["--path", SYSTEM, "--trusted-key", "cache:AA=="]), @r"
    error: closure.trusted-keys: 'cache:AA==': not a public key: a public key has 32 bytes
    ");
    let other = "/nix/store/0023a8ppvzkvviq2887k7cpw39wzjibi-other";
    assert_snapshot!(refused(&world, 3, &["--path", other, "--allow-unsigned"]), @r"
    error: /nix/store/0023a8ppvzkvviq2887k7cpw39wzjibi-other: is not in file://cache
    hint: push it there with `nix copy --to`, or name another cache that has it too
    ");
}

#[test]
fn addresses_of_another_kind() {
    let world = world();
    let arguments = [
        "ext4",
        "--closure",
        "ftp://cache",
        "--path",
        SYSTEM,
        "--out",
        "out/a.ext4",
    ];
    assert_snapshot!(world.refused(2, &arguments), @"error: ftp://cache: not an address: it must start with file://, http://, https:// or s3://");
}

#[test]
fn caches_that_are_none_and_archives_that_are_damaged() {
    let world = world();
    let unsigned = ["--path", SYSTEM, "--allow-unsigned"];
    let file = world.path("cache/nar").join(SYSTEM.split_once('-').unwrap().1);
    let mut bytes = fs::read(&file).unwrap();
    let place = bytes.windows(6).position(|bytes| bytes == b"target").unwrap();
    bytes[place + 16] ^= 1;
    fs::write(&file, bytes).unwrap();
    assert_snapshot!(refused(&world, 3, &unsigned), @r"
    error: file://cache/nar/system: is not what its narinfo says: /nix/store/ssssssssssssssssssssssssssssssss-system: registered as sha256:1ai9dcfl0568w703lcizkjwlh8y5vvigba2157akmr85hac1z0xk (760 bytes), found sha256:0dz01f0s4gcqsyynl3ckhccim1cziq57ryjdzp6sz39pcczrxnj9 (760 bytes)
    hint: the cache or the way to it is damaged: nothing was used of it; try another cache
    ");
    world.write("cache/nix-cache-info", b"StoreDir: /gnu/store\n");
    assert_snapshot!(refused(&world, 3, &unsigned), @r"
    error: file://cache: is a cache of the store /gnu/store, and images have /nix/store
    ");
    fs::remove_file(world.path("cache/nix-cache-info")).unwrap();
    assert_snapshot!(refused(&world, 3, &unsigned), @r"
    error: file://cache: is no binary cache: it has no nix-cache-info
    hint: give the folder or address that nix-cache-info lies under
    ");
}

#[test]
fn what_was_let_in_unsigned_is_the_same_image() {
    let world = world();
    let address = format!("file://{}", world.path("cache").display());
    let made = |source: &[&str], out: &str| {
        world.done(&[&["ext4", "--out", out, "--label", "x"], source].concat());
        fs::read(world.path(out)).unwrap()
    };
    let fetched = made(
        &["--closure", &address, "--path", SYSTEM, "--allow-unsigned"],
        "out/a.ext4",
    );
    let local = made(
        &["--closure", "closure-info", "--store-root", "store"],
        "out/b.ext4",
    );
    assert!(fetched == local);
}
