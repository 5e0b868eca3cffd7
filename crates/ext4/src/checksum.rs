//! Checksums of metadata: CRC-32C over each structure, mixed with what it belongs to; or, in file systems without
//! them, CRC-16 over group descriptors alone.

use crate::format::DESCRIPTOR_CHECKSUM;

/// How a file system protects its metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Checksums {
    /// Every structure (`metadata_csum`), starting from this value.
    All {
        /// The CRC-32C of the file system's UUID, or what the superblock says instead.
        seed: u32,
    },
    /// Group descriptors only (`uninit_bg`).
    Groups {
        /// The file system's UUID.
        uuid: [u8; 16],
    },
    /// Nothing.
    None,
}

/// CRC-32C as ext4 computes it: without the inversions at its beginning and end.
pub(crate) fn crc32c(start: u32, bytes: &[u8]) -> u32 {
    !crc32c::crc32c_append(!start, bytes)
}

impl Checksums {
    /// All structures, of a file system with this UUID.
    pub(crate) fn of_uuid(uuid: &[u8; 16]) -> Checksums {
        Checksums::All {
            seed: crc32c(u32::MAX, uuid),
        }
    }

    /// Whether every structure has a checksum.
    pub(crate) fn are_everywhere(self) -> bool {
        matches!(self, Checksums::All { .. })
    }

    /// The checksum of a superblock without its last four bytes.
    pub(crate) fn superblock(self, bytes: &[u8]) -> u32 {
        match self {
            Checksums::All { .. } => crc32c(u32::MAX, bytes),
            _ => 0,
        }
    }

    /// The checksum of a group's descriptor.
    pub(crate) fn descriptor(self, group: u32, bytes: &[u8]) -> u16 {
        let number = group.to_le_bytes();
        let before = &bytes[..DESCRIPTOR_CHECKSUM.start];
        let after = &bytes[DESCRIPTOR_CHECKSUM.end..];
        match self {
            Checksums::All { seed } => {
                let crc = crc32c(crc32c(crc32c(seed, &number), before), &[0; 2]);
                low_half(crc32c(crc, after))
            }
            Checksums::Groups { uuid } => {
                let crc = crc16(crc16(crc16(u16::MAX, &uuid), &number), before);
                crc16(crc, after)
            }
            Checksums::None => 0,
        }
    }

    /// The checksum of a bitmap.
    pub(crate) fn bitmap(self, bytes: &[u8]) -> u32 {
        match self {
            Checksums::All { seed } => crc32c(seed, bytes),
            _ => 0,
        }
    }

    /// What the checksums of everything that belongs to an inode start from. None when they have none.
    pub(crate) fn inode_seed(self, number: u32, generation: u32) -> Option<u32> {
        match self {
            Checksums::All { seed } => Some(crc32c(
                crc32c(seed, &number.to_le_bytes()),
                &generation.to_le_bytes(),
            )),
            _ => None,
        }
    }

    /// The checksum of a block of extended attributes, whose own checksum field is zeros.
    pub(crate) fn xattr_block(self, block: u64, bytes: &[u8]) -> u32 {
        match self {
            Checksums::All { seed } => crc32c(crc32c(seed, &block.to_le_bytes()), bytes),
            _ => 0,
        }
    }
}

fn low_half(crc: u32) -> u16 {
    let [a, b, _, _] = crc.to_le_bytes();
    u16::from_le_bytes([a, b])
}

/// CRC-16 with the polynomial x¹⁶ + x¹⁵ + x² + 1, reflected.
fn crc16(start: u16, bytes: &[u8]) -> u16 {
    bytes.iter().fold(start, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte), |crc, _| {
            if crc & 1 == 1 {
                (crc >> 1) ^ 0xa001
            } else {
                crc >> 1
            }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_of_the_catalogues() {
        assert_eq!(!crc32c(u32::MAX, b"123456789"), 0xe306_9283);
        assert_eq!(crc16(0, b"123456789"), 0xbb3d);
        assert_eq!(crc16(u16::MAX, b"123456789"), 0x4b37);
    }
}
