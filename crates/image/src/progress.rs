//! Progress of long work, and the way to stop it.

/// The user asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cancelled;

impl From<Cancelled> for crate::Error {
    fn from(_: Cancelled) -> Self {
        crate::Error::Cancelled
    }
}

/// Hears how far long work is. Called from many threads.
pub trait Progress: Sync {
    /// A step of `total` bytes begins; the step before it is over.
    fn begin(&self, step: &str, total: u64);
    /// `bytes` more of the step are done. An answer of [`Cancelled`] stops the work.
    fn advance(&self, bytes: u64) -> Result<(), Cancelled>;
}

/// Hears nothing and stops nothing.
pub struct Silent;

impl Progress for Silent {
    fn begin(&self, _: &str, _: u64) {}
    fn advance(&self, _: u64) -> Result<(), Cancelled> {
        Ok(())
    }
}
