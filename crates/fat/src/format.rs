//! The bytes on disk, field by field.
//!
//! Field names are those of Microsoft's *FAT: General Overview of On-Disk Format*, version 1.03
//! ([fatgen103](https://staff.washington.edu/dittrich/misc/fatgen103.pdf)), without their prefixes `BS_`, `BPB_`,
//! `FSI_`, `DIR_` and `LDIR_`. All numbers are little-endian.

use zerocopy::little_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// The start of every boot sector: [fatgen103], "Boot Sector and BPB".
///
/// [fatgen103]: https://staff.washington.edu/dittrich/misc/fatgen103.pdf
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct Bpb {
    pub(crate) jmp_boot: [u8; 3],
    pub(crate) oem_name: [u8; 8],
    pub(crate) byts_per_sec: U16,
    pub(crate) sec_per_clus: u8,
    pub(crate) rsvd_sec_cnt: U16,
    pub(crate) num_fats: u8,
    pub(crate) root_ent_cnt: U16,
    pub(crate) tot_sec16: U16,
    pub(crate) media: u8,
    pub(crate) fat_sz16: U16,
    pub(crate) sec_per_trk: U16,
    pub(crate) num_heads: U16,
    pub(crate) hidd_sec: U32,
    pub(crate) tot_sec32: U32,
}

/// What follows the [`Bpb`] on FAT32 only: the same section.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct Bpb32 {
    pub(crate) fat_sz32: U32,
    pub(crate) ext_flags: U16,
    pub(crate) fs_ver: U16,
    pub(crate) root_clus: U32,
    pub(crate) fs_info: U16,
    pub(crate) bk_boot_sec: U16,
    pub(crate) reserved: [u8; 12],
}

/// What ends the parameters: behind the [`Bpb`] on FAT16, behind the [`Bpb32`] on FAT32. The same section.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct Volume {
    pub(crate) drv_num: u8,
    pub(crate) reserved1: u8,
    pub(crate) boot_sig: u8,
    pub(crate) vol_id: U32,
    pub(crate) vol_lab: [u8; 11],
    pub(crate) fil_sys_type: [u8; 8],
}

/// The start of a FAT16 boot sector.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct Boot16 {
    pub(crate) bpb: Bpb,
    pub(crate) volume: Volume,
}

/// The start of a FAT32 boot sector.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct Boot32 {
    pub(crate) bpb: Bpb,
    pub(crate) bpb32: Bpb32,
    pub(crate) volume: Volume,
}

/// The free-space hint of FAT32: [fatgen103], "FAT32 `FSInfo` Sector Structure and Backup Boot Sector".
///
/// [fatgen103]: https://staff.washington.edu/dittrich/misc/fatgen103.pdf
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct FsInfo {
    pub(crate) lead_sig: U32,
    pub(crate) reserved1: [u8; 480],
    pub(crate) struc_sig: U32,
    pub(crate) free_count: U32,
    pub(crate) nxt_free: U32,
    pub(crate) reserved2: [u8; 12],
    pub(crate) trail_sig: U32,
}

/// A directory entry: [fatgen103], "FAT Directory Structure".
///
/// [fatgen103]: https://staff.washington.edu/dittrich/misc/fatgen103.pdf
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct Short {
    pub(crate) name: [u8; 11],
    pub(crate) attr: u8,
    pub(crate) nt_res: u8,
    pub(crate) crt_time_tenth: u8,
    pub(crate) crt_time: U16,
    pub(crate) crt_date: U16,
    pub(crate) lst_acc_date: U16,
    pub(crate) fst_clus_hi: U16,
    pub(crate) wrt_time: U16,
    pub(crate) wrt_date: U16,
    pub(crate) fst_clus_lo: U16,
    pub(crate) file_size: U32,
}

/// Thirteen units of a long name: [fatgen103], "FAT Long Directory Entries".
///
/// [fatgen103]: https://staff.washington.edu/dittrich/misc/fatgen103.pdf
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct Long {
    pub(crate) ord: u8,
    pub(crate) name1: [U16; 5],
    pub(crate) attr: u8,
    pub(crate) kind: u8,
    pub(crate) chksum: u8,
    pub(crate) name2: [U16; 6],
    pub(crate) fst_clus_lo: U16,
    pub(crate) name3: [U16; 2],
}

