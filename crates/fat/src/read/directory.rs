//! Reads the entries of a directory.

use image::show;
use zerocopy::FromBytes;

use super::{Place, damaged};
use crate::Error;
use crate::format::{
    DELETED, ESCAPED_E5, LAST_LONG, LONG_UNITS, Long, SLOT_SIZE, Short, attr, checksum, nt_res,
};
use crate::time;

/// What a directory holds.
#[derive(Debug, Default)]
pub(super) struct Parsed {
    pub(super) entries: Vec<Entry>,
    /// The first label; only that of a root means something.
    pub(super) label: Option<String>,
}

/// A file or directory.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: Vec<u8>,
    pub(super) cluster: u32,
    pub(super) len: u32,
    pub(super) mtime: i64,
    attr: u8,
}

impl Entry {
    pub(super) fn is_directory(&self) -> bool {
        self.attr & attr::DIRECTORY != 0
    }

    pub(super) fn is_read_only(&self) -> bool {
        self.attr & attr::READ_ONLY != 0
    }
}

/// The part of a long name that was read.
pub(super) struct Pending {
    /// The number that the entry before this one has.
    number: u8,
    checksum: u8,
    /// Parts of [`LONG_UNITS`] units, the last part of the name first.
    parts: Vec<[u16; LONG_UNITS]>,
}

/// The entries until the first that was never used.
pub(super) fn parse(bytes: &[u8], place: Place) -> Result<Parsed, Error> {
    let mut parsed = Parsed::default();
    let mut pending = None;
    for slot in bytes.chunks_exact(SLOT_SIZE) {
        let (Ok(short), Ok(long)) = (Short::read_from_bytes(slot), Long::read_from_bytes(slot)) else {
            break;
        };
        let [first, ..] = short.name;
        match (first, short.attr & attr::LONG_NAME_MASK) {
            (0, _) => break,
            (DELETED, _) => pending = None,
            (_, attr::LONG_NAME) => pending = continued(pending, &long),
            (_, kind) if kind & attr::VOLUME_ID != 0 => {
                pending = None;
                parsed.label = parsed.label.or_else(|| label(&short.name));
            }
            _ => {
                // Long entries that belong to nothing are ignored, as all systems do.
                let long = pending.take().and_then(|pending| pending.finish(&short));
                let name = match long {
                    Some(units) => String::from_utf16(&units).map_err(|_| {
                        damaged(place, format!("{} has a name that is not UTF-16", shown(&short)))
                    })?,
                    None => short_name(&short)
                        .ok_or_else(|| damaged(place, format!("{} is not a name", shown(&short))))?,
                };
                parsed.entries.push(Entry {
                    name: name.into_bytes(),
                    cluster: first_cluster(&short),
                    len: short.file_size.get(),
                    mtime: time::seconds(short.wrt_date.get(), short.wrt_time.get()),
                    attr: short.attr,
                });
            }
        }
    }
    Ok(parsed)
}

/// The first two entries.
pub(super) fn dots(bytes: &[u8]) -> Option<[Short; 2]> {
    <[Short; 2]>::read_from_bytes(bytes).ok()
}

pub(super) fn first_cluster(short: &Short) -> u32 {
    u32::from(short.fst_clus_hi.get()) << 16 | u32::from(short.fst_clus_lo.get())
}

/// The long name after one more entry; none when the entry does not go on with it.
pub(super) fn continued(pending: Option<Pending>, long: &Long) -> Option<Pending> {
    let number = long.ord & !LAST_LONG;
    let mut pending = if long.ord & LAST_LONG != 0 {
        Pending {
            number,
            checksum: long.chksum,
            parts: Vec::new(),
        }
    } else {
        pending.filter(|pending| pending.number == number && pending.checksum == long.chksum)?
    };
    let mut units = long.name1.iter().chain(&long.name2).chain(&long.name3);
    pending
        .parts
        .push(std::array::from_fn(|_| units.next().map_or(0, |unit| unit.get())));
    pending.number = number.checked_sub(1)?;
    Some(pending)
}

impl Pending {
    /// The name, when all its parts are there and belong to this entry.
    pub(super) fn finish(self, short: &Short) -> Option<Vec<u16>> {
        let is_whole = self.number == 0 && self.checksum == checksum(&short.name);
        let units = self.parts.into_iter().rev().flatten();
        is_whole.then(|| units.take_while(|unit| *unit != 0).collect())
    }
}

/// The name in a short entry; none when it has bytes that no name has.
fn short_name(short: &Short) -> Option<String> {
    let mut bytes = short.name;
    if let [first @ ESCAPED_E5, ..] = &mut bytes {
        *first = DELETED;
    }
    let (base, extension) = bytes.split_at(8);
    let half = |half: &[u8], lower_bit: u8| -> Option<String> {
        let text: Option<String> = half.iter().map(|byte| character(*byte)).collect();
        let text = text?.trim_end_matches(' ').to_string();
        let lower = short.nt_res & lower_bit != 0;
        Some(if lower { text.to_lowercase() } else { text })
    };
    let base = half(base, nt_res::LOWER_BASE)?;
    let extension = half(extension, nt_res::LOWER_EXTENSION)?;
    Some(if extension.is_empty() {
        base
    } else {
        format!("{base}.{extension}")
    })
}

/// A label without the spaces behind it; none when there is nothing else.
pub(super) fn label(bytes: &[u8; 11]) -> Option<String> {
    let mut bytes = *bytes;
    if let [first @ ESCAPED_E5, ..] = &mut bytes {
        *first = DELETED;
    }
    let text: Option<String> = bytes.iter().map(|byte| character(*byte)).collect();
    let text = text?.trim_end_matches(' ').to_string();
    (!text.is_empty()).then_some(text)
}

fn shown(short: &Short) -> String {
    show(&short.name)
}

/// A byte of a short name; none when it is a control character. Nothing in a file system says which code page its
/// short names are in: this is 437, as in Linux.
fn character(byte: u8) -> Option<char> {
    match byte {
        0..b' ' => None,
        b' '..=0x7f => Some(byte.into()),
        _ => CODE_PAGE_437.chars().nth(usize::from(byte - 0x80)),
    }
}

const CODE_PAGE_437: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐\
                             └┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{a0}";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_page_is_whole() {
        assert_eq!(CODE_PAGE_437.chars().count(), 128);
        assert_eq!(character(0x81), Some('ü'));
        assert_eq!(character(0xe1), Some('ß'));
        assert_eq!(character(0x1f), None);
    }
}
