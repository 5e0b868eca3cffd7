//! The map of a file in clusters: which of them holds which bytes.

use zerocopy::FromBytes;

use super::inodes::Inode;
use super::{Inner, damaged, packs, records};
use crate::Result;
use crate::format::{FullIndex, MapHeader, advise, algorithm, cluster, layout};

/// The most blocks of a cluster, in bytes.
const STORED_MAX: u64 = 1 << 20;
/// The most bytes of a file in a cluster.
const LEN_MAX: u64 = 12 << 20;

/// All of a file.
#[derive(Debug)]
pub(super) struct Map {
    /// Sorted; the first begins with the file, and each ends where the next begins.
    pub(super) extents: Vec<Extent>,
}

/// A part of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extent {
    /// Its first byte in the file.
    pub(super) start: u64,
    pub(super) len: u64,
    pub(super) place: Place,
}

/// Where the bytes of a part are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Compressed.
    Cluster {
        algorithm: u8,
        start: u64,
        len: u64,
        /// Whether there is more than is wanted.
        is_partial: bool,
    },
    /// As they are, in so many bytes (a block, unless the map has records); from this byte of it on, and over its end to its
    /// beginning.
    Plain { start: u64, len: u64, turn: u64 },
    /// In the packed file.
    Fragment { start: u64 },
    /// Zeros that are nowhere.
    Hole,
}

impl Place {
    /// Which bytes of the image it takes for itself: where they begin, and how many.
    pub(super) fn stored(&self) -> Option<(u64, u64)> {
        match *self {
            Place::Cluster { start, len, .. } | Place::Plain { start, len, .. } => Some((start, len)),
            Place::Fragment { .. } | Place::Hole => None,
        }
    }
}

/// An entry of an index.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    /// As on the disk, without the flag of parts.
    pub(super) kind: u16,
    pub(super) is_partial: bool,
    /// Of a head: where in its block of the file it begins; of others: a distance, or how many blocks the cluster has.
    pub(super) value: u16,
    /// Of a head: its first block.
    pub(super) block: u64,
}

/// What an inode says of its clusters.
#[derive(Debug)]
struct Head {
    header: MapHeader,
    advise: u16,
    /// The first byte behind the header.
    start: u64,
    /// The logarithm of a logical cluster.
    bits: u8,
}

/// Reads the map of a file that is not empty.
pub(super) fn read(inner: &Inner, inode: &Inode) -> Result<Map> {
    let place = inode.end.next_multiple_of(8);
    let what = format!("map of {}", inode.name());
    let bytes = inner.read(&what, place, size_of::<MapHeader>())?;
    if let Some(whole) = bytes.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))
        && whole >> 63 == 1
    {
        let extent = Extent {
            start: 0,
            len: inode.size,
            place: Place::Fragment {
                start: whole ^ 1 << 63,
            },
        };
        return Ok(Map {
            extents: vec![extent],
        });
    }
    let header = MapHeader::read_from_bytes(&bytes).map_err(|_| damaged(&what, "is too short"))?;
    if inode.layout == layout::FULL && inner.geometry.is_wide && header.advise.get() & advise::RECORDS != 0 {
        return records::read(inner, inode, &what, header, place);
    }
    let head = Head {
        header,
        advise: header.advise.get(),
        start: place + bytes.len() as u64,
        bits: inner.geometry.block_bits + (header.bits & 7),
    };
    if head.bits > 16 + 7 || header.bits & !7 != 0 {
        return Err(damaged(&what, format!("has the bits {:#x}", header.bits)));
    }
    let count = inode.size.div_ceil(1 << head.bits);
    let (entries, end) = match inode.layout {
        layout::FULL => full(inner, &what, &head, count)?,
        _ => packs::read(inner, &what, head.start, count, head.advise, head.bits)?,
    };
    Mapper {
        inner,
        inode,
        what: &what,
        head: &head,
        end,
    }
    .map(&entries)
}

/// A full index, and its end.
fn full(inner: &Inner, what: &str, head: &Head, count: u64) -> Result<(Vec<Entry>, u64)> {
    // Eight bytes are nothing.
    let start = head.start + 8;
    let len = count
        .checked_mul(size_of::<FullIndex>() as u64)
        .filter(|len| *len <= inner.size)
        .and_then(|len| usize::try_from(len).ok())
        .ok_or_else(|| damaged(what, format!("{count} entries are more than the image holds")))?;
    let bytes = inner.read(&what, start, len)?;
    let entry = |bytes: &[u8]| {
        let index = FullIndex::read_from_bytes(bytes).ok()?;
        let [low, high] = index.place.map(|half| u64::from(half.get()));
        let kind = index.kind.get();
        let is_rest = kind & 3 == cluster::REST;
        Some(Entry {
            kind: kind & 3,
            is_partial: kind & cluster::PARTIAL != 0,
            value: if is_rest {
                index.place[0].get()
            } else {
                index.start.get()
            },
            block: low | high << 16,
        })
    };
    let entries: Option<Vec<Entry>> = bytes.chunks_exact(size_of::<FullIndex>()).map(entry).collect();
    let entries = entries.ok_or_else(|| damaged(what, "is too short"))?;
    Ok((entries, start + len as u64))
}

