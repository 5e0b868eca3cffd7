//! Block maps, read: ours, those of bmaptool, and those of other tools in versions 1.2 to 2.0.
//!
//! A [`BlockMap`] comes from others: sizes fit each other, ranges are sorted and inside the image, and the map's own checksum is
//! that of its bytes, or there is an error.

use image::Fault;
use sha2::{Digest, Sha256};

use crate::bmap::hex;

/// The longest block map that is read, in bytes: more than two hundred thousand ranges.
pub const BLOCK_MAP_MAX: u64 = 32 << 20;

/// Which bytes of an image matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockMap {
    /// The image's bytes, when nothing compresses it.
    pub image_size: u64,
    /// The unit of the map.
    pub block_size: u64,
    /// What has to be written, in the order of the image.
    pub ranges: Vec<Mapped>,
    /// The name of the checksums of ranges that are not compared: anything but `sha256`.
    pub unknown_sum: Option<String>,
}

/// Blocks that have to be written, one behind the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapped {
    /// The first byte.
    pub start: u64,
    /// One past the last byte.
    pub end: u64,
    /// The SHA-256 of the bytes.
    pub sha256: Option<[u8; 32]>,
}

/// Why a block map cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BlockMapError {
    /// It is none, or one that contradicts itself.
    #[error("is no block map that can be read: {0}")]
    NotOne(String),
    /// It was changed after it was made.
    #[error("is damaged: its own checksum is {found}, and it says {said}")]
    Damaged {
        /// The checksum of its bytes.
        found: String,
        /// The one that is in it.
        said: String,
    },
}

impl BlockMapError {
    /// Whose fault the error is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            BlockMapError::NotOne(_) => Fault::Input,
            BlockMapError::Damaged { .. } => Fault::Damaged,
        }
    }
}

type Result<T> = std::result::Result<T, BlockMapError>;

fn wrong<T>(problem: impl Into<String>) -> Result<T> {
    Err(BlockMapError::NotOne(problem.into()))
}

impl BlockMap {
    /// Reads a block map's file.
    ///
    /// # Errors
    /// When it is none, does not fit itself, or has another checksum than it says.
    pub fn parse(bytes: &[u8]) -> Result<BlockMap> {
        if bytes.len() as u64 > BLOCK_MAP_MAX {
            return wrong(format!(
                "it has {} bytes, the limit is {BLOCK_MAP_MAX}",
                bytes.len()
            ));
        }
        let Ok(text) = std::str::from_utf8(bytes) else {
            return wrong("it is not text");
        };
        if let Some(Err(error)) = Elements(text).find(Result::is_err) {
            return Err(error);
        }
        let Some(root) = find(text, "bmap") else {
            return wrong("it has no element `bmap`");
        };
        let version = root.attribute("version").unwrap_or("");
        if !matches!(version.split_once('.'), Some(("1" | "2", _))) {
            return wrong(format!("its version is {version:?}, and 1 and 2 are known"));
        }
        let sums = Sums::of(text)?;
        if sums == Sums::Sha256 {
            check_own_sum(text)?;
        }
        let image_size = number(text, "ImageSize")?;
        let block_size = number(text, "BlockSize")?;
        if !(512..=64 << 20).contains(&block_size) || !block_size.is_power_of_two() {
            return wrong(format!(
                "blocks have {block_size} bytes, not a power of two from 512 to 64 MiB"
            ));
        }
        let blocks = number(text, "BlocksCount")?;
        if blocks != image_size.div_ceil(block_size) {
            return wrong(format!(
                "{image_size} bytes are not {blocks} blocks of {block_size} bytes"
            ));
        }
        let map = BlockMap {
            image_size,
            block_size,
            ranges: ranges(text, image_size, block_size, &sums)?,
            unknown_sum: sums.unknown(),
        };
        match number(text, "MappedBlocksCount") {
            Ok(said) if said != map.mapped_blocks() => wrong(format!(
                "it says that {said} blocks are mapped, and maps {}",
                map.mapped_blocks()
            )),
            _ => Ok(map),
        }
    }

    /// How many bytes have to be written.
    #[must_use]
    pub fn mapped_len(&self) -> u64 {
        self.ranges.iter().map(|range| range.end - range.start).sum()
    }

    fn mapped_blocks(&self) -> u64 {
        let blocks = |range: &Mapped| (range.end - range.start).div_ceil(self.block_size);
        self.ranges.iter().map(blocks).sum()
    }
}

/// An element's start: its name, its attributes, and the text up to the next tag.
struct Element<'a> {
    name: &'a str,
    attributes: &'a str,
    text: &'a str,
}

impl<'a> Element<'a> {
    fn attribute(&self, name: &str) -> Option<&'a str> {
        let mut rest = self.attributes;
        loop {
            let (key, behind) = rest.split_once('=')?;
            let quote = behind.trim_start().chars().next()?;
            if quote != '"' && quote != '\'' {
                return None;
            }
            let (value, behind) = behind.trim_start()[1..].split_once(quote)?;
            if key.trim() == name {
                return Some(value);
            }
            rest = behind;
        }
    }
}

