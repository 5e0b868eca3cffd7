//! Signatures about something that is elsewhere, with nothing else signed: Linux accepts only these for root hashes.

use crate::read::{BareParts, bare_parts};
use crate::trust::{SigningTime, Trust, Verified, trusted};
use crate::{Contents, Result};

/// A detached signature without attributes that was taken apart. Nothing is checked yet.
pub struct Bare(BareParts);

impl Bare {
    /// Takes a signature apart: DER.
    ///
    /// # Errors
    /// When it is none, holds what it signs, or has attributes.
    pub fn read(der: &[u8]) -> Result<Bare> {
        bare_parts(der).map(Bare)
    }

    /// What it holds; its content is empty, and it has no time.
    #[must_use]
    pub fn contents(&self) -> &Contents {
        &self.0.contents
    }

    /// Checks that the signer whose certificate is in it has signed these bytes. Whether anybody trusts it is not asked.
    ///
    /// # Errors
    /// When it has not.
    pub fn check(&self, content: &[u8]) -> Result<()> {
        self.0.check(content)
    }

    /// Checks it, and that a chain of certificates leads from its signer to a trusted one. It has no signing time, so
    /// [`Trust::at`] has to be a time, and [`Trust::signing_time`] is not asked.
    ///
    /// # Errors
    /// When that is not so.
    pub fn verify(self, content: &[u8], trust: &Trust) -> Result<Verified> {
        self.check(content)?;
        let trust = Trust {
            signing_time: SigningTime::Optional,
            ..trust.clone()
        };
        trusted(self.0.contents, &trust)
    }
}
