//! Who keeps whom: chains from the toplevel, and what would go if something went.
//!
//! ```text
//!  toplevel ─► etc ──────► bash ─► glibc      bash would take readline with it: nothing else leads there.
//!      └─────► systemd ─┐   └───► readline    glibc goes with nothing but the toplevel: two ways lead there.
//!                       └───────► glibc
//! ```
//!
//! What every way from the toplevel to a path goes through *dominates* it; the nearest of these is its keeper. Keepers make a
//! tree, and what hangs below a path in it is what only that path keeps. (Cooper, Harvey, Kennedy: A Simple, Fast Dominance
//! Algorithm.)

use std::collections::VecDeque;

use crate::model::StorePath;

/// What the references of a closure lead to.
struct Graph {
    /// Where ways begin.
    roots: Vec<usize>,
    /// For each path, those that refer to it.
    referrers: Vec<Vec<usize>>,
}

/// Fills in what follows from the references: the ways, the keepers, and what would go. References beyond the list, and of a
/// path to itself, must be gone.
pub(crate) fn follow(paths: &mut [StorePath], toplevel: Option<usize>) {
    let graph = Graph::new(paths, toplevel);
    graph.shortest(paths);
    let order = graph.order(paths);
    let keepers = graph.keepers(&order, paths.len());
    for path in paths.iter_mut() {
        path.retained = path.bytes;
        path.retained_paths = 1;
    }
    // What is kept comes behind its keeper in the order.
    for path in order.iter().rev() {
        let keeper = keepers[*path];
        paths[*path].keeper = keeper;
        if let Some(keeper) = keeper {
            let (bytes, count) = (paths[*path].retained, paths[*path].retained_paths);
            paths[keeper].retained = paths[keeper].retained.plus(bytes);
            paths[keeper].retained_paths += count;
        }
    }
}

impl Graph {
    fn new(paths: &[StorePath], toplevel: Option<usize>) -> Graph {
        let mut referrers = vec![Vec::new(); paths.len()];
        for (number, path) in paths.iter().enumerate() {
            for reference in &path.references {
                referrers[*reference].push(number);
            }
        }
        let alone = (0..paths.len()).filter(|number| referrers[*number].is_empty());
        let roots = match toplevel {
            Some(toplevel) => std::iter::once(toplevel)
                .chain(alone.filter(|number| *number != toplevel))
                .collect(),
            None => alone.collect(),
        };
        Graph { roots, referrers }
    }

    /// Ways with the fewest steps.
    fn shortest(&self, paths: &mut [StorePath]) {
        let mut met = vec![false; paths.len()];
        let mut waiting = VecDeque::new();
        // Ways from the first root come before others, however short these are.
        for root in &self.roots {
            met[*root] = true;
        }
        for root in &self.roots {
            waiting.push_back(*root);
            while let Some(number) = waiting.pop_front() {
                for index in 0..paths[number].references.len() {
                    let reference = paths[number].references[index];
                    if !met[reference] {
                        met[reference] = true;
                        paths[reference].via = Some(number);
                        waiting.push_back(reference);
                    }
                }
            }
        }
        for (path, met) in paths.iter_mut().zip(met) {
            path.loose = !met;
        }
    }

    /// What can be reached, each behind something that leads to it: the reverse of the order in which one is done with them.
    fn order(&self, paths: &[StorePath]) -> Vec<usize> {
        let mut met = vec![false; paths.len()];
        let mut done = Vec::new();
        for root in self.roots.iter().rev() {
            if std::mem::replace(&mut met[*root], true) {
                continue;
            }
            let mut open = vec![(*root, 0)];
            while let Some((number, next)) = open.last_mut() {
                let number = *number;
                let Some(reference) = paths[number].references.get(*next).copied() else {
                    done.push(number);
                    open.pop();
                    continue;
                };
                *next += 1;
                if !std::mem::replace(&mut met[reference], true) {
                    open.push((reference, 0));
                }
            }
        }
        done.reverse();
        done
    }

