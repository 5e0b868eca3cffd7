//! What an update costs: which blocks of the new image are nowhere in the old one.

use std::collections::{BTreeMap, HashSet};

use image::{Content, ReadAt as _, show};
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::store::store_name;
use crate::structures::{Place, Structures};
use crate::{Error, Result, Work};

/// Bytes of a block, as RAUC's adaptive updates and dm-verity have them.
pub const BLOCK_SIZE: usize = 4096;

/// Bytes that are hashed at once.
const WINDOW: usize = 4 << 20;

/// As much of a block's SHA-256 as tells blocks apart here.
type Key = [u8; 16];

/// What an update from one image to another costs a device that has the first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// The new image's blocks.
    pub blocks: u64,
    /// Those that are not what is at their place in the old one: what has to be written.
    pub changed: u64,
    /// Those that are nowhere in the old one: what has to be fetched.
    pub new: u64,
    /// The bytes of those, by what they belong to: a package, a file, or a structure.
    pub causes: BTreeMap<String, u64>,
}

/// Compares the blocks of two images.
///
/// # Errors
/// When reading fails, or work is stopped.
pub fn cost(old: &Content, new: &Content, structures: &Structures, work: &Work) -> Result<Cost> {
    let mut before = Vec::new();
    each(old, work, &mut |keys| before.extend_from_slice(keys))?;
    let known: HashSet<&Key> = before.iter().collect();
    let mut cost = Cost::default();
    let size = BLOCK_SIZE as u64;
    each(new, work, &mut |keys| {
        for key in keys {
            let index = cost.blocks;
            cost.blocks += 1;
            let old = usize::try_from(index).ok().and_then(|index| before.get(index));
            cost.changed += u64::from(old != Some(key));
            if !known.contains(key) {
                cost.new += 1;
                let start = index * size;
                let len = size.min(new.len() - start);
                let cause = structures.within(start..start + len).map_or_else(unknown, cause);
                *cost.causes.entry(cause).or_default() += len;
            }
        }
    })?;
    Ok(cost)
}

fn unknown() -> String {
    "bytes that belong to nothing known".into()
}

/// A package, a file, or a structure without its number.
fn cause(place: Place) -> String {
    match place.path {
        Some(path) if place.what != "directory" => store_name(&path).unwrap_or_else(|| show(&path)),
        Some(_) => "directories".into(),
        None if place.what.starts_with("node of ") => {
            let tree = place.what.split(", level ").next().unwrap_or_default();
            tree.replacen("node", "nodes", 1)
        }
        None => match place.what.split_once(" of group ") {
            Some((what, _)) if what.ends_with('s') => what.into(),
            Some((what, _)) => format!("{what}s"),
            None => place.what,
        },
    }
}

/// Hands on the keys of all blocks, in order.
fn each(content: &Content, work: &Work, take: &mut dyn FnMut(&[Key])) -> Result<()> {
    let zero = key(&[0; BLOCK_SIZE]);
    let mut window = vec![0; WINDOW];
    let mut start = 0;
    while start < content.len() {
        let len = usize::try_from(content.len() - start).map_or(WINDOW, |rest| rest.min(WINDOW));
        let part = &mut window[..len];
        content.read_exact_at(part, start).map_err(Error::Read)?;
        let keys = part.par_chunks(BLOCK_SIZE).map(|block| {
            if block.len() == BLOCK_SIZE && block.iter().all(|byte| *byte == 0) {
                zero
            } else {
                key(block)
            }
        });
        take(&keys.collect::<Vec<Key>>());
        work.progress.advance(len as u64).map_err(image::Error::from)?;
        start += len as u64;
    }
    Ok(())
}

fn key(block: &[u8]) -> Key {
    let digest: [u8; 32] = Sha256::digest(block).into();
    digest.first_chunk().copied().unwrap_or_default()
}
