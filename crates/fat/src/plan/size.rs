//! Chooses the kind of FAT, the size and the cluster size.

use crate::format::SLOT_SIZE;
use crate::geometry::{Geometry, Shape};
use crate::{Error, Kind, LargeFile, Options, Size, Variant};

/// What the tree needs.
#[derive(Clone, Debug)]
pub(super) struct Needs {
    /// Clusters of files and of directories other than the root, for each of [`CLUSTER_SIZES`].
    pub(super) clusters: [u64; CLUSTER_SIZES.len()],
    /// Entries of the root directory.
    pub(super) root_slots: u64,
    /// For errors.
    pub(super) largest: Vec<LargeFile>,
}

/// All sizes that a cluster can have. 64 KiB and more are beyond what the specification allows.
pub(super) const CLUSTER_SIZES: [u32; 7] = [512, 1024, 2048, 4096, 8192, 16_384, 32_768];

/// From this size on, [`Kind::Auto`] means FAT32.
const FAT32_SIZE: u64 = 512 << 20;
/// [`Size::Fit`] gives multiples of this.
const GRANULARITY: u64 = 1 << 20;
/// What a FAT16 root directory has room for at least: the number that all readers are known to work with.
const ROOT_ENTRIES: u64 = 512;
/// The most whole sectors of either size that a field of 16 bits can count the entries of.
const ROOT_ENTRIES_MAX: u64 = 65_408;

/// The geometry that the options ask for.
pub(super) fn choose(options: &Options, needs: &Needs) -> Result<Geometry, Error> {
    check(options)?;
    match options.size {
        Size::Exactly(size) => exactly(options, needs, size),
        Size::Fit => fit(options, needs),
    }
}

fn check(options: &Options) -> Result<(), Error> {
    let bad = |option, value: u64, problem| Error::BadOption {
        option,
        value: value.to_string(),
        problem,
    };
    let sector_size = options.sector_size;
    if ![512, 4096].contains(&sector_size) {
        let problem = "must be 512 or 4096";
        return Err(bad("sector size", sector_size.into(), problem));
    }
    if let Some(size) = options.cluster_size
        && !(CLUSTER_SIZES.contains(&size) && size >= sector_size)
    {
        let problem = "must be a power of two from the sector size to 32768";
        return Err(bad("cluster size", size.into(), problem));
    }
    match options.size {
        Size::Exactly(size) if size % u64::from(sector_size) != 0 => {
            Err(bad("size", size, "must be a multiple of the sector size"))
        }
        _ => Ok(()),
    }
}

fn exactly(options: &Options, needs: &Needs, size: u64) -> Result<Geometry, Error> {
    let variants = match options.kind {
        Kind::Auto if size < FAT32_SIZE => &[Variant::Fat16, Variant::Fat32][..],
        Kind::Auto => &[Variant::Fat32, Variant::Fat16],
        Kind::Fat16 => &[Variant::Fat16],
        Kind::Fat32 => &[Variant::Fat32],
    };
    let safe = |variant: &Variant| safe_geometries(*variant, options, needs, size);
    let Some(geometries) = variants.iter().map(safe).find(|safe| !safe.is_empty()) else {
        return Err(no_geometry(
            variants.first().copied().unwrap_or(Variant::Fat32),
            options,
            needs,
            size,
        ));
    };
    let lacking = |geometry: &&Geometry| {
        let needed = needs.bytes(geometry, options.free);
        needed.saturating_sub(available(geometry))
    };
    // The first of equals is the preferred one.
    match geometries.iter().min_by_key(lacking) {
        Some(best) if lacking(&best) == 0 => Ok(*best),
        best => Err(full(best, options, needs, size)),
    }
}

/// The geometries with a safe number of clusters, the preferred one first.
fn safe_geometries(variant: Variant, options: &Options, needs: &Needs, size: u64) -> Vec<Geometry> {
    let Ok(sectors) = u32::try_from(size / u64::from(options.sector_size)) else {
        return Vec::new();
    };
    let preferred = match (variant, size >> 30) {
        (Variant::Fat16, _) | (Variant::Fat32, 0..8) => 4096,
        (Variant::Fat32, 8..16) => 8192,
        (Variant::Fat32, 16..32) => 16_384,
        (Variant::Fat32, _) => 32_768,
    };
    let not_larger = CLUSTER_SIZES.into_iter().filter(|size| *size <= preferred).rev();
    let larger = CLUSTER_SIZES.into_iter().filter(|size| *size > preferred);
    not_larger
        .chain(larger)
        .filter_map(|cluster_size| shape(variant, cluster_size, options, needs)?.with_sectors(sectors))
        .collect()
}

/// The shape with these clusters; none when options or needs forbid it.
fn shape(variant: Variant, cluster_size: u32, options: &Options, needs: &Needs) -> Option<Shape> {
    let allowed = options.cluster_size.is_none_or(|size| size == cluster_size);
    let per_sector = u64::from(options.sector_size) / SLOT_SIZE as u64;
    let root_entries = match variant {
        Variant::Fat16 => needs.root_slots.max(ROOT_ENTRIES).next_multiple_of(per_sector),
        Variant::Fat32 => 0,
    };
    let possible = allowed && cluster_size >= options.sector_size && root_entries <= ROOT_ENTRIES_MAX;
    possible.then_some(Shape {
        variant,
        sector_size: options.sector_size,
        cluster_size,
        root_entries: u32::try_from(root_entries).ok()?,
    })
}

