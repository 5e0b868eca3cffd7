//! The bytes of a verity superblock on disk. All integers are little-endian.
//!
//! The names are those of <https://gitlab.com/cryptsetup/cryptsetup/-/wikis/DMVerity>.

use zerocopy::byteorder::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// `signature` of a superblock.
pub(crate) const SIGNATURE: [u8; 8] = *b"verity\0\0";
/// The only `version`.
pub(crate) const VERSION: u32 = 1;
/// `hash_type` of trees whose hashes begin with the salt.
pub(crate) const HASH_TYPE: u32 = 1;
/// `algorithm`, up to its first zero byte.
pub(crate) const ALGORITHM: [u8; 6] = *b"sha256";

/// The first bytes of a hash partition.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct Superblock {
    pub(crate) signature: [u8; 8],
    pub(crate) version: U32,
    pub(crate) hash_type: U32,
    pub(crate) uuid: [u8; 16],
    pub(crate) algorithm: [u8; 32],
    pub(crate) data_block_size: U32,
    pub(crate) hash_block_size: U32,
    pub(crate) data_blocks: U64,
    pub(crate) salt_size: U16,
    pub(crate) pad1: [u8; 6],
    pub(crate) salt: [u8; 256],
    pub(crate) pad2: [u8; 168],
}

const _: () = assert!(size_of::<Superblock>() == 512);