/// The checksums of ranges.
#[derive(PartialEq, Eq)]
enum Sums {
    /// There are none.
    None,
    Sha256,
    /// Others, by their name.
    Other(String),
}

impl Sums {
    /// Up to version 1.3, an attribute `sha1` has them; from 1.4 on, `ChecksumType` says what an attribute `chksum` is.
    fn of(text: &str) -> Result<Sums> {
        let said = value(text, "ChecksumType").map(str::to_ascii_lowercase);
        let has = |name: &str| {
            elements(text).any(|element| is_range(&element) && element.attribute(name).is_some())
        };
        Ok(match said {
            Some(name) if name == "sha256" => Sums::Sha256,
            Some(name) => Sums::Other(name),
            None if has("chksum") => {
                return wrong("ranges have checksums, and no `ChecksumType` says of which kind");
            }
            None if has("sha1") => Sums::Other("sha1".into()),
            None => Sums::None,
        })
    }

    /// The name of those that are not compared.
    fn unknown(self) -> Option<String> {
        match self {
            Sums::Other(name) => Some(name),
            Sums::None | Sums::Sha256 => None,
        }
    }
}

/// All elements in their order. Comments and declarations are left out; there are no entities in a block map.
struct Elements<'a>(&'a str);

impl<'a> Iterator for Elements<'a> {
    type Item = Result<Element<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (_, rest) = self.0.split_once('<')?;
            let end = match rest {
                _ if rest.starts_with("!--") => "-->",
                _ if rest.starts_with('?') => "?>",
                _ => ">",
            };
            let Some((tag, behind)) = rest.split_once(end) else {
                self.0 = "";
                return Some(wrong("a tag does not end"));
            };
            self.0 = behind;
            if end == ">" && !tag.starts_with(['/', '!']) {
                let tag = tag.trim_end_matches('/');
                let (name, attributes) = tag.split_once(char::is_whitespace).unwrap_or((tag, ""));
                let text = behind.split('<').next().unwrap_or_default().trim();
                return Some(Ok(Element {
                    name,
                    attributes,
                    text,
                }));
            }
        }
    }
}

/// The elements of a text whose tags all end.
fn elements(text: &str) -> impl Iterator<Item = Element<'_>> {
    Elements(text).filter_map(Result::ok)
}

fn find<'a>(text: &'a str, name: &str) -> Option<Element<'a>> {
    elements(text).find(|element| element.name == name)
}

fn value<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    find(text, name).map(|element| element.text)
}

fn is_range(element: &Element) -> bool {
    element.name == "Range"
}

fn number(text: &str, name: &str) -> Result<u64> {
    let Some(text) = value(text, name) else {
        return wrong(format!("it has no `{name}`"));
    };
    match text.parse() {
        // No disk is that large, and sums of such numbers are numbers still.
        Ok(number) if number <= i64::MAX.cast_unsigned() => Ok(number),
        _ => wrong(format!("`{name}` is {text:?}, not a number of bytes or blocks")),
    }
}

/// The map's own checksum is that of its bytes with zeros in place of the checksum.
fn check_own_sum(text: &str) -> Result<()> {
    let Some(said) = value(text, "BmapFileChecksum") else {
        return wrong("it has no `BmapFileChecksum`");
    };
    if said.len() != 64 {
        return wrong(format!("`BmapFileChecksum` is {said:?}, not 64 digits"));
    }
    let found = hex(&Sha256::digest(text.replacen(said, &"0".repeat(64), 1)));
    if found.eq_ignore_ascii_case(said) {
        return Ok(());
    }
    Err(BlockMapError::Damaged {
        found,
        said: said.to_owned(),
    })
}

fn ranges(text: &str, image_size: u64, block_size: u64, sums: &Sums) -> Result<Vec<Mapped>> {
    let blocks = image_size.div_ceil(block_size);
    let mut ranges = Vec::new();
    let mut position = 0;
    for element in elements(text).filter(is_range) {
        let text = element.text;
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let (Ok(first), Ok(last)) = (first.trim().parse::<u64>(), last.trim().parse::<u64>()) else {
            return wrong(format!("a range is {text:?}, not two numbers of blocks"));
        };
        if first < position || last < first || last >= blocks {
            return wrong(format!(
                "the range {text} overlaps the one before it, or ends behind the image's {blocks} blocks"
            ));
        }
        position = last + 1;
        let sum = element.attribute("chksum").filter(|_| *sums == Sums::Sha256);
        let sha256 = match sum.map(|sum| (sum, digest(sum))) {
            Some((sum, None)) => {
                return wrong(format!(
                    "the checksum of the range {text} is {sum:?}, not 64 digits"
                ));
            }
            digest => digest.and_then(|(_, digest)| digest),
        };
        ranges.push(Mapped {
            start: first * block_size,
            end: (position * block_size).min(image_size),
            sha256,
        });
    }
    Ok(ranges)
}

fn digest(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    let mut digest = [0; 32];
    for (byte, pair) in digest.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(digest)
}