/// The least size: one of those that are the least for a kind and a cluster size. Which of them works is left to
/// [`exactly`], so that both agree. One step more can help, because tables grow by alignment.
fn fit(options: &Options, needs: &Needs) -> Result<Geometry, Error> {
    let variants = match options.kind {
        Kind::Auto => &[Variant::Fat16, Variant::Fat32][..],
        Kind::Fat16 => &[Variant::Fat16],
        Kind::Fat32 => &[Variant::Fat32],
    };
    let mut sizes = Vec::new();
    for variant in variants {
        for cluster_size in CLUSTER_SIZES {
            let clusters = needs.clusters(*variant, cluster_size, options.free);
            let least =
                shape(*variant, cluster_size, options, needs).and_then(|shape| shape.least_size(clusters));
            let Some(least) = least else { continue };
            let least = least.next_multiple_of(GRANULARITY);
            sizes.extend([least, least + GRANULARITY]);
            if options.kind == Kind::Auto {
                sizes.push(least.max(FAT32_SIZE));
            }
        }
    }
    sizes.sort_unstable();
    sizes.dedup();
    let found = sizes.iter().find_map(|size| exactly(options, needs, *size).ok());
    let variant = variants.last().copied().unwrap_or(Variant::Fat32);
    found.ok_or_else(|| too_much(variant, options, needs))
}

fn available(geometry: &Geometry) -> u64 {
    u64::from(geometry.clusters) * u64::from(geometry.cluster_size)
}

impl Needs {
    /// All clusters that are needed: for files, directories and the promised free space.
    pub(super) fn clusters(&self, variant: Variant, cluster_size: u32, free: u64) -> u64 {
        let index = CLUSTER_SIZES.iter().position(|size| *size == cluster_size);
        let others = index.and_then(|index| self.clusters.get(index)).copied();
        let cluster_size = u64::from(cluster_size);
        let root = match variant {
            Variant::Fat16 => 0,
            Variant::Fat32 => (self.root_slots * SLOT_SIZE as u64).div_ceil(cluster_size).max(1),
        };
        others
            .unwrap_or(0)
            .saturating_add(root)
            .saturating_add(free.div_ceil(cluster_size))
    }

    fn bytes(&self, geometry: &Geometry, free: u64) -> u64 {
        let clusters = self.clusters(geometry.variant, geometry.cluster_size, free);
        clusters.saturating_mul(u64::from(geometry.cluster_size))
    }
}

fn full(geometry: Option<&Geometry>, options: &Options, needs: &Needs, size: u64) -> Error {
    let cluster_size = geometry.map_or(1, |geometry| u64::from(geometry.cluster_size));
    Error::Full {
        needed: geometry.map_or(0, |geometry| needs.bytes(geometry, options.free)),
        free: options.free.div_ceil(cluster_size).saturating_mul(cluster_size),
        available: geometry.map_or(0, available),
        size,
        variant: geometry.map_or(Variant::Fat32, |geometry| geometry.variant),
        largest: needs.largest.clone(),
    }
}

/// Why there is no geometry of this size.
fn no_geometry(variant: Variant, options: &Options, needs: &Needs, size: u64) -> Error {
    if variant == Variant::Fat16 && needs.root_slots > ROOT_ENTRIES_MAX {
        return Error::DirectoryTooLarge {
            path: "/".into(),
            entries: needs.root_slots,
            limit: ROOT_ENTRIES_MAX,
        };
    }
    let least = |sector_size: u32| {
        let cluster_size = options.cluster_size.unwrap_or(0).max(sector_size);
        let options = Options {
            sector_size,
            cluster_size: None,
            ..options.clone()
        };
        let shape = shape(variant, cluster_size, &options, needs);
        shape.and_then(|shape| shape.least_size(0)).unwrap_or(u64::MAX)
    };
    if size < least(options.sector_size) {
        return Error::SizeTooSmall {
            size,
            variant,
            least_512: least(512),
            least_4096: least(4096),
        };
    }
    Error::SizeTooLarge {
        size,
        variant,
        most: most(variant, options, needs).map_or(0, |geometry| geometry.size()),
    }
}

/// A geometry about as large as there can be.
fn most(variant: Variant, options: &Options, needs: &Needs) -> Option<Geometry> {
    let shapes = CLUSTER_SIZES
        .into_iter()
        .filter_map(|cluster_size| shape(variant, cluster_size, options, needs));
    let largest = |shape: Shape| {
        let size = shape.least_size(*variant.safe_clusters().end());
        let sectors = size.map_or(u32::MAX.into(), |size| size / u64::from(shape.sector_size));
        shape.with_sectors(u32::try_from(sectors).ok()?)
    };
    shapes.filter_map(largest).max_by_key(available)
}

/// Why no size fits.
fn too_much(variant: Variant, options: &Options, needs: &Needs) -> Error {
    let most = most(variant, options, needs);
    match most {
        Some(most) => full(Some(&most), options, needs, most.size()),
        None => no_geometry(variant, options, needs, u64::MAX),
    }
}
