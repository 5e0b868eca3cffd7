//! Planning VMDKs that are streams of compressed grains.

use image::{Image, Layout, Seed, Spool};
use sha2::{Digest, Sha256};
use zerocopy::IntoBytes;

use super::descriptor::descriptor;
use super::format::{
    AT_END, COMPRESSED, DEFLATE, END_OF_STREAM, ENTRIES, FOOTER, GRAIN, GRAIN_BYTES, GRAIN_DIRECTORY,
    GRAIN_TABLE, GrainMarker, Header, MARKERS, Marker, NEWLINE_TEST, SECTOR, TABLE,
};
use crate::compress::{Compressor, Made, each};
use crate::map::Present;
use crate::{Error, Options, Planned, Result, Work};

/// What has come to lie in a spool.
pub(crate) struct Streamed {
    /// How many bytes.
    pub(crate) len: u64,
    /// Their SHA-256.
    pub(crate) sha256: [u8; 32],
}

/// The whole file in a spool of its own.
pub(crate) fn streamed(image: &Image, options: &Options, seed: &Seed, work: &Work) -> Result<Planned> {
    let spool = Spool::create(work.folder)?;
    let streamed = stream(image, options, options.file, seed, work, (&spool, 0))?;
    let mut layout = Layout::new();
    layout.put(0, "vmdk stream", spool.span(0, streamed.len));
    Ok(Planned {
        image: layout.finish(streamed.len)?,
        spool: Some(spool),
    })
}

/// Puts a file into a spool, from a place on.
pub(crate) fn stream(
    image: &Image,
    options: &Options,
    file: &str,
    seed: &Seed,
    work: &Work,
    (spool, start): (&Spool, u64),
) -> Result<Streamed> {
    let sectors = image.size() / SECTOR;
    let header = Header {
        descriptor_size: (GRAIN - 1).into(),
        gd_offset: AT_END.into(),
        over_head: GRAIN.into(),
        compress_algorithm: DEFLATE.into(),
        ..super::header(3, NEWLINE_TEST | COMPRESSED | MARKERS, sectors)
    };
    let mut out = Out {
        options,
        spool,
        start,
        buffer: Vec::new(),
        len: 0,
        hasher: Sha256::new(),
    };
    out.put(header.as_bytes())?;
    out.put(&descriptor("streamOptimized", sectors, file, seed))?;
    out.pad_to(GRAIN * SECTOR)?;

    let tables = image.size().div_ceil(GRAIN_BYTES * ENTRIES);
    let mut directory = Vec::new();
    let mut table: Option<(u64, Vec<u8>)> = None;
    let present = Present::of(image, GRAIN_BYTES)?;
    let compressor = Compressor::Zlib(options.zlib_level());
    each(
        image,
        &present,
        GRAIN_BYTES,
        compressor,
        options,
        work,
        |grain, made| {
            let bytes = match made {
                Made::Zeros => return Ok(()),
                Made::Compressed(bytes) | Made::Plain(bytes) => bytes,
            };
            let wanted = grain / ENTRIES;
            if let Some((number, entries)) = table.take_if(|(number, _)| *number != wanted) {
                out.table(number, &entries, &mut directory)?;
            }
            let (_, entries) = table.get_or_insert_with(|| (wanted, vec![0; 2048]));
            let entry = usize::try_from(grain % ENTRIES * 4).unwrap_or(0);
            entries[entry..entry + 4].copy_from_slice(&out.sector()?.to_le_bytes());
            out.grain(grain * GRAIN, &bytes)
        },
    )?;
    if let Some((number, entries)) = table {
        out.table(number, &entries, &mut directory)?;
    }
    directory.resize(usize::try_from(tables * 4).unwrap_or(0), 0);
    let directory_sectors = (directory.len() as u64).div_ceil(SECTOR);
    out.marker(directory_sectors, GRAIN_DIRECTORY)?;
    let place = out.sector()?;
    out.put(&directory)?;
    out.align()?;
    out.marker(1, FOOTER)?;
    let footer = Header {
        gd_offset: u64::from(place).into(),
        ..header
    };
    out.put(footer.as_bytes())?;
    out.marker(0, END_OF_STREAM)?;
    out.finish()
}

/// A file that grows in a spool.
struct Out<'a> {
    options: &'a Options<'a>,
    spool: &'a Spool,
    start: u64,
    /// What is not in the spool yet.
    buffer: Vec<u8>,
    /// How many bytes there are, those in the buffer too.
    len: u64,
    hasher: Sha256,
}

/// How many bytes gather before they go into the spool.
const BUFFER: usize = 1 << 20;

impl Out<'_> {
    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.buffer.extend_from_slice(bytes);
        self.len += bytes.len() as u64;
        if self.buffer.len() >= BUFFER {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        let place = self.start + self.len - self.buffer.len() as u64;
        self.hasher.update(&self.buffer);
        self.spool.write_at(&self.buffer, place)?;
        self.buffer.clear();
        Ok(())
    }

    fn pad_to(&mut self, end: u64) -> Result<()> {
        let missing = usize::try_from(end.saturating_sub(self.len)).unwrap_or(0);
        self.put(&vec![0; missing])
    }

    fn align(&mut self) -> Result<()> {
        self.pad_to(self.len.next_multiple_of(SECTOR))
    }

    /// The sector that comes next.
    fn sector(&self) -> Result<u32> {
        u32::try_from(self.len / SECTOR).map_err(|_| Error::FileTooLarge {
            format: self.options.format,
            size: self.len,
            max: super::FILE_MAX,
        })
    }

    fn grain(&mut self, lba: u64, bytes: &[u8]) -> Result<()> {
        let marker = GrainMarker {
            lba: lba.into(),
            size: u32::try_from(bytes.len()).unwrap_or(u32::MAX).into(),
        };
        self.put(marker.as_bytes())?;
        self.put(bytes)?;
        self.align()
    }

    fn marker(&mut self, sectors: u64, kind: u32) -> Result<()> {
        let marker = Marker {
            num_sectors: sectors.into(),
            size: 0.into(),
            kind: kind.into(),
            pad: [0; 496],
        };
        self.put(marker.as_bytes())
    }

    /// Puts a grain table, and its place into the directory.
    fn table(&mut self, number: u64, entries: &[u8], directory: &mut Vec<u8>) -> Result<()> {
        self.marker(TABLE, GRAIN_TABLE)?;
        directory.resize(usize::try_from(number * 4).unwrap_or(0), 0);
        directory.extend(self.sector()?.to_le_bytes());
        self.put(entries)
    }

    fn finish(mut self) -> Result<Streamed> {
        self.flush()?;
        Ok(Streamed {
            len: self.len,
            sha256: self.hasher.finalize().into(),
        })
    }
}
