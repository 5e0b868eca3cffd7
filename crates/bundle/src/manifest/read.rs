//! Text becomes a manifest. `GLib`'s reader lets a lot pass (groups in pieces, keys that come twice); here each thing has one
//! place, so that nobody reads another manifest than was signed.

use std::collections::BTreeMap;

use data_encoding::HEXLOWER;

use super::{Handler, Hooks, Image, Manifest, Verity};
use crate::Error;

/// The format of the bundle that a manifest is of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Plain,
    Verity,
}

impl Format {
    fn name(self) -> &'static str {
        match self {
            Format::Plain => "plain",
            Format::Verity => "verity",
        }
    }
}

pub(super) fn read(text: &[u8], format: Format) -> Result<Manifest, Error> {
    let mut manifest = Manifest::default();
    let mut seen_bundle = false;
    for group in groups(text)? {
        let name = group.name.clone();
        match name.as_str() {
            "update" => update(group, &mut manifest)?,
            "bundle" => {
                seen_bundle = true;
                manifest.verity = bundle(group, format)?;
            }
            "handler" => manifest.handler = handler(group)?,
            "hooks" => manifest.hooks = hooks(group)?,
            // RAUC keeps it for later, and reads nothing of it.
            "rollout" => {}
            _ => {
                if let Some(slot) = name.strip_prefix("image.") {
                    manifest.images.push(image(slot, group)?);
                } else if let Some(label) = name.strip_prefix("meta.") {
                    manifest.meta.insert(label.to_string(), meta(group)?);
                } else {
                    return Err(at(group.line, format!("there is no group [{name}]")));
                }
            }
        }
    }
    if !seen_bundle && format != Format::Plain {
        return Err(Error::Format("plain".into()));
    }
    Ok(manifest)
}

fn at(line: usize, problem: impl Into<String>) -> Error {
    Error::ManifestText {
        line,
        problem: problem.into(),
    }
}

/// A group and its keys, each with the line where it is.
struct Group {
    name: String,
    line: usize,
    keys: BTreeMap<String, (usize, String)>,
}

fn groups(text: &[u8]) -> Result<Vec<Group>, Error> {
    // It has to fit into a signature.
    if text.len() as u64 > signature::LEN_MAX {
        let problem = format!("{} bytes, the limit is {}", text.len(), signature::LEN_MAX);
        return Err(at(1, problem));
    }
    let text = std::str::from_utf8(text).map_err(|_| at(1, "is not UTF-8"))?;
    let mut groups: Vec<Group> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        if line.contains(|character: char| character.is_control() && character != '\t') {
            return Err(at(number, "holds a control character"));
        }
        // As GLib does: spaces before a line mean nothing, those behind it belong to the value.
        let line = line.trim_start_matches([' ', '\t']);
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(name) = line.strip_prefix('[') {
            let name = name.trim_end_matches([' ', '\t']).strip_suffix(']');
            let name = name.filter(|name| !name.is_empty() && !name.contains(['[', ']']));
            let name = name.ok_or_else(|| at(number, "is no group's name"))?;
            if groups.iter().any(|group| group.name == name) {
                return Err(at(number, format!("[{name}] comes twice")));
            }
            groups.push(Group {
                name: name.to_string(),
                line: number,
                keys: BTreeMap::new(),
            });
            continue;
        }
        let (key, value) = line
            .split_once('=')
            .ok_or_else(|| at(number, "is neither a group nor a key with a value"))?;
        let key = key.trim_end_matches([' ', '\t']);
        let group = groups.last_mut().ok_or_else(|| at(number, "is in no group"))?;
        if key.is_empty()
            || !key
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        {
            return Err(at(number, format!("{key:?} is no key")));
        }
        let value = value.trim_start_matches([' ', '\t']).to_string();
        if group.keys.insert(key.to_string(), (number, value)).is_some() {
            return Err(at(number, format!("{key} comes twice in [{}]", group.name)));
        }
    }
    Ok(groups)
}

impl Group {
    fn take(&mut self, key: &str) -> Option<(usize, String)> {
        self.keys.remove(key)
    }

    /// A text; an empty one is none for RAUC.
    fn text(&mut self, key: &str) -> Result<Option<String>, Error> {
        let Some((line, value)) = self.take(key) else {
            return Ok(None);
        };
        let text = plain(&value, None).map_err(|problem| at(line, problem))?.pop();
        Ok(text.filter(|text| !text.is_empty()))
    }

    fn needed(&mut self, key: &str) -> Result<String, Error> {
        let (name, line) = (self.name.clone(), self.line);
        self.text(key)?
            .ok_or_else(|| at(line, format!("[{name}] has no {key}")))
    }

    /// Passes over keys that RAUC passes over.
    fn ignore(&mut self, keys: &[&str]) {
        for key in keys {
            self.take(key);
        }
    }

    fn list(&mut self, key: &str) -> Result<Vec<String>, Error> {
        let Some((line, value)) = self.take(key) else {
            return Ok(Vec::new());
        };
        plain(&value, Some(';')).map_err(|problem| at(line, problem))
    }

