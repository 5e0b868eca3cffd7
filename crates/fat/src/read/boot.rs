//! Reads and doubts a boot sector.

use zerocopy::FromBytes;

use super::{FileSystem, Source, damaged, directory};
use crate::format::{
    BOOT_SIGNATURE, BOOT_SIGNATURE_START, BOOT_SIZE, Boot16, Boot32, Bpb, Bpb32, EXTENDED_BOOT_SIGNATURE,
    NO_MIRROR, NO_NAME, Volume,
};
use crate::geometry::{FIRST_CLUSTER, Geometry};
use crate::{Error, Variant};

const PLACE: &str = "boot sector";

pub(super) fn open(source: Source) -> Result<FileSystem, Error> {
    if source.size < BOOT_SIZE as u64 {
        return Err(not_fat(format!("{} bytes are too few", source.size)));
    }
    let sector = source.read(PLACE, 0, BOOT_SIZE as u64)?;
    if sector.get(BOOT_SIGNATURE_START..) != Some(&BOOT_SIGNATURE[..]) {
        return Err(not_fat("the boot sector does not end with 55 aa"));
    }
    let short = Boot16::read_from_prefix(&sector)
        .map_err(|_| not_fat("no boot sector"))?
        .0;
    let long = Boot32::read_from_prefix(&sector)
        .map_err(|_| not_fat("no boot sector"))?
        .0;
    let is_fat32 = short.bpb.fat_sz16 == 0;
    let bpb32 = is_fat32.then_some(long.bpb32);
    let volume = if is_fat32 { long.volume } else { short.volume };
    let geometry = geometry(&short.bpb, bpb32.as_ref())?;
    if geometry.size() > source.size {
        let problem = format!(
            "the file system has {} bytes, its source {}",
            geometry.size(),
            source.size
        );
        return Err(damaged(PLACE, problem));
    }
    let root_cluster = bpb32.map_or(0, |bpb| bpb.root_clus.get());
    if is_fat32 && !geometry.has_cluster(root_cluster) {
        return Err(damaged(
            PLACE,
            format!("the root directory starts at cluster {root_cluster}, which is none"),
        ));
    }
    Ok(FileSystem {
        source,
        geometry,
        table: active_table(bpb32.as_ref(), &geometry)?,
        is_single: bpb32.is_some_and(|bpb| bpb.ext_flags.get() & NO_MIRROR != 0),
        root_cluster,
        volume_id: volume.vol_id.get(),
        boot_label: boot_label(&volume),
    })
}

fn geometry(bpb: &Bpb, bpb32: Option<&Bpb32>) -> Result<Geometry, Error> {
    let sector_size = u32::from(bpb.byts_per_sec.get());
    let per_cluster = u32::from(bpb.sec_per_clus);
    if ![512, 1024, 2048, 4096].contains(&sector_size) {
        return Err(not_fat(format!("sectors of {sector_size} bytes")));
    }
    if !per_cluster.is_power_of_two() {
        return Err(not_fat(format!("clusters of {per_cluster} sectors")));
    }
    let positive = [bpb.rsvd_sec_cnt.get(), bpb.num_fats.into()];
    if positive.contains(&0) {
        return Err(not_fat("no reserved sectors or no tables"));
    }
    let sectors = match bpb.tot_sec16.get() {
        0 => bpb.tot_sec32.get(),
        sectors => sectors.into(),
    };
    let mut geometry = Geometry {
        variant: if bpb32.is_some() {
            Variant::Fat32
        } else {
            Variant::Fat16
        },
        sector_size,
        cluster_size: sector_size * per_cluster,
        sectors,
        reserved_sectors: bpb.rsvd_sec_cnt.get().into(),
        fats: bpb.num_fats.into(),
        fat_sectors: bpb32.map_or(bpb.fat_sz16.get().into(), |bpb| bpb.fat_sz32.get()),
        root_entries: bpb.root_ent_cnt.get().into(),
        clusters: 0,
    };
    let data = geometry.size().checked_sub(geometry.data_start());
    let data =
        data.ok_or_else(|| damaged(PLACE, format!("tables and root need more than {sectors} sectors")))?;
    geometry.clusters = count(data / u64::from(geometry.cluster_size), &geometry)?;
    let entries = geometry.fat_len() / u64::from(geometry.variant.entry_len());
    if entries < u64::from(geometry.clusters) + u64::from(FIRST_CLUSTER) {
        let problem = format!(
            "has {entries} entries, too few for {} clusters",
            geometry.clusters
        );
        return Err(damaged("file allocation table", problem));
    }
    if geometry.variant == Variant::Fat32 && bpb32.is_some_and(|bpb| bpb.fs_ver != 0) {
        return Err(not_fat("an unknown version of FAT32"));
    }
    if (geometry.root_entries == 0) != (geometry.variant == Variant::Fat32) {
        let problem = format!("{} with {} root entries", geometry.variant, geometry.root_entries);
        return Err(damaged(PLACE, problem));
    }
    Ok(geometry)
}

/// Checks how many clusters there are. FAT32 may have too few: such file systems exist, and all but some firmware
/// reads them.
fn count(clusters: u64, geometry: &Geometry) -> Result<u32, Error> {
    let most = match geometry.variant {
        Variant::Fat16 if clusters < 4085 => return Err(not_fat(format!("FAT12, with {clusters} clusters"))),
        Variant::Fat16 => 65_524,
        Variant::Fat32 => 0x0fff_fff5,
    };
    let count = u32::try_from(clusters).ok().filter(|count| *count <= most);
    count.ok_or_else(|| {
        let problem = format!(
            "{} with {clusters} clusters, the limit is {most}",
            geometry.variant
        );
        damaged(PLACE, problem)
    })
}

fn active_table(bpb32: Option<&Bpb32>, geometry: &Geometry) -> Result<u32, Error> {
    let flags = bpb32.map_or(0, |bpb| bpb.ext_flags.get());
    if flags & NO_MIRROR == 0 {
        return Ok(0);
    }
    let number = u32::from(flags & 0xf);
    if number < geometry.fats {
        return Ok(number);
    }
    let problem = format!("table {number} is in use, and there are {}", geometry.fats);
    Err(damaged(PLACE, problem))
}

fn boot_label(volume: &Volume) -> Option<String> {
    let known = volume.boot_sig == EXTENDED_BOOT_SIGNATURE && volume.vol_lab != NO_NAME;
    known.then(|| directory::label(&volume.vol_lab)).flatten()
}

fn not_fat(problem: impl Into<String>) -> Error {
    Error::NotFat {
        problem: problem.into(),
    }
}
