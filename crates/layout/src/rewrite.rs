//! Files whose references are rewritten while they are read.

use std::fmt;
use std::io;
use std::sync::Arc;

use image::{Content, ReadAt};

use crate::prefixes::Prefixes;

/// The same content with all known store paths rewritten. It is as long, and read as late.
pub(crate) fn rewritten(content: &Content, prefixes: &Arc<Prefixes>) -> Content {
    Content::Span {
        len: content.len(),
        start: 0,
        source: Arc::new(Rewritten {
            content: content.clone(),
            prefixes: Arc::clone(prefixes),
        }),
    }
}

struct Rewritten {
    content: Content,
    prefixes: Arc<Prefixes>,
}

impl fmt::Debug for Rewritten {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a file with rewritten references")
    }
}

/// How many bytes are rewritten at once.
const CHUNK_LEN: usize = 1 << 20;

impl ReadAt for Rewritten {
    fn read_exact_at(&self, buffer: &mut [u8], start: u64) -> io::Result<()> {
        let mut start = start;
        // What is named may begin before what is read, and end behind it.
        let margin = self.prefixes.len_max().saturating_sub(1);
        let mut around = Vec::new();
        for part in buffer.chunks_mut(CHUNK_LEN) {
            let len = part.len() as u64;
            let end = start
                .checked_add(len)
                .filter(|end| *end <= self.content.len())
                .ok_or(io::ErrorKind::UnexpectedEof)?;
            let from = start.saturating_sub(margin as u64);
            let to = end.saturating_add(margin as u64).min(self.content.len());
            around.resize(usize::try_from(to - from).map_err(io::Error::other)?, 0);
            self.content.read_exact_at(&mut around, from)?;
            self.prefixes.rewrite(&mut around);
            let skipped = usize::try_from(start - from).map_err(io::Error::other)?;
            part.copy_from_slice(&around[skipped..skipped + part.len()]);
            start = end;
        }
        Ok(())
    }

    fn name(&self) -> String {
        self.content.name()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prefixes::tests::{known, path};
    use proptest::prelude::*;

    proptest! {
        /// Whatever is read at once, the bytes are those of rewriting everything at once.
        #[test]
        fn references_may_straddle_reads(
            gaps in prop::collection::vec(0usize..90, 1..6),
            cuts in prop::collection::vec(1usize..60, 1..20),
        ) {
            let mut bytes = Vec::new();
            for (number, gap) in gaps.iter().enumerate() {
                bytes.extend(vec![b'.'; *gap]);
                let path = if number % 2 == 0 { path('a', "x-dev") } else { path('b', "glibc-2.40") };
                bytes.extend_from_slice(path.as_str().as_bytes());
            }
            let prefixes = Arc::new(known());
            let content = rewritten(&Content::from(bytes.clone()), &prefixes);
            prefixes.rewrite(&mut bytes);
            prop_assert_eq!(content.to_vec().unwrap(), bytes.clone());
            let mut read = Vec::new();
            for cut in cuts.iter().cycle() {
                let len = (*cut).min(bytes.len() - read.len());
                let mut part = vec![0; len];
                content.read_exact_at(&mut part, read.len() as u64).unwrap();
                read.extend(part);
                if read.len() == bytes.len() {
                    break;
                }
            }
            prop_assert_eq!(read, bytes);
        }
    }

    #[test]
    fn reads_longer_than_a_chunk() {
        let mut bytes = vec![b'.'; CHUNK_LEN - 20];
        bytes.extend_from_slice(path('a', "x").as_str().as_bytes());
        bytes.extend(vec![b'.'; CHUNK_LEN]);
        let prefixes = Arc::new(known());
        let content = rewritten(&Content::from(bytes.clone()), &prefixes);
        let mut whole = vec![0; bytes.len()];
        content.read_exact_at(&mut whole, 0).unwrap();
        prefixes.rewrite(&mut bytes);
        assert_eq!(whole, bytes);
        assert!(
            content
                .read_exact_at(&mut [0; 2], bytes.len() as u64 - 1)
                .is_err()
        );
    }
}
