//! Listings, and trees of what is found.

use std::sync::Arc;

use disk::read::Partition;
use image::{Content, Kind, Meta, Node, NodeId, Tree};

use crate::find::{Found, Spot};
use crate::format::Format;
use crate::inside::{Inside, What, open};
use crate::{Error, Result, Work, disks};

/// Something that is listed.
#[derive(Debug)]
pub struct Item<'a> {
    /// The path from what was opened; `/` for that itself.
    pub path: &'a [u8],
    /// What it is in a file system, an archive or a bundle.
    pub node: Option<&'a Node>,
    /// How many names it has.
    pub links: u32,
    /// What it is as an image: a partition, an output, an image of a bundle.
    pub part: Option<Part<'a>>,
}

/// An image in something else.
#[derive(Debug)]
pub struct Part<'a> {
    /// What it is.
    pub format: Format,
    /// Its bytes.
    pub size: u64,
    /// Its entry in the table, and its place on the disk.
    pub partition: Option<&'a Partition>,
    /// The slot that a bundle has it for.
    pub slot: Option<&'a str>,
    /// What a specification calls it.
    pub output: Option<&'a [u8]>,
    /// What its root directory has, when it was looked into.
    pub root: Option<&'a Meta>,
    /// Why it could not be looked into, when that was tried.
    pub problem: Option<Error>,
}

impl Found {
    /// Tells of what is there: the entries of a folder, or something that is none. With `deep`, of all that is below, too:
    /// through partitions and images, not through files of file systems.
    ///
    /// # Errors
    /// When it is damaged, and what `tell` says. Of what cannot be looked into further below, [`Part::problem`] tells.
    pub fn list<E: From<Error>>(
        &self,
        deep: bool,
        work: &Work,
        tell: &mut dyn FnMut(Item) -> Result<(), E>,
    ) -> Result<(), E> {
        let inside = match &self.spot {
            Spot::Node(tree, id) => return list_tree(tree, *id, &self.path, deep, tell),
            Spot::Inside(inside) => inside.clone(),
            Spot::Image(_) => self.open(work)?,
        };
        if let What::Opaque(_) = inside.plain().what {
            return Err(inside.plain().why_opaque()?.at(&self.path).into());
        }
        list_inside(&inside, &self.path, deep, work, tell)
    }

    /// A tree of what is there. With `deep`, images become folders of what is in them; otherwise, they are files.
    ///
    /// # Errors
    /// When something is damaged.
    pub fn tree(&self, deep: bool, work: &Work) -> Result<Tree> {
        match &self.spot {
            Spot::Node(tree, id) => copy(tree, *id),
            Spot::Inside(inside) => tree_of(inside, deep, work).map_err(|error| error.at(&self.path)),
            Spot::Image(_) => {
                let inside = self.open(work)?;
                tree_of(&inside, deep, work).map_err(|error| error.at(&self.path))
            }
        }
    }

    /// The bytes of what is there, when it has some.
    #[must_use]
    pub fn content(&self) -> Option<Content> {
        match &self.spot {
            Spot::Inside(inside) => match inside.what {
                What::Outputs(_) => None,
                _ => Some(inside.plain().content.clone()),
            },
            Spot::Image(content) => Some(content.clone()),
            Spot::Node(tree, id) => match &tree.node(*id).kind {
                Kind::File(content) => Some(content.clone()),
                _ => None,
            },
        }
    }
}

/// An image that is a member of something.
struct Member<'a> {
    name: Vec<u8>,
    content: Content,
    node: Option<&'a Node>,
    part: Part<'a>,
}

