//! What is read of contents: nothing where they are known to be zeros.

use std::ops::ControlFlow;

use image::{Content, Data};
use inspect::Work;
use sha2::{Digest, Sha256};

/// How many bytes are read at once.
const CHUNK: u64 = 256 << 10;
/// The unit in which zeros are left out.
const BLOCK: usize = 4096;
/// Longer contents are a step of their own while they are searched.
const LONG: u64 = 64 << 20;

/// Whether there is nothing but zeros.
pub(super) fn is_empty(content: &Content, work: &Work) -> inspect::Result<bool> {
    let len = Data::of(content).len_before(u64::MAX);
    if len > LONG {
        work.progress.begin("look for data", len);
    }
    let mut is_empty = true;
    read(content, u64::MAX, |_, bytes| {
        // What is short counts for no step.
        let counted = if len > LONG { bytes.len() as u64 } else { 0 };
        work.progress.advance(counted).map_err(image::Error::from)?;
        is_empty = bytes.iter().all(|byte| *byte == 0);
        Ok(if is_empty {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        })
    })?;
    Ok(is_empty)
}

/// What files of the same length have in common that have the same first bytes. Zeros count for nothing, stored or not, so that a
/// file of any length that is a hole takes no time.
pub(super) fn digest(content: &Content, max: u64, work: &Work) -> inspect::Result<[u8; 32]> {
    let mut hasher = Sha256::new();
    read(content, max, |start, bytes| {
        for (place, block) in (start..).step_by(BLOCK).zip(bytes.chunks(BLOCK)) {
            if block.iter().any(|byte| *byte != 0) {
                hasher.update(place.to_le_bytes());
                hasher.update(block);
            }
        }
        let len = bytes.len() as u64;
        work.progress.advance(len).map_err(image::Error::from)?;
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(hasher.finalize().into())
}

/// Reads what may be more than zeros before a place, in whole blocks except at the end.
fn read(
    content: &Content,
    max: u64,
    mut see: impl FnMut(u64, &[u8]) -> inspect::Result<ControlFlow<()>>,
) -> inspect::Result<()> {
    let mut reader = content.reader()?;
    let len = content.len().min(CHUNK);
    let mut buffer = vec![0; usize::try_from(len).unwrap_or_default()];
    let mut position = 0;
    for run in Data::of(content).runs() {
        let end = run.end.min(max);
        if run.start >= end {
            break;
        }
        reader.skip(run.start - position);
        position = run.start;
        while position < end {
            let wanted = usize::try_from(end - position).map_or(buffer.len(), |left| left.min(buffer.len()));
            let len = reader.fill(&mut buffer[..wanted])?;
            if see(position, &buffer[..len])?.is_break() {
                return Ok(());
            }
            position += len as u64;
        }
    }
    reader.finish()?;
    Ok(())
}
