//! Paths: through partitions, images and compressed files into file systems.

use std::collections::VecDeque;
use std::sync::Arc;

use image::{Content, Kind, NodeId, Tree, show};

use crate::file_system::{FileSystem, Reach};
use crate::format::Format;
use crate::inside::{Inside, What, open};
use crate::{Error, Result, Work, disks};

/// As many links as Linux follows.
const LINKS_MAX: usize = 40;

/// How alike a name must be to be proposed, from 0 to 1.
const LIKENESS_MIN: f64 = 0.7;

/// What becomes of a symbolic link at the end of a path. Those on the way are always followed, within their file system;
/// so is one at the end with a slash behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Last {
    /// It is followed.
    Followed,
    /// It is what was asked for.
    Kept,
}

/// What a path leads to.
#[derive(Clone, Debug)]
pub struct Found {
    /// The path to it, through no links; empty for all of what was opened.
    pub path: Vec<u8>,
    /// What is there.
    pub spot: Spot,
}

/// What is at a path.
#[expect(
    clippy::large_enum_variant,
    reason = "there are few of them, and none is in a list"
)]
#[derive(Clone, Debug)]
pub enum Spot {
    /// What was opened, or something in it that the path went into.
    Inside(Inside),
    /// The bytes of a partition, an output or an image of a bundle. They are not opened yet.
    Image(Content),
    /// Something in a file system or an archive.
    Node(Arc<Tree>, NodeId),
}

/// What is asked for.
struct Asked<'a> {
    path: &'a [u8],
    /// Whether a link at the end is followed.
    follows: bool,
    reach: Reach,
}

type Names = VecDeque<Box<[u8]>>;

impl Inside {
    /// Finds what is at a path. With [`Reach::Entries`], the tree that is found may be without what is further below.
    ///
    /// # Errors
    /// When there is no such thing, or what is on the way is damaged.
    pub fn find(&self, path: &[u8], last: Last, reach: Reach, work: &Work) -> Result<Found> {
        let asked = Asked {
            path,
            follows: last == Last::Followed || path.ends_with(b"/"),
            reach,
        };
        let mut names = names(path);
        let mut walked = Vec::new();
        let mut inside = self.clone();
        while let Some(first) = names.front().cloned() {
            let (name, content) = match &inside.plain().what {
                What::FileSystem(_) | What::Tree(..) => match in_files(&inside, &mut names, &walked, &asked)?
                {
                    Stop::At(found) => return Ok(found),
                    Stop::Through(name, content) => (name, content),
                },
                What::Bundle(bundle) => match bundle.file(&first) {
                    Some(content) => {
                        names.pop_front();
                        (first.to_vec(), content.clone())
                    }
                    None => match in_files(&inside, &mut names, &walked, &asked)? {
                        Stop::At(found) => return Ok(found),
                        Stop::Through(name, content) => (name, content),
                    },
                },
                What::Disk(_) | What::Outputs(_) => {
                    names.pop_front();
                    let content = part(inside.plain(), &first).map_err(|error| error.at(&walked))?;
                    let missing = || missing(&first, &walked, &asked, &siblings(inside.plain()));
                    (first.to_vec(), content.ok_or_else(missing)?)
                }
                What::Opaque(_) => return Err(inside.plain().why_opaque()?.at(&walked)),
                // What is plain is not compressed.
                What::Compressed(..) => return Err(inside.why_opaque()?),
            };
            walked.push(b'/');
            walked.extend_from_slice(&name);
            if names.is_empty() {
                let spot = Spot::Image(content);
                return Ok(Found { path: walked, spot });
            }
            inside = enter(content, &walked, &asked, work)?;
        }
        Ok(Found {
            path: walked,
            spot: Spot::Inside(inside),
        })
    }
}

