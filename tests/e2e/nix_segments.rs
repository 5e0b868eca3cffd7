//! Segments as derivations: what images share is compressed once, and no image has other bytes.

use std::path::{Path, PathBuf};

use crate::nix_world::{World, world};
use crate::tools::{installed, run, sha256, tool};

/// How many machines the fleet of `tests/nix/images.nix` has.
const MACHINES: usize = 50;

/// How often something was compressed, as the logs of builds say.
fn compressions(log: &str) -> usize {
    log.matches("compressing: ").count()
}

fn squashfs(folder: &Path, name: &str) -> String {
    sha256(&folder.join(format!("{name}.squashfs")))
}

/// Builds several things at once. Answers where they are, and how often something was compressed for them.
fn built(world: &World, attributes: &[&str]) -> (Vec<PathBuf>, usize) {
    let (paths, log) = world.built_with_log(attributes, &["--max-jobs", "4"]);
    (paths, compressions(&log))
}

#[test]
fn a_fleet_compresses_each_segment_once() {
    let Some(world) = world() else { return };
    let (_, of_lists) = built(&world, &["fleet.lists"]);
    assert_eq!(of_lists, 0);
    let (first, of_first) = built(&world, &["fleet.images.0"]);
    let (second, of_second) = built(&world, &["fleet.images.1"]);
    let (all, of_others) = built(&world, &["fleet.images"]);
    let told = world.evaluated("t.fleet.compressions");
    let count = |key: &str| usize::try_from(told[key].as_u64().unwrap()).unwrap();
    eprintln!(
        "{told}: {of_first} for the first image, {of_second} for the second, {of_others} for all others"
    );

    // Each segment was compressed once, by a derivation of its own, and nothing by an image.
    assert_eq!((all.len(), count("images")), (MACHINES, MACHINES));
    assert_eq!(of_first + of_second + of_others, count("compressed"));
    assert_eq!(of_first, count("segments") / MACHINES);
    // An image costs its own: its system, and its role when it is the first that has it.
    assert!(of_second <= 2, "{of_second}");
    assert!(count("compressed") * 8 < count("segments"), "{told}");
    assert_eq!([&all[0], &all[1]], [&first[0], &second[0]]);

    let last = MACHINES - 1;
    let (alone, of_alone) = built(&world, &["fleet.alone.0", &format!("fleet.alone.{last}")]);
    assert_eq!(of_alone, 2);
    for (alone, number) in alone.iter().zip([0, last]) {
        let name = format!("machine-{number}");
        assert_eq!(squashfs(&all[number], &name), squashfs(alone, &name));
    }
    world.built(["fleet.images.1.segments.0", "fleet.images.1"]);
}

#[test]
fn segments_change_no_byte_of_a_whole_system() {
    let Some(world) = world() else { return };
    let (apart, of_apart) = built(&world, &["segments.apart"]);
    let segments = world.evaluated("builtins.length t.segments.apart.segments");
    assert_eq!(of_apart, usize::try_from(segments.as_u64().unwrap()).unwrap());
    let (together, of_together) = built(&world, &["segments.together"]);
    assert_eq!(of_together, 1);
    let (without, _) = built(&world, &["segments.without"]);
    let wanted = squashfs(&without[0], "store");
    assert_eq!(
        [&squashfs(&apart[0], "store"), &squashfs(&together[0], "store")],
        [&wanted, &wanted]
    );
}

#[test]
fn segments_change_no_byte_of_a_btrfs() {
    let Some(world) = world() else { return };
    let btrfs = |folder: &Path| sha256(&folder.join("store.btrfs"));
    let (without, _) = built(&world, &["btrfs-segments.without"]);
    let wanted = btrfs(&without[0]);
    let (apart, of_apart) = built(&world, &["btrfs-segments.apart"]);
    let segments = world.evaluated("builtins.length t.btrfs-segments.apart.segments");
    // Store paths that have nothing to compress need no compression. The image makes what is in no store path.
    let most = usize::try_from(segments.as_u64().unwrap()).unwrap() + 1;
    assert!(most > 2 && (2..=most).contains(&of_apart), "{of_apart} of {most}");
    let (together, of_together) = built(&world, &["btrfs-segments.together"]);
    assert!((1..=2).contains(&of_together), "{of_together}");
    assert_eq!([&btrfs(&apart[0]), &btrfs(&together[0])], [&wanted, &wanted]);
}

/// mkErofs with segments of its own, with those of one derivation, and without any.
#[test]
fn segments_change_no_byte_of_an_erofs() {
    let Some(world) = world() else { return };
    let erofs = |folder: &Path| sha256(&folder.join("store.erofs"));
    let (without, _) = built(&world, &["erofs-segments.without"]);
    let image = without[0].join("store.erofs");
    if installed(&["fsck.erofs-newer"]) {
        run(tool("fsck.erofs-newer").arg(&image));
    }
    let wanted = erofs(&without[0]);
    let (apart, of_apart) = built(&world, &["erofs-segments.apart"]);
    let segments = world.evaluated("builtins.length t.erofs-segments.apart.segments");
    assert_eq!(of_apart, usize::try_from(segments.as_u64().unwrap()).unwrap());
    let (together, of_together) = built(&world, &["erofs-segments.together"]);
    assert_eq!(of_together, 1);
    assert_eq!([&erofs(&apart[0]), &erofs(&together[0])], [&wanted, &wanted]);
}
