//! `--reuse` of outputs that are compressed.

use std::fs;

use crate::world::{LIB, World, noise};

/// A build whose disk is compressed, and of which nothing else is left that segments could be taken from.
fn packed(compress: &str) -> World {
    let world = World::with("[disk]\n", &format!("[disk]\ncompress = \"{compress}\"\n"));
    world.write_store(LIB, "lib/large", &noise(300_000));
    world.register(&world.hashed());
    fs::create_dir(world.path("next")).unwrap();
    world.done(&["build", "spec.toml", "--out", "out"]);
    fs::rename(world.path("out/rootfs.squashfs"), world.path("wanted")).unwrap();
    world
}

/// Builds with what an output has. Answers what was said.
fn next(world: &World, from: &str) -> String {
    let words = [
        "build",
        "spec.toml",
        "--out",
        "next",
        "--no-cache",
        "--reuse",
        from,
    ];
    let said = world.run(&words);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    let made = fs::read(world.path("next/rootfs.squashfs")).unwrap();
    assert!(made == fs::read(world.path("wanted")).unwrap(), "{from}");
    said.stderr
}

#[test]
fn segments_are_lifted_out_of_compressed_disks() {
    for (compress, ending) in [("zstd", "zst"), ("xz", "xz"), ("gzip", "gz")] {
        let world = packed(compress);
        let image = format!("out/demo-25.11.img.{ending}");
        for file in [&image, "out/demo-25.11.manifest.json"] {
            let stderr = next(&world, file);
            let made = stderr.lines().any(|line| line.starts_with("compressing:"));
            assert!(!made && !stderr.contains("warning:"), "{file}: {stderr}");
        }
        // One that is damaged is worth nothing, or less, and that is said.
        let mut bytes = fs::read(world.path(&image)).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle..middle + 1000].fill(7);
        world.write(&image, &bytes);
        let stderr = next(&world, &image);
        assert!(
            stderr.contains(&format!("warning: {image}: ")),
            "{compress}: {stderr}"
        );
    }
}
