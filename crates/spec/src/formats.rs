//! The options of each format, from its keys.

use std::str::FromStr;

use squashfs::Compression;

use crate::error::{Error, Result};
use crate::schema::{Compressor, FatBits, FileSystem, Format};
use crate::{Amount, Spec};

/// Refuses keys that mean nothing for a format.
pub(crate) fn check_keys(key: &str, fs: &FileSystem) -> Result<()> {
    let squashfs = [
        ("compression", fs.compression.is_some()),
        ("level", fs.level.is_some()),
        ("block-size", fs.block_size.is_some()),
    ];
    let fat = [
        ("label", fs.label.is_some()),
        ("id", fs.id.is_some()),
        ("bits", fs.bits.is_some()),
        ("size", fs.size.is_some()),
        ("free", fs.free.is_some()),
        ("sector-size", fs.sector_size.is_some()),
        ("cluster-size", fs.cluster_size.is_some()),
    ];
    let (format, foreign) = match fs.format {
        Format::Squashfs => ("squashfs", &fat[..]),
        Format::Fat => ("fat", &squashfs[..]),
    };
    match foreign.iter().find(|(_, given)| *given) {
        None => Ok(()),
        Some((name, _)) => {
            let mut problem = format!("{name} is no key of format {format}");
            if fs.format == Format::Squashfs && *name == "size" {
                problem.push_str(", whose size follows from its content: max-size limits it");
            }
            Err(Error::BadValue {
                place: format!("fs.{key}"),
                problem,
            })
        }
    }
}

/// Finds options that cannot be before any part is made.
pub(crate) fn check_options(spec: &Spec) -> Result<()> {
    for (key, fs) in &spec.fs {
        let part = format!("fs.{key}");
        if fs.format == Format::Squashfs {
            let options = squashfs_options(&part, fs)?;
            options
                .check()
                .map_err(|source| Error::Squashfs { part, source })?;
        }
    }
    for (key, script) in &spec.script {
        let part = format!("script.{key}");
        uboot::Arch::from_str(&script.arch).map_err(|source| Error::Script { part, source })?;
    }
    Ok(())
}

pub(crate) fn squashfs_options(part: &str, fs: &FileSystem) -> Result<squashfs::Options> {
    let level = |usual: u32| fs.level.unwrap_or(usual);
    let compression = match fs.compression.unwrap_or(Compressor::Zstd) {
        Compressor::Zstd => Compression::Zstd {
            level: i32::try_from(level(19)).unwrap_or(i32::MAX),
        },
        Compressor::Xz => Compression::Xz { level: level(6) },
        Compressor::Gzip => Compression::Gzip { level: level(9) },
        Compressor::None if fs.level.is_some() => {
            let problem = "level means nothing with compression = \"none\"".to_string();
            return Err(Error::BadValue {
                place: part.to_string(),
                problem,
            });
        }
        Compressor::None => Compression::None,
    };
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
