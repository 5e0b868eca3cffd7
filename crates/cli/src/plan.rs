//! `kiln plan`: the map of every region and file system, with nothing written.

use std::fmt::Write as _;
use std::path::Path;

use image::show;
use serde::Serialize;
use spec::{Detail, Part, Rehash, Squashing, Work};
use squashfs::UnitUsage;

use crate::access::access;
use crate::args::build::Plan;
use crate::bundle_map::BundleEntry;
use crate::contained::ContainedEntry;
use crate::disk_map::{BOUND, describe_disk};
use crate::efi::UkiEntry;
use crate::failure::Failure;
use crate::layouts::{self, LayoutEntry};
use crate::logins::warn_of_passwords;
use crate::manifest::DiskEntry;
use crate::release::ReleaseEntry;
use crate::steps::{gather, plan};
use crate::ui::{Ui, hex, size};

pub(crate) fn run(args: &Plan, threads: usize, ui: &Ui) -> Result<(), Failure> {
    let mut spec = spec::read(&args.spec)?;
    args.overrides.apply(&mut spec);
    warn_of_passwords(&spec, ui);
    let folder = args.spec.parent().unwrap_or(Path::new(""));
    let spool = std::env::temp_dir();
    // Only an exact plan needs the contents of what is far away.
    let rehash = if args.exact { Rehash::Compare } else { Rehash::Skip };
    let access = access(&args.fetch, spec.closure.as_ref(), folder, &spool, threads, ui)?;
    let gathered = gather(&spec, rehash, &access, ui)?;
    let squashing = if args.exact {
        Squashing::Spool(&spool)
    } else {
        Squashing::Estimate
    };
    let work = Work {
        folder,
        squashing,
        threads,
        progress: ui,
        segments: None,
        roots: None,
        efi: None,
        release: None,
        only: &[],
    };
    let mut plan = plan(&spec, &gathered, &work, ui)?;
    spec::contain(&spec, &gathered, &work, &mut plan)?;
    let parts: Vec<PartEntry> = plan.parts.iter().map(PartEntry::new).collect();
    let disk = plan.disk.as_ref().map(|(planned, file)| {
        (
            DiskEntry::new(planned),
            plan.disk_is_output.then_some(file.as_str()),
        )
    });
    if ui.json() {
        let (disk, file) = disk.unzip();
        return ui.print_json(&Report {
            name: &gathered.name,
            parts,
            layouts: layouts::entries(&gathered),
            disk,
            disk_file: file.flatten(),
            disk_estimate: plan.disk_is_bound,
            contained: plan.contained.iter().map(ContainedEntry::new).collect(),
            bundle: plan.bundle.as_ref().map(BundleEntry::new),
            release: plan.release.as_ref().map(ReleaseEntry::new),
        });
    }
    let mut text = String::new();
    for part in &parts {
        part.describe(&mut text);
    }
    if let Some((disk, file)) = &disk {
        let is_fixed = spec.disk.as_ref().is_some_and(|disk| disk.size.is_some());
        let bound = match (plan.disk_is_bound, is_fixed) {
            (false, _) => ["", ""],
            (true, true) => ["", BOUND],
            (true, false) => ["at most ", BOUND],
        };
        describe_disk(disk, *file, bound, &mut text);
        for contained in &plan.contained {
            ContainedEntry::new(contained).describe(&mut text);
        }
        text.push('\n');
    }
    if let Some(bundle) = &plan.bundle {
        BundleEntry::new(bundle).describe(&mut text);
    }
    if let Some(release) = &plan.release {
        ReleaseEntry::new(release).describe(&mut text);
    }
    ui.print(&text)
}

/// A plan for machines.
#[derive(Serialize)]
struct Report<'a> {
    name: &'a str,
    parts: Vec<PartEntry>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    layouts: Vec<LayoutEntry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    disk: Option<DiskEntry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    disk_file: Option<&'a str>,
    /// Whether regions are at most as large, and lie at most as far, as the disk says.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    disk_estimate: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    contained: Vec<ContainedEntry<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bundle: Option<BundleEntry<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    release: Option<ReleaseEntry>,
}

/// A part, for people and machines.
#[derive(Serialize)]
struct PartEntry {
    part: String,
    outputs: Vec<String>,
    size: u64,
    /// Whether the size is the most that the part can take.
    estimate: bool,
    #[serde(flatten)]
    detail: DetailEntry,
}

