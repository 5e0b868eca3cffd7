//! The options of each format, from its keys.

use std::str::FromStr;

use image::Seed;
use squashfs::Compression;
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::schema::{Compressor, Effort, FatBits, FileSystem, Format, Journal, Kept, Metadata, Profile};
use crate::{Amount, Spec, erofs_part, hash_trees, layouts};

/// Whether store paths get compressed segments, which their hashes name.
pub(crate) fn names_segments(fs: &FileSystem) -> bool {
    let is_compressed = match fs.format {
        Format::Squashfs => fs.compression != Some(Compressor::None),
        Format::Btrfs | Format::Erofs => !matches!(fs.compression, None | Some(Compressor::None)),
        Format::Ext4 | Format::Fat | Format::Swap => false,
    };
    is_compressed && (fs.closure || layouts::keeps_store(fs))
}

/// Whether another compressor finds next to nothing in it. lz4 leaves it something.
pub(crate) fn is_dense(fs: &FileSystem) -> bool {
    match fs.format {
        Format::Squashfs => fs.compression != Some(Compressor::None),
        Format::Erofs => matches!(fs.compression, Some(Compressor::Deflate | Compressor::Zstd)),
        _ => false,
    }
}

/// Whether equal files are looked for in a tree that is numbered as the closure's is. Trees in which its paths lie elsewhere
/// have other numbers.
pub(crate) fn finds_equal_files(fs: &FileSystem) -> bool {
    matches!(fs.format, Format::Squashfs | Format::Btrfs | Format::Erofs)
        && ((fs.closure && fs.closure_at.is_none()) || layouts::keeps_store(fs))
}

/// Refuses keys that mean nothing for a format.
pub(crate) fn check_keys(key: &str, fs: &FileSystem) -> Result<()> {
    use Format::{Btrfs, Erofs, Ext4, Fat, Squashfs, Swap};
    let keys: [(&str, bool, &[Format]); 26] = [
        ("compression", fs.compression.is_some(), &[Squashfs, Btrfs, Erofs]),
        ("level", fs.level.is_some(), &[Squashfs, Btrfs, Erofs]),
        ("block-size", fs.block_size.is_some(), &[Squashfs]),
        ("label", fs.label.is_some(), &[Fat, Ext4, Btrfs, Erofs, Swap]),
        ("size", fs.size.is_some(), &[Fat, Ext4, Btrfs, Swap]),
        ("free", fs.free.is_some(), &[Fat, Ext4, Btrfs]),
        ("id", fs.id.is_some(), &[Fat]),
        ("bits", fs.bits.is_some(), &[Fat]),
        ("sector-size", fs.sector_size.is_some(), &[Fat]),
        ("cluster-size", fs.cluster_size.is_some(), &[Fat, Erofs]),
        ("profile", fs.profile.is_some(), &[Ext4, Btrfs, Erofs]),
        ("uuid", fs.uuid.is_some(), &[Ext4, Btrfs, Erofs, Swap]),
        ("free-inodes", fs.free_inodes.is_some(), &[Ext4]),
        ("journal", fs.journal.is_some(), &[Ext4]),
        ("grow-to", fs.grow_to.is_some(), &[Ext4]),
        ("metadata", fs.metadata.is_some(), &[Btrfs]),
        ("deduplicate", fs.deduplicate.is_some(), &[Btrfs]),
        ("subvolumes", !fs.subvolumes.is_empty(), &[Btrfs]),
        ("extlinux", fs.extlinux.is_some(), &[Fat, Ext4, Btrfs]),
        ("grub", fs.grub.is_some(), &[Squashfs, Fat, Ext4, Btrfs]),
        ("layout", fs.layout.is_some(), &[Squashfs, Ext4, Btrfs, Erofs]),
        ("database", fs.database, &[Squashfs, Ext4, Btrfs, Erofs]),
        ("nodes", !fs.nodes.is_empty(), &[Squashfs, Ext4, Btrfs, Erofs]),
        ("xattrs", !fs.xattrs.is_empty(), &[Squashfs, Ext4, Btrfs, Erofs]),
        ("time", fs.time.is_some(), &[Squashfs, Fat, Ext4, Btrfs, Erofs]),
        (
            content_key(fs).unwrap_or_default(),
            content_key(fs).is_some(),
            &[Squashfs, Fat, Ext4, Btrfs, Erofs],
        ),
    ];
    let unheld = fs.keep.iter().find(|kept| **kept != Kept::Times);
    if let (Fat, Some(kept)) = (fs.format, unheld) {
        return Err(Error::BadValue {
            place: format!("fs.{key}.keep"),
            problem: format!("{}: a FAT has times alone", kept.name()),
        });
    }
    let foreign = keys
        .iter()
        .find(|(_, given, formats)| *given && !formats.contains(&fs.format));
    let Some((name, _, _)) = foreign else {
        return Ok(());
    };
    let mut problem = format!("{name} is no key of format {}", fs.format.name());
    match (fs.format, *name) {
        (Fat, "layout") => problem.push_str(", which has no links"),
        (Squashfs | Erofs, "size") => {
            problem.push_str(", whose size follows from its content: max-size limits it");
        }
        (Fat, "uuid") => problem.push_str(", whose id is eight hexadecimal digits: id"),
        (Ext4 | Btrfs | Erofs | Swap, "id") => problem.push_str(", whose id is a UUID: uuid"),
        (Btrfs, "free-inodes") => problem.push_str(", which has as many as it has room for"),
        (Erofs, "block-size") => problem.push_str(", which compresses clusters of cluster-size"),
        (Erofs, "free" | "free-inodes" | "journal" | "grow-to") => {
            problem.push_str(", which nobody writes to");
        }
        (Btrfs, "grow-to") => problem.push_str(", which grows without limits"),
        (Swap, name) if content_key(fs) == Some(name) => problem.push_str(", which holds no files"),
        _ => {}
    }
    Err(Error::BadValue {
        place: format!("fs.{key}"),
        problem,
    })
}