const _: () = assert!(size_of::<Bpb>() == 36);
const _: () = assert!(size_of::<Boot16>() == 62);
const _: () = assert!(size_of::<Boot32>() == 90);
const _: () = assert!(size_of::<FsInfo>() == 512);
const _: () = assert!(size_of::<Short>() == SLOT_SIZE);
const _: () = assert!(size_of::<Long>() == SLOT_SIZE);

/// The bytes of a directory entry of either kind.
pub(crate) const SLOT_SIZE: usize = 32;
/// The bytes of a boot sector that mean something, whatever the sector size.
pub(crate) const BOOT_SIZE: usize = 512;
/// Where [`BOOT_SIGNATURE`] stands in a boot sector.
pub(crate) const BOOT_SIGNATURE_START: usize = 510;
/// The last two bytes of a boot sector.
pub(crate) const BOOT_SIGNATURE: [u8; 2] = [0x55, 0xaa];
/// `Volume::boot_sig` when id, label and type follow it.
pub(crate) const EXTENDED_BOOT_SIGNATURE: u8 = 0x29;
/// `Bpb::oem_name`: what the specification recommends, because some readers look for it.
pub(crate) const OEM_NAME: [u8; 8] = *b"MSWIN4.1";
/// `Bpb::media` of anything that is no floppy disk.
pub(crate) const MEDIA: u8 = 0xf8;
/// `Volume::drv_num` of a first hard disk.
pub(crate) const DRIVE_NUMBER: u8 = 0x80;
/// `Volume::vol_lab` of a file system without a label.
pub(crate) const NO_NAME: [u8; 11] = *b"NO NAME    ";
/// `Volume::fil_sys_type` of FAT16.
pub(crate) const TYPE_16: [u8; 8] = *b"FAT16   ";
/// `Volume::fil_sys_type` of FAT32.
pub(crate) const TYPE_32: [u8; 8] = *b"FAT32   ";
/// `FsInfo::lead_sig`.
pub(crate) const LEAD_SIGNATURE: u32 = 0x4161_5252;
/// `FsInfo::struc_sig`.
pub(crate) const STRUCT_SIGNATURE: u32 = 0x6141_7272;
/// `FsInfo::trail_sig`.
pub(crate) const TRAIL_SIGNATURE: u32 = 0xaa55_0000;
/// `FsInfo::nxt_free` when nothing is known.
pub(crate) const UNKNOWN: u32 = 0xffff_ffff;
/// `Bpb32::ext_flags`: only one table is in use, whose number the low four bits give.
pub(crate) const NO_MIRROR: u16 = 0x80;

/// The bits of a FAT32 table entry that are its value.
pub(crate) const ENTRY_MASK: u32 = 0x0fff_ffff;

/// `Short::attr`.
pub(crate) mod attr {
    pub(crate) const READ_ONLY: u8 = 0x01;
    pub(crate) const VOLUME_ID: u8 = 0x08;
    pub(crate) const DIRECTORY: u8 = 0x10;
    pub(crate) const ARCHIVE: u8 = 0x20;
    /// What an entry of a long name has.
    pub(crate) const LONG_NAME: u8 = 0x0f;
    /// The bits that tell a long name's entry from others.
    pub(crate) const LONG_NAME_MASK: u8 = 0x3f;
}

/// `Short::nt_res`: what Windows NT added to keep names of one case short.
pub(crate) mod nt_res {
    pub(crate) const LOWER_BASE: u8 = 0x08;
    pub(crate) const LOWER_EXTENSION: u8 = 0x10;
}

/// `Short::name[0]` of an entry that nobody uses.
pub(crate) const DELETED: u8 = 0xe5;
/// `Short::name[0]` that stands for the byte [`DELETED`] in a name.
pub(crate) const ESCAPED_E5: u8 = 0x05;
/// `Long::ord` of the last part of a name, which comes first.
pub(crate) const LAST_LONG: u8 = 0x40;
/// The UTF-16 units in one [`Long`].
pub(crate) const LONG_UNITS: usize = 13;
/// The name of a directory's entry for itself.
pub(crate) const DOT: [u8; 11] = *b".          ";
/// The name of a directory's entry for its parent.
pub(crate) const DOT_DOT: [u8; 11] = *b"..         ";

/// The sum over a short name's bytes that ties long entries to it: "FAT Long Directory Entries".
pub(crate) fn checksum(name: &[u8; 11]) -> u8 {
    name.iter()
        .fold(0_u8, |sum, byte| sum.rotate_right(1).wrapping_add(*byte))
}
