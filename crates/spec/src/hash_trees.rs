//! Hash trees of file systems, and what follows from their root hashes: values, and GUIDs of partitions.

use std::sync::Arc;

use image::{Content, Layout, Seed, Spool};
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::id::hex;
use crate::parts::{Detail, Part, Planner, Squashing};
use crate::schema::Verity;
use crate::text::choice;
use crate::{Spec, disks, outputs, root_signatures};

/// What stands for a root hash in a plan that does not make the file system.
const UNKNOWN_ROOT: [u8; 32] = [0; 32];

/// Finds what is wrong with the keys of hash trees.
pub(crate) fn check(spec: &Spec) -> Result<()> {
    for (key, verity) in &spec.verity {
        let fs = verity.data.strip_prefix("fs.");
        if fs.is_none_or(|fs| !spec.fs.contains_key(fs)) {
            let known: Vec<String> = spec.fs.keys().map(|key| format!("fs.{key}")).collect();
            return Err(Error::Unknown {
                place: format!("verity.{key}.data"),
                what: format!("file system {:?}", verity.data),
                hint: Some(choice(&verity.data, &known)),
            });
        }
        salt(key, verity, Seed::new(b""))?;
    }
    root_signatures::check(spec)
}

impl Planner<'_> {
    /// Makes the tree of a file system, which is made first.
    pub(crate) fn hash_tree(&mut self, key: &str, verity: &Verity) -> Result<Part> {
        let name = format!("verity.{key}");
        let failed = |source| Error::Verity {
            part: name.clone(),
            source,
        };
        let seed = self.gathered.seed;
        let options = verity::Options {
            salt: salt(key, verity, seed)?,
            superblock: Some(seed.part(&name).uuid("superblock")),
        };
        let data = self.part(&verity.data)?;
        let estimate = data.is_estimate();
        let data_content = data.content.clone();
        let (content, root) = match self.work.squashing {
            Squashing::Spool(folder) => {
                let spool = Spool::create(folder)?;
                let work = verity::Work {
                    spool: Some(&spool),
                    threads: self.work.threads,
                    progress: self.work.progress,
                };
                let planned = verity::plan(&data_content, &options, &work).map_err(failed)?;
                (Content::Image(Arc::new(planned.image)), Some(planned.root))
            }
            Squashing::Estimate => (Content::Zeros(size(data_content.len())), None),
        };
        Ok(Part {
            files: vec![(outputs::hash_tree(key, verity), content.clone())],
            name,
            content,
            detail: Detail::Verity {
                data: verity.data.clone(),
                root,
                estimate,
            },
            spool: None,
        })
    }

    /// Whether a part has a hash tree.
    pub(crate) fn is_hashed(&self, part: &str) -> bool {
        self.spec.verity.values().any(|verity| verity.data == part)
    }

    /// A value of a hash tree.
    pub(crate) fn hash_tree_value(&mut self, key: &str, place: &str) -> Result<String> {
        let (tree, value) = key.rsplit_once('.').unwrap_or((key, ""));
        disks::check_part(place, tree, self.spec)?;
        if value == "roothash" {
            return self.root_hash(tree, place);
        }
        Err(Error::Unknown {
            place: place.to_string(),
            what: format!("value {{{key}}}"),
            hint: Some(format!("a hash tree has {{{tree}.roothash}}")),
        })
    }

    /// The root hash of a tree, or of the only tree of a file system: 64 hexadecimal digits. In a plan that makes no
    /// file systems, all of them are zeros.
    pub(crate) fn root_hash(&mut self, part: &str, place: &str) -> Result<String> {
        let name = if part.starts_with("verity.") {
            part.to_string()
        } else {
            self.tree_of(part, place)?
        };
        Ok(hex(&self.root(&name)?.unwrap_or(UNKNOWN_ROOT)))
    }

    /// The only hash tree of a file system.
    fn tree_of(&self, part: &str, place: &str) -> Result<String> {
        let trees = trees(self.spec, part);
        if let [only] = trees.as_slice() {
            return Ok(only.clone());
        }
        let hint = match trees.first() {
            None => format!("a section [verity.NAME] with data = {part:?} makes one"),
            Some(first) => format!("say which one, such as {{{first}.roothash}}"),
        };
        Err(Error::Unknown {
            place: place.to_string(),
            what: format!("value {{{part}.roothash}}: {part} has {} hash trees", trees.len()),
            hint: Some(hint),
        })
    }

    /// The GUID of the partition that has a part, if that follows from a root hash.
    pub(crate) fn partition_guid(&mut self, part: &str) -> Result<Option<Uuid>> {
        if root_signatures::of(self.spec, part).is_some() {
            return Ok(None);
        }
        if part.starts_with("verity.") {
            let root = self.root(part)?;
            return Ok(root.map(|root| verity::partition_uuids(&root).1));
        }
        let trees = trees(self.spec, part);
        let [tree] = trees.as_slice() else { return Ok(None) };
        let root = self.root(tree)?;
        Ok(root.map(|root| verity::partition_uuids(&root).0))
    }

    /// The root hash that vouches for a part, when there is one: its only tree's, or what the part itself is about.
    pub(crate) fn root_hash_of(&mut self, part: &str) -> Result<Option<[u8; 32]>> {
        let tree = if let Some((tree, _)) = root_signatures::of(self.spec, part) {
            format!("verity.{tree}")
        } else if part.starts_with("verity.") {
            part.to_string()
        } else if let [tree] = trees(self.spec, part).as_slice() {
            tree.clone()
        } else {
            return Ok(None);
        };
        self.root(&tree)
    }

    /// The root hash of a tree, if the plan makes file systems.
    pub(crate) fn root(&mut self, tree: &str) -> Result<Option<[u8; 32]>> {
        match self.part(tree)?.detail {
            Detail::Verity { root, .. } => Ok(root),
            _ => Ok(None),
        }
    }
}