    /// The keeper of each path; none of what only all roots together keep.
    fn keepers(&self, order: &[usize], count: usize) -> Vec<Option<usize>> {
        // A place in front of the order stands for all roots.
        let mut place = vec![usize::MAX; count];
        for (index, number) in order.iter().enumerate() {
            place[*number] = index + 1;
        }
        let mut is_root = vec![false; count];
        for root in &self.roots {
            is_root[*root] = true;
        }
        let mut keeper: Vec<Option<usize>> = vec![None; order.len() + 1];
        keeper[0] = Some(0);
        let mut changed = true;
        while changed {
            changed = false;
            for (index, number) in order.iter().enumerate() {
                let mut found = is_root[*number].then_some(0);
                for referrer in &self.referrers[*number] {
                    let referrer = place[*referrer];
                    if keeper.get(referrer).is_some_and(Option::is_some) {
                        found = Some(found.map_or(referrer, |found| common(&keeper, found, referrer)));
                    }
                }
                if keeper[index + 1] != found {
                    keeper[index + 1] = found;
                    changed = true;
                }
            }
        }
        let mut keepers = vec![None; count];
        for (index, number) in order.iter().enumerate() {
            let place = keeper[index + 1].and_then(|place| place.checked_sub(1));
            keepers[*number] = place.and_then(|place| order.get(place).copied());
        }
        keepers
    }
}

/// The nearest that keeps both.
fn common(keeper: &[Option<usize>], mut one: usize, mut other: usize) -> usize {
    while one != other {
        while one > other {
            one = keeper[one].unwrap_or(0);
        }
        while other > one {
            other = keeper[other].unwrap_or(0);
        }
    }
    one
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Bytes;
    use proptest::prelude::*;

    /// What remains if nothing referred to a path any more, for tests: everything that can still be reached.
    fn left_without(paths: &[StorePath], roots: &[usize], gone: usize) -> Bytes {
        let mut met = vec![false; paths.len()];
        let mut waiting: Vec<usize> = roots.iter().copied().filter(|root| *root != gone).collect();
        let mut sum = Bytes::default();
        while let Some(number) = waiting.pop() {
            if std::mem::replace(&mut met[number], true) {
                continue;
            }
            sum = sum.plus(paths[number].bytes);
            waiting.extend(paths[number].references.iter().filter(|other| **other != gone));
        }
        sum
    }

    fn graph(edges: &[Vec<usize>]) -> Vec<StorePath> {
        let path = |(number, references): (usize, &Vec<usize>)| StorePath {
            name: number.to_string(),
            bytes: Bytes {
                image: 1 << number,
                unpacked: 2 << number,
            },
            references: references.clone(),
            ..StorePath::default()
        };
        edges.iter().enumerate().map(path).collect()
    }

    #[test]
    fn the_drawing_above_is_true() {
        // toplevel, etc, systemd, bash, readline, glibc
        let mut paths = graph(&[vec![1, 2], vec![3], vec![5], vec![4, 5], vec![5], vec![]]);
        follow(&mut paths, Some(0));
        let keepers: Vec<_> = paths.iter().map(|path| path.keeper).collect();
        assert_eq!(keepers, [None, Some(0), Some(0), Some(1), Some(3), Some(0)]);
        let via: Vec<_> = paths.iter().map(|path| path.via).collect();
        assert_eq!(via, [None, Some(0), Some(0), Some(1), Some(3), Some(2)]);
        assert_eq!(paths[3].retained.image, 0b01_1000);
        assert_eq!(paths[3].retained_paths, 2);
        assert_eq!(paths[0].retained_paths, 6);
    }

    proptest! {
        #[test]
        fn what_would_go_is_what_cannot_be_reached_without_it(
            edges in proptest::collection::vec(proptest::collection::btree_set(0_usize..12, 0..4), 12),
            has_toplevel in any::<bool>(),
        ) {
            let edges: Vec<Vec<usize>> = edges
                .iter()
                .enumerate()
                .map(|(number, edges)| edges.iter().copied().filter(|edge| *edge != number).collect())
                .collect();
            let mut paths = graph(&edges);
            let toplevel = has_toplevel.then_some(0);
            let roots = Graph::new(&paths, toplevel).roots;
            follow(&mut paths, toplevel);
            let all = left_without(&paths, &roots, usize::MAX);
            for (number, path) in paths.iter().enumerate() {
                if path.loose {
                    continue;
                }
                let left = left_without(&paths, &roots, number);
                prop_assert_eq!(path.retained.image, all.image - left.image);
                prop_assert_eq!(path.retained.unpacked, all.unpacked - left.unpacked);
                // The way leads back to a root.
                let (mut at, mut steps) = (number, 0);
                while let Some(via) = paths[at].via {
                    prop_assert!(paths[via].references.contains(&at));
                    (at, steps) = (via, steps + 1);
                    prop_assert!(steps < 12);
                }
                prop_assert!(roots.contains(&at));
            }
        }
    }
}