/// The first key of those that put something into a tree, or say how.
fn content_key(fs: &FileSystem) -> Option<&'static str> {
    let keys = [
        ("closure", fs.closure),
        ("registration", fs.registration.is_some()),
        ("tree", fs.tree.is_some()),
        ("files", !fs.files.is_empty()),
        ("text", !fs.text.is_empty()),
        ("symlinks", !fs.symlinks.is_empty()),
        ("directories", !fs.directories.is_empty()),
        ("attributes", !fs.attributes.is_empty()),
        ("exclude", !fs.exclude.is_empty()),
        ("follow-links", fs.follow_links),
        ("keep", !fs.keep.is_empty()),
    ];
    keys.into_iter().find(|(_, given)| *given).map(|(name, _)| name)
}

/// Finds options that cannot be before any part is made.
pub(crate) fn check_options(spec: &Spec) -> Result<()> {
    for (key, fs) in &spec.fs {
        let part = format!("fs.{key}");
        match fs.format {
            Format::Squashfs => squashfs_options(&part, fs, None)?
                .check()
                .map_err(|source| Error::Squashfs { part, source })?,
            // Neither the sectors nor the seed make an option right or wrong.
            Format::Btrfs => btrfs_options(&part, fs, None, 512, Seed::new(b""))?
                .check()
                .map_err(|source| Error::Btrfs { part, source })?,
            Format::Erofs => erofs_part::options(&part, fs, None, Seed::new(b""))?
                .check()
                .map_err(|source| Error::Erofs { part, source })?,
            Format::Ext4 => ext4_options(&part, fs, 512, Seed::new(b""))?
                .check()
                .map_err(|source| Error::Ext4 { part, source })?,
            Format::Swap => swap_options(&part, fs, 512, Seed::new(b""))?
                .check()
                .map_err(|source| Error::Swap { part, source })?,
            Format::Fat => {}
        }
    }
    hash_trees::check(spec)?;
    for (key, script) in &spec.script {
        let part = format!("script.{key}");
        uboot::Arch::from_str(&script.arch).map_err(|source| Error::Script { part, source })?;
    }
    Ok(())
}

