//! Compressed images and block maps: what is in them, and what outside tools say of them.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test may panic, and says what it skips"
)]

mod block_maps;
mod encoding;
mod images;
mod seek_tables;
mod tools;
