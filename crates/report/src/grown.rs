//! What grew: by packages, and by folders outside of the store.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Bytes, Change, Grown, Node, NodeKind, Report};

/// A store path's name without its hash, and its version. The caller knows how to tell them apart.
pub type Split = fn(&str) -> (String, String);

/// What is compared with something else.
#[derive(Clone, Debug, Default)]
pub struct Listed {
    name: String,
    is_exact: bool,
    total: Bytes,
    things: BTreeMap<String, Thing>,
}

#[derive(Clone, Debug, Default)]
struct Thing {
    versions: BTreeSet<String>,
    bytes: Bytes,
    /// The store paths of a package.
    paths: BTreeSet<String>,
}

impl Listed {
    /// What is in a report.
    #[must_use]
    pub fn of(report: &Report, split: Split) -> Listed {
        let mut listed = Listed {
            name: report.name.clone(),
            is_exact: true,
            total: report.totals.bytes,
            things: BTreeMap::new(),
        };
        for path in &report.paths {
            listed.put(&path.name, path.bytes, split);
        }
        outside(&report.tree, "", &mut listed.things);
        listed
    }

    /// Store paths of which nothing but the sizes of their NARs is known.
    pub fn of_nars<'a>(name: &str, paths: impl IntoIterator<Item = (&'a str, u64)>, split: Split) -> Listed {
        let mut listed = Listed {
            name: name.into(),
            ..Listed::default()
        };
        for (path, unpacked) in paths {
            let bytes = Bytes { image: 0, unpacked };
            listed.put(path, bytes, split);
            listed.total = listed.total.plus(bytes);
        }
        listed
    }

    fn put(&mut self, path: &str, bytes: Bytes, split: Split) {
        let (package, version) = split(path);
        let thing = self.things.entry(package).or_default();
        thing
            .versions
            .extend(Some(version).filter(|version| !version.is_empty()));
        thing.bytes = thing.bytes.plus(bytes);
        thing.paths.insert(path.into());
    }
}

/// Folders and files that are no store paths and hold none, by region.
fn outside(node: &Node, path: &str, things: &mut BTreeMap<String, Thing>) {
    for child in &node.children {
        let path = match path {
            "" => child.name.clone(),
            path => format!("{path}/{}", child.name),
        };
        match child.kind {
            NodeKind::StorePath | NodeKind::Free => {}
            NodeKind::Image | NodeKind::Region => outside(child, &path, things),
            _ if has_paths(child) => outside(child, &path, things),
            kind => {
                // How many are too small to be named says nothing.
                let path = match (kind, path.rsplit_once('/')) {
                    (NodeKind::Rest, Some((folder, _))) => format!("{folder}, small"),
                    _ => path,
                };
                let thing = things.entry(path).or_default();
                thing.bytes = thing.bytes.plus(child.bytes);
            }
        }
    }
}

fn has_paths(node: &Node) -> bool {
    node.children
        .iter()
        .any(|child| child.kind == NodeKind::StorePath || has_paths(child))
}

impl Report {
    /// Says what is different from something older; `now` is what is in this report, as far as it is known of the older one.
    pub fn against(&mut self, before: &Listed, now: &Listed) {
        let names: BTreeSet<&String> = before.things.keys().chain(now.things.keys()).collect();
        let mut changes = Vec::new();
        for name in names {
            let (one, other) = (before.things.get(name), now.things.get(name));
            let same = |one: &Thing, other: &Thing| one.bytes == other.bytes && one.paths == other.paths;
            if one.zip(other).is_some_and(|(one, other)| same(one, other)) {
                continue;
            }
            let versions = |thing: Option<&Thing>| {
                let versions = thing.into_iter().flat_map(|thing| &thing.versions);
                versions.cloned().collect()
            };
            changes.push(Change {
                name: name.clone(),
                versions_before: versions(one),
                versions_after: versions(other),
                before: one.map(|thing| thing.bytes),
                after: other.map(|thing| thing.bytes),
            });
        }
        changes.sort_by(|a, b| weight(b).cmp(&weight(a)).then_with(|| a.name.cmp(&b.name)));
        self.grown = Some(Grown {
            name: before.name.clone(),
            is_exact: before.is_exact && now.is_exact,
            before: before.total,
            changes,
        });
    }
}

/// By how much something differs.
fn weight(change: &Change) -> u64 {
    let (before, after) = (
        change.before.unwrap_or_default(),
        change.after.unwrap_or_default(),
    );
    let image = before.image.abs_diff(after.image);
    image.max(before.unpacked.abs_diff(after.unpacked))
}
