//! Containers: a disk as virtual machines and clouds want it.
//!
//! ```text
//!  the disk   │▓▓▓▓│ table      │▓▓▓▓▓▓▓▓▓▓▓▓│                       │▓▓│
//!              │                 │                                    └─────┐
//!  container  │ header │ tables │▓▓▓▓│▓▓▓▓▓▓▓▓▓▓▓▓│▓▓│ footer │
//!               planned bytes    slices of the disk, block behind block
//! ```
//!
//! A disk is an [`Image`]: before it is written, it is known where it has data. So most containers need no encoder: they are
//! headers and tables that a planner makes, and slices of the disk. Nothing is read or copied for them; where the file
//! system can share blocks, container and disk share the same. A block is stored when something touches it that is more than
//! zeros; all others read as zeros.
//!
//! Those that compress put their blocks into a spool first, since tables say where each lies. All of them go there at the
//! places that they will have, so that the spool becomes the file.
//!
//! Ids derive from a [`Seed`], and times are the first that the format knows.

mod compress;
mod error;
mod gce;
mod map;
mod ova;
mod qcow2;
pub mod read;
mod simg;
mod tar;
mod vdi;
mod vhd;
mod vhdx;
mod vma;
mod vmdk;

use std::fmt;
use std::path::Path;

use image::{Image, Progress, Seed, Spool};

use compress::Compressor;
pub use error::{Error, Result};

/// A kind of container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// None: the disk as it is.
    Raw,
    /// QEMU's own, version 3.
    Qcow2,
    /// Virtual PC's and Hyper-V's, in blocks.
    Vhd,
    /// The same with all bytes of the disk, as Azure takes it.
    VhdFixed,
    /// Hyper-V's newer one, in blocks.
    Vhdx,
    /// VirtualBox' own, in blocks.
    Vdi,
    /// VMware's, in grains: `monolithicSparse`.
    Vmdk,
    /// VMware's for the way from one machine to another: `streamOptimized`.
    VmdkStream,
    /// A machine for VirtualBox and VMware with such a stream.
    Ova,
    /// A machine for Proxmox, as its backups are.
    Vma,
    /// A tar with the disk, for Google's Compute Engine. It travels through gzip.
    Gce,
    /// Android's, for fastboot.
    AndroidSparse,
}

impl Format {
    /// All of them.
    pub const ALL: [Format; 12] = [
        Format::Raw,
        Format::Qcow2,
        Format::Vhd,
        Format::VhdFixed,
        Format::Vhdx,
        Format::Vdi,
        Format::Vmdk,
        Format::VmdkStream,
        Format::Ova,
        Format::Vma,
        Format::Gce,
        Format::AndroidSparse,
    ];

    /// What specifications call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Format::Raw => "raw",
            Format::Qcow2 => "qcow2",
            Format::Vhd => "vhd",
            Format::VhdFixed => "vhd-fixed",
            Format::Vhdx => "vhdx",
            Format::Vdi => "vdi",
            Format::Vmdk => "vmdk",
            Format::VmdkStream => "vmdk-stream",
            Format::Ova => "ova",
            Format::Vma => "vma",
            Format::Gce => "gce",
            Format::AndroidSparse => "android-sparse",
        }
    }

    /// How the names of its files end.
    #[must_use]
    pub fn ending(self) -> &'static str {
        match self {
            Format::Raw => "raw",
            Format::Qcow2 => "qcow2",
            Format::Vhd | Format::VhdFixed => "vhd",
            Format::Vhdx => "vhdx",
            Format::Vdi => "vdi",
            Format::Vmdk | Format::VmdkStream => "vmdk",
            Format::Ova => "ova",
            Format::Vma => "vma",
            Format::Gce => "tar",
            Format::AndroidSparse => "simg",
        }
    }

    /// What the bytes of a disk have to be a multiple of: a disk that is none loses its end with one reader or another, or is
    /// refused.
    #[must_use]
    pub fn multiple(self) -> u64 {
        match self {
            Format::Raw => 1,
            Format::AndroidSparse => simg::format::BLOCK,
            Format::Gce => 1 << 30,
            _ => 1 << 20,
        }
    }

    /// The most bytes of a disk.
    fn size_max(self) -> u64 {
        match self {
            Format::Raw | Format::Gce => u64::MAX,
            Format::Qcow2 => qcow2::SIZE_MAX,
            Format::Vhd | Format::VhdFixed => vhd::SIZE_MAX,
            Format::Vhdx => vhdx::SIZE_MAX,
            Format::Vdi => vdi::SIZE_MAX,
            Format::Vmdk | Format::VmdkStream | Format::Ova => vmdk::SIZE_MAX,
            Format::AndroidSparse => simg::SIZE_MAX,
            Format::Vma => vma::SIZE_MAX,
        }
    }

    /// Whether its disks can only have sectors of 512 bytes.
    fn has_small_sectors(self) -> bool {
        !matches!(self, Format::Raw | Format::Qcow2 | Format::AndroidSparse)
    }

    /// The compressions that it has inside, the usual one first.
    fn compressions(self) -> &'static [Compression] {
        match self {
            Format::Qcow2 => &[Compression::None, Compression::Zstd, Compression::Zlib],
            Format::VmdkStream | Format::Ova => &[Compression::Zlib],
            _ => &[Compression::None],
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        out.write_str(self.name())
    }
}

/// How blocks in a container are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// zstd, 1 to 22; 3 when no level is given. QEMU reads it since 5.1.
    Zstd,
    /// Deflate. qcow2: 1 to 9; VMDK: 1 to 12; 6 when no level is given.
    Zlib,
}

impl Compression {
    /// What specifications call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Compression::None => "none",
            Compression::Zstd => "zstd",
            Compression::Zlib => "zlib",
        }
    }
}

