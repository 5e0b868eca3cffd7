//! One NAR, from a cache into a spool: unpacked, hashed and compared while it comes.

use std::io::{self, Read};

use image::{Content, Kind, NodeId, Tree};
use remote::Remote;
use sha2::{Digest, Sha256};
use transport::decode;

use crate::cache::Fetching;
use crate::download::Kept;
use crate::error::{Difference, Error, Result};
use crate::hash::Hash;
use crate::nar::{self, Input, Unpacked};
use crate::narinfo::Narinfo;

/// A NAR that is to be fetched.
pub(crate) struct Job<'a> {
    /// In the closure.
    pub(crate) position: usize,
    pub(crate) narinfo: &'a Narinfo,
    pub(crate) remote: &'a Remote,
    /// Where its first byte goes in the spool.
    pub(crate) base: u64,
}

/// Fetches a NAR, and once more when what an earlier build left of it turns out to be damaged.
pub(crate) fn fetch(job: &Job, fetching: &Fetching) -> Result<Tree> {
    let kept = fetching.download.and_then(|dir| dir.open(job.narinfo));
    let Some(mut kept) = kept else {
        let stream = open(job, 0)?;
        return unpack(job, stream, fetching);
    };
    let begun = kept.len();
    match from_kept(job, &mut kept, fetching) {
        Ok(tree) => {
            kept.complete()?;
            Ok(tree)
        }
        Err(error) if begun > 0 && is_damage(&error) => {
            kept.clear()?;
            let tree = from_kept(job, &mut kept, fetching)?;
            kept.complete()?;
            Ok(tree)
        }
        Err(error) => {
            // What is wrong must not be found again; what is only incomplete shall be.
            if is_damage(&error) {
                kept.clear()?;
            }
            Err(error)
        }
    }
}

/// What was kept, and what the cache has behind it, which is kept too.
fn from_kept(job: &Job, kept: &mut Kept, fetching: &Fetching) -> Result<Tree> {
    let begun = kept.len();
    let complete = job.narinfo.file_size.is_some_and(|size| begun >= size) || kept.is_complete();
    let (old, mut keep) = kept.halves()?;
    if complete {
        return unpack(job, Box::new(old), fetching);
    }
    let mut rest = open(job, begun)?;
    let copied = Read::chain(
        old,
        Tee {
            reader: &mut rest,
            keep: &mut keep,
        },
    );
    unpack(job, Box::new(copied), fetching)
}

fn open<'a>(job: &Job<'a>, start: u64) -> Result<Box<dyn Read + 'a>> {
    let stream = job.remote.stream(&job.narinfo.url, start)?;
    let stream = stream.ok_or_else(|| Error::NoNar {
        path: job.narinfo.info.path.clone(),
        object: job.remote.name_of(&job.narinfo.url),
    })?;
    Ok(Box::new(stream))
}

/// Whether the bytes are wrong, and not merely out of reach.
fn is_damage(error: &Error) -> bool {
    matches!(
        error,
        Error::BadNar { .. }
            | Error::ReadNar { .. }
            | Error::NarMismatch { .. }
            | Error::NotItsContent { .. }
    )
}

/// More bytes than a NAR can be compressed into.
fn compressed_max(narinfo: &Narinfo) -> u64 {
    let size = narinfo.info.nar_size.unwrap_or(0);
    narinfo
        .file_size
        .unwrap_or(size.saturating_add(size / 8).saturating_add(1 << 20))
}

fn unpack(job: &Job, stream: Box<dyn Read + '_>, fetching: &Fetching) -> Result<Tree> {
    let (narinfo, name) = (job.narinfo, job.remote.name_of(&job.narinfo.url));
    let expected = narinfo.info.nar_size.unwrap_or(0);
    let failed = |source| Error::ReadNar {
        nar: name.clone(),
        position: 0,
        source,
    };
    let stream = stream.take(compressed_max(narinfo));
    let mut reader = decode(narinfo.coding, stream).map_err(failed)?;
    let mut tee = |bytes: &[u8], position: u64| {
        fetching.spool.write_at(bytes, job.base + position)?;
        fetching
            .progress
            .advance(bytes.len() as u64)
            .map_err(image::Error::from)?;
        Ok(())
    };
    let mut input = Input::new(&mut *reader, &name, expected, &mut tee);
    let Unpacked { tree, hash, size } = nar::unpack(&mut input, fetching.spool, job.base)?;
    if !input.at_end()? {
        return Err(input.bad("bytes follow it"));
    }
    if Some(hash) != narinfo.info.nar_hash || size != expected {
        return Err(Error::NarMismatch {
            nar: name,
            difference: Box::new(Difference {
                path: narinfo.info.path.clone(),
                registered_hash: narinfo.info.nar_hash.unwrap_or(hash),
                registered_size: expected,
                found_hash: hash,
                found_size: size,
            }),
        });
    }
    narinfo.check_content(hash, file_hash(&tree)?)?;
    Ok(tree)
}

/// The SHA-256 of a path that is a file.
fn file_hash(tree: &Tree) -> Result<Option<Hash>> {
    let Kind::File(content) = &tree.node(NodeId::ROOT).kind else {
        return Ok(None);
    };
    Ok(Some(Hash(sha256(content)?)))
}

fn sha256(content: &Content) -> Result<[u8; 32]> {
    let (mut sha, mut chunk) = (Sha256::new(), vec![0; 256 << 10]);
    let mut reader = content.reader()?;
    while reader.remaining() > 0 {
        let len = reader.fill(&mut chunk)?;
        sha.update(&chunk[..len]);
    }
    reader.finish()?;
    Ok(sha.finalize().into())
}

/// Keeps what is read.
struct Tee<'a> {
    reader: &'a mut (dyn Read + 'a),
    keep: &'a mut dyn io::Write,
}

impl Read for Tee<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.reader.read(buffer)?;
        self.keep.write_all(&buffer[..len])?;
        Ok(len)
    }
}
