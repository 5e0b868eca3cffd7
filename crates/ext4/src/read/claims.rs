//! Who uses which blocks.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::ops::Range;

/// The blocks that were found in use so far. Its size grows with what was found, not with what an image claims.
#[derive(Debug, Default)]
pub(super) struct Claims {
    /// Runs of blocks of one owner, by their first block.
    taken: BTreeMap<u64, (u64, Owner)>,
    /// Blocks of attributes that several inodes may have, by number.
    shared: BTreeMap<u64, Shared>,
}

/// Who uses a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// The file system: copies of the superblock, descriptors, bitmaps, inode tables.
    System,
    /// The inode of this number.
    Inode(u32),
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Owner::System => f.write_str("the file system itself"),
            Owner::Inode(number) => write!(f, "inode {number}"),
        }
    }
}

/// A block that has another owner already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Taken {
    block: u64,
    owner: Owner,
}

impl fmt::Display for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "block {} is in use twice, the other time by {}",
            self.block, self.owner
        )
    }
}

/// A block of attributes.
#[derive(Debug)]
pub(super) struct Shared {
    /// Inodes that have it, as far as they were found.
    pub(super) users: u32,
    /// How many it says have it.
    pub(super) refcount: u32,
}

impl Claims {
    /// Takes blocks that nobody may have so far.
    pub(super) fn claim(&mut self, blocks: Range<u64>, owner: Owner) -> Result<(), Taken> {
        let Range { mut start, mut end } = blocks;
        if start >= end {
            return Ok(());
        }
        let before = self.taken.range(..=start).next_back();
        let before = before.map(|(first, (end, owner))| (*first, *end, *owner));
        if let Some((_, taken_end, other)) = before
            && taken_end > start
        {
            return Err(Taken {
                block: start,
                owner: other,
            });
        }
        let after = self.taken.range(start..).next();
        let after = after.map(|(first, (end, owner))| (*first, *end, *owner));
        if let Some((first, _, other)) = after
            && first < end
        {
            return Err(Taken {
                block: first,
                owner: other,
            });
        }
        if let Some((first, taken_end, other)) = before
            && (taken_end, other) == (start, owner)
        {
            start = first;
        }
        if let Some((first, taken_end, other)) = after
            && (first, other) == (end, owner)
        {
            self.taken.remove(&first);
            end = taken_end;
        }
        self.taken.insert(start, (end, owner));
        Ok(())
    }

    /// Takes a block of attributes that may be shared; answers how many have it now.
    pub(super) fn share(&mut self, block: u64, refcount: u32, owner: Owner) -> Result<u32, Taken> {
        match self.shared.entry(block) {
            Entry::Occupied(mut shared) => {
                let shared = shared.get_mut();
                shared.users += 1;
                return Ok(shared.users);
            }
            Entry::Vacant(vacant) => {
                vacant.insert(Shared { users: 1, refcount });
            }
        }
        self.claim(block..block.saturating_add(1), owner)?;
        Ok(1)
    }

    /// The blocks in use of a range, in order.
    pub(super) fn within(&self, range: Range<u64>) -> impl Iterator<Item = (Range<u64>, Owner)> {
        let before = self.taken.range(..range.start).next_back();
        let inside = self.taken.range(range.clone());
        before
            .into_iter()
            .chain(inside)
            .map(move |(first, (end, owner))| ((*first).max(range.start)..(*end).min(range.end), *owner))
            .filter(|(blocks, _)| !blocks.is_empty())
    }

    /// The blocks of attributes, by number.
    pub(super) fn shared(&self) -> impl Iterator<Item = (u64, &Shared)> {
        self.shared.iter().map(|(block, shared)| (*block, shared))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_have_one_owner() {
        let (a, b) = (Owner::Inode(1), Owner::Inode(2));
        let mut claims = Claims::default();
        claims.claim(10..20, a).unwrap();
        claims.claim(30..40, b).unwrap();
        claims.claim(20..25, a).unwrap();
        claims.claim(25..30, a).unwrap();
        assert_eq!(claims.taken.len(), 2);
        let taken = |block, owner| Err(Taken { block, owner });
        assert_eq!(claims.claim(29..31, b), taken(29, a));
        assert_eq!(claims.claim(0..100, b), taken(10, a));
        assert_eq!(claims.claim(0..11, b), taken(10, a));
        assert_eq!(claims.claim(35..36, b), taken(35, b));
        let within: Vec<_> = claims.within(5..35).collect();
        assert_eq!(within, [(10..30, a), (30..35, b)]);
        assert_eq!(claims.within(15..16).count(), 1);
        assert_eq!(claims.within(40..50).count(), 0);
        assert_eq!(claims.share(50, 2, a), Ok(1));
        assert_eq!(claims.share(50, 2, b), Ok(2));
        assert_eq!(claims.claim(50..51, b), taken(50, a));
    }
}
