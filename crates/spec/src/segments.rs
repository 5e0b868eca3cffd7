//! Segments of a closure without an image: which ones there are, and some of them made in advance.

use std::collections::BTreeSet;
use std::path::Path;

use image::{NodeId, Progress, Seed, Spool, Tree};
use nix::{Checked, Mismatch, PathInfo, StorePath};

use crate::error::{Error, Result};
use crate::schema::{Closure, Effort, FileSystem, Format};
use crate::sources::{Stored, in_store};
use crate::{erofs_part, formats};

/// What errors call it.
const PART: &str = "segments";

/// A closure, how a squashfs, a btrfs or an erofs of it is made, and how work is done.
pub struct Segmenting<'a> {
    /// The closure, which lies in a store of this machine.
    pub closure: &'a Closure,
    /// The keys of a squashfs, a btrfs or an erofs that say how it is compressed.
    pub fs: &'a FileSystem,
    /// How hard it is compressed.
    pub profile: Option<Effort>,
    /// Where relative paths start.
    pub folder: &'a Path,
    /// A folder with room for what is compressed.
    pub spool: &'a Path,
    /// How many threads work.
    pub threads: usize,
    /// Hears how far the work is.
    pub progress: &'a dyn Progress,
}

/// A segment, named by what is in it and not by what these bytes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// What images call it.
    pub label: String,
    /// The store paths that have blocks in it.
    pub paths: Vec<StorePath>,
    /// The store paths without which it is another segment: they hold large files that are left out here.
    pub originals: Vec<StorePath>,
    /// The bytes of its blocks before they are compressed; of a btrfs, those of its files, whatever equal bytes and holes they
    /// have.
    pub content_len: u64,
}

