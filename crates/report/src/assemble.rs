//! What was found becomes a report: sums, references, and nothing that is too small to be seen.

use std::collections::{BTreeMap, BTreeSet};

use crate::closure;
use crate::model::{
    Bytes, Class, ClassBytes, Equal, File, Node, NodeKind, Problem, Region, Report, SCHEMA, StorePath, Totals,
};
use crate::prune::prune;

/// How many of the largest files are listed.
const FILES_MAX: usize = 200;
/// How many groups of equal files are listed.
const EQUAL_MAX: usize = 100;
/// How many paths of equal files are listed.
const EQUAL_PATHS_MAX: usize = 20;

/// All that was found in an image.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The version of the program that makes the report.
    pub kiln: String,
    /// What was looked at.
    pub name: String,
    /// What it is.
    pub format: String,
    /// The bytes of the file that it travels as, when it is compressed or in a container.
    pub file: Option<u64>,
    /// What it consists of.
    pub regions: Vec<Region>,
    /// All of it, with every file.
    pub tree: Node,
    /// What is known of store paths, in the image or not.
    pub closure: Vec<Registered>,
    /// What the closure is made for: the name of a store path.
    pub toplevel: Option<String>,
    /// Files with the same bytes.
    pub equal: Vec<Equal>,
    /// What the reader should know.
    pub notes: Vec<String>,
    /// What could not be read.
    pub problems: Vec<Problem>,
}

/// What is known of a store path.
#[derive(Clone, Debug, Default)]
pub struct Registered {
    /// Its name, with its hash.
    pub name: String,
    /// The names of those that it refers to; none if nobody knows.
    pub references: Option<Vec<String>>,
}

impl Found {
    /// The report of it.
    #[must_use]
    pub fn assemble(mut self) -> Report {
        let mut survey = Survey::default();
        survey.node(&self.tree, &mut String::new(), None);
        let paths = self.paths(&survey.paths);
        let mut files = survey.files;
        files.sort_by(|a, b| by_size(a.bytes, b.bytes).then_with(|| a.path.cmp(&b.path)));
        files.truncate(FILES_MAX);
        let totals = self.totals(paths.len());
        self.equal.sort_by(|a, b| {
            let one = (b.bytes.unpacked, b.bytes.image, &a.paths);
            one.cmp(&(a.bytes.unpacked, a.bytes.image, &b.paths))
        });
        self.equal.truncate(EQUAL_MAX);
        for equal in &mut self.equal {
            equal.paths.truncate(EQUAL_PATHS_MAX);
        }
        prune(&mut self.tree);
        let classes = survey.classes.into_iter();
        Report {
            schema: SCHEMA,
            kiln: self.kiln,
            name: self.name,
            format: self.format,
            totals,
            regions: self.regions,
            classes: classes
                .filter(|(_, bytes)| bytes.most() > 0)
                .map(|(class, bytes)| ClassBytes { class, bytes })
                .collect(),
            toplevel: self.toplevel,
            paths,
            files,
            equal: self.equal,
            grown: None,
            notes: self.notes,
            problems: self.problems,
            tree: self.tree,
        }
    }

    fn totals(&self, paths: usize) -> Totals {
        let equal = self.equal.iter();
        let promised = self.regions.iter().filter_map(|region| region.promised);
        let promised = promised.reduce(u64::saturating_add);
        Totals {
            bytes: self.tree.bytes,
            file: self.file,
            free: self
                .regions
                .iter()
                .fold(0, |sum, region| sum.saturating_add(region.free)),
            promised,
            files: self.tree.files,
            paths: paths as u64,
            equal: equal.fold(Bytes::default(), |sum, equal| sum.plus(equal.bytes)),
        }
    }

    /// The store paths that are there, and who keeps them.
    fn paths(&mut self, found: &BTreeMap<String, (Bytes, u64)>) -> Vec<StorePath> {
        let path = |(name, (bytes, files)): (&String, &(Bytes, u64))| StorePath {
            name: name.clone(),
            bytes: *bytes,
            files: *files,
            retained: *bytes,
            retained_paths: 1,
            ..StorePath::default()
        };
        let mut paths: Vec<StorePath> = found.iter().map(path).collect();
        let number = |name: &str| paths.binary_search_by(|path| path.name.as_str().cmp(name)).ok();
        // Both slots of an image can register a path, and a registration what a database has, too.
        let mut known: BTreeMap<usize, BTreeSet<&str>> = BTreeMap::new();
        for registered in &self.closure {
            let (Some(from), Some(references)) = (number(&registered.name), &registered.references) else {
                continue;
            };
            let others = references.iter().filter(|name| **name != registered.name);
            known.entry(from).or_default().extend(others.map(String::as_str));
        }
        let mut edges = vec![Vec::new(); paths.len()];
        let mut elsewhere = 0;
        for (from, names) in &known {
            edges[*from] = names.iter().filter_map(|name| number(name)).collect();
            elsewhere += names.len() - edges[*from].len();
        }
        let known = known.len();
        let toplevel = self.toplevel.as_deref().and_then(number);
        if paths.is_empty() {
            return paths;
        }
        if known == 0 {
            let note = "No references are known, so the report does not say why a store path is here, nor what could go: \
                        `--closure` names a registration, a closureInfo or a references graph.";
            self.notes.push(note.into());
            return paths;
        }
        if known < paths.len() {
            let missing = paths.len() - known;
            self.notes.push(format!(
                "The references of {missing} of {} store paths are not known.",
                paths.len()
            ));
        }
        if elsewhere > 0 {
            self.notes.push(format!(
                "{elsewhere} references lead to store paths that are not in the image."
            ));
        }
        for (path, edges) in paths.iter_mut().zip(edges) {
            path.references = edges;
        }
        closure::follow(&mut paths, toplevel);
        paths
    }
}

/// The largest first.
fn by_size(a: Bytes, b: Bytes) -> std::cmp::Ordering {
    (b.unpacked, b.image).cmp(&(a.unpacked, a.image))
}

/// What one walk over the tree finds.
#[derive(Default)]
struct Survey {
    paths: BTreeMap<String, (Bytes, u64)>,
    files: Vec<File>,
    classes: BTreeMap<Class, Bytes>,
}

impl Survey {
    /// Parts of a store path are not store paths themselves.
    fn node(&mut self, node: &Node, path: &mut String, within: Option<&str>) {
        let mut within = within;
        if node.kind == NodeKind::StorePath && within.is_none() {
            let (bytes, files) = self.paths.entry(node.name.clone()).or_default();
            *bytes = bytes.plus(node.bytes);
            *files = files.saturating_add(node.files);
            within = Some(&node.name);
        }
        if node.kind == NodeKind::File {
            self.files.push(File {
                path: path.clone(),
                bytes: node.bytes,
            });
            if self.files.len() >= 4 * FILES_MAX {
                self.files
                    .sort_by(|a, b| by_size(a.bytes, b.bytes).then_with(|| a.path.cmp(&b.path)));
                self.files.truncate(FILES_MAX);
            }
        }
        let len = path.len();
        let mut own = node.bytes;
        for child in &node.children {
            path.push('/');
            path.push_str(&child.name);
            self.node(child, path, within);
            path.truncate(len);
            own.image = own.image.saturating_sub(child.bytes.image);
            own.unpacked = own.unpacked.saturating_sub(child.bytes.unpacked);
        }
        let class = self.classes.entry(node.class).or_default();
        *class = class.plus(own);
    }
}
