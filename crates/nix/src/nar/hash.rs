//! NAR hashes of trees.

use std::io::{self, Write};

use image::{Kind, NodeId, Progress, Tree};
use sha2::{Digest, Sha256};

use super::write::Writer;
use crate::error::Result;
use crate::hash::Hash;

/// How many bytes are read at once.
const CHUNK_LEN: usize = 1 << 20;

/// The SHA-256 and the size in bytes of a subtree's NAR. Progress hears each file's bytes.
///
/// Names, contents, link targets and the owner's executable bit count; owners, times, other mode bits, extended
/// attributes and hard links do not exist in a NAR.
///
/// # Errors
/// When a file cannot be read or has changed its length, the subtree holds what no NAR can, or the user asks to stop.
pub fn hash(tree: &Tree, node: NodeId, progress: &dyn Progress) -> Result<(Hash, u64)> {
    let nar = Hasher::new(tree, &|_| false, progress).hash(node)?;
    Ok((nar.hash, nar.size))
}

/// Hashes subtrees of one tree, one after the other.
pub(crate) struct Hasher<'a> {
    tree: &'a Tree,
    /// Whether files of this length get a digest of their own.
    wants_digest: &'a (dyn Fn(u64) -> bool + Sync),
    progress: &'a dyn Progress,
    chunk: Vec<u8>,
}

/// What one reading of a subtree tells.
pub(crate) struct Hashed {
    pub(crate) hash: Hash,
    pub(crate) size: u64,
    /// The files that got a digest of their own.
    pub(crate) digests: Vec<(NodeId, [u8; 32])>,
}

impl<'a> Hasher<'a> {
    pub(crate) fn new(
        tree: &'a Tree,
        wants_digest: &'a (dyn Fn(u64) -> bool + Sync),
        progress: &'a dyn Progress,
    ) -> Self {
        Hasher {
            tree,
            wants_digest,
            progress,
            chunk: vec![0; CHUNK_LEN],
        }
    }

    pub(crate) fn hash(&mut self, root: NodeId) -> Result<Hashed> {
        let mut nar = Digested::default();
        let mut digests = Vec::new();
        let mut file: Option<Sha256> = None;
        let (tree, wants_digest) = (self.tree, self.wants_digest);
        let mut see = |id: NodeId, bytes: &[u8]| {
            if bytes.is_empty() {
                let digest = file.take().unwrap_or_default();
                if wanted(tree, id, wants_digest) {
                    digests.push((id, digest.finalize().into()));
                }
            } else if wanted(tree, id, wants_digest) {
                file.get_or_insert_default().update(bytes);
            }
        };
        Writer::new(tree, self.progress, &mut self.chunk, &mut nar).write(root, &mut see)?;
        Ok(Hashed {
            hash: Hash(nar.sha.finalize().into()),
            size: nar.size,
            digests,
        })
    }
}

fn wanted(tree: &Tree, id: NodeId, wants_digest: &dyn Fn(u64) -> bool) -> bool {
    matches!(&tree.node(id).kind, Kind::File(content) if wants_digest(content.len()))
}

/// Bytes that are only hashed and counted.
#[derive(Default)]
struct Digested {
    sha: Sha256,
    size: u64,
}

impl Write for Digested {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.sha.update(bytes);
        self.size += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{Device, Node, Silent};

    #[test]
    fn depth_ends_where_it_does_for_nix() {
        let deep = |depth| {
            let mut tree = Tree::default();
            let mut folder = NodeId::ROOT;
            for _ in 0..depth {
                folder = tree.add(folder, b"d", Node::directory()).unwrap();
            }
            hash(&tree, NodeId::ROOT, &Silent)
        };
        // Each level: ( type directory entry ( name d node ) ), in strings of 16 or 24 bytes.
        assert_eq!(deep(64).unwrap().1, 24 + 64 * (16 * 9 + 24) + 16 * 3 + 24);
        let error = deep(65).unwrap_err().to_string();
        assert!(
            error.ends_with("more than 64 directories lie inside each other"),
            "{error}"
        );
        // Deeper than any stack would carry a recursion.
        assert!(deep(200_000).is_err());
    }

    #[test]
    fn only_the_executable_bit_of_the_owner_counts() {
        let hash_of = |mode| {
            let tree = Tree::new(Node::file(&b"x"[..]).mode(mode));
            hash(&tree, NodeId::ROOT, &Silent).unwrap()
        };
        assert_eq!(hash_of(0o444), hash_of(0o4677));
        assert_eq!(hash_of(0o555), hash_of(0o700));
        assert_ne!(hash_of(0o444), hash_of(0o544));
    }

    #[test]
    fn special_files_are_named() {
        let mut tree = Tree::default();
        let device = Node {
            kind: Kind::CharDevice(Device { major: 1, minor: 3 }),
            ..Node::directory()
        };
        tree.add_at(b"/dev/null", device).unwrap();
        let error = hash(&tree, NodeId::ROOT, &Silent).unwrap_err();
        assert_eq!(
            error.to_string(),
            "/dev/null: a character device cannot be in a store path"
        );
    }
}
