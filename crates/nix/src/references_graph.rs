//! References graphs in JSON: what Nix tells a builder of the closure that it asked for.
//!
//! A derivation with structured attributes that says `exportReferencesGraph.closure = [ paths ]` finds, in its
//! `.attrs.json`, its own attributes and under `closure` an array:
//!
//! ```json
//! [{ "path": "/nix/store/…", "narHash": "sha256:…", "narSize": 120, "references": ["/nix/store/…"], … }]
//! ```
//!
//! So a build inside Nix's sandbox needs neither `closureInfo` nor a tool that reads JSON.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::str::FromStr;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer};

use crate::closure::PathInfo;
use crate::error::{Error, Result};
use crate::hash::Hash;
use crate::store_path::StorePath;

/// The attribute whose value is the graph, when the file holds all attributes of a derivation.
const ATTRIBUTE: &str = "closure";

/// Whether a file is JSON rather than a list or a registration, which begin with a path.
pub(crate) fn is_json(bytes: &[u8]) -> bool {
    matches!(bytes.trim_ascii_start().first(), Some(b'[' | b'{'))
}

/// The paths of a graph, in the order of the file; references are sorted. `file` is what errors call it.
pub(crate) fn parse(file: &Path, bytes: &[u8]) -> Result<Vec<PathInfo>> {
    let failed = |error: &serde_json::Error| {
        let message = error.to_string();
        let problem = message
            .rsplit_once(" at line ")
            .map_or(&*message, |(text, _)| text);
        Error::Line {
            file: file.into(),
            line: error.line(),
            problem: Box::new(Error::Json {
                problem: problem.to_string(),
            }),
        }
    };
    let entries: Vec<Entry> = if bytes.trim_ascii_start().starts_with(b"[") {
        serde_json::from_slice(bytes).map_err(|error| failed(&error))?
    } else {
        let attributes: Attributes = serde_json::from_slice(bytes).map_err(|error| failed(&error))?;
        attributes.closure.ok_or_else(|| Error::NoGraph {
            file: file.into(),
            attribute: ATTRIBUTE,
        })?
    };
    let mut seen: BTreeSet<&StorePath> = BTreeSet::new();
    if let Some(twice) = entries.iter().find(|entry| !seen.insert(&entry.path.0)) {
        return Err(duplicate(file, &twice.path.0));
    }
    entries.into_iter().map(|entry| entry.info(file)).collect()
}

/// All attributes of a derivation, of which one matters here.
#[derive(Deserialize)]
struct Attributes {
    closure: Option<Vec<Entry>>,
}

/// One path. What else Nix says of it (`ca`, `closureSize`, `deriver`, `valid`, `signatures`) is not needed.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    path: Parsed<StorePath>,
    nar_hash: Parsed<Hash>,
    nar_size: u64,
    references: Vec<Parsed<StorePath>>,
}

impl Entry {
    fn info(self, file: &Path) -> Result<PathInfo> {
        let mut references: Vec<StorePath> = self.references.into_iter().map(|parsed| parsed.0).collect();
        references.sort_unstable();
        if let Some([twice, ..]) = references.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(duplicate(file, twice));
        }
        Ok(PathInfo {
            path: self.path.0,
            nar_hash: Some(self.nar_hash.0),
            nar_size: Some(self.nar_size),
            references: Some(references),
        })
    }
}

fn duplicate(file: &Path, path: &StorePath) -> Error {
    Error::InFile {
        file: file.into(),
        problem: Box::new(Error::Duplicate { path: path.clone() }),
    }
}

/// A value that is a text in JSON.
struct Parsed<T>(T);

impl<'de, T: FromStr<Err = Error>> Deserialize<'de> for Parsed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Text<T>(std::marker::PhantomData<T>);
        impl<T: FromStr<Err = Error>> Visitor<'_> for Text<T> {
            type Value = Parsed<T>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a text")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> std::result::Result<Parsed<T>, E> {
                text.parse().map(Parsed).map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Text(std::marker::PhantomData))
    }
}
