//! Data become a tree and a root hash.

use std::ops::Range;

use image::{Content, Image, Layout, Spool};
use rayon::prelude::*;

use crate::levels::{Level, data_blocks, levels};
use crate::superblock::Superblock;
use crate::{
    BLOCK, BLOCK_SIZE, DIGEST, Error, FAN_OUT, Options, SUPERBLOCK_SIZE, Salted, Work, is_zero, pool,
};

/// The data under one block of level 0: what a thread hashes at once.
const CHUNK: u64 = FAN_OUT * BLOCK_SIZE;

/// How many chunks a thread hashes before the threads wait for each other.
const CHUNKS_PER_THREAD: u64 = 8;

/// A tree.
#[derive(Clone, Debug)]
pub struct Planned {
    /// The digest of the top block: whoever trusts it can trust the data.
    pub root: [u8; 32],
    /// The superblock if asked for, and the tree, top level first. Without a superblock, the tree of one block of data
    /// has no bytes.
    pub image: Image,
    /// How many blocks of [`BLOCK_SIZE`] bytes the data have.
    pub data_blocks: u64,
}

/// Makes the tree of data. They are read once; of images, holes and zeros are not read at all.
///
/// # Errors
/// When the data are not whole blocks or none, the salt is too long, or the data cannot be read or the spool written.
pub fn plan(data: &Content, options: &Options, work: &Work) -> Result<Planned, Error> {
    let salted = Salted::new(&options.salt)?;
    let data_blocks = data_blocks(data.len())?;
    let levels = levels(data_blocks);
    let store = match work.spool {
        Some(spool) => Store::Spool(spool),
        None => Store::Memory(vec![Vec::new(); levels.len()]),
    };
    let mut tree = Tree {
        open: vec![Vec::with_capacity(BLOCK); levels.len()],
        written: vec![0; levels.len()],
        root: [0; DIGEST],
        salted: &salted,
        levels: &levels,
        store,
    };
    work.progress.begin("hashing", data.len());
    if data_blocks == 1 {
        tree.root = salted.digest(&read(data, 0, BLOCK_SIZE)?);
        work.progress.advance(BLOCK_SIZE)?;
    } else {
        hash_data(data, &mut tree, work)?;
    }
    let root = tree.root;
    let image = tree.lay_out(options, data_blocks)?;
    Ok(Planned {
        root,
        image,
        data_blocks,
    })
}

/// Hashes the data in parallel and hands the blocks of level 0 to the tree, in order.
fn hash_data(data: &Content, tree: &mut Tree, work: &Work) -> Result<(), Error> {
    let salted = tree.salted;
    let likely = likely_data(data);
    let chunks = data.len().div_ceil(CHUNK);
    let step = CHUNKS_PER_THREAD * work.threads.clamp(1, 1024) as u64;
    let pool = pool(work.threads)?;
    let mut first = 0;
    while first < chunks {
        let last = chunks.min(first + step);
        let hash = |chunk: u64| {
            let range = chunk * CHUNK..data.len().min((chunk + 1) * CHUNK);
            let block = hash_chunk(data, &range, &likely, salted)?;
            work.progress.advance(range.end - range.start)?;
            let digest = salted.digest(&block);
            Ok((block, digest))
        };
        let blocks: Vec<(Vec<u8>, [u8; DIGEST])> = pool.install(|| {
            let hashed = (first..last).into_par_iter().map(hash);
            hashed.collect::<Result<_, Error>>()
        })?;
        for (block, digest) in blocks {
            tree.put(0, &block)?;
            tree.add(1, digest)?;
        }
        first = last;
    }
    tree.finish()
}

/// The block of level 0 with the digests of a chunk.
fn hash_chunk(
    data: &Content,
    range: &Range<u64>,
    likely: &[Range<u64>],
    salted: &Salted,
) -> Result<Vec<u8>, Error> {
    let mut block = Vec::with_capacity(BLOCK);
    let next = likely.partition_point(|run| run.end <= range.start);
    if likely.get(next).is_some_and(|run| run.start < range.end) {
        let bytes = read(data, range.start, range.end - range.start)?;
        for data_block in bytes.chunks(BLOCK) {
            block.extend_from_slice(&salted.digest(data_block));
        }
    } else {
        for _ in 0..(range.end - range.start) / BLOCK_SIZE {
            block.extend_from_slice(&salted.zeros);
        }
    }
    block.resize(BLOCK, 0);
    Ok(block)
}

