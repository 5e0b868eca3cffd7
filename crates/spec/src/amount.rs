//! Amounts of bytes with their units.

use std::str::FromStr;

use serde::Deserialize;

/// Bytes, or sectors of a disk whose sector size is said elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub enum Amount {
    /// Bytes.
    Bytes(u64),
    /// Sectors.
    Sectors(u64),
}

/// An amount as it may be written.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Number(i64),
    Text(String),
}

const UNITS: [(&str, u64); 10] = [
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("KB", 1000),
    ("kB", 1000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
];

impl Amount {
    /// In bytes, on a disk of this sector size.
    #[must_use]
    pub fn bytes(self, sector_size: u64) -> u64 {
        match self {
            Amount::Bytes(bytes) => bytes,
            Amount::Sectors(sectors) => sectors.saturating_mul(sector_size),
        }
    }
}

impl FromStr for Amount {
    type Err = String;

    fn from_str(text: &str) -> Result<Amount, String> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let unit = unit.trim();
        let number: u64 = number
            .parse()
            .map_err(|_| format!("{text:?}: must be a whole number and a unit, such as 64MiB"))?;
        if unit == "s" {
            return Ok(Amount::Sectors(number));
        }
        let Some((_, factor)) = UNITS.iter().find(|(name, _)| *name == unit) else {
            return Err(match unit {
                "K" | "M" | "G" | "T" | "k" => {
                    format!(
                        "{text:?}: {unit} alone means different things to different tools: say {number}{unit}iB or {number}{unit}B"
                    )
                }
                "" => format!(
                    "{text:?}: the unit is missing: say {number}MiB, {number}B or {number}s (sectors)"
                ),
                _ => format!("{text:?}: the units are B, KiB, MiB, GiB, TiB, KB, MB, GB, TB and s (sectors)"),
            });
        };
        let bytes = number
            .checked_mul(*factor)
            .ok_or_else(|| format!("{text:?}: is more than 16 EiB"))?;
        Ok(Amount::Bytes(bytes))
    }
}

impl TryFrom<Written> for Amount {
    type Error = String;

    fn try_from(written: Written) -> Result<Amount, String> {
        match written {
            Written::Number(number) => number.to_string().parse(),
            Written::Text(text) => text.parse(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_said() {
        let good = [
            ("0B", Amount::Bytes(0)),
            ("64s", Amount::Sectors(64)),
            ("1MiB", Amount::Bytes(1 << 20)),
            ("1 GiB", Amount::Bytes(1 << 30)),
            ("16GB", Amount::Bytes(16_000_000_000)),
        ];
        for (text, amount) in good {
            assert_eq!(text.parse(), Ok(amount), "{text}");
        }
        for text in [
            "",
            "M",
            "1M",
            "12",
            "1.5MiB",
            "-1MiB",
            "1mib",
            "99999999999TiB",
            "99999999999999999999999B",
        ] {
            assert!(text.parse::<Amount>().is_err(), "{text}");
        }
        assert!("512M".parse::<Amount>().unwrap_err().contains("512MiB"));
    }
}
