//! The digest that every output is known by: fs-verity's, which Linux itself computes and enforces.
//!
//! ```text
//!  digest = H(descriptor: version, SHA-256, blocks of 4096 bytes, size of the file, root)
//!
//!  root ── H ── level 1  │ H H 0 0 … │        the digest of the one block at the top
//!               level 0  │ H H H … H │ H H 0 … │
//!               file     │ 4096 │ 4096 │ … │ the last block, filled up with zeros │
//! ```
//!
//! <https://docs.kernel.org/filesystems/fsverity.html> describes it; there is no salt. It is what `fsverity digest FILE`
//! prints. Since it is a tree, blocks are hashed on several threads, and a hole of any length costs nothing: what a run of
//! zeros looks like in each level is known.

use rayon::ThreadPool;
use rayon::prelude::*;
use sha2::block_api::compress256;
use sha2::{Digest, Sha256};

/// Bytes of a block, of the file and of the tree.
const BLOCK: usize = 4096;

/// How many digests a block of the tree has.
const FAN_OUT: u64 = 128;

/// How many blocks a thread hashes in one go.
const BATCH: usize = 32;

/// Bytes of the descriptor, most of which are zeros.
const DESCRIPTOR: usize = 256;

type Hash = [u8; 32];

/// What SHA-256 begins with, and what it puts behind a message of [`BLOCK`] bytes (FIPS 180-4, 5.3.3 and 5.1.1): a one, zeros,
/// and the message's length in bits.
const START: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];
const PADDING: [u8; 64] = {
    let mut padding = [0; 64];
    padding[0] = 0x80;
    padding[62] = 0x80;
    padding
};

/// Computes the digest of a file whose bytes come in order.
#[derive(Debug, Default)]
pub struct FsVerity {
    /// How many bytes came.
    len: u64,
    /// The first bytes of a block that is not full.
    block: Vec<u8>,
    /// The levels of the tree, the one over the file first.
    levels: Vec<Level>,
}

/// A level of the tree, of which only the last block is in memory.
#[derive(Debug)]
struct Level {
    /// The digests of a block that is not full.
    block: Vec<u8>,
    /// How many digests the level has.
    count: u64,
    /// The digest of blocks below it that hold nothing but zeros of the file.
    zeros: Hash,
}

impl FsVerity {
    /// Takes the next bytes; a pool of threads makes that faster.
    pub fn update(&mut self, mut bytes: &[u8], pool: Option<&ThreadPool>) {
        self.len += bytes.len() as u64;
        if !self.block.is_empty() {
            let (head, rest) = bytes.split_at(bytes.len().min(BLOCK - self.block.len()));
            self.block.extend_from_slice(head);
            bytes = rest;
            self.flush();
        }
        let (blocks, rest) = bytes.split_at(bytes.len() / BLOCK * BLOCK);
        match pool.filter(|_| blocks.len() > BATCH * BLOCK) {
            None => blocks
                .chunks_exact(BLOCK)
                .for_each(|block| self.leaf(digest(block))),
            Some(pool) => {
                let batches = blocks.par_chunks(BATCH * BLOCK);
                let batches = batches.flat_map_iter(|batch| batch.chunks_exact(BLOCK).map(digest));
                let digests: Vec<Option<Hash>> = pool.install(|| batches.collect());
                for digest in digests {
                    self.leaf(digest);
                }
            }
        }
        self.block.extend_from_slice(rest);
    }

    /// Takes this many zeros.
    pub fn zeros(&mut self, mut len: u64) {
        self.len += len;
        if !self.block.is_empty() {
            let missing = (BLOCK - self.block.len()) as u64;
            let part = len.min(missing);
            len -= part;
            self.block.resize(
                if part == missing {
                    BLOCK
                } else {
                    self.block.len() + below_block(part)
                },
                0,
            );
            self.flush();
        }
        self.put_zeros(0, len / BLOCK as u64);
        self.block
            .resize(self.block.len() + below_block(len % BLOCK as u64), 0);
    }

    /// The digest of all that came.
    #[must_use]
    pub fn finish(mut self) -> Hash {
        if !self.block.is_empty() {
            self.block.resize(BLOCK, 0);
            self.flush();
        }
        let mut descriptor = [0; DESCRIPTOR];
        // Version 1, SHA-256, blocks of 2^12 bytes, no salt; the root's field has room for longer ones.
        descriptor[..4].copy_from_slice(&[1, 1, 12, 0]);
        descriptor[8..16].copy_from_slice(&self.len.to_le_bytes());
        descriptor[16..48].copy_from_slice(&self.root());
        Sha256::digest(descriptor).into()
    }

    /// The digest of the block at the top; zeros for a file without bytes.
    fn root(&mut self) -> Hash {
        let mut at = 0;
        loop {
            let Some(level) = self.levels.get_mut(at) else {
                return Hash::default();
            };
            if level.count == 1 {
                let mut root = Hash::default();
                root.copy_from_slice(&level.block);
                return root;
            }
            if !level.block.is_empty() {
                level.block.resize(BLOCK, 0);
                let full = hash(&std::mem::take(&mut level.block));
                self.put(at + 1, full);
            }
            at += 1;
        }
    }

    /// Hashes the block that bytes gather in, when it is full.
    fn flush(&mut self) {
        if self.block.len() == BLOCK {
            let digest = digest(&self.block);
            self.block.clear();
            self.leaf(digest);
        }
    }

