//! What stands behind the inode of a file in clusters: which of them holds which bytes.
//!
//! An index has an entry for each *logical cluster*, which is a block of the file. *Full* ones have 8 bytes each; *compact*
//! ones 14 or 16 bits, in packs that begin with one address: so the clusters of a pack have to follow each other. *Records*
//! take 16 or 32 bytes for each cluster.

use zerocopy::IntoBytes;

use super::clusters::{Cluster, Form, Map};
use crate::format::{BLOCK, FullIndex, MapHeader, Record, advise, cluster, record};
use crate::{Options, Profile};

/// The least power of two that packs of sixteen begin at.
const PACK: u64 = 32;
/// The most that a distance says.
const DISTANCE_MAX: u32 = 2047;
/// Bytes of a record of a file of less than 4 GiB, and of other files.
const RECORD: u64 = 16;
const RECORD_MAX: u64 = size_of::<Record>() as u64;
/// The largest file that is only a fragment, by the bit that says so.
const WHOLE: u64 = 1 << 63;

/// An entry, before it has its form.
#[derive(Clone, Copy)]
enum Entry {
    /// A cluster begins.
    Head { kind: u16, block: u64 },
    /// It goes on: the distance to its head, or how many blocks it has, and the distance to the next.
    Rest { back: u16, ahead: u16 },
}

/// How many bytes stand behind an inode of this length, which begins at a multiple of 32, from the next multiple of 8 on.
pub(super) fn len(map: &Map, size: u64, head_len: u64) -> u64 {
    let count = size.div_ceil(BLOCK);
    let header = size_of::<MapHeader>() as u64;
    match map {
        Map::Plain { .. } => 0,
        Map::Fragment { .. } => header,
        Map::Clusters {
            list,
            form: Form::Records,
            ..
        } => {
            let len = record_len(size);
            let start = head_len.next_multiple_of(8) + header;
            header + start.next_multiple_of(len) - start + list.len() as u64 * len
        }
        Map::Clusters {
            form: Form::Packs, ..
        } => {
            let packs = Packs::of(count, head_len.next_multiple_of(8) + header);
            header + packs.first * 4 + packs.sixteen * 2 + packs.last.next_multiple_of(2) * 4
        }
        Map::Clusters { .. } => header + 8 + count * size_of::<FullIndex>() as u64,
    }
}

/// The most bytes of an inode and an index, however the file lies, as long as no cluster but its last is shorter than clusters
/// are. The packed file has shorter ones: whoever asks for it counts a block more for each, which is longer than a record.
pub(super) fn most(size: u64, head_len: u64, options: &Options) -> u64 {
    if options.profile == Profile::Modern {
        let records = size.div_ceil(options.cluster.into()) * record_len(size);
        return head_len.next_multiple_of(8) + size_of::<MapHeader>() as u64 + RECORD_MAX + records;
    }
    let index = size.div_ceil(BLOCK) * size_of::<FullIndex>() as u64;
    head_len.next_multiple_of(8) + size_of::<MapHeader>() as u64 + 8 + index
}

/// What stands there.
pub(super) fn bytes(map: &Map, size: u64, head_len: u64) -> Vec<u8> {
    match map {
        Map::Plain { .. } => Vec::new(),
        Map::Fragment { start } => (start | WHOLE).to_le_bytes().to_vec(),
        Map::Clusters {
            list,
            form: Form::Records,
            number,
        } => records(list, *number, size, head_len),
        Map::Clusters { list, form, number } => {
            let in_one_piece = *form == Form::Packs;
            let advise = if in_one_piece {
                advise::PACKS | advise::MANY_BLOCKS | advise::MANY_BLOCKS2
            } else {
                advise::MANY_BLOCKS
            };
            let header = MapHeader {
                fragment: 0.into(),
                advise: advise.into(),
                algorithm: *number,
                bits: 0,
            };
            let mut bytes = header.as_bytes().to_vec();
            let entries = entries(list);
            if in_one_piece {
                let start = head_len.next_multiple_of(8) + bytes.len() as u64;
                compact(&entries, &Packs::of(size.div_ceil(BLOCK), start), &mut bytes);
            } else {
                bytes.extend([0; 8]);
                for entry in &entries {
                    full(entry, &mut bytes);
                }
            }
            bytes
        }
    }
}

/// Bytes of a record of a file of this length.
fn record_len(size: u64) -> u64 {
    if u32::try_from(size).is_ok() {
        RECORD
    } else {
        RECORD_MAX
    }
}

