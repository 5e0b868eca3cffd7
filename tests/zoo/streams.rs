//! Bytes of which something is known: they compress well, or not at all. The tests of formats that compress file by file
//! share it.

use image::{Content, ReadAt};

/// Bytes without a hole that take no memory: each eight say where they are.
#[derive(Debug)]
struct Noise;

impl ReadAt for Noise {
    fn read_exact_at(&self, buffer: &mut [u8], start: u64) -> std::io::Result<()> {
        for (byte, place) in buffer.iter_mut().zip(start..) {
            let word = (place / 8 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            *byte = word.to_le_bytes()[usize::try_from(place % 8).unwrap()];
        }
        Ok(())
    }
}

pub(crate) fn noise(len: u64) -> Content {
    Content::Span {
        source: std::sync::Arc::new(Noise),
        start: 0,
        len,
    }
}

/// Text of words, of which some follow others more often: it compresses well, but not to nothing.
pub(crate) fn words(len: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let mut text = Vec::new();
    while text.len() < len {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        text.extend(format!("{:x} ", state >> 20 & state >> 24).into_bytes());
    }
    text.truncate(len);
    text
}
