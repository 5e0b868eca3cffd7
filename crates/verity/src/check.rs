//! Whether data and tree are those that a root hash vouches for.

use image::ReadAt;
use rayon::prelude::*;

use crate::error::{Parent, Part};
use crate::levels::{data_blocks, levels, tree_size};
use crate::{BLOCK, BLOCK_SIZE, DIGEST, Error, FAN_OUT, Salted, Work, is_zero, pool};

/// How many blocks of digests a thread checks before the threads wait for each other.
const BLOCKS_PER_THREAD: u64 = 8;

/// A part of something that can be read.
#[derive(Clone, Copy, Debug)]
pub struct Area<'a> {
    /// What it is a part of.
    pub source: &'a dyn ReadAt,
    /// Its first byte.
    pub start: u64,
    /// How many bytes.
    pub len: u64,
}

/// Checks data and their tree, without a superblock, against a root hash: every block of both, and the zeros behind
/// the last digest of each level. Goes from the root hash down to the data, and names the first block that is wrong.
///
/// # Errors
/// When the lengths do not fit together, something cannot be read, or a block is not the one that the root hash
/// vouches for.
pub fn check(data: Area, tree: Area, root: &[u8; 32], salt: &[u8], work: &Work) -> Result<(), Error> {
    let salted = Salted::new(salt)?;
    let data_blocks = data_blocks(data.len)?;
    let wanted = tree_size(data.len);
    if tree.len != wanted {
        return Err(Error::TreeLen {
            len: tree.len,
            data_len: data.len,
            wanted,
        });
    }
    let mut layers = vec![Layer {
        part: Part::Data,
        source: data.source,
        start: data.start,
        blocks: data_blocks,
    }];
    for (number, level) in levels(data_blocks).iter().enumerate() {
        layers.push(Layer {
            part: Part::Level(number),
            source: tree.source,
            start: tree.start.saturating_add(level.start),
            blocks: level.blocks,
        });
    }
    work.progress.begin("checking", data.len.saturating_add(tree.len));
    if let Some(top) = layers.last() {
        let block = top.read(0, 1)?;
        top.compare(0, &block, root, Parent::Root, &salted)?;
        work.progress.advance(BLOCK_SIZE)?;
    }
    let pool = pool(work.threads)?;
    for pair in layers.windows(2).rev() {
        let [below, above] = pair else { continue };
        pool.install(|| check_layer(below, above, &salted, work))?;
    }
    Ok(())
}

/// The root hash of a tree without a superblock: the digest of the block at its top. It vouches for the data once somebody
/// vouches for it.
///
/// # Errors
/// When the salt is too long, or the tree's first block cannot be read.
pub fn root(tree: Area, salt: &[u8]) -> Result<[u8; 32], Error> {
    let salted = Salted::new(salt)?;
    let top = Layer {
        part: Part::Level(0),
        source: tree.source,
        start: tree.start,
        blocks: 1,
    };
    Ok(salted.digest(&top.read(0, 1)?))
}

/// The data, or a level of the tree.
struct Layer<'a> {
    part: Part,
    source: &'a dyn ReadAt,
    start: u64,
    blocks: u64,
}

impl Layer<'_> {
    fn read(&self, first: u64, count: u64) -> Result<Vec<u8>, Error> {
        let count = usize::try_from(count.min(FAN_OUT)).unwrap_or(0);
        let start = self.block_start(first);
        let mut bytes = vec![0; count * BLOCK];
        let read = self.source.read_exact_at(&mut bytes, start);
        let failed = |source| Error::Read {
            part: self.part,
            start,
            source,
        };
        read.map(|()| bytes).map_err(failed)
    }

    fn block_start(&self, block: u64) -> u64 {
        self.start.saturating_add(block.saturating_mul(BLOCK_SIZE))
    }

    fn compare(
        &self,
        block: u64,
        bytes: &[u8],
        digest: &[u8],
        parent: Parent,
        salted: &Salted,
    ) -> Result<(), Error> {
        if salted.digest(bytes) == digest {
            return Ok(());
        }
        Err(Error::Mismatch {
            part: self.part,
            block,
            start: self.block_start(block),
            parent,
        })
    }
}

/// Checks all blocks of a layer against the digests that the layer above has, which was checked before.
fn check_layer(below: &Layer, above: &Layer, salted: &Salted, work: &Work) -> Result<(), Error> {
    let step = BLOCKS_PER_THREAD * work.threads.clamp(1, 1024) as u64;
    let mut first = 0;
    while first < above.blocks {
        let last = above.blocks.min(first + step);
        let checked: Vec<Result<(), Error>> = (first..last)
            .into_par_iter()
            .map(|block| check_block(below, above, block, salted, work))
            .collect();
        // The first of them, whichever thread was faster.
        checked.into_iter().collect::<Result<(), Error>>()?;
        first = last;
    }
    Ok(())
}

/// Checks the blocks whose digests one block has.
fn check_block(below: &Layer, above: &Layer, block: u64, salted: &Salted, work: &Work) -> Result<(), Error> {
    let digests = above.read(block, 1)?;
    let first = block * FAN_OUT;
    let count = FAN_OUT.min(below.blocks - first);
    let bytes = below.read(first, count)?;
    let parent = match above.part {
        Part::Level(level) => Parent::Level(level),
        Part::Data => Parent::Root,
    };
    let mut digests = digests.chunks_exact(DIGEST);
    for ((number, bytes), digest) in (first..).zip(bytes.chunks_exact(BLOCK)).zip(&mut digests) {
        below.compare(number, bytes, digest, parent, salted)?;
    }
    if !digests.all(is_zero) {
        return Err(Error::Padding {
            part: above.part,
            block,
            start: above.block_start(block),
        });
    }
    work.progress.advance(count * BLOCK_SIZE)?;
    Ok(())
}
