//! Where the parts of a file system lie.

use std::ops::RangeInclusive;

use crate::Variant;

/// The parts' places and sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Geometry {
    pub(crate) variant: Variant,
    pub(crate) sector_size: u32,
    pub(crate) cluster_size: u32,
    /// All sectors.
    pub(crate) sectors: u32,
    /// Sectors before the first table.
    pub(crate) reserved_sectors: u32,
    /// How many tables.
    pub(crate) fats: u32,
    /// Sectors of one table.
    pub(crate) fat_sectors: u32,
    /// Entries of a FAT16 root directory; 0 on FAT32.
    pub(crate) root_entries: u32,
    /// How many clusters; the first is number 2.
    pub(crate) clusters: u32,
}

/// The number of the first cluster.
pub(crate) const FIRST_CLUSTER: u32 = 2;

/// The most 32-byte entries of a directory.
pub(crate) const DIRECTORY_SLOTS_MAX: u64 = 65_536;

/// The deepest directory: more than any system's paths allow, and little enough to work with paths in memory.
pub(crate) const DEPTH_MAX: usize = 256;

impl Geometry {
    pub(crate) fn size(&self) -> u64 {
        self.bytes(self.sectors)
    }

    /// The first byte of a table, counted from 0.
    pub(crate) fn fat_start(&self, number: u32) -> u64 {
        self.bytes(self.reserved_sectors) + u64::from(number) * self.fat_len()
    }

    pub(crate) fn fat_len(&self) -> u64 {
        self.bytes(self.fat_sectors)
    }

    /// The first byte of a FAT16 root directory.
    pub(crate) fn root_start(&self) -> u64 {
        self.fat_start(self.fats)
    }

    pub(crate) fn root_len(&self) -> u64 {
        (u64::from(self.root_entries) * 32).next_multiple_of(u64::from(self.sector_size))
    }

    pub(crate) fn data_start(&self) -> u64 {
        self.root_start() + self.root_len()
    }

    /// The first byte of a cluster from number 2.
    pub(crate) fn cluster_start(&self, cluster: u32) -> u64 {
        let index = u64::from(cluster.saturating_sub(FIRST_CLUSTER));
        self.data_start() + index * u64::from(self.cluster_size)
    }

    /// Whether there is a cluster of this number.
    pub(crate) fn has_cluster(&self, cluster: u32) -> bool {
        cluster
            .checked_sub(FIRST_CLUSTER)
            .is_some_and(|index| index < self.clusters)
    }

    fn bytes(&self, sectors: u32) -> u64 {
        u64::from(sectors) * u64::from(self.sector_size)
    }
}

impl Variant {
    /// Bytes of an entry in the table.
    pub(crate) fn entry_len(self) -> u32 {
        match self {
            Variant::Fat16 => 2,
            Variant::Fat32 => 4,
        }
    }

    /// The numbers of clusters that nobody can take for another kind of FAT.
    pub(crate) fn safe_clusters(self) -> RangeInclusive<u64> {
        match self {
            Variant::Fat16 => 4085 + 16..=65_524 - 16,
            Variant::Fat32 => 65_525 + 16..=0x0fff_fff5 - 16,
        }
    }
}

/// All but the size: what a geometry is made from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) variant: Variant,
    pub(crate) sector_size: u32,
    pub(crate) cluster_size: u32,
    /// Entries of a FAT16 root directory; 0 on FAT32.
    pub(crate) root_entries: u32,
}

impl Shape {
    /// The geometry of this many sectors, with tables no longer than they must be; none when the number of clusters
    /// is not safe.
    pub(crate) fn with_sectors(&self, sectors: u32) -> Option<Geometry> {
        let clusters = |fat_sectors| {
            let data = u64::from(sectors).saturating_sub(self.data_start(fat_sectors));
            data / self.cluster_sectors()
        };
        // Longer tables leave fewer clusters, so enough stays enough: the least is found by halving.
        let (mut short, mut long) = (0, self.fat_sectors(u64::from(sectors)));
        while short + 1 < long {
            let middle = short.midpoint(long);
            if self.fat_sectors(clusters(middle)) <= middle {
                long = middle;
            } else {
                short = middle;
            }
        }
        let clusters = clusters(long);
        if !self.variant.safe_clusters().contains(&clusters) {
            return None;
        }
        let tables_and_root = long * u64::from(FATS) + self.root_sectors();
        Some(Geometry {
            variant: self.variant,
            sector_size: self.sector_size,
            cluster_size: self.cluster_size,
            sectors,
            reserved_sectors: u32::try_from(self.data_start(long) - tables_and_root).ok()?,
            fats: FATS,
            fat_sectors: u32::try_from(long).ok()?,
            root_entries: self.root_entries,
            clusters: u32::try_from(clusters).ok()?,
        })
    }

