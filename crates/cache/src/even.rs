//! What is not worth a slow compressor's time.

/// What is looked at together. One page in so many tells enough.
const PAGE: usize = 4096;
const PAGES: usize = 8;

/// Whether all bytes are about equally frequent, as in what is compressed or encrypted: two bytes of the pages that are
/// looked at, taken at random, are equal at most a fifth more often than those of noise.
#[must_use]
pub fn is_even(block: &[u8]) -> bool {
    let (mut counts, mut len) = ([0u64; 256], 0);
    for page in block.chunks(PAGE).step_by(PAGES) {
        len += page.len() as u64;
        for byte in page {
            counts[usize::from(*byte)] += 1;
        }
    }
    let equal: u64 = counts.iter().map(|count| count * count).sum::<u64>() - len;
    // equal / len² ≤ 6/5 / 256
    equal * 1280 <= len * len * 6
}
