//! What Linux asks of an image before it mounts it (`squashfs_fill_super` in `fs/squashfs/super.c`).
//!
//! The lists of the tables' blocks lie one behind the other, and Linux comes from the end: extended attributes, ids, the
//! export table, fragments. Each list has to end where the table behind it begins, so none can be longer or shorter than
//! its count says.

use zerocopy::FromBytes;

use super::Source;
use crate::decompress::{Decompressor, Limits};
use crate::format::{
    FragmentEntry, METADATA_RAW, METADATA_SIZE, NO_TABLE, Superblock, XattrId, XattrTable, XzOptions, flag,
};
use crate::{Error, format};

/// Linux has one page for the compressor's options.
const OPTIONS_MAX: usize = 4096;
/// A metadata block with its header takes at most this much.
const STORED_MAX: u64 = METADATA_SIZE as u64 + 2;

/// Checks the places of all tables.
pub(super) fn check(source: &Source, superblock: &Superblock) -> Result<(), Error> {
    let damaged = |what: &str| Error::Damaged(what.to_string());
    if superblock.root_inode.get() & 0xffff > METADATA_SIZE as u64 {
        return Err(damaged("its root lies behind the end of a metadata block"));
    }
    let mut next = match superblock.xattr_table_start.get() {
        NO_TABLE => source.size,
        start => xattrs(source, start)?,
    };
    let ids = List {
        what: "ids",
        start: superblock.id_table_start.get(),
        count: superblock.id_count.get().into(),
        entry_size: size_of::<u32>(),
    };
    next = ids.check(source, next)?;
    if superblock.export_table_start.get() != NO_TABLE {
        let export = List {
            what: "exported inodes",
            start: superblock.export_table_start.get(),
            count: superblock.inode_count.get().into(),
            entry_size: size_of::<u64>(),
        };
        next = export.check(source, next)?;
    }
    if superblock.fragment_count.get() > 0 {
        let fragments = List {
            what: "fragments",
            start: superblock.fragment_table_start.get(),
            count: superblock.fragment_count.get().into(),
            entry_size: size_of::<FragmentEntry>(),
        };
        next = fragments.check_first(source, next)?;
    }
    let directories = superblock.directory_table_start.get();
    if directories > next {
        return Err(damaged("its directories lie behind the tables that follow them"));
    }
    if superblock.inode_table_start.get() >= directories {
        return Err(damaged("its inodes lie behind its directories"));
    }
    Ok(())
}

/// A list of where the metadata blocks of a table begin.
struct List {
    what: &'static str,
    start: u64,
    /// How many entries the table has.
    count: u64,
    entry_size: usize,
}

impl List {
    fn damaged(&self, problem: &str) -> Error {
        Error::Damaged(format!("the table of its {} {problem}", self.what))
    }

    /// The bytes of the list.
    fn len(&self) -> u64 {
        let table = self.count.saturating_mul(self.entry_size as u64);
        table.div_ceil(METADATA_SIZE as u64) * 8
    }

    fn places(&self, source: &Source) -> Result<Vec<u64>, Error> {
        let list = source.read(self.start, usize::try_from(self.len()).unwrap_or(usize::MAX))?;
        let place = |place: &[u8]| u64::from_le_bytes(place.try_into().unwrap_or_default());
        Ok(list.chunks_exact(8).map(place).collect())
    }

    /// Checks a list that has to end at `end`, and answers where its first block begins.
    fn check(&self, source: &Source, end: u64) -> Result<u64, Error> {
        self.check_end(end)?;
        self.check_places(source, self.start)
    }

    fn check_end(&self, end: u64) -> Result<(), Error> {
        if self.count == 0 {
            return Err(self.damaged("is empty"));
        }
        if self.start.checked_add(self.len()) != Some(end) {
            return Err(self.damaged("does not end where the next one begins"));
        }
        Ok(())
    }

    /// Checks that the blocks follow one another and come right before `behind`.
    fn check_places(&self, source: &Source, behind: u64) -> Result<u64, Error> {
        let places = self.places(source)?;
        let behind = places.iter().skip(1).chain([&behind]);
        let in_order = |(place, next): (&u64, &u64)| place < next && next - place <= STORED_MAX;
        match places.first() {
            Some(first) if places.iter().zip(behind).all(in_order) => Ok(*first),
            _ => Err(self.damaged("has blocks that do not follow one another")),
        }
    }

    /// Checks a list that may end before `end`, and of whose blocks only the first one is asked.
    fn check_first(&self, source: &Source, end: u64) -> Result<u64, Error> {
        if self
            .start
            .checked_add(self.len())
            .is_none_or(|own_end| own_end > end)
        {
            return Err(self.damaged("reaches into the next one"));
        }
        match self.places(source)?.first() {
            Some(first) if *first < self.start => Ok(*first),
            _ => Err(self.damaged("begins behind its list")),
        }
    }
}

/// Checks the table of extended attributes, which comes last, and answers where it begins.
fn xattrs(source: &Source, start: u64) -> Result<u64, Error> {
    let head = source.read(start, size_of::<XattrTable>())?;
    let short = |_| Error::Damaged("the table of extended attributes is too short".into());
    let head = XattrTable::read_from_bytes(&head).map_err(short)?;
    let list = List {
        what: "extended attributes",
        start: start + size_of::<XattrTable>() as u64,
        count: head.id_count.get().into(),
        entry_size: size_of::<XattrId>(),
    };
    list.check_end(source.size)?;
    let first = list.check_places(source, start)?;
    let values = head.xattr_start.get();
    if values >= first {
        return Err(list.damaged("begins behind its list"));
    }
    Ok(values)
}

/// What the blocks of an image may ask of a reader, as its block size and the options behind the superblock say.
pub(super) fn limits(source: &Source, superblock: &Superblock) -> Result<Limits, Error> {
    let compressor = superblock.compressor.get();
    let mut limits = Limits::image(superblock.block_size.get());
    if superblock.flags.get() & flag::COMPRESSOR_OPTIONS == 0 {
        return Ok(limits);
    }
    let damaged = |what: &str| Error::Damaged(format!("its compressor's options {what}"));
    let start = size_of::<Superblock>() as u64;
    let header = source.read(start, 2)?;
    let header = u16::from_le_bytes([header[0], header[1]]);
    let len = usize::from(header & !METADATA_RAW);
    if len == 0 || len > OPTIONS_MAX {
        return Err(damaged("have a length that no options have"));
    }
    let mut options = source.read(start + 2, len)?;
    if header & METADATA_RAW == 0 {
        options = Decompressor::new(compressor, limits.clone())?.decompress(&options, OPTIONS_MAX)?;
    }
    if compressor == format::XZ {
        let (options, _) =
            XzOptions::read_from_prefix(&options).map_err(|_| damaged("are too short for xz"))?;
        let size = options.dictionary_size.get();
        let low = size & size.wrapping_neg();
        if size != low && Some(size) != low.checked_mul(3) || size == 0 {
            return Err(damaged("name a dictionary of a size that xz does not have"));
        }
        limits.dictionary = 0..=size;
        limits.filters = options.flags.get();
    }
    Ok(limits)
}