#[derive(Serialize)]
#[serde(tag = "format", rename_all = "kebab-case")]
enum DetailEntry {
    Squashfs {
        content_len: u64,
        entries: u64,
        largest: Vec<Large>,
    },
    Fat {
        variant: String,
        cluster_size: u32,
        files: u64,
        free: u64,
        promised: u64,
    },
    Ext4 {
        uuid: String,
        groups: u32,
        inodes: u64,
        free: u64,
        promised: u64,
        free_inodes: u64,
        promised_inodes: u64,
        journal: u64,
        /// Whether files were not read for their holes, so that `free` is the least.
        free_estimate: bool,
    },
    Btrfs {
        uuid: String,
        #[serde(flatten, skip_serializing_if = "Option::is_none")]
        usage: Option<BtrfsUsage>,
    },
    Erofs {
        uuid: String,
        content_len: u64,
        entries: u64,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        largest: Vec<Large>,
    },
    Swap {
        uuid: String,
    },
    Verity {
        data: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        root_hash: Option<String>,
    },
    VeritySignature {
        tree: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        root_hash: Option<String>,
    },
    Uki(UkiEntry),
    Efi {
        signed: bool,
    },
    Device,
    Script {
        arch: &'static str,
    },
}

/// How full a btrfs is.
#[derive(Serialize)]
struct BtrfsUsage {
    data: u64,
    shared: u64,
    metadata: u64,
    free: u64,
    promised: u64,
    unallocated: u64,
}

impl BtrfsUsage {
    fn new(usage: &btrfs::Usage) -> BtrfsUsage {
        BtrfsUsage {
            data: usage.data,
            shared: usage.shared,
            metadata: usage.metadata,
            free: usage.free,
            promised: usage.promised,
            unallocated: usage.unallocated,
        }
    }
}

#[derive(Serialize)]
struct Large {
    name: String,
    content_len: u64,
    stored_len: u64,
}

impl Large {
    fn new(usage: &UnitUsage) -> Large {
        Large {
            name: show(&usage.name),
            content_len: usage.content_len,
            stored_len: usage.stored_len,
        }
    }
}

impl PartEntry {
    fn new(part: &Part) -> PartEntry {
        let detail = match &part.detail {
            Detail::Squashfs {
                content_len,
                entries,
                largest,
                ..
            } => DetailEntry::Squashfs {
                content_len: *content_len,
                entries: *entries,
                largest: largest.iter().map(Large::new).collect(),
            },
            Detail::Fat { usage, .. } => DetailEntry::Fat {
                variant: usage.variant.to_string(),
                cluster_size: usage.cluster_size,
                files: usage.files,
                free: usage.free,
                promised: usage.promised,
            },
            Detail::Ext4 {
                usage,
                uuid,
                is_bound,
                ..
            } => DetailEntry::Ext4 {
                free_estimate: *is_bound,
                uuid: uuid.to_string(),
                groups: usage.groups,
                inodes: usage.inodes,
                free: usage.free,
                promised: usage.promised,
                free_inodes: usage.free_inodes,
                promised_inodes: usage.promised_inodes,
                journal: usage.journal_blocks * 4096,
            },
            Detail::Btrfs { usage, uuid, .. } => DetailEntry::Btrfs {
                uuid: uuid.to_string(),
                usage: usage.as_ref().map(BtrfsUsage::new),
            },
            Detail::Erofs {
                content_len,
                entries,
                largest,
                uuid,
                ..
            } => DetailEntry::Erofs {
                uuid: uuid.to_string(),
                content_len: *content_len,
                entries: *entries,
                largest: largest.iter().map(Large::new).collect(),
            },
            Detail::Swap { uuid } => DetailEntry::Swap {
                uuid: uuid.to_string(),
            },
            Detail::Verity { data, root, .. } => DetailEntry::Verity {
                data: data.clone(),
                root_hash: root.as_ref().map(|root| hex(root)),
            },
            Detail::RootSignature { tree, root, .. } => DetailEntry::VeritySignature {
                tree: tree.clone(),
                root_hash: root.as_ref().map(|root| hex(root)),
            },
            Detail::Uki { .. } => UkiEntry::new(&part.detail).map_or(DetailEntry::Device, DetailEntry::Uki),
            Detail::Efi { signed, .. } => DetailEntry::Efi { signed: *signed },
            Detail::Device => DetailEntry::Device,
            Detail::Script { arch } => DetailEntry::Script { arch },
        };
        PartEntry {
            part: part.name.clone(),
            outputs: part.files.iter().map(|(file, _)| file.clone()).collect(),
            size: part.content.len(),
            estimate: part.is_estimate(),
            detail,
        }
    }

