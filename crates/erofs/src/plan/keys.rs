//! What the names of segments begin with: how clusters are compressed.

use cache::Fields;
use cache::libraries::{LIBDEFLATE, LIBLZ4, LIBZSTD};

use crate::{Compression, Options, Profile};

/// Changes whenever the same files and options come to give other clusters.
const LAYOUT: &[u8] = b"kiln erofs segment 1";

/// None when nothing is compressed: then there are no segments.
pub(super) fn head(options: &Options) -> Option<Fields> {
    let (level, library) = match options.compression {
        Compression::None => return None,
        Compression::Lz4 { level } => (level, LIBLZ4),
        Compression::Deflate { level } => (level, LIBDEFLATE),
        Compression::Zstd { level } => (level, LIBZSTD),
    };
    let mut head = Fields::default();
    head.bytes(LAYOUT);
    head.number(options.cluster.into());
    head.bytes(library.as_bytes());
    head.number(u64::try_from(level).ok()?);
    if options.profile == Profile::Modern {
        head.bytes(b"modern");
    }
    Some(head)
}
