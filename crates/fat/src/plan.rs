//! Trees become images.

mod boot;
mod entries;
mod size;
mod survey;

use std::sync::Arc;

use image::{Content, Image, Layout, Tree, show};
use zerocopy::IntoBytes;

use crate::format::SLOT_SIZE;
use crate::geometry::{FIRST_CLUSTER, Geometry};
use crate::{Error, Options, Planned, Usage, Variant};
use boot::{BACKUP_SECTOR, FS_INFO_SECTOR};
use entries::Place;
use survey::{Survey, Target, survey};

/// Entries that the root directory keeps free when free space is promised: one name of any length takes 21.
const SPARE_ROOT_SLOTS: u64 = 32;

/// Plans a file system of a tree. No content is read.
///
/// # Errors
/// When options make no sense, FAT cannot hold something in the tree, or it does not fit.
pub fn plan(tree: &Tree, options: &Options) -> Result<Planned, Error> {
    let label = options.label.as_deref().map(entries::label).transpose()?;
    let survey = survey(tree, label.iter().len() as u64)?;
    let spare = if options.free > 0 { SPARE_ROOT_SLOTS } else { 0 };
    let needs = survey.needs(spare);
    let geometry = size::choose(options, &needs)?;
    let root_len = match geometry.variant {
        Variant::Fat16 => geometry.root_len(),
        Variant::Fat32 => needs.root_slots * SLOT_SIZE as u64,
    };
    let plan = Plan {
        options,
        label,
        places: Places::allocate(&geometry, &survey, root_len),
        survey,
        geometry,
    };
    Ok(Planned {
        usage: plan.usage(),
        image: plan.image()?,
    })
}

/// Everything that is decided, for the code that lays it out.
struct Plan<'a> {
    options: &'a Options,
    label: Option<[u8; 11]>,
    survey: Survey<'a>,
    geometry: Geometry,
    places: Places,
}

/// Clusters of directories and files, in the order of the survey's lists. All clusters of one thing are neighbours.
struct Places {
    directories: Vec<Run>,
    files: Vec<Run>,
    used: u32,
}

#[derive(Clone, Copy, Debug)]
struct Run {
    /// The first cluster; 0 when there is none.
    first: u32,
    count: u32,
}

impl Places {
    /// Gives out clusters from the first on; the geometry is known to have enough.
    fn allocate(geometry: &Geometry, survey: &Survey, root_len: u64) -> Places {
        let mut used = 0;
        let mut run = |len: u64| {
            let count = u32::try_from(len.div_ceil(geometry.cluster_size.into())).unwrap_or(u32::MAX);
            let first = if count == 0 { 0 } else { FIRST_CLUSTER + used };
            used += count;
            Run { first, count }
        };
        let directory_len = |(index, directory): (usize, &survey::Directory)| match (index, geometry.variant)
        {
            (0, Variant::Fat16) => 0,
            (0, Variant::Fat32) => root_len.max(1),
            _ => directory.slots * SLOT_SIZE as u64,
        };
        let directories = survey.directories.iter().enumerate().map(directory_len);
        let directories = directories.map(&mut run).collect();
        let files = survey.files.iter().map(|file| run(file.len.into())).collect();
        Places {
            directories,
            files,
            used,
        }
    }
}

