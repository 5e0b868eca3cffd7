//! Names of versions, labels and files, and what they look like to systemd-sysupdate.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use crate::error::{Error, Result};

/// The most UTF-16 units of a partition's label.
pub const LABEL_MAX: usize = 36;

/// What a system is called: `IMAGE_ID` of its os-release, and what all names begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Id(String);

/// A version: `IMAGE_VERSION`, and what `@v` stands for. Nothing that separates in names is in it (`_` before the UUID, `+`
/// before the boot counter), so that names can be read in one way only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version(String);

impl Id {
    /// The id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Version {
    /// The version.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Id {
    type Err = Error;

    fn from_str(text: &str) -> Result<Id> {
        word("an id", "._-", text).map(Id)
    }
}

impl FromStr for Version {
    type Err = Error;

    fn from_str(text: &str) -> Result<Version> {
        word("a version", ".-", text).map(Version)
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A word of the characters that os-release allows.
fn word(what: &'static str, others: &'static str, text: &str) -> Result<String> {
    let fits = |one: &char| one.is_ascii_lowercase() || one.is_ascii_digit() || others.contains(*one);
    if let Some(character) = text.chars().find(|one| !fits(one)) {
        return Err(Error::BadCharacter {
            what,
            text: text.to_owned(),
            character,
            others,
        });
    }
    if !text.starts_with(|first: char| first.is_ascii_alphanumeric()) {
        return Err(Error::BadStart {
            what,
            text: text.to_owned(),
        });
    }
    Ok(text.to_owned())
}

/// Refuses a label that no partition table can hold.
///
/// # Errors
/// When it is too long.
pub fn check_label(label: &str) -> Result<()> {
    match label.encode_utf16().count() {
        units if units > LABEL_MAX => Err(Error::LabelTooLong {
            label: label.to_owned(),
            units,
        }),
        _ => Ok(()),
    }
}

/// What a version's label looks like in all versions, with `@v`.
///
/// # Errors
/// When it is too long, or the version is not in it exactly once.
pub fn label_pattern(label: &str, version: &Version) -> Result<String> {
    check_label(label)?;
    let parts: Vec<&str> = label.split(version.as_str()).collect();
    match parts[..] {
        [before, after] => Ok(format!("{before}@v{after}")),
        _ => Err(Error::LabelWithoutVersion {
            label: label.to_owned(),
            version: version.to_string(),
            count: parts.len().saturating_sub(1),
        }),
    }
}

/// What a region may be called, so that the names of its files can be read in one way only: a dot in it could be one of the
/// version.
#[must_use]
pub fn is_region(name: &str) -> bool {
    let fits = |one: char| one.is_ascii_alphanumeric() || "_-".contains(one);
    !name.is_empty() && name.chars().all(fits)
}

/// The file of a partition, as it is published: with the partition's UUID where devices find it by that.
#[must_use]
pub fn partition_file(id: &Id, version: &str, uuid: Option<Uuid>, region: &str, ending: &str) -> String {
    let uuid = uuid.map_or_else(String::new, |uuid| format!("_{uuid}"));
    format!("{id}_{version}{uuid}.{region}.raw{ending}")
}

/// The file of a unified kernel image, as it is published.
#[must_use]
pub fn uki_file(id: &Id, version: &str) -> String {
    format!("{id}_{version}.efi")
}

/// What the name of a published file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// What the system is called.
    pub id: String,
    /// Its version.
    pub version: String,
    /// The partition's UUID, if the name has it.
    pub uuid: Option<Uuid>,
    /// The region that it is for; none for an image.
    pub region: Option<String>,
    /// How it is compressed: `.xz`, `.zst`, or empty.
    pub ending: String,
}

/// What a name says; none when it is that of something else.
#[must_use]
pub fn read(file: &str) -> Option<Named> {
    let image = file.strip_suffix(".efi");
    let mut endings = [".xz", ".zst"].into_iter();
    let compressed = endings.find_map(|ending| Some((file.strip_suffix(ending)?, ending)));
    let (plain, ending) = compressed.unwrap_or((file, ""));
    let partition = plain.strip_suffix(".raw");
    // A version can have dots and no underscores, a region underscores and no dots, an id both. A UUID is of one form.
    let is_version = |text: &str| text.parse::<Version>().is_ok();
    let named = |id: &str, version: &str, uuid, region: Option<&str>| {
        let id: Id = id.parse().ok()?;
        is_version(version).then(|| Named {
            id: id.0,
            version: version.to_owned(),
            uuid,
            region: region.map(str::to_owned),
            ending: ending.to_owned(),
        })
    };
    if let Some(stem) = image {
        let (id, version) = stem.rsplit_once('_')?;
        return named(id, version, None, None);
    }
    let (stem, region) = partition?
        .rsplit_once('.')
        .filter(|(_, region)| is_region(region))?;
    let (front, last) = stem.rsplit_once('_')?;
    if let (36, Ok(uuid)) = (last.len(), last.parse::<Uuid>()) {
        let (id, version) = front.rsplit_once('_')?;
        return named(id, version, Some(uuid), Some(region));
    }
    named(front, last, None, Some(region))
}
