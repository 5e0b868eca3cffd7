//! What others wrote reaches the terminal as text, and what is secret does not reach it.

use std::fs;
use std::time::{Duration, Instant};

use crate::world::{SYSTEM, World};

#[test]
fn names_of_files_do_not_steer_the_terminal() {
    let world = World::new();
    let stderr = world.refused(3, &["build", "no\u{1b}]0;title\u{7}.toml", "--out", "out"]);
    assert!(!stderr.contains('\u{1b}'), "{stderr:?}");
    assert!(
        stderr.starts_with(r"error: no\x1b]0;title\x07.toml: "),
        "{stderr}"
    );
    let json = world.run(&["build", "no\u{9b}31m\u{202e}.toml", "--out", "out", "--json"]);
    assert!(!json.stdout.contains(['\u{9b}', '\u{202e}']), "{:?}", json.stdout);
    assert!(json.stdout.contains(r"no\u009b31m\u202e.toml"), "{}", json.stdout);
    assert!(
        json.stderr.contains(r"no\u{9b}31m\u{202e}.toml"),
        "{}",
        json.stderr
    );
}

/// A version becomes the name of an output, and the plan shows it.
#[test]
fn a_version_is_a_line_of_text() {
    for text in [&b"25.11\x1b[2J"[..], b"25.11\x07", b"", b"a/b"] {
        let world = World::new();
        world.write_store(SYSTEM, "nixos-version", text);
        world.register(&world.hashed());
        let stderr = world.refused(3, &["plan", "spec.toml"]);
        assert!(stderr.contains(", which is no version"), "{stderr}");
        assert!(
            !stderr.contains('\u{1b}') && !stderr.contains('\u{7}'),
            "{stderr:?}"
        );
    }
}

#[test]
fn passwords_stay_out_of_errors() {
    let world = World::new();
    let closure = |address| ["ext4", "--closure", address, "--out", "out/a.ext4"];
    let from = |address| ["build", "spec.toml", "--out", "out", "--cache-from", address];
    for address in [
        "https://me:secret@",
        "https://me:secret@host:99999",
        "https://me:se/secret@host",
        "htps://me:secret@host",
        "s3://me:secret@",
        "s3://bucket?endpoint=https://me:secret@host:99999",
    ] {
        for arguments in [&closure(address)[..], &from(address)[..]] {
            let stderr = world.refused(2, arguments);
            assert!(!stderr.contains("secret"), "{address}: {stderr}");
        }
    }
    let arguments = ["segments", "list", "--closure", "https://me:secret@host/cache"];
    let stderr = world.refused(2, &arguments);
    assert!(stderr.contains("https://me:…@host/cache"), "{stderr}");
    let mut arguments = closure("https://me:secret@127.0.0.1:1/cache").to_vec();
    arguments.extend(["--path", SYSTEM, "--fetch-tries", "1"]);
    let stderr = world.refused(3, &arguments);
    assert!(
        stderr.contains("https://me:…@127.0.0.1:1/cache/nix-cache-info: "),
        "{stderr}"
    );
    assert!(!stderr.contains("secret"), "{stderr}");
}

/// Who reads a pipe that nobody writes to waits for ever.
#[test]
fn pipes_are_not_waited_for() {
    let world = World::new();
    for name in ["pipe", "pipe.segments.json"] {
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mkfifoat(rustix::fs::CWD, world.path(name), mode).unwrap();
    }
    fs::create_dir(world.path("cache")).unwrap();
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mkfifoat(rustix::fs::CWD, world.path("cache/nix-cache-info"), mode).unwrap();
    let cache = format!("file://{}", world.path("cache").display());
    let begun = Instant::now();
    for arguments in [
        &["ext4", "--closure", "pipe", "--out", "out/a.ext4"][..],
        &["ext4", "--closure", "/dev/zero", "--out", "out/a.ext4"],
        &[
            "ext4",
            "--closure",
            &cache,
            "--path",
            SYSTEM,
            "--out",
            "out/a.ext4",
        ],
        &[
            "squashfs",
            "--tree",
            "store",
            "--out",
            "out/a.squashfs",
            "--reuse",
            "pipe",
        ],
        &["bundle", "info", "pipe"],
    ] {
        let stderr = world.refused(3, arguments);
        let said = |text| stderr.contains(text);
        assert!(
            said("not a regular file") || said("pipe: nothing beside it"),
            "{arguments:?}: {stderr}"
        );
    }
    assert!(begun.elapsed() < Duration::from_mins(1));
}
