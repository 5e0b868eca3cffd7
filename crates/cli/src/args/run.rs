//! What can be said to `kiln run`.

use std::ffi::OsString;
use std::num::{NonZeroU16, NonZeroU32};
use std::path::PathBuf;

use clap::ValueEnum;
use spec::Amount;

use super::serve::Source;

#[derive(Debug, clap::Args)]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) source: Source,
    /// The machine; what the disk says when not given
    #[arg(long)]
    pub(crate) arch: Option<Arch>,
    /// What boots the disk: uefi, u-boot, bios, or a file; what the disk says when not given. Files are looked for in the
    /// folders of `$KILN_FIRMWARE`, and where QEMU, Debian and NixOS have them
    #[arg(long, value_name = "FIRMWARE")]
    pub(crate) firmware: Option<PathBuf>,
    /// How the processor is made: kvm where it can be when not given
    #[arg(long)]
    pub(crate) accel: Option<Accel>,
    /// The QEMU to run, such as qemu-system-aarch64; that on the PATH for the machine when not given
    #[arg(long, value_name = "PROGRAM")]
    pub(crate) qemu: Option<PathBuf>,
    /// How much memory the machine has
    #[arg(long, value_name = "SIZE", default_value = "2GiB")]
    pub(crate) memory: Amount,
    /// How many processors it has
    #[arg(long, value_name = "N", default_value = "2")]
    pub(crate) cores: NonZeroU32,
    /// Keep what the machine writes in this file, a qcow2 that is made when it is not there; it belongs to this image alone.
    /// What is written is thrown away when not given
    #[arg(long, value_name = "FILE")]
    pub(crate) persist: Option<PathBuf>,
    /// Lead this port of this machine to port 22 of the other
    #[arg(long, value_name = "PORT")]
    pub(crate) ssh: Option<NonZeroU16>,
    /// More for QEMU, as it takes it
    #[arg(last = true, value_name = "QEMU-ARGUMENT")]
    pub(crate) more: Vec<OsString>,
}

/// A machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Arch {
    /// 64-bit PCs
    Amd64,
    /// 64-bit ARM
    Arm64,
}

impl Arch {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Arch::Amd64 => "amd64",
            Arch::Arm64 => "arm64",
        }
    }
}

/// How the processor is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Accel {
    /// By this machine's own
    Kvm,
    /// Emulated, whatever this machine is
    Tcg,
}
