//! Compressed images from anywhere, read where they lie: what is read is what the whole stream gives.
#![no_main]

use std::io::Read as _;

use image::{Content, ReadAt as _};
use libfuzzer_sys::fuzz_target;
use transport::{Coding, decode, in_place};

/// More is not compared: a small file can claim to be large.
const LEN_MAX: u64 = 8 << 20;

fuzz_target!(|data: &[u8]| {
    for coding in [Coding::Zstd, Coding::Xz] {
        let content = Content::from(data);
        let Some(plain) = in_place(&content, coding).expect("bytes in memory can be read") else {
            continue;
        };
        let len = plain.len();
        // A byte behind the end, and one before.
        assert!(plain.read_exact_at(&mut [0], len).is_err());
        let last = len.checked_sub(1).map(|last| plain.read_exact_at(&mut [0], last));
        _ = last;
        if len > LEN_MAX {
            continue;
        }
        let Ok(found) = plain.to_vec() else { continue };
        let mut whole = Vec::new();
        let stream = decode(coding, data).expect("a decoder");
        stream
            .take(LEN_MAX + 1)
            .read_to_end(&mut whole)
            .expect("every chunk could be read");
        assert!(found == whole, "{coding:?}");
    }
});
