//! What can go wrong while a disk is written, and whose fault it is.

use std::io;
use std::path::PathBuf;

use image::Fault;
use rustix::io::Errno;

use crate::Obstacle;

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a device cannot be flashed, or was not flashed to the end.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Something of the system that says what disks there are.
    #[error("{}: cannot be read: {source}", path.display())]
    System {
        /// Its path.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Something speaks against it.
    #[error("{}: {obstacle}", path.display())]
    Refused {
        /// The device.
        path: PathBuf,
        /// What.
        obstacle: Obstacle,
    },
    /// Neither a block device nor a file.
    #[error("{}: is neither a disk nor a file", path.display())]
    NoDisk {
        /// Its path.
        path: PathBuf,
    },
    /// The device cannot be opened.
    #[error("{}: cannot be opened for writing: {source}", path.display())]
    Open {
        /// The device.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The image does not fit.
    #[error("{}: has {size} bytes, and the image {image_size}: {} bytes too few", path.display(), image_size - size)]
    TooSmall {
        /// The device.
        path: PathBuf,
        /// Its bytes.
        size: u64,
        /// The image's.
        image_size: u64,
    },
    /// The image's file has another length than its block map says.
    #[error("the image has {found} bytes, and its block map is one of {said} bytes")]
    OtherSize {
        /// The image's bytes.
        found: u64,
        /// The map's.
        said: u64,
    },
    /// The image is not the one of the block map.
    #[error("the image's bytes {start} to {end} have another checksum than the block map says")]
    OtherBytes {
        /// The first byte of the range.
        start: u64,
        /// One past the last.
        end: u64,
    },
    /// The image cannot be read, or unpacked.
    #[error("the image cannot be read at byte {at}: {source}")]
    Image {
        /// Where, in the plain image.
        at: u64,
        /// What the system or the decoder says.
        source: io::Error,
    },
    /// The device takes no more.
    #[error("{}: {}, at byte {at} of {size}", path.display(), said(source))]
    Write {
        /// The device.
        path: PathBuf,
        /// Where.
        at: u64,
        /// The device's bytes.
        size: u64,
        /// What the system says.
        source: io::Error,
    },
    /// The device gives nothing back.
    #[error("{}: {}, at byte {at}", path.display(), unread(source))]
    ReadBack {
        /// The device.
        path: PathBuf,
        /// Where.
        at: u64,
        /// What the system says.
        source: io::Error,
    },
    /// The device does not keep what it was given.
    #[error("{}: {} of {compared} bytes read back differ from what was written: {}", path.display(), differing, shown(ranges, *more))]
    Differs {
        /// The device.
        path: PathBuf,
        /// How many bytes, in whole blocks.
        differing: u64,
        /// How many were read back.
        compared: u64,
        /// Where: first byte, one past the last, in the device's order.
        ranges: Vec<(u64, u64)>,
        /// How many more such ranges there are.
        more: u64,
    },
    /// The user asked to stop.
    #[error("stopped{}", .partly.as_ref().map_or_else(String::new, |path| format!(": {} is partly written, and marked so", path.display())))]
    Cancelled {
        /// The device, once something was written.
        partly: Option<PathBuf>,
    },
}

/// What an error of a device means.
fn said(source: &io::Error) -> String {
    if is_gone(source) {
        return "is gone: it was pulled out, or has failed".into();
    }
    if source.kind() == io::ErrorKind::StorageFull {
        return "is full, although it claims to be larger".into();
    }
    format!("cannot be written: {source}")
}

/// The same of reading.
fn unread(source: &io::Error) -> String {
    if is_gone(source) {
        return said(source);
    }
    format!("cannot be read back: {source}")
}

/// Whether there is no device any more.
pub(crate) fn is_gone(source: &io::Error) -> bool {
    let gone = [Errno::NODEV, Errno::NXIO, Errno::NOMEDIUM, Errno::SHUTDOWN];
    gone.iter()
        .any(|errno| source.raw_os_error() == Some(errno.raw_os_error()))
}

/// Ranges of bytes, for people.
fn shown(ranges: &[(u64, u64)], more: u64) -> String {
    let shown: Vec<String> = ranges
        .iter()
        .map(|(start, end)| format!("{start} to {end}"))
        .collect();
    let more = match more {
        0 => String::new(),
        more => format!(" and {more} more ranges"),
    };
    format!("bytes {}{more}", shown.join(", "))
}

impl Error {
    /// Whose fault the error is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Error::NoDisk { .. } => Fault::Request,
            Error::System { .. } | Error::OtherSize { .. } => Fault::Input,
            Error::TooSmall { .. } => Fault::Limit,
            Error::OtherBytes { .. } => Fault::Damaged,
            Error::Image { source, .. } => match source.kind() {
                io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => Fault::Damaged,
                _ => Fault::Input,
            },
            Error::Refused { .. }
            | Error::Open { .. }
            | Error::Write { .. }
            | Error::ReadBack { .. }
            | Error::Differs { .. } => Fault::Output,
            Error::Cancelled { .. } => Fault::Cancelled,
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Error::Refused { obstacle, .. } => return obstacle.hint(),
            Error::Open { source, .. } => match source.kind() {
                io::ErrorKind::PermissionDenied => {
                    "disks can be written by root: put `sudo` before the command"
                }
                io::ErrorKind::ResourceBusy => {
                    "the kernel uses it, or a part of it: a file system, swap, RAID, LVM, or another program that has it for itself"
                }
                io::ErrorKind::NotFound => {
                    "`kiln flash` lists what there is; a file has to be there already, as large as the disk"
                }
                _ => return None,
            },
            Error::NoDisk { .. } => "`kiln flash` lists what can be flashed",
            Error::TooSmall { .. } => {
                "take a larger one, or make a smaller image: `kiln plan` shows what takes the space"
            }
            Error::OtherSize { .. } | Error::OtherBytes { .. } => {
                "the block map belongs to another image, or the image is damaged; --no-bmap writes everything"
            }
            Error::Write { source, .. } | Error::ReadBack { source, .. } if is_gone(source) => {
                "put it back in, and flash it again"
            }
            Error::Write { .. } | Error::ReadBack { .. } | Error::Differs { .. } => {
                "flash it again; when it happens again, the device, its reader or its cable is broken, or it is smaller than it says"
            }
            Error::Cancelled { partly: Some(_) } => {
                "it has no partition table and boots nothing until it is flashed again"
            }
            _ => return None,
        };
        Some(hint.to_owned())
    }

    /// The same of a device that is not there any more, of which the kernel says no more than that a write failed.
    #[must_use]
    pub fn of_gone(mut self) -> Error {
        if let Error::Write { source, .. } | Error::ReadBack { source, .. } = &mut self {
            *source = Errno::NODEV.into();
        }
        self
    }
}
