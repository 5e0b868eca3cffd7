//! `kiln serve`: what is served is what would be written, a command gets its address, and nothing is left.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::process::Child;
use std::thread::sleep;
use std::time::{Duration, Instant};

use insta::assert_snapshot;

use crate::oracle::installed;
use crate::waits::kill;
use crate::world::{Said, World, sha256sum};

const BUILD: [&str; 4] = ["build", "spec.toml", "--out", "out"];

#[test]
fn what_is_served_is_what_is_written() {
    if !installed("nbdcopy") || !installed("zstd") {
        return;
    }
    let world = World::new();
    world.edit("spec.toml", "[disk]\n", "[disk]\ncompress = \"zstd\"\n");
    world.done(&BUILD);
    let files = [
        ("disk", "demo-25.11.img.zst"),
        ("fs.boot", "boot.vfat"),
        ("fs.rootfs", "rootfs.squashfs"),
    ];
    for (part, file) in files {
        // Planned, from the folder of outputs, and from the file, which is served as what is in it.
        let written = format!("out/{file}");
        for source in [
            &["spec.toml", "--part", part][..],
            &["out", "--part", part],
            &[&written],
        ] {
            let copied = [
                &["serve", "--no-cache"],
                source,
                &["--", "sh", "-c", "exec nbdcopy $0 copy", "{uri}"],
            ];
            world.done(&copied.concat());
            let mut copy = fs::read(world.path("copy")).unwrap();
            fs::remove_file(world.path("copy")).unwrap();
            let mut wanted = fs::read(world.path(&written)).unwrap();
            if part == "disk" {
                // The same without its compression.
                let plain = world.path("plain");
                let mut zstd = std::process::Command::new("zstd");
                zstd.args(["-dqf", "-o"]).arg(&plain).arg(world.path(&written));
                assert!(zstd.status().unwrap().success());
                wanted = fs::read(plain).unwrap();
            }
            assert_eq!(copy.len(), wanted.len(), "{part} from {source:?}");
            assert!(copy == wanted, "{part} from {source:?}");
            copy.clear();
        }
    }
    // A partition of the disk has the slack of its region behind it.
    let partition = ["serve", "out/demo-25.11.img.zst", "--part", "rootfs", "--"];
    world.done(&[&partition[..], &["sh", "-c", "exec nbdcopy $0 copy", "{uri}"]].concat());
    let (copy, wanted) = (
        fs::read(world.path("copy")).unwrap(),
        fs::read(world.path("out/rootfs.squashfs")).unwrap(),
    );
    assert_eq!(copy.len(), 1 << 20);
    assert!(copy.starts_with(&wanted));
    assert_ne!(sha256sum(&world.path("copy")), "");
}

#[test]
fn a_command_gets_the_address_and_gives_its_exit_code() {
    let world = World::new();
    let serve = ["serve", "spec.toml", "--part", "script.boot", "--no-cache"];
    let run = |more: &[&str]| world.run(&[&serve[..], more].concat());
    let said = run(&[
        "--socket",
        "s",
        "--",
        "sh",
        "-c",
        "echo $0; echo $1; ls s; exit 7",
        "{uri}",
        "x{socket}y{z}",
    ]);
    let folder = fs::canonicalize(world.path("")).unwrap();
    let folder = folder.display();
    assert_eq!(said.code, Some(7), "{}", said.stderr);
    let wanted = format!("nbd+unix:///script.boot?socket={folder}/s\nx{folder}/sy{{z}}\ns\n");
    assert_eq!(said.stdout, wanted);
    assert!(!world.path("s").exists());
    let said = run(&["--listen", "0", "--", "sh", "-c", "echo $0", "{uri}"]);
    assert!(said.stdout.starts_with("nbd://127.0.0.1:"), "{}", said.stdout);
    assert!(said.stdout.ends_with("/script.boot\n"), "{}", said.stdout);
    let said = run(&["--", "sh", "-c", "kill -9 $$"]);
    assert_eq!(said.code, Some(137));
}

