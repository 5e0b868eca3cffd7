//! Keys of a specification that make no sense, and files that are no bundles.

use std::fs;
use std::os::unix::fs::FileExt;
use std::process::Command;

use insta::assert_snapshot;

use super::{BUILD, FILE, built, json, refused, world};
use crate::world::World;

#[test]
fn keys_of_a_bundle_that_make_no_sense() {
    let cases = [
        (
            "target-rauc = \"1.8\"\n",
            "target-rauc = \"1.7\"\nimage.x = { content = \"fs.rootfs\", adaptive = true }\n",
        ),
        ("target-rauc = \"1.8\"", "target-rauc = \"new\""),
        ("[bundle.image.boot]\n", "[bundle.image.boot]\ntype = \"vfat\"\n"),
        (
            "[bundle.image.boot]\n",
            "[bundle.image.boot]\nfile = \"../boot.vfat\"\n",
        ),
        (
            "[bundle.image.boot]\n",
            "[bundle.image.boot]\nhooks = [\"post-install\"]\n",
        ),
        (
            "content = \"fs.boot\"\n\n[bundle.image.rootfs]",
            "content = \"fs.root\"\n\n[bundle.image.rootfs]",
        ),
        (
            "content = \"fs.boot\"\n\n[bundle.image.rootfs]",
            "content = \"script.boot\"\n\n[bundle.image.rootfs]",
        ),
        ("compatible = \"rock64\"", "compatible = \"\""),
        ("[bundle]\n", "[bundle]\nblock-size = \"3KiB\"\n"),
        ("[bundle]\n", "[bundle]\nfile = \"boot.vfat\"\n"),
        ("version = \"{version}\"", "version = \"{versoin}\""),
        (
            "content = \"fs.boot\"\n\n[bundle.image.rootfs]",
            "content = \"fs.boot\"\nraw = \"boot.cmd\"\n\n[bundle.image.rootfs]",
        ),
        (
            "content = \"fs.boot\"\n\n[bundle.image.rootfs]",
            "hooks = [\"pre-install\"]\n\n[bundle.image.rootfs]",
        ),
        (
            "content = \"fs.boot\"\n\n[bundle.image.rootfs]",
            "hooks = [\"install\"]\nadaptive = true\n\n[bundle.image.rootfs]",
        ),
        (
            "content = \"fs.boot\"\n\n[bundle.image.rootfs]",
            "hooks = [\"install\"]\n\n[bundle.image.rootfs]",
        ),
        (
            "content = \"fs.boot\"\n\n[bundle.image.rootfs]",
            "content = \"fs.boot\"\nfile = \"boot.bin\"\n\n[bundle.image.rootfs]",
        ),
        (
            "content = \"fs.boot\"\n\n[bundle.image.rootfs]",
            "raw = \"boot.cmd\"\nfile = \"boot.img.caibx\"\n\n[bundle.image.rootfs]",
        ),
        (
            "[bundle.sign]\n",
            "[bundle.extra.\"boot.vfat\"]\nsource = \"boot.cmd\"\n\n[bundle.sign]\n",
        ),
        (
            "[bundle.sign]\n",
            "[bundle.extra.\"a/b\"]\nsource = \"boot.cmd\"\n\n[bundle.sign]\n",
        ),
    ];
    let mut errors = String::new();
    for (from, to) in cases {
        let Some(world) = world() else { return };
        world.edit(
            "spec.toml",
            "compatible = \"rock64\"\n",
            "compatible = \"rock64\"\ntarget-rauc = \"1.8\"\n",
        );
        world.edit("spec.toml", from, to);
        errors += &refused(&world, 2, &[]);
    }
    assert_snapshot!(errors, @r#"
    error: bundle: adaptive images: known since RAUC 1.8, and the bundle is for RAUC 1.7
    error: bundle.target-rauc: "new": must be a version of RAUC such as 1.8, from 1.5 on
    error: bundle: an image's type: known since RAUC 1.15, and the bundle is for RAUC 1.8
    error: bundle: manifest: file name "../boot.vfat" must be a name without folders
    error: bundle: manifest: image boot: has a hook, and there is no program in [hooks]
    error: bundle.image.boot.content: there is no part "fs.root"
    hint: did you mean fs.rootfs?
    error: bundle.image.boot.content: "script.boot": must be a file system or a hash tree
    error: bundle: manifest: compatible is empty
    error: bundle: block size of 3072 bytes: must be a power of two from 4096 to 1048576
    error: boot.vfat: fs.boot and bundle both make a file of this name
    hint: give one of them another name with the key `file`
    error: bundle.version: there is no value {versoin}
    hint: did you mean version?
    error: bundle.image.boot: needs either content or raw; neither is needed with hooks = ["install"] or type = "emptyfs"
    error: bundle.image.boot: needs either content or raw; neither is needed with hooks = ["install"] or type = "emptyfs"
    error: bundle.image.boot.adaptive: there is no file: it has neither content nor raw
    error: bundle: manifest: image boot: has a hook, and there is no program in [hooks]
    error: bundle: manifest: image boot: boot.bin: its ending does not tell RAUC what it is; the endings are .img, .ext4, .vfat, .squashfs, .ubifs, .tar, and `type` says it to RAUC 1.15 and later
    error: bundle: boot.img.caibx: is an index of casync, whose chunks lie outside of the bundle, so it cannot be checked
    error: bundle: manifest: boot.vfat: two files of this name
    error: bundle: manifest: file name "a/b" must be a name without folders
    "#);
}

#[test]
fn a_specification_without_a_bundle() {
    let world = World::new();
    let build = ["bundle", "build", "spec.toml", "--out", "out"];
    assert_snapshot!(world.refused(2, &build), @"error: spec.toml: has no [bundle]");
}

#[test]
fn an_image_that_is_no_multiple_of_a_block() {
    let Some(world) = world() else { return };
    world.edit("spec.toml", "size = \"16MiB\"\n", "size = \"32769s\"\n");
    world.edit("spec.toml", "offset = \"32MiB\"", "offset = \"33MiB\"");
    world.done(&BUILD);
    let info = json(&world.done(&["bundle", "info", FILE, "--no-verify", "--json"]));
    let adaptive = |index: usize| info["images"][index]["adaptive"].as_array().unwrap().len();
    assert_eq!((adaptive(0), adaptive(1)), (0, 1), "{info}");
    world.edit(
        "spec.toml",
        "content = \"fs.boot\"\n\n[bundle.image.rootfs]",
        "content = \"fs.boot\"\nadaptive = true\n\n[bundle.image.rootfs]",
    );
    assert_snapshot!(refused(&world, 2, &["--only", "bundle"]), @"error: bundle: image boot: 16777728 bytes, which is not a multiple of 4096, as adaptive updates need it");
}

#[test]
fn files_that_are_no_bundles() {
    let Some(world) = built() else { return };
    let good = fs::read(world.path(FILE)).unwrap();
    let verify = |code: i32| world.refused(code, &["bundle", "verify", "bad", "--keyring", "keys/root.pem"]);
    world.write("bad", b"");
    assert_snapshot!(verify(6), @"error: bad: 0 bytes are too few for a bundle");
    let sparse = fs::File::create(world.path("bad")).unwrap();
    sparse.set_len(4 << 30).unwrap();
    assert_snapshot!(verify(6), @"error: bad: no bundle: its last eight bytes say that there is no signature");
    sparse
        .write_all_at(&(1u64 << 63).to_be_bytes(), (4 << 30) - 8)
        .unwrap();
    assert_snapshot!(verify(6), @"error: bad: a signature of 9223372036854775808 bytes: the limit is 65536");
    let flipped = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        world.write("bad", &bytes);
    };
    flipped(20_000);
    assert_snapshot!(verify(6), @"error: bad: data: block 4 at byte 16384 does not have the hash that level 0 has for it");
    flipped(good.len() - 20);
    assert_snapshot!(verify(7), @"error: bad: the signature was not made with the key of CN = leaf, or was changed");
    world.write("bad", &good);
    let foreign = ["bundle", "verify", "bad", "--keyring", "keys/other.pem"];
    assert_snapshot!(world.refused(7, &foreign), @r"
    error: bad: CN = leaf is not trusted: no certificate of its issuer, CN = root, is trusted or in the signature
    hint: give the certificates between it and the keyring's with --intermediate when signing; or it is signed by somebody else
    ");
    assert_snapshot!(world.refused(3, &["bundle", "verify", "none", "--keyring", "keys/root.pem"]), @"error: none: cannot be read: No such file or directory (os error 2)");
    assert_snapshot!(world.refused(3, &["bundle", "verify", "keys", "--keyring", "keys/root.pem"]), @"error: keys: is not a regular file");
    assert_snapshot!(world.refused(2, &["bundle", "verify", "bad"]), @r"
    error: nobody is trusted: there is no keyring
    hint: give --keyring with the certificates that devices trust
    ");
    assert_snapshot!(world.refused(2, &["bundle", "info", "bad"]), @r"
    error: nobody is trusted: there is no keyring
    hint: give --keyring with the certificates that devices trust, or --no-verify
    ");
    flipped(20_000);
    fs::create_dir(world.path("unpacked")).unwrap();
    let extract = [
        "bundle",
        "extract",
        "bad",
        "--out",
        "unpacked",
        "--keyring",
        "keys/root.pem",
    ];
    assert_snapshot!(world.refused(6, &extract), @"error: bad: data: block 4 at byte 16384 does not have the hash that level 0 has for it");
    let old = [
        "bundle",
        "resign",
        "bad",
        "--out",
        "again",
        "--keyring",
        "keys/root.pem",
        "--signing-time",
        "now",
    ];
    let with = ["--key", "keys/leaf.key", "--certificate", "keys/leaf.pem"];
    assert_snapshot!(world.refused(6, &[&old[..], &with].concat()), @"error: bad: data: block 4 at byte 16384 does not have the hash that level 0 has for it");
}

/// Whoever asks whether a signature is good must not be answered otherwise.
#[test]
fn nothing_stands_for_a_good_signature() {
    let Some(world) = built() else { return };
    let good = fs::read(world.path(FILE)).unwrap();
    world.done(&[&BUILD[..], &["--unsigned"]].concat());
    let unsigned = format!("{FILE}.unsigned");
    let info = ["bundle", "info", &unsigned, "--keyring", "keys/root.pem"];
    assert_snapshot!(world.refused(7, &info), @r"
    error: out/demo-25.11.raucb.unsigned: the bundle is not signed
    hint: `kiln bundle sign` signs it
    ");
    // A list of revoked certificates that is none.
    world.write(FILE, &good);
    let verify = ["bundle", "verify", FILE, "--keyring", "keys/root.pem"];
    assert_snapshot!(world.refused(3, &[&verify[..], &["--crl", "keys/root.pem"]].concat()), @"error: keys/root.pem: holds no list of revoked certificates");
    // Certificates have to be valid now, whatever the signer says that the time was.
    let short = [
        "--key",
        "keys/short.key",
        "--certificate",
        "keys/short.pem",
        "--signing-time",
        "now",
    ];
    world.done(&[&BUILD[..], &short].concat());
    world.done(&verify);
    let later = world.refused(7, &[&verify[..], &["--at", "1900000000"]].concat());
    assert!(
        later.contains("the certificate of CN = short expired at"),
        "{later}"
    );
    // Nothing waits for a pipe that nobody writes to, or reads without end.
    let pipe = Command::new("mkfifo").arg(world.path("pipe")).status().unwrap();
    assert!(pipe.success());
    let fifo = ["bundle", "verify", "pipe", "--keyring", "keys/root.pem"];
    assert_snapshot!(world.refused(3, &fifo), @"error: pipe: is not a regular file");
    let endless = ["bundle", "verify", FILE, "--keyring", "/dev/zero"];
    assert_snapshot!(world.refused(3, &endless), @"error: /dev/zero: has more than 4194304 bytes, the limit");
}
