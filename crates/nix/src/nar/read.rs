//! NARs that may be hostile, read as they come.

use std::io::{self, Read};

use image::show;
use sha2::{Digest, Sha256};

use super::{DEPTH_MAX, MAGIC, NAME_MAX, TARGET_MAX, TOO_DEEP, WORD_MAX, bad_name, bad_target};
use crate::error::{Error, Result};
use crate::hash::Hash;

/// Bytes that are read at once.
const BUFFER_LEN: usize = 256 << 10;

/// Hears what is in a NAR, in its order.
pub trait Visitor {
    /// A directory begins; its entries follow, each between [`enter`](Visitor::enter) and [`leave`](Visitor::leave).
    ///
    /// # Errors
    /// To stop.
    fn directory(&mut self) -> Result<()>;
    /// An entry of the directory begins: the next node is called so.
    ///
    /// # Errors
    /// To stop.
    fn enter(&mut self, name: &[u8]) -> Result<()>;
    /// The entry that began last is over.
    fn leave(&mut self);
    /// A link.
    ///
    /// # Errors
    /// To stop.
    fn symlink(&mut self, target: &[u8]) -> Result<()>;
    /// A file of `len` bytes, the first of which is the NAR's byte `start`; they follow.
    ///
    /// # Errors
    /// To stop.
    fn file(&mut self, executable: bool, start: u64, len: u64) -> Result<()>;
    /// The next bytes of the file.
    fn bytes(&mut self, bytes: &[u8]);
    /// The file is over.
    fn file_end(&mut self);
}

/// What a NAR is read from: bytes that are counted, hashed and handed on.
pub struct Input<'a> {
    reader: &'a mut dyn Read,
    /// Gets every byte that is read, with its place in the NAR.
    tee: &'a mut dyn FnMut(&[u8], u64) -> Result<()>,
    buffer: Vec<u8>,
    /// What of the buffer is not used yet.
    start: usize,
    end: usize,
    /// Bytes that were used since the NAR began.
    position: u64,
    /// More bytes than this are refused.
    limit: u64,
    sha: Sha256,
    /// What errors call it.
    name: String,
}

