//! Images onto disks: cards, sticks, eMMC, SSDs, and files that stand for one.
//!
//! ```text
//!  image ──► unpack ──► ranges that matter ──► device, past the page cache ──► read back ──► first block ──► read back
//!             (thread)   block map, and gaps     first block: a mark
//! ```
//!
//! [`Host`] says what disks there are and what speaks against writing to one of them: mounts, swap, RAID, device mapper, a write
//! protection. It reads below a folder, usually `/`, so that a made-up system can be put there. The kernel has the last word:
//! [`Target::open`] opens a block device exclusively, which fails while anything else uses it or a part of it.
//!
//! [`flash`] writes what a [block map](transport::BlockMap) lists, or everything, and more where [`gaps`] finds that a boot ROM or a
//! loader may look into what the map leaves out. What was written is remembered as checksums, of each block of 4 KiB and each piece of
//! 4 MiB, then read back from the device and compared.
//!
//! The first block comes last. Until everything else was read back, [`MARK`] lies there, so that a device whose writing was killed, or
//! that does not keep what it is given, has no partition table and boots nothing; [`Device::is_partly_written`] tells.
//!
//! No `ioctl` is needed for any of this, so there is no `unsafe`: discarding is `fallocate`, and the partition table is read again by
//! udev when the device is closed, or by `blockdev`, if the cli finds that.

mod blocks;
mod device;
mod error;
mod gaps;
mod host;
mod obstacle;
mod overlap;
mod read_back;
mod source;
mod target;
mod write;

pub use device::Device;
pub use error::{Error, Result};
pub use gaps::{first_partition, gaps};
pub use host::Host;
pub use obstacle::Obstacle;
pub use source::Source;
pub use target::Target;
pub use write::{Job, Report, flash};

/// The unit of what is written and compared.
pub const BLOCK: u64 = 4096;

/// So many bytes are read, written and read back at once.
pub const PIECE: u64 = 4 << 20;

/// What the first block of a device begins with until everything else is written and compared.
pub const MARK: &[u8] = b"kiln flash: this device is partly written; flash it again\n";
