//! How fast bytes come and go.

use std::io::{self, ErrorKind, Read};
use std::time::{Duration, Instant};

use crate::Slow;

/// How every complaint begins.
pub(crate) const TOO_SLOW: &str = "the connection is too slow";

/// Counts bytes and the time that was spent on them, window by window.
#[derive(Debug)]
pub(crate) struct Pace {
    slow: Slow,
    bytes: u64,
    spent: Duration,
}

impl Pace {
    pub(crate) fn new(slow: Slow) -> Pace {
        Pace {
            slow,
            bytes: 0,
            spent: Duration::ZERO,
        }
    }

    /// Notes what passed in which time. When that was too little, what to say of it.
    pub(crate) fn note(&mut self, bytes: usize, time: Duration) -> Option<String> {
        self.bytes += bytes as u64;
        self.spent += time;
        if self.spent < self.slow.time {
            return None;
        }
        let time = std::mem::take(&mut self.spent);
        let bytes = u128::from(std::mem::take(&mut self.bytes));
        let rate = bytes * 1000 / time.as_millis().max(1);
        (rate < u128::from(self.slow.bytes_per_second)).then(|| {
            format!(
                "{TOO_SLOW}: {rate} bytes a second for {} s, the least is {}",
                time.as_secs(),
                self.slow.bytes_per_second
            )
        })
    }
}

/// What is sent: the time between two reads is that of sending.
pub(crate) struct Sent<R> {
    inner: R,
    pace: Pace,
    last: Option<(Instant, usize)>,
}

impl<R: Read> Sent<R> {
    pub(crate) fn new(inner: R, slow: Slow) -> Sent<R> {
        Sent {
            inner,
            pace: Pace::new(slow),
            last: None,
        }
    }
}

impl<R: Read> Read for Sent<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some((since, len)) = self.last
            && let Some(problem) = self.pace.note(len, since.elapsed())
        {
            return Err(io::Error::new(ErrorKind::TimedOut, problem));
        }
        let len = self.inner.read(buffer)?;
        self.last = Some((Instant::now(), len));
        Ok(len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_decides_and_not_a_pause() {
        let mut pace = Pace::new(Slow {
            bytes_per_second: 100,
            time: Duration::from_secs(10),
        });
        let second = Duration::from_secs(1);
        for _ in 0..9 {
            assert_eq!(pace.note(1, second), None);
        }
        assert_eq!(pace.note(991, second), None, "1000 bytes in ten seconds");
        assert_eq!(pace.note(0, 9 * second), None);
        assert_eq!(
            pace.note(999, second).as_deref(),
            Some("the connection is too slow: 99 bytes a second for 10 s, the least is 100")
        );
        // A new window begins.
        assert_eq!(pace.note(0, 9 * second), None);
    }
}