/// Makes extents out of entries.
struct Mapper<'a> {
    inner: &'a Inner,
    inode: &'a Inode,
    what: &'a str,
    head: &'a Head,
    /// The first byte behind the index.
    end: u64,
}

impl Mapper<'_> {
    fn map(&self, entries: &[Entry]) -> Result<Map> {
        let mut extents: Vec<Extent> = Vec::new();
        let mut heads: Vec<(usize, u64)> = Vec::new();
        for (number, entry) in entries.iter().enumerate() {
            if entry.kind == cluster::REST {
                continue;
            }
            let start = ((number as u64) << self.head.bits) + u64::from(entry.value);
            if u64::from(entry.value) >> self.head.bits != 0 || start > self.inode.size {
                return Err(damaged(self.what, format!("entry {number} begins elsewhere")));
            }
            // The end of the file may be marked as if something began there.
            if start < self.inode.size {
                heads.push((number, start));
            }
        }
        if heads.first().is_none_or(|(_, start)| *start != 0) {
            return Err(damaged(self.what, "does not begin with the file"));
        }
        for (index, (number, start)) in heads.iter().enumerate() {
            let end = heads.get(index + 1).map_or(self.inode.size, |(_, next)| *next);
            let is_last = index + 1 == heads.len();
            let next = entries.get(number + 1);
            let place = self.place(&entries[*number], next, *start, is_last)?;
            let extent = Extent {
                start: *start,
                len: end - start,
                place,
            };
            self.check_extent(&extent)?;
            extents.push(extent);
        }
        Ok(Map { extents })
    }

    fn place(&self, entry: &Entry, next: Option<&Entry>, start: u64, is_last: bool) -> Result<Place> {
        let Head { header, advise, .. } = self.head;
        let block = self.inner.geometry.block();
        if is_last && advise & advise::FRAGMENT != 0 {
            let high = if self.inode.layout == layout::FULL {
                entry.block
            } else {
                0
            };
            return Ok(Place::Fragment {
                start: u64::from(header.fragment.get()) | high << 32,
            });
        }
        if entry.kind == cluster::PLAIN {
            let turn = if advise & advise::INTERLACED == 0 {
                0
            } else {
                start % block
            };
            let is_inline = is_last && advise & advise::INLINE != 0;
            let (start, len) = if is_inline {
                (self.end, u64::from(header.fragment.get() >> 16))
            } else {
                (self.address(entry.block)?, block)
            };
            return Ok(Place::Plain { start, len, turn });
        }
        let algorithm = if entry.kind == cluster::HEAD2 {
            header.algorithm >> 4
        } else {
            header.algorithm & 0xf
        };
        if is_last && advise & advise::INLINE != 0 {
            return Ok(Place::Cluster {
                algorithm,
                start: self.end,
                len: u64::from(header.fragment.get() >> 16),
                is_partial: entry.is_partial,
            });
        }
        let blocks = match next {
            Some(next) if next.kind == cluster::REST && next.value & cluster::COUNT != 0 => {
                u64::from(next.value & !cluster::COUNT)
            }
            _ => 1,
        };
        Ok(Place::Cluster {
            algorithm,
            start: self.address(entry.block)?,
            len: blocks * block,
            is_partial: entry.is_partial,
        })
    }

    fn address(&self, block: u64) -> Result<u64> {
        if block < self.inner.geometry.blocks {
            return Ok(block << self.inner.geometry.block_bits);
        }
        Err(damaged(self.what, format!("block {block} is behind the end")))
    }

    /// Without records, what is stored as it is lies in one block.
    fn check_extent(&self, extent: &Extent) -> Result<()> {
        if let Place::Plain { .. } = extent.place
            && extent.len > self.inner.geometry.block()
        {
            return Err(damaged(self.what, format!("{} bytes in one block", extent.len)));
        }
        check_place(self.inner, self.inode, self.what, extent)
    }
}

/// Refuses places that Linux does not read.
pub(super) fn check_place(inner: &Inner, inode: &Inode, what: &str, extent: &Extent) -> Result<()> {
    let bad = |problem: String| Err(damaged(what, problem));
    let used = inner.geometry.compressors;
    match extent.place {
        Place::Cluster { algorithm, .. } if algorithm > algorithm::ZSTD || used >> algorithm & 1 == 0 => bad(
            format!("compressor {algorithm} is not among those of the superblock"),
        ),
        Place::Cluster { len, .. } if len == 0 || len > STORED_MAX => {
            bad(format!("a cluster of {len} bytes"))
        }
        Place::Cluster { .. } if extent.len > LEN_MAX => bad(format!("{} bytes in a cluster", extent.len)),
        Place::Fragment { .. } if Some(inode.number) == inner.geometry.packed => {
            bad("the packed file has fragments".to_string())
        }
        _ => Ok(()),
    }
}
