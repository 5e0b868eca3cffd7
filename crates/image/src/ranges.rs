//! Which bytes of a file are taken: runs that neither overlap nor touch.

use std::collections::BTreeMap;
use std::ops::Range;

/// A set of bytes, as runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ranges {
    /// Each run's end, by its start.
    runs: BTreeMap<u64, u64>,
}

impl Ranges {
    /// Adds a run, some of which may be there.
    pub(crate) fn add(&mut self, run: Range<u64>) {
        let Range { mut start, mut end } = run;
        if start >= end {
            return;
        }
        while let Some((first, last)) = self.runs.range(..=end).next_back() {
            let (first, last) = (*first, *last);
            if last < start {
                break;
            }
            (start, end) = (start.min(first), end.max(last));
            self.runs.remove(&first);
        }
        self.runs.insert(start, end);
    }

    /// Removes a run, some of which may not be there.
    pub(crate) fn remove(&mut self, run: Range<u64>) {
        if run.is_empty() {
            return;
        }
        let behind = self.runs.split_off(&run.end);
        let last = self.runs.last_key_value().map(|(_, end)| *end);
        self.cut(run.start);
        if let Some(end) = last.filter(|end| *end > run.end) {
            self.runs.insert(run.end, end);
        }
        self.runs.extend(behind);
    }

    /// Whether all of a run is there.
    pub(crate) fn holds(&self, run: Range<u64>) -> bool {
        let before = self.runs.range(..=run.start).next_back();
        run.is_empty() || before.is_some_and(|(_, end)| *end >= run.end)
    }

    /// Whether all of these are there.
    pub(crate) fn hold_all(&self, others: &Ranges) -> bool {
        others.runs.iter().all(|(start, end)| self.holds(*start..*end))
    }

    /// Removes everything from a byte on.
    pub(crate) fn cut(&mut self, at: u64) {
        drop(self.runs.split_off(&at));
        if let Some(mut last) = self.runs.last_entry()
            && *last.get() > at
        {
            last.insert(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn runs_are_the_bytes(
            runs in prop::collection::vec((0..60_usize, 0..20_usize), 0..12),
            (hole, len) in (0..60_usize, 0..20_usize),
            at in 0..80_usize,
        ) {
            let mut plain = [false; 80];
            let mut ranges = Ranges::default();
            for (start, len) in runs {
                plain[start..start + len].fill(true);
                ranges.add(start as u64..(start + len) as u64);
            }
            prop_assert_eq!(
                ranges.holds(hole as u64..(hole + len) as u64),
                plain[hole..hole + len].iter().all(|is_there| *is_there)
            );
            plain[hole..hole + len].fill(false);
            ranges.remove(hole as u64..(hole + len) as u64);
            plain[at..].fill(false);
            ranges.cut(at as u64);
            let mut found = [false; 80];
            for (start, end) in &ranges.runs {
                found[usize::try_from(*start).unwrap()..usize::try_from(*end).unwrap()].fill(true);
            }
            prop_assert_eq!(plain, found);
            // None of them touch.
            let ends: Vec<u64> = ranges.runs.values().copied().collect();
            prop_assert!(ranges.runs.keys().skip(1).zip(&ends).all(|(start, end)| start > end));
        }
    }
}
