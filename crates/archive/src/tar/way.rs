//! Ways through a tree, name by name, with the symbolic links on them.

use std::collections::VecDeque;

use image::{NodeId, show};

/// As many symbolic links are followed on one way, as in Linux.
const LINKS_MAX: usize = 40;

/// Where symbolic links may lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// To what is beside them, or below, as GNU tar has it: the rest may be outside of the folder that is unpacked into.
    Below,
    /// Anywhere: the tree's root is that of a system.
    Anywhere,
}

/// A name on the way.
pub(super) struct Step {
    pub(super) name: Vec<u8>,
    /// Whether a link has led here.
    pub(super) of_link: bool,
}

/// Where somebody is, and what is ahead.
pub(super) struct Way {
    folders: Vec<NodeId>,
    ahead: VecDeque<Step>,
    link_count: usize,
    last_link: String,
}

impl Way {
    /// From the root on.
    pub(super) fn new(names: &[&[u8]]) -> Way {
        let step = |name: &&[u8]| Step {
            name: name.to_vec(),
            of_link: false,
        };
        Way {
            folders: Vec::new(),
            ahead: names.iter().map(step).collect(),
            link_count: 0,
            last_link: String::new(),
        }
    }

    /// The folder that was reached.
    pub(super) fn here(&self) -> NodeId {
        self.folders.last().copied().unwrap_or(NodeId::ROOT)
    }

    /// The next name to look up. `..` of the root is the root.
    pub(super) fn step(&mut self) -> Option<Step> {
        loop {
            let step = self.ahead.pop_front()?;
            match &*step.name {
                b"" | b"." => {}
                b".." => {
                    self.folders.pop();
                }
                _ => return Some(step),
            }
        }
    }

    /// Goes on from a folder that has been found here.
    pub(super) fn enter(&mut self, folder: NodeId) {
        self.folders.push(folder);
    }

    /// Goes on where a link leads that has been found here, or says why not.
    pub(super) fn follow(&mut self, name: &[u8], target: &[u8], reach: Reach) -> Result<(), String> {
        self.link_count += 1;
        if self.link_count > LINKS_MAX {
            return Err(format!("more than {LINKS_MAX} links on the way to it"));
        }
        self.last_link = format!("{} on the way to it is a link to {}", show(name), show(target));
        let from_root = target.starts_with(b"/");
        let names: Vec<&[u8]> = target.split(|byte| *byte == b'/').collect();
        if reach == Reach::Below && (from_root || names.contains(&&b".."[..])) {
            return Err(format!("{}, which may lead out of its folder", self.last_link));
        }
        if from_root {
            self.folders.clear();
        }
        for name in names.into_iter().rev() {
            self.ahead.push_front(Step {
                name: name.to_vec(),
                of_link: true,
            });
        }
        Ok(())
    }

    /// The last link, for people.
    pub(super) fn last_link(&self) -> &str {
        &self.last_link
    }
}
