//! Whoever waits is heard: a signal ends every command within two seconds with 130, and nothing is left.

use std::fs;
use std::io::Read;
use std::net::TcpListener;
use std::process::{Child, Command};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use crate::bundles;
use crate::world::{LIB, Said, World};

/// How long an end may take. Measured from the signal.
pub(crate) const END: Duration = Duration::from_secs(2);

/// The address of a server that takes every connection and what comes over it, and never answers.
pub(crate) fn silent_server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            thread::spawn(move || {
                let mut bytes = [0; 4096];
                while matches!(stream.read(&mut bytes), Ok(1..)) {}
                sleep(Duration::from_mins(10));
            });
        }
    });
    format!("http://{address}")
}

pub(crate) fn kill(signal: &str, child: &Child) {
    let mut kill = Command::new("kill");
    kill.args([format!("-{signal}"), child.id().to_string()]);
    assert!(kill.status().unwrap().success());
}

/// Starts a command, waits until it waits, and sends signals. Answers what it said and how long it took from the first.
fn stopped(world: &World, args: &[&str], signals: &[&str]) -> (Said, Duration) {
    let child = world.kiln(args).spawn().unwrap();
    sleep(Duration::from_millis(700));
    let began = Instant::now();
    for signal in signals {
        kill(signal, &child);
        sleep(Duration::from_millis(100));
    }
    let said = Said::from(child.wait_with_output().unwrap());
    (said, began.elapsed())
}

fn check(world: &World, args: &[&str]) {
    check_each(world, args, &["INT", "TERM HUP"]);
}

/// The signals of a case are words.
fn check_each(world: &World, args: &[&str], cases: &[&str]) {
    let before = world.files();
    for case in cases {
        let signals: Vec<&str> = case.split(' ').collect();
        let signals = &signals[..];
        let (said, took) = stopped(world, args, signals);
        let case = format!("{args:?} {signals:?}: {}", said.stderr);
        assert!(took < END, "{case}: {took:?}");
        assert_eq!(
            world.check_refusal(130, &before, said),
            "error: stopped\n",
            "{case}"
        );
    }
}

#[test]
fn for_a_server() {
    let world = World::new();
    let server = silent_server();
    let path = [
        "--path",
        LIB,
        "--trusted-key",
        "a:6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY=",
    ];
    check(
        &world,
        &[&["squashfs", "--closure", &server, "--out", "o"][..], &path].concat(),
    );
    check(
        &world,
        &[&["ext4", "--closure", &server, "--out", "o"][..], &path].concat(),
    );
    world.edit(
        "spec.toml",
        "from = \"closure-info\"\nstore-root = \"store\"",
        &format!(
            "from = \"{server}\"\npaths = [\"{LIB}\"]\ntrusted-keys = [\"{}\"]",
            path[3]
        ),
    );
    check(&world, &["build", "spec.toml", "--out", "out"]);
    check(&world, &["build", "spec.toml", "--out", "made-for-it"]);
    check_each(&world, &["plan", "spec.toml"], &["TERM", "HUP", "INT INT"]);
}

#[test]
fn for_a_shared_cache() {
    let world = World::new();
    let server = silent_server();
    world.done(&["build", "spec.toml", "--out", "out", "--cache", "cache"]);
    check(&world, &["cache", "push", "--cache", "cache", "--to", &server]);
}

#[test]
fn for_a_pipe() {
    let world = World::new();
    let made = Command::new("mkfifo").arg(world.path("pipe")).status().unwrap();
    assert!(made.success());
    for args in [
        &["squashfs", "--tree", "pipe", "--out", "o"][..],
        &["build", "pipe", "--out", "out"],
        &["plan", "pipe"],
    ] {
        check(&world, args);
    }
}

#[test]
fn for_a_command_that_signs() {
    let Some(world) = bundles::world() else { return };
    world.done(&["build", "spec.toml", "--out", "out", "--unsigned"]);
    let marker = world.path("running").display().to_string();
    let signer = format!("sleep 1000 & echo $! > {marker}; trap '' INT TERM HUP; wait");
    let args = [
        &[
            "bundle",
            "sign",
            "out/demo-25.11.raucb.unsigned",
            "--out",
            "o",
            "--signer-cmd",
        ][..],
        &[
            &signer,
            "--certificate",
            "keys/leaf.pem",
            "--keyring",
            "keys/root.pem",
            "--signing-time",
            "1900000000",
        ],
    ];
    fs::write(world.path("running"), "").unwrap();
    for signal in ["INT", "TERM", "HUP"] {
        let before = world.files();
        let (said, took) = stopped(&world, &args.concat(), &[signal]);
        assert!(took < END, "{signal}: {took:?}");
        assert_eq!(said.code, Some(130), "{}", said.stderr);
        assert!(said.stderr.ends_with("error: stopped\n"), "{}", said.stderr);
        let child = fs::read_to_string(&marker).unwrap();
        // Whoever inherits it may be slow to bury it.
        let status = fs::read_to_string(format!("/proc/{}/stat", child.trim())).unwrap_or_default();
        assert!(
            status.is_empty() || status.contains(") Z "),
            "the signer's child lives on: {status}"
        );
        fs::write(&marker, "").unwrap();
        let mut after = world.files();
        after.insert("/running".into(), before["/running"].clone());
        assert_eq!(after, before);
    }
}
