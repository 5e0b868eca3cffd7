//! Configurations with one thing wrong, and what is said of it before anything is built.

use super::{evaluated, has_stub, nix};
use crate::nix_world::world;
use crate::tools::{output, said};

/// Attributes of `refused` in `tests/nix/appliance.nix`, and what each is told.
const REFUSED: &[(&str, &str)] = &[
    (
        "amount",
        "kiln.appliance.storeSize is large: must be an amount, such as 512MiB",
    ),
    (
        "compressed",
        "none of them fetches appliance_@v_@u.store.raw, which each release has",
    ),
    ("configFile", "boot.uki.configFile: Kiln makes the UKI itself"),
    (
        "dense",
        "none of them fetches appliance_@v_@u.store.raw, which each release has",
    ),
    (
        "initrd",
        "'boot.initrd.systemd.repart.enable' requires 'boot.initrd.systemd.enable'",
    ),
    (
        "key",
        "kiln.specification.uki.main.sign.key lies in the store, which everybody can read",
    ),
    (
        "long",
        "an-appliance-with-a-name-that-is-long_7 has 39 characters: it is the name of partitions, which have up to 36",
    ),
    ("missing", "none of them fetches appliance_@v.efi"),
    (
        "name",
        "boot.uki.name is Gate: must be small letters, digits, dots, _ and -",
    ),
    (
        "noCounter",
        "70-uki.Target.MatchPattern is appliance_@v.efi: it does not match appliance_7+3-0.efi",
    ),
    (
        "noKeyring",
        "kiln.appliance.signatures.release: there is no kiln.appliance.keyring",
    ),
    ("noRepart", "boot.initrd.systemd.repart.enable is off"),
    ("noUrl", "nothing says where releases are: say kiln.appliance.url"),
    ("noVersion", "system.image.version is not set"),
    (
        "otherLabel",
        "20-store.Target.MatchPattern is store_@v: it does not match appliance_7",
    ),
    ("otherName", "none of them fetches appliance_@v_@u.store.raw.xz"),
    (
        "otherTarget",
        "70-uki.Target.Type is partition: appliance_@v.efi goes into a regular-file",
    ),
    (
        "otherType",
        "20-store.Target.MatchPartitionType is root: the partition is a usr-",
    ),
    (
        "releaseKey",
        "kiln.specification.release.sign.key lies in the store, which everybody can read",
    ),
    ("setting", "boot.uki.settings.UKI.HWIDs: not supported: known are"),
    (
        "slot",
        "\"21-store-b\".SizeMaxBytes is 64M: both slots have 134217728 bytes; change kiln.appliance.storeSize",
    ),
    (
        "twice",
        "20-store and 30-again both fetch appliance_@v_@u.store.raw.xz",
    ),
    (
        "twoNames",
        "boot.uki.name is gate and system.image.id is appliance: a release has one name",
    ),
    (
        "twoVersions",
        "boot.uki.version is 8 and system.image.version is 7: a release has one version",
    ),
    (
        "ukiFile",
        "system.boot.loader.ukiFile is linux.efi: devices look for appliance_7.efi",
    ),
    (
        "version",
        "boot.uki.version is 7_1: must be small letters, digits, dots and -",
    ),
];

#[test]
fn what_does_not_fit_together_is_refused_by_its_name() {
    if !has_stub() {
        return;
    }
    let Some(world) = world() else { return };
    let names = evaluated(&world, "namesOfRefused");
    let known: Vec<&str> = REFUSED.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, serde_json::json!(known));
    for (name, words) in REFUSED {
        let mut command = nix(&world, "nix-instantiate");
        let output = output(command.args(["--eval", "-A", &format!("refused.{name}")]));
        assert!(!output.status.success(), "{name} has a value");
        let said = said(&output);
        assert!(said.contains(words), "{name}: {said}");
    }
}
