//! Pieces of work beside each other, with the results and the failure of one after the other.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use image::{Cancelled, Progress};

use crate::failure::Failure;

/// How many pieces of work go on at once at most, whatever the number of threads: each has some MiB on their way.
const AT_ONCE_MAX: usize = 4;

/// Several pieces of work.
pub(crate) struct Beside<'a> {
    /// How many threads there are; with one, the pieces are done in their order.
    pub(crate) threads: usize,
    /// Which pieces take long, and all threads for themselves: they begin first, and no two of them go on at once.
    pub(crate) heavy: &'a [bool],
    pub(crate) progress: &'a dyn Progress,
}

impl Beside<'_> {
    /// Does all of them. When some fail, the failure is that of the first one in their order, as if each had waited for the
    /// one before it: those behind one that failed are stopped, and those before it go on.
    pub(crate) fn each<T: Send>(
        &self,
        work: impl Fn(usize, &dyn Progress) -> Result<T, Failure> + Sync,
    ) -> Result<Vec<T>, Failure> {
        let count = self.heavy.len();
        let failed = AtomicUsize::new(count);
        let state = Mutex::new(State {
            begun: vec![false; count],
            heavy: false,
        });
        let results: Vec<Mutex<Option<Result<T, Failure>>>> = (0..count).map(|_| Mutex::default()).collect();
        let workers = self.threads.clamp(1, AT_ONCE_MAX).min(count);
        let lock = |state: &Mutex<State>, act: &dyn Fn(&mut State) -> Option<usize>| {
            act(&mut state.lock().unwrap_or_else(PoisonError::into_inner))
        };
        let work_on = || {
            while let Some(number) = lock(&state, &|state| state.next(self.heavy, workers, &failed)) {
                let progress = Until {
                    failed: &failed,
                    number,
                    progress: self.progress,
                };
                let result = work(number, &progress);
                if result.is_err() {
                    failed.fetch_min(number, Ordering::Relaxed);
                }
                *results[number].lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
                if self.heavy[number] {
                    lock(&state, &|state| {
                        state.heavy = false;
                        None
                    });
                }
            }
        };
        thread::scope(|scope| {
            for _ in 1..workers {
                // Where there is no thread, the others do it.
                let _ = thread::Builder::new().spawn_scoped(scope, work_on);
            }
            work_on();
        });
        let results = results.into_iter();
        let results =
            results.filter_map(|result| result.into_inner().unwrap_or_else(PoisonError::into_inner));
        results.collect()
    }
}

struct State {
    begun: Vec<bool>,
    /// Whether a heavy piece goes on.
    heavy: bool,
}

impl State {
    /// The piece that is done next. Who does a heavy one comes back for the others of them.
    fn next(&mut self, heavy: &[bool], workers: usize, failed: &AtomicUsize) -> Option<usize> {
        let end = failed.load(Ordering::Relaxed);
        let waits = |number: &usize| !self.begun[*number];
        let first = |wanted: bool| (0..end).filter(waits).find(|number| heavy[*number] == wanted);
        let next = if workers == 1 {
            (0..end).find(waits)
        } else {
            first(true).filter(|_| !self.heavy).or_else(|| first(false))
        }?;
        self.begun[next] = true;
        self.heavy |= heavy[next];
        Some(next)
    }
}

/// Stops a piece of work when one before it has failed.
struct Until<'a> {
    failed: &'a AtomicUsize,
    number: usize,
    progress: &'a dyn Progress,
}

impl Progress for Until<'_> {
    /// All of them are one step, which has begun.
    fn begin(&self, _: &str, _: u64) {}

    fn advance(&self, bytes: u64) -> Result<(), Cancelled> {
        if self.failed.load(Ordering::Relaxed) < self.number {
            return Err(Cancelled);
        }
        self.progress.advance(bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use image::Silent;

    use super::*;

    fn each(
        threads: usize,
        heavy: &[bool],
        work: impl Fn(usize, &dyn Progress) -> Result<usize, Failure> + Sync,
    ) -> Result<Vec<usize>, String> {
        let beside = Beside {
            threads,
            heavy,
            progress: &Silent,
        };
        beside.each(work).map_err(|failure| failure.message)
    }

    #[test]
    fn results_come_in_order_and_heavy_work_is_alone_of_its_kind() {
        for threads in [1, 2, 4, 64] {
            let (going_on, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
            let heavies = AtomicUsize::new(0);
            let heavy = [false, true, false, true, false, false, true, false];
            let done = each(threads, &heavy, |number, _| {
                most.fetch_max(going_on.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                if heavy[number] {
                    assert_eq!(heavies.fetch_add(1, Ordering::SeqCst), 0);
                }
                thread::sleep(Duration::from_millis(20));
                if heavy[number] {
                    heavies.fetch_sub(1, Ordering::SeqCst);
                }
                going_on.fetch_sub(1, Ordering::SeqCst);
                Ok(number * 10)
            });
            assert_eq!(done, Ok((0..8).map(|number| number * 10).collect()));
            let most = most.into_inner();
            assert_eq!(most == 1, threads == 1, "{most} at once");
            assert!(most <= AT_ONCE_MAX);
        }
        assert_eq!(each(4, &[], |_, _| Ok(0)), Ok(vec![]));
    }

    /// Whoever fails first: what is told is the failure of the first in order, and what is behind it stops.
    #[test]
    fn the_first_failure_in_order_is_the_failure() {
        for threads in [1, 2, 4] {
            for heavy in [[false; 6], [false, false, false, true, false, true]] {
                let begun = Instant::now();
                let failed = each(threads, &heavy, |number, progress| {
                    match number {
                        1 => thread::sleep(Duration::from_millis(100)),
                        0 | 3 => {}
                        // Without an end of its own.
                        _ => loop {
                            progress.advance(1).map_err(|_| Failure::stopped())?;
                            thread::sleep(Duration::from_millis(1));
                        },
                    }
                    match number {
                        0 => Ok(0),
                        number => Err(Failure::usage(format!("{number}"))),
                    }
                });
                assert_eq!(failed, Err("1".into()), "{threads} {heavy:?}");
                assert!(begun.elapsed() < Duration::from_secs(20));
            }
        }
    }
}
