//! What the names of segments begin with: how blocks are compressed.

use cache::Fields;
use cache::libraries::{LIBDEFLATE, LIBLZMA, LIBZSTD};

use crate::{Compression, Options};

/// Changes whenever the same files and options come to give other blocks, or segments that were kept before are no longer
/// good enough: those of 3 could come from others without having been read as Linux reads them.
const LAYOUT: &[u8] = b"kiln squashfs segment 4";

/// None when nothing is compressed: then segments have no names.
pub(super) fn head(options: &Options) -> Option<Fields> {
    let (level, library) = match options.compression {
        Compression::None => return None,
        Compression::Gzip { level } => (u64::from(level), LIBDEFLATE),
        Compression::Xz { level } => (u64::from(level), LIBLZMA),
        Compression::Zstd { level } => (u64::try_from(level).ok()?, LIBZSTD),
    };
    let mut head = Fields::default();
    head.bytes(LAYOUT);
    head.number(options.block_size.into());
    head.bytes(library.as_bytes());
    head.number(level);
    Some(head)
}
