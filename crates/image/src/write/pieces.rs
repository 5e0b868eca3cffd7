//! An image as one stream of pieces: its bytes in order, gathered so that thousands of small files become few
//! large pieces.

use std::collections::VecDeque;
use std::fs::File;
use std::sync::Arc;

use crate::content::{Content, Reader};
use crate::error::Result;
use crate::extents::Image;
use crate::progress::Progress;

/// How many bytes a piece holds at most. Pieces end at multiples of it, which suits the page cache.
const PIECE: usize = 1 << 20;

/// A gap shorter than a block of any file system is not worth a piece: it is filled with zeros.
const GAP: u64 = 4096;

/// How much of a gap is handed on between two looks at whether to stop.
const LONG: u64 = 64 << 20;

/// A run of an image's bytes. Pieces come in order, and one begins where the one before it ends.
#[derive(Clone, Debug)]
pub enum Piece {
    /// Bytes. They take in the gaps that hold no whole block of 4096 bytes.
    Bytes(Arc<Vec<u8>>),
    /// This many zeros, which a reader relies on.
    Zeros(u64),
    /// This many zeros that nobody relies on.
    Hole(u64),
}

/// A content with at least so many bytes is worth pieces of its own, which the file system can share.
const SHARED: u64 = 64 << 10;

/// How an image is cut into pieces.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cut<'a> {
    /// Into few large ones.
    Large,
    /// Large contents that lie in a file get pieces of their own.
    Shared,
    /// All contents that lie in this one do, too, and the gaps between them: it has them at their places.
    Own(&'a File),
}

/// Where the bytes of a piece come from, when all of them come from one file: the file, and their first byte in it.
pub(super) type Origin<'a> = Option<(&'a File, u64)>;

/// Hears of pieces.
pub(super) type Hand<'a> = dyn FnMut(Piece, Origin) -> Result<()> + 'a;

/// Hands on all pieces of an image.
pub(super) fn pieces(image: &Image, progress: &dyn Progress, cut: Cut, hand: &mut Hand) -> Result<()> {
    let mut gather = Gather {
        progress,
        hand,
        cut,
        buffer: Vec::new(),
        filled: 0,
        end: PIECE,
        unsaid: 0,
        position: 0,
        lent: VecDeque::new(),
    };
    gather.image(image, 0)?;
    gather.flush()?;
    gather.long(Piece::Hole, image.size() - gather.position)
}

struct Gather<'a, 'h> {
    progress: &'a dyn Progress,
    hand: &'a mut Hand<'h>,
    cut: Cut<'a>,
    /// Bytes that were not handed on: those before `filled`. There is room for more before `end`. Empty before the first.
    buffer: Vec<u8>,
    filled: usize,
    end: usize,
    /// How many of them progress has not heard of; gaps are no progress.
    unsaid: u64,
    /// The place in the image behind all bytes so far.
    position: u64,
    /// The buffers that were handed on, to be used again when nobody needs them any more.
    lent: VecDeque<Arc<Vec<u8>>>,
}

impl Gather<'_, '_> {
    fn image(&mut self, image: &Image, base: u64) -> Result<()> {
        for extent in image.extents() {
            self.gap(Piece::Hole, base + extent.start - self.position)?;
            match &extent.content {
                Content::Image(inner) => self.image(inner, base + extent.start)?,
                Content::Zeros(len) => self.gap(Piece::Zeros, *len)?,
                content => self.content(content)?,
            }
        }
        Ok(())
    }

    fn content(&mut self, content: &Content) -> Result<()> {
        let mut reader = content.reader()?;
        if self.is_apart(&reader) {
            return self.shared(reader);
        }
        while reader.remaining() > 0 {
            let len = reader.fill(self.room(reader.remaining())?)?;
            self.fill(len);
            self.unsaid += len as u64;
        }
        reader.finish()
    }

    /// Whether a content gets pieces of its own.
    fn is_apart(&self, reader: &Reader) -> bool {
        let Some((file, _)) = reader.origin() else {
            return false;
        };
        let is_large = reader.remaining() >= SHARED;
        match self.cut {
            Cut::Large => false,
            Cut::Shared => is_large,
            Cut::Own(own) => is_large || std::ptr::eq(file, own),
        }
    }

    /// Hands on a content that lies in a file, with where it lies.
    fn shared(&mut self, mut reader: Reader) -> Result<()> {
        self.flush()?;
        while reader.remaining() > 0 {
            let len = reader.fill(self.room(reader.remaining())?)?;
            self.fill(len);
            self.unsaid += len as u64;
            let origin = reader.origin();
            self.flush_from(origin.map(|(file, behind)| (file, behind - len as u64)))?;
        }
        reader.finish()
    }

    fn gap(&mut self, piece: fn(u64) -> Piece, mut len: u64) -> Result<()> {
        let is_between = self.filled == 0 && matches!(self.cut, Cut::Own(_));
        if len >= GAP || is_between {
            self.flush()?;
            return self.long(piece, len);
        }
        while len > 0 {
            let room = self.room(len)?;
            room.fill(0);
            let part = room.len();
            self.fill(part);
            len -= part as u64;
        }
        Ok(())
    }

