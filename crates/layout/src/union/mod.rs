//! A root without a store: everything that the closure has, joined.

use std::collections::{BTreeMap, BTreeSet};

mod findings;

use image::{Content, Kind, Node, NodeId, Progress, Tree};
use nix::StorePath;
use rayon::prelude::*;

use crate::beside::writable;
use crate::error::Result;
use crate::names::{MERGED, Names, parent_of};
use crate::prefixes::Prefixes;
use crate::rewrite::rewritten;
use crate::scan::{Found, Scanner};
use crate::{LaidOut, Usr, env_in};

/// What only Nix reads.
const UNWANTED: &[u8] = b"/nix-support";

pub(crate) fn lay_out(
    store: &Tree,
    paths: &[StorePath],
    env: &[u8],
    usr: Usr,
    progress: &dyn Progress,
) -> Result<LaidOut> {
    let env = env_in(store, env)?;
    let names = Names::new(store, paths, usr);
    let owners = by_priority(store, paths, &env, names.prefixes());
    let slots = slots(store, &owners, &names);
    let found = scan(store, &slots, names.prefixes(), progress)?;
    let mut union = Union {
        store,
        owners: &owners,
        names: &names,
        found: &found,
        tree: Tree::default(),
        made: BTreeMap::new(),
    };
    for (path, slot) in &slots {
        union.place(path, slot)?;
    }
    if usr == Usr::Merged {
        union.link_usr()?;
    }
    union.mend(&slots);
    let report = union.report(&slots)?;
    Ok(LaidOut {
        tree: union.tree,
        report,
    })
}

/// The closure's paths: first the environment, then those that it links to, in the order of its entries, then the
/// others by name, so that the same things come first when hashes change.
fn by_priority(store: &Tree, paths: &[StorePath], env: &nix::Found, prefixes: &Prefixes) -> Vec<StorePath> {
    let mut order: Vec<&StorePath> = Vec::new();
    order.extend(prefixes.path_at(&env.path));
    for entry in store.walk_from(env.node) {
        if let Kind::Symlink(target) = &store.node(entry.id).kind {
            order.extend(prefixes.path_at(target));
        }
    }
    let mut others: Vec<&StorePath> = paths.iter().collect();
    others.sort_by_key(|path| (path.name(), path.hash_part()));
    let mut seen = BTreeSet::new();
    order.extend(others);
    order.retain(|path| seen.insert(*path));
    order.into_iter().cloned().collect()
}

/// Who would be at a path of the root.
#[derive(Default)]
struct Slot {
    /// Files and links, by priority.
    candidates: Vec<Candidate>,
    /// The first store path that has a folder there.
    folder: Option<usize>,
}

struct Candidate {
    /// Position among the owners.
    owner: usize,
    id: NodeId,
    /// Of a link only.
    link: Option<Link>,
}

struct Link {
    /// Where it lies in the store.
    origin: Vec<u8>,
    /// Where it leads to in the root.
    target: Vec<u8>,
}

/// All paths of the root, a folder before what is in it.
fn slots(store: &Tree, owners: &[StorePath], names: &Names) -> BTreeMap<Vec<u8>, Slot> {
    let mut slots: BTreeMap<Vec<u8>, Slot> = BTreeMap::new();
    for (owner, path) in owners.iter().enumerate() {
        let Some(root) = store.lookup(path.as_str().as_bytes()) else {
            continue;
        };
        for entry in store.walk_from(root) {
            let inside: &[u8] = if entry.path == b"/" { b"" } else { &entry.path };
            let rest = inside.strip_prefix(UNWANTED);
            if rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/")) {
                continue;
            }
            let whole = [path.as_str().as_bytes(), inside].concat();
            let place = names.place(&whole);
            let node = store.node(entry.id);
            let link = match &node.kind {
                // A folder with something in it is made for that.
                Kind::Directory(directory) if !directory.is_empty() => continue,
                Kind::Directory(_) => {
                    open_folders(&mut slots, &place, owner);
                    slots.entry(place).or_default().folder.get_or_insert(owner);
                    continue;
                }
                Kind::Symlink(target) => Some(Link {
                    target: names.target(&whole, &place, target),
                    origin: whole,
                }),
                _ => None,
            };
            open_folders(&mut slots, &place, owner);
            let candidate = Candidate {
                owner,
                id: entry.id,
                link,
            };
            slots.entry(place).or_default().candidates.push(candidate);
        }
    }
    slots
}

/// Notes the folders that a path is in.
fn open_folders(slots: &mut BTreeMap<Vec<u8>, Slot>, path: &[u8], owner: usize) {
    let mut path = path;
    while let Some(parent) = parent_of(path) {
        let slot = slots.entry(parent.to_vec()).or_default();
        if slot.folder.is_some() {
            break;
        }
        slot.folder = Some(owner);
        path = parent;
    }
}

