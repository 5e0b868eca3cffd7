//! What Nix knows of packages and no store does, as JSON: an object whose keys are store paths, their names, or names without
//! versions.
//!
//! ```json
//! {
//!   "/nix/store/3n58xw4373jp0ljirf06d8077j15pc4j-glibc-2.40-66": {
//!     "pname": "glibc", "version": "2.40-66", "output": "out",
//!     "description": "GNU C Library",
//!     "homepage": "https://www.gnu.org/software/libc/",
//!     "licenses": [{ "spdxId": "LGPL-2.0-or-later" }],
//!     "cpe": "cpe:2.3:a:gnu:glibc:2.40:*:*:*:*:*:*:*",
//!     "purls": ["pkg:generic/glibc@2.40"]
//!   },
//!   "bash-5.2p37": { "cpe": "cpe:2.3:a:gnu:bash:5.2:p37:*:*:*:*:*:*" },
//!   "bash": { "licenses": ["GPL-3.0-or-later"] }
//! }
//! ```

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::error::{Error, Result};
use crate::identifiers::{is_address, is_cpe, is_purl};
use crate::licences::{Licence, known};
use crate::names::split_name;

/// The most bytes: a hundred thousand packages have less.
const LEN_MAX: usize = 256 << 20;

/// What is known of packages, by store paths or by their names.
#[derive(Clone, Debug, Default)]
pub struct Meta {
    known: BTreeMap<String, About>,
    notes: Vec<String>,
}

/// What is known of a package.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// What it is called, when that is not what its store path says.
    pub name: Option<String>,
    /// Its version, likewise.
    pub version: Option<String>,
    /// Which output of its derivation it is, likewise.
    pub output: Option<String>,
    /// What it is, in a line.
    pub description: Option<String>,
    /// Where its makers write about it: addresses of pages.
    pub homepages: Vec<String>,
    /// Its licences, all of which apply.
    pub licences: Vec<Licence>,
    /// Its name in lists of vulnerabilities, a CPE 2.3.
    pub cpe: Option<String>,
    /// Package URLs, the most fitting first.
    pub purls: Vec<String>,
}

/// The same as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Entry {
    pname: Option<String>,
    version: Option<String>,
    output: Option<String>,
    description: Option<String>,
    homepage: Option<Texts>,
    #[serde(default)]
    licenses: Vec<LicenceEntry>,
    cpe: Option<String>,
    #[serde(default)]
    purls: Vec<String>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a text, or a list of texts")]
enum Texts {
    One(String),
    Several(Vec<String>),
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a text, or an object with spdxId or fullName")]
enum LicenceEntry {
    Text(String),
    Object(LicenceObject),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct LicenceObject {
    spdx_id: Option<String>,
    full_name: Option<String>,
    url: Option<String>,
}

impl Meta {
    /// Reads what is known. `place` is what errors call it.
    ///
    /// # Errors
    /// When it is no JSON of this kind, or too long.
    pub fn parse(place: &str, bytes: &[u8]) -> Result<Meta> {
        if bytes.len() > LEN_MAX {
            return Err(Error::MetaTooLong {
                place: place.to_string(),
                len: bytes.len(),
                limit: LEN_MAX,
            });
        }
        let entries: BTreeMap<String, Entry> = serde_json::from_slice(bytes).map_err(|error| {
            let message = error.to_string();
            let message = message
                .rsplit_once(" at line ")
                .map_or(&*message, |(message, _)| message);
            Error::Meta {
                place: place.to_string(),
                line: error.line(),
                column: error.column(),
                message: message.to_string(),
            }
        })?;
        let mut meta = Meta::default();
        for (key, entry) in entries {
            let about = meta.checked(&key, entry);
            meta.known.insert(key, about);
        }
        Ok(meta)
    }

    /// Adds what another file knows, which stands in place of what is known already.
    pub fn add(&mut self, other: Meta) {
        self.known.extend(other.known);
        self.notes.extend(other.notes);
    }

    /// What was left out, because no document could hold it.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// What is known of a store path: under the whole of it, or else under its name, or under that without a version.
    #[must_use]
    pub fn of(&self, path: &str, name: &str) -> About {
        let keys = [path, name, split_name(name).name];
        let known = keys.iter().find_map(|key| self.known.get(*key));
        known.cloned().unwrap_or_default()
    }

