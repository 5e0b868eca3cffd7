//! What lies where.

use std::sync::Arc;

use image::{NodeId, Structure, Tree};

use super::table::{Chain, Table};
use super::{FileSystem, Place, ROOT, Waiting, check_level};
use crate::{Error, Variant};

impl FileSystem {
    /// What lies where, in the order of its places. Nodes are those of [`FileSystem::tree`]. What is free has no name.
    ///
    /// # Errors
    /// As [`FileSystem::tree`].
    pub fn structures(&self) -> Result<Vec<Structure>, Error> {
        let mut structures = self.tables();
        let mut tree = Tree::default();
        // One finds what is there, the other where: each marks the clusters that it has seen.
        let (mut table, mut places) = (Table::new(self), Table::new(self));
        let mut waiting = vec![Waiting {
            id: NodeId::ROOT,
            parent_path: Arc::default(),
            name: Vec::new(),
            level: 0,
            cluster: 0,
            parent: 0,
        }];
        if self.geometry.variant == Variant::Fat32 {
            let chain = places.chain(self.root_cluster, u64::MAX, ROOT)?;
            self.add_clusters(&chain, "directory", NodeId::ROOT, &mut structures);
        }
        while let Some(directory) = waiting.pop() {
            let (path, level) = (directory.path(), directory.level + 1);
            for entry in self.entries(&directory, &mut table)? {
                let place = Place {
                    parent: &path,
                    name: &entry.name,
                };
                let id = self.add(&mut tree, directory.id, place, &entry, &mut table)?;
                if entry.cluster != 0 {
                    let chain = places.chain(entry.cluster, u64::MAX, place)?;
                    let what = if entry.is_directory() {
                        "directory"
                    } else {
                        "cluster"
                    };
                    self.add_clusters(&chain, what, id, &mut structures);
                }
                if entry.is_directory() {
                    check_level(level, place)?;
                    waiting.push(Waiting {
                        id,
                        parent_path: path.clone(),
                        name: entry.name,
                        level,
                        cluster: entry.cluster,
                        parent: directory.cluster,
                    });
                }
            }
        }
        structures.sort_by_key(|structure| structure.start);
        Ok(structures)
    }

    fn add_clusters(&self, chain: &Chain, what: &'static str, id: NodeId, structures: &mut Vec<Structure>) {
        for (first, count) in chain.runs() {
            let start = self.geometry.cluster_start(first);
            let len = u64::from(count) * u64::from(self.geometry.cluster_size);
            structures.push(Structure::new(start, len, what).of(id));
        }
    }

    fn tables(&self) -> Vec<Structure> {
        let geometry = &self.geometry;
        let sector = u64::from(geometry.sector_size);
        let mut structures = vec![Structure::new(0, sector, "boot sector")];
        let reserved = geometry.fat_start(0);
        if geometry.variant == Variant::Fat32 {
            structures.push(Structure::new(sector, sector, "FSInfo sector"));
            structures.push(Structure::new(
                2 * sector,
                reserved - 2 * sector,
                "reserved sectors",
            ));
        } else {
            structures.push(Structure::new(sector, reserved - sector, "reserved sectors"));
        }
        for number in 0..geometry.fats {
            let what = format!("file allocation table {}", number + 1);
            structures.push(Structure::new(
                geometry.fat_start(number),
                geometry.fat_len(),
                what,
            ));
        }
        if geometry.root_len() > 0 {
            let root = Structure::new(geometry.root_start(), geometry.root_len(), "directory");
            structures.push(root.of(NodeId::ROOT));
        }
        structures
    }
}
