//! Which parts of a content are more than zeros.

mod probe;

use std::fs::File;
use std::ops::Range;

use rayon::prelude::*;
use rustix::fs::SeekFrom;

use crate::content::{Content, DataRuns};
use crate::error::Result;
use crate::extents::Image;

/// The unit in which data and zeros are told apart.
const BLOCK: usize = 4096;
const BLOCK_BYTES: u64 = BLOCK as u64;

/// Shorter runs of zeros count as data: a hole has to be worth its entry in a list of extents.
const HOLE_MIN: u64 = 64 << 10;

/// How many bytes are looked at at once.
const CHUNK: usize = 1 << 20;

impl Content {
    /// The ranges of bytes that are more than zeros, in whole blocks of 4096 bytes except at the end. Runs of zeros
    /// of less than 64 KiB count as data, unless nothing but zeros comes before or after them.
    ///
    /// The answer depends on the bytes alone. What a host's file system knows of holes only saves reading them, and
    /// a host file that was read to its end before is not read again. Of others, one block in sixteen is read where that
    /// is more than zeros.
    ///
    /// # Errors
    /// When reading fails, or a host file is not the planned one.
    pub fn data_runs(&self) -> Result<Vec<Range<u64>>> {
        let at_hand = match self {
            Content::Span { source, .. } => source.is_at_hand(),
            _ => true,
        };
        if self.len() <= BLOCK_BYTES || !at_hand {
            // Not worth a look: it takes a block, or none. What cannot be looked at counts as data.
            return Ok(std::iter::once(0..self.len())
                .filter(|run| !run.is_empty())
                .collect());
        }
        if let Some(runs) = self.known_runs().and_then(|known| known.get()) {
            return Ok(runs.to_vec());
        }
        let likely = self.likely_data()?;
        let runs = match (self, likely.as_slice()) {
            (Content::File(_) | Content::Spooled(_), [whole]) if *whole == (0..self.len()) => {
                probe::data_runs(self)?
            }
            _ => {
                let mut finder = Finder::default();
                for part in likely {
                    let start = (part.start / BLOCK_BYTES * BLOCK_BYTES).max(finder.position);
                    let end = part.end.next_multiple_of(BLOCK_BYTES).min(self.len());
                    finder.position = start;
                    finder = self.look(end, finder)?;
                }
                finder.runs
            }
        };
        if let Some(known) = self.known_runs() {
            let _ = known.set(runs.clone().into());
        }
        Ok(runs)
    }

    /// The same without reading anything outside of memory; none when that cannot tell, and none of zeros that may stand for
    /// something whose bytes are not made yet.
    #[must_use]
    pub fn known_data_runs(&self) -> Option<Vec<Range<u64>>> {
        let known = self.known_runs().and_then(|known| known.get());
        match self {
            Content::Zeros(1..) => None,
            Content::Bytes(_) => self.data_runs().ok(),
            _ if self.len() <= BLOCK_BYTES => self.data_runs().ok(),
            _ => known.map(|runs| runs.to_vec()),
        }
    }

    /// Ranges outside of which everything is zeros for sure.
    fn likely_data(&self) -> Result<Vec<Range<u64>>> {
        match self {
            Content::Zeros(_) => Ok(Vec::new()),
            Content::Image(image) => Ok(image_data(image)),
            Content::File(host) => Ok(file_data(&host.open()?, self.len())),
            Content::Bytes(_) | Content::Span { .. } | Content::Spooled(_) => {
                Ok(std::iter::once(0..self.len()).collect())
            }
        }
    }

    /// Looks at everything from the finder's position on.
    fn look(&self, end: u64, mut finder: Finder) -> Result<Finder> {
        let mut reader = self.reader()?;
        reader.skip(finder.position);
        let left = usize::try_from(end.saturating_sub(finder.position)).unwrap_or(CHUNK);
        let mut chunk = vec![0; left.min(CHUNK)];
        while finder.position < end {
            let wanted =
                usize::try_from(end - finder.position).map_or(chunk.len(), |left| left.min(chunk.len()));
            let len = reader.fill(&mut chunk[..wanted])?;
            finder.add(&chunk[..len]);
        }
        reader.finish()?;
        Ok(finder)
    }
}

/// Looks for the data of many contents at once, so that each answers [`Content::data_runs`] without reading. What fails here
/// fails there.
pub fn find_data_runs<'a>(contents: impl Iterator<Item = &'a Content>) {
    let unknown = |content: &&Content| {
        let known = content.known_runs();
        content.len() > BLOCK_BYTES && known.is_some_and(|known| known.get().is_none())
    };
    let unknown: Vec<&Content> = contents.filter(unknown).collect();
    unknown.par_iter().for_each(|content| drop(content.data_runs()));
}

/// Finds data in bytes that come in order.
#[derive(Debug, Default)]
pub(crate) struct Finder {
    position: u64,
    runs: Vec<Range<u64>>,
}

impl Finder {
    /// A finder for a file of which nothing is known, and that is worth a look.
    pub(crate) fn wanted(known: &DataRuns, len: u64) -> Option<Finder> {
        (len > BLOCK_BYTES && known.get().is_none()).then(Finder::default)
    }

    /// Looks at the next bytes. A reader whose buffer holds parts of blocks learns nothing.
    pub(crate) fn see(mut self, bytes: &[u8]) -> Option<Finder> {
        if !self.position.is_multiple_of(BLOCK_BYTES) && !bytes.is_empty() {
            return None;
        }
        self.add(bytes);
        Some(self)
    }