/// The images that a disk, a bundle or outputs consist of; nothing for anything else.
fn members(inside: &Inside) -> Result<Option<Vec<Member<'_>>>> {
    let plain = inside.plain();
    let part = |content: &Content| -> Result<Part> {
        Ok(Part {
            format: Format::of(content)?,
            size: content.len(),
            partition: None,
            slot: None,
            output: None,
            root: None,
            problem: None,
        })
    };
    let mut members = Vec::new();
    match &plain.what {
        What::Disk(disk) => {
            for (name, partition) in disks::names(disk) {
                let content = disks::content(&plain.content, partition);
                members.push(Member {
                    name: name.into_bytes(),
                    node: None,
                    part: Part {
                        partition: Some(partition),
                        ..part(&content)?
                    },
                    content,
                });
            }
        }
        What::Outputs(outputs) => {
            for output in &**outputs {
                members.push(Member {
                    name: output.name.to_vec(),
                    content: output.content.clone(),
                    node: None,
                    part: Part {
                        output: output.part.as_deref(),
                        ..part(&output.content)?
                    },
                });
            }
        }
        What::Bundle(bundle) => {
            for (name, id) in bundle.tree.children(NodeId::ROOT) {
                let node = bundle.tree.node(id);
                let image = bundle.image(name);
                let (Some(image), Kind::File(content)) = (image, &node.kind) else {
                    continue;
                };
                members.push(Member {
                    name: name.to_vec(),
                    content: content.clone(),
                    node: Some(node),
                    part: Part {
                        slot: Some(&image.slot),
                        ..part(content)?
                    },
                });
            }
        }
        _ => return Ok(None),
    }
    Ok(Some(members))
}

fn list_inside<E: From<Error>>(
    inside: &Inside,
    prefix: &[u8],
    deep: bool,
    work: &Work,
    tell: &mut dyn FnMut(Item) -> Result<(), E>,
) -> Result<(), E> {
    if let Some(tree) = inside.files().map_err(|error| error.at(prefix))? {
        let members = members(inside)?;
        if let Some(members) = members {
            // A bundle: its files, and what is in those that are images.
            for (name, id) in tree.children(NodeId::ROOT) {
                match members.iter().position(|member| member.name == name) {
                    Some(position) => list_member(&members[position], prefix, deep, work, tell)?,
                    None => list_tree_at(&tree, id, &join(prefix, name), deep, tell)?,
                }
            }
            return Ok(());
        }
        return list_tree(&tree, NodeId::ROOT, prefix, deep, tell);
    }
    for member in members(inside)?.unwrap_or_default() {
        list_member(&member, prefix, deep, work, tell)?;
    }
    Ok(())
}

fn list_member<E: From<Error>>(
    member: &Member,
    prefix: &[u8],
    deep: bool,
    work: &Work,
    tell: &mut dyn FnMut(Item) -> Result<(), E>,
) -> Result<(), E> {
    let path = join(prefix, &member.name);
    let looks = deep && member.part.format.is_folder();
    let opened =
        looks.then(|| open(member.content.clone(), work).and_then(|inside| Ok((inside.files()?, inside))));
    let (opened, problem) = match opened {
        Some(Ok(opened)) => (Some(opened), None),
        Some(Err(Error::Image(image::Error::Cancelled))) => {
            return Err(Error::Image(image::Error::Cancelled).into());
        }
        Some(Err(error)) => (None, Some(error.at(&path))),
        None => (None, None),
    };
    let files = opened.as_ref().and_then(|(files, _)| files.clone());
    tell(Item {
        path: &path,
        node: member.node,
        links: 1,
        part: Some(Part {
            root: files.as_ref().map(|tree| &tree.node(NodeId::ROOT).meta),
            problem,
            ..member.part
        }),
    })?;
    match opened {
        Some((_, inside)) if !matches!(inside.plain().what, What::Opaque(_)) => {
            list_below(&inside, &path, work, tell)
        }
        _ => Ok(()),
    }
}

/// All that is below an image, without itself.
fn list_below<E: From<Error>>(
    inside: &Inside,
    path: &[u8],
    work: &Work,
    tell: &mut dyn FnMut(Item) -> Result<(), E>,
) -> Result<(), E> {
    let mut below = |item: Item| if item.path == path { Ok(()) } else { tell(item) };
    list_inside(inside, path, true, work, &mut below)
}

/// The entries of a folder, or something that is none; the folder itself only with all that is below it.
fn list_tree<E: From<Error>>(
    tree: &Tree,
    id: NodeId,
    prefix: &[u8],
    deep: bool,
    tell: &mut dyn FnMut(Item) -> Result<(), E>,
) -> Result<(), E> {
    if deep || !matches!(tree.node(id).kind, Kind::Directory(_)) {
        return list_tree_at(tree, id, prefix, deep, tell);
    }
    let links = tree.link_counts();
    for (name, id) in tree.children(id) {
        let path = join(prefix, name);
        tell(item(tree, id, &path, &links))?;
    }
    Ok(())
}