impl<'a> Input<'a> {
    /// The bytes of `reader`, of which at most `limit` are used for a NAR. Errors call it `name`.
    pub fn new(
        reader: &'a mut dyn Read,
        name: &str,
        limit: u64,
        tee: &'a mut dyn FnMut(&[u8], u64) -> Result<()>,
    ) -> Input<'a> {
        Input {
            reader,
            tee,
            buffer: vec![0; BUFFER_LEN],
            start: 0,
            end: 0,
            position: 0,
            limit,
            sha: Sha256::new(),
            name: name.to_string(),
        }
    }

    /// The hash and the size of what was used, and begins to count anew.
    pub fn finish(&mut self) -> (Hash, u64) {
        let sha = std::mem::take(&mut self.sha);
        let size = std::mem::replace(&mut self.position, 0);
        (Hash(sha.finalize().into()), size)
    }

    /// Whether there is no byte left.
    ///
    /// # Errors
    /// When reading fails.
    pub fn at_end(&mut self) -> Result<bool> {
        Ok(self.fill()? == 0)
    }

    /// An error at the place that was reached.
    pub fn bad(&self, problem: impl Into<String>) -> Error {
        Error::BadNar {
            nar: self.name.clone(),
            position: self.position,
            problem: problem.into(),
        }
    }

    /// How many bytes are ready, after reading some when there are none; none at the end.
    fn fill(&mut self) -> Result<usize> {
        while self.start == self.end {
            match self.reader.read(&mut self.buffer) {
                Ok(0) => return Ok(0),
                Ok(len) => (self.start, self.end) = (0, len),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(read_error(&self.name, self.position, source)),
            }
        }
        Ok(self.end - self.start)
    }

    /// Uses at most `len` bytes: counts, hashes and hands them on.
    fn take(&mut self, len: u64, see: &mut dyn FnMut(&[u8])) -> Result<u64> {
        let ready = self.fill()?;
        if ready == 0 {
            return Err(self.bad("it ends too early"));
        }
        let len = usize::try_from(len).map_or(ready, |len| len.min(ready));
        if self.limit - self.position < len as u64 {
            return Err(self.bad(format!(
                "it has more than {} bytes, the size that was promised",
                self.limit
            )));
        }
        let bytes = &self.buffer[self.start..self.start + len];
        self.sha.update(bytes);
        (self.tee)(bytes, self.position)?;
        see(bytes);
        self.start += len;
        self.position += len as u64;
        Ok(len as u64)
    }

    fn exactly(&mut self, buffer: &mut [u8]) -> Result<()> {
        let mut done = 0;
        while done < buffer.len() {
            let rest = &mut buffer[done..];
            let len = self.take(rest.len() as u64, &mut |bytes| {
                rest[..bytes.len()].copy_from_slice(bytes);
            })?;
            done += usize::try_from(len).unwrap_or(0);
        }
        Ok(())
    }

    /// A number of eight bytes.
    ///
    /// # Errors
    /// When the bytes end.
    pub fn number(&mut self) -> Result<u64> {
        let mut bytes = [0; 8];
        self.exactly(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    /// A string of at most `limit` bytes, which is a `what`.
    ///
    /// # Errors
    /// When it is longer, not padded with zeros, or the bytes end.
    pub fn string(&mut self, limit: usize, what: &str) -> Result<Vec<u8>> {
        let len = self.number()?;
        let len = usize::try_from(len).ok().filter(|len| *len <= limit);
        let len = len.ok_or_else(|| self.bad(format!("a {what} has more than {limit} bytes")))?;
        let mut bytes = vec![0; len];
        self.exactly(&mut bytes)?;
        self.padding(len as u64)?;
        Ok(bytes)
    }

    fn padding(&mut self, len: u64) -> Result<()> {
        let mut zeros = [0; 8];
        let zeros = &mut zeros[..usize::try_from(len.wrapping_neg() % 8).unwrap_or(0)];
        self.exactly(zeros)?;
        if zeros.iter().any(|byte| *byte != 0) {
            return Err(self.bad("the padding of a string is not zeros"));
        }
        Ok(())
    }

    fn word(&mut self) -> Result<Vec<u8>> {
        self.string(WORD_MAX, "word of the grammar")
    }

    fn expect(&mut self, word: &[u8]) -> Result<()> {
        let found = self.word()?;
        if found == word {
            return Ok(());
        }
        Err(self.unexpected(&found, &show(word)))
    }

    fn unexpected(&self, found: &[u8], wanted: &str) -> Error {
        self.bad(format!("'{}' stands where '{wanted}' should", show(found)))
    }
}

/// The error behind a failed read: one of ours that went through a reader, or the system's.
fn read_error(name: &str, position: u64, source: io::Error) -> Error {
    let kind = source.kind();
    match source.downcast::<remote::Error>() {
        Ok(error) => Error::Remote(error),
        Err(source) if kind == io::ErrorKind::UnexpectedEof => Error::BadNar {
            nar: name.to_string(),
            position,
            problem: format!("what it is compressed into ends too early ({source})"),
        },
        Err(source) => Error::ReadNar {
            nar: name.to_string(),
            position,
            source,
        },
    }
}

/// A directory that is being read.
struct Open {
    /// The name of the entry before, which the next one has to follow.
    last: Option<Vec<u8>>,
}

/// Reads one NAR and leaves the input behind its last byte. Memory holds a buffer, and a name for each directory that
/// is open.
///
/// # Errors
/// When the bytes are no NAR that Nix would accept, end too early or cannot be read, or the visitor stops.
pub fn read(input: &mut Input<'_>, visitor: &mut dyn Visitor) -> Result<()> {
    input.expect(MAGIC)?;
    let mut open: Vec<Open> = Vec::new();
    if !node(input, visitor)? {
        return Ok(());
    }
    open.push(Open { last: None });
    while let Some(directory) = open.last_mut() {
        let word = input.word()?;
        match word.as_slice() {
            b")" => {
                open.pop();
                if !open.is_empty() {
                    input.expect(b")")?;
                    visitor.leave();
                }
            }
            b"entry" => {
                input.expect(b"(")?;
                input.expect(b"name")?;
                let name = input.string(NAME_MAX, "name")?;
                if let Some(problem) = bad_name(&name) {
                    return Err(input.bad(format!("{problem}: '{}'", show(&name))));
                }
                if let Some(last) = &directory.last
                    && *last >= name
                {
                    let problem = format!(
                        "'{}' comes after '{}': the names are not sorted",
                        show(&name),
                        show(last)
                    );
                    return Err(input.bad(problem));
                }
                visitor.enter(&name)?;
                directory.last = Some(name);
                input.expect(b"node")?;
                if node(input, visitor)? {
                    if open.len() > DEPTH_MAX {
                        return Err(input.bad(TOO_DEEP));
                    }
                    open.push(Open { last: None });
                } else {
                    input.expect(b")")?;
                    visitor.leave();
                }
            }
            other => return Err(input.unexpected(other, "entry' or ')")),
        }
    }
    Ok(())
}

/// Reads a node up to its end, or a directory up to its first entry. Answers whether it is a directory.
fn node(input: &mut Input<'_>, visitor: &mut dyn Visitor) -> Result<bool> {
    input.expect(b"(")?;
    input.expect(b"type")?;
    let kind = input.word()?;
    match kind.as_slice() {
        b"directory" => {
            visitor.directory()?;
            return Ok(true);
        }
        b"symlink" => {
            input.expect(b"target")?;
            let target = input.string(TARGET_MAX, "link's target")?;
            if let Some(problem) = bad_target(&target) {
                return Err(input.bad(problem));
            }
            visitor.symlink(&target)?;
        }
        b"regular" => {
            let mut word = input.word()?;
            let executable = word == b"executable";
            if executable {
                input.expect(b"")?;
                word = input.word()?;
            }
            if word != b"contents" {
                return Err(input.unexpected(&word, "contents"));
            }
            contents(input, visitor, executable)?;
        }
        other => return Err(input.bad(format!("there is no type '{}'", show(other)))),
    }
    input.expect(b")")?;
    Ok(false)
}

fn contents(input: &mut Input<'_>, visitor: &mut dyn Visitor, executable: bool) -> Result<()> {
    let len = input.number()?;
    let room = input.limit - input.position;
    if len > room {
        return Err(input.bad(format!(
            "a file says that it has {len} bytes, and {room} are left at most"
        )));
    }
    visitor.file(executable, input.position, len)?;
    let mut left = len;
    while left > 0 {
        left -= input.take(left, &mut |bytes| visitor.bytes(bytes))?;
    }
    visitor.file_end();
    input.padding(len)
}