    /// Remembers what was found, when all of the file was seen.
    pub(crate) fn teach(self, known: &DataRuns, len: u64) {
        if self.position == len {
            let _ = known.set(self.runs.into());
        }
    }

    fn add(&mut self, bytes: &[u8]) {
        const ZEROS: [u8; BLOCK] = [0; BLOCK];
        for block in bytes.chunks(BLOCK) {
            let end = self.position + block.len() as u64;
            if *block != ZEROS[..block.len()] {
                match self.runs.last_mut() {
                    Some(last) if self.position - last.end < HOLE_MIN => last.end = end,
                    _ => self.runs.push(self.position..end),
                }
            }
            self.position = end;
        }
    }
}

/// Finds where a file has more than zeros while its bytes come in pieces of any length.
#[derive(Debug, Default)]
pub struct DataFinder {
    finder: Finder,
    /// The begin of a block whose rest has not come yet.
    block: Vec<u8>,
}

impl DataFinder {
    /// Looks at the next bytes.
    pub fn see(&mut self, mut bytes: &[u8]) {
        if !self.block.is_empty() {
            let missing = (BLOCK - self.block.len()).min(bytes.len());
            self.block.extend_from_slice(&bytes[..missing]);
            bytes = &bytes[missing..];
            if self.block.len() < BLOCK {
                return;
            }
            self.finder.add(&self.block);
            self.block.clear();
        }
        let whole = bytes.len() / BLOCK * BLOCK;
        self.finder.add(&bytes[..whole]);
        self.block.extend_from_slice(&bytes[whole..]);
    }

    pub(crate) fn finish(mut self) -> Vec<Range<u64>> {
        self.finder.add(&self.block);
        self.finder.runs
    }
}

/// The extents of an image. Those of images inside it are looked at when it is read.
fn image_data(image: &Image) -> Vec<Range<u64>> {
    let data = image.extents().iter();
    data.filter(|extent| !matches!(extent.content, Content::Zeros(_)))
        .map(|extent| extent.start..extent.end())
        .collect()
}

/// What the host's file system does not know to be a hole; everything where it knows nothing of holes.
fn file_data(file: &File, len: u64) -> Vec<Range<u64>> {
    let mut data = Vec::new();
    let mut end = 0;
    while end < len {
        let Ok(start) = rustix::fs::seek(file, SeekFrom::Data(end)) else {
            // No more data, or a file system that cannot tell.
            if data.is_empty() && end == 0 && rustix::fs::seek(file, SeekFrom::Hole(0)).is_err() {
                data.push(0..len);
            }
            break;
        };
        end = rustix::fs::seek(file, SeekFrom::Hole(start))
            .unwrap_or(len)
            .min(len);
        if start < end {
            data.push(start..end);
        } else {
            break;
        }
    }
    data
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use super::*;
    use crate::extents::Layout;

    fn runs(content: &Content) -> Vec<Range<u64>> {
        content.data_runs().unwrap()
    }

    #[test]
    fn short_runs_of_zeros_are_data() {
        let mut bytes = vec![0; 400_000];
        for place in [4096, 4096 + 65536, 8192 + 3 * 65536, 399_999] {
            bytes[place] = 1;
        }
        let wanted = [4096..4096 + 65536 + 4096, 204_800..208_896, 397_312..400_000];
        assert_eq!(runs(&bytes.clone().into()), wanted);
        assert_eq!(runs(&Content::Zeros(1 << 40)), []);
        assert_eq!(runs(&Content::Zeros(4096)).len(), 1, "not worth a look");
        let mut layout = Layout::new();
        layout.put(10_000, "x", bytes);
        layout.put(1 << 40, "y", &b"1"[..]);
        let image = layout.finish((1 << 40) + 5000).unwrap();
        let found = runs(&image.into());
        assert_eq!(found.first().map(|run| run.start), Some(3 * 4096));
        assert_eq!(found.last(), Some(&((1 << 40)..(1 << 40) + 4096)));
    }

    #[test]
    fn pieces_of_any_length_tell_the_same() {
        let mut bytes = vec![0; 300_000];
        for place in [5, 4096, 150_000, 299_999] {
            bytes[place] = 1;
        }
        for len in [1, 7, 4095, 4096, 4097, 100_000, 300_000] {
            let mut finder = DataFinder::default();
            bytes.chunks(len).for_each(|piece| finder.see(piece));
            assert_eq!(finder.finish(), runs(&bytes.clone().into()), "{len}");
        }
    }

    #[test]
    fn holes_of_the_host_change_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let holes = dir.path().join("holes");
        let file = File::create(&holes).unwrap();
        file.write_all_at(b"1", 1 << 20).unwrap();
        file.write_all_at(&vec![0; 1 << 20], 2 << 20).unwrap();
        file.set_len(8 << 20).unwrap();
        let full = dir.path().join("full");
        std::fs::write(&full, std::fs::read(&holes).unwrap()).unwrap();
        let wanted = std::iter::once((1 << 20)..(1 << 20) + 4096).collect::<Vec<_>>();
        for path in [holes, full] {
            assert_eq!(runs(&Content::host_file(&path).unwrap()), wanted);
            let read = Content::host_file(&path).unwrap();
            read.to_vec().unwrap();
            std::fs::remove_file(&path).unwrap();
            assert_eq!(runs(&read), wanted, "known from reading it");
        }
    }
}