/// The compressor of a squashfs and its level, or the usual one.
pub(crate) fn compression(part: &str, compressor: Compressor, level: Option<u32>) -> Result<Compression> {
    let or = |usual: u32| level.unwrap_or(usual);
    Ok(match compressor {
        Compressor::Zstd => Compression::Zstd {
            level: i32::try_from(or(19)).unwrap_or(i32::MAX),
        },
        Compressor::Xz => Compression::Xz { level: or(6) },
        Compressor::Gzip => Compression::Gzip { level: or(9) },
        Compressor::None => without_level(part, compressor, level, Compression::None)?,
        Compressor::Zlib | Compressor::Lzo | Compressor::Lz4 | Compressor::Lz4hc | Compressor::Deflate => {
            return Err(foreign(part, compressor, "a squashfs: zstd, xz, gzip or none"));
        }
    })
}

/// A compression that has no levels.
pub(crate) fn without_level<T>(
    part: &str,
    compressor: Compressor,
    level: Option<u32>,
    compression: T,
) -> Result<T> {
    match level {
        None => Ok(compression),
        Some(_) => Err(Error::BadValue {
            place: part.to_string(),
            problem: format!("level means nothing with compression = \"{}\"", compressor.name()),
        }),
    }
}

/// `format` has its article, and says which ones it has.
pub(crate) fn foreign(part: &str, compressor: Compressor, format: &str) -> Error {
    Error::BadValue {
        place: format!("{part}.compression"),
        problem: format!("{}: is no compressor of {format}", compressor.name()),
    }
}

/// A compression that takes no longer than this effort allows.
pub(crate) fn with_effort(compression: Compression, effort: Option<Effort>) -> Compression {
    match (effort, compression) {
        (None | Some(Effort::Release), compression) | (_, compression @ Compression::None) => compression,
        (Some(Effort::Dev), Compression::Zstd { level }) => Compression::Zstd { level: level.min(3) },
        (Some(Effort::Dev), Compression::Xz { level }) => Compression::Xz { level: level.min(1) },
        (Some(Effort::Dev), Compression::Gzip { level }) => Compression::Gzip { level: level.min(1) },
    }
}

pub(crate) fn squashfs_options(
    part: &str,
    fs: &FileSystem,
    effort: Option<Effort>,
) -> Result<squashfs::Options> {
    let compression = compression(part, fs.compression.unwrap_or(Compressor::Zstd), fs.level)?;
    let compression = with_effort(compression, effort);
    let block_size = match fs.block_size {
        None => 1 << 20,
        Some(Amount::Bytes(bytes)) => bytes,
        Some(Amount::Sectors(_)) => {
            let problem = "block-size cannot be said in sectors".to_string();
            return Err(Error::BadValue {
                place: part.to_string(),
                problem,
            });
        }
    };
    let block_size = u32::try_from(block_size).unwrap_or(u32::MAX);
    Ok(squashfs::Options {
        block_size,
        compression,
        time: fs.time.unwrap_or(1),
        ..squashfs::Options::default()
    })
}

