//! Listings of NARs in binary caches (`.ls`): names, sizes and places of files, before the NAR is fetched.
//!
//! They help to plan and to say early what does not fit. Nothing in an image follows from them: nobody signs them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use image::{Content, Node, NodeId, ReadAt, Tree};
use serde::Deserialize;
use serde::de::{Deserializer, Visitor};

/// The most bytes of a listing: three hundred thousand files. What is larger counts as none.
pub(crate) const SIZE_MAX: u64 = 32 << 20;

/// The tree that a listing tells of; reading its files fails. Nothing when it is no listing, which costs no more than an
/// early word.
pub(crate) fn tree(bytes: &[u8]) -> Option<Tree> {
    let listing: Listing = serde_json::from_slice(bytes).ok()?;
    if listing.version != 1 {
        return None;
    }
    let mut tree = Tree::new(listing.root.node()?);
    let mut open = vec![(NodeId::ROOT, listing.root)];
    while let Some((parent, item)) = open.pop() {
        for (Name(name), item) in item.entries {
            let id = tree.add(parent, &name, item.node()?).ok()?;
            open.push((id, item));
        }
    }
    Some(tree)
}

#[derive(Deserialize)]
struct Listing {
    version: u32,
    root: Item,
}

#[derive(Deserialize)]
struct Item {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    size: u64,
    #[serde(default)]
    executable: bool,
    #[serde(default)]
    entries: BTreeMap<Name, Item>,
    target: Option<Name>,
}

impl Item {
    fn node(&self) -> Option<Node> {
        match self.kind.as_str() {
            "directory" => Some(Node::directory().mode(0o555)),
            "symlink" => Some(Node::symlink(&self.target.as_ref()?.0)),
            "regular" => {
                let content = Content::Span {
                    source: Arc::new(NotFetched),
                    start: 0,
                    len: self.size,
                };
                Some(Node::file(content).mode(if self.executable { 0o555 } else { 0o444 }))
            }
            _ => None,
        }
    }
}

/// A name's bytes: listings hold them as they are, UTF-8 or not.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Name(Vec<u8>);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl Visitor<'_> for Bytes {
            type Value = Name;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a name")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Name, E> {
                Ok(Name(bytes.to_vec()))
            }

            fn visit_str<E>(self, text: &str) -> Result<Name, E> {
                Ok(Name(text.as_bytes().to_vec()))
            }
        }
        deserializer.deserialize_bytes(Bytes)
    }
}

/// Bytes that only a listing knows of.
#[derive(Debug)]
struct NotFetched;

impl ReadAt for NotFetched {
    fn read_exact_at(&self, _: &mut [u8], _: u64) -> std::io::Result<()> {
        Err(std::io::Error::other("is only known from a listing"))
    }

    fn is_at_hand(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_bytes() {
        let text = b"{\"version\":1,\"root\":{\"type\":\"directory\",\"entries\":{\
            \"a\xe9\":{\"type\":\"regular\",\"size\":5,\"narOffset\":400},\
            \"d\":{\"type\":\"directory\",\"entries\":{\"x\":{\"type\":\"regular\",\"executable\":true,\"size\":0}}},\
            \"l\":{\"type\":\"symlink\",\"target\":\"\\u0041\xff\"}}}}";
        let tree = tree(text).unwrap();
        let file = tree.node(tree.lookup(b"/a\xe9").unwrap());
        assert!(matches!(&file.kind, image::Kind::File(content) if content.len() == 5));
        assert_eq!(tree.node(tree.lookup(b"/d/x").unwrap()).meta.mode, 0o555);
        let link = &tree.node(tree.lookup(b"/l").unwrap()).kind;
        assert!(matches!(link, image::Kind::Symlink(target) if **target == *b"A\xff"));
    }

    #[test]
    fn other_texts_are_none() {
        for text in [
            "",
            "{}",
            "[",
            "{\"version\":2,\"root\":{\"type\":\"directory\"}}",
            "{\"version\":1,\"root\":{\"type\":\"pipe\"}}",
            "{\"version\":1,\"root\":{\"type\":\"directory\",\"entries\":{\"..\":{\"type\":\"directory\"}}}}",
        ] {
            assert!(tree(text.as_bytes()).is_none(), "{text}");
        }
        let deep = "{\"type\":\"directory\",\"entries\":{\"a\":".repeat(10_000);
        assert!(tree(format!("{{\"version\":1,\"root\":{deep}").as_bytes()).is_none());
    }
}
