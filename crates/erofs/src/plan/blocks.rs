//! Clusters: how they are made and looked at.

use cache::cut::{Cut, Job, is_zero};
use cache::{Depth, Output};
use image::{Progress, Tree};

use crate::compress::Compressor;
use crate::decompress::Decompressor;
use crate::format::BLOCK_LEN;
use crate::segment::Stored;
use crate::{Error, Options, Profile, Result};

/// How many bytes are compressed: of small files, the zeros behind them count.
fn input_len(job: &Job) -> u32 {
    match job {
        Job::Block { len, .. } => *len,
        Job::Fragment { len, .. } => len.next_multiple_of(4096),
    }
}

/// All clusters of an image.
pub(super) struct Blocks<'a> {
    pub(super) tree: &'a Tree,
    pub(super) cut: &'a Cut,
    pub(super) options: &'a Options,
    pub(super) number: u8,
}

/// Compresses clusters.
pub(super) struct Maker {
    compressor: Compressor,
    input: Vec<u8>,
}

impl Blocks<'_> {
    fn job(&self, block: usize) -> &Job {
        &self.cut.jobs[block]
    }

    /// Whether it can be one of the clusters of zeros, which all are as long.
    fn can_be_zeros(&self, job: &Job) -> bool {
        matches!(job, Job::Block { .. }) && job.len() == self.options.cluster
    }
}

impl cache::Blocks for Blocks<'_> {
    type Error = Error;
    type Compressor = Maker;
    type Decompressor = Decompressor;
    type Note = ();

    fn compressor(&self) -> Result<Maker> {
        Ok(Maker {
            compressor: Compressor::new(self.options.compression, self.options.profile),
            input: Vec::new(),
        })
    }

    fn decompressor(&self) -> Result<Decompressor> {
        Ok(Decompressor::default())
    }

    fn len(&self, block: usize) -> u32 {
        self.job(block).len().next_multiple_of(4096)
    }

    fn stored_len(&self, block: usize, word: u32) -> Option<u32> {
        let (job, stored) = (self.job(block), Stored::of_word(word)?);
        let (len, profile) = (input_len(job), self.options.profile);
        let is_as_long = match (profile, stored.len) {
            (Profile::Portable, Some(said)) => said == len,
            (Profile::Modern, None) => {
                stored.stored < len || stored.algorithm.is_none() && stored.stored == len
            }
            _ => false,
        };
        let is_possible = is_as_long
            && stored.algorithm.is_none_or(|number| number == self.number)
            && (stored.stored > 0 || self.can_be_zeros(job));
        is_possible.then_some(stored.stored)
    }

    fn make(&self, block: usize, maker: &mut Maker, progress: &dyn Progress) -> Result<Output<()>> {
        let Maker { compressor, input } = maker;
        let job = self.job(block);
        self.cut.read(self.tree, job, input)?;
        progress.advance(u64::from(cache::Blocks::len(self, block)))?;
        input.resize(input_len(job) as usize, 0);
        let (algorithm, bytes) = if self.can_be_zeros(job) && is_zero(input) {
            (Some(self.number), Vec::new())
        } else if let Some(bytes) = compressor.compress(input)? {
            (Some(self.number), bytes.to_vec())
        } else {
            if self.options.profile == Profile::Portable {
                input.resize(input.len().next_multiple_of(BLOCK_LEN), 0);
            }
            (None, std::mem::take(input))
        };
        let stored = Stored {
            len: (self.options.profile == Profile::Portable).then(|| input_len(job)),
            algorithm,
            stored: u32::try_from(bytes.len()).unwrap_or(u32::MAX),
        };
        let word = stored.word();
        Ok(Output {
            word,
            bytes,
            note: (),
        })
    }

    fn look(
        &self,
        block: usize,
        word: u32,
        stored: &[u8],
        decompressor: &mut Decompressor,
        depth: Depth,
    ) -> Result<Result<(), String>> {
        let job = self.job(block);
        let Some(is_word) = Stored::of_word(word) else {
            return Ok(Err(format!("it has a cluster of a kind {word:x}")));
        };
        let mut bytes = vec![0; input_len(job) as usize];
        if is_word.algorithm.is_none() {
            bytes = stored.to_vec();
        } else if depth != Depth::Outside
            && is_word.stored > 0
            && let Err(problem) = decompressor.decompress(self.number, stored, &mut bytes)
        {
            return Ok(Err(problem));
        }
        if depth != Depth::Compared {
            return Ok(Ok(()));
        }
        let mut wanted = Vec::new();
        self.cut.read(self.tree, job, &mut wanted)?;
        wanted.resize(bytes.len(), 0);
        Ok(if bytes == wanted {
            Ok(())
        } else {
            Err("it holds something else than the files that belong there".to_string())
        })
    }
}
