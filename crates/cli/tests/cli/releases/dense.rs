//! What is compressed once is not compressed again, unless somebody asks for that.

use super::{build, listed, with_stub};

#[test]
fn file_systems_that_are_compressed_are_released_as_they_are() {
    let Some(world) = with_stub() else { return };
    let root = "format = \"ext4\"\nprofile = \"readonly\"\n";
    let mut before = root.to_string();
    for (keys, ending) in [
        ("format = \"erofs\"\n", ".xz"),
        ("format = \"erofs\"\ncompression = \"lz4hc\"\n", ".xz"),
        ("format = \"erofs\"\ncompression = \"zstd\"\nlevel = 1\n", ""),
        ("format = \"squashfs\"\nlevel = 1\n", ""),
    ] {
        world.edit("spec.toml", &before, keys);
        before = keys.to_string();
        build(&world, "out", &[]);
        let names = listed(&world, "out/release");
        let has = |end: &str| names.iter().any(|name| name.ends_with(end));
        assert!(has(&format!(".root.raw{ending}")), "{keys}: {names:?}");
        assert!(has(&format!(".root-verity.raw{ending}")), "{keys}: {names:?}");
        world.done(&["release", "verify", "out/release"]);
    }
    world.edit("spec.toml", "[release]\n", "[release]\ncompress = \"xz\"\n");
    build(&world, "out", &[]);
    let names = listed(&world, "out/release");
    assert!(
        names.iter().any(|name| name.ends_with(".root.raw.xz")),
        "{names:?}"
    );
}
