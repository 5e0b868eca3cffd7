//! Compressed images and block maps: what is in them, and what outside tools say of them.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod block_maps;
mod encoding;
mod images;
mod seek_tables;
mod tools;
