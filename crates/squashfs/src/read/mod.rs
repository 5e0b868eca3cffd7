//! Images become trees again. Nothing that an image claims is believed before it is checked, and what a hostile
//! image can make this reader allocate is bounded by [the image's size](Archive::open).

mod data;
mod metadata;
mod tree;

use std::sync::Arc;

use image::{ReadAt, Tree};
use zerocopy::FromBytes;

use crate::compress::Decompressor;
use crate::format::{self, NO_TABLE, Superblock};
use crate::{BLOCK_SIZE_MAX, BLOCK_SIZE_MIN, Error};

/// An image that is open.
#[derive(Clone, Debug)]
pub struct Archive {
    source: Source,
    superblock: Superblock,
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
    /// Opens an image of `size` bytes and checks its superblock.
    ///
    /// Reading its tree will take at most 64 MiB and 64 times the image's size of memory.
    ///
    /// # Errors
    /// When it cannot be read, is no SquashFS 4.0, or its superblock makes no sense.
    pub fn open(bytes: Arc<dyn ReadAt>, size: u64) -> Result<Archive, Error> {
        let mut source = Source { bytes, size };
        let head = source.read(0, size_of::<Superblock>())?;
        let damaged = |what: &str| Error::Damaged(what.to_string());
        let superblock =
            Superblock::read_from_bytes(&head).map_err(|_| damaged("the superblock is too short"))?;
        if superblock.magic.get() != format::MAGIC {
            return Err(damaged("it does not begin with \"hsqs\""));
        }
        if superblock.version_major.get() != format::VERSION_MAJOR {
            return Err(Error::Unsupported(format!(
                "version {}",
                superblock.version_major
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
        let tables = [
            superblock.inode_table_start,
            superblock.directory_table_start,
            superblock.id_table_start,
            superblock.fragment_table_start,
            superblock.xattr_table_start,
        ];
        if tables
            .iter()
            .any(|start| start.get() != NO_TABLE && start.get() > used)
        {
            return Err(damaged("a table lies behind its end"));
        }
        Decompressor::new(superblock.compressor.get())?;
        Ok(Archive { source, superblock })
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
