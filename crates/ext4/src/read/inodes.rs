//! Reads inodes and what their fields say.

use std::ops::Range;

use zerocopy::FromBytes;

use super::{FileSystem, damaged};
use crate::Result;
use crate::checksum::crc32c;
use crate::format::{
    GROUP_INODE_UNINIT, INODE_CHECKSUM_HI, INODE_CHECKSUM_LO, INODE_CLASSIC, INODE_HUGE_FILE,
    Inode as Fields, ro_compat,
};

/// An inode that is there and whose checksum is right.
#[derive(Clone, Debug)]
pub(super) struct Inode {
    pub(super) number: u32,
    /// Fields that are behind the inode's own end are zeros.
    pub(super) fields: Fields,
    /// All bytes.
    pub(super) bytes: Vec<u8>,
    /// Bytes of it that its fields have.
    pub(super) fields_len: usize,
    /// What checksums of its blocks start from, if there are any.
    pub(super) seed: Option<u32>,
}

/// What an inode is, with the numbers of directory entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileType {
    File = 1,
    Directory = 2,
    CharDevice = 3,
    BlockDevice = 4,
    Fifo = 5,
    Socket = 6,
    Symlink = 7,
}

/// The bytes of [`Fields`] up to the end of one of them.
const CHECKSUM_HI_END: usize = INODE_CHECKSUM_HI.end;
const MTIME_EXTRA_END: usize = 140;

impl FileSystem {
    /// Reads an inode that is in use.
    pub(super) fn inode(&self, number: u32) -> Result<Inode> {
        let bytes = self.inode_bytes(number)?;
        let inode = self.decode(number, bytes)?;
        if inode.fields.links_count.get() == 0 {
            return Err(damaged(inode.place(), "has a name and is not in use"));
        }
        if inode.fields.dtime.get() != 0 {
            return Err(damaged(inode.place(), "has a name and a time of removal"));
        }
        Ok(inode)
    }

    /// The bytes of an inode that may be in use.
    pub(super) fn inode_bytes(&self, number: u32) -> Result<Vec<u8>> {
        let place = format_args!("inode {number}");
        let geometry = &self.geometry;
        let Some(index) = number.checked_sub(1).filter(|_| number <= geometry.inodes) else {
            let problem = format!("there are inodes 1 to {}", geometry.inodes);
            return Err(damaged(place, problem));
        };
        let per_group = geometry.inodes_per_group;
        let (group, index) = (index / per_group, index % per_group);
        let Some(found) = self.groups.get(group as usize) else {
            return Err(damaged(place, "its group does not exist"));
        };
        if found.flags & GROUP_INODE_UNINIT != 0 || index >= per_group - found.unused_inodes {
            let problem = format!("its group, {group}, says that it was never used");
            return Err(damaged(place, problem));
        }
        let start = found.inode_table * u64::from(geometry.block_size);
        let start = start + u64::from(index) * u64::from(geometry.inode_size);
        self.source.read(&place, start, geometry.inode_size.into())
    }

    /// What an inode's bytes say, when their checksum is right.
    pub(super) fn decode(&self, number: u32, bytes: Vec<u8>) -> Result<Inode> {
        let broken = |problem: String| damaged(format!("inode {number}"), problem);
        let mut fields = [0; size_of::<Fields>()];
        let copy = |fields: &mut [u8], len: usize| {
            let len = len.min(fields.len()).min(bytes.len());
            if let (Some(fields), Some(bytes)) = (fields.get_mut(..len), bytes.get(..len)) {
                fields.copy_from_slice(bytes);
            }
        };
        let parse = |fields: &[u8]| {
            Fields::read_from_bytes(fields).map_err(|_| damaged(format!("inode {number}"), "is cut off"))
        };
        copy(&mut fields, fields_min(&bytes));
        let extra = usize::from(parse(&fields)?.extra_isize.get());
        let fields_len = INODE_CLASSIC + extra;
        if fields_len > bytes.len() || !extra.is_multiple_of(4) {
            return Err(broken(format!("its fields go on for {extra} bytes")));
        }
        copy(&mut fields, fields_len);
        let fields = parse(&fields)?;
        let seed = self
            .geometry
            .checksums
            .inode_seed(number, fields.generation.get());
        let inode = Inode {
            number,
            fields,
            bytes,
            fields_len,
            seed,
        };
        inode.check()?;
        Ok(inode)
    }
}