/// Something, and all that is below it if asked.
fn list_tree_at<E: From<Error>>(
    tree: &Tree,
    id: NodeId,
    path: &[u8],
    deep: bool,
    tell: &mut dyn FnMut(Item) -> Result<(), E>,
) -> Result<(), E> {
    let links = tree.link_counts();
    if !deep {
        return tell(item(tree, id, path, &links));
    }
    let mut whole = path.to_vec();
    let mut walk = tree.walk_from(id);
    while let Some((below, id)) = walk.advance() {
        whole.truncate(path.len());
        if below != b"/" {
            whole.extend_from_slice(below);
        } else if path.is_empty() {
            whole.push(b'/');
        }
        tell(item(tree, id, &whole, &links))?;
    }
    Ok(())
}

fn item<'a>(tree: &'a Tree, id: NodeId, path: &'a [u8], links: &[u32]) -> Item<'a> {
    Item {
        path,
        node: Some(tree.node(id)),
        links: links.get(id.index()).copied().unwrap_or(1),
        part: None,
    }
}

fn join(prefix: &[u8], name: &[u8]) -> Vec<u8> {
    let prefix = prefix.strip_suffix(b"/").unwrap_or(prefix);
    [prefix, b"/", name].concat()
}

fn tree_of(inside: &Inside, deep: bool, work: &Work) -> Result<Tree> {
    let Some(members) = members(inside)? else {
        return match inside.files()? {
            Some(tree) => Ok(Arc::unwrap_or_clone(tree)),
            None => Err(inside.plain().why_opaque()?),
        };
    };
    // Of a bundle, its other files are there, too.
    let mut tree = match inside.files()? {
        Some(tree) if !deep => return Ok(Arc::unwrap_or_clone(tree)),
        Some(files) => without(&files, &members)?,
        None => Tree::default(),
    };
    for member in &members {
        let folder = deep && member.part.format.is_folder();
        if folder {
            let at = |error: Error| error.at(&member.name);
            let inner = open(member.content.clone(), work).map_err(at)?;
            let inner = tree_of(&inner, deep, work).map_err(at)?;
            tree.graft(NodeId::ROOT, &member.name, inner)?;
        } else {
            let node = member.node.cloned();
            let node = node.unwrap_or_else(|| Node::file(member.content.clone()));
            tree.add(NodeId::ROOT, &member.name, node)?;
        }
    }
    Ok(tree)
}

/// The files of a bundle that are none of its images.
fn without(files: &Tree, members: &[Member]) -> Result<Tree> {
    let mut tree = Tree::new(Node {
        meta: files.node(NodeId::ROOT).meta.clone(),
        ..Node::directory()
    });
    for (name, id) in files.children(NodeId::ROOT) {
        if members.iter().all(|member| member.name != name) {
            tree.graft(NodeId::ROOT, name, copy(files, id)?)?;
        }
    }
    Ok(tree)
}

/// A part of a tree as a tree of its own.
fn copy(tree: &Tree, root: NodeId) -> Result<Tree> {
    if root == NodeId::ROOT {
        return Ok(tree.clone());
    }
    let bare = |id: NodeId| {
        let node = tree.node(id);
        match &node.kind {
            Kind::Directory(_) => Node {
                meta: node.meta.clone(),
                ..Node::directory()
            },
            _ => node.clone(),
        }
    };
    let mut made = Tree::new(bare(root));
    let mut ids: Vec<Option<NodeId>> = vec![None; tree.len()];
    let mut waiting = vec![(root, NodeId::ROOT)];
    while let Some((from, to)) = waiting.pop() {
        for (name, id) in tree.children(from) {
            if let Some(known) = ids[id.index()] {
                made.link(to, name, known)?;
                continue;
            }
            let added = made.add(to, name, bare(id))?;
            ids[id.index()] = Some(added);
            waiting.push((id, added));
        }
    }
    Ok(made)
}
