//! Numbers of bytes, for people.

use std::fmt;

/// A range of bytes for people: exact in hexadecimal, and rounded in the largest unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The first byte.
    pub start: u64,
    /// One past the last byte.
    pub end: u64,
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:#x} to {:#x}, {} to {}",
            self.start,
            self.end,
            rounded(self.start),
            rounded(self.end)
        )
    }
}

/// With one digit behind the point when it is not exact.
fn rounded(bytes: u64) -> String {
    let unit = UNITS.into_iter().find(|(shift, _)| bytes >> shift > 0);
    match unit {
        Some((shift, name)) if bytes.trailing_zeros() < 10 => {
            let tenths = (u128::from(bytes) * 10) >> shift;
            format!("{}.{} {name}", tenths / 10, tenths % 10)
        }
        _ => Bytes(bytes).to_string(),
    }
}

/// Units by the power of two, the largest first.
const UNITS: [(u32, &str); 3] = [(30, "GiB"), (20, "MiB"), (10, "KiB")];

/// A number of bytes for people: `16 MiB`, `33 KiB`, `17 bytes`; never rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bytes(pub u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = UNITS
            .into_iter()
            .find(|(shift, _)| self.0 != 0 && self.0.trailing_zeros() >= *shift);
        match unit {
            Some((shift, name)) => write!(f, "{} {name}", self.0 >> shift),
            None if self.0 == 1 => f.write_str("1 byte"),
            None => write!(f, "{} bytes", self.0),
        }
    }
}