/// How much of an inode is needed to know how long its fields are.
fn fields_min(bytes: &[u8]) -> usize {
    if bytes.len() > INODE_CLASSIC {
        INODE_CHECKSUM_HI.start
    } else {
        INODE_CLASSIC
    }
}

impl Inode {
    fn check(&self) -> Result<()> {
        let Some(seed) = self.seed else {
            return Ok(());
        };
        let has_high = self.fields_len >= CHECKSUM_HI_END;
        // The checksum itself counts as zeros.
        let part = |range: Range<usize>| self.bytes.get(range).unwrap_or_default();
        let crc = crc32c(seed, part(0..INODE_CHECKSUM_LO.start));
        let crc = crc32c(crc, &[0; 2]);
        let mut wanted = if has_high {
            let crc = crc32c(crc, part(INODE_CHECKSUM_LO.end..INODE_CHECKSUM_HI.start));
            let crc = crc32c(crc, &[0; 2]);
            crc32c(crc, part(INODE_CHECKSUM_HI.end..self.bytes.len()))
        } else {
            crc32c(crc, part(INODE_CHECKSUM_LO.end..self.bytes.len()))
        };
        let mut found = u32::from(self.fields.checksum_lo.get());
        if has_high {
            found |= u32::from(self.fields.checksum_hi.get()) << 16;
        } else {
            wanted &= 0xffff;
        }
        if found == wanted {
            return Ok(());
        }
        let problem = format!("its checksum is {found:#010x}, not {wanted:#010x}");
        Err(damaged(self.place(), problem))
    }

    /// Its name in errors.
    pub(super) fn place(&self) -> String {
        format!("inode {}", self.number)
    }

    /// What it is; none when its mode says nothing that is.
    pub(super) fn file_type(&self) -> Option<FileType> {
        match self.fields.mode.get() >> 12 {
            0o01 => Some(FileType::Fifo),
            0o02 => Some(FileType::CharDevice),
            0o04 => Some(FileType::Directory),
            0o06 => Some(FileType::BlockDevice),
            0o10 => Some(FileType::File),
            0o12 => Some(FileType::Symlink),
            0o14 => Some(FileType::Socket),
            _ => None,
        }
    }

    /// Bytes of the content.
    pub(super) fn size(&self) -> u64 {
        u64::from(self.fields.size_high.get()) << 32 | u64::from(self.fields.size_lo.get())
    }

    pub(super) fn owner(&self) -> (u32, u32) {
        let fields = &self.fields;
        let wide = |low: u16, high: u16| u32::from(high) << 16 | u32::from(low);
        (
            wide(fields.uid_lo.get(), fields.uid_high.get()),
            wide(fields.gid_lo.get(), fields.gid_high.get()),
        )
    }

    /// Seconds since 1970 of the last change.
    pub(super) fn mtime(&self) -> i64 {
        let seconds = i64::from(self.fields.mtime.get().cast_signed());
        let is_long = self.fields_len >= MTIME_EXTRA_END;
        let epochs = if is_long {
            self.fields.mtime_extra.get() & 3
        } else {
            0
        };
        seconds + (i64::from(epochs) << 32)
    }

    /// The block of attributes; 0 for none.
    pub(super) fn attribute_block(&self, file_system: &FileSystem) -> u64 {
        let fields = &self.fields;
        file_system
            .geometry
            .wide(fields.file_acl_lo.get(), fields.file_acl_high.get().into())
    }

    /// Blocks that it says it has, in units of 512 bytes; none when they are too many to be counted so.
    pub(super) fn sectors(&self, file_system: &FileSystem) -> Option<u64> {
        let fields = &self.fields;
        let low = u64::from(fields.blocks_lo.get());
        if file_system.geometry.ro_compat & ro_compat::HUGE_FILE == 0 {
            return Some(low);
        }
        let count = u64::from(fields.blocks_high.get()) << 32 | low;
        if fields.flags.get() & INODE_HUGE_FILE == 0 {
            return Some(count);
        }
        count.checked_mul(u64::from(file_system.geometry.block_size / 512))
    }
}