impl Plan<'_> {
    fn usage(&self) -> Usage {
        let free = u64::from(self.geometry.clusters - self.places.used);
        Usage {
            variant: self.geometry.variant,
            sector_size: self.geometry.sector_size,
            cluster_size: self.geometry.cluster_size,
            clusters: self.geometry.clusters,
            used_clusters: self.places.used,
            directories: self.survey.directories.len() as u64 - 1,
            files: self.survey.files.len() as u64,
            free: free * u64::from(self.geometry.cluster_size),
            promised: self.options.free,
        }
    }

    fn image(&self) -> Result<Image, Error> {
        let mut layout = Layout::new();
        self.put_reserved_sectors(&mut layout);
        self.put_tables(&mut layout);
        for index in 0..self.survey.directories.len() {
            self.put_directory(index, &mut layout);
        }
        for (file, run) in self.survey.files.iter().zip(&self.places.files) {
            let start = self.geometry.cluster_start(run.first);
            layout.put(start, show(&file.path), file.content.clone());
        }
        Ok(layout.finish(self.geometry.size())?)
    }

    /// Boot sector, `FSInfo`, their copies, and zeros between them.
    fn put_reserved_sectors(&self, layout: &mut Layout) {
        let sector_size = u64::from(self.geometry.sector_size);
        let root = self.directory_run(0).first;
        let boot = boot::boot_sector(&self.geometry, self.options, self.label.as_ref(), root);
        let boot: Arc<[u8]> = boot.into();
        let mut sectors = vec![(0, "boot sector", boot.clone())];
        if self.geometry.variant == Variant::Fat32 {
            let info: Arc<[u8]> = boot::fs_info(&self.geometry, self.places.used).into();
            sectors.extend([
                (FS_INFO_SECTOR, "file system information", info.clone()),
                (BACKUP_SECTOR, "boot sector copy", boot),
                (
                    BACKUP_SECTOR + FS_INFO_SECTOR,
                    "file system information copy",
                    info,
                ),
            ]);
        }
        let mut end = 0;
        for (sector, name, bytes) in sectors {
            let start = u64::from(sector) * sector_size;
            layout.put(end, "reserved sectors", Content::Zeros(start - end));
            layout.put(start, name, Content::Bytes(bytes));
            end = start + sector_size;
        }
        let rest = self.geometry.fat_start(0) - end;
        layout.put(end, "reserved sectors", Content::Zeros(rest));
    }

    fn put_tables(&self, layout: &mut Layout) {
        let runs = self.places.directories.iter().chain(&self.places.files);
        let table = boot::table(self.geometry.variant, runs.map(|run| run.count));
        let table: Arc<[u8]> = table.into();
        let used = table.len() as u64;
        for number in 0..self.geometry.fats {
            let start = self.geometry.fat_start(number);
            let name = format!("file allocation table {}", number + 1);
            layout.put(start, &*name, Content::Bytes(table.clone()));
            let free = Content::Zeros(self.geometry.fat_len() - used);
            layout.put(start + used, format!("{name}, free clusters"), free);
        }
    }

    fn put_directory(&self, index: usize, layout: &mut Layout) {
        let Some(directory) = self.survey.directories.get(index) else {
            return;
        };
        let run = self.directory_run(index);
        let mut bytes = Vec::new();
        if index > 0 {
            let own = self.place(Target::Directory(index));
            // The root is cluster 0 here, even on FAT32, where it has a number.
            let parent = match directory.parent {
                0 => Place { cluster: 0, len: 0 },
                parent => self.place(Target::Directory(parent)),
            };
            bytes.extend_from_slice(entries::dots(directory, own, parent).as_bytes());
        } else if let Some(label) = self.label {
            let entry = entries::label_entry(label, self.options.time);
            bytes.extend_from_slice(entry.as_bytes());
        }
        for child in &directory.children {
            entries::push_child(&mut bytes, child, self.place(child.target));
        }
        let fixed_root = index == 0 && self.geometry.variant == Variant::Fat16;
        let (start, len) = if fixed_root {
            (self.geometry.root_start(), self.geometry.root_len())
        } else {
            let len = u64::from(run.count) * u64::from(self.geometry.cluster_size);
            (self.geometry.cluster_start(run.first), len)
        };
        let name = if index == 0 {
            "root directory".into()
        } else {
            format!("directory {}", show(&directory.path))
        };
        bytes.resize(usize::try_from(len).unwrap_or(bytes.len()), 0);
        layout.put(start, name, bytes);
    }

    fn directory_run(&self, index: usize) -> Run {
        let run = self.places.directories.get(index);
        run.copied().unwrap_or(Run { first: 0, count: 0 })
    }

    fn place(&self, target: Target) -> Place {
        match target {
            Target::Directory(index) => Place {
                cluster: self.directory_run(index).first,
                len: 0,
            },
            Target::File(index) => Place {
                cluster: self.places.files.get(index).map_or(0, |run| run.first),
                len: self.survey.files.get(index).map_or(0, |file| file.len),
            },
        }
    }
}
