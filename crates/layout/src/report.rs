//! What a layout could not do as one would wish, for people and machines.

use std::fmt;

use image::show;
use nix::StorePath;

/// What became of a closure.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Files in which references were rewritten.
    pub rewritten_files: u64,
    /// References in them.
    pub rewritten_references: u64,
    /// Links whose targets were rewritten, or that gave way to what they led to.
    pub rewritten_links: u64,
    /// Paths that several store paths have, sorted.
    pub conflicts: Vec<Conflict>,
    /// What still names store paths, sorted by file.
    pub leftovers: Vec<Leftover>,
}

/// A path of the new root that several store paths have, with different things at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The path.
    pub path: Vec<u8>,
    /// Whose file, folder or link is there.
    pub kept: StorePath,
    /// Who else has one, in the order of their priorities.
    pub dropped: Vec<StorePath>,
}

/// A file or link that was not made free of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    /// Its path in the new root.
    pub path: Vec<u8>,
    /// The store path that it comes from.
    pub owner: StorePath,
    /// What is with it.
    pub what: What,
}

/// Why something was not made free of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// It names a path that is not in the closure.
    Outside {
        /// The path, as far as it can be one.
        path: String,
    },
    /// It names more such paths than are told.
    MoreOutside {
        /// How many are told.
        count: usize,
    },
    /// It names store paths, compressed.
    Packed {
        /// By what.
        format: &'static str,
    },
    /// It is compressed, and cannot be looked into.
    NotLookedInto {
        /// By what.
        format: &'static str,
    },
    /// It names store paths in UTF-16.
    Wide,
    /// It has hashes of known store paths alone.
    HashAlone {
        /// How many.
        count: u64,
    },
    /// It is a link that led somewhere in the store, and leads nowhere now.
    DeadLink {
        /// Its target in the store.
        target: Vec<u8>,
    },
}

impl What {
    /// A word for it, for machines.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            What::Outside { .. } | What::MoreOutside { .. } => "outside-closure",
            What::Packed { .. } => "compressed",
            What::NotLookedInto { .. } => "not-looked-into",
            What::Wide => "utf-16",
            What::HashAlone { .. } => "hash-alone",
            What::DeadLink { .. } => "dead-link",
        }
    }
}

impl fmt::Display for What {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            What::Outside { path } => write!(formatter, "names {path}, which is not in the closure"),
            What::MoreOutside { count } => write!(
                formatter,
                "names more than {count} paths that are not in the closure"
            ),
            What::Packed { format } => write!(formatter, "names store paths in what {format} has compressed"),
            What::NotLookedInto { format } => {
                write!(formatter, "is compressed by {format} and cannot be looked into")
            }
            What::Wide => write!(formatter, "names store paths in UTF-16"),
            What::HashAlone { count } => {
                let often = match count {
                    1 => "once".to_string(),
                    count => format!("{count} times"),
                };
                write!(
                    formatter,
                    "has the hash of a store path without /nix/store/ in front, {often}"
                )
            }
            What::DeadLink { target } => {
                write!(
                    formatter,
                    "leads nowhere; in the store it is a link to {}",
                    show(target)
                )
            }
        }
    }
}

impl fmt::Display for Leftover {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", show(&self.path), self.what)
    }
}

impl fmt::Display for Conflict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} is of {}", show(&self.path), self.kept.base_name())?;
        for (number, path) in self.dropped.iter().enumerate() {
            let word = if number == 0 { "; dropped that of" } else { "," };
            write!(formatter, "{word} {}", path.base_name())?;
        }
        Ok(())
    }
}
