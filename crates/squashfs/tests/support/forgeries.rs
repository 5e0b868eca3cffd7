//! Blocks that decompress to the right bytes for somebody, and what Linux and Kiln make of each.

use std::ops::Range;

use super::compressors::{Bits, Zstd, flipped, gzip, xz, xz_filters, zstd};
use liblzma::stream::Check;

/// What somebody makes of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is read, and gives the right bytes.
    Read,
    /// It is an error.
    Refused,
    /// One or the other: it depends on the version, or on where the block lies.
    Depends,
}
use Verdict::{Depends, Read, Refused};

/// The compressors' numbers in the superblock.
pub(crate) const GZIP: u16 = 1;
pub(crate) const XZ: u16 = 4;
pub(crate) const ZSTD: u16 = 6;

/// A block, and what becomes of it.
pub(crate) struct Forgery {
    pub(crate) what: &'static str,
    pub(crate) compressor: u16,
    pub(crate) block_size: u32,
    /// What follows the superblock.
    pub(crate) options: Vec<u8>,
    /// What the block would hold.
    pub(crate) content: Vec<u8>,
    /// The block.
    pub(crate) block: Vec<u8>,
    /// What Linux makes of it.
    pub(crate) linux: Verdict,
    /// What Kiln makes of it in an image.
    pub(crate) kiln: Verdict,
    /// What Kiln makes of it in a segment.
    pub(crate) in_segments: Verdict,
    /// Only whoever decompresses it notices what is wrong.
    pub(crate) inside: bool,
    /// Only whoever knows the block size notices what is wrong.
    pub(crate) needs_block_size: bool,
    /// Where it begins in an image, at least.
    pub(crate) start: usize,
}

const BLOCK_SIZE: u32 = 128 << 10;

impl Forgery {
    fn new(compressor: u16, what: &'static str, content: &[u8], block: Vec<u8>) -> Forgery {
        Forgery {
            what,
            compressor,
            block_size: BLOCK_SIZE,
            options: Vec::new(),
            content: content.to_vec(),
            block,
            linux: Refused,
            kiln: Refused,
            in_segments: Refused,
            inside: false,
            needs_block_size: false,
            start: 0,
        }
    }

    fn linux(self, linux: Verdict) -> Forgery {
        Forgery { linux, ..self }
    }

    fn fine(self) -> Forgery {
        Forgery {
            linux: Read,
            kiln: Read,
            in_segments: Read,
            ..self
        }
    }

    fn kiln(self, kiln: Verdict) -> Forgery {
        Forgery { kiln, ..self }
    }

    /// Nobody makes it so for segments.
    fn only_in_images(self) -> Forgery {
        Forgery {
            in_segments: Refused,
            ..self
        }
    }

    fn block_size(self, block_size: u32) -> Forgery {
        Forgery { block_size, ..self }
    }

    fn options(self, dictionary_size: u32, filters: u32) -> Forgery {
        let options = [dictionary_size.to_le_bytes(), filters.to_le_bytes()].concat();
        Forgery { options, ..self }
    }

    fn start(self, start: usize) -> Forgery {
        Forgery { start, ..self }
    }

    fn needs_block_size(self) -> Forgery {
        Forgery {
            needs_block_size: true,
            ..self
        }
    }

    fn inside(self) -> Forgery {
        Forgery { inside: true, ..self }
    }
}

/// All of them.
pub(crate) fn forgeries() -> Vec<Forgery> {
    let mut all = Vec::new();
    all.extend(zstd_frames());
    all.extend(zstd_blocks());
    all.extend(zstd_pages());
    all.extend(xz_streams());
    all.extend(xz_blocks());
    all.extend(gzip_streams());
    all.extend(gzip_codes());
    all
}

/// Words that compress well, and refer back to everything before them.
pub(crate) fn words(len: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let mut text = Vec::new();
    while text.len() < len {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        text.extend(format!("{:x} ", state >> 20 & state >> 24).bytes());
    }
    text.truncate(len);
    text
}

/// Noise that comes a second time, so that all matches have this distance.
pub(crate) fn echo(distance: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    let once: Vec<u8> = (0..distance).map(|_| noise()).collect();
    once.repeat(2)
}

