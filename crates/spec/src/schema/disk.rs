//! The keys of disks.

use std::path::PathBuf;

use serde::Deserialize;

use super::{Compress, Grub, Limine, Output};
use crate::amount::Amount;

/// A disk.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Disk {
    /// The output's name; the specification's name and `.img` when not given.
    pub file: Option<String>,
    /// How the output's file is compressed; not at all when not given.
    pub compress: Option<Compress>,
    /// The level of that.
    pub compress_level: Option<u32>,
    /// Whether the output comes with a block map.
    #[serde(default)]
    pub bmap: bool,
    /// The name of one more output: a list of the partitions, as `systemd-repart --json=pretty` prints it.
    pub partition_list: Option<String>,
    /// The kind of partition table; gpt when not given.
    pub table: Option<Table>,
    /// Its size; as small as possible when not given.
    pub size: Option<Amount>,
    /// 512 or 4096 bytes; 512 when not given.
    pub sector_size: Option<u32>,
    /// Regions without an offset begin at a multiple of this; 1 MiB when not given.
    pub align: Option<Amount>,
    /// gpt, hybrid: the disk's GUID; derived when not given.
    pub guid: Option<String>,
    /// mbr, hybrid: the disk's signature, such as `0x2178694e`; derived when not given.
    pub signature: Option<String>,
    /// A file of up to 440 bytes that a BIOS runs.
    pub boot_code: Option<PathBuf>,
    /// gpt, hybrid: the number of entries in the table; 128 when not given.
    pub entries: Option<u32>,
    /// gpt, hybrid: bytes between the table's header and its entries.
    pub header_hole: Option<Amount>,
    /// GRUB for machines with a BIOS, behind the table or in a partition of the type bios-boot.
    pub grub: Option<Grub>,
    /// Limine for machines with a BIOS, in the same places.
    pub limine: Option<Limine>,
    /// A board whose rules are checked.
    pub board: Option<String>,
    /// Whether the disk itself is no output, and only its containers are.
    #[serde(default)]
    pub only_outputs: bool,
    /// The disk in containers, each an output.
    #[serde(default)]
    pub output: Vec<Output>,
    /// The regions, in order.
    #[serde(default)]
    pub region: Vec<Region>,
}

/// A kind of partition table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Table {
    /// A GUID partition table.
    Gpt,
    /// An MBR.
    Mbr,
    /// A GUID partition table, some of whose partitions are in an MBR too.
    Hybrid,
    /// None.
    None,
}

/// A region of a disk.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Region {
    /// Its name, also in the table.
    pub name: String,
    /// gpt, hybrid: what the table calls it, which others may be called too; its name when not given.
    pub label: Option<String>,
    /// A file of the host that is its content, outside the table unless a type is given.
    pub raw: Option<PathBuf>,
    /// The part that is its content: `fs.NAME`, `verity.NAME`, `verity.NAME.signature`.
    pub content: Option<String>,
    /// The region whose second slot it is: a partition of the same type and size, empty, which updates write to.
    pub slot_of: Option<String>,
    /// The partition's type: a name, a GUID, or a number such as `0x83`. Without one, the region is not in the table.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// Its first byte; where the board wants it, or behind the region before it, when not given.
    pub offset: Option<Amount>,
    /// Its size; its content's when not given.
    pub size: Option<Amount>,
    /// Its size is at least this; without `size`.
    pub min_size: Option<Amount>,
    /// The name of one more output: all bytes of the region, compressed as the disk is. `{guid}` in it is the partition's,
    /// 32 hexadecimal digits.
    pub file: Option<String>,
    /// What a list of partitions calls the file that the partition follows from.
    pub definition: Option<String>,
    /// hybrid: the partition's type in the MBR, which puts it there.
    pub mbr_type: Option<String>,
    /// gpt, hybrid: the partition's GUID; when not given that of a discoverable partition if its content has a hash
    /// tree or is one, derived otherwise.
    pub guid: Option<String>,
    /// The partition's number; the next when not given.
    pub number: Option<u32>,
    /// Whether old firmware may boot it: the active flag of an MBR, the attribute `legacy-boot` of a GPT.
    #[serde(default)]
    pub bootable: bool,
    /// The partition's attributes: names, and fields of `chromeos-kernel` partitions such as `priority=10`.
    #[serde(default)]
    pub attributes: Vec<String>,
}
