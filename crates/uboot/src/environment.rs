//! U-Boot's environment: variables in a block with a checksum.
//!
//! ```text
//!  0       4       5
//!  ┌───────┬───────┬──────────────┬─────┬──────────────┬───┬───────────────────────┐
//!  │ crc   │ flags │ name=value 0 │ ... │ name=value 0 │ 0 │ padding, usually 0xff │
//!  └───────┴───────┴──────────────┴─────┴──────────────┴───┴───────────────────────┘
//!            only in   └──────────────── data: what crc covers ──────────────────┘
//!            redundant
//!            copies
//! ```
//!
//! `crc` is the CRC-32 of zip over everything behind the header, in the byte order of the target. An environment
//! can be stored twice: then each copy has `flags`, a number that counts up with each save, and [`current`] tells
//! which copy holds.
//!
//! [`environment`] writes what `mkenvimage` makes of the same variables in this order, byte for byte, and
//! [`read_environment`] reads it, and what U-Boot and `fw_setenv` make of it. Neither looks at backslashes, of which
//! U-Boot takes one away in front of each character that it reads. [`find_environment`](crate::find_environment) finds one
//! whose size nobody has told.

use std::collections::BTreeMap;

use image::Fault;
use zerocopy::byteorder::{BE, LE, U32};
use zerocopy::{FromBytes, IntoBytes};

use crate::format::{ENV_FLAGS_SIZE, ENV_HEADER_SIZE, EnvHeader};

/// The order of bytes of a target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ByteOrder {
    /// The lowest first.
    #[default]
    Little,
    /// The highest first.
    Big,
}

/// How an environment is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EnvironmentOptions {
    /// The bytes of one copy, as U-Boot was built for (`CONFIG_ENV_SIZE`).
    pub size: u64,
    /// In a pair of copies, this one's number; none: there is one copy, whose header has no such byte. `mkenvimage -r`
    /// writes 1.
    pub flags: Option<u8>,
    /// What fills the rest: 0xff is what flash memory reads when it is empty.
    pub padding: u8,
    /// The target's.
    pub byte_order: ByteOrder,
}

impl EnvironmentOptions {
    /// One copy of this many bytes, for targets that have the lowest byte first.
    #[must_use]
    pub fn new(size: u64) -> EnvironmentOptions {
        EnvironmentOptions {
            size,
            flags: None,
            padding: 0xff,
            byte_order: ByteOrder::Little,
        }
    }
}

/// How the header of a copy is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copies {
    /// There is one, without flags.
    One,
    /// There are two, each with flags.
    Two,
}

/// What an environment holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    /// The variables.
    pub variables: BTreeMap<String, String>,
    /// In a pair of copies, this one's number.
    pub flags: Option<u8>,
}

/// One of a pair of copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copy {
    /// The one that U-Boot was told first.
    First,
    /// The other.
    Second,
}

/// An error of environments.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvironmentError {
    /// A size for which there can be no environment.
    #[error("an environment of {size} bytes: must be {min} to {max} bytes", min = ENV_HEADER_SIZE + ENV_FLAGS_SIZE + 2, max = SIZE_MAX)]
    BadSize {
        /// The bytes.
        size: u64,
    },
    /// A name that cannot be stored.
    #[error("{name:?}: is no name of a variable: {problem}")]
    BadName {
        /// The name.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A value that cannot be stored.
    #[error("{name}: its value {problem}")]
    BadValue {
        /// The variable.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// More than fits.
    #[error(
        "the environment's variables need {len} bytes, the limit is {limit} in an environment of {size} bytes"
    )]
    Full {
        /// The bytes of all variables, with their ends.
        len: u64,
        /// How many there may be.
        limit: u64,
        /// The environment's bytes.
        size: u64,
    },
    /// An image too short for a header and the end of a list.
    #[error("the environment has {len} bytes, the least is {min}")]
    TooShort {
        /// The image's bytes.
        len: u64,
        /// How many it takes.
        min: u64,
    },
    /// A checksum that is not that of the bytes behind the header.
    #[error("the environment is damaged: its checksum is {computed:#010x}, not {stored:#010x}")]
    WrongChecksum {
        /// What the header says.
        stored: u32,
        /// What the bytes give.
        computed: u32,
    },
    /// Variables without an end.
    #[error("the environment's variables go on to its last byte, without an end")]
    NoEnd,
    /// Bytes that are no variable.
    #[error("the environment has a variable at byte {at} that {problem}")]
    BadVariable {
        /// Its first byte.
        at: u64,
        /// What is wrong with it.
        problem: &'static str,
    },
}

