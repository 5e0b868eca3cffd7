//! What can be said to `kiln sbom`.

use std::path::PathBuf;

use clap::ValueEnum;
use spec::{Sbom, SbomFormat, Spec};

use super::source::Gathering;

#[derive(Debug, clap::Args)]
pub(crate) struct SbomArgs {
    /// The specification, TOML or JSON
    #[arg(required_unless_present = "closure")]
    pub(crate) spec: Option<PathBuf>,
    /// A closure in place of a specification: a folder of closureInfo, a registration, a list of store paths, a store's
    /// database or the folder that it lies under, a stream of `nix-store --export`, or a binary cache; caches can be repeated
    #[arg(long, value_name = "SOURCE", conflicts_with = "spec")]
    pub(crate) closure: Vec<String>,
    /// A store path that is wanted of a database or a cache, with all that it refers to; can be repeated
    #[arg(long, value_name = "STORE-PATH", requires = "closure")]
    pub(crate) path: Vec<String>,
    /// Who may sign what comes from a cache, as NAME:BASE64; the public cache of NixOS when not given; can be repeated
    #[arg(long, value_name = "KEY", requires = "closure")]
    pub(crate) trusted_key: Vec<String>,
    /// Believe caches without signatures
    #[arg(long, requires = "closure")]
    pub(crate) allow_unsigned: bool,
    /// What the product of a closure is called
    #[arg(long, default_value = "closure", requires = "closure")]
    pub(crate) name: String,
    /// How it is written
    #[arg(long, value_name = "FORMAT")]
    pub(crate) format: Format,
    /// The file that is made; such names end in .cdx.json and .spdx.json
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// A file of what Nix knows of packages: licences, homepages, CPEs; can be repeated
    #[arg(long, value_name = "FILE")]
    pub(crate) meta: Vec<PathBuf>,
    /// Who makes the product
    #[arg(long, value_name = "NAME")]
    pub(crate) supplier: Option<String>,
    /// How they are reached: an address of mail, or of a page
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) contact: Option<String>,
    /// The product's version
    #[arg(long, value_name = "VERSION")]
    pub(crate) product_version: Option<String>,
    /// The time that it says, in seconds since 1970; 1980-01-01 when not given
    #[arg(long, value_name = "SECONDS")]
    pub(crate) time: Option<u64>,
    /// What all ids derive from, in place of the specification's seed
    #[arg(long)]
    pub(crate) seed: Option<String>,
    #[command(flatten)]
    pub(crate) gathering: Gathering,
}

/// How a bill of materials is written.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Format {
    /// CycloneDX 1.6, JSON
    Cyclonedx,
    /// SPDX 2.3, JSON
    Spdx,
}

impl Format {
    pub(crate) fn lower(self) -> SbomFormat {
        match self {
            Format::Cyclonedx => SbomFormat::Cyclonedx,
            Format::Spdx => SbomFormat::Spdx,
        }
    }
}

impl SbomArgs {
    /// Puts what is said here in place of the specification's own words.
    pub(crate) fn apply(&self, spec: &mut Spec) {
        if self.seed.is_some() {
            spec.seed.clone_from(&self.seed);
        }
        let said = spec.sbom.take().unwrap_or_default();
        // Its own files start at the specification's folder, those that are said here do not.
        let meta = self
            .meta
            .iter()
            .map(|file| std::path::absolute(file).unwrap_or_else(|_| file.clone()));
        spec.sbom = Some(Sbom {
            formats: vec![self.format.lower()],
            meta: said.meta.into_iter().chain(meta).collect(),
            supplier: self.supplier.clone().or(said.supplier),
            contact: self.contact.clone().or(said.contact),
            version: self.product_version.clone().or(said.version),
            time: self.time.or(said.time),
        });
    }
}
