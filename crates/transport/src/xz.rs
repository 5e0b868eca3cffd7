//! xz ([the format](https://tukaani.org/xz/xz-file-format.txt)): one stream of blocks, each with its sizes in its
//! header, so that readers with several threads use them.
//!
//! ```text
//!  Stream Header │ Block │ Block │ … │ Index │ Stream Footer
//!                  │                   └ Unpadded Size and Uncompressed Size of each block
//!                  └ Block Header │ LZMA2 │ padding │ CRC32
//! ```

use std::io;

use liblzma::stream::{Action, Filters, LzmaOptions, Status, Stream};

use crate::encoder::Frame;

/// Header Magic Bytes.
pub(crate) const HEADER_MAGIC: [u8; 6] = *b"\xFD7zXZ\0";

/// Footer Magic Bytes.
pub(crate) const FOOTER_MAGIC: [u8; 2] = *b"YZ";

/// Stream Flags: the check of each block is a CRC32, the one that the smallest decoders know.
const STREAM_FLAGS: [u8; 2] = [0, 1];

/// Block Flags: one filter, and both sizes are there.
const BLOCK_FLAGS: u8 = 0xC0;

/// Filter Flags: LZMA2, with one byte of properties.
const LZMA2: [u8; 2] = [0x21, 1];

/// The exponent of a level's dictionary, as `xz` has it.
fn dictionary_bits(level: u32) -> u8 {
    match level {
        0 => 18,
        1 => 20,
        2 => 21,
        3 | 4 => 22,
        5 | 6 => 23,
        7 => 24,
        8 => 25,
        _ => 26,
    }
}

/// How many bytes of an image are in one block at this level, as `xz -T0` has it.
pub(crate) fn chunk(level: u32) -> usize {
    (3 << dictionary_bits(level)).max(1 << 20)
}

/// A whole block.
pub(crate) fn block(level: u32, chunk: &[u8]) -> io::Result<Frame> {
    let data = lzma2(level, chunk)?;
    let mut bytes = vec![0, BLOCK_FLAGS];
    add_integer(&mut bytes, data.len() as u64);
    add_integer(&mut bytes, chunk.len() as u64);
    bytes.extend(LZMA2);
    bytes.push((dictionary_bits(level) - 12) * 2);
    pad(&mut bytes);
    // Block Header Size counts in fours, and leaves out the checksum's four.
    bytes[0] = u8::try_from(bytes.len() / 4).map_err(io::Error::other)?;
    let checksum = libdeflater::crc32(&bytes);
    bytes.extend(checksum.to_le_bytes());
    bytes.extend(data);
    let padding = pad(&mut bytes);
    bytes.extend(libdeflater::crc32(chunk).to_le_bytes());
    Ok(Frame {
        bytes,
        padding,
        content_len: chunk.len(),
    })
}

/// The bytes of one filter.
fn lzma2(level: u32, chunk: &[u8]) -> io::Result<Vec<u8>> {
    let mut options = LzmaOptions::new_preset(level)?;
    options.dict_size(1 << dictionary_bits(level));
    let mut stream = Stream::new_raw_encoder(Filters::new().lzma2(&options))?;
    let mut data = Vec::new();
    loop {
        data.reserve(chunk.len() / 4 + 4096);
        let read = usize::try_from(stream.total_in()).map_err(io::Error::other)?;
        if stream.process_vec(&chunk[read..], &mut data, Action::Finish)? == Status::StreamEnd {
            return Ok(data);
        }
    }
}

/// What the Index says of each block.
#[derive(Default)]
pub(crate) struct Index {
    count: u64,
    records: Vec<u8>,
}

impl Index {
    /// Takes the next block, and puts the Stream Header before the first.
    pub(crate) fn add(&mut self, block: &Frame, out: &mut dyn io::Write) -> io::Result<()> {
        if self.count == 0 {
            let checksum = libdeflater::crc32(&STREAM_FLAGS).to_le_bytes();
            out.write_all(&[&HEADER_MAGIC[..], &STREAM_FLAGS, &checksum].concat())?;
        }
        self.count += 1;
        let unpadded_size = block.bytes.len() - block.padding;
        add_integer(&mut self.records, unpadded_size as u64);
        add_integer(&mut self.records, block.content_len as u64);
        Ok(())
    }

    /// The Index, and the Stream Footer that tells where it begins.
    pub(crate) fn finish(&self, out: &mut dyn io::Write) -> io::Result<()> {
        let mut index = vec![0];
        add_integer(&mut index, self.count);
        index.extend(&self.records);
        pad(&mut index);
        let checksum = libdeflater::crc32(&index);
        index.extend(checksum.to_le_bytes());
        let backward_size = u32::try_from(index.len() / 4 - 1).map_err(io::Error::other)?;
        let [size, flags] = [&backward_size.to_le_bytes()[..], &STREAM_FLAGS];
        let checksum = libdeflater::crc32(&[size, flags].concat()).to_le_bytes();
        out.write_all(&[&index, &checksum[..], size, flags, &FOOTER_MAGIC].concat())
    }
}

/// A multibyte integer: seven bits in a byte, the lowest first; all but the last have the highest bit.
pub(crate) fn add_integer(bytes: &mut Vec<u8>, mut integer: u64) {
    while integer >= 0x80 {
        bytes.push(integer.to_le_bytes()[0] | 0x80);
        integer >>= 7;
    }
    bytes.push(integer.to_le_bytes()[0]);
}

/// Adds zeros up to a multiple of four, and answers how many.
pub(crate) fn pad(bytes: &mut Vec<u8>) -> usize {
    let len = bytes.len();
    bytes.resize(len.next_multiple_of(4), 0);
    bytes.len() - len
}