    /// Leaves out what no document could hold.
    fn checked(&mut self, key: &str, entry: Entry) -> About {
        let mut good = |what: &str, value: &String, is_good: fn(&str) -> bool| {
            if !is_good(value) {
                self.notes
                    .push(format!("{}: {value:?} is no {what}", image::show(key.as_bytes())));
            }
            is_good(value)
        };
        let mut homepages = match entry.homepage {
            None => Vec::new(),
            Some(Texts::One(one)) => vec![one],
            Some(Texts::Several(several)) => several,
        };
        homepages.retain(|homepage| good("address of a page", homepage, is_address));
        let mut purls = entry.purls;
        purls.retain(|purl| good("package URL", purl, is_purl));
        let cpe = entry.cpe.filter(|cpe| good("CPE 2.3", cpe, is_cpe));
        let some = |text: Option<String>| text.filter(|text| !text.is_empty());
        About {
            name: some(entry.pname),
            version: some(entry.version),
            output: some(entry.output),
            description: some(entry.description),
            homepages,
            licences: licences(entry.licenses),
            cpe,
            purls,
        }
    }
}

/// Licences, each once, in their order.
fn licences(entries: Vec<LicenceEntry>) -> Vec<Licence> {
    let mut licences: Vec<Licence> = Vec::new();
    for entry in entries {
        let (id, name, url) = match entry {
            LicenceEntry::Text(text) => (Some(text), None, None),
            LicenceEntry::Object(object) => (object.spdx_id, object.full_name, object.url),
        };
        let licence = match id.as_deref().and_then(known) {
            Some(id) => Licence::Known(id),
            None => match name.or(id).filter(|name| !name.is_empty()) {
                Some(name) => Licence::Other {
                    name,
                    url: url.filter(|url| is_address(url)),
                },
                None => continue,
            },
        };
        if !licences.contains(&licence) {
            licences.push(licence);
        }
    }
    licences
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_nix_knows_is_read() {
        let text = r#"{
            "/nix/store/x-a-1": { "pname": "a", "homepage": ["https://a.org", "nowhere"], "cpe": "cpe:/a:b" },
            "b": { "pname": "other" }, "b-2": { "licenses": ["mit", { "spdxId": "MIT" }, { "fullName": "Own", "url": "https://b.org/own" }, {}] }
        }"#;
        let meta = Meta::parse("meta.json", text.as_bytes()).unwrap();
        let a = meta.of("/nix/store/x-a-1", "a-1");
        assert_eq!((a.name.as_deref(), a.cpe), (Some("a"), None));
        assert_eq!(a.homepages, ["https://a.org"]);
        let own = Licence::Other {
            name: "Own".into(),
            url: Some("https://b.org/own".into()),
        };
        let b = meta.of("/nix/store/y-b-2", "b-2");
        assert_eq!(b.licences, [Licence::Known("MIT"), own]);
        let other = meta.of("/nix/store/y-b-3", "b-3");
        assert_eq!(other.name.as_deref(), Some("other"));
        assert_eq!(meta.of("/nix/store/y-c-3", "c-3"), About::default());
        assert_eq!(
            meta.notes(),
            [
                r#"/nix/store/x-a-1: "nowhere" is no address of a page"#,
                r#"/nix/store/x-a-1: "cpe:/a:b" is no CPE 2.3"#
            ]
        );
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (text, message) in [
            ("", "m:1:0: EOF while parsing a value"),
            ("[]", "m:1:0: invalid type: sequence, expected a map"),
            (
                r#"{"a": {"license": "MIT"}}"#,
                "m:1:16: unknown field `license`, expected one of `pname`, `version`, `output`, \
                 `description`, `homepage`, `licenses`, `cpe`, `purls`",
            ),
            (
                r#"{"a": {"licenses": [1]}}"#,
                "m:1:22: a text, or an object with spdxId or fullName",
            ),
        ] {
            assert_eq!(
                Meta::parse("m", text.as_bytes()).unwrap_err().to_string(),
                message
            );
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Meta::parse("m", &bytes);
        }
    }
}