/// Some bytes of the data, which are at most a chunk.
fn read(data: &Content, start: u64, len: u64) -> Result<Vec<u8>, Error> {
    let mut bytes = vec![0; usize::try_from(len.min(CHUNK)).unwrap_or(0)];
    let mut reader = data.reader()?;
    reader.skip(start);
    reader.fill(&mut bytes)?;
    reader.finish()?;
    Ok(bytes)
}

/// Ranges outside of which everything is zeros for sure, as far as that costs no reading.
fn likely_data(data: &Content) -> Vec<Range<u64>> {
    let mut found: Vec<Range<u64>> = Vec::new();
    add_likely_data(data, 0, &mut found);
    found
}

fn add_likely_data(data: &Content, base: u64, found: &mut Vec<Range<u64>>) {
    match data {
        Content::Zeros(_) => {}
        Content::Image(image) => {
            for extent in image.extents() {
                add_likely_data(&extent.content, base + extent.start, found);
            }
        }
        Content::Bytes(bytes) if is_zero(bytes) => {}
        Content::Bytes(_) | Content::File(_) | Content::Span { .. } | Content::Spooled(_) => {
            let end = base + data.len();
            match found.last_mut() {
                Some(last) if last.end == base => last.end = end,
                _ => found.push(base..end),
            }
        }
    }
}

/// A tree that grows from its first leaf to its root.
struct Tree<'a> {
    salted: &'a Salted,
    levels: &'a [Level],
    /// The block of each level that is being filled; of no meaning for level 0, whose blocks come whole.
    open: Vec<Vec<u8>>,
    /// How many blocks of each level are in the store.
    written: Vec<u64>,
    store: Store<'a>,
    root: [u8; DIGEST],
}

/// Where the blocks of the levels are kept.
enum Store<'a> {
    /// All of them, where they lie in the tree.
    Spool(&'a Spool),
    /// The bytes of each level.
    Memory(Vec<Vec<u8>>),
}

impl Tree<'_> {
    /// Adds a digest to a level; what is complete goes into the store and its digest to the level above.
    fn add(&mut self, level: usize, digest: [u8; DIGEST]) -> Result<(), Error> {
        let Some(open) = self.open.get_mut(level) else {
            self.root = digest;
            return Ok(());
        };
        open.extend_from_slice(&digest);
        if open.len() == BLOCK {
            self.close(level)?;
        }
        Ok(())
    }

    /// Fills up the open block of a level with zeros, and puts it away.
    fn close(&mut self, level: usize) -> Result<(), Error> {
        let Some(open) = self.open.get_mut(level) else {
            return Ok(());
        };
        let mut block = std::mem::take(open);
        block.resize(BLOCK, 0);
        self.put(level, &block)?;
        let digest = self.salted.digest(&block);
        block.clear();
        self.open[level] = block;
        self.add(level + 1, digest)
    }

    /// Closes what is open, from the lowest level up.
    fn finish(&mut self) -> Result<(), Error> {
        for level in 0..self.levels.len() {
            if self.open.get(level).is_some_and(|open| !open.is_empty()) {
                self.close(level)?;
            }
        }
        Ok(())
    }

    /// Puts the next block of a level into the store.
    fn put(&mut self, level: usize, block: &[u8]) -> Result<(), Error> {
        let start = self.written[level] * BLOCK_SIZE;
        self.written[level] += 1;
        match &mut self.store {
            Store::Spool(spool) => spool.write_at(block, self.levels[level].start + start)?,
            Store::Memory(levels) => levels[level].extend_from_slice(block),
        }
        Ok(())
    }

    fn lay_out(self, options: &Options, data_blocks: u64) -> Result<Image, Error> {
        let mut layout = Layout::new();
        let mut base = 0;
        if let Some(uuid) = options.superblock {
            let superblock = Superblock {
                uuid,
                data_blocks,
                salt: options.salt.clone(),
            };
            layout.put(0, "superblock", superblock.to_block()?);
            base = SUPERBLOCK_SIZE;
        }
        let mut size = base;
        let mut contents: Vec<Content> = match self.store {
            Store::Spool(spool) => {
                let span = |level: &Level| spool.span(level.start, level.blocks * BLOCK_SIZE);
                self.levels.iter().map(span).collect()
            }
            Store::Memory(levels) => levels.into_iter().map(Content::from).collect(),
        };
        for (number, level) in self.levels.iter().enumerate().rev() {
            let content = contents.pop().unwrap_or(Content::Zeros(0));
            size += content.len();
            layout.put(base + level.start, format!("level {number}"), content);
        }
        Ok(layout.finish(size)?)
    }
}
