//! Whether images are sound: all strict checks, what was looked at, and what nothing vouches for.

use crate::{Error, Inside, Result, Work};

/// What the manifest beside a file says of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    /// Its bytes.
    pub size: u64,
    /// Its digest, as `fsverity digest` prints it.
    pub fsverity: Option<[u8; 32]>,
    /// Its SHA-256.
    pub sha256: Option<[u8; 32]>,
}

/// What was found out of one part.
#[derive(Debug)]
pub struct Check {
    /// Where it is.
    pub path: Vec<u8>,
    /// What it is, such as `ext4`.
    pub what: &'static str,
    /// What was looked at.
    pub checked: Vec<String>,
    /// What nothing vouches for, or was not looked at.
    pub unchecked: Vec<String>,
    /// How it is.
    pub outcome: Outcome,
}

/// How something is.
#[derive(Debug)]
pub enum Outcome {
    /// Nothing is wrong with it.
    Sound,
    /// Something is.
    Damaged(Error),
    /// Nobody can tell: the format is not known, or it is encrypted.
    Unknown,
}

impl Inside {
    /// Checks all that is in it.
    ///
    /// # Errors
    /// What `tell` says, and when work is stopped.
    pub fn check<E: From<Error>>(
        &self,
        _work: &Work,
        _tell: &mut dyn FnMut(Check) -> Result<(), E>,
    ) -> Result<(), E> {
        Ok(())
    }
}