    /// Hands on a gap as what it is.
    fn long(&mut self, piece: fn(u64) -> Piece, mut len: u64) -> Result<()> {
        while len > 0 {
            let part = piece(len.min(LONG));
            let said = if matches!(part, Piece::Zeros(_)) {
                part.len()
            } else {
                0
            };
            (len, self.position) = (len - part.len(), self.position + part.len());
            (self.hand)(part, None)?;
            self.progress.advance(said)?;
        }
        Ok(())
    }

    /// Where the next bytes go, at most so many; there always is room for one.
    fn room(&mut self, wanted: u64) -> Result<&mut [u8]> {
        if self.filled == self.end {
            self.flush()?;
        }
        if self.filled == 0 {
            if self.buffer.is_empty() {
                self.buffer = self.free_buffer();
            }
            let behind = usize::try_from(self.position % PIECE as u64).unwrap_or(0);
            self.end = PIECE - behind;
        }
        let wanted = usize::try_from(wanted).unwrap_or(PIECE);
        let end = self.end.min(self.filled + wanted.min(PIECE));
        // What was handed on is as long as what was in it.
        if self.buffer.len() < end {
            self.buffer.resize(end, 0);
        }
        Ok(&mut self.buffer[self.filled..end])
    }

    fn fill(&mut self, len: usize) {
        self.filled += len;
        self.position += len as u64;
    }

    fn flush(&mut self) -> Result<()> {
        self.flush_from(None)
    }

    fn flush_from(&mut self, origin: Origin) -> Result<()> {
        if self.filled == 0 {
            return Ok(());
        }
        let mut full = std::mem::take(&mut self.buffer);
        full.truncate(self.filled);
        let full = Arc::new(full);
        self.lent.push_back(Arc::clone(&full));
        self.filled = 0;
        (self.hand)(Piece::Bytes(full), origin)?;
        self.progress.advance(std::mem::take(&mut self.unsaid))?;
        Ok(())
    }

    /// A buffer that is free, or a new one.
    fn free_buffer(&mut self) -> Vec<u8> {
        let Some(oldest) = self.lent.pop_front() else {
            return vec![0; PIECE];
        };
        match Arc::try_unwrap(oldest) {
            Ok(free) => free,
            Err(busy) => {
                self.lent.push_front(busy);
                vec![0; PIECE]
            }
        }
    }
}

impl Piece {
    /// How many bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        match self {
            Piece::Bytes(bytes) => bytes.len() as u64,
            Piece::Zeros(len) | Piece::Hole(len) => *len,
        }
    }

    /// Whether there are none, which no piece of an image is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::ReadAt;
    use crate::extents::Layout;
    use crate::progress::Silent;

    fn heard(image: &Image) -> Vec<Piece> {
        let mut heard = Vec::new();
        let mut hand = |piece, _: Origin| {
            heard.push(piece);
            Ok(())
        };
        pieces(image, &Silent, Cut::Large, &mut hand).unwrap();
        heard
    }

    /// `B` for bytes, `Z` for zeros, `H` for holes, each with its length.
    fn kinds(image: &Image) -> String {
        let kind = |piece: &Piece| match piece {
            Piece::Bytes(_) => format!("B{} ", piece.len()),
            Piece::Zeros(_) => format!("Z{} ", piece.len()),
            Piece::Hole(_) => format!("H{} ", piece.len()),
        };
        heard(image).iter().map(kind).collect()
    }

    #[test]
    fn thousands_of_small_files_are_few_pieces() {
        let mut layout = Layout::new();
        for number in 0..4000 {
            layout.put(5000 + number * 4096, "file", &number.to_le_bytes()[..]);
        }
        let image = layout.finish(16 << 20).unwrap();
        let pieces = heard(&image);
        assert_eq!(pieces.len(), 18, "{}", kinds(&image));
        let mut bytes = Vec::new();
        for piece in &pieces[..17] {
            match piece {
                Piece::Bytes(part) => bytes.extend_from_slice(part),
                gap => bytes.resize(usize::try_from(gap.len()).unwrap(), 0),
            }
        }
        let mut wanted = vec![1; bytes.len()];
        image.read_exact_at(&mut wanted, 0).unwrap();
        assert!(bytes == wanted);
    }

    #[test]
    fn gaps_are_what_they_are_when_they_hold_a_block() {
        let mut inner = Layout::new();
        inner.put(0, "zeros", Content::Zeros(10));
        inner.put(100, "zeros", Content::Zeros(4096));
        let mut layout = Layout::new();
        layout.put(0, "early", &b"early"[..]);
        layout.put(4100, "inner", inner.finish(10_000).unwrap());
        layout.put(20_000, "late", vec![1; 2 << 20]);
        layout.put((100 << 20) - 10, "last", &b"last"[..]);
        let image = layout.finish(200 << 20).unwrap();
        let middle = (100 << 20) - 10 - 20_000 - (2 << 20);
        let wanted = format!(
            "B4200 Z4096 H11704 B{} B{} B20000 H{} H{} B4 H{} H{} ",
            (1 << 20) - 20_000,
            1 << 20,
            64 << 20,
            middle - (64 << 20),
            64 << 20,
            (36 << 20) + 6,
        );
        assert_eq!(kinds(&image), wanted);
    }

    #[test]
    fn the_end_of_an_image_is_a_hole_however_small() {
        let mut layout = Layout::new();
        layout.put(0, "block", vec![1; 4096]);
        assert_eq!(kinds(&layout.finish(4100).unwrap()), "B4096 H4 ");
    }
}
