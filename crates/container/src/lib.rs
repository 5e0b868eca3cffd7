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

mod error;
mod map;
mod qcow2;
mod vhd;

use std::fmt;

use image::{Image, Seed};

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
}

impl Format {
    /// All of them.
    pub const ALL: [Format; 4] = [Format::Raw, Format::Qcow2, Format::Vhd, Format::VhdFixed];

    /// What specifications call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Format::Raw => "raw",
            Format::Qcow2 => "qcow2",
            Format::Vhd => "vhd",
            Format::VhdFixed => "vhd-fixed",
        }
    }

    /// How the names of its files end.
    #[must_use]
    pub fn ending(self) -> &'static str {
        match self {
            Format::Raw => "raw",
            Format::Qcow2 => "qcow2",
            Format::Vhd | Format::VhdFixed => "vhd",
        }
    }

    /// What the bytes of a disk have to be a multiple of: a disk that is none loses its end with one reader or another, or is
    /// refused.
    #[must_use]
    pub fn multiple(self) -> u64 {
        match self {
            Format::Raw => 1,
            Format::Qcow2 | Format::Vhd | Format::VhdFixed => 1 << 20,
        }
    }

    /// The most bytes of a disk.
    fn size_max(self) -> u64 {
        match self {
            Format::Raw => u64::MAX,
            Format::Qcow2 => qcow2::SIZE_MAX,
            Format::Vhd | Format::VhdFixed => vhd::SIZE_MAX,
        }
    }

    /// Whether its disks can only have sectors of 512 bytes.
    fn has_small_sectors(self) -> bool {
        !matches!(self, Format::Raw | Format::Qcow2)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        out.write_str(self.name())
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
}

impl Options<'_> {
    /// Finds what is wrong with them, whatever disk it is.
    ///
    /// # Errors
    /// When the container has no such sectors.
    pub fn check(&self) -> Result<()> {
        let (format, sector_size) = (self.format, self.sector_size);
        if sector_size != 512 && format.has_small_sectors() {
            return Err(Error::SectorSize { format, sector_size });
        }
        Ok(())
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

/// Puts a disk into a container.
///
/// # Errors
/// When the options or the disk's size cannot be, or a content cannot be read whose zeros are not known.
pub fn plan(image: &Image, options: &Options) -> Result<Image> {
    options.check()?;
    options.check_size(image.size())?;
    let seed = options.seed.part(options.format.name());
    match options.format {
        Format::Raw => Ok(image.clone()),
        Format::Qcow2 => qcow2::plain(image),
        Format::Vhd => vhd::dynamic(image, &seed),
        Format::VhdFixed => vhd::fixed(image, &seed),
    }
}
