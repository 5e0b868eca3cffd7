//! Which files have the same bytes.

use std::collections::HashMap;

use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::content::Content;
use crate::error::Result;
use crate::progress::Progress;
use crate::tree::NodeId;

/// How many bytes are read at once.
const CHUNK_MAX: usize = 256 << 10;

/// A file among others.
#[derive(Clone, Copy, Debug)]
pub struct Compared {
    /// The file.
    pub file: NodeId,
    /// The first of all that has its bytes: itself, when no earlier one has.
    pub first: NodeId,
    /// The SHA-256 of its bytes, when it was asked for.
    pub digest: Option<[u8; 32]>,
}

/// Compares files, in their order. Two are equal when their lengths and SHA-256 are. Only files that share their length
/// with another are asked for their digests, by `digest`, on the threads of the pool that this is called in.
///
/// # Errors
/// Those of `digest`.
pub fn compare<E: Send>(
    files: &[(NodeId, &Content)],
    digest: impl Fn(NodeId, &Content) -> std::result::Result<[u8; 32], E> + Sync,
) -> std::result::Result<Vec<Compared>, E> {
    let mut by_len: HashMap<u64, u32> = HashMap::new();
    for (_, content) in files {
        *by_len.entry(content.len()).or_default() += 1;
    }
    let digests: Vec<Option<[u8; 32]>> = files
        .par_iter()
        .map(|(file, content)| {
            let shared = by_len[&content.len()] > 1;
            shared.then(|| digest(*file, content)).transpose()
        })
        .collect::<std::result::Result<_, E>>()?;
    let mut firsts: HashMap<(u64, [u8; 32]), NodeId> = HashMap::new();
    let compared = files
        .iter()
        .zip(digests)
        .map(|((file, content), digest)| Compared {
            file: *file,
            first: digest.map_or(*file, |digest| {
                *firsts.entry((content.len(), digest)).or_insert(*file)
            }),
            digest,
        });
    Ok(compared.collect())
}

impl Content {
    /// The SHA-256 of all bytes. `progress` is only asked whether to stop: these bytes count when they become an image's.
    ///
    /// # Errors
    /// When reading fails, or a host file is not the planned one.
    pub fn sha256(&self, progress: &dyn Progress) -> Result<[u8; 32]> {
        let mut hasher = Sha256::new();
        let mut reader = self.reader()?;
        // Most files are small, and a buffer has to be zeroed.
        let mut chunk = vec![0; usize::try_from(self.len()).map_or(CHUNK_MAX, |len| len.min(CHUNK_MAX))];
        while reader.remaining() > 0 {
            let len = reader.fill(&mut chunk)?;
            hasher.update(&chunk[..len]);
            progress.advance(0)?;
        }
        reader.finish()?;
        Ok(hasher.finalize().into())
    }
}
