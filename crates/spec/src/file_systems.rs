//! File systems: trees and keys become contents, each by its own format.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use image::{Content, NodeId, Spool, Tree};
use squashfs::UnitUsage;

use crate::error::{Error, Result};
use crate::gather::Hashes;
use crate::parts::{Detail, Part, Planner, Squashing};
use crate::schema::{FileSystem, Format};
use crate::{boots, formats, hash_trees, id, outputs, subvolumes};

/// How many store paths a report names.
const LARGEST: usize = 10;

impl Planner<'_> {
    pub(crate) fn file_system(&mut self, key: &str, fs: &FileSystem) -> Result<Part> {
        let tree = self.tree(key)?;
        let part = format!("fs.{key}");
        if fs.format == Format::Fat {
            boots::check_images(&part, &tree)?;
        }
        let mut spool = None;
        let (content, detail) = match fs.format {
            Format::Squashfs => self.squashfs(&part, fs, &tree, &mut spool)?,
            Format::Fat => self.fat(&part, key, fs, &tree)?,
            Format::Ext4 => self.ext4(&part, key, fs, &tree)?,
            Format::Btrfs => self.btrfs(&part, fs, &tree, &mut spool)?,
            Format::Erofs => self.erofs(&part, fs, &tree, &mut spool)?,
            // Its tree is empty: it has no key that puts something there.
            Format::Swap => self.swap(&part, fs)?,
        };
        let content = if self.is_hashed(&part) {
            hash_trees::solid(&content)?
        } else {
            content
        };
        let part = Part {
            name: part,
            files: vec![(outputs::file_system(key, fs), content.clone())],
            content,
            detail,
            spool,
        };
        if let Some(limit) = fs.max_size {
            part.check_size(limit.bytes(self.sector_size()), "max-size")?;
        }
        Ok(part)
    }

    /// The spool that it is compressed into goes to `kept`.
    fn squashfs(
        &self,
        part: &str,
        fs: &FileSystem,
        tree: &Tree,
        kept: &mut Option<Spool>,
    ) -> Result<(Content, Detail)> {
        let failed = |source| Error::Squashfs {
            part: part.to_string(),
            source,
        };
        let options = formats::squashfs_options(part, fs, self.spec.profile)?;
        let (content_len, entries) = (tree.content_len(), tree.len() as u64);
        let Squashing::Spool(folder) = self.work.squashing else {
            let largest = largest(unit_usage(tree));
            let detail = Detail::Squashfs {
                content_len,
                entries,
                largest,
                segments: Vec::new(),
                estimate: true,
            };
            return Ok((
                Content::Zeros(squashfs::at_most(tree, &options).map_err(failed)?),
                detail,
            ));
        };
        let spool = &*kept.insert(Spool::create(folder)?);
        let digests = self.digests(fs);
        let units = id::unit_hashes(tree, self.gathered);
        let refused: Mutex<Option<Error>> = Mutex::default();
        let confirm = |roots: &BTreeSet<NodeId>| self.confirm(tree, roots, &refused);
        let reuse = self.work.segments.map(|places| squashfs::Reuse {
            units: &units,
            places,
            confirm: self.is_unsure().then_some(&confirm as _),
        });
        let work = squashfs::Work {
            spool,
            threads: self.work.threads,
            digests,
            progress: self.work.progress,
            reuse,
        };
        let planned = squashfs::plan(tree, &options, &work);
        if let Some(error) = refused.into_inner().unwrap_or_else(PoisonError::into_inner) {
            return Err(error);
        }
        let planned = planned.map_err(failed)?;
        let largest = largest(planned.units);
        let detail = Detail::Squashfs {
            content_len,
            entries,
            largest,
            segments: planned.segments,
            estimate: false,
        };
        Ok((Content::Image(Arc::new(planned.image)), detail))
    }

    fn fat(&self, part: &str, key: &str, fs: &FileSystem, tree: &Tree) -> Result<(Content, Detail)> {
        let sector_size = fs.sector_size.map_or(self.sector_size(), u64::from);
        let id = self.gathered.seed.part(part).number("volume id");
        let hidden_sectors = self.hidden_sectors(key, sector_size);
        let options = formats::fat_options(part, fs, sector_size, hidden_sectors, id)?;
        let failed = |source| Error::Fat {
            part: part.to_string(),
            source,
        };
        let planned = fat::plan(tree, &options).map_err(failed)?;
        let detail = Detail::Fat {
            usage: planned.usage,
            volume_id: options.volume_id,
        };
        Ok((Content::Image(Arc::new(planned.image)), detail))
    }

    fn ext4(&self, part: &str, key: &str, fs: &FileSystem, tree: &Tree) -> Result<(Content, Detail)> {
        let options = formats::ext4_options(part, fs, self.sector_size(), self.gathered.seed)?;
        let bound = match self.work.squashing {
            // Whatever it is a file in has to know its size.
            Squashing::Estimate if !self.is_a_file(key) => ext4::bound(tree, &options).ok(),
            _ => None,
        };
        // What does not fit without holes may fit with them.
        let planned = bound.map_or_else(|| ext4::plan(tree, &options), Ok);
        let ext4::Planned {
            image,
            mut usage,
            is_bound,
        } = planned.map_err(|source| Error::Ext4 {
            part: part.to_string(),
            source,
        })?;
        let estimate = is_bound && fs.size.is_none();
        let content = if estimate {
            // What is free beyond the promise follows from the size, which is less.
            usage.free = usage.promised;
            Content::Zeros(image.size())
        } else {
            Content::Image(Arc::new(image))
        };
        let detail = Detail::Ext4 {
            usage,
            uuid: options.uuid,
            is_bound,
            estimate,
        };
        Ok((content, detail))
    }

    /// Whether a file system is a file in another one.
    fn is_a_file(&self, key: &str) -> bool {
        let name = format!("{{fs.{key}}}");
        let mut systems = self.spec.fs.values();
        systems.any(|fs| {
            let sources = fs.files.values().flat_map(|sources| &sources.0);
            sources.chain(fs.text.values()).any(|text| *text == name)
        })
    }

    /// Finds what a btrfs cannot hold, as far as names and lengths tell.
    pub(crate) fn check_btrfs(&mut self, key: &str, fs: &FileSystem) -> Result<()> {
        let part = format!("fs.{key}");
        // What is laid out is not known yet.
        if fs.layout.is_some() {
            return Ok(());
        }
        let tree = self.tree(key)?;
        let options = self.btrfs_options(&part, fs, &tree)?;
        btrfs::check_tree(&tree, &options).map_err(|source| Error::Btrfs { part, source })
    }

    fn btrfs_options(&self, part: &str, fs: &FileSystem, tree: &Tree) -> Result<btrfs::Options> {
        let (effort, seed) = (self.spec.profile, self.gathered.seed);
        let mut options = formats::btrfs_options(part, fs, effort, self.sector_size(), seed)?;
        subvolumes::find(part, fs, tree, &mut options)?;
        Ok(options)
    }

    /// The spool that it is compressed into goes to `kept`.
    fn btrfs(
        &self,
        part: &str,
        fs: &FileSystem,
        tree: &Tree,
        kept: &mut Option<Spool>,
    ) -> Result<(Content, Detail)> {
        let failed = |source| Error::Btrfs {
            part: part.to_string(),
            source,
        };
        let options = self.btrfs_options(part, fs, tree)?;
        let uuid = options.uuid;
        let Squashing::Spool(folder) = self.work.squashing else {
            let looking = btrfs::Looking {
                threads: self.work.threads,
                digests: self.digests(fs),
                progress: self.work.progress,
            };
            let outlook = btrfs::outlook(tree, &options, &looking).map_err(failed)?;
            let detail = Detail::Btrfs {
                usage: outlook.usage,
                uuid,
                segments: Vec::new(),
                estimate: outlook.usage.is_none(),
            };
            return Ok((Content::Zeros(outlook.size), detail));
        };
        let spool = Spool::create(folder)?;
        let units = id::unit_hashes(tree, self.gathered);
        let reuse = self.work.segments.map(|places| btrfs::Reuse {
            units: &units,
            places,
            // All was compared: what is not compressed comes out of the files, beside sums that came with a segment.
            confirm: None,
        });
        let work = btrfs::Work {
            spool: &spool,
            threads: self.work.threads,
            digests: self.digests(fs),
            progress: self.work.progress,
            reuse,
        };
        let planned = btrfs::plan(tree, &options, &work).map_err(failed)?;
        // Of the others it has nothing but nodes: they are copied faster than files come beside them.
        *kept = (options.compression != btrfs::Compression::None).then_some(spool);
        let detail = Detail::Btrfs {
            usage: Some(planned.usage),
            uuid,
            segments: planned.segments,
            estimate: false,
        };
        Ok((Content::Image(Arc::new(planned.image)), detail))
    }

    /// Whether what the store has registered was not compared yet: then it names nothing before that.
    pub(crate) fn is_unsure(&self) -> bool {
        self.gathered.hashes == Hashes::Registered
    }

    /// Compares units, by their roots, with what is registered of them. An error is kept for whoever can tell it.
    pub(crate) fn confirm(
        &self,
        tree: &Tree,
        roots: &BTreeSet<NodeId>,
        refused: &Mutex<Option<Error>>,
    ) -> image::Result<()> {
        let compared =
            id::paths(tree, roots).and_then(|paths| self.gathered.compare(&paths, self.work.progress));
        compared.map_err(|error| {
            *refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            image::Error::Cancelled
        })
    }

    /// The digests of a file system's nodes. They are numbered as the closure's nodes are, which have other numbers where its
    /// paths lie elsewhere.
    pub(crate) fn digests(&self, fs: &FileSystem) -> &[Option<[u8; 32]>] {
        if formats::finds_equal_files(fs) {
            &self.gathered.digests
        } else {
            &[]
        }
    }

    fn swap(&self, part: &str, fs: &FileSystem) -> Result<(Content, Detail)> {
        let options = formats::swap_options(part, fs, self.sector_size(), self.gathered.seed)?;
        let image = swap::plan(&options).map_err(|source| Error::Swap {
            part: part.to_string(),
            source,
        })?;
        let detail = Detail::Swap { uuid: options.uuid };
        Ok((Content::Image(Arc::new(image)), detail))
    }

    /// Bytes of the disk's sectors.
    pub(crate) fn sector_size(&self) -> u64 {
        self.spec
            .disk
            .as_ref()
            .and_then(|disk| disk.sector_size)
            .unwrap_or(512)
            .into()
    }

    /// The sectors before a FAT on its disk, where they are known before it is made.
    fn hidden_sectors(&self, key: &str, sector_size: u64) -> u32 {
        let content = format!("fs.{key}");
        let regions = self.spec.disk.iter().flat_map(|disk| &disk.region);
        let region = regions
            .into_iter()
            .find(|region| region.content.as_ref() == Some(&content));
        let start = region
            .and_then(|region| self.starts.get(&region.name))
            .copied()
            .unwrap_or(0);
        u32::try_from(start / sector_size.max(1)).unwrap_or(0)
    }
}

/// What units take where nothing is compressed.
pub(crate) fn unit_usage(tree: &Tree) -> Vec<UnitUsage> {
    let usage = tree.units().map(|(root, unit)| {
        let content_len = unit_len(tree, root);
        UnitUsage {
            name: unit.name.clone(),
            content_len,
            stored_len: content_len,
        }
    });
    usage.collect()
}

fn unit_len(tree: &Tree, root: NodeId) -> u64 {
    let len = |entry: image::Entry| match &tree.node(entry.id).kind {
        image::Kind::File(content) => content.len(),
        _ => 0,
    };
    tree.walk_from(root).map(len).sum()
}

/// The largest first, and of the same size by name.
pub(crate) fn largest(mut usage: Vec<UnitUsage>) -> Vec<UnitUsage> {
    usage.sort_by(|one, other| (other.stored_len, &one.name).cmp(&(one.stored_len, &other.name)));
    usage.truncate(LARGEST);
    usage
}