    fn digest(&mut self, key: &str) -> Result<[u8; 32], Error> {
        let line = self.line;
        let text = self.needed(key)?;
        let digest = HEXLOWER.decode(text.as_bytes()).ok();
        digest.and_then(|digest| digest.try_into().ok()).ok_or_else(|| {
            at(
                line,
                format!("{key}={text}: must be 64 lower-case hexadecimal digits"),
            )
        })
    }

    fn number(&mut self, key: &str) -> Result<u64, Error> {
        let line = self.line;
        let text = self.needed(key)?;
        let digits =
            text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
        let number = if digits { text.parse().ok() } else { None };
        // RAUC counts in signed numbers.
        number
            .filter(|number| i64::try_from(*number).is_ok())
            .ok_or_else(|| at(line, format!("{key}={text}: must be a number below 2^63")))
    }

    /// Refuses keys that nobody asked for.
    fn finish(self) -> Result<(), Error> {
        match self.keys.into_iter().next() {
            None => Ok(()),
            Some((key, (line, _))) => Err(at(line, format!("[{}] has no key {key}", self.name))),
        }
    }
}

/// A value's texts without escapes: one, or those that a separator ends.
fn plain(value: &str, separator: Option<char>) -> Result<Vec<String>, String> {
    let mut texts = Vec::new();
    let mut text = String::new();
    let mut characters = value.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.next() {
                Some('s') => text.push(' '),
                Some('n') => text.push('\n'),
                Some('t') => text.push('\t'),
                Some('r') => text.push('\r'),
                Some('\\') => text.push('\\'),
                Some(';') if separator.is_some() => text.push(';'),
                Some(other) => return Err(format!("\\{other} is no escape")),
                None => return Err("ends in a backslash".to_string()),
            },
            other if Some(other) == separator => texts.push(std::mem::take(&mut text)),
            other => text.push(other),
        }
    }
    if !text.is_empty() || separator.is_none() {
        texts.push(text);
    }
    Ok(texts)
}

fn update(mut group: Group, manifest: &mut Manifest) -> Result<(), Error> {
    manifest.compatible = group.needed("compatible")?;
    manifest.version = group.text("version")?;
    manifest.description = group.text("description")?;
    manifest.build = group.text("build")?;
    manifest.min_rauc_version = group.text("min-rauc-version")?;
    group.finish()
}

fn bundle(mut group: Group, wanted: Format) -> Result<Option<Verity>, Error> {
    let format = group.text("format")?.unwrap_or_else(|| "plain".into());
    if format != wanted.name() {
        return Err(Error::Format(format));
    }
    let said = ["verity-hash", "verity-salt", "verity-size"];
    let verity = if wanted == Format::Verity && said.iter().any(|key| group.keys.contains_key(*key)) {
        Some(Verity {
            hash: group.digest("verity-hash")?,
            salt: group.digest("verity-salt")?,
            size: group.number("verity-size")?,
        })
    } else {
        None
    };
    group.finish()?;
    Ok(verity)
}

fn handler(mut group: Group) -> Result<Option<Handler>, Error> {
    let (filename, args) = (group.text("filename")?, group.text("args")?);
    group.finish()?;
    Ok(filename.map(|filename| Handler { filename, args }))
}

fn hooks(mut group: Group) -> Result<Option<Hooks>, Error> {
    let line = group.line;
    let (filename, hooks) = (group.text("filename")?, group.list("hooks")?);
    group.finish()?;
    if filename.is_none() && !hooks.is_empty() {
        return Err(at(line, "[hooks] has no filename"));
    }
    Ok(filename.map(|filename| Hooks { filename, hooks }))
}

fn image(slot: &str, mut group: Group) -> Result<Image, Error> {
    if slot.contains('/') {
        return Err(Error::NotRead(format!("[image.{slot}]: artifacts")));
    }
    if ["convert", "converted"]
        .iter()
        .any(|key| group.keys.contains_key(*key))
    {
        return Err(Error::NotRead(format!("[image.{slot}]: converted images")));
    }
    // RAUC does so from 1.15 on; those before do not know them.
    group.ignore(&["version", "description", "build"]);
    let mut image = Image {
        slot: slot.to_string(),
        filename: group.text("filename")?,
        kind: group.text("type")?,
        hooks: group.list("hooks")?,
        adaptive: group.list("adaptive")?,
        ..Image::default()
    };
    let without_file = image.is_installed_by_hook() || image.kind.as_deref() == Some("emptyfs");
    if image.filename.is_none() && !without_file {
        return Err(at(group.line, format!("[image.{slot}] has no filename")));
    }
    if image.filename.is_some() {
        image.sha256 = group.digest("sha256")?;
        // RAUC before 1.5 wrote none for an empty file.
        if group.keys.contains_key("size") || !image.is_installed_by_hook() {
            image.size = group.number("size")?;
        }
    }
    group.ignore(&["sha256", "size"]);
    group.finish()?;
    Ok(image)
}

fn meta(group: Group) -> Result<BTreeMap<String, String>, Error> {
    let mut values = BTreeMap::new();
    for (key, (line, value)) in group.keys {
        let text = plain(&value, None).map_err(|problem| at(line, problem))?;
        values.insert(key, text.concat());
    }
    Ok(values)
}
