//! Specifications and arguments that make no sense: exit code 2.

use std::fs;

use insta::assert_snapshot;

use crate::world::{LIB, SYSTEM, World};

#[test]
fn a_specification_that_is_not_there() {
    let world = World::new();
    assert_snapshot!(world.refused(3, &["build", "other.toml", "--out", "out"]), @"error: other.toml: cannot be read: No such file or directory (os error 2)");
}

#[test]
fn broken_toml() {
    let world = World::with("name = \"demo-{series}\"", "name = \"demo-{series}");
    assert_snapshot!(world.build_refused(2), @r#"
    error: spec.toml:2:22: invalid basic string, expected `"`
      |
    2 | name = "demo-{series}
      |                      ^
    "#);
}

#[test]
fn broken_json() {
    let world = World::new();
    world.write("spec.json", b"{\"schema\": 1,\n \"name\": \"x\",\n}");
    assert_snapshot!(world.refused(2, &["build", "spec.json", "--out", "out"]), @r"
    error: spec.json:3:1: trailing comma
      |
    3 | }
      | ^
    ");
}

#[test]
fn a_later_schema() {
    let world = World::with("schema = 1", "schema = 2");
    assert_snapshot!(world.build_refused(2), @"error: spec.toml: schema = 2: this kiln knows schema 1");
}

#[test]
fn no_name() {
    let world = World::with("name = \"demo-{series}\"", "name = \"\"");
    assert_snapshot!(world.build_refused(2), @"error: name: must not be empty: outputs are called by it");
}

#[test]
fn an_unknown_key() {
    let world = World::with("closure = true", "closures = true");
    assert_snapshot!(world.build_refused(2), @r"
    error: spec.toml:11:1: unknown field `closures`, expected one of `format`, `file`, `compress`, `compress-level`, `bmap`, `closure`, `closure-at`, `layout`, `env`, `merge-usr`, `registration`, `database`, `extlinux`, `grub`, `tree`, `exclude`, `follow-links`, `keep`, `files`, `text`, `symlinks`, `directories`, `nodes`, `xattrs`, `attributes`, `max-size`, `time`, `compression`, `level`, `block-size`, `label`, `id`, `bits`, `size`, `free`, `sector-size`, `cluster-size`, `profile`, `uuid`, `free-inodes`, `journal`, `grow-to`, `metadata`, `deduplicate`, `subvolumes`
       |
    11 | closures = true
       | ^
    hint: did you mean `closure`?
    ");
}

#[test]
fn a_key_of_another_format() {
    let world = World::with("level = 3", "size = \"64MiB\"");
    assert_snapshot!(world.build_refused(2), @"error: fs.rootfs: size is no key of format squashfs, whose size follows from its content: max-size limits it");
}

#[test]
fn a_bare_m() {
    let world = World::with("size = \"40MiB\"", "size = \"40M\"");
    assert_snapshot!(world.build_refused(2), @r#"
    error: spec.toml:31:8: "40M": M alone means different things to different tools: say 40MiB or 40MB
       |
    31 | size = "40M"
       |        ^
    "#);
}

#[test]
fn a_bare_m_on_the_command_line() {
    let world = World::new();
    let args = [
        "fat",
        "--file",
        "/a=boot.cmd",
        "--size",
        "16M",
        "--out",
        "out/a.vfat",
    ];
    assert_snapshot!(world.refused(2, &args), @r#"
    error: invalid value '16M' for '--size <SIZE>': "16M": M alone means different things to different tools: say 16MiB or 16MB

    For more information, try '--help'.
    "#);
}

#[test]
fn a_level_that_does_not_exist() {
    let world = World::with("level = 3", "level = 23");
    assert_snapshot!(world.build_refused(2), @"error: fs.rootfs: zstd level 23: must be from 1 to 22");
}

#[test]
fn regions_that_overlap() {
    let world = World::with("offset = \"32MiB\"", "offset = \"31MiB\"");
    assert_snapshot!(world.build_refused(2), @r"
    error: disk: partition boot (0x1000000 to 0x2000000, 16 MiB to 32 MiB) and partition rootfs (0x1f00000 to 0x2000000, 31 MiB to 32 MiB) overlap by 1 MiB
    hint: place rootfs at 32 MiB or later, or make boot end at 31 MiB
    ");
}

#[test]
fn a_partition_before_the_place_that_the_board_needs() {
    let world = World::with("offset = \"16MiB\"", "offset = \"1MiB\"");
    assert_snapshot!(world.build_refused(2), @r"
    error: disk: boot: the partition starts at 1 MiB (0x100000), on rockchip none may start before 16 MiB (0x1000000): idbloader reads u-boot.itb at 8 MiB, which may reach up to 16 MiB
    hint: place it at 16 MiB or later
    ");
}

#[test]
fn a_blob_where_the_board_does_not_look() {
    let world = World::with(
        "raw = \"idbloader.img\"",
        "raw = \"idbloader.img\"\noffset = \"1MiB\"",
    );
    assert_snapshot!(world.build_refused(2), @r"
    error: disk: idbloader: starts at 1 MiB (0x100000), rockchip looks for it at 32 KiB (0x8000)
    hint: leave its place out, or say 32768 bytes; or give the region another name
    ");
}

#[test]
fn a_partition_name_over_36_units() {
    // 19 characters that UTF-16 needs two units for: 38 units.
    let name = format!("name = \"{}\"\ntype = \"xbootldr\"", "𝔹".repeat(19));
    let world = World::with("name = \"boot\"\ntype = \"xbootldr\"", &name);
    assert_snapshot!(world.build_refused(2), @"error: disk: 𝔹𝔹𝔹𝔹𝔹𝔹𝔹𝔹𝔹𝔹𝔹𝔹𝔹𝔹𝔹𝔹𝔹𝔹𝔹: the partition's name is 38 UTF-16 units long, the limit is 36");
}

#[test]
fn a_malformed_guid() {
    let guid = "type = \"xbootldr\"\nguid = \"97FD5997-D90B-4AA3-8D16-C1723AEA73C\"";
    let world = World::with("type = \"xbootldr\"", guid);
    assert_snapshot!(world.build_refused(2), @r#"
    error: disk.region "boot".guid: 97FD5997-D90B-4AA3-8D16-C1723AEA73C: is not a GUID: group 5 has 11 digits, not 12
    "#);
}

#[test]
fn an_unknown_board() {
    let world = World::with("board = \"rockchip\"", "board = \"rokchip\"");
    assert_snapshot!(world.build_refused(2), @r#"
    error: disk.board: there is no board "rokchip"
    hint: did you mean "rockchip"?
    "#);
}

#[test]
fn an_unknown_partition_type() {
    let world = World::with("type = \"root-arm64\"", "type = \"root-arm46\"");
    assert_snapshot!(world.build_refused(2), @r#"
    error: disk.region "rootfs".type: there is no partition type "root-arm46"
    hint: did you mean "root-arm64"? A GUID or a number such as 0x83 is right too
    "#);
}

#[test]
fn an_unknown_attribute() {
    let attributes = "type = \"root-arm64\"\nattributes = [\"read-onyl\"]";
    let world = World::with("type = \"root-arm64\"", attributes);
    assert_snapshot!(world.build_refused(2), @r#"
    error: disk.region "rootfs".attributes: there is no attribute "read-onyl"
    hint: did you mean "read-only"?
    "#);
}

/// A kernel of a Chromebook boots when nothing is said of it.
#[test]
fn how_a_chromebook_chooses() {
    for (attributes, wanted) in [
        ("", "\"priority=10 tries=5, successful\""),
        (
            "attributes = [\"priority=15\", \"successful=0\"]",
            "\"priority=15 tries=5\"",
        ),
        (
            "attributes = [\"priority=0\", \"tries=0\", \"successful=0\", \"read-only\"]",
            "\"read-only\"",
        ),
    ] {
        let world = World::with(
            "type = \"root-arm64\"",
            &format!("type = \"chromeos-kernel\"\n{attributes}"),
        );
        let plan = world.done(&["plan", "spec.toml", "--json"]);
        assert!(plan.contains(&format!("\"attributes\": {wanted}")), "{plan}");
    }
}

#[test]
fn a_field_of_a_chromebook_that_cannot_be() {
    let attributes = "type = \"chromeos-kernel\"\nattributes = [\"priority=16\"]";
    let world = World::with("type = \"root-arm64\"", attributes);
    assert_snapshot!(world.build_refused(2), @r#"
    error: disk.region "rootfs".attributes: priority=16: must be a number from 0 to 15
    "#);
    let attributes = "type = \"chromeos-kernel\"\nattributes = [\"prority=15\"]";
    let world = World::with("type = \"root-arm64\"", attributes);
    assert_snapshot!(world.build_refused(2), @r#"
    error: disk.region "rootfs".attributes: there is no attribute "prority=15"
    hint: did you mean "priority"?
    "#);
}

#[test]
fn an_unknown_part_in_only() {
    let world = World::new();
    let only = ["build", "spec.toml", "--out", "out", "--only", "fs.root"];
    assert_snapshot!(world.refused(2, &only), @r#"
    error: --only: there is no part "fs.root"
    hint: did you mean fs.rootfs?
    "#);
}

#[test]
fn an_unknown_part_in_a_region() {
    let world = World::with("content = \"fs.rootfs\"", "content = \"rootfs\"");
    assert_snapshot!(world.build_refused(2), @r#"
    error: disk.region "rootfs": there is no part "rootfs"
    hint: did you mean fs.rootfs?
    "#);
}

#[test]
fn an_unknown_part_in_a_file_system() {
    let world = World::with("\"{script.boot}\"", "\"{script.bot}\"");
    assert_snapshot!(world.build_refused(2), @r#"
    error: fs.boot.files."/boot.scr": there is no part "script.bot"
    hint: did you mean script.boot?
    "#);
}

#[test]
fn an_unknown_value() {
    let world = World::with("\"{toplevel}/init\"", "\"{topleve}/init\"");
    assert_snapshot!(world.build_refused(2), @r#"
    error: fs.rootfs.symlinks."/init": there is no value {topleve}
    hint: did you mean toplevel?
    "#);
}

#[test]
fn an_unknown_value_in_a_text() {
    let world = World::with(
        "[fs.boot.files]",
        "text = { \"/loader.conf\" = \"options {kernel-parms}\" }\n[fs.boot.files]",
    );
    assert_snapshot!(world.build_refused(2), @r#"
    error: fs.boot.text."/loader.conf": there is no value {kernel-parms}
    hint: did you mean kernel-params?
    "#);
}

#[test]
fn a_text_that_is_there_already() {
    let world = World::with(
        "[fs.boot.files]",
        "text = { \"/Image\" = \"text\" }\n[fs.boot.files]",
    );
    assert_snapshot!(world.build_refused(2), @"error: fs.boot: /Image: is in the tree already");
}

#[test]
fn kernel_parameters_on_several_lines() {
    let world = World::with(
        "[fs.boot.files]",
        "text = { \"/loader.conf\" = \"options {kernel-params}\" }\n[fs.boot.files]",
    );
    world.write_store(SYSTEM, "kernel-params", b"quiet\nloud\n");
    world.register(&world.hashed());
    assert_snapshot!(world.build_refused(3), @r#"error: fs.boot.text."/loader.conf": /nix/store/ssssssssssssssssssssssssssssssss-system/kernel-params says "quiet\nloud", which is no line of parameters"#);
}

#[test]
fn an_unknown_value_in_the_name() {
    let world = World::with("demo-{series}", "demo-{serie}");
    assert_snapshot!(world.build_refused(2), @r"
    error: name: there is no value {serie}
    hint: did you mean series?
    ");
}

#[test]
fn a_single_brace() {
    let world = World::with("demo-{series}", "demo-{series");
    assert_snapshot!(world.build_refused(2), @r#"
    error: name: "demo-{series": a brace without its other one; write {{ and }} for braces that are meant
    "#);
}

#[test]
fn a_placeholder_that_the_script_does_not_have() {
    let world = World::with("buildId =", "buildID =");
    assert_snapshot!(world.build_refused(2), @"error: script.boot: buildID: there is a value for this placeholder, but @buildID@ does not occur in the script");
}

#[test]
fn parts_that_need_each_other() {
    let world = World::with("{fs.rootfs.id}", "{fs.boot.id}");
    assert_snapshot!(world.build_refused(2), @"error: fs.boot: is needed to make itself: fs.boot → script.boot → fs.boot");
}

#[test]
fn two_parts_with_one_file() {
    let world = World::with("label = \"BOOT\"", "label = \"BOOT\"\nfile = \"rootfs.squashfs\"");
    assert_snapshot!(world.build_refused(2), @r"
    error: rootfs.squashfs: fs.boot and fs.rootfs both make a file of this name
    hint: give one of them another name with the key `file`
    ");
}

#[test]
fn a_part_with_the_manifests_name() {
    let world = World::with(
        "label = \"BOOT\"",
        "label = \"BOOT\"\nfile = \"demo-25.11.manifest.json\"",
    );
    assert_snapshot!(world.build_refused(2), @r"
    error: demo-25.11.manifest.json: the manifest and fs.boot both make a file of this name
    hint: give one of them another name with the key `file`
    ");
}

#[test]
fn a_script_with_the_name_of_its_source() {
    let world = World::with("arch = \"arm64\"", "arch = \"arm64\"\nfile = \"boot.cmd\"");
    assert_snapshot!(world.build_refused(2), @r"
    error: boot.cmd: script.boot and script.boot (its commands) both make a file of this name
    hint: give one of them another name with the key `file`
    ");
}

#[test]
fn a_file_outside_the_output_folder() {
    let world = World::with("label = \"BOOT\"", "label = \"BOOT\"\nfile = \"../x\"");
    assert_snapshot!(world.build_refused(2), @r#"
    error: fs.boot.file: "../x": must be the name of a file, without folders
    "#);
    assert_snapshot!(world.refused(2, &["plan", "spec.toml"]), @r#"
    error: fs.boot.file: "../x": must be the name of a file, without folders
    "#);
}

#[test]
fn a_name_with_a_folder() {
    let world = World::with("demo-{series}", "demo/{series}");
    assert_snapshot!(world.build_refused(2), @r#"
    error: name: "demo/25.11": must be the name of a file, without folders
    "#);
}

#[test]
fn a_toplevel_that_is_not_in_the_closure() {
    let other = LIB.replace('b', "c");
    let toplevel = format!("store-root = \"store\"\ntoplevel = \"{other}\"");
    let world = World::with("store-root = \"store\"", &toplevel);
    assert_snapshot!(world.build_refused(2), @"error: closure.toplevel: /nix/store/cccccccccccccccccccccccccccccccc-lic-1.0: the toplevel is not one of the 3 paths of the closure");
}

#[test]
fn a_toplevel_that_is_no_store_path() {
    let toplevel = "store-root = \"store\"\ntoplevel = \"result\"";
    let world = World::with("store-root = \"store\"", toplevel);
    assert_snapshot!(world.build_refused(2), @"error: closure.toplevel: result: not a store path: it does not lie directly in /nix/store");
}

#[test]
fn a_closure_that_does_not_show_its_toplevel() {
    let world = World::new();
    let list = fs::read_to_string(world.path("closure-info/store-paths")).unwrap();
    world.write("list", list.as_bytes());
    world.edit("spec.toml", "from = \"closure-info\"", "from = \"list\"");
    assert_snapshot!(world.build_refused(2), @r"
    error: the toplevel must be given: 3 paths of the closure could be it:
      /nix/store/bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb-lib-1.0
      /nix/store/llllllllllllllllllllllllllllllll-linux-6.1
      /nix/store/ssssssssssssssssssssssssssssssss-system
    hint: say which one it is with the key `toplevel` of [closure]
    ");
}

#[test]
fn too_many_threads() {
    let world = World::new();
    let args = ["plan", "spec.toml", "--jobs", "100000"];
    assert_snapshot!(world.refused(2, &args), @r"
    error: invalid value '100000' for '--jobs <N>': 100000 is not in 1..=1024

    For more information, try '--help'.
    ");
}

/// No host has such names: they can come from a specification only, which makes no sense then.
#[test]
fn a_name_over_255_bytes() {
    let long = format!("directories = [\"/proc\", \"/{}\"]", "é".repeat(128));
    let world = World::with("directories = [\"/proc\", \"/etc\"]", &long);
    assert_snapshot!(world.build_refused(2).replace(&"é".repeat(128), "[128 × é]"), @"error: fs.rootfs: /[128 × é]: the name is 256 bytes long, the limit is 255");
    let world = World::with("\"/Image\" =", &format!("\"/{}\" =", "x".repeat(256)));
    assert_snapshot!(world.build_refused(2).replace(&"x".repeat(256), "[256 × x]"), @"error: fs.boot: /[256 × x]: the name is 256 bytes long, the limit is 255");
}

#[test]
fn a_path_that_is_taken() {
    let world = World::with(
        "directories = [\"/proc\", \"/etc\"]",
        "registration = \"/nix/store\"",
    );
    assert_snapshot!(world.build_refused(2), @"error: fs.rootfs: /nix/store: is in the tree already");
    let below = format!("registration = \"{SYSTEM}/init/x\"");
    let world = World::with("directories = [\"/proc\", \"/etc\"]", &below);
    assert_snapshot!(world.build_refused(2), @"error: fs.rootfs: /nix/store/ssssssssssssssssssssssssssssssss-system/init/x: is not a directory");
}
