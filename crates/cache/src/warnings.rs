//! What users should know of the places of segments, gathered by many threads.

use std::sync::{Mutex, PoisonError};

#[derive(Debug, Default)]
pub(crate) struct Warnings(Mutex<Vec<String>>);

impl Warnings {
    pub(crate) fn add(&self, warning: String) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(warning);
    }

    /// All that were added since the last time, sorted.
    pub(crate) fn take(&self) -> Vec<String> {
        let mut warnings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut warnings = std::mem::take(&mut *warnings);
        warnings.sort();
        warnings
    }
}
