//! NAR hashes of trees.

use image::{Content, Kind, NodeId, Progress, Tree, show};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::hash::Hash;

/// How many bytes are read at once.
const CHUNK_LEN: usize = 1 << 20;

/// The SHA-256 and the size in bytes of a subtree's NAR. Progress hears each file's bytes.
///
/// Names, contents, link targets and the owner's executable bit count; owners, times, other mode bits, extended
/// attributes and hard links do not exist in a NAR.
///
/// # Errors
/// When a file cannot be read or has changed its length, the subtree holds a device, pipe or socket, or the
/// user asks to stop.
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

/// What is still to be written, the next on top: a list in place of recursion, so that no depth overflows.
enum Step<'a> {
    Node(NodeId),
    Entry(&'a [u8], NodeId),
    Close,
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
        let mut nar = Nar::default();
        let mut digests = Vec::new();
        nar.string(b"nix-archive-1");
        let mut steps = vec![Step::Node(root)];
        while let Some(step) = steps.pop() {
            match step {
                Step::Close => nar.string(b")"),
                Step::Entry(name, id) => {
                    nar.strings(&[b"entry", b"(", b"name", name, b"node"]);
                    steps.extend([Step::Close, Step::Node(id)]);
                }
                Step::Node(id) => {
                    nar.strings(&[b"(", b"type"]);
                    steps.push(Step::Close);
                    match &self.tree.node(id).kind {
                        Kind::File(content) => {
                            let digest = self.add_file(&mut nar, id, content)?;
                            digests.extend(digest.map(|digest| (id, digest)));
                        }
                        Kind::Symlink(target) => nar.strings(&[b"symlink", b"target", target]),
                        Kind::Directory(directory) => {
                            nar.string(b"directory");
                            let first = steps.len();
                            steps.extend(directory.iter().map(|(name, id)| Step::Entry(name, id)));
                            steps[first..].reverse();
                        }
                        Kind::CharDevice(_) => return Err(self.special(id, "a character device")),
                        Kind::BlockDevice(_) => return Err(self.special(id, "a block device")),
                        Kind::Fifo => return Err(self.special(id, "a named pipe")),
                        Kind::Socket => return Err(self.special(id, "a socket")),
                    }
                }
            }
        }
        Ok(Hashed {
            hash: Hash(nar.sha.finalize().into()),
            size: nar.size,
            digests,
        })
    }

    fn add_file(&mut self, nar: &mut Nar, id: NodeId, content: &Content) -> Result<Option<[u8; 32]>> {
        nar.string(b"regular");
        if self.tree.node(id).meta.mode & 0o100 != 0 {
            nar.strings(&[b"executable", b""]);
        }
        nar.string(b"contents");
        nar.number(content.len());
        let mut digest = (self.wants_digest)(content.len()).then(Sha256::new);
        let mut reader = content.reader()?;
        while reader.remaining() > 0 {
            let len = reader.fill(&mut self.chunk)?;
            let bytes = &self.chunk[..len];
            nar.bytes(bytes);
            if let Some(digest) = &mut digest {
                digest.update(bytes);
            }
            self.progress.advance(len as u64).map_err(image::Error::from)?;
        }
        reader.finish()?;
        nar.pad();
        Ok(digest.map(|digest| digest.finalize().into()))
    }

    fn special(&self, id: NodeId, kind: &'static str) -> Error {
        let path = self
            .tree
            .walk()
            .find(|entry| entry.id == id)
            .map(|entry| entry.path);
        Error::SpecialFile {
            path: show(&path.unwrap_or_default()),
            kind,
        }
    }
}

/// The bytes of a NAR, which are only hashed and counted.
#[derive(Default)]
struct Nar {
    sha: Sha256,
    size: u64,
}

impl Nar {
    fn bytes(&mut self, bytes: &[u8]) {
        self.sha.update(bytes);
        self.size += bytes.len() as u64;
    }

    fn number(&mut self, number: u64) {
        self.bytes(&number.to_le_bytes());
    }

    fn string(&mut self, string: &[u8]) {
        self.number(string.len() as u64);
        self.bytes(string);
        self.pad();
    }

    fn strings(&mut self, strings: &[&[u8]]) {
        for string in strings {
            self.string(string);
        }
    }

    /// Zeros up to a multiple of eight.
    fn pad(&mut self) {
        let filled = (self.size % 8) as usize;
        self.bytes(&[0; 8][..(8 - filled) % 8]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{Device, Node, Silent};

    /// Deeper than any stack would carry a recursion.
    #[test]
    fn depth_does_not_matter() {
        let mut tree = Tree::default();
        let mut folder = NodeId::ROOT;
        for _ in 0..200_000 {
            folder = tree.add(folder, b"d", Node::directory()).unwrap();
        }
        let (_, size) = hash(&tree, NodeId::ROOT, &Silent).unwrap();
        // Each level: ( type directory entry ( name d node ) ), in strings of 16 or 24 bytes.
        assert_eq!(size, 24 + 200_000 * (16 * 9 + 24) + 16 * 3 + 24);
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