impl EnvironmentError {
    /// Whose fault the error is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            EnvironmentError::BadSize { .. }
            | EnvironmentError::BadName { .. }
            | EnvironmentError::BadValue { .. } => Fault::Request,
            EnvironmentError::Full { .. } => Fault::Limit,
            _ => Fault::Damaged,
        }
    }
}

/// The largest environment: U-Boot reads it as a whole into memory, and no board has more than 1 MiB.
const SIZE_MAX: u64 = 64 << 20;

/// The bytes of one copy of an environment.
///
/// # Errors
/// When a name or value cannot be stored, or all of them do not fit.
pub fn environment(
    variables: &BTreeMap<String, String>,
    options: &EnvironmentOptions,
) -> Result<Vec<u8>, EnvironmentError> {
    let bad_size = EnvironmentError::BadSize { size: options.size };
    let header = header_size(options.flags.is_some());
    let room = options.size.checked_sub(header as u64).filter(|room| *room >= 2);
    let (Some(limit), true) = (room, options.size <= SIZE_MAX) else {
        return Err(bad_size);
    };
    let mut data = Vec::new();
    for (name, value) in variables {
        check(name, value)?;
        data.extend_from_slice(name.as_bytes());
        data.push(b'=');
        data.extend_from_slice(value.as_bytes());
        data.push(0);
    }
    data.push(0);
    if data.len() as u64 > limit {
        return Err(EnvironmentError::Full {
            len: data.len() as u64,
            limit,
            size: options.size,
        });
    }
    data.resize(usize::try_from(limit).map_err(|_| bad_size)?, options.padding);
    let crc = crc32fast::hash(&data);
    let mut bytes = match options.byte_order {
        ByteOrder::Little => EnvHeader {
            crc: U32::<LE>::new(crc),
        }
        .as_bytes()
        .to_vec(),
        ByteOrder::Big => EnvHeader {
            crc: U32::<BE>::new(crc),
        }
        .as_bytes()
        .to_vec(),
    };
    bytes.extend(options.flags);
    bytes.append(&mut data);
    Ok(bytes)
}

fn header_size(has_flags: bool) -> usize {
    if has_flags {
        ENV_HEADER_SIZE + ENV_FLAGS_SIZE
    } else {
        ENV_HEADER_SIZE
    }
}

/// Refuses what U-Boot, `mkenvimage` or `fw_setenv` would take for something else.
fn check(name: &str, value: &str) -> Result<(), EnvironmentError> {
    let bad_name = |problem| EnvironmentError::BadName {
        name: name.to_owned(),
        problem,
    };
    let bad_value = |problem| EnvironmentError::BadValue {
        name: name.to_owned(),
        problem,
    };
    if name.is_empty() {
        return Err(bad_name("it is empty"));
    }
    if name.contains('=') {
        return Err(bad_name("it holds =, which would end it"));
    }
    if name.starts_with('#') {
        return Err(bad_name("it starts with #, which makes a comment of it"));
    }
    if name.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(bad_name("it holds white space or a control character"));
    }
    if value.is_empty() {
        return Err(bad_value("is empty, which is how a variable is deleted"));
    }
    if value.contains('\0') {
        return Err(bad_value("holds a zero byte, which would end it"));
    }
    if value.contains('\n') {
        return Err(bad_value(
            "holds a newline, which ends it in text files: separate commands by ;",
        ));
    }
    Ok(())
}

