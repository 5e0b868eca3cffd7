//! The keys of a disk's containers.

use serde::Deserialize;

use super::{Compress, Compressor};

/// The disk as a virtual machine or a cloud wants it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Output {
    /// The container.
    pub format: Container,
    /// The output's name; the disk's and the container's usual ending when not given.
    pub file: Option<String>,
    /// How the output's file is compressed; not at all when not given.
    pub compress: Option<Compress>,
    /// The level of that.
    pub compress_level: Option<u32>,
}

/// A container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Container {
    /// None: the disk as it is.
    Raw,
    /// QEMU's own.
    Qcow2,
    /// A VHD of blocks.
    Vhd,
    /// A VHD with all bytes, as Azure takes it.
    VhdFixed,
}

impl Container {
    /// The format that it is.
    pub(crate) fn format(self) -> container::Format {
        match self {
            Container::Raw => container::Format::Raw,
            Container::Qcow2 => container::Format::Qcow2,
            Container::Vhd => container::Format::Vhd,
            Container::VhdFixed => container::Format::VhdFixed,
        }
    }
}
