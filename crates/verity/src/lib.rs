//! dm-verity: a hash tree over blocks of 4096 bytes, so that a device checks each block when it reads it.
//!
//! ```text
//!  root hash = H(the only block of the top level)
//!
//!  superblock │ level 1 (top)  │ level 0                        data
//!  (optional) │ ┌────────────┐ │ ┌────────────┬────────────┐    ┌───┬───┬───┬─ … ─┬───┐
//!             │ │ H H 0 0 …  │ │ │ H H H … H  │ H H 0 0 …  │    │ 0 │ 1 │ 2 │     │ n │
//!             │ └─┴─┴────────┘ │ └─┴─┴─┴───┴──┴─┴─┴────────┘    └───┴───┴───┴─ … ─┴───┘
//!                 │ └── of the second block ──┘ │ └── of block 129 of the data
//!                 └──── of the first            └──── of block 128
//! ```
//!
//! `H(block)` is SHA-256 over a salt and the block. Level 0 has the digests of all blocks of data, 128 to a block,
//! and zeros up to the end of its last block. Each higher level has the digests of the blocks of the level below,
//! until one block is enough; its digest is the *root hash*. Data of one block have no tree: their digest is the
//! root hash. A tree lies top level first, so that a reader goes forward from a digest to what it vouches for.
//!
//! Only one set of parameters is in use by the systems that Kiln serves, and it is the only one here: hash type 1
//! (the salt comes first), SHA-256, blocks of 4096 bytes for data and tree alike. A *superblock* in front of the tree
//! says so, and has the salt; nothing vouches for the superblock itself. Partitions have one, RAUC bundles do not.
//! <https://docs.kernel.org/admin-guide/device-mapper/verity.html> and
//! <https://gitlab.com/cryptsetup/cryptsetup/-/wikis/DMVerity> describe the format.
//!
//! Who vouches for the root hash may be a third partition: a [`RootSignature`].
//!
//! [`plan()`] reads data once, in order, and passes every digest on to the level above at once. So memory holds one
//! block for each level and a few chunks of data for each thread, however large the data are; the tree itself goes
//! into a spool. [`check()`] goes from the root hash down, so that it names the first block that nothing vouches for.

mod check;
mod error;
mod format;
mod levels;
mod plan;
mod signature;
mod superblock;

pub use check::{Area, check, root};
pub use error::{Error, Parent, Part};
pub use levels::tree_size;
pub use plan::{Planned, plan};
pub use signature::{RootSignature, SIGNATURE_MARK, SIGNATURE_SIZE, SIGNATURE_SIZE_MAX, signed_text};
pub use superblock::{Superblock, read_superblock};

use image::{Progress, Spool};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Bytes of a block, of data and of the tree.
pub const BLOCK_SIZE: u64 = 4096;

/// Bytes that a superblock takes in front of a tree.
pub const SUPERBLOCK_SIZE: u64 = BLOCK_SIZE;

/// The longest salt in bytes.
pub const SALT_MAX: usize = 256;

/// A block's bytes in memory.
const BLOCK: usize = 4096;

/// Bytes of a digest.
const DIGEST: usize = 32;

/// How many digests a block of the tree has.
const FAN_OUT: u64 = BLOCK_SIZE / DIGEST as u64;

/// How a tree is made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// What every hash begins with: at most [`SALT_MAX`] bytes, 32 in RAUC bundles. It keeps attackers from
    /// preparing collisions before they know it, and need not be secret.
    pub salt: Vec<u8>,
    /// The UUID of a superblock in front of the tree; without one there is no superblock.
    pub superblock: Option<Uuid>,
}

/// What making and checking trees needs besides the data. None of it changes a byte.
pub struct Work<'a> {
    /// Where the tree is kept, from the spool's first byte; in memory without one. Checking needs none.
    pub spool: Option<&'a Spool>,
    /// How many threads hash.
    pub threads: usize,
    /// Hears about the bytes that are hashed.
    pub progress: &'a dyn Progress,
}

/// The UUIDs of a data partition and its verity partition, as the Discoverable Partitions Specification derives
/// them from the root hash: its first and its last 128 bits.
#[must_use]
pub fn partition_uuids(root: &[u8; 32]) -> (Uuid, Uuid) {
    let root = root.map(u128::from);
    let number = |bytes: &[u128]| bytes.iter().fold(0, |number, byte| number << 8 | byte);
    let (first, last) = root.split_at(16);
    (Uuid::from_u128(number(first)), Uuid::from_u128(number(last)))
}

/// Hashes blocks with one salt.
struct Salted {
    /// SHA-256 that has seen the salt.
    start: Sha256,
    /// The digest of a block of zeros.
    zeros: [u8; DIGEST],
}

impl Salted {
    fn new(salt: &[u8]) -> Result<Salted, Error> {
        if salt.len() > SALT_MAX {
            return Err(Error::SaltTooLong(salt.len()));
        }
        let start = Sha256::new_with_prefix(salt);
        let zeros = start.clone().chain_update([0; BLOCK]).finalize().into();
        Ok(Salted { start, zeros })
    }

    fn digest(&self, block: &[u8]) -> [u8; DIGEST] {
        if is_zero(block) {
            return self.zeros;
        }
        self.start.clone().chain_update(block).finalize().into()
    }
}

fn is_zero(bytes: &[u8]) -> bool {
    const ZEROS: [u8; BLOCK] = [0; BLOCK];
    bytes.chunks(BLOCK).all(|chunk| *chunk == ZEROS[..chunk.len()])
}

/// A pool of as many threads as asked for.
fn pool(threads: usize) -> Result<rayon::ThreadPool, Error> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads.max(1))
        .build();
    pool.map_err(|error| Error::NoThread(std::io::Error::other(error)))
}