/// The options of a FAT on a disk with sectors of this size, with this many before it. `derived` is its volume's id
/// when the specification says none.
pub(crate) fn fat_options(
    part: &str,
    fs: &FileSystem,
    sector_size: u64,
    hidden_sectors: u32,
    derived: u32,
) -> Result<fat::Options> {
    let bytes = |amount: Amount| amount.bytes(sector_size);
    Ok(fat::Options {
        label: fs.label.clone(),
        volume_id: fs.id.as_ref().map_or(Ok(derived), |id| volume_id(part, id))?,
        kind: match fs.bits {
            None => fat::Kind::Auto,
            Some(FatBits::B16) => fat::Kind::Fat16,
            Some(FatBits::B32) => fat::Kind::Fat32,
        },
        size: fs
            .size
            .map_or(fat::Size::Fit, |size| fat::Size::Exactly(bytes(size))),
        free: fs.free.map_or(0, bytes),
        sector_size: u32::try_from(sector_size).unwrap_or(u32::MAX),
        cluster_size: fs
            .cluster_size
            .map(|size| u32::try_from(bytes(size)).unwrap_or(u32::MAX)),
        hidden_sectors,
        time: fs.time.unwrap_or(1).into(),
    })
}

/// Bytes that a writable ext4 of the least size keeps free when nobody says how many: what a first boot writes.
const USUAL_FREE: u64 = 64 << 20;
/// The same for inodes.
const USUAL_FREE_INODES: u64 = 1024;

/// The options of an ext4 on a disk with sectors of this size.
pub(crate) fn ext4_options(
    part: &str,
    fs: &FileSystem,
    sector_size: u64,
    seed: Seed,
) -> Result<ext4::Options> {
    let bytes = |amount: Amount| amount.bytes(sector_size);
    let seed = seed.part(part);
    let uuid = uuid(part, fs, seed)?;
    let profile = match fs.profile {
        Some(Profile::Modern) => {
            let problem = "modern: an ext4 has portable, uboot-legacy and readonly";
            return Err(bad_profile(part, problem));
        }
        None | Some(Profile::Portable) => ext4::Profile::Portable,
        Some(Profile::UbootLegacy) => ext4::Profile::UbootLegacy,
        Some(Profile::Readonly) => ext4::Profile::Readonly,
    };
    let usual = |amount: u64| match (fs.size, profile) {
        (None, ext4::Profile::Portable | ext4::Profile::UbootLegacy) => amount,
        _ => 0,
    };
    let defaults = ext4::Options::new(uuid, seed.uuid("hash seed"));
    Ok(ext4::Options {
        label: fs.label.clone(),
        profile,
        size: fs
            .size
            .map_or(ext4::Size::Fit, |size| ext4::Size::Exactly(bytes(size))),
        free: fs.free.map_or(usual(USUAL_FREE), bytes),
        free_inodes: fs.free_inodes.unwrap_or(usual(USUAL_FREE_INODES)),
        journal: match fs.journal {
            None => ext4::Journal::Auto,
            Some(Journal::None) => ext4::Journal::None,
            Some(Journal::Size(size)) => ext4::Journal::Bytes(bytes(size)),
        },
        grow_to: fs.grow_to.map_or(defaults.grow_to, bytes),
        time: fs.time.unwrap_or(defaults.time),
        ..defaults
    })
}

pub(crate) fn bad_profile(part: &str, problem: &str) -> Error {
    Error::BadValue {
        place: format!("{part}.profile"),
        problem: problem.to_string(),
    }
}