/// The machine that an OVA or a VMA describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Bytes of memory; whole MiB count.
    pub memory: u64,
    /// Processors.
    pub cpus: u32,
    /// Whether its firmware is UEFI; a BIOS otherwise.
    pub uefi: bool,
}

impl Default for Machine {
    fn default() -> Machine {
        Machine {
            memory: 1536 << 20,
            cpus: 1,
            uefi: false,
        }
    }
}

/// What a container is like.
#[derive(Clone, Debug)]
pub struct Options<'a> {
    /// Which one.
    pub format: Format,
    /// Bytes of the disk's sectors.
    pub sector_size: u64,
    /// All ids derive from it.
    pub seed: Seed,
    /// The file's name, which some containers say.
    pub file: &'a str,
    /// How its blocks are compressed; the format's usual way when not given.
    pub compression: Option<Compression>,
    /// The level of that.
    pub level: Option<u32>,
    /// For OVAs and VMAs.
    pub machine: Machine,
}

impl<'a> Options<'a> {
    /// A container for a disk with sectors of 512 bytes, as it is usually.
    #[must_use]
    pub fn new(format: Format, file: &'a str, seed: Seed) -> Options<'a> {
        Options {
            format,
            sector_size: 512,
            seed,
            file,
            compression: None,
            level: None,
            machine: Machine::default(),
        }
    }

    /// Finds what is wrong with them, whatever disk it is.
    ///
    /// # Errors
    /// When the container has no such sectors, compression or level.
    pub fn check(&self) -> Result<()> {
        let (format, sector_size) = (self.format, self.sector_size);
        if sector_size != 512 && format.has_small_sectors() {
            return Err(Error::SectorSize { format, sector_size });
        }
        let compression = self.compression();
        let known = format.compressions();
        if !known.contains(&compression) {
            return Err(Error::Compression {
                format,
                name: compression.name(),
                known: known.iter().map(|known| known.name()).collect(),
            });
        }
        let Some(level) = self.level else { return Ok(()) };
        let max = match (compression, format) {
            (Compression::None, _) => return Err(Error::NoLevels { format, level }),
            (Compression::Zstd, _) => 22,
            (Compression::Zlib, Format::Qcow2) => 9,
            (Compression::Zlib, _) => 12,
        };
        if !(1..=max).contains(&level) {
            let (compression, min) = (compression.name(), 1);
            return Err(Error::Level {
                compression,
                level,
                min,
                max,
            });
        }
        Ok(())
    }

    fn compression(&self) -> Compression {
        let usual = self.format.compressions().first();
        self.compression.or(usual.copied()).unwrap_or(Compression::None)
    }

    /// The level of deflate.
    fn zlib_level(&self) -> u32 {
        self.level.unwrap_or(6)
    }

    /// Whether a container's blocks are compressed, which takes time.
    #[must_use]
    pub fn compresses(&self) -> bool {
        self.compression() != Compression::None
    }

    /// Finds what is wrong with a disk's size.
    ///
    /// # Errors
    /// When the container cannot hold such a disk, or readers would not take it.
    pub fn check_size(&self, size: u64) -> Result<()> {
        let format = self.format;
        let multiple = format.multiple();
        if !size.is_multiple_of(multiple) {
            return Err(Error::NotAMultiple {
                format,
                size,
                multiple,
            });
        }
        if size == 0 && format != Format::Raw {
            return Err(Error::Empty { format, multiple });
        }
        let max = format.size_max();
        if size > max {
            return Err(Error::TooLarge { format, size, max });
        }
        Ok(())
    }
}

/// How compressing works, none of which changes a byte.
#[derive(Clone, Copy)]
pub struct Work<'a> {
    /// What is compressed is spooled to the disk that this folder lies on.
    pub folder: &'a Path,
    /// How many threads compress.
    pub threads: usize,
    /// Hears how far compressing is.
    pub progress: &'a dyn Progress,
}

/// A planned container.
#[derive(Clone, Debug)]
pub struct Planned {
    /// The file.
    pub image: Image,
    /// What was compressed, at the places that it has in the file.
    pub spool: Option<Spool>,
}

/// Puts a disk into a container.
///
/// # Errors
/// When the options or the disk's size cannot be, a content cannot be read whose zeros are not known, or compressing fails.
pub fn plan(image: &Image, options: &Options, work: &Work) -> Result<Planned> {
    options.check()?;
    options.check_size(image.size())?;
    let seed = options.seed.part(options.format.name());
    let level = options.level;
    let image = match options.format {
        Format::Raw => image.clone(),
        Format::Qcow2 => {
            let compressor = match options.compression() {
                Compression::None => return qcow2::plain(image).map(Planned::of),
                Compression::Zstd => Compressor::Zstd(level.unwrap_or(3)),
                Compression::Zlib => Compressor::Deflate(options.zlib_level()),
            };
            return qcow2::compressed(image, compressor, options, work);
        }
        Format::Vhd => vhd::dynamic(image, &seed)?,
        Format::VhdFixed => vhd::fixed(image, &seed)?,
        Format::Vhdx => vhdx::plan(image, &seed)?,
        Format::Vdi => vdi::plan(image, &seed)?,
        Format::Vmdk => vmdk::sparse(image, options.file, &seed)?,
        Format::VmdkStream => return vmdk::streamed(image, options, &seed, work),
        Format::Ova => return ova::plan(image, options, &seed, work),
        Format::Vma => vma::plan(image, options.file, &options.machine, &seed)?,
        Format::Gce => gce::plan(image)?,
        Format::AndroidSparse => simg::plan(image)?,
    };
    Ok(Planned::of(image))
}

impl Planned {
    fn of(image: Image) -> Planned {
        Planned { image, spool: None }
    }
}