/// A header that says how many records there are, and these.
fn records(list: &[Cluster], number: u8, size: u64, head_len: u64) -> Vec<u8> {
    let len = record_len(size);
    let [a, b, c, d, algorithm, bits, ..] = (list.len() as u64).to_le_bytes();
    let header = MapHeader {
        fragment: u32::from_le_bytes([a, b, c, d]).into(),
        advise: (advise::RECORDS | short(len.ilog2() - 2) << 1).into(),
        algorithm,
        bits,
    };
    let mut bytes = header.as_bytes().to_vec();
    let start = head_len.next_multiple_of(8) + bytes.len() as u64;
    let padding = start.next_multiple_of(len) - start;
    bytes.extend((0..padding).map(|_| 0));
    let mut file = 0_u64;
    for own in list {
        let kind = if own.is_plain { 0 } else { u32::from(number) + 1 };
        let record = Record {
            len: (kind << record::KIND_SHIFT | own.stored).into(),
            place: halves(own.start).map(Into::into),
            start: halves(file).map(Into::into),
            reserved: [0; 12],
        };
        let whole = record.as_bytes();
        bytes.extend_from_slice(&whole[..usize::try_from(len).unwrap_or(whole.len())]);
        file += u64::from(own.len);
    }
    bytes
}

fn halves(number: u64) -> [u32; 2] {
    let half = |number: u64| u32::try_from(number & u64::from(u32::MAX)).unwrap_or(u32::MAX);
    [half(number), half(number >> 32)]
}

fn entries(list: &[Cluster]) -> Vec<Entry> {
    let mut entries = Vec::new();
    for own in list {
        let count = own.len.div_ceil(4096);
        let first = own.start / BLOCK;
        if own.is_plain {
            let block = |number: u32| Entry::Head {
                kind: cluster::PLAIN,
                block: first + u64::from(number),
            };
            entries.extend((0..count).map(block));
            continue;
        }
        entries.push(Entry::Head {
            kind: cluster::HEAD,
            block: first,
        });
        entries.extend((1..count).map(|back| Entry::Rest {
            back: if back == 1 {
                short(own.stored / 4096) | cluster::COUNT
            } else {
                short(back.min(DISTANCE_MAX))
            },
            ahead: short((count - back).min(DISTANCE_MAX)),
        }));
    }
    entries
}

/// Clusters are short.
fn short(number: u32) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}

fn full(entry: &Entry, bytes: &mut Vec<u8>) {
    let index = match *entry {
        Entry::Head { kind, block } => {
            let [a, b, c, d, ..] = block.to_le_bytes();
            FullIndex {
                kind: kind.into(),
                start: 0.into(),
                place: [
                    u16::from_le_bytes([a, b]).into(),
                    u16::from_le_bytes([c, d]).into(),
                ],
            }
        }
        Entry::Rest { back, ahead } => FullIndex {
            kind: cluster::REST.into(),
            start: 0.into(),
            place: [back.into(), ahead.into()],
        },
    };
    bytes.extend_from_slice(index.as_bytes());
}

/// How many entries are in packs of two, of sixteen, and of two again.
struct Packs {
    first: u64,
    sixteen: u64,
    last: u64,
}

impl Packs {
    /// Of so many entries, the first at this place.
    fn of(count: u64, start: u64) -> Packs {
        // Packs of sixteen begin at multiples of their length.
        let first = ((PACK - start % PACK) / 4) & 7;
        if first > count {
            return Packs {
                first: 0,
                sixteen: 0,
                last: count,
            };
        }
        let sixteen = (count - first) / 16 * 16;
        Packs {
            first,
            sixteen,
            last: count - first - sixteen,
        }
    }
}

fn compact(entries: &[Entry], packs: &Packs, bytes: &mut Vec<u8>) {
    let to_usize = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let (first, rest) = entries.split_at(to_usize(packs.first).min(entries.len()));
    let (sixteen, last) = rest.split_at(to_usize(packs.sixteen).min(rest.len()));
    first.chunks(2).for_each(|pack| push_pack(pack, 2, 16, bytes));
    sixteen.chunks(16).for_each(|pack| push_pack(pack, 16, 14, bytes));
    last.chunks(2).for_each(|pack| push_pack(pack, 2, 16, bytes));
}

/// Adds a pack of at most `count` entries of so many bits, and its address.
fn push_pack(entries: &[Entry], count: usize, bits: usize, bytes: &mut Vec<u8>) {
    // 16 entries of 14 bits are 224.
    let mut words = [0_u64; 4];
    let mut base = None;
    // The blocks of clusters that began before the pack.
    let mut before = 0_u64;
    for (number, entry) in entries.iter().enumerate() {
        let value = match *entry {
            Entry::Head { kind, block } => {
                base.get_or_insert(block.wrapping_sub(before));
                u64::from(kind) << 12
            }
            Entry::Rest { back, ahead } => {
                if back & cluster::COUNT != 0 {
                    before += u64::from(back & !cluster::COUNT);
                }
                let is_count = back & cluster::COUNT != 0;
                let value = if number + 1 == count && !is_count {
                    ahead
                } else {
                    back
                };
                u64::from(cluster::REST) << 12 | u64::from(value)
            }
        };
        let place = number * bits;
        words[place / 64] |= value << (place % 64);
        if place % 64 + bits > 64 {
            words[place / 64 + 1] |= value >> (64 - place % 64);
        }
    }
    let packed: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    bytes.extend_from_slice(&packed[..count * bits / 8]);
    let [a, b, c, d, ..] = base.unwrap_or(0).to_le_bytes();
    bytes.extend([a, b, c, d]);
}
