//! Block maps ([bmap] 2.0): which blocks of an image a flasher has to write, with a checksum of each run of them.
//!
//! A block is mapped when an extent of the image touches it, also one of zeros: a reader relies on those, and
//! what was on the medium before does not read as zeros. Only holes are left out.
//!
//! [bmap]: https://github.com/yoctoproject/bmaptool

use std::fmt::Write as _;

use image::{Listen, Piece};
use sha2::{Digest, Sha256};

/// Bytes of a block.
const BLOCK_SIZE: u64 = 4096;

/// Hears an image while it is written, and makes its block map.
#[derive(Default)]
pub struct Bmap {
    ranges: Vec<Range>,
    open: Option<Open>,
    /// One past the last byte that was heard.
    position: u64,
}

/// Mapped blocks, one behind the other.
struct Range {
    first: u64,
    last: u64,
    sha256: [u8; 32],
}

/// A range that more may belong to.
struct Open {
    first: u64,
    hasher: Sha256,
    /// One past the last byte that was hashed.
    end: u64,
}

impl Open {
    /// Hashes zeros up to a place.
    fn zeros_until(&mut self, end: u64) {
        self.hasher.hear(&Piece::Zeros(end - self.end));
        self.end = end;
    }
}

impl Listen for Bmap {
    fn hear(&mut self, piece: &Piece) {
        if !matches!(piece, Piece::Hole(_)) {
            let first = self.position / BLOCK_SIZE;
            // A hole that holds no whole block does not end a range.
            if self
                .open
                .as_ref()
                .is_some_and(|open| open.end.div_ceil(BLOCK_SIZE) < first)
            {
                self.close();
            }
            let open = self.open.get_or_insert_with(|| Open {
                first,
                hasher: Sha256::new(),
                end: first * BLOCK_SIZE,
            });
            open.zeros_until(self.position);
            open.hasher.hear(piece);
            open.end += piece.len();
        }
        self.position += piece.len();
    }
}

impl Bmap {
    /// Nothing heard so far.
    #[must_use]
    pub fn new() -> Bmap {
        Bmap::default()
    }

    /// The block map's file, when the whole image was heard.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        self.close();
        let checksum = hex(&Sha256::digest(self.text(&"0".repeat(64))));
        self.text(&checksum).into_bytes()
    }

    fn close(&mut self) {
        if let Some(mut open) = self.open.take() {
            open.zeros_until(open.end.next_multiple_of(BLOCK_SIZE).min(self.position));
            self.ranges.push(Range {
                first: open.first,
                last: (open.end - 1) / BLOCK_SIZE,
                sha256: open.hasher.finalize().into(),
            });
        }
    }

    fn text(&self, checksum: &str) -> String {
        let mapped: u64 = self.ranges.iter().map(|range| range.last - range.first + 1).sum();
        let (size, blocks) = (self.position, self.position.div_ceil(BLOCK_SIZE));
        let mut text = format!(
            r#"<?xml version="1.0" ?>
<bmap version="2.0">
    <ImageSize> {size} </ImageSize>
    <BlockSize> {BLOCK_SIZE} </BlockSize>
    <BlocksCount> {blocks} </BlocksCount>
    <MappedBlocksCount> {mapped} </MappedBlocksCount>
    <ChecksumType> sha256 </ChecksumType>
    <BmapFileChecksum> {checksum} </BmapFileChecksum>
    <BlockMap>
"#
        );
        for Range { first, last, sha256 } in &self.ranges {
            let checksum = hex(sha256);
            let _ = writeln!(
                text,
                r#"        <Range chksum="{checksum}"> {first}-{last} </Range>"#
            );
        }
        text + "    </BlockMap>\n</bmap>\n"
    }
}

/// Bytes as digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