const SKIPPABLE: [u8; 12] = *b"\x50\x2a\x4d\x18\x04\0\0\0junk";
const EMPTY_FRAME: [u8; 9] = *b"\x28\xb5\x2f\xfd\x20\x00\x01\0\0";

fn zstd_frames() -> Vec<Forgery> {
    let text = words(100_000);
    let block = zstd(&text, &[]);
    let row = |what, block: Vec<u8>| Forgery::new(ZSTD, what, &text, block);
    let half = text.len() / 2;
    let streamed = [Zstd::Streamed, Zstd::Window(21)];
    let large = words(1 << 20);
    vec![
        row("zstd as it should be", block.clone()).fine(),
        row(
            "a window of a block",
            zstd(&text, &[Zstd::Streamed, Zstd::Window(17)]),
        )
        .fine(),
        Forgery::new(
            ZSTD,
            "a window of half a block",
            &large,
            zstd(&large, &[Zstd::Level(1)]),
        )
        .block_size(1 << 20)
        .fine(),
        row("a window that is too large", zstd(&text, &streamed)),
        row(
            "a window that is a bit too large",
            flipped(&zstd(&text, &[Zstd::Streamed, Zstd::Window(17)]), 5, 1),
        ),
        row(
            "two frames",
            [zstd(&text[..half], &[]), zstd(&text[half..], &[])].concat(),
        ),
        row("an empty frame before", [&EMPTY_FRAME[..], &block].concat()),
        row("an empty frame behind", [&block[..], &EMPTY_FRAME].concat()).linux(Read),
        row("a skippable frame before", [&SKIPPABLE[..], &block].concat()),
        row("a skippable frame behind", [&block[..], &SKIPPABLE].concat()).linux(Read),
        row("a byte behind", [&block[..], &[0]].concat()).linux(Read),
        row("cut off", block[..block.len() - 1].to_vec()),
        row("a checksum", zstd(&text, &[Zstd::Checksum])).fine(),
        row(
            "a checksum that is wrong",
            flipped(&zstd(&text, &[Zstd::Checksum]), -1, 1),
        )
        .inside(),
        row(
            "the number of a dictionary",
            [&block[..4], &[block[4] | 1], &[7], &block[5..]].concat(),
        ),
        row("the reserved flag", flipped(&block, 4, 8)),
        row("the unused flag", flipped(&block, 4, 16)).linux(Read),
        row("another length", flipped(&block, 5, 1)),
        row("another magic number", flipped(&block, 0, 1)),
    ]
}

/// A frame of these blocks: each with its type, its size and its bytes.
fn frame(window_log: u8, blocks: &[(u32, usize, &[u8])]) -> Vec<u8> {
    let mut frame = b"\x28\xb5\x2f\xfd\x00".to_vec();
    frame.push((window_log - 10) << 3);
    for (number, (kind, size, bytes)) in blocks.iter().enumerate() {
        let last = u32::from(number + 1 == blocks.len());
        let header = last | kind << 1 | u32::try_from(*size).unwrap() << 3;
        frame.extend(&header.to_le_bytes()[..3]);
        frame.extend(*bytes);
    }
    frame
}

/// The bytes of a frame's blocks.
fn body(frame: &[u8]) -> &[u8] {
    assert_eq!(frame[4], 0, "a frame with a window and without a length");
    &frame[6..]
}