/// Reads one copy of an environment; all bytes of it, and no more.
///
/// # Errors
/// When its checksum is wrong or its variables are none that [`environment`] would write. What lies behind their
/// end is not looked at: U-Boot leaves there what it finds.
pub fn read_environment(
    bytes: &[u8],
    copies: Copies,
    byte_order: ByteOrder,
) -> Result<Environment, EnvironmentError> {
    let header = header_size(copies == Copies::Two);
    let too_short = EnvironmentError::TooShort {
        len: bytes.len() as u64,
        min: header as u64 + 1,
    };
    let crc = match byte_order {
        ByteOrder::Little => EnvHeader::<LE>::read_from_prefix(bytes)
            .ok()
            .map(|(header, _)| header.crc.get()),
        ByteOrder::Big => EnvHeader::<BE>::read_from_prefix(bytes)
            .ok()
            .map(|(header, _)| header.crc.get()),
    };
    let (Some(stored), Some(data)) = (crc, bytes.get(header..).filter(|data| !data.is_empty())) else {
        return Err(too_short);
    };
    let computed = crc32fast::hash(data);
    if stored != computed {
        return Err(EnvironmentError::WrongChecksum { stored, computed });
    }
    let flags = match copies {
        Copies::One => None,
        Copies::Two => bytes.get(ENV_HEADER_SIZE).copied(),
    };
    Ok(Environment {
        variables: read_variables(data, header as u64)?,
        flags,
    })
}

fn read_variables(data: &[u8], start: u64) -> Result<BTreeMap<String, String>, EnvironmentError> {
    let mut variables = BTreeMap::new();
    let mut rest = data;
    let mut at = start;
    loop {
        let end = rest
            .iter()
            .position(|byte| *byte == 0)
            .ok_or(EnvironmentError::NoEnd)?;
        let (line, behind) = rest.split_at(end);
        if line.is_empty() {
            return Ok(variables);
        }
        let bad = |problem| EnvironmentError::BadVariable { at, problem };
        let text = str::from_utf8(line).map_err(|_| bad("is not text"))?;
        let (name, value) = text.split_once('=').ok_or_else(|| bad("has no ="))?;
        check(name, value).map_err(|_| bad("has a name or value that cannot be"))?;
        if variables.insert(name.to_owned(), value.to_owned()).is_some() {
            return Err(bad("has the name of another one"));
        }
        at += end as u64 + 1;
        rest = behind.get(1..).unwrap_or_default();
    }
}

