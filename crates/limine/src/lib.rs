//! Limine on machines with a BIOS: its first stage, and where it finds the second.
//!
//! Limine's program has one array of bytes, which its releases have as a file too, `limine-bios-hdd.h`: a boot sector and
//! the second stage. That one is cut in two halves of whole sectors, for disks on which no gap holds all of it; here both
//! lie one behind the other, in the gap behind an MBR or in a partition of the type bios-boot:
//!
//! ```text
//!  limine-bios-hdd.h                        disk
//!  ┌─────────────┬──────────────────┐       ┌─────────────┬────────┐   ┌──────────────┬───────────┐
//!  │ boot sector │ stage 2          │  ──►  │ boot sector │ table  │   │ first half   │ second    │
//!  │             │ 21 KB, deflated  │       │ patched     │        │   │              │ half      │
//!  └─────────────┴──────────────────┘       └──────│──────┴────────┘   └──────────────┴───────────┘
//!                                             0x1a4: lengths and places of the halves ▲
//! ```
//!
//! [`Stage::at`] writes what `limine bios-install` writes for a place that is known. The third stage, `limine-bios.sys`, and the
//! menu, `limine.conf`, are files in a FAT.

use std::path::Path;

use image::{Content, Fault};

/// The bytes of the boot sector that are not the partition table.
pub const BOOT_CODE_LEN: usize = 440;

const SECTOR_LEN: usize = 512;
/// What begins the boot sector: a jump over the parameters of a FAT, and a name.
const MAGIC: &[u8] = b"\xeb\x3c\x90LIMINE  ";
/// Where the boot sector has the lengths of the halves, two bytes each, and their first bytes on the disk, eight each.
const PLACES_AT: usize = 0x1a4;
/// What some BIOSes and Windows keep in the boot sector: a drive and a time.
const TIME: std::ops::Range<usize> = 218..224;
/// More bytes than a file with the array has.
const FILE_LEN_MAX: u64 = 1 << 20;

/// The first two stages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    boot: [u8; BOOT_CODE_LEN],
    second: Vec<u8>,
}

/// An error of Limine's files.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("{0}")]
    Read(#[from] image::Error),
    /// It is something else.
    #[error("{file}: {problem}")]
    BadFile {
        /// Its path.
        file: String,
        /// What is wrong with it.
        problem: String,
    },
}

impl Error {
    /// Whose fault the error is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Error::Read(error) => error.fault(),
            Error::BadFile { .. } => Fault::Input,
        }
    }
}

impl Stage {
    /// Reads `limine-bios-hdd.h`, or a file of the bytes that it lists.
    ///
    /// # Errors
    /// When it cannot be read or is something else.
    pub fn read(path: &Path) -> Result<Stage, Error> {
        let bad = |problem: String| Error::BadFile {
            file: path.display().to_string(),
            problem,
        };
        let content = Content::host_file(path)?;
        if content.len() > FILE_LEN_MAX {
            return Err(bad(format!(
                "has {} bytes, and should have fewer than 1 MiB",
                content.len()
            )));
        }
        Stage::parse(&content.to_vec()?).map_err(|problem| bad(problem.into()))
    }

