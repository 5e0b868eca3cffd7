//! One segment in a file of its own.
//!
//! ```text
//!  blocks, one after the other │ a word for each, 4 bytes │ trailer
//!                                                         ├ magic, 8 bytes
//!                                                         ├ how many words, 8 bytes
//!                                                         ├ how many bytes of blocks, 8 bytes
//!                                                         ├ key, 32 bytes
//!                                                         └ digest, 32 bytes
//! ```
//!
//! The blocks come first, so that file systems that share blocks can share them. Integers are little-endian.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use crate::key::{Checksum, Key};
use crate::{Found, Made};

const MAGIC: [u8; 8] = *b"kilnseg1";
const TRAILER: usize = 8 + 8 + 8 + 32 + 32;

/// Fills an empty file with a segment.
pub(crate) fn write(file: &File, key: &Key, made: &Made) -> io::Result<()> {
    let mut position = 0;
    for part in made.parts {
        part.spool
            .copy_to(part.start..part.start + part.len, file, position)?;
        position += part.len;
    }
    file.write_all_at(&tail(key, made.len, made.sizes, &made.digest), made.len)
}

/// What follows the blocks.
pub(crate) fn tail(key: &Key, len: u64, sizes: &[u32], digest: &[u8; 32]) -> Vec<u8> {
    let mut tail = Vec::with_capacity(4 * sizes.len() + TRAILER);
    for size in sizes {
        tail.extend(size.to_le_bytes());
    }
    tail.extend(MAGIC);
    tail.extend((sizes.len() as u64).to_le_bytes());
    tail.extend(len.to_le_bytes());
    tail.extend(key.0);
    tail.extend(digest);
    tail
}

/// How many bytes follow so many blocks.
pub(crate) fn tail_len(blocks: usize) -> usize {
    blocks.saturating_mul(4).saturating_add(TRAILER)
}

/// The bytes of a segment's file.
pub(crate) fn size(made: &Made) -> u64 {
    made.len + tail_len(made.sizes.len()) as u64
}

/// The end of a segment's file.
struct Trailer {
    /// How many words stand before it.
    count: u64,
    /// The bytes of the blocks before them.
    len: u64,
    digest: [u8; 32],
}

impl Trailer {
    /// Understands the end of a segment with this key whose file has `size` bytes.
    fn parse(trailer: &[u8; TRAILER], size: u64, key: &Key) -> Result<Trailer, String> {
        let (head, digests) = trailer.split_at(24);
        let (magic, numbers) = head.split_at(8);
        if magic != MAGIC {
            return Err("its end is not the end of a segment".into());
        }
        let (count, len) = (number(&numbers[..8]), number(&numbers[8..]));
        let words = count.checked_mul(4);
        let end = words.and_then(|words| words.checked_add(len));
        if end.and_then(|end| end.checked_add(TRAILER as u64)) != Some(size) {
            return Err(format!(
                "{size} bytes are not those of {count} blocks with {len} bytes"
            ));
        }
        if digests[..32] != key.0 {
            return Err("it is another segment".into());
        }
        let mut digest = [0; 32];
        digest.copy_from_slice(&digests[32..]);
        Ok(Trailer { count, len, digest })
    }
}

fn number(bytes: &[u8]) -> u64 {
    let step = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
    bytes.iter().rev().fold(0, step)
}

fn words(bytes: &[u8]) -> Vec<u32> {
    let word = |bytes: &[u8]| {
        let step = |word: u32, byte: &u8| word << 8 | u32::from(*byte);
        bytes.iter().rev().fold(0, step)
    };
    bytes.chunks_exact(4).map(word).collect()
}

/// Reads all of a segment but its blocks. The memory it takes is bounded by the file's size.
///
/// # Errors
/// What is wrong, when the file cannot be the segment of this key.
pub(crate) fn open(file: File, key: &Key) -> Result<Found, String> {
    let failed = |error: io::Error| error.to_string();
    let size = file.metadata().map_err(failed)?.len();
    let Some(end) = size.checked_sub(TRAILER as u64) else {
        return Err(format!("{size} bytes are too few"));
    };
    let mut trailer = [0; TRAILER];
    file.read_exact_at(&mut trailer, end).map_err(failed)?;
    let trailer = Trailer::parse(&trailer, size, key)?;
    let tail = usize::try_from(end - trailer.len).map_err(|error| error.to_string())?;
    let mut tail = vec![0; tail];
    file.read_exact_at(&mut tail, trailer.len).map_err(failed)?;
    Ok(Found {
        sizes: words(&tail),
        source: Arc::new(file),
        start: 0,
        len: trailer.len,
        digest: trailer.digest,
    })
}

/// Understands what followed the `len` bytes of the blocks, when they were so many, and answers with their words and
/// the digest that all must have.
///
/// # Errors
/// What is wrong, when it cannot be the segment of this key.
pub(crate) fn end(tail: &[u8], len: u64, blocks: usize, key: &Key) -> Result<(Vec<u32>, [u8; 32]), String> {
    let size = len + tail.len() as u64;
    let split = tail.split_last_chunk::<TRAILER>();
    let (words_bytes, trailer) = split.ok_or_else(|| format!("{size} bytes are too few"))?;
    let trailer = Trailer::parse(trailer, size, key)?;
    if trailer.count != blocks as u64 {
        return Err(format!("it has {} blocks, and not {blocks}", trailer.count));
    }
    Ok((words(words_bytes), trailer.digest))
}

/// Reads a segment's blocks and compares their digest.
///
/// # Errors
/// What is wrong.
pub(crate) fn verify(found: &Found, key: &Key) -> Result<(), String> {
    let mut checksum = Checksum::new(key);
    let mut chunk = vec![0; 256 << 10];
    let mut position = 0;
    while position < found.len {
        let len = usize::try_from(found.len - position).map_or(chunk.len(), |left| left.min(chunk.len()));
        let read = found
            .source
            .read_exact_at(&mut chunk[..len], found.start + position);
        read.map_err(|error| error.to_string())?;
        checksum.add(&chunk[..len]);
        position += len as u64;
    }
    if checksum.finish(&found.sizes) == found.digest {
        Ok(())
    } else {
        Err("its bytes do not have the digest that it states".into())
    }
}
