//! Headers of tar archives, as far as containers need them.

use image::Layout;

/// Bytes of a record.
pub(crate) const RECORD: u64 = 512;

/// A header without its checksum: a regular file of root, changed at the first moment of 1970.
pub(crate) fn header(name: &str, stored: u64) -> [u8; 512] {
    let mut header = [0; 512];
    let name = &name.as_bytes()[..name.len().min(100)];
    header[..name.len()].copy_from_slice(name);
    header[100..108].copy_from_slice(b"0000644\0");
    header[108..116].copy_from_slice(b"0000000\0");
    header[116..124].copy_from_slice(b"0000000\0");
    put_number(&mut header[124..136], stored);
    header[136..148].copy_from_slice(b"00000000000\0");
    header[156] = b'0';
    header[257..265].copy_from_slice(b"ustar\x0000");
    header
}

/// Sets the checksum.
pub(crate) fn seal(mut header: [u8; 512]) -> [u8; 512] {
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().copied().map(u32::from).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header
}

/// A number of 12 bytes: octal digits, or where these are too few, the number itself, as GNU tar has it.
pub(crate) fn put_number(field: &mut [u8], number: u64) {
    let digits = format!("{number:011o}\0");
    if digits.len() == field.len() {
        field.copy_from_slice(digits.as_bytes());
    } else {
        field.fill(0);
        field[0] = 0x80;
        field[4..].copy_from_slice(&number.to_be_bytes());
    }
}

/// Puts the two records of zeros that end an archive. Answers where they end.
pub(crate) fn end(layout: &mut Layout, start: u64) -> u64 {
    layout.put(start, "tar end", vec![0; 1024]);
    start + 2 * RECORD
}
