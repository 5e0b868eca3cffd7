//! Members become a tree: what is already there gives way, links are found, and layers take things away.

use std::collections::BTreeSet;
use std::path::Path;

use image::{Keep, Kind, Meta, Node, NodeId, Tree, Xattr, show};

use super::members::{MEMBERS_MAX, Member, PATH_MAX, What};
use super::way::{Reach, Step, Way};
use crate::error::{Error, Result};

/// What the name of a file that takes something away begins with.
const WHITEOUT: &[u8] = b".wh.";

/// The file that takes away all that lower layers have in a folder.
const OPAQUE: &[u8] = b".wh..wh..opq";

/// What AUFS kept for itself.
const AUFS: &[u8] = b".wh..wh.";

/// What the members are put into.
pub(super) struct Placing<'a> {
    pub(super) tree: Tree,
    archive: &'a Path,
    keep: Keep,
    /// The names that this layer has put somewhere, or gone through, when it is one: nothing of it takes them away again.
    layer: Option<BTreeSet<(NodeId, Box<[u8]>)>>,
}

impl<'a> Placing<'a> {
    /// Into an empty tree, as `tar` unpacks.
    pub(super) fn new(archive: &'a Path, keep: Keep) -> Placing<'a> {
        let tree = Tree::new(Node {
            meta: unsaid(keep),
            ..Node::directory()
        });
        Placing {
            tree,
            archive,
            keep,
            layer: None,
        }
    }

    /// Onto the layers below, as images are put together.
    pub(super) fn onto(tree: Tree, archive: &'a Path, keep: Keep) -> Placing<'a> {
        Placing {
            tree,
            archive,
            keep,
            layer: Some(BTreeSet::new()),
        }
    }

    pub(super) fn place(&mut self, member: Member) -> Result<()> {
        let shown = show(&member.path);
        if self.tree.len() >= MEMBERS_MAX {
            return Err(self.odd(
                &shown,
                format!("more than {MEMBERS_MAX} files, folders and links"),
            ));
        }
        let names = names(&member.path).map_err(|problem| self.odd(&shown, problem.into()))?;
        if self.layer.is_some() && names.iter().any(|name| name.starts_with(WHITEOUT)) {
            return self.whiteout(&names, &shown);
        }
        match member.what {
            What::Node(node) => self.put(&names, node, &shown),
            What::HardLink(target) => self.hard_link(&target, &names, &shown),
        }
    }

    /// Puts a node at a path, with folders on the way to it.
    fn put(&mut self, path: &[&[u8]], node: Node, shown: &str) -> Result<()> {
        let is_folder = matches!(node.kind, Kind::Directory(_));
        let Some((last, way)) = path.split_last() else {
            if !is_folder {
                return Err(self.odd(shown, "is no folder, as a root has to be".into()));
            }
            self.say(NodeId::ROOT, node.meta);
            return Ok(());
        };
        let parent = self.folder(way, shown)?;
        match self.child(parent, last) {
            Some(known) if is_folder && self.is_folder(known) => self.say(known, node.meta),
            known => {
                self.make_room(parent, last, known, shown)?;
                let added = self.tree.add(parent, last, node);
                added.map_err(|error| self.odd(shown, problem_of(&error)))?;
            }
        }
        self.touch(parent, last);
        Ok(())
    }

    /// Gives a folder that is there already the meta that is said of it now. Unpacking takes no attribute away; a layer
    /// replaces all.
    fn say(&mut self, folder: NodeId, mut meta: Meta) {
        let known = &mut self.tree.node_mut(folder).meta;
        if self.layer.is_none() {
            let is_new = |xattr: &Xattr| meta.xattrs.iter().all(|new| new.name != xattr.name);
            let older: Vec<Xattr> = known.xattrs.drain(..).filter(is_new).collect();
            meta.xattrs.extend(older);
            meta.xattrs.sort();
        }
        *known = meta;
    }

    /// Takes away what is at a place. Unpacking removes no folder with something in it.
    fn make_room(&mut self, parent: NodeId, name: &[u8], known: Option<NodeId>, shown: &str) -> Result<()> {
        let Some(known) = known else {
            return Ok(());
        };
        if self.layer.is_none() && self.tree.children(known).next().is_some() {
            let problem = "is a folder that is not empty, and nothing else can take its place";
            return Err(self.odd(shown, problem.into()));
        }
        self.tree.remove(parent, name);
        Ok(())
    }

    fn hard_link(&mut self, target: &[u8], path: &[&[u8]], shown: &str) -> Result<()> {
        let to = show(target);
        let names = names(target).map_err(|problem| self.odd(shown, format!("link to {to}: {problem}")))?;
        let found = match names.split_last() {
            Some((last, way)) => {
                let folder = self.walk(way, Missing::Stops, shown)?;
                folder.and_then(|folder| self.child(folder, last))
            }
            None => None,
        };
        let Some(found) = found.filter(|id| !self.is_folder(*id)) else {
            let problem = format!("is a hard link to {to}, and no such file comes before it");
            return Err(self.odd(shown, problem));
        };
        let Some((last, way)) = path.split_last() else {
            return Err(self.odd(shown, "is no folder, as a root has to be".into()));
        };
        let parent = self.folder(way, shown)?;
        let known = self.child(parent, last);
        if known != Some(found) {
            self.make_room(parent, last, known, shown)?;
            let linked = if self.keep.hard_links {
                self.tree.link(parent, last, found)
            } else {
                let node = self.tree.node(found).clone();
                self.tree.add(parent, last, node).map(|_| ())
            };
            linked.map_err(|error| self.odd(shown, problem_of(&error)))?;
        }
        self.touch(parent, last);
        Ok(())
    }

    /// Takes away what lower layers have, and leaves what this one has.
    fn whiteout(&mut self, path: &[&[u8]], shown: &str) -> Result<()> {
        let Some((last, way)) = path.split_last() else {
            return Ok(());
        };
        if way.iter().any(|name| name.starts_with(WHITEOUT)) {
            return Err(self.odd(shown, "lies in what takes something away".into()));
        }
        let Some(folder) = self.walk(way, Missing::Stops, shown)? else {
            return Ok(());
        };
        if *last == OPAQUE {
            self.clear(folder);
            return Ok(());
        }
        if last.starts_with(AUFS) {
            return Err(self.odd(shown, "is a part of AUFS, which is not read".into()));
        }
        match &last[WHITEOUT.len()..] {
            b"" | b"." | b".." => Err(self.odd(shown, "takes nothing away that has a name".into())),
            name => {
                self.take(folder, name);
                Ok(())
            }
        }
    }

    /// Takes away a name, or what of it is not this layer's.
    fn take(&mut self, folder: NodeId, name: &[u8]) {
        match self.child(folder, name) {
            Some(known) if self.touched(folder, name) => self.clear(known),
            _ => {
                self.tree.remove(folder, name);
            }
        }
    }

    /// Takes away everything in a folder that is not this layer's.
    fn clear(&mut self, folder: NodeId) {
        let mut open = vec![folder];
        while let Some(folder) = open.pop() {
            let children = self.tree.children(folder);
            let children: Vec<(Box<[u8]>, NodeId)> = children.map(|(name, id)| (name.into(), id)).collect();
            for (name, id) in children {
                if self.touched(folder, &name) {
                    open.push(id);
                } else {
                    self.tree.remove(folder, &name);
                }
            }
        }
    }

    /// The folder at a path, made when there is none.
    fn folder(&mut self, way: &[&[u8]], shown: &str) -> Result<NodeId> {
        let missing = match self.layer {
            Some(_) => Missing::IsMade,
            None => Missing::IsMadeWhereSaid,
        };
        let found = self.walk(way, missing, shown)?;
        found.ok_or_else(|| self.odd(shown, "lies nowhere".into()))
    }

    /// Goes along a way, through symbolic links too.
    fn walk(&mut self, names: &[&[u8]], missing: Missing, shown: &str) -> Result<Option<NodeId>> {
        let mut way = Way::new(names);
        while let Some(Step { name, of_link }) = way.step() {
            let here = way.here();
            let next = match self.child(here, &name) {
                Some(next) => next,
                None => match missing {
                    Missing::Stops => return Ok(None),
                    Missing::IsMadeWhereSaid if of_link => {
                        return Err(self.odd(shown, format!("{}, where no folder is", way.last_link())));
                    }
                    _ => self.make(here, &name, shown)?,
                },
            };
            match &self.tree.node(next).kind {
                Kind::Directory(_) => {
                    if !matches!(missing, Missing::Stops) {
                        self.touch(here, &name);
                    }
                    way.enter(next);
                }
                Kind::Symlink(target) => {
                    let reach = match self.layer {
                        Some(_) => Reach::Anywhere,
                        None => Reach::Below,
                    };
                    let followed = way.follow(&name, target, reach);
                    followed.map_err(|problem| self.odd(shown, problem))?;
                }
                _ if matches!(missing, Missing::Stops) => return Ok(None),
                _ => return Err(self.odd(shown, format!("{} on the way to it is no folder", show(&name)))),
            }
        }
        Ok(Some(way.here()))
    }

    fn make(&mut self, folder: NodeId, name: &[u8], shown: &str) -> Result<NodeId> {
        let node = Node {
            meta: unsaid(self.keep),
            ..Node::directory()
        };
        let added = self.tree.add(folder, name, node);
        added.map_err(|error| self.odd(shown, problem_of(&error)))
    }

    fn touch(&mut self, folder: NodeId, name: &[u8]) {
        if let Some(touched) = &mut self.layer {
            touched.insert((folder, name.into()));
        }
    }

    fn touched(&self, folder: NodeId, name: &[u8]) -> bool {
        let touched = self.layer.as_ref();
        touched.is_some_and(|touched| touched.contains(&(folder, name.into())))
    }

    fn child(&self, parent: NodeId, name: &[u8]) -> Option<NodeId> {
        match &self.tree.node(parent).kind {
            Kind::Directory(directory) => directory.get(name),
            _ => None,
        }
    }

    fn is_folder(&self, id: NodeId) -> bool {
        matches!(self.tree.node(id).kind, Kind::Directory(_))
    }

    fn odd(&self, entry: &str, problem: String) -> Error {
        Error::Entry {
            archive: self.archive.into(),
            entry: entry.to_string(),
            problem,
        }
    }
}

/// What to do where a folder on a way is not there.
#[derive(Clone, Copy)]
enum Missing {
    /// Nothing: the way ends.
    Stops,
    /// It is made.
    IsMade,
    /// It is made, unless only a link has led there.
    IsMadeWhereSaid,
}

/// The meta of a folder that the archive says nothing of.
fn unsaid(keep: Keep) -> Meta {
    Meta::root(if keep.modes { 0o755 } else { 0o555 })
}

/// The names of a path, without `.` and the root that it may begin at.
fn names(path: &[u8]) -> Result<Vec<&[u8]>, &'static str> {
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
        other => other.to_string(),
    }
}
