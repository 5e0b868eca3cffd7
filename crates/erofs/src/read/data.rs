//! The bytes of files.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use image::{Content, Fault, Layout, ReadAt};

use super::inodes::{self, Inode};
use super::map::{self, Extent, Map, Place};
use super::{Inner, damaged};
use crate::Result;
use crate::decompress::Decompressor;
use crate::format::{NO_BLOCK, chunks, layout};

/// How many clusters are remembered: files that lie behind each other are read behind each other.
const CLUSTERS: usize = 4;
/// How deep files may lie in the packed file: in it.
const DEPTH_MAX: u32 = 1;

/// What was read last.
#[derive(Default)]
pub(super) struct Recent {
    clusters: Mutex<VecDeque<(Extent, Arc<[u8]>)>>,
    map: Mutex<Option<(u64, Arc<Map>)>>,
    packed: Mutex<Option<Arc<Inode>>>,
}

impl std::fmt::Debug for Recent {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "what was read last")
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The bytes of an inode.
pub(super) fn content(inner: &Arc<Inner>, inode: &Inode) -> Result<Content> {
    if inode.size == 0 {
        return Ok(Content::Zeros(0));
    }
    match inode.layout {
        layout::PLAIN if is_nowhere(inner, inode) => Ok(Layout::new().finish(inode.size)?.into()),
        layout::PLAIN => piece(inner, inode, inode.size, 0),
        layout::INLINE => {
            let rest = inode.size % inner.geometry.block();
            piece(inner, inode, inode.size - rest, rest)
        }
        layout::CHUNKS => chunks(inner, inode),
        _ => {
            let file = Clustered {
                inner: Arc::clone(inner),
                inode: Arc::new(inode.clone()),
                depth: 0,
            };
            Ok(Content::Span {
                source: Arc::new(file),
                start: 0,
                len: inode.size,
            })
        }
    }
}

/// Whether a file in one piece has only zeros, which are in no block: Linux since 6.15 reads it so.
pub(super) fn is_nowhere(inner: &Inner, inode: &Inode) -> bool {
    let is_none = |place: u64| place == u64::from(NO_BLOCK) || place == (1 << 48) - 1;
    inner.geometry.is_wide && inode.place >= inner.geometry.blocks && is_none(inode.place)
}

/// Blocks in one piece, and what is behind the inode.
fn piece(inner: &Inner, inode: &Inode, whole: u64, rest: u64) -> Result<Content> {
    let block = inner.geometry.block();
    let start = inode.place << inner.geometry.block_bits;
    let blocks = inner.geometry.blocks << inner.geometry.block_bits;
    let is_inside = whole == 0 || start.checked_add(whole).is_some_and(|end| end <= blocks);
    if !is_inside {
        return Err(damaged(inode.name(), "has blocks behind the end"));
    }
    let is_in_a_block = rest == 0 || inode.end / block == (inode.end + rest - 1) / block;
    if !is_in_a_block || inode.end + rest > inner.size {
        return Err(damaged(inode.name(), "has a rest that does not lie in one block"));
    }
    let span = |start: u64, len: u64| Content::Span {
        source: Arc::clone(&inner.bytes),
        start,
        len,
    };
    match (whole, rest) {
        (_, 0) => Ok(span(start, whole)),
        (0, _) => Ok(span(inode.end, rest)),
        _ => {
            let mut layout = Layout::new();
            layout.put(0, "blocks", span(start, whole));
            layout.put(whole, "rest", span(inode.end, rest));
            Ok(layout.finish(inode.size)?.into())
        }
    }
}

