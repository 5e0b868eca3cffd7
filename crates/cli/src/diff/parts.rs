//! Both are gone through together: what consists of parts is compared part by part.

use std::collections::BTreeMap;

use image::{Content, Fault, NodeId, Structure, Tree, show};
use inspect::compare::{self, Change, ChangeKind};
use inspect::{Bundle, Format, Inside, Output, Structures, What, Work};

use super::entries::{FetchedEntry, FileEntry, FirstEntry, PackageEntry, Pair, PartEntry, UpdateEntry};
use super::{disks, options};
use crate::described;

/// Bytes of a hash in an index.
const HASH_LEN: u64 = 32;

/// All parts that differ.
pub(super) fn compare(a: &Inside, b: &Inside, asked: Asked, work: &Work) -> inspect::Result<Vec<PartEntry>> {
    let mut walk = Walk {
        asked,
        work,
        parts: Vec::new(),
    };
    walk.pair(b"", (a, b), Vec::new(), None)?;
    Ok(walk.parts)
}

/// What is damaged is a difference like others: the rest is still compared.
fn or_problem<T: Default>(result: inspect::Result<T>, problems: &mut Vec<String>) -> inspect::Result<T> {
    match result {
        Err(error) if error.fault() == Fault::Damaged => {
            let problem = error.to_string();
            if !problems.contains(&problem) {
                problems.push(problem);
            }
            Ok(T::default())
        }
        other => other,
    }
}

/// Opens a part; one that is damaged is looked at from outside.
fn opened(content: Content, problems: &mut Vec<String>, work: &Work) -> inspect::Result<Inside> {
    let inside = or_problem(inspect::open(content.clone(), work).map(Some), problems)?;
    Ok(inside.unwrap_or_else(|| Inside::opaque(content)))
}

/// What is asked for, and what is known beside the images.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    /// Whether the first byte that differs gets a name.
    pub(super) bytes: bool,
    /// What lies on each disk outside of partitions.
    pub(super) regions: &'a [Vec<Structure>; 2],
}

struct Walk<'a> {
    asked: Asked<'a>,
    work: &'a Work<'a>,
    parts: Vec<PartEntry>,
}

/// How RAUC gets an image: whether with an index.
#[derive(Clone, Copy)]
struct Fetching {
    has_index: bool,
}