    /// Takes the digest of the file's next block; none of one that is all zeros.
    fn leaf(&mut self, digest: Option<Hash>) {
        match digest {
            Some(digest) => self.put(0, digest),
            None => self.put_zeros(0, 1),
        }
    }

    fn level(&mut self, at: usize) -> &mut Level {
        while self.levels.len() <= at {
            let zeros = match self.levels.last() {
                None => hash(&[0; BLOCK]),
                Some(below) => hash(&below.zeros.repeat(BLOCK / size_of::<Hash>())),
            };
            let (block, count) = (Vec::with_capacity(BLOCK), 0);
            self.levels.push(Level { block, count, zeros });
        }
        &mut self.levels[at]
    }

    /// Puts a digest behind those of a level, and that of each block which is full now behind those of the next.
    fn put(&mut self, mut at: usize, mut digest: Hash) {
        loop {
            let level = self.level(at);
            level.block.extend_from_slice(&digest);
            level.count += 1;
            if level.block.len() < BLOCK {
                return;
            }
            digest = hash(&level.block);
            level.block.clear();
            at += 1;
        }
    }

    /// The same for so many blocks below this level that hold nothing but zeros of the file.
    fn put_zeros(&mut self, at: usize, mut count: u64) {
        while count > 0 {
            let level = self.level(at);
            let whole = count / FAN_OUT;
            if level.block.is_empty() && whole > 0 {
                level.count += whole * FAN_OUT;
                count %= FAN_OUT;
                self.put_zeros(at + 1, whole);
            } else {
                let zeros = level.zeros;
                self.put(at, zeros);
                count -= 1;
            }
        }
    }
}

/// A number of bytes that is less than a block's.
fn below_block(len: u64) -> usize {
    usize::try_from(len).unwrap_or(0)
}

/// The digest of a block; none when it is all zeros, which is sooner seen than hashed.
fn digest(block: &[u8]) -> Option<Hash> {
    static ZEROS: [u8; BLOCK] = [0; BLOCK];
    (*block != ZEROS[..]).then(|| hash(block))
}

/// The SHA-256 of a block, without the buffer that messages of any length need: a file has one for each 4 KiB.
fn hash(block: &[u8]) -> Hash {
    debug_assert_eq!(block.len(), BLOCK);
    let mut state = START;
    compress256(&mut state, block.as_chunks().0);
    compress256(&mut state, &[PADDING]);
    let mut hash = Hash::default();
    for (bytes, word) in hash.as_chunks_mut().0.iter_mut().zip(state) {
        *bytes = word.to_be_bytes();
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The digest as the definition has it: all levels in memory, one after the other.
    fn plainly(bytes: &[u8]) -> Hash {
        let cut = |bytes: &[u8]| -> Vec<u8> {
            let padded = |block: &[u8]| [block, &vec![0; BLOCK - block.len()]].concat();
            bytes
                .chunks(BLOCK)
                .flat_map(|block| Sha256::digest(padded(block)))
                .collect()
        };
        let mut level = cut(bytes);
        while level.len() > 32 {
            level = cut(&level);
        }
        level.resize(64, 0);
        let len = (bytes.len() as u64).to_le_bytes();
        let head = [&[1, 1, 12, 0, 0, 0, 0, 0], &len[..], &level, &[0; 176]].concat();
        Sha256::digest(head).into()
    }

    #[test]
    fn every_border_of_blocks_and_levels() {
        let bytes: Vec<u8> = (0..130 * 4096_u32)
            .flat_map(|word| (word | 1).to_le_bytes())
            .collect();
        let block = BLOCK as u64;
        let lens = [
            0,
            1,
            4095,
            4096,
            4097,
            127 * block,
            128 * block,
            128 * block + 1,
            129 * block,
            300 * block,
            520 * block,
        ];
        for len in lens {
            let part = &bytes[..usize::try_from(len).unwrap()];
            let mut tree = FsVerity::default();
            tree.update(part, None);
            assert_eq!(tree.finish(), plainly(part), "{len}");
        }
    }

    /// However they are cut, they are the same zeros.
    #[test]
    fn long_runs_of_zeros_cost_nothing() {
        let digest = |parts: &[u64]| {
            let mut tree = FsVerity::default();
            tree.update(b"begin", None);
            for part in parts {
                tree.zeros(*part);
            }
            tree.update(b"end", None);
            tree.finish()
        };
        let len = (1 << 60) + 12_345;
        let cut = [4091, 1 << 59, 127 * 4096, 1, 1 << 40, 4095];
        let rest = len - cut.iter().sum::<u64>();
        assert_eq!(digest(&[len]), digest(&[&cut[..], &[rest]].concat()));
        assert_ne!(digest(&[len]), digest(&[len - 1]));
    }

    proptest! {
        #[test]
        fn however_it_comes(parts in prop::collection::vec((any::<bool>(), 0..1_500_000_usize), 0..6), threads in 1..3_usize) {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let (mut tree, mut bytes) = (FsVerity::default(), Vec::new());
            for (zeros, len) in parts {
                if zeros {
                    tree.zeros(len as u64);
                    bytes.resize(bytes.len() + len, 0);
                } else {
                    let part: Vec<u8> = (0..len).map(|at| [0, 1, 2][at / 5000 % 3]).collect();
                    tree.update(&part, (threads > 1).then_some(&pool));
                    bytes.extend(part);
                }
            }
            prop_assert_eq!(tree.finish(), plainly(&bytes));
        }
    }
}