fn zstd_blocks() -> Vec<Forgery> {
    let (text, zeros) = (words(100_000), vec![0; 100_000]);
    let row = |what, block: Vec<u8>| Forgery::new(ZSTD, what, &zeros, block);
    let short = [Zstd::Streamed, Zstd::Window(17), Zstd::Blocks(1024)];
    // Blocks of a KiB, and matches of any distance: the window is made smaller behind the compressor's back.
    let with_window = |content: &[u8], log: u8| {
        let honest = zstd(content, &short);
        [b"\x28\xb5\x2f\xfd\x00", &[(log - 10) << 3][..], body(&honest)].concat()
    };
    let (near, far) = (echo(2000), echo(50_000));
    let blocks = |what, content: &[u8], log| Forgery::new(ZSTD, what, content, with_window(content, log));
    // A match of more bytes than a block may have: one literal, and a sequence whose length takes 16 more bits.
    let long = b"\x08\0\x01\x54\x01\0\x34\x9c\x86\x01";
    vec![
        row("a run of bytes", frame(17, &[(1, 100_000, b"\0")])).fine(),
        row(
            "a run that is longer than the window",
            frame(12, &[(1, 100_000, b"\0")]),
        ),
        Forgery::new(
            ZSTD,
            "a run that is longer than a block",
            &[0; 1 << 18],
            frame(18, &[(1, 1 << 18, b"\0")]),
        )
        .block_size(1 << 18),
        row(
            "a match that is longer than a block",
            frame(12, &[(2, long.len(), long)]),
        )
        .inside(),
        row("a reserved type of block", frame(17, &[(3, 1, b"\0")])),
        row(
            "an empty block behind",
            frame(17, &[(1, 100_000, b"\0"), (0, 0, b"")]),
        )
        .fine(),
        row(
            "a compressed block of nothing",
            frame(17, &[(1, 100_000, b"\0"), (2, 2, b"\0\0")]),
        )
        .linux(Depends),
        blocks("matches within the window", &near, 11).fine(),
        blocks("matches beyond the window", &near, 10)
            .linux(Depends)
            .inside(),
        blocks("matches far beyond the window", &far, 12).inside(),
        blocks("matches of all distances beyond the window", &text, 13).inside(),
    ]
}

/// Frames whose content fills its last page, and that go on into the next page of the image: Linux has no page to put more
/// into then. Where the rest lies in the same page of the image, it is read.
fn zstd_pages() -> Vec<Forgery> {
    let zeros = vec![0; BLOCK_SIZE as usize];
    let stored = &zeros[..4096 - 13];
    let run = (1, zeros.len() - stored.len(), &b"\0"[..]);
    let stored = (0, stored.len(), stored);
    let mut with_sum = frame(17, &[run, stored]);
    with_sum[4] |= 4;
    let summed = zstd(&zeros, &[Zstd::Checksum]);
    let frames = [
        (
            "a checksum",
            [&with_sum[..], &summed[summed.len() - 4..]].concat(),
        ),
        ("an empty block", frame(17, &[run, stored, (0, 0, b"")])),
    ];
    let rows = frames.into_iter().flat_map(|(what, frame)| {
        assert!((4096..4101).contains(&frame.len()), "{what}");
        let row = Forgery::new(ZSTD, what, &zeros, frame.clone()).start(4096);
        let other = Forgery::new(ZSTD, what, &zeros, frame)
            .start(4096 + 512)
            .linux(Read);
        [row, other]
    });
    rows.collect()
}

fn xz_streams() -> Vec<Forgery> {
    let text = words(100_000);
    let block = xz(&text, 1 << 17, Check::Crc32);
    let row = |what, block: Vec<u8>| Forgery::new(XZ, what, &text, block);
    let half = text.len() / 2;
    let halves: [Range<usize>; 2] = [0..half, half..text.len()];
    let two = halves.map(|half| xz(&text[half], 1 << 17, Check::Crc32)).concat();
    vec![
        row("xz as it should be", block.clone()).fine(),
        row("xz without a check", xz(&text, 1 << 17, Check::None)).fine(),
        row("CRC64", xz(&text, 1 << 17, Check::Crc64)),
        row("SHA-256", xz(&text, 1 << 17, Check::Sha256)),
        row("two streams", two),
        row("padding behind", [&block[..], &[0; 4]].concat()).linux(Read),
        row("bytes behind", [&block[..], b"YZ"].concat()).linux(Read),
        row("cut off", block[..block.len() - 1].to_vec()),
        row("a check that is wrong", flipped(&block, -26, 1)).inside(),
        row("lzma alone", super::compressors::lzma_alone(&text)),
        row("two blocks", super::compressors::xz_blocks(&text)).linux(Read),
    ]
}

