//! The lives of an appliance: `demo/appliance` lives them in QEMU, with Secure Boot, a TPM, and the systemd-sysupdate of a newer
//! Debian in the device. The short life is lived each time; the long one has all that can go wrong, power cuts too.

use crate::demo::{demo, is_made, kiln_program, target};
use crate::tools::{given, installed, run, tool};

/// What has to be said, each by the beginning of a line behind `appliance: `.
type Said = &'static [&'static str];

const UPDATE: Said = &[
    "version 1 is up, by Secure Boot, from a root under dm-verity",
    "the firmware has taken our keys",
    "the first boot made the other slots, which are empty",
    "version 1 is marked as good: its image is kilnos_1.efi",
    "PCR 11 is what the manifest says, in the initrd and after: ",
    "a secret is sealed for the key that signs PCR 11",
    "systemd-sysupdate has installed version 2 ",
    "the slots of version 2 have its bytes",
    "its image is kilnos_2+3-0.efi",
    "version 2 is up, by Secure Boot, from a root under dm-verity",
    "version 2 is marked as good: its image is kilnos_2.efi",
    "PCR 11 is what the manifest says, in the initrd and after: ",
    "the TPM has opened the secret in the initrd, and does not after it",
];

const REFUSALS: Said = &[
    "refused a list of hashes that somebody has changed: ",
    "refused a release that somebody else has signed: ",
    "nothing was written",
    "refused a partition with a flipped bit: ",
    "refused an image with a flipped bit: ",
    "what runs was not written, ",
];

const FALLS_BACK: Said = &[
    "systemd-sysupdate has installed version 3 ",
    "a flipped bit in the tree: Kernel panic",
    "a flipped bit in the root: Kernel panic",
    "a flipped bit in the signature: Kernel panic",
    "version 3 was tried three times, and version 2 is back: ",
];

const POWER_CUTS: Said = &[
    "power cut while the hash tree was fetched: version 2 boots",
    "power cut while the root was written: version 2 boots",
    "power cut while the image was fetched: version 2 boots",
    "power cut right after the update: version ",
    "version 4 is marked as good: ",
    "the slots of version 4 have its bytes",
];

const DONE: Said = &["done in "];

/// A device lives, and all of this has to be said, in this order.
fn live(life: &str, stages: &[Said]) {
    let programs = [
        "qemu-system-x86_64",
        "/usr/share/OVMF/OVMF_CODE_4M.secboot.fd",
        "swtpm",
        "tpm2",
        "python3",
        "nginx",
        "openssl",
    ];
    let parts = demo().join("out/appliance-parts/stamp");
    let condition = format!("{} is there (tests/run store makes it)", parts.display());
    if !is_made() || !given(parts.exists(), &condition) || !installed(&programs) {
        return;
    }
    let dir = tempfile::tempdir_in(target()).unwrap();
    let mut device = tool(demo().join("appliance").to_str().unwrap());
    device.args(["--life", life]).arg("--kiln").arg(kiln_program());
    let told = run(device.arg("--out").arg(dir.path()));
    eprintln!("{told}");
    let mut lines = told.lines().filter_map(|line| line.strip_prefix("appliance: "));
    for wanted in stages.concat() {
        assert!(
            lines.any(|line| line.starts_with(wanted)),
            "{wanted:?} is missing, or not where it should be:\n{told}"
        );
    }
}

#[test]
fn an_appliance_updates_itself() {
    live("short", &[UPDATE, DONE]);
}

#[test]
#[ignore = "long: tests/long runs it"]
fn an_appliance_lives_through_refusals_damage_and_power_cuts() {
    live("long", &[UPDATE, REFUSALS, FALLS_BACK, POWER_CUTS, DONE]);
}
