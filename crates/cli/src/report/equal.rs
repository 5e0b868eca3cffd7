//! Files with the same bytes, anywhere in the image.

use std::collections::BTreeMap;

use image::Data;
use inspect::Work;
use rayon::prelude::*;
use report::{Bytes, Equal};

use super::collect::Collected;
use super::data::digest;
use super::files::Candidate;

/// Shorter files are not compared: nobody would miss them.
const LEN_MIN: u64 = 4096;
/// Of files of the same length, so many bytes are compared before all of them are.
const HEAD: u64 = 4096;

/// Finds them. What cannot be read is a problem of its own.
pub(super) fn find(collected: &mut Collected, work: &Work) -> inspect::Result<Vec<Equal>> {
    let candidates = std::mem::take(&mut collected.candidates);
    let len = |index: &usize| candidates[*index].content.len();
    let long = (0..candidates.len()).filter(|index| len(index) >= LEN_MIN);
    let alike = several(long.map(|index| (len(&index), index)));
    let heads = digests(&alike, &candidates, HEAD, work, collected)?;
    let alike = several(
        heads
            .into_iter()
            .map(|(index, digest)| ((len(&index), digest), index)),
    );
    let wholes = digests(&alike, &candidates, u64::MAX, work, collected)?;
    let mut groups: BTreeMap<(u64, [u8; 32]), Vec<usize>> = BTreeMap::new();
    for (index, digest) in wholes {
        groups.entry((len(&index), digest)).or_default().push(index);
    }
    groups.retain(|_, group| group.len() > 1);
    let groups = groups.into_iter();
    Ok(groups
        .map(|((size, _), group)| equal(size, &group, &candidates))
        .collect())
}

/// Those that share their key with another one, in their order.
fn several<K: Ord>(keyed: impl Iterator<Item = (K, usize)>) -> Vec<usize> {
    let mut groups: BTreeMap<K, Vec<usize>> = BTreeMap::new();
    for (key, index) in keyed {
        groups.entry(key).or_default().push(index);
    }
    let mut several: Vec<usize> = groups
        .into_values()
        .filter(|group| group.len() > 1)
        .flatten()
        .collect();
    several.sort_unstable();
    several
}

/// The digests of the first bytes of files, as far as they can be read.
fn digests(
    files: &[usize],
    candidates: &[Candidate],
    max: u64,
    work: &Work,
    collected: &mut Collected,
) -> inspect::Result<Vec<(usize, [u8; 32])>> {
    let len = |index: &usize| Data::of(&candidates[*index].content).len_before(max);
    if !files.is_empty() {
        let total = files.iter().map(len).fold(0, u64::saturating_add);
        work.progress.begin("compare files", total);
    }
    let digest = |index: &usize| {
        let digest = digest(&candidates[*index].content, max, work);
        match digest {
            Err(inspect::Error::Image(image::Error::Cancelled)) => Err(image::Error::Cancelled.into()),
            digest => Ok((*index, digest)),
        }
    };
    let all: Vec<_> = files.par_iter().map(digest).collect::<inspect::Result<_>>()?;
    let mut digests = Vec::new();
    for (index, digest) in all {
        match digest {
            Ok(digest) => digests.push((index, digest)),
            Err(error) => collected.problem(candidates[index].path.as_bytes(), error),
        }
    }
    Ok(digests)
}

fn equal(size: u64, group: &[usize], candidates: &[Candidate]) -> Equal {
    let all = group.iter().map(|index| candidates[*index].bytes);
    let sum = all.clone().fold(Bytes::default(), Bytes::plus);
    let most = all.map(|bytes| bytes.image).max().unwrap_or_default();
    Equal {
        size,
        bytes: Bytes {
            image: sum.image.saturating_sub(most),
            unpacked: sum.unpacked.saturating_sub(size),
        },
        count: group.len() as u64,
        paths: group
            .iter()
            .map(|index| candidates[*index].path.clone())
            .collect(),
    }
}
