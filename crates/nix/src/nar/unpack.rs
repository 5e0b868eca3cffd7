//! NARs as trees whose files lie in a spool.

use image::{Content, DataFinder, Node, NodeId, Spool, Spooled, Tree};

use super::read::{Input, Visitor, read};
use crate::error::Result;
use crate::hash::Hash;

/// What was in a NAR.
#[derive(Clone, Debug)]
pub struct Unpacked {
    /// Its files, with modes and times as a store has them.
    pub tree: Tree,
    /// Its hash.
    pub hash: Hash,
    /// Its bytes.
    pub size: u64,
}

/// Reads one NAR, whose bytes the input hands on to a place in a spool: `base` is the place of its first byte.
///
/// # Errors
/// As [`read`].
pub fn unpack(input: &mut Input<'_>, spool: &Spool, base: u64) -> Result<Unpacked> {
    let mut builder = Builder {
        spool,
        base,
        tree: None,
        way: Vec::new(),
        name: Vec::new(),
        file: None,
    };
    read(input, &mut builder)?;
    let (hash, size) = input.finish();
    Ok(Unpacked {
        tree: builder.tree.unwrap_or_default(),
        hash,
        size,
    })
}

/// Makes a tree of what it hears.
struct Builder<'a> {
    spool: &'a Spool,
    base: u64,
    tree: Option<Tree>,
    /// The nodes from the root to the one that was added last.
    way: Vec<NodeId>,
    name: Vec<u8>,
    /// The file that is being read, and what is known of its zeros.
    file: Option<(Spooled, DataFinder)>,
}

impl Builder<'_> {
    fn add(&mut self, node: Node) -> Result<()> {
        let Some(tree) = &mut self.tree else {
            self.tree = Some(Tree::new(node));
            self.way.push(NodeId::ROOT);
            return Ok(());
        };
        let parent = self.way.last().copied().unwrap_or(NodeId::ROOT);
        self.way.push(tree.add(parent, &self.name, node)?);
        Ok(())
    }
}

impl Visitor for Builder<'_> {
    fn directory(&mut self) -> Result<()> {
        self.add(Node::directory().mode(0o555))
    }

    fn enter(&mut self, name: &[u8]) -> Result<()> {
        self.name = name.to_vec();
        Ok(())
    }

    fn leave(&mut self) {
        self.way.pop();
    }

    fn symlink(&mut self, target: &[u8]) -> Result<()> {
        self.add(Node::symlink(target))
    }

    fn file(&mut self, executable: bool, start: u64, len: u64) -> Result<()> {
        let file = self.spool.file(self.base + start, len);
        self.file = Some((file.clone(), DataFinder::default()));
        let mode = if executable { 0o555 } else { 0o444 };
        self.add(Node::file(Content::Spooled(file)).mode(mode))
    }

    fn bytes(&mut self, bytes: &[u8]) {
        if let Some((_, finder)) = &mut self.file {
            finder.see(bytes);
        }
    }

    fn file_end(&mut self) {
        if let Some((file, finder)) = self.file.take() {
            file.teach(finder);
        }
    }
}