/// Which of two copies holds, by the flags of those whose checksums are right; none when neither is.
///
/// The higher number is the later one, and 0 is later than 255.
#[must_use]
pub fn current(first: Option<u8>, second: Option<u8>) -> Option<Copy> {
    match (first, second) {
        (None, None) => None,
        (None, Some(_)) | (Some(255), Some(0)) => Some(Copy::Second),
        (Some(first), Some(second)) if second > first && (first, second) != (0, 255) => Some(Copy::Second),
        (Some(_), _) => Some(Copy::First),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(list: &[(&str, &str)]) -> BTreeMap<String, String> {
        list.iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn bytes_are_pinned() {
        let options = EnvironmentOptions {
            flags: Some(1),
            ..EnvironmentOptions::new(16)
        };
        let bytes = environment(&variables(&[("b", "2"), ("a", "1")]), &options).unwrap();
        let data = b"a=1\0b=2\0\0\xff\xff";
        let mut expected = crc32fast::hash(data).to_le_bytes().to_vec();
        expected.push(1);
        expected.extend_from_slice(data);
        assert_eq!(bytes, expected);
        let big = EnvironmentOptions {
            byte_order: ByteOrder::Big,
            ..options
        };
        expected[..4].reverse();
        assert_eq!(
            environment(&variables(&[("b", "2"), ("a", "1")]), &big).unwrap(),
            expected
        );
    }

    #[test]
    fn limits_have_numbers() {
        let options = EnvironmentOptions::new(9);
        assert_eq!(environment(&variables(&[("a", "1")]), &options).unwrap().len(), 9);
        assert_eq!(
            environment(&variables(&[("a", "12")]), &options)
                .unwrap_err()
                .to_string(),
            "the environment's variables need 6 bytes, the limit is 5 in an environment of 9 bytes"
        );
        for size in [0, 4, 5, SIZE_MAX + 1, u64::MAX] {
            let error = environment(&variables(&[]), &EnvironmentOptions::new(size)).unwrap_err();
            assert_eq!(error, EnvironmentError::BadSize { size });
        }
    }

    #[test]
    fn what_would_be_read_as_something_else_is_refused() {
        let options = EnvironmentOptions::new(100);
        for name in ["", "a=b", "#a", "a b", "a\n", "a\0"] {
            let error = environment(&variables(&[(name, "1")]), &options).unwrap_err();
            assert!(matches!(error, EnvironmentError::BadName { .. }), "{name:?}");
        }
        for value in ["", "a\nb", "a\0b"] {
            let error = environment(&variables(&[("a", value)]), &options).unwrap_err();
            assert!(matches!(error, EnvironmentError::BadValue { .. }), "{value:?}");
        }
    }

    /// An environment around these data, with the right checksum.
    fn sealed(data: &[u8]) -> Vec<u8> {
        let mut bytes = crc32fast::hash(data).to_le_bytes().to_vec();
        bytes.extend_from_slice(data);
        bytes
    }

    #[test]
    fn sealed_lies_are_found() {
        let read = |data: &[u8]| {
            read_environment(&sealed(data), Copies::One, ByteOrder::Little).map(|read| read.variables)
        };
        assert_eq!(read(b"a=1\0\0x"), Ok(variables(&[("a", "1")])));
        assert_eq!(read(b"\0"), Ok(variables(&[])));
        assert_eq!(read(b"a=1\0"), Err(EnvironmentError::NoEnd));
        assert_eq!(read(b"a=1"), Err(EnvironmentError::NoEnd));
        assert_eq!(
            read(b"a=1\0b\0\0").unwrap_err().to_string(),
            "the environment has a variable at byte 8 that has no ="
        );
        assert!(read(b"a=1\0a=2\0\0").is_err());
        assert!(read(b"a=\xff\0\0").is_err());
        assert!(read(b"=1\0\0").is_err());
    }

    #[test]
    fn the_later_copy_holds() {
        let (first, second) = (Some(Copy::First), Some(Copy::Second));
        assert_eq!(current(None, None), None);
        assert_eq!(current(Some(0), None), first);
        assert_eq!(current(None, Some(0)), second);
        assert_eq!(current(Some(1), Some(1)), first);
        assert_eq!(current(Some(2), Some(1)), first);
        assert_eq!(current(Some(1), Some(2)), second);
        assert_eq!(current(Some(255), Some(0)), second);
        assert_eq!(current(Some(0), Some(255)), first);
        assert_eq!(current(Some(255), Some(254)), first);
        assert_eq!(current(Some(1), Some(255)), second);
    }

    #[test]
    fn every_changed_byte_is_found() {
        let options = EnvironmentOptions {
            flags: Some(7),
            ..EnvironmentOptions::new(40)
        };
        let good = environment(&variables(&[("BOOT_ORDER", "A B")]), &options).unwrap();
        let read = |bytes: &[u8]| read_environment(bytes, Copies::Two, ByteOrder::Little);
        assert_eq!(read(&good).unwrap().flags, Some(7));
        for at in 0..good.len() {
            assert!(read(&good[..at]).is_err(), "cut at {at}");
            let mut bad = good.clone();
            bad[at] ^= 1;
            // The flags are outside of the checksum.
            assert_eq!(read(&bad).is_ok(), at == 4, "byte {at}");
        }
    }
}