    fn describe_largest(&self, largest: &[Large], text: &mut String) -> std::fmt::Result {
        let column = if self.estimate {
            "uncompressed"
        } else {
            "in the image"
        };
        if !largest.is_empty() {
            writeln!(text, "  the largest store paths, {column}:")?;
        }
        for unit in largest {
            writeln!(text, "  {:>12}  {}", size(unit.stored_len), unit.name)?;
        }
        Ok(())
    }

    fn describe_program(&self, files: &str, text: &mut String) -> std::fmt::Result {
        let most = if self.estimate { "at most " } else { "" };
        let head = format!("{} → {files}", self.part);
        let bytes = format!("{most}{}", size(self.size));
        match &self.detail {
            DetailEntry::Uki(uki) => uki.describe(&head, &bytes, text),
            _ => writeln!(text, "{head}: program that firmware starts, {bytes}"),
        }
    }

    /// What nobody writes, and may be compressed.
    fn describe_packed(
        &self,
        bytes: &str,
        files: &str,
        (content_len, entries): (u64, u64),
        largest: &[Large],
        text: &mut String,
    ) -> std::fmt::Result {
        let format = match self.detail {
            DetailEntry::Erofs { .. } => "erofs",
            _ => "squashfs",
        };
        let content = size(content_len);
        let bytes = if self.estimate {
            format!("at most {bytes} (before compression)")
        } else {
            bytes.to_string()
        };
        writeln!(
            text,
            "{} → {files}: {format}, {bytes}; {entries} entries, {content}",
            self.part
        )?;
        self.describe_largest(largest, text)
    }

    fn describe(&self, text: &mut String) {
        let (bytes, files) = (size(self.size), self.outputs.join(", "));
        let _ = match &self.detail {
            DetailEntry::Squashfs {
                content_len,
                entries,
                largest,
            }
            | DetailEntry::Erofs {
                content_len,
                entries,
                largest,
                ..
            } => self.describe_packed(&bytes, &files, (*content_len, *entries), largest, text),
            DetailEntry::Fat {
                variant,
                cluster_size,
                files: count,
                free,
                promised,
            } => writeln!(
                text,
                "{} → {files}: {variant}, {bytes}; {count} files, {} free ({} promised), clusters of {}",
                self.part,
                size(*free),
                size(*promised),
                size((*cluster_size).into())
            ),
            DetailEntry::Ext4 {
                free,
                promised,
                inodes,
                free_inodes,
                journal,
                free_estimate,
                ..
            } => {
                let most = if self.estimate { "at most " } else { "" };
                let least = if *free_estimate { "at least " } else { "" };
                let _ = write!(
                    text,
                    "{} → {files}: ext4, {most}{bytes}; {least}{} free ({} promised)",
                    self.part,
                    size(*free),
                    size(*promised)
                );
                let (used, journal) = (inodes - free_inodes, size(*journal));
                let of = if *free_estimate {
                    String::new()
                } else {
                    format!(" of {inodes}")
                };
                writeln!(text, ", {used}{of} inodes used, journal {most}{journal}")
            }
            DetailEntry::Btrfs { usage: None, .. } => writeln!(
                text,
                "{} → {files}: btrfs, at most {bytes} (files are not read)",
                self.part
            ),
            DetailEntry::Btrfs {
                usage: Some(usage), ..
            } => writeln!(
                text,
                "{} → {files}: btrfs, {bytes}; {} free ({} promised), {} of files, {} shared, {} of metadata",
                self.part,
                size(usage.free),
                size(usage.promised),
                size(usage.data),
                size(usage.shared),
                size(usage.metadata)
            ),
            DetailEntry::Verity { data, root_hash } => {
                let most = if self.estimate { "at most " } else { "" };
                let root = root_hash.as_ref().map(|root| format!("; root hash {root}"));
                let root = root.unwrap_or_default();
                writeln!(
                    text,
                    "{} → {files}: hash tree of {data}, {most}{bytes}{root}",
                    self.part
                )
            }
            DetailEntry::VeritySignature { tree, .. } => writeln!(
                text,
                "{} → {files}: signature of the root hash of {tree}, {bytes}",
                self.part
            ),
            DetailEntry::Swap { .. } => writeln!(text, "{} → {files}: swap, {bytes}", self.part),
            DetailEntry::Uki(_) | DetailEntry::Efi { .. } => self.describe_program(&files, text),
            DetailEntry::Device => writeln!(text, "{} → {files}: for the device, {bytes}", self.part),
            DetailEntry::Script { arch } => {
                writeln!(text, "{} → {files}: boot script for {arch}, {bytes}", self.part)
            }
        };
        text.push('\n');
    }
}
