//! What parts are like, for plans, manifests and reports.

use squashfs::UnitUsage;

/// What a part is like.
#[derive(Clone, Debug)]
pub enum Detail {
    /// A squashfs.
    Squashfs {
        /// The bytes of its files.
        content_len: u64,
        /// Files, directories and links.
        entries: u64,
        /// What the store paths take, largest first; uncompressed when it is an estimate.
        largest: Vec<UnitUsage>,
        /// Where its segments are, as far as they have names.
        segments: Vec<cache::Record>,
        /// Whether it was not compressed, and its size is the most it can take.
        estimate: bool,
    },
    /// A FAT.
    Fat {
        /// How full it is.
        usage: fat::Usage,
        /// Its volume's id.
        volume_id: u32,
    },
    /// An ext4.
    Ext4 {
        /// How full it is.
        usage: ext4::Usage,
        /// Its id.
        uuid: uuid::Uuid,
        /// Whether files were not read for their holes, and what is free is the least.
        is_bound: bool,
        /// Whether its size is the most it can take, too.
        estimate: bool,
    },
    /// A btrfs.
    Btrfs {
        /// How full it is; unknown when it is an estimate.
        usage: Option<btrfs::Usage>,
        /// Its id.
        uuid: uuid::Uuid,
        /// Where its segments are, as far as they have names.
        segments: Vec<cache::Record>,
        /// Whether it was not made, and its size is the most that it can take.
        estimate: bool,
    },
    /// An erofs.
    Erofs {
        /// The bytes of its files.
        content_len: u64,
        /// Files, directories and links.
        entries: u64,
        /// What the store paths take, largest first; uncompressed when it is an estimate.
        largest: Vec<UnitUsage>,
        /// Its id.
        uuid: uuid::Uuid,
        /// Where its segments are, as far as they have names.
        segments: Vec<cache::Record>,
        /// Whether it was not compressed, and its size is the most it can take.
        estimate: bool,
    },
    /// A swap area.
    Swap {
        /// Its id.
        uuid: uuid::Uuid,
    },
    /// A hash tree of another part.
    Verity {
        /// The other part.
        data: String,
        /// The root hash; unknown in a plan that makes no file systems.
        root: Option<[u8; 32]>,
        /// Whether the other part's size is the most that it can take, and so is this one's.
        estimate: bool,
    },
    /// The signature of the root hash of a hash tree.
    RootSignature {
        /// The tree: `verity.NAME`.
        tree: String,
        /// The root hash; unknown in a plan that makes no file systems.
        root: Option<[u8; 32]>,
        /// Whether it is signed; its bytes are zeros when it is not.
        signed: bool,
    },
    /// A unified kernel image.
    Uki {
        /// What it is for, as UEFI names it.
        machine: String,
        /// What its stub calls itself.
        stub: Option<String>,
        /// Its profiles, and what PCR 11 will be for each; unknown where a value is unknown that is in it.
        profiles: Vec<uki::Profile>,
        /// Whether it is signed; none when nobody shall sign it.
        signed: Option<bool>,
        /// Whether it has all signatures of what PCR 11 will be; without them, it is not the image that boots.
        measured: bool,
        /// Whether its size is the most that it can take.
        estimate: bool,
    },
    /// Another program that firmware starts.
    Efi {
        /// Whether it is signed.
        signed: bool,
        /// Whether its size is the most that it can take.
        estimate: bool,
    },
    /// A text or an environment for a device.
    Device,
    /// A boot script.
    Script {
        /// Its architecture.
        arch: &'static str,
    },
}

/// How much is free in a file system that can be written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// What is free.
    pub free: u64,
    /// What the specification promises to be free.
    pub promised: u64,
}

impl Detail {
    /// What is free; nothing where nothing can be, or where that is not known.
    #[must_use]
    pub fn room(&self) -> Option<Room> {
        let (free, promised) = match self {
            Detail::Fat { usage, .. } => (usage.free, usage.promised),
            Detail::Ext4 { usage, .. } => (usage.free, usage.promised),
            Detail::Btrfs { usage, .. } => {
                let usage = usage.as_ref()?;
                (usage.free, usage.promised)
            }
            _ => return None,
        };
        Some(Room { free, promised })
    }
}
