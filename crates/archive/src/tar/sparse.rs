//! Sparse files: only their parts that have data are in the archive, in one of five ways of saying where they belong.
//!
//! * GNU's old one: in the header, and in blocks behind it (`S`).
//! * star's: the same, in other places.
//! * pax 0.0: a record for each number. 0.1: one record for all. 1.0: in the content, before the data.

use std::io::Read;

use super::format::{BLOCK, Header, Part, kind, more_sparse};
use super::stream::Stream;
use crate::error::Result;
use crate::pax::{Records, decimal};

/// As many parts are taken of one file.
const PARTS_MAX: usize = 1 << 20;

/// Where the data of a sparse file belongs.
pub(super) struct Map {
    /// The parts that have data, in the order in which it follows; no two overlap.
    pub(super) parts: Vec<Part>,
    /// How long the whole is.
    pub(super) size: u64,
}

/// What a file says of being sparse.
pub(super) enum Sparse {
    /// Nothing: it is not.
    No,
    /// It is not known what.
    Unknown,
    /// Nonsense.
    Damaged,
    /// Where its data belongs; so many bytes of data follow.
    Map(Map, u64),
}

/// What an entry, of whose content so many bytes follow, says of being sparse. Reads the map where it does not lie in the
/// header.
pub(super) fn read<R: Read>(
    stream: &mut Stream<R>,
    header: &Header,
    records: &Records,
    len: u64,
) -> Result<Sparse> {
    if header.kind() == kind::GNU_SPARSE {
        return old(stream, header, len);
    }
    let is_solaris = records.said("SUN.holesdata").is_some() || records.said("SCHILY.realsize").is_some();
    let version = (records.said("GNU.sparse.major"), records.said("GNU.sparse.minor"));
    match version {
        _ if is_solaris => Ok(Sparse::Unknown),
        (None, None) if records.under("GNU.sparse.").next().is_none() => Ok(Sparse::No),
        (None, None) => Ok(in_records(records, len)),
        (Some(b"1"), Some(b"0")) => in_content(stream, records, len),
        _ => Ok(Sparse::Unknown),
    }
}

fn old<R: Read>(stream: &mut Stream<R>, header: &Header, len: u64) -> Result<Sparse> {
    let Some((size, mut parts, mut more)) = header.sparse() else {
        return Ok(Sparse::Unknown);
    };
    while more {
        match more_sparse(&stream.block()?) {
            Some((others, still_more)) if parts.len() < PARTS_MAX => {
                parts.extend(others);
                more = still_more;
            }
            _ => return Ok(Sparse::Damaged),
        }
    }
    Ok(checked(parts, size, len))
}

/// Versions 0.0 and 0.1.
fn in_records(records: &Records, len: u64) -> Sparse {
    let list = || {
        let Some(map) = records.said("GNU.sparse.map") else {
            return records.sparse_parts();
        };
        let numbers: Option<Vec<u64>> = map.split(|byte| *byte == b',').map(decimal).collect();
        let numbers = numbers.filter(|numbers| numbers.len() % 2 == 0)?;
        Some(numbers.chunks(2).map(|pair| (pair[0], pair[1])).collect())
    };
    let (Some(parts), Some(size)) = (list(), records.count("GNU.sparse.size")) else {
        return Sparse::Damaged;
    };
    match records.count("GNU.sparse.numblocks") {
        Some(count) if count == parts.len() as u64 => checked(parts, size, len),
        _ => Sparse::Damaged,
    }
}

/// Version 1.0: lines, in whole blocks. First how many parts, then offset and length of each.
fn in_content<R: Read>(stream: &mut Stream<R>, records: &Records, len: u64) -> Result<Sparse> {
    let Some(size) = records.count("GNU.sparse.realsize") else {
        return Ok(Sparse::Damaged);
    };
    let mut left = len;
    let mut numbers: Vec<u64> = Vec::new();
    let mut line = Vec::new();
    let mut wanted = 1;
    while numbers.len() < wanted {
        let Some(less) = left.checked_sub(BLOCK as u64) else {
            return Ok(Sparse::Damaged);
        };
        left = less;
        for byte in stream.block()? {
            if byte != b'\n' {
                line.push(byte);
                continue;
            }
            let number = decimal(&line).filter(|_| !line.is_empty());
            line.clear();
            numbers.extend(number);
            match (number, numbers.first()) {
                (Some(_), Some(count)) if *count <= PARTS_MAX as u64 => {
                    wanted = 1 + 2 * usize::try_from(*count).unwrap_or(PARTS_MAX);
                }
                _ => return Ok(Sparse::Damaged),
            }
            if numbers.len() == wanted {
                break;
            }
        }
        if line.len() > BLOCK {
            return Ok(Sparse::Damaged);
        }
    }
    let parts = numbers[1..].chunks(2).map(|pair| (pair[0], pair[1]));
    Ok(checked(parts.collect(), size, left))
}

/// Disjoint parts of a file of this size, whose data are just what follows. All but the last have whole blocks: of
/// others, some say that the next begins in a block of its own.
fn checked(mut parts: Vec<Part>, size: u64, len: u64) -> Sparse {
    parts.retain(|(start, len)| *len > 0 || *start > size);
    let mut data = 0_u64;
    for (start, len) in &parts {
        let is_inside = start.checked_add(*len).is_some_and(|end| end <= size);
        if !is_inside || !data.is_multiple_of(BLOCK as u64) {
            return Sparse::Damaged;
        }
        data = data.saturating_add(*len);
    }
    let mut sorted = parts.clone();
    sorted.sort_unstable();
    let overlap = sorted.windows(2).any(|pair| pair[0].0 + pair[0].1 > pair[1].0);
    if overlap || data != len {
        return Sparse::Damaged;
    }
    Sparse::Map(Map { parts, size }, len)
}
