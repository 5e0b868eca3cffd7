//! erofs: its options from its keys, and its part.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use erofs::Compression;
use image::{Content, NodeId, Seed, Spool, Tree};

use crate::Amount;
use crate::error::{Error, Result};
use crate::file_systems::{largest, unit_usage};
use crate::formats::{bad_profile, foreign, uuid, without_level};
use crate::id;
use crate::parts::{Detail, Planner, Squashing};
use crate::schema::{Compressor, Effort, FileSystem, Profile};

/// The levels of "lz4hc"; those below are what "lz4" does.
const LZ4HC_MIN: u32 = 3;
const LZ4HC_MAX: u32 = 12;

/// The options of an erofs.
pub(crate) fn options(
    part: &str,
    fs: &FileSystem,
    effort: Option<Effort>,
    seed: Seed,
) -> Result<erofs::Options> {
    let defaults = erofs::Options::new(uuid(part, fs, seed.part(part))?);
    let compressor = fs.compression.unwrap_or(Compressor::None);
    let compression = compression(part, compressor, fs.level)?;
    let cluster = match fs.cluster_size {
        None => defaults.cluster,
        Some(_) if compressor == Compressor::None => {
            return Err(Error::BadValue {
                place: part.to_string(),
                problem: "cluster-size means nothing without compression".to_string(),
            });
        }
        Some(Amount::Bytes(bytes)) => u32::try_from(bytes).unwrap_or(u32::MAX),
        Some(Amount::Sectors(_)) => {
            return Err(Error::BadValue {
                place: part.to_string(),
                problem: "cluster-size cannot be said in sectors".to_string(),
            });
        }
    };
    let profile = match fs.profile {
        None | Some(Profile::Portable) => erofs::Profile::Portable,
        Some(Profile::Modern) => erofs::Profile::Modern,
        Some(Profile::UbootLegacy | Profile::Readonly) => {
            return Err(bad_profile(part, "an erofs has portable and modern"));
        }
    };
    Ok(erofs::Options {
        profile,
        label: fs.label.clone(),
        compression: with_effort(compression, effort),
        cluster,
        time: fs.time.unwrap_or(defaults.time),
        ..defaults
    })
}

/// The compressor of an erofs and its level, or the usual one.
fn compression(part: &str, compressor: Compressor, level: Option<u32>) -> Result<Compression> {
    let or = |usual: u32| i32::try_from(level.unwrap_or(usual)).unwrap_or(i32::MAX);
    Ok(match compressor {
        Compressor::Zstd => Compression::Zstd { level: or(19) },
        Compressor::Deflate => Compression::Deflate { level: or(9) },
        Compressor::Lz4hc => {
            if let Some(level) = level.filter(|level| !(LZ4HC_MIN..=LZ4HC_MAX).contains(level)) {
                return Err(Error::BadValue {
                    place: format!("{part}.level"),
                    problem: format!("{level}: lz4hc has levels from {LZ4HC_MIN} to {LZ4HC_MAX}"),
                });
            }
            Compression::Lz4 { level: or(9) }
        }
        Compressor::Lz4 => without_level(part, compressor, level, Compression::Lz4 { level: 1 })?,
        Compressor::None => without_level(part, compressor, level, Compression::None)?,
        Compressor::Xz | Compressor::Gzip | Compressor::Zlib | Compressor::Lzo => {
            return Err(foreign(
                part,
                compressor,
                "an erofs: lz4, lz4hc, deflate, zstd or none",
            ));
        }
    })
}

/// A compression that takes no longer than this effort allows.
fn with_effort(compression: Compression, effort: Option<Effort>) -> Compression {
    match (effort, compression) {
        (Some(Effort::Dev), Compression::Zstd { level }) => Compression::Zstd { level: level.min(3) },
        (Some(Effort::Dev), Compression::Deflate { level }) => Compression::Deflate { level: level.min(1) },
        (Some(Effort::Dev), Compression::Lz4 { .. }) => Compression::Lz4 { level: 1 },
        (_, compression) => compression,
    }
}

impl Planner<'_> {
    /// Finds what an erofs cannot hold, as far as names and lengths tell.
    pub(crate) fn check_erofs(&mut self, key: &str, fs: &FileSystem) -> Result<()> {
        let part = format!("fs.{key}");
        // What is laid out is not known yet.
        if fs.layout.is_some() {
            return Ok(());
        }
        let tree = self.tree(key)?;
        let options = options(&part, fs, self.spec.profile, self.gathered.seed)?;
        erofs::check_tree(&tree, &options).map_err(|source| Error::Erofs { part, source })
    }

    /// The spool that it is compressed into goes to `kept`.
    pub(crate) fn erofs(
        &self,
        part: &str,
        fs: &FileSystem,
        tree: &Tree,
        kept: &mut Option<Spool>,
    ) -> Result<(Content, Detail)> {
        let failed = |source| Error::Erofs {
            part: part.to_string(),
            source,
        };
        let options = options(part, fs, self.spec.profile, self.gathered.seed)?;
        let detail = |largest, segments, estimate| Detail::Erofs {
            content_len: tree.content_len(),
            entries: tree.len() as u64,
            largest,
            uuid: options.uuid,
            segments,
            estimate,
        };
        let digests = self.digests(fs);
        let Squashing::Spool(folder) = self.work.squashing else {
            let looking = erofs::Looking {
                threads: self.work.threads,
                digests,
                progress: self.work.progress,
            };
            let outlook = erofs::outlook(tree, &options, &looking).map_err(failed)?;
            let detail = detail(largest(unit_usage(tree)), Vec::new(), outlook.is_bound);
            return Ok((Content::Zeros(outlook.size), detail));
        };
        let spool = &*kept.insert(Spool::create(folder)?);
        let units = id::unit_hashes(tree, self.gathered);
        let refused: Mutex<Option<Error>> = Mutex::default();
        let confirm = |roots: &BTreeSet<NodeId>| self.confirm(tree, roots, &refused);
        let reuse = self.work.segments.map(|places| erofs::Reuse {
            units: &units,
            places,
            confirm: self.is_unsure().then_some(&confirm as _),
        });
        let work = erofs::Work {
            spool,
            threads: self.work.threads,
            digests,
            progress: self.work.progress,
            reuse,
        };
        let planned = erofs::plan(tree, &options, &work);
        if let Some(error) = refused.into_inner().unwrap_or_else(PoisonError::into_inner) {
            return Err(error);
        }
        let planned = planned.map_err(failed)?;
        // Where nothing is compressed, store paths take what they have.
        let units = if options.compression == Compression::None {
            unit_usage(tree)
        } else {
            planned.units
        };
        let detail = detail(largest(units), planned.segments, false);
        Ok((Content::Image(Arc::new(planned.image)), detail))
    }
}
