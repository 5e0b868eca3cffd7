//! Compressors with other parameters than Kiln's.

use liblzma::stream::{Action, Check, Filters, LzmaOptions, Status, Stream};
use zstd_safe::{CCtx, CParameter, InBuffer, OutBuffer};

/// A parameter of zstd.
#[derive(Clone, Copy)]
pub(crate) enum Zstd {
    Level(i32),
    Checksum,
    /// With a window of so many bytes, as a power of two.
    Window(u32),
    /// With blocks of so many bytes.
    Blocks(u32),
    /// As who does not know the length yet.
    Streamed,
}

/// A zstd frame.
pub(crate) fn zstd(content: &[u8], parameters: &[Zstd]) -> Vec<u8> {
    let mut context = CCtx::create();
    let mut set = |parameter| context.set_parameter(parameter).map(drop).unwrap();
    for parameter in parameters {
        match *parameter {
            Zstd::Level(level) => set(CParameter::CompressionLevel(level)),
            Zstd::Checksum => set(CParameter::ChecksumFlag(true)),
            Zstd::Window(log) => set(CParameter::WindowLog(log)),
            Zstd::Blocks(len) => set(CParameter::MaxBlockSize(len)),
            Zstd::Streamed => set(CParameter::ContentSizeFlag(false)),
        }
    }
    let mut output = vec![0; 2 * content.len() + 4096];
    let is_streamed = parameters
        .iter()
        .any(|parameter| matches!(parameter, Zstd::Streamed));
    let len = if is_streamed {
        let mut filled = OutBuffer::around(&mut output[..]);
        let mut input = InBuffer::around(content);
        while input.pos < content.len() {
            context.compress_stream(&mut filled, &mut input).unwrap();
        }
        assert_eq!(context.end_stream(&mut filled).unwrap(), 0);
        filled.pos()
    } else {
        context.compress2(&mut output[..], content).unwrap()
    };
    output.truncate(len);
    output
}

fn run(stream: &mut Stream, content: &[u8], action: Action, output: &mut Vec<u8>) {
    output.reserve(2 * content.len() + 4096);
    let mut done = 0;
    loop {
        let before = stream.total_in();
        let status = stream.process_vec(&content[done..], output, action).unwrap();
        done += usize::try_from(stream.total_in() - before).unwrap();
        if status == Status::StreamEnd || done == content.len() && matches!(action, Action::Run) {
            return;
        }
    }
}

/// An xz stream.
pub(crate) fn xz(content: &[u8], dictionary_size: u32, check: Check) -> Vec<u8> {
    let mut options = LzmaOptions::new_preset(6).unwrap();
    options.dict_size(dictionary_size);
    let mut stream = Stream::new_stream_encoder(Filters::new().lzma2(&options), check).unwrap();
    let mut output = Vec::new();
    run(&mut stream, content, Action::Finish, &mut output);
    output
}

/// An xz stream with filters before LZMA2.
pub(crate) fn xz_filters(content: &[u8], add: fn(&mut Filters) -> &mut Filters) -> Vec<u8> {
    let mut options = LzmaOptions::new_preset(6).unwrap();
    options.dict_size(1 << 17);
    let mut filters = Filters::new();
    let filters = add(&mut filters).lzma2(&options);
    let mut stream = Stream::new_stream_encoder(filters, Check::Crc32).unwrap();
    let mut output = Vec::new();
    run(&mut stream, content, Action::Finish, &mut output);
    output
}

/// An xz stream of two blocks.
pub(crate) fn xz_blocks(content: &[u8]) -> Vec<u8> {
    let mut options = LzmaOptions::new_preset(6).unwrap();
    options.dict_size(1 << 17);
    let mut stream = Stream::new_stream_encoder(Filters::new().lzma2(&options), Check::Crc32).unwrap();
    let mut output = Vec::new();
    let (first, second) = content.split_at(content.len() / 2);
    run(&mut stream, first, Action::FullFlush, &mut output);
    run(&mut stream, second, Action::Finish, &mut output);
    output
}

/// The format before xz.
pub(crate) fn lzma_alone(content: &[u8]) -> Vec<u8> {
    let mut stream = Stream::new_lzma_encoder(&LzmaOptions::new_preset(6).unwrap()).unwrap();
    let mut output = Vec::new();
    run(&mut stream, content, Action::Finish, &mut output);
    output
}

type Compress =
    fn(&mut libdeflater::Compressor, &[u8], &mut [u8]) -> Result<usize, libdeflater::CompressionError>;

fn deflate(content: &[u8], compress: Compress) -> Vec<u8> {
    let level = libdeflater::CompressionLvl::new(9).unwrap();
    let mut output = vec![0; 2 * content.len() + 4096];
    let len = compress(&mut libdeflater::Compressor::new(level), content, &mut output).unwrap();
    output.truncate(len);
    output
}

/// A zlib stream, as SquashFS has it under the name of gzip.
pub(crate) fn gzip(content: &[u8]) -> Vec<u8> {
    deflate(content, libdeflater::Compressor::zlib_compress)
}

/// A file of gzip.
pub(crate) fn gzip_file(content: &[u8]) -> Vec<u8> {
    deflate(content, libdeflater::Compressor::gzip_compress)
}

/// Other bits in one byte; places below zero count from the end.
pub(crate) fn flipped(bytes: &[u8], place: isize, bits: u8) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let place = usize::try_from(place).unwrap_or_else(|_| bytes.len() - place.unsigned_abs());
    bytes[place] ^= bits;
    bytes
}

/// The bits of a deflate stream.
#[derive(Default)]
pub(crate) struct Bits {
    bytes: Vec<u8>,
    count: usize,
}

impl Bits {
    /// A number, its lowest bit first.
    pub(crate) fn put(&mut self, value: u32, count: u32) {
        for bit in 0..count {
            if self.count.is_multiple_of(8) {
                self.bytes.push(0);
            }
            let byte = self.bytes.last_mut().unwrap();
            *byte |= u8::from(value >> bit & 1 == 1) << (self.count % 8);
            self.count += 1;
        }
    }

    /// A code, its highest bit first.
    pub(crate) fn code(&mut self, value: u32, count: u32) {
        for bit in (0..count).rev() {
            self.put(value >> bit & 1, 1);
        }
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.bytes
    }
}
