//! Files that are stored as they are: images that are compressed already.
//!
//! Their blocks are never touched here: the image refers to the files' own contents. Where a content has no data for
//! a whole block, the block takes no space.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use image::{Content, Kind, Layout, NodeId, Tree, show};

use super::ALIGNMENT;
use crate::format::DATA_RAW;
use crate::{Error, Options};

/// All stored files, in the order of their paths.
pub(super) struct Stored {
    files: Vec<StoredFile>,
    by_id: BTreeMap<NodeId, usize>,
    block_size: u32,
}

struct StoredFile {
    path: String,
    content: Content,
    /// What is more than zeros, in whole blocks except at the end.
    data: Vec<Range<u64>>,
    /// Its first byte in the image.
    start: u64,
}

/// What an inode has to say about a file with blocks.
#[derive(Default)]
pub(super) struct Blocks {
    /// The file's first byte in the image.
    pub(super) start: u64,
    /// How many of its bytes are in blocks of zeros.
    pub(super) sparse: u64,
    /// The size words of its blocks.
    pub(super) sizes: Vec<u8>,
}

impl Stored {
    /// Finds out where the files have data, and puts them behind everything else.
    pub(super) fn plan(tree: &Tree, options: &Options, mut end: u64) -> Result<Stored, Error> {
        let mut stored = Stored {
            files: Vec::new(),
            by_id: BTreeMap::new(),
            block_size: options.block_size,
        };
        for (path, id, content) in files(tree, &options.stored) {
            let data = data_blocks(&content, options.block_size.into())?;
            end = end.next_multiple_of(ALIGNMENT);
            let file = StoredFile {
                path,
                content,
                data,
                start: end,
            };
            end += file.stored_len();
            stored.by_id.insert(id, stored.files.len());
            stored.files.push(file);
        }
        Ok(stored)
    }

    /// One past the last byte of all files, or `end` when there are none.
    pub(super) fn end(&self, end: u64) -> u64 {
        let last = self.files.last();
        last.map_or(end, |file| file.start + file.stored_len())
    }

    /// What the inode of a file has to say, if it is stored.
    pub(super) fn blocks(&self, id: NodeId) -> Option<Blocks> {
        let file = self.files.get(*self.by_id.get(&id)?)?;
        let mut blocks = Blocks {
            start: file.start,
            sparse: file.content.len() - file.stored_len(),
            sizes: Vec::new(),
        };
        let mut data = file.data.iter().peekable();
        for start in (0..file.content.len()).step_by(self.block_size as usize) {
            while data.next_if(|run| run.end <= start).is_some() {}
            let len = u32::try_from(file.content.len() - start);
            let word = match data.peek() {
                Some(run) if run.start <= start => {
                    len.map_or(self.block_size, |len| len.min(self.block_size)) | DATA_RAW
                }
                _ => 0,
            };
            blocks.sizes.extend(word.to_le_bytes());
        }
        Some(blocks)
    }

    /// Puts the files' own contents into their places.
    pub(super) fn lay_out(&self, layout: &mut Layout) {
        for file in &self.files {
            let whole = Arc::new(file.content.clone());
            let mut start = file.start;
            for run in &file.data {
                let len = run.end - run.start;
                layout.put(start, format!("stored {}", file.path), part(&whole, run));
                start += len;
            }
        }
    }
}

impl StoredFile {
    /// What it takes in the image.
    fn stored_len(&self) -> u64 {
        self.data.iter().map(|run| run.end - run.start).sum()
    }
}

/// What stored files take at most, whatever they hold.
pub(super) fn at_most(tree: &Tree, options: &Options) -> u64 {
    let lens = files(tree, &options.stored)
        .into_iter()
        .map(|(_, _, content)| content.len());
    lens.map(|len| len.next_multiple_of(ALIGNMENT)).sum()
}

/// Checks that the format can count the files' blocks, so that lists of them stay within bounds.
pub(super) fn check(tree: &Tree, options: &Options) -> Result<(), Error> {
    let blocks = files(tree, &options.stored)
        .into_iter()
        .map(|(_, _, content)| content.len().div_ceil(options.block_size.into()))
        .fold(0_u64, u64::saturating_add);
    let limit = u64::from(u32::MAX);
    if blocks > limit {
        return Err(Error::TooMany {
            what: "stored blocks".into(),
            count: blocks,
            limit,
        });
    }
    Ok(())
}

/// The stored files by their first paths, without empty ones: these have no blocks.
fn files(tree: &Tree, stored: &BTreeSet<NodeId>) -> Vec<(String, NodeId, Content)> {
    let mut found = Vec::new();
    if stored.is_empty() {
        return found;
    }
    let mut left = stored.clone();
    for entry in tree.walk() {
        if let Kind::File(content) = &tree.node(entry.id).kind
            && left.remove(&entry.id)
            && !content.is_empty()
        {
            found.push((show(&entry.path), entry.id, content.clone()));
        }
    }
    found
}

/// The runs of blocks that have data.
fn data_blocks(content: &Content, block_size: u64) -> Result<Vec<Range<u64>>, Error> {
    let mut blocks: Vec<Range<u64>> = Vec::new();
    for run in content.data_runs()? {
        let start = run.start / block_size * block_size;
        let end = run.end.next_multiple_of(block_size).min(content.len());
        match blocks.last_mut() {
            Some(last) if last.end >= start => last.end = end,
            _ => blocks.push(start..end),
        }
    }
    Ok(blocks)
}

/// A part of a content. A file's gaps would promise nothing, so an image is one run of bytes here.
fn part(whole: &Arc<Content>, run: &Range<u64>) -> Content {
    let len = run.end - run.start;
    match &**whole {
        Content::Span { source, start, .. } => Content::Span {
            source: Arc::clone(source),
            start: start + run.start,
            len,
        },
        Content::Zeros(_) => Content::Zeros(len),
        Content::Bytes(_) | Content::File(_) | Content::Spooled(_) if len == whole.len() => {
            Content::clone(whole)
        }
        Content::Bytes(_) | Content::File(_) | Content::Spooled(_) | Content::Image(_) => Content::Span {
            source: Arc::clone(whole) as _,
            start: run.start,
            len,
        },
    }
}
