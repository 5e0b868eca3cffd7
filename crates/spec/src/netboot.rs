//! A system that comes over a network, or in place of a running one: its kernel, an initrd with the store in it, and the
//! scripts that load them, as nixpkgs' netboot has them.

use image::Content;

use crate::Spec;
use crate::error::{Error, Result};
use crate::expand::expand;
use crate::parts::{Beside, Planner};
use crate::schema::Netboot;
use crate::trees::Values;
use crate::ukis::USUAL_CMDLINE;

/// What `--only` calls it.
pub(crate) const PART: &str = "netboot";

/// Where nixpkgs' netboot looks for the store.
const STORE: &str = "/nix-store.squashfs";

/// The outputs, by what they are.
pub(crate) struct Files {
    pub(crate) kernel: String,
    pub(crate) initrd: String,
    pub(crate) parameters: String,
    pub(crate) ipxe: String,
    pub(crate) kexec: String,
}

pub(crate) fn files(netboot: &Netboot) -> Files {
    Files {
        kernel: netboot.kernel_file.clone().unwrap_or_else(|| "bzImage".into()),
        initrd: netboot.initrd_file.clone().unwrap_or_else(|| "initrd".into()),
        parameters: "kernel-params".into(),
        ipxe: "netboot.ipxe".into(),
        kexec: "kexec-boot".into(),
    }
}

/// Finds what is wrong before anything is made.
pub(crate) fn check(spec: &Spec, netboot: &Netboot) -> Result<()> {
    let is_there = |key: &str| spec.fs.contains_key(key);
    if !netboot.store.strip_prefix("fs.").is_some_and(is_there) {
        return Err(crate::disks::no_part("netboot.store", &netboot.store, spec));
    }
    let files = files(netboot);
    check_word("netboot.kernel-file", &files.kernel)?;
    check_word("netboot.initrd-file", &files.initrd)?;
    check_line(netboot.cmdline.as_deref().unwrap_or_default())?;
    let path = (at(netboot), Content::Zeros(0));
    cpio::append(&[], &[path]).map_err(|source| Error::Netboot { source })?;
    Ok(())
}

/// Where the store is in the initrd.
fn at(netboot: &Netboot) -> &str {
    netboot.at.as_deref().unwrap_or(STORE)
}

/// What the kernel is told stands on one line of scripts.
fn check_line(cmdline: &str) -> Result<()> {
    if cmdline.contains(['\n', '\0']) {
        return Err(Error::BadValue {
            place: "netboot.cmdline".into(),
            problem: "has more than one line".into(),
        });
    }
    Ok(())
}

/// Names stand in scripts, where some characters mean something.
fn check_word(place: &str, word: &str) -> Result<()> {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "._-+".contains(character);
    if !word.is_empty() && !word.starts_with(['.', '-']) && word.chars().all(is_plain) {
        return Ok(());
    }
    Err(Error::BadValue {
        place: place.into(),
        problem: format!("{word:?}: must be a name of letters, digits and ._-+"),
    })
}

/// All of it.
pub(crate) fn plan(netboot: &Netboot, planner: &mut Planner) -> Result<Vec<Beside>> {
    let kernel = planner.source(netboot.kernel.as_deref().unwrap_or("{kernel}"), "netboot.kernel")?;
    let usual = || vec!["{initrd}".to_string()];
    let initrds = netboot
        .initrd
        .as_ref()
        .map_or_else(usual, |sources| sources.0.clone());
    let initrds = planner.sources(&initrds, "netboot.initrd")?;
    let cmdline = netboot.cmdline.as_deref().unwrap_or(USUAL_CMDLINE);
    let place = "netboot.cmdline";
    let cmdline = expand(cmdline, place, |key| Values::text(planner, key, place))?;
    let cmdline = cmdline.trim();
    check_line(cmdline)?;
    let store = planner.part(&netboot.store)?.content.clone();
    let initrd =
        cpio::append(&initrds, &[(at(netboot), store)]).map_err(|source| Error::Netboot { source })?;
    let files = files(netboot);
    let text = |text: String| Content::from(text.into_bytes());
    let ipxe = ipxe(&files, cmdline, &planner.gathered.name);
    let kexec = kexec(&files, cmdline);
    let outputs = [
        ("kernel", files.kernel, kernel),
        ("initrd", files.initrd, initrd.into()),
        ("kernel-params", files.parameters, text(format!("{cmdline}\n"))),
        ("ipxe", files.ipxe, text(ipxe)),
        ("kexec", files.kexec, text(kexec)),
    ];
    let beside = |(name, file, content)| Beside {
        part: format!("{PART}.{name}"),
        file,
        content,
    };
    Ok(outputs.into_iter().map(beside).collect())
}

/// The script that iPXE runs. UEFI firmware finds the initrd by its name on the command line.
fn ipxe(files: &Files, cmdline: &str, name: &str) -> String {
    let Files { kernel, initrd, .. } = files;
    format!(
        "#!ipxe\n# {name}\n# More for the kernel: set cmdline before this script is chained.\n\
         kernel {kernel} {cmdline} initrd={initrd} ${{cmdline}}\ninitrd {initrd}\nboot\n"
    )
}

/// The script that starts the system in place of the one that runs.
fn kexec(files: &Files, cmdline: &str) -> String {
    let Files { kernel, initrd, .. } = files;
    let cmdline = cmdline.replace('\'', "'\\''");
    format!(
        "#!/bin/sh\n\
         # Starts the system that lies beside this script in place of the one that runs. Needs root and kexec-tools; what it is\n\
         # told goes to `kexec --load`.\n\
         set -eu\n\
         folder=$(dirname -- \"$(readlink -f -- \"$0\")\")\n\
         command -v kexec > /dev/null || {{ echo 'kexec is missing: install kexec-tools' >&2; exit 1; }}\n\
         kexec --load \"$folder/{kernel}\" --initrd=\"$folder/{initrd}\" --command-line='{cmdline}' \"$@\"\n\
         kexec -e\n"
    )
}
