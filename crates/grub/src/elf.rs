//! The memory that an ELF file wants: `kernel.img` is one, for 32 bits, little-endian.
//! [Specification](https://refspecs.linuxfoundation.org/elf/elf.pdf), chapter 1.

/// A program as it lies in memory.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Memory {
    /// The address of its first byte.
    pub(crate) address: u32,
    /// Its bytes, without those that are zeros at its end (`.bss`).
    pub(crate) bytes: Vec<u8>,
    /// One past the last address, those zeros included.
    pub(crate) end: u64,
}

/// `SHT_NOBITS`: a section without bytes in the file.
const NO_BITS: u32 = 8;
/// `SHF_ALLOC`: a section that is in memory.
const ALLOC: u32 = 2;
/// More than GRUB's kernel can have: it starts below 640 KiB.
const MEMORY_MAX: u64 = 1 << 20;

/// A section that is in memory.
struct Section {
    address: u64,
    len: u64,
    /// Where its bytes are in the file; none when they are zeros.
    start: Option<u64>,
}

/// Lays out the sections that are in memory. The problem is a text.
pub(crate) fn memory(file: &[u8]) -> Result<Memory, String> {
    let sections = sections(file).ok_or("is no ELF file of a 32-bit PC, or ends too early")?;
    let loaded = || sections.iter().filter(|section| section.start.is_some());
    let base = loaded().map(|section| section.address).min();
    let base = base.ok_or("has no section that is loaded")?;
    let end = |section: &Section| section.address + section.len;
    let top = loaded().map(end).max().unwrap_or(base);
    if top - base > MEMORY_MAX {
        return Err(format!(
            "wants {} bytes of memory, and there are {MEMORY_MAX}",
            top - base
        ));
    }
    let mut bytes = vec![0; to_index(top - base)];
    for section in loaded() {
        let start = section.start.unwrap_or(0);
        let from = file.get(to_index(start)..to_index(start + section.len));
        let at = to_index(section.address - base);
        let into = bytes.get_mut(at..at + to_index(section.len));
        match (into, from) {
            (Some(into), Some(from)) => into.copy_from_slice(from),
            _ => return Err("has a section that ends behind the file".into()),
        }
    }
    Ok(Memory {
        address: u32::try_from(base).map_err(|_| "has an address of more than 32 bits")?,
        bytes,
        end: sections.iter().map(end).max().unwrap_or(top),
    })
}

/// The sections that are in memory; none when the file is no ELF file of this kind.
fn sections(file: &[u8]) -> Option<Vec<Section>> {
    // Magic, 32 bits, little-endian; 386.
    if file.get(..6)? != b"\x7fELF\x01\x01" || half(file, 18)? != 3 {
        return None;
    }
    let (table, entry_len, count) = (word(file, 32)?, half(file, 46)?, half(file, 48)?);
    let mut sections = Vec::new();
    for number in 0..u64::from(count) {
        let at = to_index(u64::from(table) + number * u64::from(entry_len));
        let field = |index: usize| word(file, at.checked_add(index * 4)?);
        let (kind, flags) = (field(1)?, field(2)?);
        let (address, start, len) = (field(3)?, field(4)?, field(5)?);
        if flags & ALLOC != 0 {
            sections.push(Section {
                address: address.into(),
                len: len.into(),
                start: (kind != NO_BITS).then_some(start.into()),
            });
        }
    }
    Some(sections)
}

/// A number that fits: everything here is below 2^33, and what lies behind a file is looked up with `get`.
fn to_index(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    bytes.try_into().ok().map(u32::from_le_bytes)
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..at.checked_add(2)?)?;
    bytes.try_into().ok().map(u16::from_le_bytes)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// An ELF file with sections: type, flags, address, bytes in the file, bytes in memory.
    pub(crate) fn elf(sections: &[(u32, u32, u32, &[u8], u32)]) -> Vec<u8> {
        let mut file = vec![0; 52];
        file[..6].copy_from_slice(b"\x7fELF\x01\x01");
        file[18] = 3;
        let mut table = Vec::new();
        for (kind, flags, address, bytes, len) in sections {
            let start = u32::try_from(file.len()).unwrap();
            file.extend_from_slice(bytes);
            for field in [0, *kind, *flags, *address, start, *len, 0, 0, 0, 0] {
                table.extend_from_slice(&field.to_le_bytes());
            }
        }
        let start = u32::try_from(file.len()).unwrap();
        file[32..36].copy_from_slice(&start.to_le_bytes());
        file[46] = 40;
        file[48] = u8::try_from(sections.len()).unwrap();
        [file, table].concat()
    }

    #[test]
    fn sections_lie_where_they_want_and_zeros_at_the_end_are_left_out() {
        let file = elf(&[
            (1, 6, 0x9000, b"code", 4),
            (1, 0, 0, b"comment", 7),
            (1, 3, 0x9008, b"data", 4),
            (8, 3, 0x900c, b"", 100),
        ]);
        let memory = memory(&file).unwrap();
        assert_eq!(memory.address, 0x9000);
        assert_eq!(memory.bytes, b"code\0\0\0\0data");
        assert_eq!(memory.end, 0x900c + 100);
    }

    #[test]
    fn what_is_no_program_is_refused() {
        let good = elf(&[(1, 6, 0x9000, b"code", 4)]);
        // The last four fields of a section say nothing about memory.
        for len in 0..good.len() - 16 {
            memory(&good[..len]).unwrap_err();
        }
        for (file, problem) in [
            (elf(&[]), "has no section that is loaded"),
            (elf(&[(8, 3, 0, b"", 100)]), "has no section that is loaded"),
            (
                elf(&[(1, 2, 0, b"", 1), (1, 2, u32::MAX, b"x", 1)]),
                "wants 4294967296 bytes of memory, and there are 1048576",
            ),
            (
                elf(&[(1, 2, 0, b"", 1 << 20)]),
                "has a section that ends behind the file",
            ),
        ] {
            assert_eq!(memory(&file).unwrap_err(), problem);
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(mut bytes in proptest::collection::vec(any::<u8>(), 52..300)) {
            bytes[..6].copy_from_slice(b"\x7fELF\x01\x01");
            bytes[18..20].copy_from_slice(&[3, 0]);
            bytes[33..36].fill(0);
            let _ = memory(&bytes);
        }
    }
}
