//! What can be said of the files of a file system, whatever its format.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, de};

/// Where the bytes at a path come from: one source, or a list of sources that become one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources(pub Vec<String>);

impl<'de> Deserialize<'de> for Sources {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMany;
        impl<'de> Visitor<'de> for OneOrMany {
            type Value = Sources;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a source or a list of sources")
            }

            fn visit_str<E: de::Error>(self, one: &str) -> Result<Sources, E> {
                Ok(Sources(vec![one.to_string()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Sources, A::Error> {
                let mut sources = Vec::new();
                while let Some(source) = list.next_element()? {
                    sources.push(source);
                }
                Ok(Sources(sources))
            }
        }
        deserializer.deserialize_any(OneOrMany)
    }
}

/// What the files at some paths shall have, in place of what they have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Attributes {
    /// A path from the root, or a pattern of paths: `*` stands for any part of a name, `**` for any names.
    pub path: String,
    /// The permission bits, as octal digits.
    pub mode: Option<String>,
    /// The same of directories; `mode` when not given.
    pub directory_mode: Option<String>,
    /// The owner's number.
    pub owner: Option<u32>,
    /// The group's number.
    pub group: Option<u32>,
    /// The time of last change, in seconds since 1970.
    pub time: Option<i64>,
    /// Extended attributes: text, hexadecimal digits behind `0x`, or base64 behind `0s`.
    #[serde(default)]
    pub xattrs: BTreeMap<String, String>,
    /// What a program may do without root, as `setcap` has it: `cap_net_raw,cap_net_admin=ep`.
    pub capabilities: Option<String>,
}