    /// The problem is a text.
    fn parse(file: &[u8]) -> Result<Stage, &'static str> {
        let listed = (!file.starts_with(MAGIC)).then(|| listed(file)).flatten();
        let bytes = listed.as_deref().unwrap_or(file);
        if !bytes.starts_with(MAGIC) {
            return Err("is no limine-bios-hdd.h: it does not begin with Limine's boot sector");
        }
        let (Some(boot), Some(second)) = (bytes.first_chunk(), bytes.get(SECTOR_LEN..)) else {
            return Err("ends in its boot sector");
        };
        // The halves' lengths have 16 bits.
        if second.is_empty() || second.len() > 2 * usize::from(u16::MAX / 512) * SECTOR_LEN {
            return Err("has a second stage of no length that Limine's has");
        }
        let mut second = second.to_vec();
        second.resize(second.len().next_multiple_of(SECTOR_LEN), 0);
        Ok(Stage { boot: *boot, second })
    }

    /// The bytes of the second stage, whole sectors.
    #[must_use]
    pub fn len(&self) -> usize {
        self.second.len()
    }

    /// Whether it has no bytes, which none has.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.second.is_empty()
    }

    /// The second stage.
    #[must_use]
    pub fn second(&self) -> &[u8] {
        &self.second
    }

    /// What the BIOS runs when the second stage lies in one piece from a byte on.
    #[must_use]
    pub fn at(&self, start: u64) -> [u8; BOOT_CODE_LEN] {
        let sectors = self.second.len() / SECTOR_LEN;
        let bytes = |sectors: usize| u16::try_from(sectors * SECTOR_LEN).unwrap_or(u16::MAX);
        let (first, second) = (bytes(sectors.div_ceil(2)), bytes(sectors / 2));
        let mut boot = self.boot;
        boot[TIME].fill(0);
        let mut places = Vec::new();
        places.extend_from_slice(&first.to_le_bytes());
        places.extend_from_slice(&second.to_le_bytes());
        places.extend_from_slice(&start.to_le_bytes());
        places.extend_from_slice(&(start + u64::from(first)).to_le_bytes());
        boot[PLACES_AT..].copy_from_slice(&places);
        boot
    }
}

/// The bytes that a C array lists, `0xeb, 0x3c, …`; none when a number is no byte.
fn listed(file: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(file).ok()?;
    let numbers = text.split(|one: char| !one.is_ascii_alphanumeric());
    let digits = numbers.filter_map(|number| number.strip_prefix("0x"));
    digits.map(|digits| u8::from_str_radix(digits, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::fmt::Write as _;

    /// A boot sector, and a second stage of this many bytes.
    fn file(len: usize) -> Vec<u8> {
        let mut file = MAGIC.to_vec();
        file.resize(SECTOR_LEN, 0xb0);
        file.resize(SECTOR_LEN + len, 0x52);
        file
    }

    #[test]
    fn the_boot_sector_says_where_the_halves_are() {
        let stage = Stage::parse(&file(5 * 512 - 1)).unwrap();
        assert_eq!(stage.len(), 5 * 512);
        assert_eq!(stage.second()[5 * 512 - 2..], [0x52, 0]);
        let boot = stage.at(1 << 20);
        assert_eq!(boot[..MAGIC.len()], *MAGIC);
        assert_eq!(boot[217..225], [0xb0, 0, 0, 0, 0, 0, 0, 0xb0]);
        assert_eq!(boot[0x1a3], 0xb0);
        let mut wanted = vec![0, 6, 0, 4];
        wanted.extend((1_u64 << 20).to_le_bytes());
        wanted.extend(((1_u64 << 20) + 1536).to_le_bytes());
        assert_eq!(boot[0x1a4..], wanted);
    }

    #[test]
    fn an_array_of_c_is_read_as_well() {
        let mut text = "const uint8_t binary_limine_hdd_bin_data[] = {\n".to_string();
        for byte in file(700) {
            write!(text, "0x{byte:02x}, ").unwrap();
        }
        text.push_str("};\n");
        assert_eq!(
            Stage::parse(text.as_bytes()).unwrap(),
            Stage::parse(&file(700)).unwrap()
        );
    }

    #[test]
    fn what_is_something_else_is_refused() {
        for (bytes, problem) in [
            (file(0), "has a second stage of no length that Limine's has"),
            (file(200_000), "has a second stage of no length that Limine's has"),
            (file(1)[..511].to_vec(), "ends in its boot sector"),
            (
                file(1)[1..].to_vec(),
                "is no limine-bios-hdd.h: it does not begin with Limine's boot sector",
            ),
            (
                b"0xeb, 0x3c1".to_vec(),
                "is no limine-bios-hdd.h: it does not begin with Limine's boot sector",
            ),
        ] {
            assert_eq!(Stage::parse(&bytes).unwrap_err(), problem);
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
            let _ = Stage::parse(&[MAGIC, &bytes].concat()).map(|stage| stage.at(u64::from(u32::MAX)));
        }
    }
}
