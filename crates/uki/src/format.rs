//! The bytes of PE files, field by field. All integers are little-endian.
//!
//! The names are those of <https://learn.microsoft.com/windows/win32/debug/pe-format>, shorter.

use zerocopy::byteorder::little_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// The first bytes of a file.
pub(crate) const DOS: [u8; 2] = *b"MZ";
/// Where the file says where its PE header is.
pub(crate) const LFANEW: usize = 0x3c;
/// The first bytes of the PE header; a [`Coff`] follows.
pub(crate) const SIGNATURE: [u8; 4] = *b"PE\0\0";
/// `magic` of files with addresses of 32 and of 64 bits.
pub(crate) const PE32: u16 = 0x10b;
pub(crate) const PE32_PLUS: u16 = 0x20b;
/// `subsystem` of what firmware starts.
pub(crate) const EFI_APPLICATION: u16 = 10;
/// In `dll_characteristics`: data are not executed.
pub(crate) const NX_COMPAT: u16 = 0x100;
/// The directory that says where signatures are.
pub(crate) const CERTIFICATES: usize = 4;
/// `characteristics` of sections: read, and code or data.
pub(crate) const CODE: u32 = 0x4000_0020;
pub(crate) const DATA: u32 = 0x4000_0040;
/// A symbol in a symbol table.
pub(crate) const SYMBOL_LEN: u64 = 18;
/// `revision` and `kind` of a [`Certificate`] with a CMS signature.
pub(crate) const REVISION: u16 = 0x200;
pub(crate) const PKCS: u16 = 2;
/// Signatures begin at multiples of this.
pub(crate) const CERTIFICATE_ALIGNMENT: u64 = 8;

/// What follows the signature.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct Coff {
    pub(crate) machine: U16,
    pub(crate) sections: U16,
    pub(crate) time: U32,
    pub(crate) symbols: U32,
    pub(crate) symbol_count: U32,
    pub(crate) optional_len: U16,
    pub(crate) characteristics: U16,
}

/// The part of the optional header that both kinds of files share.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct Optional {
    pub(crate) magic: U16,
    pub(crate) linker: [u8; 2],
    pub(crate) code: U32,
    pub(crate) initialized: U32,
    pub(crate) uninitialized: U32,
    pub(crate) entry: U32,
    pub(crate) code_base: U32,
    pub(crate) image_base: [u8; 8],
    pub(crate) section_alignment: U32,
    pub(crate) file_alignment: U32,
    pub(crate) system_version: [U16; 2],
    pub(crate) image_version: [U16; 2],
    pub(crate) subsystem_version: [U16; 2],
    pub(crate) reserved: U32,
    pub(crate) image_size: U32,
    pub(crate) headers_size: U32,
    pub(crate) checksum: U32,
    pub(crate) subsystem: U16,
    pub(crate) dll_characteristics: U16,
}

/// Where in the optional header the checksum is.
pub(crate) const CHECKSUM: usize = 64;
/// Bytes between [`Optional`] and the number of directories.
pub(crate) const LIMITS_32: usize = 20;
pub(crate) const LIMITS_64: usize = 36;

/// Where something lies that a header names.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct Directory {
    pub(crate) start: U32,
    pub(crate) size: U32,
}

/// One line of the table of sections.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct Section {
    pub(crate) name: [u8; 8],
    pub(crate) memory_size: U32,
    pub(crate) address: U32,
    pub(crate) file_size: U32,
    pub(crate) file_start: U32,
    pub(crate) relocations: U32,
    pub(crate) lines: U32,
    pub(crate) relocation_count: U16,
    pub(crate) line_count: U16,
    pub(crate) characteristics: U32,
}

/// What a signature begins with.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct Certificate {
    pub(crate) len: U32,
    pub(crate) revision: U16,
    pub(crate) kind: U16,
}

const _: () = assert!(size_of::<Coff>() == 20);
const _: () = assert!(size_of::<Optional>() == 72);
const _: () = assert!(size_of::<Directory>() == 8);
const _: () = assert!(size_of::<Section>() == 40);
const _: () = assert!(size_of::<Certificate>() == 8);
