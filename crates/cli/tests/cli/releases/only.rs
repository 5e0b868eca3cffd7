//! A release alone, and what else needs the keys of one.

use std::fs;

use insta::assert_snapshot;

use super::{World, build, listed, with_stub, world};

/// The specification's image is measured, and nobody signs it.
fn measured() -> Option<World> {
    let world = with_stub()?;
    let cmdline = "cmdline = \"roothash={fs.root.roothash}\"";
    let measure = format!("{cmdline}\nmeasure = {{ key = \"rsa.key\" }}");
    world.edit("spec.toml", cmdline, &measure);
    Some(world)
}

#[test]
fn a_release_alone_is_that_of_the_whole_build() {
    let Some(world) = measured() else { return };
    build(&world, "out", &[]);
    build(&world, "alone", &["--only", "release"]);
    let names = listed(&world, "out/release");
    assert_eq!(names.len(), 6, "{names:?}");
    assert_eq!(listed(&world, "alone/release"), names);
    for name in &names {
        let [whole, alone] =
            ["out", "alone"].map(|out| fs::read(world.path(&format!("{out}/release/{name}"))).unwrap());
        assert!(whole == alone, "{name}");
    }
}

#[test]
fn what_holds_the_keyring_is_made_alone() {
    let Some(world) = measured() else { return };
    build(&world, "out", &[]);
    for (part, file) in [
        ("verity.root", "root.verity"),
        ("uki.main", "main.efi"),
        ("fs.esp", "esp.vfat"),
    ] {
        build(&world, "alone", &["--only", part]);
        let [whole, alone] =
            ["out", "alone"].map(|out| fs::read(world.path(&format!("{out}/{file}"))).unwrap());
        assert!(whole == alone, "{part}");
    }
    // What does not hold it needs no key.
    let spec = fs::read_to_string(world.path("spec.toml")).unwrap();
    world.write(
        "spec.toml",
        format!("{spec}\n[fs.plain]\nformat = \"erofs\"\ntree = \"tree\"\n").as_bytes(),
    );
    fs::remove_file(world.path("rsa.key")).unwrap();
    build(&world, "alone", &["--only", "fs.plain"]);
}

#[test]
fn a_release_alone_is_checked_as_its_disk() {
    let Some(world) = measured() else { return };
    let none = "0".repeat(64);
    world.edit(
        "spec.toml",
        "roothash={fs.root.roothash}",
        &format!("roothash={none}"),
    );
    for only in ["disk", "release"] {
        let said = world.refused(2, &["build", "spec.toml", "--out", "out", "--only", only]);
        assert!(said.contains("and no partition of the disk has that"), "{said}");
    }
}

#[test]
fn a_tree_has_the_keyring_that_builds_put_in_it() {
    let world = world();
    let tree = |out: &'static str| ["tree", "spec.toml", "--part", "fs.root", "--out", out];
    world.done(&tree("root"));
    world.done(&[
        "release", "key", "--key", "rsa.key", "--out", "keys.gpg", "--user", "kilnos",
    ]);
    let keyring = |path: &str| fs::read(world.path(path)).unwrap();
    assert!(keyring("root/import-pubring.gpg") == keyring("keys.gpg"));
    assert_snapshot!(world.refused(2, &[&tree("none")[..], &["--unsigned"]].concat()), @r"
    error: release.sign.keyring: the key is elsewhere, and only it can make a keyring that gpg believes
    hint: `kiln release key` makes the file where the key is; name it here
    ");
    fs::remove_file(world.path("rsa.key")).unwrap();
    let said = world.refused(3, &tree("none"));
    assert!(said.contains("rsa.key: cannot be read"), "{said}");
    // Where it is a file, no key is needed.
    world.edit(
        "spec.toml",
        "sign = { key = \"rsa.key\", time = 1700000000 }",
        "sign = { keyring = \"keys.gpg\" }",
    );
    world.done(&[&tree("given")[..], &["--unsigned"]].concat());
    assert!(keyring("given/import-pubring.gpg") == keyring("keys.gpg"));
}