#[test]
fn a_socket_is_there_until_the_end() {
    let world = World::new();
    let before = world.files();
    for signal in ["INT", "TERM", "HUP"] {
        let mut child = world
            .kiln(&["serve", "spec.toml", "--no-cache", "--socket", "s"])
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let folder = fs::canonicalize(world.path("")).unwrap();
        let uri = format!("nbd+unix:///disk?socket={}/s", folder.display());
        assert_eq!(lines.next().unwrap().unwrap(), uri);
        assert_eq!(
            lines.next().unwrap().unwrap(),
            "disk, 40 MiB, read-only, until it is stopped"
        );
        let mode = fs::symlink_metadata(world.path("s"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        stopped(&mut child, signal);
        let said = Said::from(child.wait_with_output().unwrap());
        assert_eq!(said.code, Some(130), "{}", said.stderr);
        assert_eq!(world.files(), before);
    }
}

/// Sends a signal twice: the second comes amid the end.
fn stopped(child: &mut Child, signal: &str) {
    kill(signal, child);
    if child.try_wait().unwrap().is_none() {
        kill(signal, child);
    }
    let end = Instant::now() + Duration::from_secs(10);
    while child.try_wait().unwrap().is_none() {
        assert!(Instant::now() < end, "does not end");
        sleep(Duration::from_millis(5));
    }
}

/// A command that does not listen ends with kiln.
#[test]
fn a_command_that_does_not_listen() {
    let world = World::new();
    let args = [
        "serve",
        "spec.toml",
        "--no-cache",
        "--",
        "sh",
        "-c",
        "trap '' TERM; echo $$; while :; do sleep 0.1; done",
    ];
    let mut child = world.kiln(&args).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let pid = lines.next().unwrap().unwrap();
    let began = Instant::now();
    stopped(&mut child, "TERM");
    assert!(began.elapsed() < Duration::from_secs(2));
    // Killed, whether somebody has waited for it or not.
    let state = || fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let end = Instant::now() + Duration::from_secs(5);
    while !state().is_empty() && !state().contains(") Z ") {
        assert!(Instant::now() < end, "{}", state());
        sleep(Duration::from_millis(10));
    }
}

#[test]
fn for_machines() {
    let world = World::new();
    let args = [
        "serve",
        "spec.toml",
        "--no-cache",
        "--json",
        "--part",
        "fs.boot",
        "--listen",
        "0",
    ];
    let mut child = world.kiln(&args).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map(Result::unwrap);
    let text: String = lines.by_ref().take_while(|line| line != "}").collect();
    kill("INT", &child);
    child.wait().unwrap();
    let port = text
        .split("127.0.0.1:")
        .nth(1)
        .unwrap()
        .split('/')
        .next()
        .unwrap();
    assert_snapshot!(text.replace(port, "PORT"), @r#"{  "export": "fs.boot",  "size": 16777216,  "uri": "nbd://127.0.0.1:PORT/fs.boot",  "socket": null,  "address": "127.0.0.1:PORT""#);
}

#[test]
fn what_is_refused() {
    let world = World::new();
    drop(UnixListener::bind(world.path("left")).unwrap());
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let serve = |code: i32, more: &[&str]| {
        let said = world.refused(code, &[&["serve", "spec.toml", "--no-cache"], more].concat());
        said.replace(&taken, "TAKEN")
    };
    assert_snapshot!(serve(5, &["--socket", "boot.cmd"]), @r"
    error: boot.cmd: exists
    hint: choose another name: nothing is written over
    ");
    assert_snapshot!(serve(5, &["--socket", "left"]), @r"
    error: left: exists
    hint: nobody listens on it, a server that was killed has left it: `rm left`
    ");
    assert_snapshot!(serve(5, &["--socket", "nowhere/s"]), @"error: nowhere/s: cannot be made: No such file or directory (os error 2)");
    assert_snapshot!(serve(5, &["--listen", &taken]), @r"
    error: TAKEN: cannot be listened on: Address already in use (os error 98)
    hint: another program has that port: choose another one, or 0 for any that is free
    ");
    assert_snapshot!(serve(2, &["--listen", "0", "--part", "fs.home"]), @r#"
    error: spec.toml: has no part "fs.home" that can be served
    hint: there is --part disk, --part fs.boot, --part fs.rootfs, --part script.boot
    "#);
    assert_snapshot!(serve(2, &["--listen", "0", "--", "nbdinfo", "{socket}"]), @r"
    error: {socket}: with --listen there is none
    hint: say {uri} in its place
    ");
    assert_snapshot!(serve(3, &["--", "/nowhere/nbdcopy", "{uri}"]), @r"
    error: /nowhere/nbdcopy: cannot be run: No such file or directory (os error 2)
    hint: the command behind -- is a program and what it is told, not a line for a shell
    ");
    let long = format!("{}/s", "x".repeat(110));
    assert!(
        serve(2, &["--socket", &long]).contains("a socket's path has at most 107 bytes, this one has 112")
    );
    let nowhere = world.run(&["serve", "spec.toml"]);
    assert_eq!(nowhere.code, Some(2));
    assert!(
        nowhere.stderr.contains("--listen <ADDRESS>"),
        "{}",
        nowhere.stderr
    );
    let wrong = world.run(&["serve", "spec.toml", "--listen", "host"]);
    assert_eq!(wrong.code, Some(2));
    assert!(
        wrong.stderr.contains("must be a port, or an address and a port"),
        "{}",
        wrong.stderr
    );
    assert_snapshot!(world.refused(3, &["serve", "nothing.img", "--listen", "0"]), @"error: nothing.img: cannot be read: No such file or directory (os error 2)");
}

#[test]
fn what_others_can_reach_is_said() {
    let world = World::new();
    let said = world.run(&[
        "serve",
        "spec.toml",
        "--no-cache",
        "--listen",
        "0.0.0.0:0",
        "--",
        "sh",
        "-c",
        "exit 0",
    ]);
    assert_eq!(said.code, Some(0));
    assert!(
        said.stderr
            .starts_with("warning: 0.0.0.0:0: can be reached from other machines"),
        "{}",
        said.stderr
    );
}
