//! What images say of hardware: folders of descriptions and of firmware become sections.

use std::path::Path;

use image::{Content, Keep, Kind, Tree, show};
use uki::Hardware;

use crate::error::{Error, Result};
use crate::expand::{expand, whole};
use crate::parts::Planner;
use crate::trees::{Values, in_closure};

/// The most bytes of a description.
const DESCRIPTION_MAX: u64 = 64 << 10;

impl Planner<'_> {
    /// The hardware ids of an image: a file as it is, or out of the descriptions in a folder (`*.json`, also in folders in
    /// it).
    pub(crate) fn hardware_ids(&mut self, source: &str, place: &str) -> Result<Content> {
        let Some((_, folder)) = self.folder_of(source, place)? else {
            return self.source(source, place);
        };
        let failed = |source| Error::Uki {
            part: place.to_owned(),
            source,
        };
        let mut found = Vec::new();
        for entry in folder.walk() {
            let name = show(&entry.path);
            let Kind::File(content) = &folder.node(entry.id).kind else {
                continue;
            };
            if !is_description(&name) {
                continue;
            }
            if content.len() > DESCRIPTION_MAX {
                return Err(Error::BadValue {
                    place: place.to_owned(),
                    problem: format!(
                        "{name}: {} bytes, a description has at most {DESCRIPTION_MAX}",
                        content.len()
                    ),
                });
            }
            found.push(Hardware::read(&content.to_vec()?, &name).map_err(failed)?);
        }
        if found.is_empty() {
            return Err(Error::Misfit {
                place: place.to_owned(),
                problem: format!("{source}: no file in this folder is a description of hardware (NAME.json)"),
                hint: "each is an object with `type`, `name`, `hwids`, and `compatible` or `fwid`".into(),
            });
        }
        Ok(uki::hardware_ids(&found).map_err(failed)?.into())
    }

    /// Firmware of an image: the only file of a folder, whose name is its id.
    pub(crate) fn firmware(&mut self, source: &str, place: &str) -> Result<Content> {
        let found = self.folder_of(source, place)?;
        let (id, folder) = found.ok_or_else(|| Error::BadValue {
            place: place.to_owned(),
            problem: format!("{source}: must be a folder with firmware in it, whose name is its id"),
        })?;
        let mut files = folder.walk().filter(|entry| entry.id != image::NodeId::ROOT);
        let (Some(only), None) = (files.next(), files.next()) else {
            return Err(Error::BadValue {
                place: place.to_owned(),
                problem: format!(
                    "{source}: {} files and folders in it, must be one file",
                    folder.walk().count() - 1
                ),
            });
        };
        let Kind::File(content) = &folder.node(only.id).kind else {
            return Err(Error::BadValue {
                place: place.to_owned(),
                problem: format!("{source}: what is in it is no file"),
            });
        };
        uki::firmware(&id, content).map_err(|source| Error::Uki {
            part: place.to_owned(),
            source,
        })
    }

    /// A folder of the closure or of the host with what is in it, links followed, and its name; none for a file.
    pub(crate) fn folder_of(&mut self, source: &str, place: &str) -> Result<Option<(String, Tree)>> {
        if whole(source).is_some_and(|key| key.contains('.')) {
            return Ok(None);
        }
        let source = expand(source, place, |key| Values::text(self, key, place))?;
        let name = Path::new(&source).file_name();
        let name = name.map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        if in_closure(&source, &self.gathered.closure) {
            let id = self.gathered.find(&source, place)?;
            if self.gathered.content(id).is_some() {
                return Ok(None);
            }
            let tree = crate::host::followed(&self.gathered.tree, source.as_bytes(), place)?;
            return Ok(Some((name, tree)));
        }
        let path = self.work.folder.join(&source);
        if !path.is_dir() {
            return Ok(None);
        }
        let keep = Keep {
            follow_links: true,
            ..Keep::default()
        };
        let tree = image::scan(&path, keep).map_err(|source| Error::Tree {
            part: place.to_owned(),
            source,
        })?;
        Ok(Some((name, tree)))
    }
}

/// Whether a file of a folder is a description.
pub(crate) fn is_description(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|ending| ending == "json")
}