impl Found {
    /// What it is as an image: opened, if it was not yet. A file of a file system is opened, too.
    ///
    /// # Errors
    /// When it is damaged, or no file.
    pub fn open(&self, work: &Work) -> Result<Inside> {
        match &self.spot {
            Spot::Inside(inside) => Ok(inside.clone()),
            Spot::Image(content) => open(content.clone(), work).map_err(|error| error.at(&self.path)),
            Spot::Node(tree, id) => match &tree.node(*id).kind {
                Kind::File(content) => open(content.clone(), work).map_err(|error| error.at(&self.path)),
                other => Err(no_folder(&self.path, other)),
            },
        }
    }
}

/// The names of a path, without those that lead nowhere.
fn names(path: &[u8]) -> Names {
    let mut names = Names::new();
    for name in path.split(|byte| *byte == b'/') {
        match name {
            b"" | b"." => {}
            b".." => {
                names.pop_back();
            }
            name => names.push_back(name.into()),
        }
    }
    names
}

/// The partition or output of a name.
fn part(inside: &Inside, name: &[u8]) -> Result<Option<Content>> {
    match &inside.what {
        What::Disk(disk) => {
            let partition = disks::one(disk, name)?;
            Ok(partition.map(|partition| disks::content(&inside.content, partition)))
        }
        What::Outputs(outputs) => {
            let called = |wanted: &[u8], name: &[u8]| wanted == name;
            let output = outputs.iter().find(|output| {
                called(&output.name, name) || output.part.as_deref().is_some_and(|part| called(part, name))
            });
            Ok(output.map(|output| output.content.clone()))
        }
        _ => Ok(None),
    }
}

/// The names in a disk, or among outputs.
fn siblings(inside: &Inside) -> Vec<Vec<u8>> {
    match &inside.what {
        What::Disk(disk) => disks::names(disk)
            .into_iter()
            .map(|(name, _)| name.into_bytes())
            .collect(),
        What::Outputs(outputs) => outputs.iter().map(|output| output.name.to_vec()).collect(),
        _ => Vec::new(),
    }
}

/// Opens what a path goes into.
fn enter(content: Content, walked: &[u8], asked: &Asked, work: &Work) -> Result<Inside> {
    let format = Format::of(&content).map_err(|error| error.at(walked))?;
    if format == Format::Unknown {
        return Err(Error::NoFolder {
            path: show(asked.path),
            what: show(walked),
        });
    }
    open(content, work).map_err(|error| error.at(walked))
}

/// Where a way through files ends.
#[expect(
    clippy::large_enum_variant,
    reason = "there are few of them, and none is in a list"
)]
enum Stop {
    At(Found),
    /// At a file that the path goes on behind: its path in this file system, and its bytes.
    Through(Vec<u8>, Content),
}

/// What a name leads to, as far as a way needs to know.
enum Step {
    Folder,
    Link(Box<[u8]>),
    File(Content),
    Other(Kind),
}

/// Files, all of them known or looked up one by one.
enum Files<'a> {
    Known(Arc<Tree>),
    LookedUp(&'a FileSystem),
}

impl Files<'_> {
    fn step(&self, path: &[u8]) -> Result<Option<Step>> {
        let kind = match self {
            Files::Known(tree) => tree.lookup(path).map(|id| match &tree.node(id).kind {
                Kind::Directory(_) => Step::Folder,
                Kind::Symlink(target) => Step::Link(target.clone()),
                Kind::File(content) => Step::File(content.clone()),
                other => Step::Other(other.clone()),
            }),
            Files::LookedUp(file_system) => file_system.node(path)?.map(|node| match node.kind {
                Kind::Directory(_) => Step::Folder,
                Kind::Symlink(target) => Step::Link(target),
                Kind::File(content) => Step::File(content),
                other => Step::Other(other),
            }),
        };
        Ok(kind)
    }

    fn spot(&self, path: &[u8]) -> Result<Option<Spot>> {
        match self {
            Files::Known(tree) => Ok(tree.lookup(path).map(|id| Spot::Node(Arc::clone(tree), id))),
            Files::LookedUp(file_system) => {
                let Some(node) = file_system.node(path)? else {
                    return Ok(None);
                };
                let tree = file_system.entries(path, node)?;
                Ok(Some(Spot::Node(tree.into(), NodeId::ROOT)))
            }
        }
    }

    fn names(&self, folder: &[u8]) -> Result<Vec<Vec<u8>>> {
        let Some(Spot::Node(tree, id)) = self.spot(folder)? else {
            return Ok(Vec::new());
        };
        Ok(tree.children(id).map(|(name, _)| name.to_vec()).collect())
    }
}

