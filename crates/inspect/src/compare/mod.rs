//! Two images beside each other: bytes, files, store paths, and what an update from one to the other costs.

mod blocks;
mod bytes;
mod store;
mod trees;

pub use blocks::{BLOCK_SIZE, Cost, cost};
pub use bytes::first_difference;
pub use store::{Package, Side, is_store_name, packages, split, store_name};
pub use trees::{Change, ChangeKind, changes};