/// Reads all files that have a place.
fn scan(
    store: &Tree,
    slots: &BTreeMap<Vec<u8>, Slot>,
    prefixes: &Prefixes,
    progress: &dyn Progress,
) -> Result<BTreeMap<NodeId, Found>> {
    let candidates = slots.values().flat_map(|slot| &slot.candidates);
    let content = |candidate: &Candidate| match &store.node(candidate.id).kind {
        Kind::File(content) => Some((candidate.id, content)),
        _ => None,
    };
    let mut files: Vec<(NodeId, &Content)> = candidates.filter_map(content).collect();
    progress.begin(
        "looking for store paths",
        files.iter().map(|(_, file)| file.len()).sum(),
    );
    // The largest first, so that the last one to be read is short.
    files.sort_by_key(|(id, file)| (std::cmp::Reverse(file.len()), *id));
    let found: Vec<Result<(NodeId, Found)>> = files
        .into_iter()
        .par_bridge()
        .map_init(
            || Scanner::new(prefixes, progress),
            |scanner, (id, file)| Ok((id, scanner.scan(file)?)),
        )
        .collect();
    found.into_iter().collect()
}

struct Union<'a> {
    store: &'a Tree,
    owners: &'a [StorePath],
    names: &'a Names,
    found: &'a BTreeMap<NodeId, Found>,
    tree: Tree,
    /// Which candidate of a path is there.
    made: BTreeMap<Vec<u8>, usize>,
}

impl Union<'_> {
    /// Decides who is at a path.
    fn place(&mut self, path: &[u8], slot: &Slot) -> Result<()> {
        // Where something that is no folder has won above, nobody is.
        let Some((parent, name)) = self.parent(path) else {
            return Ok(());
        };
        let first = slot.candidates.iter().position(|one| !self.leads_to(one, path));
        let first = first.filter(|first| {
            let candidate = &slot.candidates[*first];
            // A link would hide what is in the folder; of a file and a folder the first one wins.
            slot.folder
                .is_none_or(|folder| candidate.link.is_none() && candidate.owner < folder)
        });
        match (first, slot.folder) {
            (Some(first), _) => {
                let node = self.node(&slot.candidates[first]);
                self.tree.add(parent, name, node)?;
                self.made.insert(path.to_vec(), first);
            }
            (None, Some(_)) => {
                self.tree.add(parent, name, Node::directory())?;
            }
            // Links to themselves, where nobody has the real thing.
            (None, None) => {}
        }
        Ok(())
    }

    /// The folder that a path is in, where there is one, and its name there.
    fn parent<'p>(&self, path: &'p [u8]) -> Option<(NodeId, &'p [u8])> {
        let parent = parent_of(path)?;
        let id = self.tree.lookup(parent)?;
        let name = &path[path.iter().rposition(|byte| *byte == b'/')? + 1..];
        matches!(self.tree.node(id).kind, Kind::Directory(_)).then_some((id, name))
    }

    /// Whether a candidate is a link to the path that it has.
    fn leads_to(&self, candidate: &Candidate, path: &[u8]) -> bool {
        let link = candidate.link.as_ref();
        link.is_some_and(|link| self.names.follow(path, &link.target) == path)
    }

    fn node(&self, candidate: &Candidate) -> Node {
        let mut node = writable(self.store.node(candidate.id));
        if let Some(link) = &candidate.link {
            node.kind = Kind::Symlink(link.target.as_slice().into());
        } else if let Some(content) = self.content(candidate) {
            node.kind = Kind::File(content);
        }
        node
    }

    /// The bytes of a file, as they are in the root.
    fn content(&self, candidate: &Candidate) -> Option<Content> {
        let Kind::File(content) = &self.store.node(candidate.id).kind else {
            return None;
        };
        let found = self.found.get(&candidate.id);
        Some(match found {
            Some(found) if found.references > 0 => rewritten(content, self.names.shared()),
            _ => content.clone(),
        })
    }

    /// Where links lead nowhere that led somewhere in the store, the next one's turn is it.
    fn mend(&mut self, slots: &BTreeMap<Vec<u8>, Slot>) {
        for (path, slot) in slots {
            let Some(chosen) = self.made.get(path).copied() else {
                continue;
            };
            if !self.is_dead(path, &slot.candidates[chosen]) {
                continue;
            }
            for (next, candidate) in slot.candidates.iter().enumerate().skip(chosen + 1) {
                if !self.leads_to(candidate, path) && self.choose(path, candidate) {
                    self.made.insert(path.clone(), next);
                    break;
                }
            }
        }
    }

    /// Puts a candidate in the place of a link, unless that leads nowhere either.
    fn choose(&mut self, path: &[u8], candidate: &Candidate) -> bool {
        let Some(id) = self.tree.lookup(path) else {
            return false;
        };
        let node = self.node(candidate);
        let before = std::mem::replace(self.tree.node_mut(id), node);
        let leads = nix::resolve(&self.tree, path).is_some();
        if !leads {
            *self.tree.node_mut(id) = before;
        }
        leads
    }

    /// Whether a candidate that is at a path is a link that led somewhere, and leads nowhere.
    fn is_dead(&self, path: &[u8], candidate: &Candidate) -> bool {
        candidate.link.as_ref().is_some_and(|link| {
            nix::resolve(&self.tree, path).is_none() && nix::resolve(self.store, &link.origin).is_some()
        })
    }

    /// The folders of `/usr` have names in the root.
    fn link_usr(&mut self) -> Result<()> {
        for name in MERGED {
            let place = format!("/usr/{name}");
            if self.tree.lookup(place.as_bytes()).is_some() {
                self.tree
                    .add(NodeId::ROOT, name.as_bytes(), Node::symlink(&place[1..]))?;
            }
        }
        Ok(())
    }
}
