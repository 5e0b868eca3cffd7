//! Inputs that are missing, unreadable, or not what they claim to be: exit code 3.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

use insta::assert_snapshot;

use crate::world::{LIB, LINUX, SYSTEM, World};

#[test]
fn a_store_path_that_is_missing() {
    let world = World::new();
    fs::remove_dir_all(world.store(LIB)).unwrap();
    assert_snapshot!(world.build_refused(3), @"error: /nix/store/bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb-lib-1.0: not in the store: store/nix/store/bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb-lib-1.0 does not exist");
}

#[test]
fn a_path_outside_the_store() {
    let world = World::new();
    world.write("list", format!("{LIB}\n/home/me/lib\n").as_bytes());
    world.edit("spec.toml", "from = \"closure-info\"", "from = \"list\"");
    assert_snapshot!(world.build_refused(3), @"error: list, line 2: /home/me/lib: not a store path: it does not lie directly in /nix/store");
}

#[test]
fn a_path_that_leads_out_of_the_store() {
    let world = World::new();
    world.write("list", b"/nix/store/../../etc/passwd\n");
    world.edit("spec.toml", "from = \"closure-info\"", "from = \"list\"");
    assert_snapshot!(world.build_refused(3), @"error: list, line 1: /nix/store/../../etc/passwd: not a store path: its hash has fewer than 32 characters");
}

#[test]
fn a_hash_that_lies() {
    let world = World::new();
    world.write_store(LIB, "lib/libc.so", &b"SHARED ".repeat(2000));
    assert_snapshot!(world.build_refused(3), @r"
    error: /nix/store/bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb-lib-1.0: registered as sha256:0l9pkmpiwg31ql173lvvd9rds8bcnmf81nf5n73pgcn9faghyhvw (14448 bytes), found sha256:13015rjmgjymb8axnyhnb45gc3xis10mcfilxd6flx4xp1ipz227 (14448 bytes)
    hint: a store path was changed after it was registered: `nix-store --verify --check-contents --repair` mends a store; --rehash takes it as it is
    ");
}

#[test]
fn a_size_that_lies() {
    let world = World::new();
    let text = world.hashed();
    let size = text.lines().nth(2).unwrap();
    world.lie(&format!("\n{size}\n"), "\n1234\n");
    assert_snapshot!(world.build_refused(3), @r"
    error: /nix/store/bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb-lib-1.0: registered as sha256:0l9pkmpiwg31ql173lvvd9rds8bcnmf81nf5n73pgcn9faghyhvw (1234 bytes), found sha256:0l9pkmpiwg31ql173lvvd9rds8bcnmf81nf5n73pgcn9faghyhvw (14448 bytes)
    hint: a store path was changed after it was registered: `nix-store --verify --check-contents --repair` mends a store; --rehash takes it as it is
    ");
}

#[test]
fn a_sum_of_sizes_that_lies() {
    let world = World::new();
    world.write("closure-info/total-nar-size", b"1\n");
    assert_snapshot!(world.build_refused(3), @"error: closure-info/total-nar-size: says 1 bytes, the registration beside it adds up to 20488");
}

#[test]
fn a_reference_that_is_missing() {
    let world = World::new();
    world.lie(
        &format!("2\n{LIB}\n{LINUX}"),
        &format!("2\n{LIB}\n{}", LINUX.replace('l', "k")),
    );
    assert_snapshot!(world.build_refused(3), @"error: /nix/store/ssssssssssssssssssssssssssssssss-system: refers to /nix/store/kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk-kinux-6.1, which is not in the closure");
}

#[test]
fn a_registration_that_is_cut_off() {
    let world = World::new();
    let text = fs::read(world.path("closure-info/registration")).unwrap();
    fs::write(world.path("closure-info/registration"), &text[..text.len() - 60]).unwrap();
    assert_snapshot!(world.build_refused(3), @"error: closure-info/registration, line 16: the last line does not end in a newline; the file may be cut off");
}

#[test]
fn a_closure_that_is_missing() {
    let world = World::with("from = \"closure-info\"", "from = \"closure\"");
    assert_snapshot!(world.build_refused(3), @"error: closure: cannot be read: No such file or directory (os error 2)");
}

#[test]
fn a_file_that_the_closure_does_not_have() {
    let world = World::with("\"{kernel}\"", "\"{initrd}\"");
    assert_snapshot!(world.build_refused(3), @r#"
    error: fs.boot.files."/Image": /nix/store/ssssssssssssssssssssssssssssssss-system/initrd: is not in the closure
    "#);
}

#[test]
fn a_blob_that_is_missing() {
    let world = World::new();
    fs::remove_file(world.path("idbloader.img")).unwrap();
    symlink("nowhere", world.path("idbloader.img")).unwrap();
    assert_snapshot!(world.build_refused(3), @r#"
    error: disk.region "idbloader": idbloader.img: cannot be read: No such file or directory (os error 2)
    "#);
}

#[test]
fn a_folder_where_a_file_should_be() {
    let world = World::with("raw = \"idbloader.img\"", "raw = \"store\"");
    assert_snapshot!(world.build_refused(3), @r#"
    error: disk.region "idbloader": store: cannot be read: not a regular file
    "#);
}

#[test]
fn a_script_that_is_missing() {
    let world = World::with("source = \"boot.cmd\"", "source = \"bot.cmd\"");
    assert_snapshot!(world.build_refused(3), @"error: script.boot: bot.cmd: cannot be read: No such file or directory (os error 2)");
}

#[test]
fn a_tree_that_is_missing() {
    let world = World::new();
    let args = ["squashfs", "--tree", "tree", "--out", "out/tree.squashfs"];
    assert_snapshot!(world.refused(3, &args), @"error: tree: cannot be read: No such file or directory (os error 2)");
}

#[test]
fn a_pipe_in_a_store_path() {
    let world = World::new();
    let pipe = world.store(SYSTEM).join("pipe");
    assert!(Command::new("mkfifo").arg(pipe).status().unwrap().success());
    assert_snapshot!(world.build_refused(3), @"error: /nix/store/ssssssssssssssssssssssssssssssss-system/pipe: a named pipe cannot be in a store path");
}

/// Root reads everything, unless it has lost the capability for that.
#[test]
fn a_file_without_permission() {
    let world = World::new();
    let file = world.store(LIB).join("lib/libc.so");
    fs::set_permissions(&file, PermissionsExt::from_mode(0o0)).unwrap();
    let kiln = world.kiln(&["build", "spec.toml", "--out", "out"]);
    let before = world.files();
    let said = if fs::read(&file).is_ok() {
        let mut command = Command::new("setpriv");
        command.args(["--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all"]);
        command.arg(kiln.get_program()).args(kiln.get_args());
        command.current_dir(world.path("")).output().unwrap().into()
    } else {
        let mut kiln = kiln;
        kiln.output().unwrap().into()
    };
    assert_snapshot!(world.check_refusal(3, &before, said), @"error: store/nix/store/bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb-lib-1.0/lib/libc.so: cannot be read: Permission denied (os error 13)");
}