/// The options of a btrfs on a disk with sectors of this size, without its subvolumes, which are nodes of its tree.
pub(crate) fn btrfs_options(
    part: &str,
    fs: &FileSystem,
    effort: Option<Effort>,
    sector_size: u64,
    seed: Seed,
) -> Result<btrfs::Options> {
    let bytes = |amount: Amount| amount.bytes(sector_size);
    let seed = seed.part(part);
    let usual_free = if fs.size.is_none() { USUAL_FREE } else { 0 };
    let compression = btrfs_compression(part, fs.compression.unwrap_or(Compressor::None), fs.level)?;
    let defaults = btrfs::Options::new(uuid(part, fs, seed)?, seed);
    Ok(btrfs::Options {
        label: fs.label.clone(),
        profile: match fs.profile {
            None | Some(Profile::Portable) => btrfs::Profile::Portable,
            Some(Profile::Modern) => btrfs::Profile::Modern,
            Some(Profile::UbootLegacy | Profile::Readonly) => {
                return Err(bad_profile(part, "a btrfs has portable and modern"));
            }
        },
        metadata: match fs.metadata {
            None | Some(Metadata::Dup) => btrfs::Metadata::Dup,
            Some(Metadata::Single) => btrfs::Metadata::Single,
        },
        compression: match (effort, compression) {
            (Some(Effort::Dev), btrfs::Compression::Zstd { level }) => {
                btrfs::Compression::Zstd { level: level.min(3) }
            }
            (Some(Effort::Dev), btrfs::Compression::Zlib { level }) => {
                btrfs::Compression::Zlib { level: level.min(1) }
            }
            _ => compression,
        },
        equal_files: match fs.deduplicate {
            None | Some(true) => btrfs::EqualFiles::Shared,
            Some(false) => btrfs::EqualFiles::Apart,
        },
        size: fs
            .size
            .map_or(btrfs::Size::Fit, |size| btrfs::Size::Exactly(bytes(size))),
        free: fs.free.map_or(usual_free, bytes),
        time: fs.time.unwrap_or(defaults.time),
        ..defaults
    })
}

/// The compressor of a btrfs and its level, or the usual one.
fn btrfs_compression(part: &str, compressor: Compressor, level: Option<u32>) -> Result<btrfs::Compression> {
    use btrfs::Compression;
    Ok(match compressor {
        Compressor::Zstd => Compression::Zstd {
            level: level.map_or(15, |level| i32::try_from(level).unwrap_or(i32::MAX)),
        },
        Compressor::Zlib => Compression::Zlib {
            level: level.unwrap_or(9),
        },
        Compressor::Lzo => without_level(part, compressor, level, Compression::Lzo)?,
        Compressor::None => without_level(part, compressor, level, Compression::None)?,
        Compressor::Xz | Compressor::Gzip | Compressor::Lz4 | Compressor::Lz4hc | Compressor::Deflate => {
            return Err(foreign(part, compressor, "a btrfs: zstd, zlib, lzo or none"));
        }
    })
}

/// The options of a swap area on a disk with sectors of this size.
pub(crate) fn swap_options(
    part: &str,
    fs: &FileSystem,
    sector_size: u64,
    seed: Seed,
) -> Result<swap::Options> {
    let size = fs.size.ok_or_else(|| Error::BadValue {
        place: format!("{part}.size"),
        problem: "is missing: nothing in a swap area says how large it is".to_string(),
    })?;
    Ok(swap::Options {
        size: size.bytes(sector_size),
        uuid: uuid(part, fs, seed.part(part))?,
        label: fs.label.clone(),
    })
}

/// The UUID that a part says it has, or a derived one.
pub(crate) fn uuid(part: &str, fs: &FileSystem, seed: Seed) -> Result<Uuid> {
    let Some(text) = &fs.uuid else {
        return Ok(seed.uuid("uuid"));
    };
    let uuid = Uuid::try_parse(text).ok().filter(|_| text.len() == 36);
    uuid.ok_or_else(|| Error::BadValue {
        place: format!("{part}.uuid"),
        problem: format!("{text:?}: must be a UUID, such as 44444444-4444-4444-8888-888888888888"),
    })
}

/// A volume id as tools write it: `1234-ABCD`.
fn volume_id(part: &str, text: &str) -> Result<u32> {
    let digits: String = text.chars().filter(|character| *character != '-').collect();
    let bad = || Error::BadValue {
        place: format!("{part}.id"),
        problem: format!("{text:?}: must be eight hexadecimal digits, such as 2178-694E"),
    };
    if digits.len() != 8 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Err(bad());
    }
    u32::from_str_radix(&digits, 16).map_err(|_| bad())
}