impl Segmenting<'_> {
    /// The segments of the closure in the order that they have in an image. Names and lengths are read, and large files
    /// of equal length; nothing is compared with its registration.
    ///
    /// # Errors
    /// When the closure cannot be read, or is in no store of this machine, or an option cannot be.
    pub fn list(&self) -> Result<Vec<Segment>> {
        let options = self.options()?;
        let Stored { closure, store, .. } = in_store(self.closure, self.folder)?;
        let tree = closure.tree(&store)?;
        let spool = Spool::create(self.spool)?;
        let outlines = match &options {
            Options::Squashfs(options) => {
                squashfs::outlines(&tree, options, &self.squashfs(&spool, &[], None))
                    .map_err(squashfs_failed)?
            }
            Options::Btrfs(options) => {
                btrfs::outlines(&tree, options, &self.btrfs(&spool, &[], None)).map_err(btrfs_failed)?
            }
            Options::Erofs(options) => {
                erofs::outlines(&tree, options, &self.erofs(&spool, &[], None)).map_err(erofs_failed)?
            }
        };
        let paths = |units: &[NodeId]| {
            units
                .iter()
                .map(|unit| store_path(&tree, *unit))
                .collect::<Result<_>>()
        };
        let segment = |outline: cache::Outline| {
            Ok(Segment {
                paths: paths(&outline.units)?,
                originals: paths(&outline.originals)?,
                label: outline.label,
                content_len: outline.content_len,
            })
        };
        outlines.into_iter().map(segment).collect()
    }

    /// Makes the segments of these store paths, or of the whole closure when there are none, and has a place keep them.
    /// Only these paths are read, and the `originals`, as [`Segment`] has them. Answers the segments' keys.
    ///
    /// # Errors
    /// As [`list`](Segmenting::list), and when a path is not in the closure or not what it is registered as.
    pub fn make(
        &self,
        paths: &[StorePath],
        originals: &[StorePath],
        place: &dyn cache::Segments,
    ) -> Result<Vec<cache::Key>> {
        let options = self.options()?;
        let Stored {
            mut closure, store, ..
        } = in_store(self.closure, self.folder)?;
        if !paths.is_empty() {
            closure = closure.only(&paths.iter().chain(originals).cloned().collect())?;
        }
        let tree = closure.tree(&store)?;
        let Checked { digests, .. } = nix::check(&mut closure, &tree, self.progress, Mismatch::Fail)?;
        let root = |path: &StorePath| tree.lookup(path.as_str().as_bytes());
        let hash = |info: &PathInfo| Some((root(&info.path)?, info.nar_hash?.0));
        let units = closure.paths().iter().filter_map(hash).collect();
        let wanted: BTreeSet<NodeId> = paths.iter().filter_map(root).collect();
        let reuse = cache::Reuse {
            units: &units,
            places: cache::Places {
                near: &[place],
                shared: &[],
            },
            confirm: None,
        };
        let spool = Spool::create(self.spool)?;
        match &options {
            Options::Squashfs(options) => {
                let work = self.squashfs(&spool, &digests, Some(reuse));
                squashfs::make_segments(&tree, options, &wanted, &work).map_err(squashfs_failed)
            }
            Options::Btrfs(options) => {
                let work = self.btrfs(&spool, &digests, Some(reuse));
                btrfs::make_segments(&tree, options, &wanted, &work).map_err(btrfs_failed)
            }
            Options::Erofs(options) => {
                let work = self.erofs(&spool, &digests, Some(reuse));
                erofs::make_segments(&tree, options, &wanted, &work).map_err(erofs_failed)
            }
        }
    }

    fn options(&self) -> Result<Options> {
        if self.fs.format == Format::Btrfs {
            // Neither sectors nor ids are in a segment.
            let options = formats::btrfs_options(PART, self.fs, self.profile, 512, Seed::new(b""))?;
            options.check().map_err(btrfs_failed)?;
            return Ok(Options::Btrfs(Box::new(options)));
        }
        if self.fs.format == Format::Erofs {
            let options = erofs_part::options(PART, self.fs, self.profile, Seed::new(b""))?;
            options.check().map_err(erofs_failed)?;
            return Ok(Options::Erofs(Box::new(options)));
        }
        let options = formats::squashfs_options(PART, self.fs, self.profile)?;
        options.check().map_err(squashfs_failed)?;
        Ok(Options::Squashfs(options))
    }

    fn squashfs<'w>(
        &'w self,
        spool: &'w Spool,
        digests: &'w [Option<[u8; 32]>],
        reuse: Option<cache::Reuse<'w>>,
    ) -> squashfs::Work<'w> {
        squashfs::Work {
            spool,
            threads: self.threads,
            digests,
            progress: self.progress,
            reuse,
        }
    }

    fn btrfs<'w>(
        &'w self,
        spool: &'w Spool,
        digests: &'w [Option<[u8; 32]>],
        reuse: Option<cache::Reuse<'w>>,
    ) -> btrfs::Work<'w> {
        btrfs::Work {
            spool,
            threads: self.threads,
            digests,
            progress: self.progress,
            reuse,
        }
    }

    fn erofs<'w>(
        &'w self,
        spool: &'w Spool,
        digests: &'w [Option<[u8; 32]>],
        reuse: Option<cache::Reuse<'w>>,
    ) -> erofs::Work<'w> {
        erofs::Work {
            spool,
            threads: self.threads,
            digests,
            progress: self.progress,
            reuse,
        }
    }
}

/// How a file system is made.
enum Options {
    Squashfs(squashfs::Options),
    Btrfs(Box<btrfs::Options>),
    Erofs(Box<erofs::Options>),
}

fn squashfs_failed(source: squashfs::Error) -> Error {
    Error::Squashfs {
        part: PART.to_string(),
        source,
    }
}

fn btrfs_failed(source: btrfs::Error) -> Error {
    Error::Btrfs {
        part: PART.to_string(),
        source,
    }
}

fn erofs_failed(source: erofs::Error) -> Error {
    Error::Erofs {
        part: PART.to_string(),
        source,
    }
}

fn store_path(tree: &Tree, unit: NodeId) -> Result<StorePath> {
    let name = tree.unit(unit).map(|unit| unit.name.clone()).unwrap_or_default();
    Ok(format!("{}/{}", nix::STORE_DIR, image::show(&name)).parse()?)
}
