//! What is made piece by piece, and lies in the spool until it is written.

use std::sync::Arc;

use image::{Content, Layout, Spool};

use crate::Result;

/// Bytes are put into the spool in pieces of this length.
const PIECE: usize = 1 << 20;

/// Bytes that follow each other in the image, with parts between them that lie elsewhere.
pub(super) struct Shelf<'a> {
    spool: &'a Spool,
    layout: &'a mut Layout,
    label: Arc<str>,
    /// Where the next byte goes, in the spool and in the image.
    spooled: u64,
    place: u64,
    /// The bytes since the last part from elsewhere: where they begin in the spool.
    run: u64,
    /// Those that are not in the spool yet.
    bytes: Vec<u8>,
}

impl<'a> Shelf<'a> {
    /// Goes on in the spool at `spooled`, and in the image at `place`.
    pub(super) fn new(
        spool: &'a Spool,
        layout: &'a mut Layout,
        label: &str,
        spooled: u64,
        place: u64,
    ) -> Shelf<'a> {
        Shelf {
            spool,
            layout,
            label: label.into(),
            spooled,
            place,
            run: spooled,
            bytes: Vec::new(),
        }
    }

    /// Adds bytes.
    pub(super) fn add(&mut self, bytes: &[u8]) -> Result<()> {
        self.bytes.extend_from_slice(bytes);
        self.place += bytes.len() as u64;
        if self.bytes.len() < PIECE {
            return Ok(());
        }
        self.flush()
    }

    /// Adds zeros up to this place in the image, which is less than a block ahead.
    pub(super) fn fill(&mut self, place: u64) -> Result<()> {
        const ZEROS: [u8; 4096] = [0; 4096];
        while self.place < place {
            let len = usize::try_from(place - self.place).unwrap_or(ZEROS.len());
            self.add(&ZEROS[..len.min(ZEROS.len())])?;
        }
        Ok(())
    }

    /// Adds what is read later.
    pub(super) fn put(&mut self, label: &Arc<str>, content: Content) -> Result<()> {
        self.close()?;
        let len = content.len();
        self.layout.put(self.place, Arc::clone(label), content);
        self.place += len;
        Ok(())
    }

    /// The first free byte of the spool, when everything is there.
    pub(super) fn finish(mut self) -> Result<u64> {
        self.close()?;
        Ok(self.spooled)
    }

    fn close(&mut self) -> Result<()> {
        self.flush()?;
        let len = self.spooled - self.run;
        self.layout.put(
            self.place - len,
            Arc::clone(&self.label),
            self.spool.span(self.run, len),
        );
        self.run = self.spooled;
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        self.spool.write_at(&self.bytes, self.spooled)?;
        self.spooled += self.bytes.len() as u64;
        self.bytes.clear();
        Ok(())
    }
}
