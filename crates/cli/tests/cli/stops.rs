//! Builds that are stopped: exit code 130, and everything as it was.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command};
use std::thread::sleep;
use std::time::Duration;

use crate::world::{LINUX, Said, World, noise};

const BUILD: [&str; 4] = ["build", "spec.toml", "--out", "out"];

/// A build that takes some seconds.
fn slow() -> World {
    let world = World::with("level = 3", "level = 22");
    let mut text = noise(8 << 20);
    for byte in &mut text {
        *byte = b'a' + *byte % 16;
    }
    world.write_store(LINUX, "modules", &text);
    world.register(&world.hashed());
    world.edit(
        "spec.toml",
        "offset = \"32MiB\"\nsize = \"1MiB\"",
        "offset = \"32MiB\"\nsize = \"10MiB\"",
    );
    world.edit("spec.toml", "size = \"40MiB\"", "size = \"100MiB\"");
    world
}

fn send(signal: &str, child: &Child) {
    let script = format!("kill -{signal} {}", child.id());
    assert!(
        Command::new("sh")
            .args(["-c", &script])
            .status()
            .unwrap()
            .success()
    );
}

/// Runs a build and sends it a signal so long after the line that starts so.
fn stopped(world: &World, signal: &str, line: &str, delay: Duration) -> Said {
    let mut child = world.kiln(&BUILD).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap())
        .lines()
        .map(Result::unwrap);
    lines.find(|said| said.starts_with(line)).unwrap();
    sleep(delay);
    send(signal, &child);
    let stderr = lines.map(|line| line + "\n").collect();
    let output = child.wait_with_output().unwrap();
    Said {
        stderr,
        ..Said::from(output)
    }
}

#[test]
fn at_the_begin_of_each_step() {
    let world = slow();
    let before = world.files();
    for line in ["checking store paths", "compressing"] {
        let said = stopped(&world, "INT", line, Duration::ZERO);
        assert_eq!(world.check_refusal(130, &before, said), "error: stopped\n");
    }
}

#[test]
fn amid_compressing() {
    let world = slow();
    let before = world.files();
    for (signal, millis) in [("INT", 100), ("TERM", 300), ("HUP", 600)] {
        let said = stopped(&world, signal, "compressing", Duration::from_millis(millis));
        assert_eq!(world.check_refusal(130, &before, said), "error: stopped\n");
    }
}

/// The file systems are complete by then, without their names.
#[test]
fn while_writing_the_disk() {
    let world = World::with("size = \"40MiB\"", "size = \"2GiB\"");
    let region = "content = \"fs.rootfs\"\n\n[[disk.region]]\nname = \"large\"\nraw = \"large\"\n";
    world.edit("spec.toml", "content = \"fs.rootfs\"\n", region);
    world.write("large", b"");
    std::fs::File::options()
        .write(true)
        .open(world.path("large"))
        .unwrap()
        .set_len(1 << 30)
        .unwrap();
    let before = world.files();
    let said = stopped(&world, "INT", "writing demo-25.11.img", Duration::from_millis(20));
    assert_eq!(world.check_refusal(130, &before, said), "error: stopped\n");
}

/// Some seconds of work for two threads, in a file that grows meanwhile.
#[test]
fn while_compressing_the_disk() {
    for (compress, level, ending) in [("zstd", 19, "zst"), ("xz", 2, "xz"), ("gzip", 12, "gz")] {
        let keys = format!("[disk]\ncompress = \"{compress}\"\ncompress-level = {level}\nbmap = true\n");
        let world = World::with("[disk]\n", &keys);
        let region = "[[disk.region]]\nname = \"large\"\nraw = \"large\"\n";
        world.edit("spec.toml", "size = \"40MiB\"", "size = \"100MiB\"");
        let spec = std::fs::read_to_string(world.path("spec.toml")).unwrap();
        world.write("spec.toml", format!("{spec}\n{region}").as_bytes());
        let mut text = noise(48 << 20);
        for byte in &mut text {
            *byte = b'a' + *byte % 16;
        }
        world.write("large", &text);
        let before = world.files();
        let line = format!("writing demo-25.11.img.{ending}");
        let said = stopped(&world, "INT", &line, Duration::from_millis(200));
        assert_eq!(world.check_refusal(130, &before, said), "error: stopped\n");
    }
}

/// Whatever the moment, a build is done whole or leaves everything as it was.
#[test]
fn at_any_time() {
    let world = World::new();
    let fresh = world.files();
    for millis in (0..60).step_by(4) {
        let child = world.kiln(&BUILD).spawn().unwrap();
        sleep(Duration::from_millis(millis));
        send("INT", &child);
        let said = Said::from(child.wait_with_output().unwrap());
        match said.code {
            // Before the handler is there, the signal ends the process as it ends any.
            Some(130) | None => assert_eq!(world.files(), fresh, "{millis} ms"),
            code => {
                assert_eq!(code, Some(0), "{}", said.stderr);
                assert!(world.outputs().contains(&"demo-25.11.manifest.json".into()));
                assert!(!world.outputs().iter().any(|name| name.starts_with('.')));
                return;
            }
        }
    }
}

#[test]
fn a_build_after_one_that_was_killed() {
    let world = World::with("size = \"40MiB\"", "size = \"2GiB\"");
    let region = "content = \"fs.rootfs\"\n\n[[disk.region]]\nname = \"large\"\nraw = \"large\"\n";
    world.edit("spec.toml", "content = \"fs.rootfs\"\n", region);
    world.write("large", b"");
    let large = std::fs::File::options()
        .write(true)
        .open(world.path("large"))
        .unwrap();
    large.set_len(1 << 30).unwrap();
    let before = world.files();
    let said = stopped(
        &world,
        "KILL",
        "writing demo-25.11.img",
        Duration::from_millis(20),
    );
    assert_eq!(said.code, None);
    assert_eq!(world.files(), before);
    assert_eq!(world.files()["/out/demo-25.11.img"], b"an earlier build");
    large.set_len(5).unwrap();
    world.done(&BUILD);
    assert_eq!(world.files()["/out/demo-25.11.img"][510..512], [0x55, 0xaa]);
}
