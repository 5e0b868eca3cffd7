//! What image.repart can say and Kiln does not do: each is an error that names it and the way out.

use super::evaluated;
use crate::demo::workspace;
use crate::nix_world::{World, world};
use crate::tools::{output, said};

/// What Nix says of an attribute that has no value.
pub(super) fn refused(world: &World, attribute: &str) -> String {
    let mut command = world.nix("nix-instantiate");
    command
        .args(["--eval", "--strict", "--json", "-A", attribute])
        .arg(workspace().join("tests/nix/repart.nix"));
    let output = output(&mut command);
    assert!(!output.status.success(), "{attribute} has a value");
    said(&output)
}

/// What is refused, and words of what is said: what is wrong, and the way out.
const REFUSED: [(&str, &str); 45] = [
    (
        "refused.encrypt",
        "10-x: Encrypt: not supported: an image would hold its key",
    ),
    (
        "refused.subvolumes",
        "10-x: Subvolumes and DefaultSubvolume are for Format = btrfs",
    ),
    (
        "refused.xfs",
        "10-x: Format = xfs: Kiln makes btrfs erofs ext4 squashfs swap vfat",
    ),
    (
        "refused.typo",
        "10-x: SizeMinByte: not supported: no key of repart.d",
    ),
    ("refused.type", "10-x: Type = roof: no name of repart.d(5)"),
    (
        "refused.size",
        "10-x: SizeMinBytes = 1MiB: must be a whole number",
    ),
    ("refused.sizes", "10-x: SizeMinBytes is more than SizeMaxBytes"),
    (
        "refused.paddings",
        "10-x: PaddingMinBytes is more than PaddingMaxBytes",
    ),
    (
        "refused.weight",
        "10-x: Weight = 1000001: must be a number from 0 to 1000000",
    ),
    (
        "refused.paddingWeight",
        "10-x: PaddingWeight = -1: must be a number from 0 to 1000000",
    ),
    ("refused.flags", "10-x: Flags = yes: must be 0x"),
    ("refused.boolean", "10-x: ReadOnly = maybe: must be yes or no"),
    (
        "refused.specifier",
        "10-x: Label = %H: %H is not known when an image is made; say its value in Nix",
    ),
    (
        "refused.longLabel",
        "has 42 characters, a partition's has at most 36",
    ),
    ("refused.uuid", "10-x: UUID = one: must be a UUID"),
    (
        "refused.minimize",
        "10-x: Minimize: needs a Format or Verity = hash",
    ),
    (
        "refused.copyOptions",
        "CopyFiles = /a:/b:noatime: noatime: no option",
    ),
    (
        "refused.fsverity",
        "fsverity=copy is not supported: Kiln's file systems have no fs-verity; leave it out",
    ),
    ("refused.copyRelative", "CopyFiles = a:/b: a is no absolute path"),
    ("refused.copyDots", "/b/../c is no absolute path without .."),
    ("refused.link", "MakeSymlinks = /a: must be LINK:TARGET"),
    (
        "refused.swapFiles",
        "10-x: Format = swap: a swap area holds no files",
    ),
    (
        "refused.emptyErofs",
        "10-x: Format = erofs: there is nothing in it",
    ),
    (
        "refused.emptySquashfs",
        "10-x: Format = squashfs: there is nothing in it",
    ),
    ("refused.blocksAndFormat", "10-x: CopyBlocks excludes Format"),
    (
        "refused.blocksAuto",
        "10-x: CopyBlocks = auto: there is no running system",
    ),
    (
        "refused.excludeTwo",
        "ExcludeFiles: Kiln excludes from one source of CopyFiles, and there are 2",
    ),
    (
        "refused.excludeElsewhere",
        "ExcludeFiles = /ab/x: is not below /a",
    ),
    (
        "refused.compression",
        "Compression and CompressionLevel are for Format = btrfs, erofs and squashfs",
    ),
    ("refused.splitName", "10-x: SplitName = a/b: has a slash"),
    (
        "refused.seed",
        "image.repart.seed: random ids would make another image each time; say a UUID",
    ),
    (
        "refused.random",
        "image.repart.seed: random ids would make another image each time; say a UUID",
    ),
    ("refused.badSeed", "image.repart.seed: rock64: must be a UUID"),
    (
        "refused.sectorSize",
        "image.repart.sectorSize: 2048: Kiln makes disks with sectors of 512 or 4096 bytes",
    ),
    (
        "refused.imageSize",
        "image.repart.imageSize: size = 1.5G: must be a whole number",
    ),
    (
        "refused.tooSmall",
        "image.repart.imageSize: the partitions need 11554816 bytes, and there are 8388608",
    ),
    (
        "refused.algorithm",
        "image.repart.compression.algorithm: lz4: must be zstd, zstd-seekable or xz",
    ),
    (
        "refused.noKeys",
        "image.repart.partitions: keys for 20-root: there is no such partition",
    ),
    ("refused.none", "image.repart.partitions: there are none"),
    (
        "refused.unknownSizes",
        "image.repart.imageSize: 1G: the sizes of 10-x follow from what is in them",
    ),
    (
        "refused.mkfs",
        "image.repart.mkfsOptions.ext4: -O quota: not supported: known are -L -U -m",
    ),
    (
        "module.refused.verityStore",
        "image.repart.verityStore.partitionIds.esp: 00-esp: there is no such partition",
    ),
    (
        "module.refused.fileName",
        "image.fileName and image.filePath: Kiln's output has appliance_7.raw",
    ),
    (
        "module.refused.extension",
        "image.extension = img: Kiln's output has appliance_7.raw",
    ),
    ("module.refused.label", "an assertion of the image"),
];

#[test]
fn what_cannot_be_followed_is_refused_by_its_name() {
    let Some(world) = world() else { return };
    let of = |kind: &str| -> Vec<(&str, &str)> {
        let start = format!("{kind}.");
        let all = REFUSED.iter();
        all.filter_map(|(name, words)| Some((name.strip_prefix(&start)?, *words)))
            .collect()
    };
    for kind in ["refused", "module.refused"] {
        check(&world, kind, &of(kind));
    }
}

/// Each attribute of a set is refused, with words of the table, which has no others.
pub(super) fn check(world: &World, kind: &str, expected: &[(&str, &str)]) {
    let all = evaluated(world, &format!("namesOf.{kind}"));
    let mut names: Vec<&str> = all
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|name| name.as_str())
        .collect();
    let mut known: Vec<&str> = expected.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    known.sort_unstable();
    assert_eq!(names, known, "{kind}");
    for (name, words) in expected {
        let said = refused(world, &format!("{kind}.{name}"));
        assert!(said.contains(words), "{kind}.{name}: {said}");
    }
}
