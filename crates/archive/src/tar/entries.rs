//! What an entry of a tar archive is in a tree.

use std::io::{self, Read};

use image::{Content, Device, Directory, Keep, Kind, Meta, Node, NodeId, show};
use tar::EntryType;

use super::{Entry, Unpacking, unsaid};
use crate::error::Result;

/// The longest path that Linux takes.
const PATH_MAX: usize = 4096;

/// Files, folders and links in one archive.
const ENTRIES_MAX: usize = 1 << 22;

impl<R: Read> Unpacking<'_, R> {
    /// Puts an entry into the tree.
    pub(super) fn place(&mut self, entry: &Entry, shown: &str) -> Result<()> {
        let kind = match entry.header.entry_type() {
            // Old archives tell folders by a slash at the end.
            EntryType::Regular if entry.path.ends_with(b"/") => EntryType::Directory,
            kind => kind,
        };
        let names = names(&entry.path).map_err(|problem| self.odd(shown, problem.into()))?;
        let content = match kind {
            EntryType::Regular | EntryType::Continuous => Some(self.content(entry.len)?),
            // Some writers say the length of what a hard link shares, and none follows.
            EntryType::Link
            | EntryType::Symlink
            | EntryType::Directory
            | EntryType::Char
            | EntryType::Block
            | EntryType::Fifo => None,
            EntryType::GNUSparse => {
                return Err(self.odd(shown, "is sparse; pack it without --sparse".into()));
            }
            other => {
                let letter = show(&[other.as_byte()]);
                let problem = format!("is of type {letter}, which has no place in a tree");
                return Err(self.odd(shown, problem));
            }
        };
        if self.tree.len() >= ENTRIES_MAX {
            return Err(self.odd(shown, format!("more than {ENTRIES_MAX} entries")));
        }
        let kind = match kind {
            EntryType::Directory => Kind::Directory(Directory::default()),
            EntryType::Symlink => Kind::Symlink(self.target(entry, shown)?.into()),
            EntryType::Link => return self.hard_link(entry, &names, shown),
            EntryType::Char => Kind::CharDevice(self.device(entry, shown)?),
            EntryType::Block => Kind::BlockDevice(self.device(entry, shown)?),
            EntryType::Fifo => Kind::Fifo,
            _ => Kind::File(content.unwrap_or(Content::Zeros(0))),
        };
        let meta = self
            .meta(entry, &kind)
            .map_err(|problem| self.odd(shown, problem))?;
        self.put(&names, Node { meta, kind }, shown)
    }

    /// Adds a node, with folders on the way to it. A folder may come twice, and behind what is in it.
    fn put(&mut self, names: &[&[u8]], node: Node, shown: &str) -> Result<()> {
        let is_folder = matches!(node.kind, Kind::Directory(_));
        let Some((last, way)) = names.split_last() else {
            if !is_folder {
                return Err(self.odd(shown, "is no folder, as a root has to be".into()));
            }
            self.tree.node_mut(NodeId::ROOT).meta = node.meta;
            return Ok(());
        };
        let parent = self.folder(way, shown)?;
        match self.child(parent, last) {
            Some(known) if is_folder && matches!(self.tree.node(known).kind, Kind::Directory(_)) => {
                self.tree.node_mut(known).meta = node.meta;
            }
            Some(_) => return Err(self.odd(shown, "is in the archive twice".into())),
            None => {
                let added = self.tree.add(parent, last, node);
                added.map_err(|error| self.odd(shown, problem_of(&error)))?;
            }
        }
        Ok(())
    }

    fn child(&self, parent: NodeId, name: &[u8]) -> Option<NodeId> {
        match &self.tree.node(parent).kind {
            Kind::Directory(directory) => directory.get(name),
            _ => None,
        }
    }

    /// The folder at a path, made when there is none. What lies behind a link is none.
    fn folder(&mut self, way: &[&[u8]], shown: &str) -> Result<NodeId> {
        let mut folder = NodeId::ROOT;
        for name in way {
            folder = if let Some(known) = self.child(folder, name) {
                known
            } else {
                let node = Node {
                    meta: unsaid(self.keep),
                    ..Node::directory()
                };
                let added = self.tree.add(folder, name, node);
                added.map_err(|error| self.odd(shown, problem_of(&error)))?
            };
            if !matches!(self.tree.node(folder).kind, Kind::Directory(_)) {
                return Err(self.odd(shown, format!("{} on the way to it is no folder", show(name))));
            }
        }
        Ok(folder)
    }

    fn hard_link(&mut self, entry: &Entry, link: &[&[u8]], shown: &str) -> Result<()> {
        let target = self.target(entry, shown)?;
        let to = show(&target);
        let names = names(&target).map_err(|problem| self.odd(shown, format!("link to {to}: {problem}")))?;
        let mut found = Some(NodeId::ROOT);
        for name in names {
            found = found.and_then(|folder| self.child(folder, name));
        }
        let found = found.filter(|id| !matches!(self.tree.node(*id).kind, Kind::Directory(_)));
        let Some(found) = found else {
            let problem = format!("is a hard link to {to}, and no such file comes before it");
            return Err(self.odd(shown, problem));
        };
        if !self.keep.hard_links {
            let node = self.tree.node(found).clone();
            return self.put(link, node, shown);
        }
        let Some((last, way)) = link.split_last() else {
            return Err(self.odd(shown, "is no folder, as a root has to be".into()));
        };
        let parent = self.folder(way, shown)?;
        let linked = self.tree.link(parent, last, found);
        linked.map_err(|error| self.odd(shown, problem_of(&error)))
    }

    fn target(&self, entry: &Entry, shown: &str) -> Result<Vec<u8>> {
        let said = entry.extended.pax.get("linkpath").map(<[u8]>::to_vec);
        let said = said.or_else(|| entry.extended.link.clone());
        let target = said.or_else(|| entry.header.link_name_bytes().map(std::borrow::Cow::into_owned));
        let target = target.unwrap_or_default();
        match target.len() {
            0 => Err(self.odd(shown, "is a link to nothing".into())),
            len if len >= PATH_MAX => Err(self.odd(
                shown,
                format!("is a link to {len} bytes, the limit is {}", PATH_MAX - 1),
            )),
            _ => Ok(target),
        }
    }

    fn device(&self, entry: &Entry, shown: &str) -> Result<Device> {
        let number = |number: io::Result<Option<u32>>| {
            number
                .ok()
                .flatten()
                .ok_or_else(|| self.odd(shown, "is a device whose numbers cannot be read".into()))
        };
        Ok(Device {
            major: number(entry.header.device_major())?,
            minor: number(entry.header.device_minor())?,
        })
    }

    /// As [`image::scan`] has it.
    fn meta(&self, entry: &Entry, kind: &Kind) -> Result<Meta, String> {
        let Keep {
            modes,
            owners,
            times,
            xattrs,
            ..
        } = self.keep;
        let Entry { header, extended, .. } = entry;
        let said = header.mode().map_err(|_| "its mode cannot be read".to_string())?;
        let mode = match kind {
            Kind::Symlink(_) => 0o777,
            _ if modes => u16::try_from(said & 0o7777).unwrap_or(0),
            Kind::Directory(_) => 0o555,
            _ if said & 0o100 != 0 => 0o555,
            _ => 0o444,
        };
        let owner = |key: &str, in_header: io::Result<u64>| {
            let number = match extended.pax.number(key)? {
                Some(number) => number,
                None => in_header.map_err(|_| format!("its {key} cannot be read"))?,
            };
            u32::try_from(number).map_err(|_| format!("its {key} is {number}, the limit is {}", u32::MAX))
        };
        let mtime = || match extended.pax.seconds("mtime")? {
            Some(seconds) => Ok(seconds),
            // Before 1970, GNU's numbers are negative.
            None => match header.mtime() {
                Ok(seconds) => Ok(seconds.cast_signed()),
                Err(_) => Err("its time cannot be read".to_string()),
            },
        };
        Ok(Meta {
            mode,
            uid: if owners { owner("uid", header.uid())? } else { 0 },
            gid: if owners { owner("gid", header.gid())? } else { 0 },
            mtime: if times { mtime()? } else { 1 },
            xattrs: if xattrs { extended.pax.xattrs() } else { Vec::new() },
        })
    }
}

/// The names of a path, without `.`.
fn names(path: &[u8]) -> Result<Vec<&[u8]>, &'static str> {
    if path.starts_with(b"/") {
        return Err("the path begins at the root; pack it without --absolute-names");
    }
    if path.is_empty() {
        return Err("a path without a name");
    }
    if path.len() >= PATH_MAX {
        return Err("the path has 4096 bytes or more");
    }
    let names = path
        .split(|byte| *byte == b'/')
        .filter(|name| !matches!(*name, b"" | b"."));
    let names: Vec<&[u8]> = names.collect();
    if names.contains(&&b".."[..]) {
        return Err("the path leads out of its folder");
    }
    Ok(names)
}

/// What is wrong with a name, without the name.
fn problem_of(error: &image::Error) -> String {
    match error {
        image::Error::BadName { problem, .. } => (*problem).to_string(),
        image::Error::NameTooLong { len, .. } => format!("a name of {len} bytes, the limit is 255"),
        image::Error::Exists { .. } => "is in the archive twice".to_string(),
        other => other.to_string(),
    }
}
