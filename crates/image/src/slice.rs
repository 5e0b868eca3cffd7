//! Parts of images that are images: nothing is copied, and what lies in a file lies there still.

use std::ops::Range;
use std::sync::Arc;

use crate::content::Content;
use crate::extents::{Extent, Image, Layout};

impl Image {
    /// The part of the image in a range of bytes, as an image of its own that begins with the range's first byte. Labels stay.
    /// What lies behind the image's end is a hole.
    #[must_use]
    pub fn slice(&self, range: Range<u64>) -> Image {
        let size = range.end.saturating_sub(range.start);
        let first = self.extents.partition_point(|extent| extent.end() <= range.start);
        let mut extents = Vec::new();
        for extent in self.extents[first..]
            .iter()
            .take_while(|extent| extent.start < range.end)
        {
            let start = extent.start.max(range.start);
            let end = extent.end().min(range.end);
            extents.push(Extent {
                start: start - range.start,
                label: Arc::clone(&extent.label),
                content: extent.content.slice(start - extent.start..end - extent.start),
            });
        }
        Image { size, extents }
    }
}

impl Content {
    /// The bytes of a range that lies within the content. Gaps of an image stay gaps, and a part of a file is one of that file.
    #[must_use]
    pub fn slice(&self, range: Range<u64>) -> Content {
        if range == (0..self.len()) {
            return self.clone();
        }
        let len = range.end - range.start;
        let place = |byte: u64| usize::try_from(byte).unwrap_or(usize::MAX);
        match self {
            Content::Bytes(bytes) => {
                let part = bytes.get(place(range.start)..place(range.end));
                Content::from(part.unwrap_or_default())
            }
            Content::Zeros(_) => Content::Zeros(len),
            Content::File(file) => Content::Span {
                source: Arc::new(file.clone()),
                start: range.start,
                len,
            },
            Content::Span { source, start, .. } => Content::Span {
                source: Arc::clone(source),
                start: start + range.start,
                len,
            },
            Content::Spooled(file) => Content::Span {
                source: Arc::clone(&file.source),
                start: file.start + range.start,
                len,
            },
            Content::Image(image) => image.slice(range).into(),
        }
    }
}

impl Layout {
    /// Puts the extents of an image from a place on, each under its own label.
    pub fn put_all(&mut self, start: u64, image: Image) {
        for extent in image.extents {
            self.put(start + extent.start, extent.label, extent.content);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use proptest::prelude::*;

    use super::*;
    use crate::content::ReadAt;
    use crate::spool::Spool;

    const SIZE: u64 = 60_000;

    /// An image with a content of each kind.
    fn image(dir: &std::path::Path) -> Image {
        let bytes: Vec<u8> = (0..4000u32).flat_map(u32::to_le_bytes).collect();
        let path = dir.join("file");
        std::fs::write(&path, &bytes[..9000]).unwrap();
        let spool = Spool::create(dir).unwrap();
        spool.write_at(&bytes, 100).unwrap();
        let mut inner = Layout::new();
        inner.put(500, "first", &bytes[..3000]);
        inner.put(5000, "file", Content::host_file(&path).unwrap());
        let mut layout = Layout::new();
        layout.put(7, "bytes", &bytes[..5000]);
        layout.put(6000, "zeros", Content::Zeros(3000));
        layout.put(9000, "file", Content::host_file(&path).unwrap());
        layout.put(20_000, "spooled", Content::Spooled(spool.file(100, 6000)));
        layout.put(27_000, "span", spool.span(3000, 6000));
        layout.put(40_000, "inner", inner.finish(15_000).unwrap());
        layout.finish(SIZE).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn slices_are_the_bytes(start in 0..SIZE, len in 0..SIZE) {
            let dir = tempfile::tempdir().unwrap();
            let image = image(dir.path());
            let end = (start + len).min(SIZE);
            let slice = image.slice(start..end);
            prop_assert_eq!(slice.size(), end - start);
            let len = usize::try_from(end - start).unwrap();
            let (mut wanted, mut found) = (vec![1; len], vec![2; len]);
            image.read_exact_at(&mut wanted, start).unwrap();
            slice.read_exact_at(&mut found, 0).unwrap();
            prop_assert!(wanted == found);
            let mut layout = Layout::new();
            layout.put_all(10, slice);
            let moved = layout.finish(len as u64 + 10).unwrap();
            moved.read_exact_at(&mut found, 10).unwrap();
            prop_assert!(wanted == found);
        }
    }

    #[test]
    fn a_slice_lies_where_the_whole_did() {
        let dir = tempfile::tempdir().unwrap();
        let file = Arc::new(File::create_new(dir.path().join("open")).unwrap());
        let mut layout = Layout::new();
        let span = Content::Span {
            source: file,
            start: 4096,
            len: 1 << 20,
        };
        layout.put(8192, "span", span);
        let slice = layout.finish(4 << 20).unwrap().slice(65536..1 << 20);
        let [extent] = slice.extents() else {
            panic!("one extent")
        };
        assert_eq!((extent.start, &*extent.label), (0, "span"));
        let reader = extent.content.reader().unwrap();
        assert_eq!(reader.origin().map(|(_, start)| start), Some(4096 + 65536 - 8192));
    }
}
