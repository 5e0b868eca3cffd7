//! The keys of bills of materials.

use std::path::PathBuf;

use serde::Deserialize;

/// What is in all that is made, for those who look for known weaknesses and for licences.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Sbom {
    /// What the outputs are, one each.
    pub formats: Vec<SbomFormat>,
    /// Files of what Nix knows of packages: licences, homepages, CPEs. The last one that knows a package is believed.
    #[serde(default)]
    pub meta: Vec<PathBuf>,
    /// Who makes the product.
    pub supplier: Option<String>,
    /// How they are reached: an address of mail, or of a page.
    pub contact: Option<String>,
    /// The product's version. May hold `{version}` and `{series}`; that of the toplevel when not given and it has one.
    pub version: Option<String>,
    /// The time that they say, in seconds since 1970; 1980-01-01 when not given.
    pub time: Option<u64>,
}

/// How a bill of materials is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SbomFormat {
    /// CycloneDX 1.6, JSON.
    Cyclonedx,
    /// SPDX 2.3, JSON.
    Spdx,
}

impl SbomFormat {
    /// What specifications call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            SbomFormat::Cyclonedx => "cyclonedx",
            SbomFormat::Spdx => "spdx",
        }
    }

    /// How names of its files end, by which other tools know them.
    #[must_use]
    pub fn ending(self) -> &'static str {
        match self {
            SbomFormat::Cyclonedx => "cdx.json",
            SbomFormat::Spdx => "spdx.json",
        }
    }
}