    /// The least bytes with this many clusters, or with as many as there must be; none when that is too much.
    pub(crate) fn least_size(&self, clusters: u64) -> Option<u64> {
        let clusters = clusters.max(*self.variant.safe_clusters().start());
        if !self.variant.safe_clusters().contains(&clusters) {
            return None;
        }
        let sectors = self.data_start(self.fat_sectors(clusters)) + clusters * self.cluster_sectors();
        let sectors = u32::try_from(sectors).ok()?;
        Some(u64::from(sectors) * u64::from(self.sector_size))
    }

    fn cluster_sectors(&self) -> u64 {
        u64::from(self.cluster_size / self.sector_size).max(1)
    }

    /// Sectors of a table for this many clusters.
    fn fat_sectors(&self, clusters: u64) -> u64 {
        let entries = clusters + u64::from(FIRST_CLUSTER);
        (entries * u64::from(self.variant.entry_len())).div_ceil(u64::from(self.sector_size))
    }

    fn root_sectors(&self) -> u64 {
        (u64::from(self.root_entries) * 32).div_ceil(u64::from(self.sector_size))
    }

    /// Sectors before the first cluster, with reserved sectors that make it start at a multiple of its size.
    fn data_start(&self, fat_sectors: u64) -> u64 {
        let reserved = match self.variant {
            Variant::Fat16 => 1,
            Variant::Fat32 => 32,
        };
        let alignment = u64::from(self.cluster_size.max(ALIGNMENT) / self.sector_size);
        (reserved + fat_sectors * u64::from(FATS) + self.root_sectors()).next_multiple_of(alignment.max(1))
    }
}

/// How many tables are made: what all readers expect.
const FATS: u32 = 2;
/// What clusters start at a multiple of, at least.
const ALIGNMENT: u32 = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn least_sizes_work_and_lesser_ones_do_not() {
        for (variant, root_entries) in [(Variant::Fat16, 512), (Variant::Fat32, 0)] {
            for sector_size in [512, 4096] {
                for cluster_size in (9..=15).map(|bits| 1 << bits).filter(|size| *size >= sector_size) {
                    let shape = Shape {
                        variant,
                        sector_size,
                        cluster_size,
                        root_entries,
                    };
                    let least = u32::try_from(shape.least_size(0).unwrap() / u64::from(sector_size)).unwrap();
                    let geometry = shape.with_sectors(least).unwrap();
                    assert!(variant.safe_clusters().contains(&u64::from(geometry.clusters)));
                    assert!(shape.with_sectors(least - 1).is_none());
                    assert_eq!(geometry.data_start() % u64::from(cluster_size.max(4096)), 0);
                    assert!(geometry.cluster_start(geometry.clusters + 2) <= geometry.size());
                    let entries = u64::from(geometry.clusters) + 2;
                    assert!(geometry.fat_len() >= entries * u64::from(variant.entry_len()));
                }
            }
        }
    }

    /// Over all sizes from one length of the tables to the next.
    #[test]
    fn tables_are_as_long_as_they_must_be() {
        for (variant, sectors) in [(Variant::Fat16, 5000), (Variant::Fat32, 70_000)] {
            let shape = Shape {
                variant,
                sector_size: 512,
                cluster_size: 512,
                root_entries: 0,
            };
            for sectors in sectors..sectors + 600 {
                let geometry = shape.with_sectors(sectors).unwrap();
                let entries = geometry.fat_len() / u64::from(variant.entry_len());
                let needed = u64::from(geometry.clusters) + 2;
                // One sector fewer can make room for clusters that then lack an entry.
                let per_sector = u64::from(512 / variant.entry_len());
                assert!(
                    (needed..needed + per_sector + 8).contains(&entries),
                    "{entries} {needed}"
                );
            }
        }
    }
}
