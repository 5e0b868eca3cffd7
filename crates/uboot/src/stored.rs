//! Environments as they lie on a disk or in a file: how large one is, and how it is laid out, is in no header.

use crate::environment::{ByteOrder, Copies, Copy, Environment, EnvironmentError, current, read_environment};
use crate::format::{ENV_FLAGS_SIZE, ENV_HEADER_SIZE};

/// Sizes of environments are multiples of this, or all that there is.
const STEP: usize = 512;

/// An environment that was found by its checksum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEnvironment {
    /// The bytes of one copy.
    pub size: usize,
    /// How headers are laid out.
    pub copies: Copies,
    /// The target's.
    pub byte_order: ByteOrder,
    /// The first copy.
    pub first: Result<Environment, EnvironmentError>,
    /// The second, behind the first, where there are that many bytes.
    pub second: Option<Result<Environment, EnvironmentError>>,
}

impl StoredEnvironment {
    /// Which copy U-Boot reads.
    #[must_use]
    pub fn holds(&self) -> Copy {
        let flags = |copy: Option<&Result<Environment, EnvironmentError>>| {
            copy.and_then(|copy| copy.as_ref().ok())
                .map(|environment| environment.flags.unwrap_or_default())
        };
        current(flags(Some(&self.first)), flags(self.second.as_ref())).unwrap_or(Copy::First)
    }

    /// What U-Boot reads.
    ///
    /// # Errors
    /// When neither copy can be read; of what was found, one can.
    pub fn current(&self) -> Result<&Environment, &EnvironmentError> {
        match (self.holds(), &self.second) {
            (Copy::Second, Some(second)) => second.as_ref(),
            _ => self.first.as_ref(),
        }
    }
}

/// Finds the environment that some bytes begin with: for each size, header and byte order that there is, the checksum
/// says whether it is one. Two copies lie one behind the other. If the first is damaged, the second is found when both
/// together are all of the bytes.
///
/// Answers nothing when there is none.
#[must_use]
pub fn find_environment(bytes: &[u8]) -> Option<StoredEnvironment> {
    if let Some((size, copies, byte_order)) = layout(bytes) {
        let read = |bytes: &[u8]| read_environment(bytes, copies, byte_order);
        let second = bytes.get(size..2 * size).filter(|_| copies == Copies::Two);
        return Some(StoredEnvironment {
            size,
            copies,
            byte_order,
            first: read(bytes.get(..size)?),
            second: second.map(read),
        });
    }
    let (first, second) = bytes.split_at_checked(bytes.len() / 2)?;
    let (size, copies, byte_order) = layout(second)?;
    let is_pair = bytes.len().is_multiple_of(2) && size == second.len() && copies == Copies::Two;
    is_pair.then(|| StoredEnvironment {
        size,
        copies,
        byte_order,
        first: read_environment(first, copies, byte_order),
        second: Some(read_environment(second, copies, byte_order)),
    })
}

/// The size, header and byte order with which bytes begin with an environment.
fn layout(bytes: &[u8]) -> Option<(usize, Copies, ByteOrder)> {
    let stored: [u8; ENV_HEADER_SIZE] = *bytes.first_chunk()?;
    for (copies, header) in [
        (Copies::One, ENV_HEADER_SIZE),
        (Copies::Two, ENV_HEADER_SIZE + ENV_FLAGS_SIZE),
    ] {
        let Some(data) = bytes.get(header..).filter(|data| begins_like_variables(data)) else {
            continue;
        };
        let mut checksum = crc32fast::Hasher::new();
        let mut done = 0;
        while done < data.len() {
            let size = (header + done + 1).next_multiple_of(STEP).min(bytes.len());
            checksum.update(data.get(done..size - header)?);
            done = size - header;
            let computed = checksum.clone().finalize();
            let byte_order = match stored {
                stored if stored == computed.to_le_bytes() => ByteOrder::Little,
                stored if stored == computed.to_be_bytes() => ByteOrder::Big,
                _ => continue,
            };
            if read_environment(bytes.get(..size)?, copies, byte_order).is_ok() {
                return Some((size, copies, byte_order));
            }
        }
    }
    None
}

/// Whether there is a first variable, or none at all: what is something else is soon known to be.
fn begins_like_variables(data: &[u8]) -> bool {
    let name = data
        .iter()
        .position(|byte| !byte.is_ascii_graphic() || *byte == b'=');
    match name {
        Some(0) => data.first() == Some(&0),
        Some(end) => data.get(end) == Some(&b'='),
        None => false,
    }
}
