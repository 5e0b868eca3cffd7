//! What is in an image, part by part, with what each takes.

use std::collections::BTreeMap;
use std::path::Path;

use image::{Content, Fault, Kind, Structure, Tree, show};
use inspect::{Bundle, FileSystem, Inside, Output, Usage, What, Work};
use report::{Class, Node, NodeKind, Problem, Region, RegionKind};

use super::Within;
use super::data::is_empty;
use super::disks;
use super::files::{Candidate, Files};
use super::nodes::{UNREAD, image, leaf, measured, scale, sum, total, undivided, unread};
use crate::described;
use crate::look::Planned;

/// As many problems are listed: more of them nobody reads.
const PROBLEMS_MAX: usize = 100;
/// How deep images lie in images.
const DEPTH_MAX: usize = 8;
/// Files that tell of the closure, in a file system.
const REGISTRATION: &[u8] = b"/nix-path-registration";
const DATABASE: &[u8] = b"/nix/var/nix/db/db.sqlite";

/// What is known beside the image.
pub(super) struct Known {
    /// What lies on the disk outside of partitions.
    pub(super) raw: Vec<Structure>,
    /// What is promised to stay free, by the first bytes of regions on the disk.
    by_start: BTreeMap<u64, u64>,
    /// The same by the names of outputs.
    by_file: BTreeMap<Vec<u8>, u64>,
}

impl Known {
    pub(super) fn new(image: &Path, path: &[u8], planned: Option<&Planned>) -> Known {
        let raw = match planned {
            Some(planned) => planned.raw(),
            None if path == b"/" => described::regions(image),
            None => Vec::new(),
        };
        Known {
            raw,
            by_start: planned.map(Planned::promised_on_disk).unwrap_or_default(),
            by_file: planned.map(Planned::promised_in_files).unwrap_or_default(),
        }
    }
}

/// What was found.
pub(super) struct Collected<'a> {
    pub(super) work: &'a Work<'a>,
    pub(super) known: &'a Known,
    pub(super) candidates: Vec<Candidate>,
    pub(super) problems: Vec<Problem>,
    /// The first damage, for the exit code.
    pub(super) damage: Option<inspect::Error>,
    /// Registrations in file systems.
    pub(super) registrations: Vec<Content>,
    /// Databases of stores in file systems.
    pub(super) databases: Vec<Content>,
}

/// A part of an image.
pub(super) struct Part {
    pub(super) region: Region,
    pub(super) node: Node,
}

