//! The first byte that differs.

use image::{Content, ReadAt as _};

use crate::{Error, Result, Work};

/// Bytes that are compared at once.
const WINDOW: usize = 1 << 20;

/// The first byte that is not the same in both, or is in one alone; nothing when they are equal.
///
/// # Errors
/// When they cannot be read, or work is stopped.
pub fn first_difference(a: &Content, b: &Content, work: &Work) -> Result<Option<u64>> {
    let common = a.len().min(b.len());
    let (mut left, mut right) = (vec![0; WINDOW], vec![0; WINDOW]);
    let mut start = 0;
    while start < common {
        let len = usize::try_from(common - start).map_or(WINDOW, |rest| rest.min(WINDOW));
        let (left, right) = (&mut left[..len], &mut right[..len]);
        a.read_exact_at(left, start).map_err(Error::Read)?;
        b.read_exact_at(right, start).map_err(Error::Read)?;
        if left != right {
            let first = left.iter().zip(&*right).position(|(left, right)| left != right);
            return Ok(Some(start + first.unwrap_or_default() as u64));
        }
        work.progress.advance(len as u64).map_err(image::Error::from)?;
        start += len as u64;
    }
    Ok((a.len() != b.len()).then_some(common))
}
