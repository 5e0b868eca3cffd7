//! The bytes of a legacy image, and of an environment.

use zerocopy::big_endian::U32;
use zerocopy::{ByteOrder, FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// The first four bytes of every legacy image.
pub(crate) const IH_MAGIC: u32 = 0x2705_1956;

/// The length of a name.
pub(crate) const IH_NMLEN: usize = 32;

/// The operating system that mkimage enters when none is named.
pub(crate) const IH_OS_LINUX: u8 = 5;

/// A script.
pub(crate) const IH_TYPE_SCRIPT: u8 = 6;

/// Uncompressed.
pub(crate) const IH_COMP_NONE: u8 = 0;

/// The longest script: the header's size counts its list of lengths too.
pub(crate) const SCRIPT_LEN_MAX: u32 = u32::MAX - LENGTHS_SIZE;

/// The bytes of [`Lengths`].
pub(crate) const LENGTHS_SIZE: u32 = 8;

/// The [header](https://docs.u-boot.org/en/latest/usage/cmd/source.html) of a legacy image,
/// `struct legacy_img_hdr`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
#[expect(clippy::struct_field_names, reason = "the specification's field names")]
pub(crate) struct Header {
    /// [`IH_MAGIC`].
    pub(crate) ih_magic: U32,
    /// The CRC-32 of the header, with this field as zero.
    pub(crate) ih_hcrc: U32,
    /// Seconds since 1970.
    pub(crate) ih_time: U32,
    /// Bytes behind the header.
    pub(crate) ih_size: U32,
    /// Where to load the data: of no use for scripts.
    pub(crate) ih_load: U32,
    /// Where to jump to: of no use for scripts.
    pub(crate) ih_ep: U32,
    /// The CRC-32 of the bytes behind the header.
    pub(crate) ih_dcrc: U32,
    /// [`IH_OS_LINUX`].
    pub(crate) ih_os: u8,
    /// The architecture.
    pub(crate) ih_arch: u8,
    /// [`IH_TYPE_SCRIPT`].
    pub(crate) ih_type: u8,
    /// [`IH_COMP_NONE`].
    pub(crate) ih_comp: u8,
    /// Padded with zeros, without one at the end when it is full.
    pub(crate) ih_name: [u8; IH_NMLEN],
}

/// The list of lengths in front of a script.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct Lengths {
    /// The script's bytes.
    pub(crate) script: U32,
    /// Zero.
    pub(crate) end: U32,
}

/// The beginning of an [environment](https://docs.u-boot.org/en/latest/usage/environment.html), `env_t`, in the
/// target's byte order. In one of two copies, a byte with `flags` follows.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct EnvHeader<O: ByteOrder> {
    /// The CRC-32 of what follows the header.
    pub(crate) crc: zerocopy::U32<O>,
}

/// The bytes of [`EnvHeader`].
pub(crate) const ENV_HEADER_SIZE: usize = 4;

/// The bytes of `flags`.
pub(crate) const ENV_FLAGS_SIZE: usize = 1;

const _: () = assert!(size_of::<EnvHeader<zerocopy::LE>>() == ENV_HEADER_SIZE);
const _: () = assert!(size_of::<Header>() == 64);
const _: () = assert!(size_of::<Lengths>() == LENGTHS_SIZE as usize);
