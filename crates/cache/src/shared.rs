//! Segments that others have made and put somewhere far away.

use std::io::Read;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use remote::{Options, Remote};

use crate::folder::object;
use crate::key::{Checksum, Key};
use crate::warnings::Warnings;
use crate::{Error, entry};

/// How many bytes are fetched between two looks at whether they are still wanted.
const CHUNK: usize = 64 << 10;

/// Segments at an address, as a [`Cache`](crate::Cache) has them in its folder.
///
/// Whoever writes there is not believed. Unlike a digest, which says only that an entry is as it was made, a look at
/// the decompressed blocks says that they are what they shall be; that look is up to whoever fetches.
#[derive(Debug)]
pub struct Shared {
    remote: Remote,
    /// It has failed, and is not asked again.
    down: AtomicBool,
    fetched: AtomicU64,
    warnings: Warnings,
}

/// Takes a segment's bytes, one part after the other, until it answers false. With each part it hears how many bytes all
/// parts are said to have, when the place says so.
pub type Take<'a> = dyn FnMut(Option<u64>, &[u8]) -> bool + 'a;

/// A segment that was fetched.
#[derive(Debug)]
pub struct Fetched {
    /// The bytes of all blocks.
    pub len: u64,
    /// A word for each block.
    pub sizes: Vec<u32>,
    /// The [`Checksum`] of all that.
    pub digest: [u8; 32],
}

impl Shared {
    /// Gets ready to ask; nothing is asked yet.
    ///
    /// # Errors
    /// When the address makes no sense.
    pub fn open(address: &str, options: &Options) -> Result<Shared, Error> {
        Ok(Shared {
            remote: Remote::open(address, options)?,
            down: AtomicBool::new(false),
            fetched: AtomicU64::new(0),
            warnings: Warnings::default(),
        })
    }

    /// The segment of a key, when it is there: so many blocks, of at most `most` bytes together, which `take` gets.
    /// What is not there, cannot be reached or is damaged is none.
    pub fn fetch(&self, key: &Key, blocks: usize, most: u64, take: &mut Take) -> Option<Fetched> {
        if self.down.load(Ordering::Relaxed) {
            return None;
        }
        match self.transfer(key, blocks, most, take) {
            Ok(Ok(fetched)) => {
                if fetched.is_some() {
                    self.fetched.fetch_add(1, Ordering::Relaxed);
                }
                fetched
            }
            Ok(Err(problem)) => {
                self.reject(key, &problem);
                None
            }
            Err(problem) => {
                if !self.down.swap(true, Ordering::Relaxed) {
                    self.warnings
                        .add(format!("{problem}; this shared cache is not asked any more"));
                }
                None
            }
        }
    }

    /// Hears that what was fetched for a key is not what it should be.
    pub fn reject(&self, key: &Key, problem: &str) {
        let name = self.remote.name_of(&object(key));
        self.warnings
            .add(format!("{name}: damaged, and made anew: {problem}"));
    }

    /// What the user should know.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        self.warnings.take()
    }

    /// How many segments were fetched.
    #[must_use]
    pub fn fetched(&self) -> u64 {
        self.fetched.load(Ordering::Relaxed)
    }

    /// One transfer. The outer error is the place's, the inner one the entry's.
    fn transfer(
        &self,
        key: &Key,
        blocks: usize,
        most: u64,
        take: &mut Take,
    ) -> Result<Result<Option<Fetched>, String>, String> {
        let object = object(key);
        let stream = self.remote.stream(&object, 0);
        let Some(mut stream) = stream.map_err(|error| error.to_string())? else {
            return Ok(Ok(None));
        };
        if let Some(encoding) = stream.encoding() {
            return Ok(Err(format!("the server sends it compressed with {encoding}")));
        }
        let mut checksum = Checksum::new(key);
        // What may be the end of the entry is held back.
        let tail = entry::tail_len(blocks);
        let stated = stream.left().and_then(|left| left.checked_sub(tail as u64));
        let stated = stated.filter(|stated| *stated <= most);
        let mut held = Vec::new();
        let mut chunk = vec![0; CHUNK];
        let mut len = 0;
        loop {
            let got = stream.read(&mut chunk).map_err(|error| error.to_string())?;
            if got == 0 {
                break;
            }
            held.extend_from_slice(&chunk[..got]);
            let known = held.len().saturating_sub(tail);
            len += known as u64;
            if len > most {
                return Ok(Err(format!("it has more than {most} bytes of blocks")));
            }
            checksum.add(&held[..known]);
            if !take(stated, &held[..known]) {
                return Ok(Ok(None));
            }
            held.drain(..known);
        }
        Ok(entry::end(&held, len, blocks, key).and_then(|(sizes, digest)| {
            if checksum.finish(&sizes) != digest {
                return Err("its bytes do not have the digest that it states".into());
            }
            Ok(Some(Fetched { len, sizes, digest }))
        }))
    }
}
