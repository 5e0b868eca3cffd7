//! Trees as NARs.

use std::io::{self, Write};

use image::{Content, Kind, NodeId, Progress, Silent, Tree, show};

use super::{DEPTH_MAX, MAGIC, TOO_DEEP, bad_name, bad_target};
use crate::error::{Error, Result};

/// How many bytes are read at once.
const CHUNK_LEN: usize = 1 << 20;

/// Writes a subtree as a NAR. Progress hears each file's bytes.
///
/// # Errors
/// When the subtree holds what no NAR can, a file cannot be read or has changed its length, `to` fails, or the user
/// asks to stop.
pub fn write(tree: &Tree, node: NodeId, to: &mut dyn Write, progress: &dyn Progress) -> Result<()> {
    let mut chunk = vec![0; CHUNK_LEN];
    let mut see = |_: NodeId, _: &[u8]| {};
    Writer::new(tree, progress, &mut chunk, to).write(node, &mut see)?;
    Ok(())
}

/// The bytes of a subtree's NAR, which follow from names, kinds and lengths: no file is opened.
///
/// # Errors
/// When the subtree holds what no NAR can.
pub fn size(tree: &Tree, node: NodeId) -> Result<u64> {
    let mut nowhere = io::sink();
    let writer = Writer {
        files: Files::Skip,
        ..Writer::new(tree, &Silent, &mut [], &mut nowhere)
    };
    writer.write(node, &mut |_, _| {})
}

/// Writes subtrees of one tree.
pub(super) struct Writer<'a> {
    tree: &'a Tree,
    progress: &'a dyn Progress,
    chunk: &'a mut [u8],
    to: &'a mut dyn Write,
    files: Files,
    /// Bytes that were written.
    position: u64,
}

/// What becomes of files' bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Files {
    Read,
    /// They are counted.
    Skip,
}

/// What is still to be written, the next on top: a list in place of recursion.
enum Step<'a> {
    Node(NodeId, usize),
    Entry(&'a [u8], NodeId, usize),
    Close,
}

impl<'a> Writer<'a> {
    pub(super) fn new(
        tree: &'a Tree,
        progress: &'a dyn Progress,
        chunk: &'a mut [u8],
        to: &'a mut dyn Write,
    ) -> Self {
        Writer {
            tree,
            progress,
            chunk,
            to,
            files: Files::Read,
            position: 0,
        }
    }

    /// Writes a NAR, and answers its size. `see` gets each file's bytes too, and none at the end of the file.
    pub(super) fn write(mut self, root: NodeId, see: &mut dyn FnMut(NodeId, &[u8])) -> Result<u64> {
        self.string(MAGIC)?;
        let mut steps = vec![Step::Node(root, 0)];
        while let Some(step) = steps.pop() {
            match step {
                Step::Close => self.string(b")")?,
                Step::Entry(name, id, depth) => {
                    if let Some(problem) = bad_name(name) {
                        return Err(self.refused(id, problem));
                    }
                    self.strings(&[b"entry", b"(", b"name", name, b"node"])?;
                    steps.extend([Step::Close, Step::Node(id, depth)]);
                }
                Step::Node(id, depth) => {
                    self.strings(&[b"(", b"type"])?;
                    steps.push(Step::Close);
                    self.node(id, depth, &mut steps, see)?;
                }
            }
        }
        Ok(self.position)
    }

    fn node(
        &mut self,
        id: NodeId,
        depth: usize,
        steps: &mut Vec<Step<'a>>,
        see: &mut dyn FnMut(NodeId, &[u8]),
    ) -> Result<()> {
        match &self.tree.node(id).kind {
            Kind::File(content) => self.file(id, content, see),
            Kind::Symlink(target) => match bad_target(target) {
                Some(problem) => Err(self.refused(id, problem)),
                None => self.strings(&[b"symlink", b"target", target]),
            },
            Kind::Directory(_) if depth > DEPTH_MAX => Err(self.refused(id, TOO_DEEP)),
            Kind::Directory(directory) => {
                let first = steps.len();
                steps.extend(
                    directory
                        .iter()
                        .map(|(name, id)| Step::Entry(name, id, depth + 1)),
                );
                steps[first..].reverse();
                self.string(b"directory")
            }
            Kind::CharDevice(_) => Err(self.special(id, "a character device")),
            Kind::BlockDevice(_) => Err(self.special(id, "a block device")),
            Kind::Fifo => Err(self.special(id, "a named pipe")),
            Kind::Socket => Err(self.special(id, "a socket")),
        }
    }

    fn file(&mut self, id: NodeId, content: &Content, see: &mut dyn FnMut(NodeId, &[u8])) -> Result<()> {
        self.string(b"regular")?;
        if self.tree.node(id).meta.mode & 0o100 != 0 {
            self.strings(&[b"executable", b""])?;
        }
        self.string(b"contents")?;
        self.bytes(&content.len().to_le_bytes())?;
        if self.files == Files::Skip {
            self.position = self.position.saturating_add(content.len());
            return self.pad();
        }
        let mut reader = content.reader()?;
        while reader.remaining() > 0 {
            let len = reader.fill(self.chunk)?;
            let bytes = &self.chunk[..len];
            self.to.write_all(bytes).map_err(failed)?;
            self.position += len as u64;
            see(id, bytes);
            self.progress.advance(len as u64).map_err(image::Error::from)?;
        }
        reader.finish()?;
        see(id, &[]);
        self.pad()
    }

    fn bytes(&mut self, bytes: &[u8]) -> Result<()> {
        self.position += bytes.len() as u64;
        self.to.write_all(bytes).map_err(failed)
    }

    fn string(&mut self, string: &[u8]) -> Result<()> {
        self.bytes(&(string.len() as u64).to_le_bytes())?;
        self.bytes(string)?;
        self.pad()
    }

    fn strings(&mut self, strings: &[&[u8]]) -> Result<()> {
        strings.iter().try_for_each(|string| self.string(string))
    }

    /// Zeros up to a multiple of eight.
    fn pad(&mut self) -> Result<()> {
        let filled = (self.position % 8) as usize;
        self.bytes(&[0; 8][..(8 - filled) % 8])
    }

    fn special(&self, id: NodeId, kind: &'static str) -> Error {
        Error::SpecialFile {
            path: self.path(id),
            kind,
        }
    }

    fn refused(&self, id: NodeId, problem: &'static str) -> Error {
        Error::NotForNar {
            path: self.path(id),
            problem,
        }
    }

    fn path(&self, id: NodeId) -> String {
        let found = self.tree.walk().find(|entry| entry.id == id);
        show(&found.map(|entry| entry.path).unwrap_or_default())
    }
}

fn failed(source: io::Error) -> Error {
    Error::WriteNar { source }
}
