//! Compressed images and block maps: what is in them, and what outside tools say of them.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod block_maps;
mod encoding;
mod images;
mod in_place;
#[path = "../../../../tests/zoo/oracle.rs"]
mod oracle;
mod read_maps;
mod seek_tables;
mod tools;
