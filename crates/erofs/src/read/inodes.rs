//! Inodes, and the attributes behind them.

use image::Xattr;
use zerocopy::FromBytes;

use super::{Inner, damaged, xattrs};
use crate::format::{CompactInode, ExtendedInode, SLOT, WIDE_INODE, layout, mode};
use crate::{Error, Result};

/// An inode.
#[derive(Clone, Debug)]
pub(super) struct Inode {
    pub(super) number: u64,
    /// With the kind.
    pub(super) mode: u16,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) mtime: i64,
    pub(super) links: u32,
    pub(super) size: u64,
    pub(super) layout: u16,
    /// The first block, the format of chunks, or a device.
    pub(super) place: u64,
    /// Of a directory: whether its list leaves out itself.
    pub(super) is_dotless: bool,
    pub(super) xattrs: Vec<Xattr>,
    /// The first byte behind the inode and its attributes.
    pub(super) end: u64,
}

impl Inode {
    pub(super) fn kind(&self) -> u16 {
        self.mode & mode::MASK
    }

    pub(super) fn is_directory(&self) -> bool {
        self.kind() == mode::DIRECTORY
    }

    /// Whether its bytes are in clusters.
    pub(super) fn is_compressed(&self) -> bool {
        matches!(self.layout, layout::FULL | layout::COMPACT)
    }

    /// What errors call it.
    pub(super) fn name(&self) -> String {
        name(self.number)
    }
}

fn name(number: u64) -> String {
    format!("inode {number}")
}

/// Reads the inode of a number.
pub(super) fn read(inner: &Inner, number: u64) -> Result<Inode> {
    let what = name(number);
    let start = number
        .checked_mul(SLOT)
        .and_then(|bytes| bytes.checked_add(inner.geometry.meta))
        .ok_or_else(|| damaged(&what, "lies behind the end"))?;
    let head = inner.read(&what, start, size_of::<CompactInode>())?;
    let compact = CompactInode::read_from_bytes(&head).map_err(|_| damaged(&what, "is too short"))?;
    let format = compact.format.get();
    let layout = format >> 1 & 7;
    let is_wide = inner.geometry.is_wide;
    let known = if is_wide { 0xf | WIDE_INODE } else { 0xf };
    if format & !known != 0 || layout > layout::CHUNKS {
        return Err(Error::Unsupported {
            feature: format!("inodes of format {format:#x} ({what})"),
        });
    }
    let is_directory = compact.mode.get() & mode::MASK == mode::DIRECTORY;
    // Only where inodes lie in blocks in one piece does an upper part mean anything.
    let has_place = is_wide && matches!(layout, layout::PLAIN | layout::INLINE);
    let upper = |half: u16| if has_place { u64::from(half) << 32 } else { 0 };
    let is_dotless = is_directory && format & WIDE_INODE != 0;
    let (mut inode, len) = if format & 1 == 0 {
        let half = compact.links.get();
        let (links, upper) = if format & WIDE_INODE != 0 && !is_directory {
            (1, upper(half))
        } else {
            (half, 0)
        };
        let seconds = i64::from(compact.mtime.get());
        let inode = Inode {
            number,
            mode: compact.mode.get(),
            uid: compact.uid.get().into(),
            gid: compact.gid.get().into(),
            mtime: inner
                .geometry
                .epoch
                .wrapping_add(if is_wide { seconds } else { 0 }),
            links: links.into(),
            size: compact.size.get().into(),
            layout,
            place: u64::from(compact.place.get()) | upper,
            is_dotless,
            xattrs: Vec::new(),
            end: 0,
        };
        (inode, size_of::<CompactInode>())
    } else {
        let head = inner.read(&what, start, size_of::<ExtendedInode>())?;
        let own = ExtendedInode::read_from_bytes(&head).map_err(|_| damaged(&what, "is too short"))?;
        let inode = Inode {
            number,
            mode: own.mode.get(),
            uid: own.uid.get(),
            gid: own.gid.get(),
            mtime: own.mtime.get().cast_signed(),
            links: own.links.get(),
            size: own.size.get(),
            layout,
            place: u64::from(own.place.get()) | upper(own.wide_place.get()),
            is_dotless,
            xattrs: Vec::new(),
            end: 0,
        };
        (inode, size_of::<ExtendedInode>())
    };
    if i64::try_from(inode.size).is_err() {
        return Err(damaged(what, format!("{} bytes", inode.size)));
    }
    let behind = start + len as u64;
    let count = compact.xattr_count.get();
    let (found, len) = xattrs::read(inner, &what, behind, count)?;
    inode.xattrs = found;
    inode.end = behind + len;
    Ok(inode)
}
