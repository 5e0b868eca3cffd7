//! The bytes before and of the tables.

use zerocopy::IntoBytes;

use crate::format::{
    BOOT_SIGNATURE, BOOT_SIGNATURE_START, Boot16, Boot32, Bpb, Bpb32, DRIVE_NUMBER, ENTRY_MASK,
    EXTENDED_BOOT_SIGNATURE, FsInfo, LEAD_SIGNATURE, MEDIA, NO_NAME, OEM_NAME, STRUCT_SIGNATURE,
    TRAIL_SIGNATURE, TYPE_16, TYPE_32, UNKNOWN, Volume,
};
use crate::geometry::{FIRST_CLUSTER, Geometry};
use crate::{Options, Variant};

/// The sector of the `FSInfo`.
pub(super) const FS_INFO_SECTOR: u16 = 1;
/// The sector where the copies of boot sector and `FSInfo` begin.
pub(super) const BACKUP_SECTOR: u16 = 6;

/// For readers that still count in cylinders, the geometry that every BIOS makes up.
const SECTORS_PER_TRACK: u16 = 63;
const HEADS: u16 = 255;

/// What runs when a BIOS boots the partition: `int 18h`, which asks for the next device, then a loop.
const BOOT_CODE: [u8; 4] = [0xcd, 0x18, 0xeb, 0xfe];

/// The boot sector.
pub(super) fn boot_sector(
    geometry: &Geometry,
    options: &Options,
    label: Option<&[u8; 11]>,
    root_cluster: u32,
) -> Vec<u8> {
    let volume = Volume {
        drv_num: DRIVE_NUMBER,
        reserved1: 0,
        boot_sig: EXTENDED_BOOT_SIGNATURE,
        vol_id: options.volume_id.into(),
        vol_lab: *label.unwrap_or(&NO_NAME),
        fil_sys_type: match geometry.variant {
            Variant::Fat16 => TYPE_16,
            Variant::Fat32 => TYPE_32,
        },
    };
    let head = match geometry.variant {
        Variant::Fat16 => {
            let bpb = bpb(geometry, options, size_of::<Boot16>());
            Boot16 { bpb, volume }.as_bytes().to_vec()
        }
        Variant::Fat32 => Boot32 {
            bpb: bpb(geometry, options, size_of::<Boot32>()),
            bpb32: Bpb32 {
                fat_sz32: geometry.fat_sectors.into(),
                ext_flags: 0.into(),
                fs_ver: 0.into(),
                root_clus: root_cluster.into(),
                fs_info: FS_INFO_SECTOR.into(),
                bk_boot_sec: BACKUP_SECTOR.into(),
                reserved: [0; 12],
            },
            volume,
        }
        .as_bytes()
        .to_vec(),
    };
    let mut sector = [&head[..], &BOOT_CODE].concat();
    sector.resize(BOOT_SIGNATURE_START, 0);
    sector.extend(BOOT_SIGNATURE);
    padded(sector, geometry)
}

fn bpb(geometry: &Geometry, options: &Options, head_len: usize) -> Bpb {
    let sectors16 = u16::try_from(geometry.sectors).ok();
    let sectors16 = sectors16.filter(|_| geometry.variant == Variant::Fat16);
    let jump_from_end = u8::try_from(head_len - 2).unwrap_or(u8::MAX);
    Bpb {
        jmp_boot: [0xeb, jump_from_end, 0x90],
        oem_name: OEM_NAME,
        byts_per_sec: small(geometry.sector_size).into(),
        sec_per_clus: u8::try_from(geometry.cluster_size / geometry.sector_size).unwrap_or(u8::MAX),
        rsvd_sec_cnt: small(geometry.reserved_sectors).into(),
        num_fats: u8::try_from(geometry.fats).unwrap_or(u8::MAX),
        root_ent_cnt: small(geometry.root_entries).into(),
        tot_sec16: sectors16.unwrap_or(0).into(),
        media: MEDIA,
        fat_sz16: match geometry.variant {
            Variant::Fat16 => small(geometry.fat_sectors),
            Variant::Fat32 => 0,
        }
        .into(),
        sec_per_trk: SECTORS_PER_TRACK.into(),
        num_heads: HEADS.into(),
        hidd_sec: options.hidden_sectors.into(),
        tot_sec32: if sectors16.is_some() { 0 } else { geometry.sectors }.into(),
    }
}

/// The `FSInfo` sector of FAT32.
pub(super) fn fs_info(geometry: &Geometry, used_clusters: u32) -> Vec<u8> {
    let free = geometry.clusters - used_clusters;
    let info = FsInfo {
        lead_sig: LEAD_SIGNATURE.into(),
        reserved1: [0; 480],
        struc_sig: STRUCT_SIGNATURE.into(),
        free_count: free.into(),
        nxt_free: if free == 0 {
            UNKNOWN
        } else {
            FIRST_CLUSTER + used_clusters
        }
        .into(),
        reserved2: [0; 12],
        trail_sig: TRAIL_SIGNATURE.into(),
    };
    padded(info.as_bytes().to_vec(), geometry)
}

/// The beginning of a table, up to the last cluster in use. Each chain is a run of clusters, one behind the other.
pub(super) fn table(variant: Variant, chains: impl Iterator<Item = u32>) -> Vec<u8> {
    let mut entries = Vec::new();
    let mut push = |value: u32| {
        let bytes = value.to_le_bytes();
        entries.extend(bytes.into_iter().take(variant.entry_len() as usize));
    };
    // The media byte with ones before it; then flags, of which ones mean that all is well.
    push(ENTRY_MASK & !0xff | u32::from(MEDIA));
    push(ENTRY_MASK);
    let mut next = FIRST_CLUSTER;
    for count in chains {
        for left in (0..count).rev() {
            next += 1;
            push(if left == 0 { ENTRY_MASK } else { next });
        }
    }
    entries
}

fn padded(mut sector: Vec<u8>, geometry: &Geometry) -> Vec<u8> {
    sector.resize(geometry.sector_size as usize, 0);
    sector
}

/// The geometry keeps these numbers within 16 bits.
fn small(number: u32) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}
