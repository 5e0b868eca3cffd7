//! Bundles of the format plain, which is RAUC's own default.

use std::fs;
use std::process::Command;

use insta::assert_snapshot;

use super::{json, world};
use crate::oracle::installed;
use crate::world::{World, noise};

const TRUST: [&str; 2] = ["--keyring", "keys/root.pem"];

/// The usual world with a bundle of RAUC's in it.
fn plain() -> Option<World> {
    let world = world()?;
    if !installed("rauc") {
        return None;
    }
    fs::create_dir(world.path("input")).unwrap();
    world.write("input/root.img", &noise(65_536));
    let manifest = "[update]\ncompatible=rock64\nversion=3\n\n[image.root]\nfilename=root.img\n";
    world.write("input/manifest.raucm", manifest.as_bytes());
    let line = "bundle --cert leaf.pem --key leaf.key --keyring root.pem ../input ../plain.raucb";
    let made = Command::new("rauc")
        .args(line.split(' '))
        .current_dir(world.path("keys"))
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    Some(world)
}

#[test]
fn plain_bundles_are_shown_checked_and_unpacked() {
    let Some(world) = plain() else { return };
    let verb = |verb: &'static str, more: &[&'static str]| {
        world.done(&[&["bundle", verb, "plain.raucb"], more].concat())
    };
    let info = verb("info", &["--no-verify"]);
    let info: Vec<&str> = info.lines().filter(|line| !line.contains("Checksum")).collect();
    assert_snapshot!(info.join("\n"), @r#"
    Compatible:     "rock64"
    Version:        "3"
    Bundle Format:  plain

    1 Image:
      [root]
        Filename:  root.img
        Size:      65536

    The signature was not checked.
    "#);
    assert!(verb("info", &TRUST).contains("Subject: CN = leaf"));
    let report = json(&verb("info", &[TRUST[0], TRUST[1], "--json"]));
    assert_eq!(
        (&report["format"], &report["verity"], &report["verified"]),
        (&"plain".into(), &serde_json::Value::Null, &true.into())
    );
    assert_snapshot!(verb("verify", &TRUST), @r"
    root.img: 64 KiB: good
    plain.raucb: good, signed by CN = leaf
    ");
    verb("extract", &[TRUST[0], TRUST[1], "--out", "unpacked"]);
    assert!(fs::read(world.path("unpacked/root.img")).unwrap() == noise(65_536));
}

#[test]
fn plain_bundles_that_are_refused() {
    let Some(world) = plain() else { return };
    let resign = [
        "bundle",
        "resign",
        "plain.raucb",
        "--key",
        "keys/leaf.key",
        "--certificate",
        "keys/leaf.pem",
        "--keyring",
        "keys/root.pem",
        "--out",
        "again.raucb",
    ];
    assert_snapshot!(world.refused(3, &resign), @r"
    error: plain.raucb: a bundle of the format plain: only those of the format verity are signed here
    hint: `rauc bundle` makes bundles of the format verity where the manifest has `format=verity` in [bundle]
    ");
    let mut bytes = fs::read(world.path("plain.raucb")).unwrap();
    bytes[1000] ^= 1;
    world.write("bad.raucb", &bytes);
    for verb in ["info", "verify"] {
        let error = world.refused(7, &["bundle", verb, "bad.raucb", TRUST[0], TRUST[1]]);
        assert!(
            error.contains("error: bad.raucb: the content is not what was signed"),
            "{error}"
        );
    }
    let error = world.refused(
        7,
        &["bundle", "verify", "plain.raucb", "--keyring", "keys/other.pem"],
    );
    assert!(error.contains("is not trusted"), "{error}");
}
