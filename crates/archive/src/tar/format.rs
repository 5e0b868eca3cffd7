//! A header: 512 bytes, field by field, as [POSIX has them][posix], and what GNU tar and star put into the same places.
//!
//! [posix]: https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html#tag_20_92_13_06

use std::ops::Range;

/// Everything in an archive takes whole blocks.
pub(super) const BLOCK: usize = 512;

const NAME: Range<usize> = 0..100;
pub(super) const MODE: Range<usize> = 100..108;
pub(super) const UID: Range<usize> = 108..116;
pub(super) const GID: Range<usize> = 116..124;
pub(super) const SIZE: Range<usize> = 124..136;
pub(super) const MTIME: Range<usize> = 136..148;
const CHECKSUM: Range<usize> = 148..156;
const TYPE: usize = 156;
const LINK_NAME: Range<usize> = 157..257;
const MAGIC: Range<usize> = 257..265;
const MAJOR: Range<usize> = 329..337;
const MINOR: Range<usize> = 337..345;
const PREFIX: Range<usize> = 345..500;

/// GNU: offsets and lengths of the first parts of a sparse file, whether more follow, and how long it is.
const GNU_SPARSE: Range<usize> = 386..482;
const GNU_IS_EXTENDED: usize = 482;
const GNU_REAL_SIZE: Range<usize> = 483..495;

/// star: the same, and what tells that it is star.
const STAR_IS_EXTENDED: usize = 355;
const STAR_SPARSE: Range<usize> = 356..452;
const STAR_REAL_SIZE: Range<usize> = 452..464;
const STAR_MAGIC: Range<usize> = 508..512;

/// More parts of a sparse file fill a block of their own.
const MORE_SPARSE: Range<usize> = 0..504;
const MORE_IS_EXTENDED: usize = 504;

/// The types of entries that mean more than a file.
pub(super) mod kind {
    pub(in crate::tar) const OLD_FILE: u8 = 0;
    pub(in crate::tar) const FILE: u8 = b'0';
    pub(in crate::tar) const HARD_LINK: u8 = b'1';
    pub(in crate::tar) const SYMLINK: u8 = b'2';
    pub(in crate::tar) const CHAR_DEVICE: u8 = b'3';
    pub(in crate::tar) const BLOCK_DEVICE: u8 = b'4';
    pub(in crate::tar) const DIRECTORY: u8 = b'5';
    pub(in crate::tar) const FIFO: u8 = b'6';
    pub(in crate::tar) const CONTIGUOUS_FILE: u8 = b'7';
    /// POSIX: records for the next entry; Solaris calls them X.
    pub(in crate::tar) const PAX: u8 = b'x';
    pub(in crate::tar) const SOLARIS_PAX: u8 = b'X';
    /// POSIX: records for all that follow.
    pub(in crate::tar) const GLOBAL_PAX: u8 = b'g';
    /// Solaris: an access list.
    pub(in crate::tar) const SOLARIS_ACL: u8 = b'A';
    /// GNU: the next entry's name, or what it links to.
    pub(in crate::tar) const GNU_LONG_NAME: u8 = b'L';
    pub(in crate::tar) const GNU_LONG_LINK: u8 = b'K';
    /// GNU: a folder of a backup, with what was in it.
    pub(in crate::tar) const GNU_DUMP_DIRECTORY: u8 = b'D';
    /// GNU: the rest of a file that begins in another volume.
    pub(in crate::tar) const GNU_CONTINUED: u8 = b'M';
    pub(in crate::tar) const GNU_SPARSE: u8 = b'S';
    /// GNU: the name of the archive.
    pub(in crate::tar) const GNU_LABEL: u8 = b'V';
}

/// A block that is a header.
pub(super) struct Header(pub(super) [u8; BLOCK]);

/// A part of a sparse file that has data: where it begins, and how long it is.
pub(super) type Part = (u64, u64);

/// Whose headers they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// From before there were any.
    Old,
    /// `ustar` and pax.
    Posix,
    /// GNU tar's own.
    Gnu,
    /// None of these.
    Unknown,
}

impl Header {
    /// Whether the sum of all bytes is the one that the header states. Some have added signed bytes.
    pub(super) fn is_sound(&self) -> bool {
        let counted = |(place, byte): (usize, &u8)| {
            if CHECKSUM.contains(&place) { b' ' } else { *byte }
        };
        let bytes = || self.0.iter().enumerate().map(counted);
        let unsigned: i128 = bytes().map(i128::from).sum();
        let signed: i128 = bytes().map(|byte| i128::from(byte.cast_signed())).sum();
        let stated = number(&self.0[CHECKSUM]);
        stated == Some(unsigned) || stated == Some(signed)
    }

