//! Checksums and hashes, all of them CRC-32C.

/// CRC-32C without the inversions at its beginning and end.
fn raw(start: u32, bytes: &[u8]) -> u32 {
    !crc32c::crc32c_append(!start, bytes)
}

/// The checksum of a sector, a node or a superblock.
pub(crate) fn checksum(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes)
}

/// Writes the checksum of everything behind it into the first 32 bytes.
pub(crate) fn seal(block: &mut [u8]) {
    let sum = checksum(&block[32..]);
    block[..4].copy_from_slice(&sum.to_le_bytes());
    block[4..32].fill(0);
}

/// What the names of a directory, and those of attributes, are sorted by.
pub(crate) fn name_hash(name: &[u8]) -> u64 {
    raw(!1, name).into()
}

/// What the names of an inode that have no room with the others are sorted by.
pub(crate) fn extref_hash(parent: u64, name: &[u8]) -> u64 {
    let [a, b, c, d, ..] = parent.to_le_bytes();
    raw(u32::from_le_bytes([a, b, c, d]), name).into()
}

/// What the references to an extent are sorted by.
pub(crate) fn data_ref_hash(root: u64, objectid: u64, offset: u64) -> u64 {
    let high = u64::from(raw(u32::MAX, &root.to_le_bytes()));
    let low = u64::from(raw(raw(u32::MAX, &objectid.to_le_bytes()), &offset.to_le_bytes()));
    (high << 31) ^ low
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_that_others_have_computed() {
        assert_eq!(checksum(b"123456789"), 0xe306_9283);
        assert_eq!(name_hash(b"default"), 0x8dbf_c2d2);
    }

    #[test]
    fn a_hash_in_two_steps_is_that_of_both() {
        let both = [1_u64.to_le_bytes(), 2_u64.to_le_bytes()].concat();
        let low = u64::from(raw(u32::MAX, &both));
        let high = u64::from(raw(u32::MAX, &5_u64.to_le_bytes()));
        assert_eq!(data_ref_hash(5, 1, 2), (high << 31) ^ low);
    }
}
