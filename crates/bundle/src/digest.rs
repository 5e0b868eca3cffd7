//! What has to be known of an image's bytes, in one reading: their SHA-256, and that of each block.

use image::{Content, Progress, Spool};
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::Error;

/// Bytes of a block.
const BLOCK: usize = 4096;
/// Bytes that are read at once.
const WINDOW: usize = 4 << 20;

/// Receives the SHA-256 of blocks, one after the other.
type TakeHashes<'a> = dyn FnMut(&[u8]) -> Result<(), Error> + 'a;

/// Bytes of the hashes of all blocks of a content.
pub(crate) fn index_len(len: u64) -> u64 {
    len.div_ceil(verity::BLOCK_SIZE) * 32
}

/// An image's SHA-256.
///
/// `blocks` receives that of each block, in order, when the image comes with them.
pub(crate) fn digest(
    content: &Content,
    progress: &dyn Progress,
    mut blocks: Option<&mut TakeHashes>,
) -> Result<[u8; 32], Error> {
    let mut whole = Sha256::new();
    let mut reader = content.reader()?;
    let mut window = vec![0; WINDOW];
    let zero = Sha256::digest([0; BLOCK]);
    while reader.remaining() > 0 {
        let len = reader.fill(&mut window)?;
        let bytes = window.get(..len).unwrap_or_default();
        if let Some(take) = &mut blocks {
            let hash = |block: &[u8]| {
                if block.len() == BLOCK && block.iter().all(|byte| *byte == 0) {
                    zero
                } else {
                    Sha256::digest(block)
                }
            };
            let (hashes, ()) = rayon::join(
                || -> Vec<u8> { bytes.par_chunks(BLOCK).map(hash).collect::<Vec<_>>().concat() },
                || whole.update(bytes),
            );
            take(&hashes)?;
        } else {
            whole.update(bytes);
        }
        progress.advance(len as u64).map_err(image::Error::from)?;
    }
    reader.finish()?;
    Ok(whole.finalize().into())
}

/// An image's SHA-256, and its blocks' in a spool.
pub(crate) fn digest_and_index(
    content: &Content,
    spool: &Spool,
    progress: &dyn Progress,
) -> Result<([u8; 32], Content), Error> {
    let mut end = 0;
    let mut take = |hashes: &[u8]| {
        spool.write_at(hashes, end)?;
        end += hashes.len() as u64;
        Ok(())
    };
    let sha256 = digest(content, progress, Some(&mut take))?;
    Ok((sha256, spool.span(0, end)))
}
