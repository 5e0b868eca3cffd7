//! What the tests of hash trees share.

use image::{Content, Silent};
use verity::{Area, Error, Options, Planned, Work};

/// Numbers of blocks where trees get another block or another level.
pub(crate) const COUNTS: [u64; 8] = [1, 2, 127, 128, 129, 128 * 128 - 1, 128 * 128, 128 * 128 + 1];

/// Bytes that differ everywhere, with a block of zeros here and there.
pub(crate) fn bytes(blocks: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    for block in 0..blocks {
        let word = (block + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) * u64::from(block % 7 != 3);
        bytes.extend(word.to_le_bytes().repeat(512));
    }
    bytes
}

pub(crate) fn work() -> Work<'static> {
    Work {
        spool: None,
        threads: 2,
        progress: &Silent,
    }
}

pub(crate) fn salted(salt: &[u8]) -> Options {
    Options {
        salt: salt.to_vec(),
        superblock: None,
    }
}

pub(crate) fn plan(data: &[u8], options: &Options) -> Planned {
    verity::plan(&Content::from(data), options, &work()).unwrap()
}

pub(crate) fn all(image: &image::Image) -> Vec<u8> {
    Content::from(image.clone()).to_vec().unwrap()
}

pub(crate) fn check(data: &[u8], tree: &[u8], root: &[u8; 32], salt: &[u8]) -> Result<(), Error> {
    let (data, tree) = (Content::from(data), Content::from(tree));
    verity::check(area(&data), area(&tree), root, salt, &work())
}

fn area(content: &Content) -> Area<'_> {
    Area {
        source: content,
        start: 0,
        len: content.len(),
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| char::from_digit(digit.into(), 16).unwrap())
        .collect()
}
