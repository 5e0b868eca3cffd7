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
    made.spool.copy_to(made.start..made.start + made.len, file)?;
    let mut tail = Vec::with_capacity(4 * made.sizes.len() + TRAILER);
    for size in made.sizes {
        tail.extend(size.to_le_bytes());
    }
    tail.extend(MAGIC);
    tail.extend((made.sizes.len() as u64).to_le_bytes());
    tail.extend(made.len.to_le_bytes());
    tail.extend(key.0);
    tail.extend(made.digest);
    file.write_all_at(&tail, made.len)
}

/// The bytes of a segment's file.
pub(crate) fn size(made: &Made) -> u64 {
    made.len + 4 * made.sizes.len() as u64 + TRAILER as u64
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
    let (head, digests) = trailer.split_at(24);
    let (magic, numbers) = head.split_at(8);
    if magic != MAGIC {
        return Err("its end is not the end of a segment".into());
    }
    let number = |bytes: &[u8]| {
        bytes
            .iter()
            .rev()
            .fold(0u64, |number, byte| number << 8 | u64::from(*byte))
    };
    let (count, len) = (number(&numbers[..8]), number(&numbers[8..]));
    let fits = count.checked_mul(4).and_then(|words| words.checked_add(len)) == Some(end);
    if !fits {
        return Err(format!(
            "{size} bytes are not those of {count} blocks with {len} bytes"
        ));
    }
    if digests[..32] != key.0 {
        return Err("it is another segment".into());
    }
    let words = usize::try_from(end - len).map_err(|error| error.to_string())?;
    let mut words = vec![0; words];
    file.read_exact_at(&mut words, len).map_err(failed)?;
    let sizes = words.chunks_exact(4).map(|word| {
        word.iter()
            .rev()
            .fold(0, |size, byte| size << 8 | u32::from(*byte))
    });
    let mut digest = [0; 32];
    digest.copy_from_slice(&digests[32..]);
    Ok(Found {
        sizes: sizes.collect(),
        source: Arc::new(file),
        start: 0,
        len,
        digest,
    })
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
