//! Planning qcow2s.

use std::collections::BTreeMap;

use image::{Image, Layout};
use zerocopy::IntoBytes;

use super::format::{
    CLUSTER, CLUSTER_BITS, COMPRESSION_TYPE, COPIED, DEFLATE, ENTRIES, Header, MAGIC, REFCOUNT_ORDER,
    REFCOUNTS, VERSION,
};
use crate::map::Present;
use crate::{Error, Format, Result};

/// The clusters that are more than zeros, as they are.
pub(crate) fn plain(image: &Image) -> Result<Image> {
    let present = Present::of(image, CLUSTER)?;
    let mut tables = Tables::new(image.size(), &present)?;
    let mut layout = Layout::new();
    let start = tables.data_start();
    present.put(&mut layout, image, CLUSTER, start);
    for (number, cluster) in present.blocks().enumerate() {
        tables.enter(cluster, (start + number as u64 * CLUSTER) | COPIED)?;
    }
    let clusters = start / CLUSTER + present.count();
    let refcounts = vec![1; length(clusters)?];
    tables.put(&mut layout, DEFLATE, refcounts)
}

/// The tables of a file that begins with them.
pub(super) struct Tables {
    size: u64,
    /// Entries of the L1 table.
    l1_entries: u64,
    /// The L2 tables that are there, by their places in the L1 table.
    l2: BTreeMap<u64, Vec<u8>>,
}

impl Tables {
    /// Tables for a disk of this size of which these clusters may be there.
    pub(super) fn new(size: u64, present: &Present) -> Result<Tables> {
        let l1_entries = size.div_ceil(CLUSTER * ENTRIES);
        let groups = present.groups(ENTRIES);
        let cluster = length(CLUSTER)?;
        Ok(Tables {
            size,
            l1_entries,
            l2: groups.blocks().map(|group| (group, vec![0; cluster])).collect(),
        })
    }

    /// Where the L2 tables begin.
    fn l2_start(&self) -> u64 {
        CLUSTER + (self.l1_entries * 8).next_multiple_of(CLUSTER)
    }

    /// Where the first cluster of the disk lies.
    pub(super) fn data_start(&self) -> u64 {
        self.l2_start() + self.l2.len() as u64 * CLUSTER
    }

    /// Says what a cluster's entry is.
    pub(super) fn enter(&mut self, cluster: u64, entry: u64) -> Result<()> {
        let place = length(cluster % ENTRIES * 8)?;
        if let Some(table) = self.l2.get_mut(&(cluster / ENTRIES)) {
            table[place..place + 8].copy_from_slice(&entry.to_be_bytes());
        }
        Ok(())
    }

    /// Puts all tables around the data. `refcounts` says how often the clusters in front of the tables for them are referred to.
    pub(super) fn put(self, layout: &mut Layout, compression: u8, mut refcounts: Vec<u16>) -> Result<Image> {
        let l2_start = self.l2_start();
        let mut l1 = vec![0; length(self.l1_entries * 8)?];
        for (number, group) in self.l2.keys().enumerate() {
            let entry = (l2_start + number as u64 * CLUSTER) | COPIED;
            let place = length(group * 8)?;
            l1[place..place + 8].copy_from_slice(&entry.to_be_bytes());
        }
        let counted = refcounts.len() as u64;
        let (table, blocks) = refcount_clusters(counted);
        let total = counted + table + blocks;
        refcounts.resize(length(total)?, 1);
        let header = Header {
            magic: MAGIC,
            version: VERSION.into(),
            backing_file_offset: 0.into(),
            backing_file_size: 0.into(),
            cluster_bits: CLUSTER_BITS.into(),
            size: self.size.into(),
            crypt_method: 0.into(),
            l1_size: number(self.l1_entries)?.into(),
            l1_table_offset: CLUSTER.into(),
            refcount_table_offset: (counted * CLUSTER).into(),
            refcount_table_clusters: number(table)?.into(),
            nb_snapshots: 0.into(),
            snapshots_offset: 0.into(),
            incompatible_features: if compression == DEFLATE {
                0
            } else {
                COMPRESSION_TYPE
            }
            .into(),
            compatible_features: 0.into(),
            autoclear_features: 0.into(),
            refcount_order: REFCOUNT_ORDER.into(),
            header_length: u32::try_from(size_of::<Header>()).unwrap_or(0).into(),
            compression_type: compression,
            padding: [0; 7],
        };
        layout.put(0, "qcow2 header", header.as_bytes());
        layout.put(CLUSTER, "qcow2 l1 table", l1);
        for (number, (_, entries)) in self.l2.into_iter().enumerate() {
            layout.put(l2_start + number as u64 * CLUSTER, "qcow2 l2 table", entries);
        }
        let place = |block: u64| ((counted + table + block) * CLUSTER).to_be_bytes();
        let places: Vec<u8> = (0..blocks).flat_map(place).collect();
        layout.put(counted * CLUSTER, "qcow2 refcount table", places);
        let counts: Vec<u8> = refcounts.into_iter().flat_map(u16::to_be_bytes).collect();
        layout.put((counted + table) * CLUSTER, "qcow2 refcounts", counts);
        Ok(std::mem::take(layout).finish(total * CLUSTER)?)
    }
}

/// How many clusters the table and the blocks of reference counts take that count these clusters, and themselves.
fn refcount_clusters(counted: u64) -> (u64, u64) {
    let (mut table, mut blocks) = (0, 0);
    loop {
        let total = counted + table + blocks;
        let wanted_blocks = total.div_ceil(REFCOUNTS);
        let wanted = ((wanted_blocks * 8).div_ceil(CLUSTER), wanted_blocks);
        if wanted == (table, blocks) {
            return wanted;
        }
        (table, blocks) = wanted;
    }
}

/// A length in memory.
pub(super) fn length(len: u64) -> Result<usize> {
    usize::try_from(len).map_err(|_| too_large(len))
}

fn number(value: u64) -> Result<u32> {
    u32::try_from(value).map_err(|_| too_large(value))
}

fn too_large(size: u64) -> Error {
    Error::TooLarge {
        format: Format::Qcow2,
        size,
        max: super::SIZE_MAX,
    }
}