impl Walk<'_> {
    fn pair(
        &mut self,
        path: &[u8],
        (a, b): (&Inside, &Inside),
        problems: Vec<String>,
        fetching: Option<Fetching>,
    ) -> inspect::Result<()> {
        match (&a.plain().what, &b.plain().what) {
            (What::Outputs(left), What::Outputs(right)) => return self.outputs(path, left, right),
            (What::Outputs(outputs), _) => {
                if let Some(inside) = self.alike(outputs, b)? {
                    return self.pair(path, (&inside, b), problems, fetching);
                }
            }
            (_, What::Outputs(outputs)) => {
                if let Some(inside) = self.alike(outputs, a)? {
                    return self.pair(path, (a, &inside), problems, fetching);
                }
            }
            _ => {}
        }
        let at = |error: inspect::Error| error.at(path);
        let (left, right) = (a.plain(), b.plain());
        // What has no bytes of its own is a folder.
        let of_folder = matches!(
            (&left.what, &right.what),
            (What::Tree(Format::Outputs, _), What::Tree(..))
        );
        let first = compare::first_difference(&left.content, &right.content, self.work).map_err(at)?;
        if first.is_none() && !of_folder && a.format() == b.format() {
            return Ok(());
        }
        let mut entry = PartEntry {
            path: show(path),
            change: "changed",
            format: Pair::both(a.format().name(), b.format().name()),
            size: Pair::both(left.content.len(), right.content.len()),
            problems,
            ..PartEntry::default()
        };
        if left.format() == right.format() {
            let options = options::options(left, right, self.work);
            entry.options = or_problem(options, &mut entry.problems).map_err(at)?;
        }
        let position = self.parts.len();
        let contents = self.contents(path, (left, right), &mut entry);
        or_problem(contents, &mut entry.problems).map_err(at)?;
        self.first(first, (left, right), &mut entry).map_err(at)?;
        let is_leaf = !matches!(
            (&left.what, &right.what),
            (What::Disk(_), What::Disk(_)) | (What::Bundle(_), What::Bundle(_))
        );
        if first.is_some() && is_leaf && !of_folder {
            let structures = or_problem(Structures::of(right), &mut entry.problems).map_err(at)?;
            let update = self.update((left, right), &structures, fetching);
            entry.update = Some(update.map_err(at)?);
        }
        let says_nothing = entry.files.is_empty() && entry.packages.is_empty();
        if !(of_folder && says_nothing) {
            // What it consists of comes behind it.
            self.parts.insert(position, entry);
        }
        Ok(())
    }

    /// Files, or the parts of what has parts.
    fn contents(
        &mut self,
        path: &[u8],
        (left, right): (&Inside, &Inside),
        entry: &mut PartEntry,
    ) -> inspect::Result<()> {
        match (&left.what, &right.what) {
            (What::Disk(a), What::Disk(b)) => {
                entry.options.extend(disks::partitions(a, b));
                entry.regions = disks::regions((left, a), (right, b), self.asked.regions, self.work)?;
                let members = |inside: &Inside, disk| -> BTreeMap<Vec<u8>, Content> {
                    let named = inspect::partition_names(disk).into_iter();
                    let content = |partition| inspect::partition_content(&inside.content, partition);
                    named
                        .map(|(name, partition)| (name.into_bytes(), content(partition)))
                        .collect()
                };
                self.members(path, members(left, a), members(right, b), |_| None)
            }
            (What::Bundle(a), What::Bundle(b)) => {
                let has_index = |name: &[u8]| {
                    let image = b
                        .manifest
                        .images
                        .iter()
                        .find(|image| image.slot.as_bytes() == name)?;
                    Some(Fetching {
                        has_index: image.index_file().is_some(),
                    })
                };
                let changes = compare::changes(&others(a)?, &others(b)?, self.work)?;
                entry.files = files(changes, &[]);
                self.members(path, images(a), images(b), has_index)
            }
            _ => {
                if let (Some(a), Some(b)) = (left.files()?, right.files()?) {
                    let changes = compare::changes(&a, &b, self.work)?;
                    let packages = compare::packages(&a, &b);
                    entry.files = files(changes, &packages);
                    entry.packages = packages.into_iter().map(package).collect();
                }
                Ok(())
            }
        }
    }

    /// Parts of the same names.
    fn members(
        &mut self,
        path: &[u8],
        mut before: BTreeMap<Vec<u8>, Content>,
        mut after: BTreeMap<Vec<u8>, Content>,
        fetching: impl Fn(&[u8]) -> Option<Fetching>,
    ) -> inspect::Result<()> {
        let mut names: Vec<Vec<u8>> = before.keys().chain(after.keys()).cloned().collect();
        names.sort();
        names.dedup();
        for name in names {
            let path = [path, b"/", &name].concat();
            match (before.remove(&name), after.remove(&name)) {
                (Some(a), Some(b)) => {
                    let mut problems = Vec::new();
                    let mut open =
                        |content| opened(content, &mut problems, self.work).map_err(|error| error.at(&path));
                    let (a, b) = (open(a)?, open(b)?);
                    self.pair(&path, (&a, &b), problems, fetching(&name))?;
                }
                (before, after) => self.parts.push(PartEntry {
                    path: show(&path),
                    change: if before.is_some() { "removed" } else { "added" },
                    format: Pair {
                        before: before.as_ref().map(Format::of).transpose()?.map(Format::name),
                        after: after.as_ref().map(Format::of).transpose()?.map(Format::name),
                    },
                    size: Pair {
                        before: before.map(|content| content.len()),
                        after: after.map(|content| content.len()),
                    },
                    ..PartEntry::default()
                }),
            }
        }
        Ok(())
    }

    /// What builds make: by the names of parts where both know them, by those of files otherwise.
    fn outputs(&mut self, path: &[u8], a: &[Output], b: &[Output]) -> inspect::Result<()> {
        let parts_known = |outputs: &[Output]| outputs.iter().any(|output| output.part.is_some());
        let by_part = parts_known(a) && parts_known(b);
        let members = |outputs: &[Output]| -> BTreeMap<Vec<u8>, Content> {
            let is_manifest = |output: &Output| output.name.ends_with(described::ENDING.as_bytes());
            let parts = outputs.iter().filter(|output| !by_part || !is_manifest(output));
            let named = parts.map(|output| (name(output, outputs, by_part), output.content.clone()));
            named.collect()
        };
        self.members(path, members(a), members(b), |_| None)
    }

    /// The output that is of the same kind as something.
    fn alike(&self, outputs: &[Output], other: &Inside) -> inspect::Result<Option<Inside>> {
        for output in outputs {
            if Format::of(&output.content)? == other.format() {
                return inspect::open(output.content.clone(), self.work).map(Some);
            }
        }
        Ok(None)
    }

    fn first(
        &self,
        first: Option<u64>,
        (left, right): (&Inside, &Inside),
        entry: &mut PartEntry,
    ) -> inspect::Result<()> {
        let Some(byte) = first.filter(|_| self.asked.bytes) else {
            return Ok(());
        };
        let mut name = |inside: &Inside| -> inspect::Result<Option<String>> {
            if byte >= inside.content.len() {
                return Ok(Some("its end".into()));
            }
            let structures = or_problem(Structures::of(inside).map(Some), &mut entry.problems)?;
            let is_known = inside.format() != Format::Unknown;
            Ok(structures
                .map(|structures| structures.at(byte))
                .and_then(|place| match place {
                    Some(place) => Some(place.to_string()),
                    None => is_known.then(|| "bytes that belong to nothing known".into()),
                }))
        };
        let structure = Pair {
            before: name(left)?,
            after: name(right)?,
        };
        entry.first = Some(FirstEntry { byte, structure });
        Ok(())
    }

    fn update(
        &self,
        (a, b): (&Inside, &Inside),
        structures: &Structures,
        fetching: Option<Fetching>,
    ) -> inspect::Result<UpdateEntry> {
        let cost = compare::cost(&a.content, &b.content, structures, self.work)?;
        let block_size = compare::BLOCK_SIZE as u64;
        let fetched = fetching.map(|fetching| {
            if fetching.has_index {
                let index = cost.blocks * HASH_LEN;
                FetchedEntry {
                    method: bundle::manifest::BLOCK_HASH_INDEX,
                    bytes: cost.new * block_size + index,
                    index,
                }
            } else {
                FetchedEntry {
                    method: "everything",
                    bytes: b.content.len(),
                    index: 0,
                }
            }
        });
        Ok(UpdateEntry {
            block_size,
            blocks: cost.blocks,
            changed_blocks: cost.changed,
            new_blocks: cost.new,
            fetched,
            causes: cost.causes,
        })
    }
}

