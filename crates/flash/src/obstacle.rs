//! What speaks against writing to a disk.

use std::fmt;
use std::path::Path;

use serde::{Serialize, Serializer};

use crate::host::{Mount, Node};

/// A reason to leave a disk alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// The system that runs is on it.
    RunsSystem {
        /// The device that is the root, which can be one that is made of the disk.
        on: String,
    },
    /// Something of it is mounted.
    Mounted {
        /// What: the disk, a partition, or something made of it.
        what: String,
        /// Where, at first.
        at: String,
        /// At how many other places something of it is mounted.
        more: usize,
    },
    /// It is swapped to.
    Swap {
        /// What.
        what: String,
    },
    /// Something is made of it.
    Held {
        /// Of what: the disk or a partition.
        what: String,
        /// By what: RAID, a logical volume, an encrypted disk.
        by: String,
    },
    /// It is write-protected.
    ReadOnly,
    /// A whole disk is to be written to a partition.
    Partition {
        /// The disk that it is a partition of.
        of: String,
    },
    /// The image is read from it, or from what has bytes in common with it: a partition of it, a volume, its disk.
    Source,
}

impl fmt::Display for Obstacle {
    fn fmt(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Obstacle::RunsSystem { on } => write!(text, "the running system is on it: {on} is mounted at /"),
            Obstacle::Mounted { what, at, more: 0 } => write!(text, "{what} is mounted at {at}"),
            Obstacle::Mounted { what, at, more } => {
                write!(
                    text,
                    "{what} is mounted at {at}, and something of it at {more} more places"
                )
            }
            Obstacle::Swap { what } => write!(text, "{what} is swap that is in use"),
            Obstacle::Held { what, by } => write!(text, "{what} is part of {by}"),
            Obstacle::ReadOnly => write!(text, "it is write-protected"),
            Obstacle::Partition { of } => {
                write!(text, "it is a partition of {of}, and the image is a whole disk")
            }
            Obstacle::Source => write!(text, "the image is read from it"),
        }
    }
}

impl Serialize for Obstacle {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Obstacle {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Obstacle::RunsSystem { .. } | Obstacle::Source => return None,
            Obstacle::Mounted { what, .. } => format!("if it is the right one: `sudo umount /dev/{what}`"),
            Obstacle::Swap { what } => format!("if it is the right one: `sudo swapoff /dev/{what}`"),
            Obstacle::Held { .. } => {
                "if it is the right one: stop what uses it (`mdadm --stop`, `vgchange -an`, `cryptsetup close`)".into()
            }
            Obstacle::ReadOnly => "cards have a switch for that; others, `blockdev --setrw` makes writable".into(),
            Obstacle::Partition { of } => format!("say /dev/{of}"),
        })
    }
}

/// What speaks against writing to a block device: the worst of it.
pub(crate) fn find(node: &Node, nodes: &[Node], mounts: &[Mount], swaps: &[String]) -> Option<Obstacle> {
    let members: Vec<&Node> = nodes
        .iter()
        .filter(|other| other.name == node.name || other.parent.as_deref() == Some(&node.name))
        .collect();
    let all = with_holders(&members, nodes);
    let mut mounted = Vec::new();
    for member in &all {
        for mount in mounts.iter().filter(|mount| is_of(member, mount)) {
            mounted.push((member, mount));
        }
    }
    if let Some((member, _)) = mounted.iter().find(|(_, mount)| mount.at == "/") {
        return Some(Obstacle::RunsSystem { on: named(member) });
    }
    if let [(member, mount), rest @ ..] = &mounted[..] {
        return Some(Obstacle::Mounted {
            what: named(member),
            at: mount.at.clone(),
            more: rest.len(),
        });
    }
    let is_swap = |member: &&&Node| swaps.iter().any(|path| is_path_of(path, member));
    if let Some(member) = all.iter().find(is_swap) {
        return Some(Obstacle::Swap { what: named(member) });
    }
    let held = members.iter().find(|member| !member.holders.is_empty())?;
    let by = held.holders.iter().map(|name| {
        let holder = nodes.iter().find(|other| other.name == *name);
        holder.map_or_else(|| name.clone(), kind_of)
    });
    Some(Obstacle::Held {
        what: held.name.clone(),
        by: by.collect::<Vec<_>>().join(", "),
    })
}

/// Block devices and what is made of them, directly or not. What a member holds is looked at once.
pub(crate) fn with_holders<'a>(members: &[&'a Node], nodes: &'a [Node]) -> Vec<&'a Node> {
    let mut all = members.to_vec();
    let mut next = 0;
    while let Some(node) = all.get(next) {
        let is_of =
            |other: &&Node| node.holders.contains(&other.name) || other.parent.as_deref() == Some(&node.name);
        let new: Vec<&Node> = nodes.iter().filter(is_of).collect();
        for node in new {
            if !all.iter().any(|other| other.name == node.name) {
                all.push(node);
            }
        }
        next += 1;
    }
    all
}

/// Whether a mount is one of a device. Those of some file systems, such as btrfs, have a number of their own.
fn is_of(node: &Node, mount: &Mount) -> bool {
    mount.number == node.number || is_path_of(&mount.source, node)
}

/// Whether a path in `/dev` is that of a device, which device mapper has another name for, too.
fn is_path_of(path: &str, node: &Node) -> bool {
    let Some(name) = path.strip_prefix("/dev/") else {
        return false;
    };
    let mapped = || crate::host::line(&node.folder.join("dm/name"));
    name == node.name.replace('!', "/")
        || name
            .strip_prefix("mapper/")
            .is_some_and(|name| mapped().as_deref() == Some(name))
}

/// What a device is called, device mapper's by their own names.
fn named(node: &Node) -> String {
    let mapped = crate::host::line(&node.folder.join("dm/name"));
    mapped.map_or_else(|| node.name.clone(), |name| format!("mapper/{name}"))
}

/// What a device that is made of others is.
fn kind_of(node: &Node) -> String {
    let file = |name: &str| crate::host::line(&node.folder.join(name));
    if let Some(level) = file("md/level") {
        return format!("{} ({level})", node.name);
    }
    let name = file("dm/name").unwrap_or_else(|| node.name.clone());
    let kind = match file("dm/uuid").unwrap_or_default() {
        uuid if uuid.starts_with("LVM-") => "LVM",
        uuid if uuid.starts_with("CRYPT-") => "encryption",
        uuid if uuid.starts_with("mpath-") => "multipath",
        _ if Path::exists(&node.folder.join("dm")) => "device mapper",
        _ => return name,
    };
    format!("{name} ({kind})")
}
