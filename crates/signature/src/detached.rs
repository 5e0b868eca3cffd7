//! Signatures about something that is elsewhere, and may be large: it is hashed piece by piece.

use sha2::{Digest as _, Sha256, Sha384, Sha512};

use crate::algorithm::Hash;
use crate::read::{Parts, detached_parts};
use crate::trust::{Trust, Verified, trusted};
use crate::{Contents, Result};

/// A signature that was taken apart, and is detached from what it signs. Nothing is checked yet.
pub struct Detached(Parts);

/// The digest of what a signature is about, piece by piece.
pub struct Hasher(State);

enum State {
    Sha256(Sha256),
    Sha384(Sha384),
    Sha512(Sha512),
}

impl Detached {
    /// Takes a signature apart.
    ///
    /// # Errors
    /// When it is none, or holds what it signs.
    pub fn read(der: &[u8]) -> Result<Detached> {
        detached_parts(der).map(Detached)
    }

    /// What it holds; its content is empty.
    #[must_use]
    pub fn contents(&self) -> &Contents {
        &self.0.contents
    }

    /// What has to see all bytes that it is about, in order.
    #[must_use]
    pub fn hasher(&self) -> Hasher {
        Hasher(match self.0.hash() {
            Hash::Sha256 => State::Sha256(Sha256::new()),
            Hash::Sha384 => State::Sha384(Sha384::new()),
            Hash::Sha512 => State::Sha512(Sha512::new()),
        })
    }

    /// Checks it as [`verify`](crate::verify()) does, once its [`Hasher`] has seen all bytes.
    ///
    /// # Errors
    /// When they are not the signed ones, the signature is not good, or nobody who is trusted has made it.
    pub fn verify(self, seen: Hasher, trust: &Trust) -> Result<Verified> {
        self.0.check_digest(&seen.finish())?;
        trusted(self.0.contents, trust)
    }
}

impl Hasher {
    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            State::Sha256(hash) => hash.update(bytes),
            State::Sha384(hash) => hash.update(bytes),
            State::Sha512(hash) => hash.update(bytes),
        }
    }

    fn finish(self) -> Vec<u8> {
        match self.0 {
            State::Sha256(hash) => hash.finalize().to_vec(),
            State::Sha384(hash) => hash.finalize().to_vec(),
            State::Sha512(hash) => hash.finalize().to_vec(),
        }
    }
}