fn chunks(inner: &Arc<Inner>, inode: &Inode) -> Result<Content> {
    let format = u32::try_from(inode.place).unwrap_or(u32::MAX);
    let is_wide = inner.geometry.is_wide && format & chunks::WIDE != 0;
    if format & !(chunks::BITS | chunks::LONG | chunks::WIDE) != 0 || format & chunks::WIDE != 0 && !is_wide {
        return Err(damaged(inode.name(), format!("has chunks of format {format:#x}")));
    }
    let bits = u32::from(inner.geometry.block_bits) + (format & chunks::BITS);
    let entry = if format & chunks::LONG == 0 { 4 } else { 8 };
    let count = inode.size.div_ceil(1_u64.checked_shl(bits).unwrap_or(u64::MAX));
    let len = count
        .checked_mul(entry)
        .filter(|len| *len <= inner.size)
        .and_then(|len| usize::try_from(len).ok())
        .ok_or_else(|| {
            damaged(
                inode.name(),
                format!("{count} chunks are more than the image holds"),
            )
        })?;
    let bytes = inner.read(&inode.name(), inode.end.next_multiple_of(entry), len)?;
    let to_usize = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let end = inner.geometry.blocks << inner.geometry.block_bits;
    let mut layout = Layout::new();
    // The run of blocks that is being collected: in the file, in the image, and its length.
    let mut run: Option<(u64, u64, u64)> = None;
    let mut put = |run: Option<(u64, u64, u64)>| {
        if let Some((at, start, len)) = run {
            let source = Arc::clone(&inner.bytes);
            layout.put(at, "chunks", Content::Span { source, start, len });
        }
    };
    for (number, entry) in (0_u64..).zip(bytes.chunks_exact(to_usize(entry))) {
        let at = number << bits;
        let len = (inode.size - at).min(1 << bits);
        let Some(place) = chunk(entry, is_wide).map_err(|problem| damaged(inode.name(), problem))? else {
            put(run.take());
            continue;
        };
        let start = place << inner.geometry.block_bits;
        if start.checked_add(len).is_none_or(|own| own > end) {
            return Err(damaged(inode.name(), "has chunks behind the end"));
        }
        match &mut run {
            Some((_, first, sum)) if *first + *sum == start => *sum += len,
            _ => put(run.replace((at, start, len))),
        }
    }
    put(run);
    Ok(layout.finish(inode.size)?.into())
}

/// The block of a chunk, if it is no hole.
fn chunk(entry: &[u8], is_wide: bool) -> Result<Option<u64>, &'static str> {
    let place = entry
        .last_chunk()
        .map_or(NO_BLOCK, |block| u32::from_le_bytes(*block));
    let Some((upper, device)) = entry[..entry.len() - 4].split_at_checked(2) else {
        return Ok((place != NO_BLOCK).then_some(place.into()));
    };
    let upper = upper.first_chunk().map_or(0, |half| u16::from_le_bytes(*half));
    if place == NO_BLOCK && (!is_wide || upper == u16::MAX) {
        return Ok(None);
    }
    if device != [0; 2] || upper != 0 && !is_wide {
        return Err("has a chunk on another device");
    }
    Ok(Some(u64::from(place) | u64::from(upper) << 32))
}

/// A file in clusters.
#[derive(Debug)]
pub(super) struct Clustered {
    inner: Arc<Inner>,
    inode: Arc<Inode>,
    depth: u32,
}

impl ReadAt for Clustered {
    fn read_exact_at(&self, buffer: &mut [u8], start: u64) -> io::Result<()> {
        let end = start.checked_add(buffer.len() as u64);
        if end.is_none_or(|end| end > self.inode.size) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.fill(buffer, start).map_err(|error| {
            // Bytes that are damaged are no fault of the medium.
            let kind = match error.fault() {
                Fault::Damaged => io::ErrorKind::InvalidData,
                _ => io::ErrorKind::Other,
            };
            io::Error::new(kind, error)
        })
    }

    fn name(&self) -> String {
        format!("erofs, {}", self.inode.name())
    }
}

impl Clustered {
    fn fill(&self, buffer: &mut [u8], start: u64) -> Result<()> {
        let map = self.map()?;
        let first = map
            .extents
            .partition_point(|extent| extent.start + extent.len <= start);
        let to_usize = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        let mut rest = buffer;
        let mut at = start;
        for extent in &map.extents[first..] {
            if rest.is_empty() {
                break;
            }
            let skip = at - extent.start;
            let len = to_usize(extent.len - skip).min(rest.len());
            let (own, behind) = rest.split_at_mut(len);
            if let Place::Fragment { start } = extent.place {
                self.fragment(own, start.saturating_add(skip))?;
            } else if extent.place == Place::Hole {
                own.fill(0);
            } else {
                let bytes = self.cluster(extent)?;
                let skip = to_usize(skip);
                own.copy_from_slice(&bytes[skip..skip + len]);
            }
            rest = behind;
            at += len as u64;
        }
        Ok(())
    }