fn xz_blocks() -> Vec<Forgery> {
    let text = words(100_000);
    let row = |what, block: Vec<u8>| Forgery::new(XZ, what, &text, block);
    let far = echo(50_000);
    let honest = xz(&far, 1 << 17, Check::Crc32);
    // The dictionary's size stands in the block's header, before its CRC32.
    let lie = |bits: u8| {
        let mut block = honest.clone();
        assert_eq!(block[14..16], [0x21, 1]);
        block[16] = bits;
        let crc = libdeflater::crc32(&block[12..20]);
        block[20..24].copy_from_slice(&crc.to_le_bytes());
        block
    };
    let x86 = || xz_filters(&text, |filters| filters.x86());
    vec![
        row("a dictionary of two blocks", xz(&text, 1 << 18, Check::Crc32)).needs_block_size(),
        row("a dictionary of half a block", xz(&text, 1 << 16, Check::Crc32))
            .fine()
            .only_in_images(),
        row(
            "a dictionary that the options name",
            xz(&text, 1 << 18, Check::Crc32),
        )
        .options(1 << 18, 0)
        .fine()
        .only_in_images(),
        row(
            "a dictionary above the options' one",
            xz(&text, 1 << 17, Check::Crc32),
        )
        .options(1 << 16, 0),
        row(
            "options with a dictionary of no size",
            xz(&text, 1 << 16, Check::Crc32),
        )
        .options(5 << 14, 0),
        Forgery::new(XZ, "matches beyond the dictionary", &far, lie(6)).inside(),
        Forgery::new(XZ, "a dictionary of an unknown size", &far, lie(41)),
        row("the filter x86", x86()).linux(Depends),
        row("the filter x86, which the options name", x86())
            .options(1 << 17, 1)
            .linux(Depends)
            .kiln(Read),
        row("the filter x86, and options with another", x86())
            .options(1 << 17, 2)
            .linux(Depends),
        row("the filter arm64", xz_filters(&text, |filters| filters.arm64())).linux(Depends),
        row(
            "the filter delta",
            xz_filters(&text, |filters| filters.delta_properties(&[0]).unwrap()),
        ),
        row("three filters", xz_filters(&text, |filters| filters.x86().arm())),
    ]
}

fn gzip_streams() -> Vec<Forgery> {
    let text = words(100_000);
    let block = gzip(&text);
    let row = |what, block: Vec<u8>| Forgery::new(GZIP, what, &text, block);
    let half = text.len() / 2;
    // The same window, and a flag that asks for a dictionary.
    let dictionary = [&[0x78, 0xbb][..], &[0; 4], &block[2..]].concat();
    vec![
        row("gzip as it should be", block.clone()).fine(),
        row("two streams", [gzip(&text[..half]), gzip(&text[half..])].concat()).inside(),
        row("a byte behind", [&block[..], &[0]].concat())
            .linux(Read)
            .inside(),
        row(
            "the sum once more",
            [&block[..], &block[block.len() - 4..]].concat(),
        )
        .linux(Read)
        .inside(),
        row("a dictionary", dictionary),
        row("a gzip file", super::compressors::gzip_file(&text)),
        row("no header", block[2..block.len() - 4].to_vec()),
        row("cut off", block[..block.len() - 1].to_vec()).inside(),
        row("a sum that is wrong", flipped(&block, -1, 1)).inside(),
        row("a window of 64 KiB", [&[0x88, 0x1c][..], &block[2..]].concat()),
        row("another method", [&[0x79, 0x18][..], &block[2..]].concat()),
    ]
}

fn gzip_codes() -> Vec<Forgery> {
    // A literal, and matches of one byte before, in the codes that need no tables.
    let stream = |content: &[u8], codes: &dyn Fn(&mut Bits)| {
        let mut bits = Bits::default();
        bits.put(0b011, 3);
        codes(&mut bits);
        bits.code(0, 7);
        [
            &[0x78, 0x9c][..],
            &bits.finish(),
            &libdeflater::adler32(content).to_be_bytes(),
        ]
        .concat()
    };
    let zeros = vec![0; 1 + 258];
    let row = |what, codes: &dyn Fn(&mut Bits)| {
        Forgery::new(GZIP, what, &zeros, stream(&zeros, codes))
            .block_size(4096)
            .inside()
    };
    let far = vec![0; 24_577 + 3];
    vec![
        row("the longest match", &|bits| {
            bits.code(0x30, 8);
            bits.code(0xc5, 8);
            bits.code(0, 5);
        })
        .fine(),
        row("a reserved length", &|bits| {
            bits.code(0x30, 8);
            bits.code(0xc6, 8);
            bits.code(0, 5);
        }),
        Forgery::new(
            GZIP,
            "a reserved distance",
            &far,
            stream(&far, &|bits| {
                for _ in 0..24_577 {
                    bits.code(0x30, 8);
                }
                bits.code(1, 7);
                bits.code(30, 5);
                bits.put(0, 13);
            }),
        )
        .inside(),
    ]
}