    pub(super) fn kind(&self) -> u8 {
        self.0[TYPE]
    }

    pub(super) fn dialect(&self) -> Dialect {
        match &self.0[MAGIC] {
            b"ustar  \0" => Dialect::Gnu,
            [b'u', b's', b't', b'a', b'r', 0, ..] => Dialect::Posix,
            [b'u', b's', b't', b'a', b'r', ..] => Dialect::Unknown,
            _ => Dialect::Old,
        }
    }

    /// The path. None when the header may have a part of it where nobody knows.
    pub(super) fn path(&self) -> Option<Vec<u8>> {
        let (prefix, name) = (until_zero(&self.0[PREFIX]), until_zero(&self.0[NAME]));
        match self.dialect() {
            Dialect::Posix if !prefix.is_empty() => Some([prefix, b"/", name].concat()),
            Dialect::Unknown if !prefix.is_empty() => None,
            _ => Some(name.to_vec()),
        }
    }

    /// What a link leads to.
    pub(super) fn link_name(&self) -> &[u8] {
        until_zero(&self.0[LINK_NAME])
    }

    pub(super) fn number(&self, field: Range<usize>) -> Option<i128> {
        number(&self.0[field])
    }

    /// The numbers of a device, which old headers have no place for.
    pub(super) fn device(&self) -> Option<(i128, i128)> {
        match self.dialect() {
            Dialect::Old => Some((0, 0)),
            _ => Some((number(&self.0[MAJOR])?, number(&self.0[MINOR])?)),
        }
    }

    /// The length of a sparse file, its first parts, and whether more of them follow. None when it is of a kind that
    /// nobody knows, or its numbers are none.
    pub(super) fn sparse(&self) -> Option<(u64, Vec<Part>, bool)> {
        let is_star = self.dialect() == Dialect::Posix && self.0[STAR_MAGIC] == *b"tar\0";
        let (size, field, more) = match self.dialect() {
            Dialect::Gnu => (GNU_REAL_SIZE, GNU_SPARSE, GNU_IS_EXTENDED),
            _ if is_star => (STAR_REAL_SIZE, STAR_SPARSE, STAR_IS_EXTENDED),
            _ => return None,
        };
        let size = u64::try_from(number(&self.0[size])?).ok()?;
        Some((size, parts(&self.0[field])?, self.0[more] != 0))
    }
}

/// More parts of a sparse file, and whether still more follow.
pub(super) fn more_sparse(block: &[u8; BLOCK]) -> Option<(Vec<Part>, bool)> {
    Some((parts(&block[MORE_SPARSE])?, block[MORE_IS_EXTENDED] != 0))
}

/// Offsets and lengths, up to the first that is not there.
fn parts(field: &[u8]) -> Option<Vec<Part>> {
    let pairs = field.chunks_exact(24).take_while(|pair| pair[12] != 0);
    pairs
        .map(|pair| {
            let start = u64::try_from(number(&pair[..12])?).ok()?;
            Some((start, u64::try_from(number(&pair[12..])?).ok()?))
        })
        .collect()
}

/// A number in octal digits, or in GNU's way: big-endian behind a first bit that is set, as a two's complement.
fn number(field: &[u8]) -> Option<i128> {
    let (first, rest) = field.split_first()?;
    if first & 0x80 != 0 {
        let sign = -i128::from(first & 0x40);
        let start = sign + i128::from(first & 0x3f);
        // Fields have at most twelve bytes.
        return Some(
            rest.iter()
                .fold(start, |number, byte| (number << 8) | i128::from(*byte)),
        );
    }
    if field.iter().all(|byte| *byte == 0) {
        return Some(0);
    }
    let digits = field.trim_ascii_start();
    let len = digits
        .iter()
        .position(|byte| !matches!(byte, b'0'..=b'7'))
        .unwrap_or(digits.len());
    let ended = digits.get(len).is_none_or(|byte| matches!(byte, 0 | b' '));
    if len == 0 || !ended {
        return None;
    }
    let digits = digits[..len].iter();
    Some(digits.fold(0, |number, digit| number * 8 + i128::from(digit - b'0')))
}

/// What comes before the first zero.
pub(super) fn until_zero(bytes: &[u8]) -> &[u8] {
    let len = bytes.iter().position(|byte| *byte == 0);
    &bytes[..len.unwrap_or(bytes.len())]
}
