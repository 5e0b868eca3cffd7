//! What a bill says, whatever it is written as.

use std::collections::BTreeSet;

use image::Seed;

use crate::error::{Error, Result};
use crate::identifiers::nix_purl;
use crate::meta::{About, Meta};
use crate::names::split_name;
use crate::time::TIME_MAX;

/// A product and all that is in it.
#[derive(Clone, Debug)]
pub struct Bill {
    /// What the product is called.
    pub name: String,
    /// Its version.
    pub version: Option<String>,
    /// Who makes it.
    pub supplier: Option<String>,
    /// How they are reached: an address of mail, or of a page.
    pub contact: Option<String>,
    /// What the documents' own names derive from.
    pub seed: Seed,
    /// The time that they say, in seconds since 1970.
    pub time: u64,
    /// Store paths that nothing else brings in: the system, or all that no other refers to.
    pub roots: Vec<String>,
    /// The packages, sorted by path.
    pub packages: Vec<Package>,
    /// The files beside them, in the order of their places.
    pub files: Vec<File>,
}

/// A store path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// The path.
    pub path: String,
    /// What it is called.
    pub name: String,
    /// Its version; empty when it has none.
    pub version: String,
    /// Which output of its derivation it is.
    pub output: Option<String>,
    /// The SHA-256 of its NAR.
    pub nar_hash: Option<[u8; 32]>,
    /// The bytes of its NAR.
    pub nar_size: Option<u64>,
    /// The paths that its bytes name; none when nobody has said them.
    pub references: Option<Vec<String>>,
    /// Whether it is in the image as a whole. Of others, files are.
    pub is_whole: bool,
    /// What else is known of it.
    pub about: About,
}

/// A file that lies beside the store paths, in a file system or elsewhere on a disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Where: `disk.region.loader1`, `fs.esp:/EFI/BOOT/BOOTX64.EFI`.
    pub place: String,
    /// The SHA-256 of its bytes.
    pub sha256: [u8; 32],
    /// How many bytes it has.
    pub len: u64,
    /// The store path that it is a file of, which is one of the packages.
    pub origin: Option<String>,
}

impl Package {
    /// A store path, with what its name says and what else is known. `name` is what follows the hash in it.
    #[must_use]
    pub fn new(path: &str, name: &str, meta: &Meta) -> Package {
        let about = meta.of(path, name);
        let split = split_name(name);
        let own = |said: &Option<String>, own: &str| said.clone().unwrap_or_else(|| own.to_string());
        let output = about.output.clone().or(split.output.map(str::to_string));
        Package {
            path: path.to_string(),
            name: own(&about.name, split.name),
            version: own(&about.version, split.version),
            output,
            nar_hash: None,
            nar_size: None,
            references: None,
            is_whole: true,
            about,
        }
    }

    /// Whether it is a package: others are mostly texts of a configuration.
    pub(crate) fn is_package(&self) -> bool {
        !self.version.is_empty() || self.about != About::default()
    }

    /// Its package URLs, the most fitting first: those that are known, and what tools for Nix call it.
    pub(crate) fn purls(&self) -> Vec<String> {
        let mut purls = self.about.purls.clone();
        if self.is_package() {
            purls.push(nix_purl(&self.name, &self.version, self.output.as_deref()));
        }
        purls
    }

    /// What it refers to beside itself, each once, sorted.
    pub(crate) fn others(&self) -> BTreeSet<&str> {
        let references = self.references.iter().flatten().map(String::as_str);
        references.filter(|reference| *reference != self.path).collect()
    }
}

impl Bill {
    /// Brings all in order: packages by path, files by place, each once, and adds packages that files come from and that are
    /// not in the image as a whole. Roots are found where nobody has said any.
    ///
    /// # Errors
    /// When the time is none that documents can say.
    pub fn ordered(mut self, meta: &Meta) -> Result<Bill> {
        if self.time > TIME_MAX {
            return Err(Error::Time {
                time: self.time,
                limit: TIME_MAX,
            });
        }
        if self.roots.is_empty() && self.packages.iter().all(|package| package.references.is_some()) {
            let referred: BTreeSet<&str> = self.packages.iter().flat_map(Package::others).collect();
            let roots = self.packages.iter().map(|package| &package.path);
            self.roots = roots
                .filter(|path| !referred.contains(path.as_str()))
                .cloned()
                .collect();
        }
        let known: BTreeSet<String> = self.packages.iter().map(|package| package.path.clone()).collect();
        let origins: BTreeSet<&String> = self
            .files
            .iter()
            .filter_map(|file| file.origin.as_ref())
            .collect();
        for path in origins.into_iter().filter(|path| !known.contains(*path)) {
            let base = path.rsplit('/').next().unwrap_or_default();
            let name = base.split_once('-').map_or(base, |(_, name)| name);
            self.packages.push(Package {
                is_whole: false,
                ..Package::new(path, name, meta)
            });
        }
        self.packages.sort_by(|one, other| one.path.cmp(&other.path));
        self.packages.dedup_by(|one, other| one.path == other.path);
        self.files.sort_by(|one, other| one.place.cmp(&other.place));
        self.files.dedup_by(|one, other| one.place == other.place);
        Ok(self)
    }

    /// Whether the references of all packages are known.
    #[must_use]
    pub fn knows_references(&self) -> bool {
        let mut whole = self.packages.iter().filter(|package| package.is_whole);
        whole.all(|package| package.references.is_some())
    }
}