/// Follows names and links in one file system.
fn in_files(inside: &Inside, names: &mut Names, walked: &[u8], asked: &Asked) -> Result<Stop> {
    let plain = inside.plain();
    let whole = |error: Error| error.at(walked);
    let files = match &plain.what {
        What::FileSystem(file_system) if asked.reach == Reach::Entries && file_system.finds_paths() => {
            Files::LookedUp(file_system)
        }
        _ => match plain.files().map_err(whole)? {
            Some(tree) => Files::Known(tree),
            None => return Err(plain.why_opaque()?.at(walked)),
        },
    };
    let mut here: Vec<Box<[u8]>> = Vec::new();
    let mut links = 0;
    while let Some(name) = names.pop_front() {
        match &*name {
            b"" | b"." => continue,
            b".." => {
                here.pop();
                continue;
            }
            _ => {}
        }
        let folder = joined(&here);
        here.push(name.clone());
        let path = joined(&here);
        match files.step(&path).map_err(whole)? {
            None => {
                let siblings = files.names(&folder).unwrap_or_default();
                let folder = [walked, &folder].concat();
                return Err(missing(&name, &folder, asked, &siblings));
            }
            Some(Step::Link(target)) if !names.is_empty() || asked.follows => {
                links += 1;
                if links > LINKS_MAX {
                    return Err(Error::TooManyLinks {
                        path: show(asked.path),
                        limit: LINKS_MAX,
                    });
                }
                here.pop();
                if target.first() == Some(&b'/') {
                    here.clear();
                }
                for name in target.split(|byte| *byte == b'/').rev() {
                    names.push_front(name.into());
                }
            }
            Some(Step::File(content)) if !names.is_empty() => {
                return Ok(Stop::Through(path[1..].to_vec(), content));
            }
            Some(Step::Other(kind)) if !names.is_empty() => {
                return Err(no_folder(&[walked, &path].concat(), &kind));
            }
            Some(_) => {}
        }
    }
    let path = joined(&here);
    let spot = files.spot(&path).map_err(whole)?;
    let lost = || missing(&path, walked, asked, &[]);
    let found = Found {
        spot: spot.ok_or_else(lost)?,
        path: [walked, &path].concat(),
    };
    Ok(Stop::At(found))
}

fn joined(names: &[Box<[u8]>]) -> Vec<u8> {
    names
        .iter()
        .flat_map(|name| [b"/", &**name])
        .flatten()
        .copied()
        .collect()
}

fn missing(name: &[u8], folder: &[u8], asked: &Asked, siblings: &[Vec<u8>]) -> Error {
    let text = show(name);
    let likeness = |other: &Vec<u8>| strsim::jaro_winkler(&text, &show(other));
    let mut best: Option<(f64, &Vec<u8>)> = None;
    for sibling in siblings {
        let likeness = likeness(sibling);
        if likeness >= LIKENESS_MIN && best.is_none_or(|(most, _)| likeness > most) {
            best = Some((likeness, sibling));
        }
    }
    Error::Missing {
        path: show(asked.path),
        folder: if folder.is_empty() {
            "/".into()
        } else {
            show(folder)
        },
        nearest: best.map(|(_, name)| show(name)),
        name: text,
    }
}

fn no_folder(path: &[u8], kind: &Kind) -> Error {
    let what = match kind {
        Kind::Directory(_) => "a folder",
        Kind::File(_) => "a file",
        Kind::Symlink(_) => "a symbolic link",
        Kind::CharDevice(_) | Kind::BlockDevice(_) => "a device",
        Kind::Fifo => "a named pipe",
        Kind::Socket => "a socket",
    };
    Error::NoFolder {
        path: show(path),
        what: what.into(),
    }
}