/// What an output is called: its part; where several files are of one part, with the ending of the file.
fn name(output: &Output, all: &[Output], by_part: bool) -> Vec<u8> {
    let Some(part) = output.part.as_deref().filter(|_| by_part) else {
        return output.name.to_vec();
    };
    let alike = all.iter().filter(|other| other.part.as_deref() == Some(part));
    let ending = output.name.iter().rposition(|byte| *byte == b'.');
    match ending.filter(|_| alike.count() > 1) {
        Some(dot) => [part, output.name.get(dot..).unwrap_or_default()].concat(),
        None => part.to_vec(),
    }
}

/// The images of a bundle, by their slots.
fn images(bundle: &Bundle) -> BTreeMap<Vec<u8>, Content> {
    let image = |image: &bundle::manifest::Image| {
        let content = bundle.file(image.filename.as_ref()?.as_bytes())?;
        Some((image.slot.clone().into_bytes(), content.clone()))
    };
    bundle.manifest.images.iter().filter_map(image).collect()
}

/// What else is in a bundle: programs, and more files.
fn others(bundle: &Bundle) -> inspect::Result<Tree> {
    let mut tree = Tree::default();
    for (name, id) in bundle.tree.children(NodeId::ROOT) {
        let indices = bundle
            .manifest
            .images
            .iter()
            .filter_map(bundle::manifest::Image::index_file);
        let is_index = indices.into_iter().any(|index| index.as_bytes() == name);
        let is_file = matches!(bundle.tree.node(id).kind, image::Kind::File(_));
        if is_file && !is_index && bundle.image(name).is_none() && name != bundle::manifest::FILE.as_bytes() {
            tree.add(NodeId::ROOT, name, bundle.tree.node(id).clone())?;
        }
    }
    Ok(tree)
}

/// Files, without those of store paths that came or went: their packages are named.
fn files(changes: Vec<Change>, packages: &[compare::Package]) -> Vec<FileEntry> {
    let of_package = |change: &Change| {
        let name = compare::store_name(&change.path);
        change.kind != ChangeKind::Changed
            && name.is_some_and(|name| packages.iter().any(|package| package.name == name))
    };
    let entry = |change: Change| FileEntry {
        path: show(&change.path),
        change: match change.kind {
            ChangeKind::Added => "added",
            ChangeKind::Removed => "removed",
            ChangeKind::Changed => "changed",
        },
        fields: change.fields,
        bytes: Pair {
            before: (change.kind != ChangeKind::Added).then_some(change.bytes.0),
            after: (change.kind != ChangeKind::Removed).then_some(change.bytes.1),
        },
    };
    changes
        .into_iter()
        .filter(|change| !of_package(change))
        .map(entry)
        .collect()
}

fn package(package: compare::Package) -> PackageEntry {
    let versions = |side: &compare::Side| side.versions.iter().cloned().collect();
    PackageEntry {
        versions: Pair::both(versions(&package.before), versions(&package.after)),
        bytes: Pair::both(package.before.bytes, package.after.bytes),
        name: package.name,
    }
}
