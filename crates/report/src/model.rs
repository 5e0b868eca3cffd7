//! What a report says. The same as JSON: in the page, and for programs.

use serde::{Deserialize, Serialize};

/// The newest reports that are read, and those that are made.
pub const SCHEMA: u32 = 1;

/// All that a report says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The version of the program that made it.
    pub kiln: String,
    /// What was looked at.
    pub name: String,
    /// What that is.
    pub format: String,
    /// The sums over everything.
    pub totals: Totals,
    /// What the image consists of, in the order of its places.
    pub regions: Vec<Region>,
    /// The bytes of each class of content, by [`Class`]; classes without bytes are left out.
    pub classes: Vec<ClassBytes>,
    /// What the closure is made for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub toplevel: Option<String>,
    /// The store paths in the image, sorted.
    pub paths: Vec<StorePath>,
    /// The largest files.
    pub files: Vec<File>,
    /// Files with the same bytes: those first that take most.
    pub equal: Vec<Equal>,
    /// What is different from an older report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grown: Option<Grown>,
    /// What the reader should know.
    pub notes: Vec<String>,
    /// What could not be read.
    pub problems: Vec<Problem>,
    /// All of it, divided; what is small is summed up.
    pub tree: Node,
}

/// Two measures of the same thing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bytes {
    /// Its bytes in the image.
    pub image: u64,
    /// The bytes of its files, unpacked.
    pub unpacked: u64,
}

impl Bytes {
    /// Both sums; what is too large for a number stays the largest.
    #[must_use]
    pub fn plus(self, other: Bytes) -> Bytes {
        Bytes {
            image: self.image.saturating_add(other.image),
            unpacked: self.unpacked.saturating_add(other.unpacked),
        }
    }

    /// The larger of the two.
    #[must_use]
    pub fn most(self) -> u64 {
        self.image.max(self.unpacked)
    }
}

/// The sums over everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// The image: its bytes, and those of all files in it.
    #[serde(flatten)]
    pub bytes: Bytes,
    /// The bytes of the file that it travels as, when it is compressed or in a container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<u64>,
    /// What nothing uses: in file systems, behind them and between regions.
    pub free: u64,
    /// What the specification promises to keep free.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promised: Option<u64>,
    /// How many files there are; one with several names counts once.
    pub files: u64,
    /// How many store paths there are.
    pub paths: u64,
    /// What files take that have the bytes of another one.
    pub equal: Bytes,
}

/// A part of the image: a partition, what lies beside them, a table, a gap.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Region {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: RegionKind,
    /// What is in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// Its first byte, where it has a place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<u64>,
    /// Its bytes.
    pub size: u64,
    /// What nothing uses in it.
    pub free: u64,
    /// What the specification promises to keep free.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promised: Option<u64>,
    /// The bytes of its files, unpacked.
    pub unpacked: u64,
    /// How many files are in it.
    pub files: u64,
}

/// What a part of the image is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RegionKind {
    /// A partition of a disk.
    Partition,
    /// What lies on a disk outside of partitions, such as a boot loader.
    Raw,
    /// A part of a disk's table, or what vouches for a bundle.
    Table,
    /// What is in no partition.
    Free,
    /// All of an image that has no parts.
    #[default]
    Image,
    /// An output of a build.
    Output,
    /// A file of a bundle.
    File,
}

impl RegionKind {
    /// Its name, as in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            RegionKind::Partition => "partition",
            RegionKind::Raw => "raw",
            RegionKind::Table => "table",
            RegionKind::Free => "free",
            RegionKind::Image => "image",
            RegionKind::Output => "output",
            RegionKind::File => "file",
        }
    }
}

/// What content is, by where it lies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// What is run.
    Programs,
    /// What programs load.
    Libraries,
    /// Kernels, their modules, initial file systems and device trees.
    Kernel,
    /// What devices load.
    Firmware,
    /// What an interpreter runs.
    Scripts,
    /// Languages, characters and time zones.
    Locales,
    /// What nobody on the device reads.
    Documentation,
    /// What only compilers need.
    Development,
    /// Anything else.
    #[default]
    Data,
    /// What the file system and the disk themselves need.
    Tables,
    /// What nothing uses.
    Free,
}

