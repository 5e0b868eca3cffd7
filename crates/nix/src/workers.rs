//! Work that waits for others more than it computes, on threads of its own.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::error::{Error, Result};

/// Does `work` for every item, on at most `threads` threads, and answers in the items' order. After a failure nothing new
/// begins; of several failures the first item's counts.
pub(crate) fn each<T: Sync, R: Send>(
    threads: usize,
    items: &[T],
    work: impl Fn(&T) -> Result<R> + Sync,
) -> Result<Vec<R>> {
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, Result<R>)>> = Mutex::new(Vec::with_capacity(items.len()));
    let run = || {
        while let Some((index, item)) = take(&next, items) {
            let result = work(item);
            if result.is_err() {
                next.store(items.len(), Ordering::Relaxed);
            }
            if let Ok(mut done) = done.lock() {
                done.push((index, result));
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads.clamp(1, items.len().max(1)) {
            // Fewer threads do the same work.
            let _ = std::thread::Builder::new().spawn_scoped(scope, run);
        }
        run();
    });
    let mut done = done.into_inner().map_err(|_| Error::ThreadLost)?;
    done.sort_unstable_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}

fn take<'a, T>(next: &AtomicUsize, items: &'a [T]) -> Option<(usize, &'a T)> {
    let index = next.fetch_add(1, Ordering::Relaxed);
    items.get(index).map(|item| (index, item))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_keep_their_order() {
        let items: Vec<usize> = (0..1000).collect();
        for threads in [0, 1, 7] {
            let doubled = each(threads, &items, |item| Ok(item * 2)).unwrap();
            assert_eq!(doubled, items.iter().map(|item| item * 2).collect::<Vec<_>>());
        }
        assert!(each(3, &[] as &[u8], |_| Ok(())).unwrap().is_empty());
    }

    #[test]
    fn the_first_failure_counts() {
        let items: Vec<usize> = (0..100).collect();
        let begun = AtomicUsize::new(0);
        let failed = each(4, &items, |item| {
            begun.fetch_add(1, Ordering::Relaxed);
            match item {
                0..10 => Ok(()),
                _ => Err(Error::NotText),
            }
        });
        assert!(failed.is_err());
        assert!(begun.into_inner() < 20, "nothing new begins");
    }
}
