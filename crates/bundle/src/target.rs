//! The RAUC on the device.

use std::fmt;
use std::str::FromStr;

/// A version of RAUC. A device refuses manifests with keys that it does not know, so what may be said depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    major: u32,
    minor: u32,
}

impl Target {
    /// The first with bundles of the format verity.
    pub const VERITY: Target = Target { major: 1, minor: 5 };
    /// The first with adaptive updates.
    pub const ADAPTIVE: Target = Target { major: 1, minor: 8 };
    /// The first that does not refuse meta sections.
    pub const META: Target = Target { major: 1, minor: 8 };
    /// The first with `min-rauc-version`.
    pub const MIN_RAUC_VERSION: Target = Target { major: 1, minor: 14 };
    /// The first with types of images.
    pub const TYPE: Target = Target { major: 1, minor: 15 };
}

impl Default for Target {
    /// Debian 12's: 1.8.
    fn default() -> Self {
        Target::ADAPTIVE
    }
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.major, self.minor)
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Target, String> {
        let bad = || {
            format!(
                "{text:?}: must be a version of RAUC such as 1.8, from {} on",
                Target::VERITY
            )
        };
        let mut numbers = text.split('.').map(str::parse::<u32>);
        let (Some(Ok(major)), Some(Ok(minor))) = (numbers.next(), numbers.next()) else {
            return Err(bad());
        };
        // What comes third only mends mistakes.
        if numbers.any(|number| number.is_err()) {
            return Err(bad());
        }
        let target = Target { major, minor };
        if target < Target::VERITY {
            Err(bad())
        } else {
            Ok(target)
        }
    }
}