impl Class {
    /// All, in the order of the legend.
    pub const ALL: [Class; 11] = [
        Class::Programs,
        Class::Libraries,
        Class::Kernel,
        Class::Firmware,
        Class::Scripts,
        Class::Locales,
        Class::Documentation,
        Class::Development,
        Class::Data,
        Class::Tables,
        Class::Free,
    ];

    /// Its name, as in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Class::Programs => "programs",
            Class::Libraries => "libraries",
            Class::Kernel => "kernel",
            Class::Firmware => "firmware",
            Class::Scripts => "scripts",
            Class::Locales => "locales",
            Class::Documentation => "documentation",
            Class::Development => "development",
            Class::Data => "data",
            Class::Tables => "tables",
            Class::Free => "free",
        }
    }
}

/// What all content of a class takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassBytes {
    /// The class.
    pub class: Class,
    /// What it takes.
    #[serde(flatten)]
    pub bytes: Bytes,
}

/// A part of the whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Its name in what it is in.
    pub name: String,
    /// What it is.
    pub kind: NodeKind,
    /// What it takes, with all that is in it.
    #[serde(flatten)]
    pub bytes: Bytes,
    /// How many files are in it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub files: u64,
    /// The class of most of it.
    pub class: Class,
    /// What is in it, the largest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<Node>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// What a part of the whole is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NodeKind {
    /// The image, or something in it that has parts.
    Image,
    /// A region: a partition, an output, an image in a bundle.
    Region,
    /// A folder.
    #[default]
    Folder,
    /// A store path.
    StorePath,
    /// A file.
    File,
    /// The smaller ones, summed up.
    Rest,
    /// What the file system or the disk itself needs.
    Tables,
    /// Bytes that nobody looks into.
    Raw,
    /// What nothing uses.
    Free,
}

/// A store path in the image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StorePath {
    /// Its name, with its hash.
    pub name: String,
    /// What it takes, wherever it is.
    #[serde(flatten)]
    pub bytes: Bytes,
    /// How many files are in it.
    pub files: u64,
    /// What would go with it if nothing referred to it: itself, and what only it keeps.
    pub retained: Bytes,
    /// How many store paths that are.
    pub retained_paths: u64,
    /// The store path on the shortest way from the toplevel to it, by its number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<usize>,
    /// The store path without which it would go, by its number; of several, the nearest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keeper: Option<usize>,
    /// The store paths that it refers to, by their numbers, without itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<usize>,
    /// Whether nothing leads to it: neither the toplevel nor what nothing else refers to.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub loose: bool,
}

/// A file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Its path in the image.
    pub path: String,
    /// What it takes.
    #[serde(flatten)]
    pub bytes: Bytes,
}

/// Files with the same bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Equal {
    /// The bytes of each.
    pub size: u64,
    /// What all but the first take.
    #[serde(flatten)]
    pub bytes: Bytes,
    /// How many there are.
    pub count: u64,
    /// Their paths in the image, not all of many.
    pub paths: Vec<String>,
}

/// What is different from something older.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grown {
    /// The older one.
    pub name: String,
    /// Whether it was known file by file; otherwise, only the sizes of NARs are compared, as `unpacked`.
    pub is_exact: bool,
    /// What it took.
    pub before: Bytes,
    /// What differs, by how much.
    pub changes: Vec<Change>,
}

/// Something that grew, shrank, came or went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// A package, or a path outside of the store.
    pub name: String,
    /// The versions of a package before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub versions_before: Vec<String>,
    /// The versions of a package now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub versions_after: Vec<String>,
    /// What it took; none if it was not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Bytes>,
    /// What it takes; none if it is not there any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Bytes>,
}

/// Something that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Where it is.
    pub path: String,
    /// What is wrong.
    pub problem: String,
}
