//! Which blocks of a disk are stored: those that more than zeros touch.

use std::ops::Range;

use image::{Content, Image, Layout};

use crate::Result;

/// Runs of blocks, by their numbers: sorted, and none touches another.
#[derive(Debug, Default)]
pub(crate) struct Present {
    runs: Vec<Range<u64>>,
}

impl Present {
    /// The blocks of this many bytes that an image has more than zeros in. The answer depends on the image's bytes and extents
    /// alone, not on what a host knows of them.
    pub(crate) fn of(image: &Image, block: u64) -> Result<Present> {
        let mut present = Present::default();
        present.look(image, 0, block)?;
        Ok(present)
    }

    /// The blocks that an extent touches: somebody relies on what they hold, be it zeros.
    pub(crate) fn extents_of(image: &Image, block: u64) -> Present {
        let mut present = Present::default();
        present.look_at_extents(image, 0, block);
        present
    }

    fn look_at_extents(&mut self, image: &Image, base: u64, block: u64) {
        for extent in image.extents() {
            match &extent.content {
                Content::Image(inner) => self.look_at_extents(inner, base + extent.start, block),
                _ => self.add(base + extent.start..base + extent.end(), block),
            }
        }
    }

    fn look(&mut self, image: &Image, base: u64, block: u64) -> Result<()> {
        for extent in image.extents() {
            let start = base + extent.start;
            match &extent.content {
                Content::Image(inner) => self.look(inner, start, block)?,
                Content::Zeros(_) => {}
                // What was spooled in parts was made to be there.
                Content::Span { len, .. } => self.add(start..start + len, block),
                content @ (Content::Bytes(_) | Content::File(_) | Content::Spooled(_)) => {
                    for run in content.data_runs()? {
                        self.add(start + run.start..start + run.end, block);
                    }
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, bytes: Range<u64>, block: u64) {
        let run = bytes.start / block..bytes.end.div_ceil(block);
        match self.runs.last_mut() {
            Some(last) if run.start <= last.end => last.end = last.end.max(run.end),
            _ => self.runs.push(run),
        }
    }

    /// The runs.
    pub(crate) fn runs(&self) -> &[Range<u64>] {
        &self.runs
    }

    /// Each block, in their order.
    pub(crate) fn blocks(&self) -> impl Iterator<Item = u64> {
        self.runs.iter().cloned().flatten()
    }

    /// How many blocks.
    pub(crate) fn count(&self) -> u64 {
        self.runs.iter().map(|run| run.end - run.start).sum()
    }

    /// Which groups of this many blocks have one.
    pub(crate) fn groups(&self, blocks: u64) -> Present {
        let mut groups = Present::default();
        for run in &self.runs {
            groups.add(run.clone(), blocks);
        }
        groups
    }

    /// Puts the blocks from a place on, one behind the other. They are slices of the disk.
    pub(crate) fn put(&self, layout: &mut Layout, image: &Image, block: u64, mut start: u64) {
        for run in &self.runs {
            let bytes = run.start * block..(run.end * block).min(image.size());
            layout.put_all(start, image.slice(bytes));
            start += (run.end - run.start) * block;
        }
    }
}
