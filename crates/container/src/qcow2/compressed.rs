//! Planning qcow2s whose clusters are compressed.

use image::{Image, Layout, Spool};

use super::format::{CLUSTER, COMPRESSED, COPIED, DEFLATE, SECTOR, ZSTD};
use super::plan::{Tables, length};
use crate::compress::{Compressor, Made, each};
use crate::map::Present;
use crate::{Options, Planned, Result, Work};

/// The clusters that are more than zeros, compressed. One that does not get smaller stays as it is, a slice of the disk.
pub(crate) fn compressed(
    image: &Image,
    compressor: Compressor,
    options: &Options,
    work: &Work,
) -> Result<Planned> {
    let present = Present::of(image, CLUSTER)?;
    let mut tables = Tables::new(image.size(), &present)?;
    let spool = Spool::create(work.folder)?;
    let mut layout = Layout::new();
    let mut room = Room::new(tables.data_start(), &spool);
    each(
        image,
        &present,
        CLUSTER,
        compressor,
        options,
        work,
        |cluster, made| {
            match made {
                Made::Zeros => Ok(()),
                Made::Compressed(bytes) => {
                    let start = room.take(&bytes)?;
                    let end = start + bytes.len() as u64;
                    let sectors = (end - 1) / SECTOR - start / SECTOR;
                    // The bits above the offset's count sectors behind the first.
                    tables.enter(cluster, COMPRESSED | sectors << 54 | start)
                }
                Made::Plain(_) => {
                    let start = room.take_cluster();
                    tables.enter(cluster, start | COPIED)?;
                    let bytes = cluster * CLUSTER..(cluster + 1) * CLUSTER;
                    layout.put_all(start, image.slice(bytes));
                    Ok(())
                }
            }
        },
    )?;
    let refcounts = room.finish(&mut layout)?;
    let kind = match compressor {
        Compressor::Zstd(_) => ZSTD,
        Compressor::Deflate(_) | Compressor::Zlib(_) => DEFLATE,
    };
    let image = tables.put(&mut layout, kind, refcounts)?;
    Ok(Planned {
        image,
        spool: Some(spool),
    })
}

/// Where the next bytes of the file go.
struct Room<'a> {
    spool: &'a Spool,
    /// The first byte behind the compressed bytes, in a cluster that has room for more or at the begin of one.
    free: u64,
    /// The first cluster that nobody has.
    end: u64,
    /// How often each cluster is referred to.
    refcounts: Vec<u16>,
    /// Runs of bytes in the spool.
    runs: Vec<(u64, u64)>,
    /// The bytes of the last run that are not in the spool yet.
    buffer: Vec<u8>,
}

/// How many bytes gather before they go into the spool.
const BUFFER: usize = 1 << 20;

impl Room<'_> {
    fn new(start: u64, spool: &Spool) -> Room<'_> {
        Room {
            spool,
            free: start,
            end: start,
            refcounts: vec![1; usize::try_from(start / CLUSTER).unwrap_or(0)],
            runs: Vec::new(),
            buffer: Vec::new(),
        }
    }

    /// Puts compressed bytes behind those before them, or into a new cluster if another one is in the way.
    fn take(&mut self, bytes: &[u8]) -> Result<u64> {
        let open = self.free.next_multiple_of(CLUSTER);
        if open != self.end && self.free + bytes.len() as u64 > open {
            self.free = self.end;
        }
        let start = self.free;
        match self.runs.last_mut() {
            Some((first, len)) if *first + *len == start => *len += bytes.len() as u64,
            _ => {
                self.flush()?;
                self.runs.push((start, bytes.len() as u64));
            }
        }
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= BUFFER {
            self.flush()?;
        }
        self.free += bytes.len() as u64;
        self.end = self.end.max(self.free.next_multiple_of(CLUSTER));
        self.refcounts.resize(length(self.end / CLUSTER)?, 0);
        // Readers go to the end of the last sector.
        let last = length((self.free - 1) / CLUSTER)?;
        for count in &mut self.refcounts[length(start / CLUSTER)?..=last] {
            *count += 1;
        }
        Ok(start)
    }

    /// A cluster of its own.
    fn take_cluster(&mut self) -> u64 {
        let start = self.end;
        self.end += CLUSTER;
        // What has no room in the open cluster begins in a new one.
        self.refcounts.push(1);
        if self.free == start {
            self.free = self.end;
        }
        start
    }

    fn flush(&mut self) -> Result<()> {
        if let Some((start, len)) = self.runs.last() {
            let place = start + len - self.buffer.len() as u64;
            self.spool.write_at(&self.buffer, place)?;
            self.buffer.clear();
        }
        Ok(())
    }

    fn finish(mut self, layout: &mut Layout) -> Result<Vec<u16>> {
        if let Some((start, len)) = self.runs.last() {
            let place = start + len - self.buffer.len() as u64;
            self.spool.write_at(&self.buffer, place)?;
        }
        for (start, len) in &self.runs {
            layout.put(*start, "qcow2 compressed clusters", self.spool.span(*start, *len));
        }
        Ok(std::mem::take(&mut self.refcounts))
    }
}
