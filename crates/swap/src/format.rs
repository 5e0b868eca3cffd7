//! What is on disk: the kernel's `union swap_header` (`include/linux/swap.h`) and `mkswap`'s view of it.

use zerocopy::little_endian::U32;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// What ends the first page.
pub(crate) const MAGIC: [u8; 10] = *b"SWAPSPACE2";

/// The only version of areas with this magic.
pub(crate) const VERSION: u32 = 1;

/// The first page.
#[derive(Clone, Copy, FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct Header {
    pub(crate) bootbits: [u8; 1024],
    pub(crate) version: U32,
    /// The number of the last page, from 0.
    pub(crate) last_page: U32,
    pub(crate) nr_badpages: U32,
    pub(crate) sws_uuid: [u8; 16],
    pub(crate) sws_volume: [u8; 16],
    /// Padding, and the numbers of bad pages.
    pub(crate) unused: [u8; 4096 - 10 - 1024 - 12 - 32],
    pub(crate) magic: [u8; 10],
}

const _: () = assert!(size_of::<Header>() == 4096);
