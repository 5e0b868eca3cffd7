//! Where a content may have data, as far as that is known without reading it. All else is holes, which read as zeros.

use std::fs::File;
use std::ops::Range;

use rustix::fs::{SeekFrom, seek};

use crate::content::Content;
use crate::extents::Image;

/// The unit of ranges.
const BLOCK: u64 = 4096;

/// Where a content may be more than zeros: sorted, disjoint ranges in whole blocks of 4096 bytes, except at the end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Data(Vec<Range<u64>>);

impl Data {
    /// What is known without reading: gaps of images, zeros, and the holes of a file that is all of the content.
    #[must_use]
    pub fn of(content: &Content) -> Data {
        let mut data = Data::default();
        match content {
            Content::Span { source, start, len } => match source.as_file() {
                Some(file) => data.add_file(file, *start..start.saturating_add(*len)),
                None => data.add(0..*len),
            },
            content => data.add_content(content, 0),
        }
        let len = content.len();
        if let Some(last) = data.0.last_mut() {
            last.end = last.end.min(len);
        }
        data
    }

    fn add_content(&mut self, content: &Content, base: u64) {
        match content {
            Content::Zeros(_) => {}
            Content::Image(image) => self.add_image(image, base),
            content => match content.known_data_runs() {
                Some(runs) => runs
                    .into_iter()
                    .for_each(|run| self.add(base + run.start..base + run.end)),
                None => self.add(base..base + content.len()),
            },
        }
    }

    fn add_image(&mut self, image: &Image, base: u64) {
        for extent in image.extents() {
            self.add_content(&extent.content, base + extent.start);
        }
    }

    /// A file system that cannot tell holes says that all is data.
    fn add_file(&mut self, file: &File, span: Range<u64>) {
        let mut position = span.start;
        while position < span.end {
            let Ok(start) = seek(file, SeekFrom::Data(position)) else {
                match seek(file, SeekFrom::Hole(position)) {
                    // Nothing but a hole is left.
                    Ok(hole) if hole == position => return,
                    _ => return self.add(position - span.start..span.end - span.start),
                }
            };
            let end = seek(file, SeekFrom::Hole(start)).unwrap_or(span.end);
            let (start, end) = (start.min(span.end), end.min(span.end));
            self.add(start - span.start..end - span.start);
            position = end.max(position + 1);
        }
    }

    /// Adds a range behind all others, or touching the last.
    fn add(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        let start = range.start / BLOCK * BLOCK;
        let end = range.end.checked_next_multiple_of(BLOCK).unwrap_or(range.end);
        match self.0.last_mut() {
            Some(last) if start <= last.end => last.end = last.end.max(end),
            _ => self.0.push(start..end),
        }
    }

    /// The ranges.
    #[must_use]
    pub fn runs(&self) -> &[Range<u64>] {
        &self.0
    }

    /// How many bytes of data there are before a place.
    #[must_use]
    pub fn len_before(&self, end: u64) -> u64 {
        let len = |run: &Range<u64>| run.end.min(end).saturating_sub(run.start);
        self.0.iter().map(len).sum()
    }

    /// The pieces of a range, in order: where each ends, and whether it is data.
    pub fn pieces(&self, range: Range<u64>) -> impl Iterator<Item = (Range<u64>, bool)> + '_ {
        let mut next = self.0.partition_point(|run| run.end <= range.start);
        let mut position = range.start;
        std::iter::from_fn(move || {
            if position >= range.end {
                return None;
            }
            let (end, is_data) = match self.0.get(next) {
                Some(run) if run.start <= position => {
                    next += 1;
                    (run.end, true)
                }
                Some(run) => (run.start, false),
                None => (range.end, false),
            };
            let piece = position..end.min(range.end);
            position = piece.end;
            Some((piece, is_data))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Seek, Write};
    use std::sync::Arc;

    use super::*;
    use crate::extents::Layout;

    fn pieces(data: &Data, range: Range<u64>) -> Vec<(u64, u64, bool)> {
        data.pieces(range)
            .map(|(piece, is_data)| (piece.start, piece.end, is_data))
            .collect()
    }

    #[test]
    fn of_an_image_in_an_image() {
        let mut inner = Layout::new();
        inner.put(10_000, "x", &b"ab"[..]);
        inner.put(20_000, "zeros", Content::Zeros(9000));
        let mut outer = Layout::new();
        outer.put(0, "table", &b"table"[..]);
        outer.put(4096, "also data, beside it", &b"y"[..]);
        outer.put(1 << 20, "inner", inner.finish(40_000).unwrap());
        let content = Content::from(outer.finish((2 << 20) + 5).unwrap());
        let data = Data::of(&content);
        let mib = 1 << 20;
        assert_eq!(data.0, [0..8192, mib + 8192..mib + 12_288]);
        assert_eq!(
            pieces(&data, 100..mib + 8200),
            [
                (100, 8192, true),
                (8192, mib + 8192, false),
                (mib + 8192, mib + 8200, true)
            ]
        );
        assert_eq!(
            pieces(&data, 2 * mib..2 * mib + 5),
            [(2 * mib, 2 * mib + 5, false)]
        );
        assert_eq!(pieces(&data, 5..5), []);
        assert_eq!((data.len_before(4096), data.len_before(u64::MAX)), (4096, 12_288));
    }

    #[test]
    fn of_a_short_end() {
        let mut layout = Layout::new();
        layout.put(8192, "end", &b"end"[..]);
        let data = Data::of(&layout.finish(8195).unwrap().into());
        assert_eq!(pieces(&data, 0..8195), [(0, 8192, false), (8192, 8195, true)]);
    }

    #[test]
    fn of_a_file_with_holes() {
        let mut file = tempfile::tempfile().unwrap();
        file.set_len(4 << 20).unwrap();
        file.seek(std::io::SeekFrom::Start(1 << 20)).unwrap();
        file.write_all(b"data").unwrap();
        let span = |file: File, start, len| Content::Span {
            source: Arc::new(file),
            start,
            len,
        };
        let again = file.try_clone().unwrap();
        let data = Data::of(&span(again, 0, 4 << 20));
        let found = pieces(&data, 0..4 << 20);
        // Some file systems have larger blocks; the hole before is one everywhere that has any.
        assert_eq!(found.iter().filter(|piece| piece.2).count(), 1, "{found:?}");
        assert!(
            found
                .iter()
                .any(|(start, end, is_data)| *is_data && (*start..*end).contains(&(1 << 20)))
        );
        // A part of it, in places of its own.
        let data = Data::of(&span(file, 1 << 20, 4));
        assert_eq!(pieces(&data, 0..4), [(0, 4, true)]);
    }
}
