//! Where the frames of a zstd file are: as its seek table says, or as they say themselves.

use std::io;

use image::{Content, ReadAt as _};

use super::{CHUNK_MAX, CHUNKS_MAX, Chunk, Chunks, bytes};
use crate::zstd::{CHECKSUM_FLAG, SEEKABLE_MAGIC_NUMBER, SKIPPABLE_MAGIC_NUMBER};

/// The bytes of a seek table's footer.
const FOOTER: u64 = 9;

/// The first four bytes of a frame.
const MAGIC_NUMBER: u32 = 0xFD2F_B528;

/// The chunks, when all of them are known and none is too large.
pub(super) fn chunks(content: &Content) -> io::Result<Option<Vec<Chunk>>> {
    match of_table(content)? {
        Some(chunks) => Ok(Some(chunks)),
        None => of_frames(content),
    }
}

/// The frames that a seek table names, when it fits the file.
fn of_table(content: &Content) -> io::Result<Option<Vec<Chunk>>> {
    let Some(footer) = content.len().checked_sub(FOOTER) else {
        return Ok(None);
    };
    let Some([c0, c1, c2, c3, descriptor, m0, m1, m2, m3]) = bytes::<9>(content, footer)? else {
        return Ok(None);
    };
    // Reserved bits say that there is something that is not known here.
    if u32::from_le_bytes([m0, m1, m2, m3]) != SEEKABLE_MAGIC_NUMBER || descriptor & !CHECKSUM_FLAG != 0 {
        return Ok(None);
    }
    let count = u64::from(u32::from_le_bytes([c0, c1, c2, c3]));
    let entry_size = if descriptor == CHECKSUM_FLAG { 12 } else { 8 };
    let table_len = count * entry_size + FOOTER;
    let Some(start) = content.len().checked_sub(table_len + 8) else {
        return Ok(None);
    };
    if count > CHUNKS_MAX as u64 {
        return Ok(None);
    }
    let mut table = vec![0; usize::try_from(table_len + 8).map_err(io::Error::other)?];
    content.read_exact_at(&mut table, start)?;
    let word = |at: usize| table.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
    let number = |at| word(at).map(u32::from_le_bytes).unwrap_or_default();
    if number(0) != SKIPPABLE_MAGIC_NUMBER || u64::from(number(4)) != table_len {
        return Ok(None);
    }
    let (mut chunks, mut place) = (Chunks::default(), 0_u64);
    for index in 0..usize::try_from(count).map_err(io::Error::other)? {
        let at = 8 + index * if descriptor == CHECKSUM_FLAG { 12 } else { 8 };
        let (size, len) = (u64::from(number(at)), u64::from(number(at + 4)));
        if chunks.add(place, size, len, None).is_none() {
            return Ok(None);
        }
        place += size;
    }
    Ok((place == start).then_some(chunks.0))
}

/// The frames, one after the other, when each says how many bytes it has.
fn of_frames(content: &Content) -> io::Result<Option<Vec<Chunk>>> {
    let (mut chunks, mut place) = (Chunks::default(), 0);
    let mut steps = 0;
    while place < content.len() {
        steps += 1;
        let Some(frame) = frame(content, place)?.filter(|_| steps <= CHUNKS_MAX) else {
            return Ok(None);
        };
        if let Some(len) = frame.len
            && chunks.add(place, frame.size, len, None).is_none()
        {
            return Ok(None);
        }
        place += frame.size;
    }
    // A file of nothing is no frame of nothing.
    Ok((steps > 0).then_some(chunks.0))
}

struct Frame {
    /// Its bytes in the file.
    size: u64,
    /// Its plain bytes; none when all decoders skip it.
    len: Option<u64>,
}

/// The frame at a place, by the headers of it and of its blocks.
fn frame(content: &Content, place: u64) -> io::Result<Option<Frame>> {
    let Some(magic) = bytes::<4>(content, place)? else {
        return Ok(None);
    };
    let magic = u32::from_le_bytes(magic);
    let fits = |end: u64| end <= content.len();
    if magic & !0xf == SKIPPABLE_MAGIC_NUMBER & !0xf {
        let size = bytes::<4>(content, place + 4)?.map(|size| 8 + u64::from(u32::from_le_bytes(size)));
        let size = size.filter(|size| fits(place + size));
        return Ok(size.map(|size| Frame { size, len: None }));
    }
    let Some([descriptor]) = bytes::<1>(content, place + 4)?.filter(|_| magic == MAGIC_NUMBER) else {
        return Ok(None);
    };
    let is_single_segment = descriptor & 0x20 != 0;
    let window = u64::from(!is_single_segment);
    let dictionary = [0, 1, 2, 4][usize::from(descriptor & 3)];
    let mut at = place + 5 + window + dictionary;
    let said = |bytes: &[u8]| {
        let number = bytes.iter().rev();
        number.fold(0, |number, byte| number << 8 | u64::from(*byte))
    };
    let (field, len) = match (descriptor >> 6, is_single_segment) {
        (0, false) => return Ok(None),
        (0, true) => (1, bytes::<1>(content, at)?.map(|field| said(&field))),
        (1, _) => (2, bytes::<2>(content, at)?.map(|field| said(&field) + 256)),
        (2, _) => (4, bytes::<4>(content, at)?.map(|field| said(&field))),
        _ => (8, bytes::<8>(content, at)?.map(|field| said(&field))),
    };
    let Some(len) = len.filter(|len| *len <= CHUNK_MAX) else {
        return Ok(None);
    };
    at += field;
    // No frame needs more blocks: none but the last is empty.
    for _ in 0..=CHUNK_MAX >> 10 {
        let Some([b0, b1, b2]) = bytes::<3>(content, at)? else {
            return Ok(None);
        };
        let header = u32::from_le_bytes([b0, b1, b2, 0]);
        let size = match header >> 1 & 3 {
            1 => 1,
            3 => return Ok(None),
            _ => u64::from(header >> 3),
        };
        at += 3 + size;
        if header & 1 == 1 {
            let end = at + if descriptor & 4 == 0 { 0 } else { 4 };
            let size = end - place;
            return Ok(fits(end).then_some(Frame { size, len: Some(len) }));
        }
    }
    Ok(None)
}