    fn map(&self) -> Result<Arc<Map>> {
        if let Some((number, map)) = &*lock(&self.inner.recent.map)
            && *number == self.inode.number
        {
            return Ok(Arc::clone(map));
        }
        let map = Arc::new(map::read(&self.inner, &self.inode)?);
        *lock(&self.inner.recent.map) = Some((self.inode.number, Arc::clone(&map)));
        Ok(map)
    }

    fn fragment(&self, buffer: &mut [u8], start: u64) -> Result<()> {
        let problem = |problem: &str| damaged(self.inode.name(), problem);
        let known = lock(&self.inner.recent.packed).clone();
        let packed = match (known, self.inner.geometry.packed) {
            (Some(packed), _) => packed,
            (None, Some(number)) => {
                let packed = Arc::new(inodes::read(&self.inner, number)?);
                *lock(&self.inner.recent.packed) = Some(Arc::clone(&packed));
                packed
            }
            (None, None) => return Err(problem("is in a packed file, and there is none")),
        };
        let end = start.checked_add(buffer.len() as u64);
        if end.is_none_or(|end| end > packed.size) {
            return Err(problem("is behind the end of the packed file"));
        }
        if matches!(packed.layout, layout::FULL | layout::COMPACT) {
            if self.depth >= DEPTH_MAX {
                return Err(problem("is in the packed file, and itself that file"));
            }
            let packed = Clustered {
                inner: Arc::clone(&self.inner),
                inode: packed,
                depth: self.depth + 1,
            };
            return packed.fill(buffer, start);
        }
        let content = content(&self.inner, &packed)?;
        let read = content.read_exact_at(buffer, start);
        read.map_err(|error| problem(&error.to_string()))
    }

    /// The bytes of an extent.
    fn cluster(&self, extent: &Extent) -> Result<Arc<[u8]>> {
        let key = Extent { start: 0, ..*extent };
        let known = lock(&self.inner.recent.clusters)
            .iter()
            .find(|(known, _)| *known == key)
            .map(|(_, bytes)| Arc::clone(bytes));
        if let Some(bytes) = known {
            return Ok(bytes);
        }
        let bytes = decompress(&self.inner, &self.inode, extent)?;
        let mut recent = lock(&self.inner.recent.clusters);
        if recent.len() == CLUSTERS {
            recent.pop_front();
        }
        recent.push_back((key, Arc::clone(&bytes)));
        Ok(bytes)
    }
}

fn decompress(inner: &Inner, inode: &Inode, extent: &Extent) -> Result<Arc<[u8]>> {
    let what = format!("cluster at {} of {}", extent.start, inode.name());
    let to_usize = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let mut output = vec![0; to_usize(extent.len)];
    match extent.place {
        Place::Fragment { .. } | Place::Hole => {}
        Place::Plain { start, turn: 0, .. } => output = inner.read(&what, start, output.len())?,
        Place::Plain { start, turn, .. } => {
            let mut bytes = inner.read(&what, start, to_usize(inner.geometry.block()))?;
            bytes.rotate_left(to_usize(turn));
            bytes.truncate(output.len());
            output = bytes;
        }
        Place::Cluster {
            algorithm,
            start,
            len,
            is_partial,
        } => {
            let blocks = inner.read(&what, start, to_usize(len))?;
            let mut decompressor = Decompressor::default();
            let done = if is_partial {
                decompressor.decompress_part(algorithm, &blocks, &mut output)
            } else {
                decompressor.decompress(algorithm, &blocks, &mut output)
            };
            done.map_err(|problem| damaged(&what, problem))?;
        }
    }
    Ok(output.into())
}
