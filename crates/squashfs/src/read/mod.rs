//! Images become trees again. Nothing that an image claims is believed before it is checked, and what a hostile
//! image can make this reader allocate is bounded by [the image's size](Archive::open).

mod data;
mod metadata;
mod mount;
mod structures;
mod tree;

use std::sync::Arc;

use image::{ReadAt, Tree};
use zerocopy::FromBytes;

use crate::decompress::{Decompressor, Limits};
use crate::format::{self, Superblock};
use crate::{BLOCK_SIZE_MAX, BLOCK_SIZE_MIN, Error};

/// An image that is open.
#[derive(Clone, Debug)]
pub struct Archive {
    source: Source,
    superblock: Superblock,
    coding: Coding,
}

/// How an image's blocks are compressed.
#[derive(Clone, Debug)]
struct Coding {
    compressor: u16,
    limits: Limits,
}

impl Coding {
    fn decompressor(&self) -> Result<Decompressor, Error> {
        Decompressor::new(self.compressor, self.limits.clone())
    }
}

/// What the superblock says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Info {
    /// Bytes of a data block.
    pub block_size: u32,
    /// The compressor's name.
    pub compressor: &'static str,
    /// Files, directories, links and special files.
    pub inode_count: u32,
    /// The bytes that the format uses.
    pub used: u64,
    /// The time of making, in seconds since 1970.
    pub time: u32,
}

/// The bytes of an image.
#[derive(Clone, Debug)]
struct Source {
    bytes: Arc<dyn ReadAt>,
    size: u64,
}

impl Source {
    fn read(&self, start: u64, len: usize) -> Result<Vec<u8>, Error> {
        let end = start.checked_add(len as u64).filter(|end| *end <= self.size);
        if end.is_none() {
            return Err(Error::Damaged(format!(
                "{len} bytes at byte {start} lie behind its end ({})",
                self.size
            )));
        }
        let mut buffer = vec![0; len];
        self.bytes
            .read_exact_at(&mut buffer, start)
            .map_err(|source| Error::Read { start, source })?;
        Ok(buffer)
    }
}

impl Archive {
    /// Opens an image of `size` bytes and checks its superblock and the places of its tables, as Linux does when it
    /// mounts one.
    ///
    /// Reading its tree will take at most 64 MiB and 64 times the image's size of memory.
    ///
    /// # Errors
    /// When it cannot be read, is no SquashFS 4.0, or Linux would not mount it.
    pub fn open(bytes: Arc<dyn ReadAt>, size: u64) -> Result<Archive, Error> {
        let mut source = Source { bytes, size };
        let head = source.read(0, size_of::<Superblock>())?;
        let damaged = |what: &str| Error::Damaged(what.to_string());
        let superblock =
            Superblock::read_from_bytes(&head).map_err(|_| damaged("the superblock is too short"))?;
        if superblock.magic.get() != format::MAGIC {
            return Err(damaged("it does not begin with \"hsqs\""));
        }
        let version = [superblock.version_major.get(), superblock.version_minor.get()];
        if version != [format::VERSION_MAJOR, 0] {
            return Err(Error::Unsupported(format!(
                "version {}.{}",
                version[0], version[1]
            )));
        }
        let block_size = superblock.block_size.get();
        if !block_size.is_power_of_two()
            || !(BLOCK_SIZE_MIN..=BLOCK_SIZE_MAX).contains(&block_size)
            || block_size.trailing_zeros() != u32::from(superblock.block_log.get())
        {
            return Err(damaged("its block size is none of the format's"));
        }
        let used = superblock.bytes_used.get();
        if used > size {
            return Err(Error::Damaged(format!(
                "it uses {used} bytes and has only {size}"
            )));
        }
        source.size = used;
        let coding = Coding {
            compressor: superblock.compressor.get(),
            limits: mount::limits(&source, &superblock)?,
        };
        coding.decompressor()?;
        mount::check(&source, &superblock)?;
        Ok(Archive {
            source,
            superblock,
            coding,
        })
    }

    /// What the superblock says.
    #[must_use]
    pub fn info(&self) -> Info {
        Info {
            block_size: self.superblock.block_size.get(),
            compressor: match self.superblock.compressor.get() {
                1 => "gzip",
                4 => "xz",
                _ => "zstd",
            },
            inode_count: self.superblock.inode_count.get(),
            used: self.superblock.bytes_used.get(),
            time: self.superblock.mkfs_time.get(),
        }
    }

    /// Reads all inodes and directories. The files' contents are read and decompressed when they are used.
    ///
    /// # Errors
    /// When the image cannot be read, or anything in its tables makes no sense.
    pub fn tree(&self) -> Result<Tree, Error> {
        tree::read(self)
    }
}

/// Counts down what may be allocated for an image.
struct Budget(u64);

impl Budget {
    fn of(source: &Source) -> Budget {
        Budget((64 << 20) + source.size.saturating_mul(64))
    }

    fn take(&mut self, bytes: u64) -> Result<(), Error> {
        let left = self.0.checked_sub(bytes);
        self.0 = left.ok_or_else(|| Error::Damaged("it unpacks to more than its size can justify".into()))?;
        Ok(())
    }
}