impl<'a> Collected<'a> {
    pub(super) fn new(work: &'a Work<'a>, known: &'a Known) -> Collected<'a> {
        Collected {
            work,
            known,
            candidates: Vec::new(),
            problems: Vec::new(),
            damage: None,
            registrations: Vec::new(),
            databases: Vec::new(),
        }
    }

    /// All of an image, and what it consists of.
    pub(super) fn image(&mut self, inside: &Inside, name: &str) -> inspect::Result<(Node, Vec<Region>)> {
        let mut root = image(name);
        let whole = match self.parts(inside, b"", 0) {
            Ok(Some(parts)) => {
                let (children, regions) = parts.into_iter().map(|part| (part.node, part.region)).unzip();
                root.children = children;
                sum(&mut root);
                return Ok((root, regions));
            }
            Ok(None) => self.contents(inside, b"", 0),
            Err(error) => Err(error),
        };
        match whole {
            Err(error) if error.fault() == Fault::Damaged => {
                self.problem(b"", error);
                Ok(Self::unread(inside, name))
            }
            whole => {
                root.children = whole?;
                Ok(undivided(root, inside))
            }
        }
    }

    /// An image that is damaged as a whole.
    pub(super) fn unread(inside: &Inside, name: &str) -> (Node, Vec<Region>) {
        let root = Node {
            children: vec![unread(inside.plain().content.len())],
            ..image(name)
        };
        undivided(root, inside)
    }

    /// The parts of what consists of some; nothing for anything else.
    fn parts(&mut self, inside: &Inside, path: &[u8], depth: usize) -> inspect::Result<Option<Vec<Part>>> {
        let plain = inside.plain();
        Ok(Some(match &plain.what {
            What::Disk(disk) => disks::parts(self, plain, disk, path, depth)?,
            What::Outputs(outputs) => self.outputs(outputs, path, depth)?,
            What::Bundle(bundle) => self.bundle(bundle, plain.content.len(), path, depth)?,
            _ => return Ok(None),
        }))
    }

    fn outputs(&mut self, outputs: &[Output], path: &[u8], depth: usize) -> inspect::Result<Vec<Part>> {
        let mut parts = Vec::new();
        for output in outputs {
            let region = Region {
                name: show(&output.name),
                kind: RegionKind::Output,
                promised: self.known.by_file.get(&*output.name).copied(),
                ..Region::default()
            };
            let path = [path, b"/", &*output.name].concat();
            parts.push(self.part(region, &output.content, &path, depth)?);
        }
        Ok(parts)
    }

    /// A bundle is a squashfs with images in it, and what vouches for them behind it.
    fn bundle(
        &mut self,
        bundle: &Bundle,
        size: u64,
        path: &[u8],
        depth: usize,
    ) -> inspect::Result<Vec<Part>> {
        let archive = FileSystem::Squashfs(bundle.archive.clone());
        let usage = archive.usage(bundle.tree.len())?;
        let mut parts = Vec::new();
        for (name, id) in bundle.tree.children(image::NodeId::ROOT) {
            let Kind::File(content) = &bundle.tree.node(id).kind else {
                continue;
            };
            let region = Region {
                name: show(name),
                kind: RegionKind::File,
                ..Region::default()
            };
            let mut part = self.part(region, content, &[path, b"/", name].concat(), depth)?;
            let stored = usage.nodes.get(id.index()).copied().unwrap_or_default();
            scale(&mut part.node, stored);
            part.region = measured(part.region, &part.node);
            parts.push(part);
        }
        let nodes = parts.iter().map(|part| &part.node);
        let stored = total(nodes).image;
        let node = leaf(
            "signature, hash tree and tables",
            NodeKind::Tables,
            Class::Tables,
            size.saturating_sub(stored),
        );
        let region = Region {
            name: node.name.clone(),
            kind: RegionKind::Table,
            ..Region::default()
        };
        parts.push(Part {
            region: measured(region, &node),
            node,
        });
        Ok(parts)
    }

    /// A part, opened: what cannot be looked into is bytes.
    pub(super) fn part(
        &mut self,
        mut region: Region,
        content: &Content,
        path: &[u8],
        depth: usize,
    ) -> inspect::Result<Part> {
        let mut node = leaf(&region.name, NodeKind::Region, Class::Data, content.len());
        match self.opened(content, path, depth, &mut region) {
            Ok(children) => node.children = children,
            Err(error) => {
                let fault = error.fault();
                if fault == Fault::Cancelled {
                    return Err(error);
                }
                self.problem(path, error);
                node.children = vec![unread(content.len())];
            }
        }
        sum(&mut node);
        scale(&mut node, content.len());
        Ok(Part {
            region: measured(region, &node),
            node,
        })
    }

    fn opened(
        &mut self,
        content: &Content,
        path: &[u8],
        depth: usize,
        region: &mut Region,
    ) -> inspect::Result<Vec<Node>> {
        if depth > DEPTH_MAX {
            return Ok(Vec::new());
        }
        let inside = inspect::open(content.clone(), self.work)?;
        let format = inside.plain().format();
        region.format = Some(format.name().into()).filter(|_| format != inspect::Format::Unknown);
        if let Some(parts) = self.parts(&inside, path, depth + 1)? {
            return Ok(parts.into_iter().map(|part| part.node).collect());
        }
        self.contents(&inside, path, content.len())
    }

    /// What is in something without parts, which lies in a room of so many bytes.
    fn contents(&mut self, inside: &Inside, path: &[u8], room: u64) -> inspect::Result<Vec<Node>> {
        let plain = inside.plain();
        let room = if std::ptr::eq(plain, inside) {
            room.max(plain.content.len())
        } else {
            plain.content.len()
        };
        match &plain.what {
            What::FileSystem(file_system) => {
                let tree = inside.files()?.unwrap_or_default();
                self.file_system(file_system, &tree, path, room)
            }
            What::Tree(..) => {
                let tree = inside.files()?.unwrap_or_default();
                let mut nodes = self.archive(&tree, path);
                let stored = total(&nodes).image;
                let rest = room.saturating_sub(stored);
                nodes.extend((rest > 0).then(|| leaf("headers", NodeKind::Tables, Class::Tables, rest)));
                Ok(nodes)
            }
            _ if is_empty(&plain.content, self.work)? => {
                Ok(vec![leaf("empty", NodeKind::Free, Class::Free, room)])
            }
            What::Opaque(format) => {
                let class = match format {
                    inspect::Format::HashTree | inspect::Format::RootSignature => Class::Tables,
                    inspect::Format::Swap => Class::Free,
                    _ => Class::Data,
                };
                Ok(vec![leaf(format.name(), NodeKind::Raw, class, room)])
            }
            _ => Ok(vec![leaf("bytes", NodeKind::Raw, Class::Data, room)]),
        }
    }

    fn file_system(
        &mut self,
        file_system: &FileSystem,
        tree: &Tree,
        path: &[u8],
        room: u64,
    ) -> inspect::Result<Vec<Node>> {
        // Where places are not known, files still are.
        let usage = match file_system.usage(tree.len()) {
            Err(error) if error.fault() == Fault::Damaged => {
                self.problem(path, error);
                None
            }
            usage => Some(usage?),
        };
        let known = usage.unwrap_or_else(|| Usage {
            size: room,
            ..Usage::default()
        });
        self.registered(tree);
        let mut nodes = self.files(tree, &known.nodes, path);
        let tables: u64 = known.tables.values().sum();
        if tables > 0 {
            let kinds = known.tables.iter();
            let kinds = kinds.map(|(name, bytes)| leaf(name, NodeKind::Tables, Class::Tables, *bytes));
            let mut node = leaf("file system", NodeKind::Tables, Class::Tables, tables);
            node.children = kinds.collect();
            nodes.push(node);
        }
        if known.free > 0 {
            nodes.push(leaf("free", NodeKind::Free, Class::Free, known.free));
        }
        let stored = total(&nodes).image;
        let (rest, name) = if known.nodes.is_empty() {
            (room.saturating_sub(stored), UNREAD)
        } else {
            (room.saturating_sub(known.size), "free, behind the file system")
        };
        if rest > 0 {
            let free = known.nodes.is_empty();
            let (kind, class) = if free {
                (NodeKind::Raw, Class::Data)
            } else {
                (NodeKind::Free, Class::Free)
            };
            nodes.push(leaf(name, kind, class, rest));
        }
        Ok(nodes)
    }

    /// Where a file system says who refers to whom.
    fn registered(&mut self, tree: &Tree) {
        let file = |path: &[u8]| match &tree.node(tree.lookup(path)?).kind {
            Kind::File(content) => Some(content.clone()),
            _ => None,
        };
        self.registrations.extend(file(REGISTRATION));
        self.databases.extend(file(DATABASE));
    }

    fn files(&mut self, tree: &Tree, stored: &[u64], path: &[u8]) -> Vec<Node> {
        let mut files = Files {
            tree,
            stored,
            met: vec![false; tree.len()],
            candidates: &mut self.candidates,
        };
        let mut root = files.node(image::NodeId::ROOT, "", &show(path), 0);
        let inside = total(&root.children).image;
        let own = root.bytes.image.saturating_sub(inside);
        if own > 0 {
            root.children
                .push(leaf("root directory", NodeKind::Tables, Class::Tables, own));
        }
        root.children
    }

    /// Files that lie in something as they are.
    fn archive(&mut self, tree: &Tree, path: &[u8]) -> Vec<Node> {
        let stored: Vec<u64> = tree
            .nodes()
            .map(|(_, node)| match &node.kind {
                Kind::File(content) => content.len(),
                _ => 0,
            })
            .collect();
        self.files(tree, &stored, path)
    }

    /// What is promised to stay free in what begins at a byte of the disk.
    pub(super) fn promised(&self, depth: usize, start: u64) -> Option<u64> {
        self.known.by_start.get(&start).copied().filter(|_| depth == 0)
    }

    /// Remembers what could not be read.
    pub(super) fn problem(&mut self, path: &[u8], error: inspect::Error) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(Problem {
                path: if path.is_empty() { "/".into() } else { show(path) },
                problem: error.to_string(),
            });
        }
        if self.damage.is_none() && error.fault() == Fault::Damaged {
            self.damage = Some(error.at(path));
        }
    }

    /// The bytes of the file, where what is reported is compressed or in a container.
    pub(super) fn travels_as(inside: &Inside) -> Option<u64> {
        let is_packed = matches!(inside.what, What::Compressed(..));
        is_packed.then(|| inside.content.len())
    }

    /// What the reader should know.
    pub(super) fn notes(within: &Within) -> Vec<String> {
        let chosen = within.chosen.iter().filter(|(_, others)| *others > 0);
        chosen
            .map(|(_, others)| {
                format!("{others} other outputs lie beside the disk; they are not in this report.")
            })
            .collect()
    }
}
