//! The keys of a disk's containers.

use serde::Deserialize;

use super::{Compress, Compressor};
use crate::amount::Amount;

/// The disk as a virtual machine or a cloud wants it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Output {
    /// The container.
    pub format: Container,
    /// The output's name; the disk's and the container's usual ending when not given.
    pub file: Option<String>,
    /// qcow2: how clusters are compressed; `none` when not given.
    pub compression: Option<Compressor>,
    /// qcow2, vmdk-stream, ova: the level of that.
    pub level: Option<u32>,
    /// ova, vma: the machine's memory; 1536 MiB when not given.
    pub memory: Option<Amount>,
    /// ova, vma: the machine's processors; 1 when not given.
    pub cpus: Option<u32>,
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
    /// A VHDX of blocks.
    Vhdx,
    /// VirtualBox' own.
    Vdi,
    /// A VMDK that can grow.
    Vmdk,
    /// A VMDK that is compressed for the way.
    VmdkStream,
    /// A machine with such a VMDK.
    Ova,
    /// A machine as Proxmox backs it up.
    Vma,
    /// A tar with the disk, as Google's Compute Engine takes it.
    Gce,
    /// Android's sparse image.
    AndroidSparse,
}

impl Container {
    /// The format that it is.
    pub(crate) fn format(self) -> container::Format {
        match self {
            Container::Raw => container::Format::Raw,
            Container::Qcow2 => container::Format::Qcow2,
            Container::Vhd => container::Format::Vhd,
            Container::VhdFixed => container::Format::VhdFixed,
            Container::Vhdx => container::Format::Vhdx,
            Container::Vdi => container::Format::Vdi,
            Container::Vmdk => container::Format::Vmdk,
            Container::VmdkStream => container::Format::VmdkStream,
            Container::Ova => container::Format::Ova,
            Container::Vma => container::Format::Vma,
            Container::Gce => container::Format::Gce,
            Container::AndroidSparse => container::Format::AndroidSparse,
        }
    }
}
