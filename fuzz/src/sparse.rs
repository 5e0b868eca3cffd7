//! Images that are mostly zeros, as few bytes: the size in sectors of 512 bytes, then pages of 512 bytes, each with
//! its number before it. All numbers have 32 bits, little-endian. Mutations of such bytes hit what matters.

use std::collections::BTreeMap;
use std::io;

use image::{Image, ReadAt};

const PAGE: usize = 512;

/// 1 GiB: enough for every layout, and little enough to be counted through in no time.
const SECTORS_MAX: u32 = 1 << 21;

/// A mostly empty image.
#[derive(Debug)]
pub struct Sparse {
    size: u64,
    pages: BTreeMap<u64, [u8; PAGE]>,
}

impl Sparse {
    /// The image that bytes describe. All bytes describe one.
    pub fn parse(bytes: &[u8]) -> Sparse {
        let (number, rest) = split_number(bytes);
        let mut pages = BTreeMap::new();
        for record in rest.chunks(4 + PAGE) {
            let (number, bytes) = split_number(record);
            let mut page = [0; PAGE];
            page[..bytes.len()].copy_from_slice(bytes);
            pages.insert(number.into(), page);
        }
        let size = u64::from(number.min(SECTORS_MAX)) * PAGE as u64;
        Sparse { size, pages }
    }

    /// The bytes that describe an image.
    pub fn describe(image: &Image) -> Vec<u8> {
        Sparse::describe_with(image.size(), |page, start| {
            let read = image.read_exact_at(page, start);
            read.expect("a page of an image");
        })
    }

    /// The bytes that describe an image's bytes.
    pub fn describe_bytes(image: &[u8]) -> Vec<u8> {
        Sparse::describe_with(image.len() as u64, |page, start| {
            let start = start as usize;
            page.copy_from_slice(&image[start..start + PAGE]);
        })
    }

    fn describe_with(size: u64, read: impl Fn(&mut [u8; PAGE], u64)) -> Vec<u8> {
        let count = u32::try_from(size / PAGE as u64).expect("a small image");
        let mut bytes = count.to_le_bytes().to_vec();
        for number in 0..count {
            let mut page = [0; PAGE];
            read(&mut page, u64::from(number) * PAGE as u64);
            if page != [0; PAGE] {
                bytes.extend(number.to_le_bytes());
                bytes.extend(page);
            }
        }
        bytes
    }

    /// How many bytes the image has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Where the pages begin that are not all zeros.
    pub fn starts(&self) -> Vec<u64> {
        self.pages.keys().map(|number| number * PAGE as u64).collect()
    }

    /// The page that holds a byte, when it is not all zeros.
    pub fn page_mut(&mut self, start: u64) -> Option<&mut [u8; PAGE]> {
        self.pages.get_mut(&(start / PAGE as u64))
    }
}

impl ReadAt for Sparse {
    fn read_exact_at(&self, buffer: &mut [u8], start: u64) -> io::Result<()> {
        let end = start
            .checked_add(buffer.len() as u64)
            .filter(|end| *end <= self.size);
        let end = end.ok_or(io::ErrorKind::UnexpectedEof)?;
        buffer.fill(0);
        let numbers = start / PAGE as u64..end.div_ceil(PAGE as u64);
        for (number, page) in self.pages.range(numbers) {
            let first = number * PAGE as u64;
            let (from, to) = (first.max(start), (first + PAGE as u64).min(end));
            if from < to {
                let target = (from - start) as usize..(to - start) as usize;
                buffer[target].copy_from_slice(&page[(from - first) as usize..(to - first) as usize]);
            }
        }
        Ok(())
    }
}

/// The number at the beginning of bytes, which may be cut off, and what follows.
fn split_number(bytes: &[u8]) -> (u32, &[u8]) {
    let (head, rest) = bytes.split_at(bytes.len().min(4));
    let mut number = [0; 4];
    number[..head.len()].copy_from_slice(head);
    (u32::from_le_bytes(number), rest)
}
