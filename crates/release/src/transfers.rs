//! Transfer files: what of a release goes where on a device.
//!
//! systemd-sysupdate takes them in the order of their names, and renames in that order what it has written, so the image that
//! boots a version comes last: it never starts a version that is not there.

use std::fmt::Write as _;

use uuid::Uuid;

use crate::boot_count;
use crate::names::Id;

/// The first systemd that reads files called `.transfer`; older ones want `.conf`.
const SYSTEMD_TRANSFER: u32 = 257;
/// The first systemd that finds the folder of the boot loader itself.
const SYSTEMD_RELATIVE: u32 = 254;
/// The first systemd that decompresses zstd. Older ones write the compressed bytes into the partition, and call it done.
pub const SYSTEMD_ZSTD: u32 = 258;

/// Devices that look for releases.
#[derive(Clone, Debug)]
pub struct Options<'a> {
    /// What the system is called.
    pub id: &'a Id,
    /// The folder that releases lie in.
    pub url: &'a str,
    /// Whether releases are signed.
    pub is_signed: bool,
    /// The oldest systemd.
    pub systemd: u32,
    /// The partitions, in any order.
    pub slots: Vec<Slot>,
    /// How often the boot loader tries a new image; none when a release has no image.
    pub tries: Option<u32>,
}

/// A partition of which a device has two or more.
#[derive(Clone, Debug)]
pub struct Slot {
    /// What its files are called by.
    pub region: String,
    /// Its label, with `@v` for the version.
    pub label: String,
    /// Its type: a name that systemd knows, or a GUID.
    pub kind: String,
    /// The attribute bits that it has when it is in use.
    pub attributes: u64,
    /// Whether it is found by its UUID, which is in the file's name.
    pub has_uuid: bool,
    /// Whether its files may be compressed.
    pub is_compressed: bool,
}

/// A file for `sysupdate.d`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its name.
    pub name: String,
    /// What it says.
    pub text: String,
}

/// All files, in the order in which they are used.
#[must_use]
pub fn files(options: &Options) -> Vec<File> {
    let ending = if options.systemd < SYSTEMD_TRANSFER {
        "conf"
    } else {
        "transfer"
    };
    let slots = options.slots.iter().map(|slot| File {
        name: format!("50-{}.{ending}", slot.region),
        text: partition(options, slot),
    });
    let mut files: Vec<File> = slots.collect();
    files.sort_by(|one, other| one.name.cmp(&other.name));
    files.extend(options.tries.map(|tries| File {
        name: format!("90-uki.{ending}"),
        text: uki(options, tries),
    }));
    files
}

/// What all of them begin with. `%A` is the running version, which is never overwritten.
fn head(options: &Options, patterns: &[String]) -> String {
    let verify = if options.is_signed { "" } else { "Verify=no\n" };
    // A percent sign begins a value.
    let url = options.url.replace('%', "%%");
    format!(
        "[Transfer]\nProtectVersion=%A\n{verify}\n[Source]\nType=url-file\nPath={url}\nMatchPattern={}\n\n[Target]\n",
        patterns.join(" ")
    )
}

fn partition(options: &Options, slot: &Slot) -> String {
    let uuid = if slot.has_uuid { "_@u" } else { "" };
    let plain = format!("{}_@v{uuid}.{}.raw", options.id, slot.region);
    let mut patterns = Vec::new();
    if slot.is_compressed {
        patterns.push(format!("{plain}.xz"));
        if options.systemd >= SYSTEMD_ZSTD {
            patterns.push(format!("{plain}.zst"));
        }
    }
    patterns.push(plain);
    let mut text = head(options, &patterns);
    let _ = writeln!(text, "Type=partition\nPath=auto\nMatchPattern={}", slot.label);
    let _ = writeln!(text, "MatchPartitionType={}", slot.kind);
    let _ = writeln!(text, "PartitionFlags={:#x}", slot.attributes);
    text
}

fn uki(options: &Options, tries: u32) -> String {
    let stem = format!("{}_@v", options.id);
    let mut text = head(options, &[format!("{stem}.efi")]);
    let place = if options.systemd < SYSTEMD_RELATIVE {
        "Path=/boot/EFI/Linux"
    } else {
        "Path=/EFI/Linux\nPathRelativeTo=boot"
    };
    let patterns = boot_count::patterns(&stem, tries > 0).join(" ");
    let _ = writeln!(
        text,
        "Type=regular-file\n{place}\nMatchPattern={patterns}\nMode=0644"
    );
    if tries > 0 {
        let _ = writeln!(text, "TriesLeft={tries}\nTriesDone=0");
    }
    text.push_str("InstancesMax=2\n");
    text
}

/// What systemd calls a type: its name where it has one for sure, the GUID otherwise.
#[must_use]
pub fn kind(name: Option<&str>, guid: Uuid) -> String {
    let is_known = |name: &&str| name.starts_with("root-") || name.starts_with("usr-");
    name.filter(is_known)
        .map_or_else(|| guid.to_string(), str::to_owned)
}
