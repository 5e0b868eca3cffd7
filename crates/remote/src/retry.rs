//! What is tried again, and when.

use std::time::Duration;

use crate::Options;

/// How often, and with which pauses, something is tried.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Retry {
    tries: u32,
    pause: Duration,
    /// How often it has failed.
    pub(crate) failed: u32,
}

/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(20);

impl Retry {
    pub(crate) fn new(options: &Options) -> Retry {
        Retry {
            tries: options.tries.max(1),
            pause: options.pause,
            failed: 0,
        }
    }

    /// Waits before the next try; answers whether there is one.
    pub(crate) fn again(&mut self) -> bool {
        self.failed += 1;
        if self.failed >= self.tries {
            return false;
        }
        std::thread::sleep(self.pause);
        self.pause = (self.pause * 2).min(PAUSE_MAX);
        true
    }
}

/// Whether an answer may be another one soon.
pub(crate) fn may_pass(status: u16) -> bool {
    matches!(status, 408 | 425 | 429 | 500..=599)
}
