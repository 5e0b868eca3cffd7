//! What outputs are known by: fs-verity's digest, always; a SHA-256 where it was asked for, or where a file is published.

use std::process::Command;

use serde_json::Value;

use crate::world::{World, missing, noise, sha256sum};

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// The digest that fsverity-utils compute.
fn fsverity(world: &World, file: &str) -> Option<String> {
    let mut command = Command::new("fsverity");
    let command = command.args(["digest", "--compact"]).arg(world.path(file));
    let Ok(output) = command.output() else {
        missing("fsverity");
        return None;
    };
    assert!(output.status.success(), "{output:?}");
    Some(String::from_utf8(output.stdout).unwrap().trim().to_string())
}

#[test]
fn they_are_what_fsverity_computes() {
    let world = World::new();
    world.write("tree/large", &noise(3_000_000));
    world.write("tree/small", b"small");
    let verbs: [&[&str]; 6] = [
        &["squashfs", "--tree", "tree", "--no-cache"],
        &["ext4", "--tree", "tree", "--size", "700MiB"],
        &["fat", "--tree", "tree"],
        &["fat", "--tree", "tree", "--compress", "zstd"],
        &["ext4", "--tree", "tree", "--compress", "gzip"],
        &["script", "boot.cmd"],
    ];
    for (number, words) in verbs.into_iter().enumerate() {
        let out = format!("out/{number}");
        let made = json(&world.done(&[words, &["--out", &out, "--json"]].concat()));
        let Some(wanted) = fsverity(&world, &out) else {
            return;
        };
        assert_eq!(made["fsverity"], wanted, "{words:?}");
        let published = words.contains(&"--compress");
        let sum = published.then(|| sha256sum(&world.path(&out)));
        assert_eq!(made["sha256"].as_str(), sum.as_deref(), "{words:?}");
        let inside = &made["uncompressed"];
        let had = (inside["fsverity"].is_string(), inside["sha256"].is_string());
        assert_eq!(had, (published, false), "{words:?}");
    }
}

#[test]
fn checksums_are_there_where_somebody_asked() {
    let build = |key: &str, args: &[&str]| {
        let world = World::with("[disk]\n", "[disk]\ncompress = \"zstd\"\n");
        world.edit("spec.toml", "schema = 1\n", &format!("schema = 1\n{key}\n"));
        world.done(&[&["build", "spec.toml", "--out", "out"], args].concat());
        let manifest = std::fs::read_to_string(world.path("out/demo-25.11.manifest.json")).unwrap();
        let manifest = json(&manifest);
        assert_eq!(manifest["schema"], 2);
        let mut have = Vec::new();
        for entry in manifest["files"].as_array().unwrap() {
            let file = entry["file"].as_str().unwrap();
            assert!(entry["fsverity"].is_string(), "{file}");
            if entry["sha256"].is_string() {
                assert_eq!(entry["sha256"], sha256sum(&world.path(&format!("out/{file}"))));
                have.push(file.to_string());
            }
            if entry["uncompressed"]["sha256"].is_string() {
                have.push(format!("in {file}"));
            }
        }
        have.join(" ")
    };
    let disk = "demo-25.11.img.zst";
    assert_eq!(build("", &[]), disk);
    assert_eq!(build("profile = \"dev\"", &[]), "");
    assert_eq!(build("", &["--profile", "dev"]), "");
    let all = format!("boot.vfat rootfs.squashfs boot.scr boot.cmd {disk} in {disk}");
    assert_eq!(build("digests = [\"sha256\"]", &["--profile", "dev"]), all);
    assert_eq!(build("", &["--sha256"]), all);
}

#[test]
fn other_checksums_are_unknown() {
    let world = World::with("schema = 1\n", "schema = 1\ndigests = [\"md5\"]\n");
    let said = world.build_refused(2);
    assert!(
        said.contains("unknown variant `md5`, expected `sha256`"),
        "{said}"
    );
}

/// With a digest that goes through every byte, this would take an hour.
#[test]
fn holes_cost_nothing() {
    let world = World::new();
    world.edit("spec.toml", "size = \"40MiB\"", "size = \"6TiB\"");
    let start = std::time::Instant::now();
    let made = json(&world.done(&["build", "spec.toml", "--only", "disk", "--out", "out", "--json"]));
    assert_eq!(made["files"][0]["size"], 6_u64 << 40);
    assert!(start.elapsed().as_secs() < 300, "{:?}", start.elapsed());
}
