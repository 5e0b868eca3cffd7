//! Which parts of a content are more than zeros.

use std::fs::File;
use std::ops::Range;

use rustix::fs::SeekFrom;

use crate::content::Content;
use crate::error::Result;
use crate::extents::Image;

/// How many bytes are looked at at once.
const CHUNK: u64 = 1 << 20;

/// What blocks are compared with.
const ZEROS: [u8; 4096] = [0; 4096];

impl Content {
    /// The ranges of bytes that are more than zeros, in whole blocks of `block` bytes (a divisor of 1 MiB and at most
    /// 4096) except at the end. Runs of zeros shorter than `least` bytes count as data, unless nothing but zeros
    /// comes before or after them.
    ///
    /// The answer depends on the bytes alone. What a host's file system knows of holes only saves reading them.
    ///
    /// # Errors
    /// When reading fails, or a host file is not the planned one.
    pub fn data_runs(&self, block: u64, least: u64) -> Result<Vec<Range<u64>>> {
        if self.len() <= block {
            // Not worth a look: it takes a block, or none.
            return Ok(std::iter::once(0..self.len())
                .filter(|run| !run.is_empty())
                .collect());
        }
        let mut runs = Runs {
            least,
            found: Vec::new(),
        };
        for part in self.likely_data()? {
            let start = part.start / block * block;
            let start = runs
                .found
                .last()
                .map_or(start, |run: &Range<u64>| start.max(run.end));
            let end = part.end.next_multiple_of(block).min(self.len());
            self.look(start..end, block, &mut runs)?;
        }
        Ok(runs.found)
    }

    /// Ranges outside of which everything is zeros for sure.
    fn likely_data(&self) -> Result<Vec<Range<u64>>> {
        match self {
            Content::Zeros(_) => Ok(Vec::new()),
            Content::Image(image) => Ok(image_data(image)),
            Content::File(host) => Ok(file_data(&host.open()?, self.len())),
            Content::Bytes(_) | Content::Span { .. } => Ok(std::iter::once(0..self.len()).collect()),
        }
    }

    fn look(&self, range: Range<u64>, block: u64, runs: &mut Runs) -> Result<()> {
        let mut reader = self.reader()?;
        reader.skip(range.start);
        let mut chunk =
            vec![0; usize::try_from(CHUNK.min(range.end.saturating_sub(range.start))).unwrap_or(0)];
        let mut start = range.start;
        while start < range.end {
            let wanted = usize::try_from(range.end - start).map_or(chunk.len(), |left| left.min(chunk.len()));
            let len = reader.fill(&mut chunk[..wanted])?;
            for piece in chunk[..len].chunks(usize::try_from(block).unwrap_or(ZEROS.len())) {
                let end = start + piece.len() as u64;
                if ZEROS.get(..piece.len()) != Some(piece) {
                    runs.add(start..end);
                }
                start = end;
            }
        }
        reader.finish()
    }
}

/// Ranges of data, with short gaps between them closed.
struct Runs {
    least: u64,
    found: Vec<Range<u64>>,
}

impl Runs {
    fn add(&mut self, run: Range<u64>) {
        match self.found.last_mut() {
            Some(last) if run.start - last.end < self.least.max(1) => last.end = run.end,
            _ => self.found.push(run),
        }
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
        content.data_runs(4096, 16384).unwrap()
    }

    #[test]
    fn short_runs_of_zeros_are_data() {
        let mut bytes = vec![0; 100_000];
        bytes[4096] = 1;
        bytes[4096 + 12288] = 1;
        bytes[99_999] = 1;
        let wanted = [4096..20480, 98304..100_000];
        assert_eq!(runs(&bytes.clone().into()), wanted);
        assert_eq!(runs(&Content::Zeros(1 << 40)), []);
        assert_eq!(runs(&Content::Zeros(4096)), [0..4096], "not worth a look");
        let mut layout = Layout::new();
        layout.put(10_000, "x", bytes);
        layout.put(1 << 40, "y", &b"1"[..]);
        let image = layout.finish((1 << 40) + 5000).unwrap();
        let start = 4096 * 3;
        assert_eq!(
            runs(&image.into()),
            [start..28672, 106_496..110_592, (1 << 40)..(1 << 40) + 4096]
        );
    }

    #[test]
    fn holes_of_the_host_change_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let holes = dir.path().join("holes");
        let file = File::create(&holes).unwrap();
        file.write_all_at(b"1", 1 << 20).unwrap();
        file.write_all_at(&[0; 1 << 20], 2 << 20).unwrap();
        file.set_len(8 << 20).unwrap();
        let full = dir.path().join("full");
        std::fs::write(&full, std::fs::read(&holes).unwrap()).unwrap();
        let wanted = [(1 << 20)..(1 << 20) + 4096];
        for path in [holes, full] {
            assert_eq!(runs(&Content::host_file(path).unwrap()), wanted);
        }
    }
}
