//! Images: a size and a list of labelled extents.

use std::io;
use std::sync::Arc;

use crate::content::{Content, ReadAt};
use crate::error::{Error, Result};

/// A size, and sorted, disjoint extents. What lies between them is a hole: it reads as zeros, and nobody
/// relies on it.
#[derive(Clone, Debug)]
pub struct Image {
    pub(crate) size: u64,
    pub(crate) extents: Vec<Extent>,
}

/// A run of bytes in an image.
#[derive(Clone, Debug)]
pub struct Extent {
    /// Its first byte in the image.
    pub start: u64,
    /// What it is: `inode table`, `partition boot-a`.
    pub label: Arc<str>,
    /// Its bytes.
    pub content: Content,
}

impl Extent {
    /// One past its last byte in the image.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.start + self.content.len()
    }
}

/// One line of an image's [map](Image::map).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapLine {
    /// First byte.
    pub start: u64,
    /// One past the last byte.
    pub end: u64,
    /// The labels from the outermost image to the innermost, with ` / ` between them.
    pub label: String,
}

/// Collects extents in any order; [`Layout::finish`] sorts and checks them.
#[derive(Clone, Debug, Default)]
pub struct Layout {
    extents: Vec<Extent>,
}

impl Layout {
    /// An empty layout.
    #[must_use]
    pub fn new() -> Layout {
        Layout::default()
    }

    /// Puts a content at a place. Empty contents leave no trace.
    pub fn put(&mut self, start: u64, label: impl Into<Arc<str>>, content: impl Into<Content>) {
        let content = content.into();
        if !content.is_empty() {
            self.extents.push(Extent {
                start,
                label: label.into(),
                content,
            });
        }
    }

    /// One past the last byte of all extents.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.extents.iter().map(Extent::end).max().unwrap_or(0)
    }

    /// The image.
    ///
    /// # Errors
    /// When two extents overlap or one ends behind `size`.
    pub fn finish(mut self, size: u64) -> Result<Image> {
        // Two of one start are an error, so that their order matters to nobody.
        self.extents.sort_unstable_by_key(|extent| extent.start);
        for extent in &self.extents {
            let end = extent.start.checked_add(extent.content.len());
            if end.is_none_or(|end| end > size) {
                return Err(Error::BeyondEnd {
                    label: extent.label.to_string(),
                    end: end.unwrap_or(u64::MAX),
                    size,
                });
            }
        }
        for pair in self.extents.windows(2) {
            let [first, second] = pair else { continue };
            if first.end() > second.start {
                return Err(Error::Overlap {
                    first: first.label.to_string(),
                    first_start: first.start,
                    first_end: first.end(),
                    second: second.label.to_string(),
                    second_start: second.start,
                    second_end: second.end(),
                });
            }
        }
        Ok(Image {
            size,
            extents: self.extents,
        })
    }
}

impl Image {
    /// How many bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The extents, sorted and disjoint.
    #[must_use]
    pub fn extents(&self) -> &[Extent] {
        &self.extents
    }

    /// The bytes that extents hold, without the holes.
    #[must_use]
    pub fn mapped_len(&self) -> u64 {
        let mapped = |extent: &Extent| match &extent.content {
            Content::Image(image) => image.mapped_len(),
            content => content.len(),
        };
        self.extents.iter().map(mapped).sum()
    }

    /// Every extent, with those of images inside it in place of the image.
    #[must_use]
    pub fn map(&self) -> Vec<MapLine> {
        let mut lines = Vec::new();
        self.add_to_map(0, "", &mut lines);
        lines
    }

    fn add_to_map(&self, base: u64, prefix: &str, lines: &mut Vec<MapLine>) {
        for extent in &self.extents {
            let label = if prefix.is_empty() {
                extent.label.to_string()
            } else {
                format!("{prefix} / {}", extent.label)
            };
            match &extent.content {
                Content::Image(image) => image.add_to_map(base + extent.start, &label, lines),
                _ => lines.push(MapLine {
                    start: base + extent.start,
                    end: base + extent.end(),
                    label,
                }),
            }
        }
    }
}

impl ReadAt for Image {
    fn read_exact_at(&self, buffer: &mut [u8], start: u64) -> io::Result<()> {
        let end = start
            .checked_add(buffer.len() as u64)
            .filter(|end| *end <= self.size);
        let Some(end) = end else {
            return Err(io::ErrorKind::UnexpectedEof.into());
        };
        buffer.fill(0);
        let first = self.extents.partition_point(|extent| extent.end() <= start);
        for extent in self.extents[first..]
            .iter()
            .take_while(|extent| extent.start < end)
        {
            let from = extent.start.max(start);
            let to = extent.end().min(end);
            let part = (from - start)..(to - start);
            let part = usize::try_from(part.start).map_err(io::Error::other)?
                ..usize::try_from(part.end).map_err(io::Error::other)?;
            extent
                .content
                .read_exact_at(&mut buffer[part], from - extent.start)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(extents: &[(u64, &str, &[u8])]) -> Layout {
        let mut layout = Layout::new();
        for (start, label, bytes) in extents {
            layout.put(*start, *label, *bytes);
        }
        layout
    }

    #[test]
    fn overlaps_are_named_with_bytes() {
        let error = layout(&[(8, "loader", b"12345"), (0, "table", b"123456789")])
            .finish(20)
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "table (bytes 0 to 9) and loader (bytes 8 to 13) overlap"
        );
        let error = layout(&[(8, "loader", b"12345")]).finish(12).unwrap_err();
        assert_eq!(
            error.to_string(),
            "loader ends at byte 13, behind the image's size of 12 bytes"
        );
        assert!(layout(&[(u64::MAX, "far", b"12")]).finish(u64::MAX).is_err());
    }

    #[test]
    fn reads_across_extents_and_holes() {
        let inner = layout(&[(1, "x", b"ab")]).finish(4).unwrap();
        let mut outer = layout(&[(6, "y", b"cd")]);
        outer.put(2, "inner", inner);
        let image = outer.finish(9).unwrap();
        let mut all = [1; 9];
        image.read_exact_at(&mut all, 0).unwrap();
        assert_eq!(&all, b"\0\0\0ab\0cd\0");
        let mut part = [1; 3];
        image.read_exact_at(&mut part, 4).unwrap();
        assert_eq!(&part, b"b\0c");
        assert!(image.read_exact_at(&mut part, 7).is_err());
        let labels: Vec<_> = image
            .map()
            .into_iter()
            .map(|line| (line.start, line.end, line.label))
            .collect();
        assert_eq!(labels, [(3, 5, "inner / x".to_string()), (6, 8, "y".to_string())]);
        assert_eq!(image.mapped_len(), 4);
    }
}
