//! The nodes of a tree.

use std::collections::BTreeMap;

use super::NodeId;
use crate::content::Content;

/// One file, directory, link or special file.
#[derive(Clone, Debug)]
pub struct Node {
    /// Mode, owner, time and extended attributes.
    pub meta: Meta,
    /// What it is.
    pub kind: Kind,
}

/// What every node has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meta {
    /// The twelve permission bits.
    pub mode: u16,
    /// The owner's number.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
    /// Seconds since 1970.
    pub mtime: i64,
    /// Extended attributes, sorted by name.
    pub xattrs: Vec<Xattr>,
}

impl Meta {
    /// The first attribute that no file system can have, and why. What nobody makes with Linux comes out of archives and images.
    #[must_use]
    pub fn impossible_xattr(&self) -> Option<(&Xattr, &'static str)> {
        let mut before: Option<&Xattr> = None;
        self.xattrs.iter().find_map(|xattr| {
            let is_repeated = before.is_some_and(|before| before.name == xattr.name);
            before = Some(xattr);
            match () {
                () if xattr.name.contains(&0) => Some((xattr, "the name has a zero byte")),
                () if is_repeated => Some((xattr, "the name is there twice")),
                () => None,
            }
        })
    }
}

/// One extended attribute.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Xattr {
    /// The full name, such as `user.note` or `security.capability`.
    pub name: Box<[u8]>,
    /// The value.
    pub value: Box<[u8]>,
}

/// What a node is.
#[derive(Clone, Debug)]
pub enum Kind {
    /// A directory.
    Directory(Directory),
    /// A regular file.
    File(Content),
    /// A symbolic link, and its target.
    Symlink(Box<[u8]>),
    /// A character device.
    CharDevice(Device),
    /// A block device.
    BlockDevice(Device),
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
}

/// The entries of a directory, sorted by the bytes of their names.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    pub(super) entries: BTreeMap<Box<[u8]>, NodeId>,
}

/// A device's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Device {
    /// Which driver.
    pub major: u32,
    /// Which of its devices.
    pub minor: u32,
}

impl Meta {
    /// Owned by root, of 1970-01-01 00:00:01 (the time of all store paths), with these permission bits.
    #[must_use]
    pub fn root(mode: u16) -> Meta {
        Meta {
            mode,
            uid: 0,
            gid: 0,
            mtime: 1,
            xattrs: Vec::new(),
        }
    }
}

impl Node {
    /// An empty directory of mode 0755.
    #[must_use]
    pub fn directory() -> Node {
        Node {
            meta: Meta::root(0o755),
            kind: Kind::Directory(Directory::default()),
        }
    }

    /// A regular file of mode 0644.
    #[must_use]
    pub fn file(content: impl Into<Content>) -> Node {
        Node {
            meta: Meta::root(0o644),
            kind: Kind::File(content.into()),
        }
    }

    /// A symbolic link.
    #[must_use]
    pub fn symlink(target: impl AsRef<[u8]>) -> Node {
        Node {
            meta: Meta::root(0o777),
            kind: Kind::Symlink(target.as_ref().into()),
        }
    }

    /// The same node with these permission bits.
    #[must_use]
    pub fn mode(mut self, mode: u16) -> Node {
        self.meta.mode = mode;
        self
    }
}

impl Directory {
    /// The entries in the order of their names' bytes.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&[u8], NodeId)> {
        self.entries.iter().map(|(name, id)| (&**name, *id))
    }

    /// The number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no entries.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The entry of this name.
    #[must_use]
    pub fn get(&self, name: &[u8]) -> Option<NodeId> {
        self.entries.get(name).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_that_no_file_has() {
        let of = |names: &[&str]| {
            let xattr = |name: &&str| Xattr {
                name: name.as_bytes().into(),
                value: [].into(),
            };
            let mut meta = Meta::root(0o644);
            meta.xattrs = names.iter().map(xattr).collect();
            meta.impossible_xattr().map(|(_, problem)| problem)
        };
        assert_eq!(of(&["user.a", "user.b"]), None);
        assert_eq!(of(&["user.a", "user.a\0"]), Some("the name has a zero byte"));
        assert_eq!(
            of(&["user.a", "user.b", "user.b"]),
            Some("the name is there twice")
        );
    }
}