/// The hash trees of a part.
fn trees(spec: &Spec, part: &str) -> Vec<String> {
    let trees = spec.verity.iter().filter(|(_, verity)| verity.data == part);
    trees.map(|(key, _)| format!("verity.{key}")).collect()
}

/// The bytes of a tree with its superblock.
pub(crate) fn size(data_len: u64) -> u64 {
    verity::SUPERBLOCK_SIZE + verity::tree_size(data_len)
}

/// A file system whose every byte matters, because a hash tree vouches for it: what nobody relied on is zeros. It
/// has whole blocks.
pub(crate) fn solid(content: &Content) -> Result<Content> {
    let size = content.len().next_multiple_of(verity::BLOCK_SIZE);
    filled(content, size)
}

fn filled(content: &Content, size: u64) -> Result<Content> {
    let (mut layout, mut end) = (Layout::new(), 0);
    if let Content::Image(image) = content {
        for extent in image.extents() {
            layout.put(end, "zeros", Content::Zeros(extent.start - end));
            let content = match &extent.content {
                inner @ Content::Image(_) => filled(inner, inner.len())?,
                content => content.clone(),
            };
            layout.put(extent.start, Arc::clone(&extent.label), content);
            end = extent.end();
        }
    } else {
        layout.put(0, "file system", content.clone());
        end = content.len();
    }
    layout.put(end, "zeros", Content::Zeros(size - end));
    Ok(layout.finish(size)?.into())
}

/// The salt of a tree: the given one, or 32 bytes that derive from the seed.
fn salt(key: &str, verity: &Verity, seed: Seed) -> Result<Vec<u8>> {
    let Some(text) = &verity.salt else {
        let seed = seed.part(&format!("verity.{key}"));
        let halves = ["salt, first half", "salt, second half"].map(|name| seed.uuid(name).into_bytes());
        return Ok(halves.concat());
    };
    let digits = |pair: &[u8]| {
        let pair = std::str::from_utf8(pair)
            .ok()
            .filter(|pair| pair.len() == 2 && !pair.starts_with('+'));
        pair.and_then(|pair| u8::from_str_radix(pair, 16).ok())
    };
    let salt: Option<Vec<u8>> = text.as_bytes().chunks(2).map(digits).collect();
    salt.filter(|salt| salt.len() <= verity::SALT_MAX)
        .ok_or_else(|| Error::BadValue {
            place: format!("verity.{key}.salt"),
            problem: format!(
                "{} characters: must be hexadecimal digits, two for each of up to {} bytes, such as \"00ff\"",
                text.chars().count(),
                verity::SALT_MAX
            ),
        })
}
