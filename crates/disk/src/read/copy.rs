//! One copy of a GPT: its header and its entries.

use image::ReadAt;
use zerocopy::little_endian::U32;
use zerocopy::{FromBytes, IntoBytes};

use crate::format::{ENTRY_SIZE, HEADER_SIZE, Header, SIGNATURE};
use crate::{Error, Range, SectorSize};

/// The most bytes of entries that are read. Usual tables have 16 KiB.
const ENTRY_BYTES_MAX: u64 = 4 << 20;

/// The largest entry that is read.
const ENTRY_SIZE_MAX: u32 = 4096;

/// A copy whose checksums and places are right.
pub(super) struct Copy {
    pub(super) sector_size: SectorSize,
    pub(super) header: Header,
    /// The bytes that partitions may have.
    pub(super) usable: Range,
    /// Where the entries are.
    pub(super) entries: Range,
    /// The bytes of one entry.
    pub(super) entry_size: usize,
    pub(super) entry_bytes: Vec<u8>,
}

/// Why a copy cannot be used.
pub(super) enum Flaw {
    /// There is none at this place.
    Absent,
    /// It is damaged.
    Bad(String),
    /// The disk cannot be read.
    Unreadable(Error),
}

impl Flaw {
    /// What is wrong with the copy, when there is one and it can be read.
    pub(super) fn or_unreadable(self) -> Result<Option<String>, Error> {
        match self {
            Flaw::Absent => Ok(None),
            Flaw::Bad(why) => Ok(Some(why)),
            Flaw::Unreadable(error) => Err(error),
        }
    }
}

impl Copy {
    /// Reads the copy whose header is in sector `lba`.
    pub(super) fn read(
        source: &dyn ReadAt,
        size: u64,
        sector_size: SectorSize,
        lba: u64,
    ) -> Result<Copy, Flaw> {
        let sector = sector_size.bytes();
        let sectors = size / sector;
        if lba == 0 || lba >= sectors {
            return Err(Flaw::Absent);
        }
        let header = header(&read(source, lba * sector, sector)?, lba)?;
        let usable = usable(&header, sectors)?;
        let (entries, len) = entries(&header, sector, sectors)?;
        let Range { start, end } = entries;
        if start <= lba && lba < end || start < usable.end && usable.start < end {
            return bad(format!(
                "its entries are in sectors {start} to {}, which are taken",
                end - 1
            ));
        }
        let bytes = |range: Range| Range {
            start: range.start * sector,
            end: range.end * sector,
        };
        let entry_bytes = read(source, start * sector, len)?;
        let (stored, computed) = (
            header.partition_entry_array_crc32.get(),
            crc32fast::hash(&entry_bytes),
        );
        if stored != computed {
            return bad(format!(
                "its entries have the checksum {computed:#010x}, not {stored:#010x}"
            ));
        }
        Ok(Copy {
            sector_size,
            usable: bytes(usable),
            entries: bytes(entries),
            entry_size: usize::try_from(header.size_of_partition_entry.get()).unwrap_or(usize::MAX),
            entry_bytes,
            header,
        })
    }
}

fn bad<T>(why: String) -> Result<T, Flaw> {
    Err(Flaw::Bad(why))
}

fn read(source: &dyn ReadAt, start: u64, len: u64) -> Result<Vec<u8>, Flaw> {
    let mut bytes = vec![0; usize::try_from(len).unwrap_or_default()];
    match source.read_exact_at(&mut bytes, start) {
        Ok(()) => Ok(bytes),
        Err(source) => Err(Flaw::Unreadable(Error::Read { start, source })),
    }
}

/// The header in a sector, when its checksum is right.
fn header(sector: &[u8], lba: u64) -> Result<Header, Flaw> {
    let Ok((header, _)) = Header::read_from_prefix(sector) else {
        return Err(Flaw::Absent);
    };
    if header.signature != SIGNATURE {
        return Err(Flaw::Absent);
    }
    let size = header.header_size.get();
    let covered = usize::try_from(size).ok().and_then(|size| sector.get(..size));
    let Some(covered) = covered.filter(|_| size >= HEADER_SIZE) else {
        return bad(format!(
            "its header has {size} bytes, not {HEADER_SIZE} or up to a sector"
        ));
    };
    let unsigned = Header {
        header_crc32: U32::ZERO,
        ..header
    };
    let mut crc = crc32fast::Hasher::new();
    crc.update(unsigned.as_bytes());
    crc.update(covered.get(size_of::<Header>()..).unwrap_or_default());
    let (stored, computed) = (header.header_crc32.get(), crc.finalize());
    if stored != computed {
        return bad(format!(
            "its header has the checksum {computed:#010x}, not {stored:#010x}"
        ));
    }
    if header.my_lba != lba {
        return bad(format!(
            "its header is in sector {lba} and says that it is in sector {}",
            header.my_lba
        ));
    }
    Ok(header)
}

/// The sectors that partitions may have. None is as good as some.
fn usable(header: &Header, sectors: u64) -> Result<Range, Flaw> {
    let (first, last) = (header.first_usable_lba.get(), header.last_usable_lba.get());
    if last >= sectors {
        return bad(format!(
            "its last usable sector is {last}, the disk has {sectors} sectors"
        ));
    }
    if first < 2 || first > last + 1 {
        return bad(format!("its usable sectors are {first} to {last}"));
    }
    Ok(Range {
        start: first,
        end: last + 1,
    })
}

/// The sectors of the entries, and how many bytes of them are entries.
fn entries(header: &Header, sector: u64, sectors: u64) -> Result<(Range, u64), Flaw> {
    let (count, size) = (
        header.number_of_partition_entries.get(),
        header.size_of_partition_entry.get(),
    );
    let len = u64::from(count) * u64::from(size);
    if !size.is_power_of_two() || !(ENTRY_SIZE..=ENTRY_SIZE_MAX).contains(&size) {
        return bad(format!("its entries have {size} bytes each"));
    }
    if count == 0 || len > ENTRY_BYTES_MAX {
        return bad(format!("it has {count} entries of {size} bytes"));
    }
    let start = header.partition_entry_lba.get();
    match start.checked_add(len.div_ceil(sector)) {
        Some(end) if start >= 2 && end <= sectors => Ok((Range { start, end }, len)),
        _ => bad(format!(
            "its entries begin in sector {start}, the disk has {sectors} sectors"
        )),
    }
}
