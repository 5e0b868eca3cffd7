//! What lies where in an image, as its reader knows it.

use std::borrow::Cow;

use crate::tree::NodeId;

/// A part of an image that has a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Structure {
    /// Its first byte.
    pub start: u64,
    /// One past its last byte.
    pub end: u64,
    /// What it is: `inode table of group 3`, `data`.
    pub what: Cow<'static, str>,
    /// Whose it is, in the tree that the same reader makes; none when it belongs to the image itself.
    pub node: Option<NodeId>,
    /// Whether nothing lies in it yet, although it is handed out to something, which [`Structure::what`] names.
    pub is_free: bool,
}

impl Structure {
    /// A part of the image itself.
    #[must_use]
    pub fn new(start: u64, len: u64, what: impl Into<Cow<'static, str>>) -> Structure {
        Structure {
            start,
            end: start.saturating_add(len),
            what: what.into(),
            node: None,
            is_free: false,
        }
    }

    /// The same, with nothing in it.
    #[must_use]
    pub fn free(self) -> Structure {
        Structure {
            is_free: true,
            ..self
        }
    }

    /// The same, as a part of something in the image.
    #[must_use]
    pub fn of(self, node: NodeId) -> Structure {
        Structure {
            node: Some(node),
            ..self
        }
    }
}

/// A part of an image that holds bytes of several files, compressed together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shared {
    /// Its first byte.
    pub start: u64,
    /// Whose it is, and how many bytes of each are in it, unpacked.
    pub owners: Vec<(NodeId, u64)>,
}
