//! Superblocks: what a tree is made of, for readers who do not know it from elsewhere.

use uuid::Uuid;
use zerocopy::{FromBytes, FromZeros, IntoBytes};

use crate::{BLOCK, BLOCK_SIZE, Error, SALT_MAX, format, is_zero};

/// What a superblock says. Nothing vouches for it: only a root hash from elsewhere does, for tree and data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Superblock {
    /// The tree's UUID.
    pub uuid: Uuid,
    /// How many blocks of [`BLOCK_SIZE`] bytes the data have, at least one.
    pub data_blocks: u64,
    /// What every hash begins with.
    pub salt: Vec<u8>,
}

/// Reads the superblock at the beginning of a hash partition.
///
/// # Errors
/// When the bytes are too few or no superblock, or its parameters are not those of this crate.
pub fn read_superblock(bytes: &[u8]) -> Result<Superblock, Error> {
    let damaged = |problem: String| Err(Error::Superblock(problem));
    let Ok((found, _)) = format::Superblock::read_from_prefix(bytes) else {
        return damaged(format!(
            "{} bytes, it has {}",
            bytes.len(),
            size_of::<format::Superblock>()
        ));
    };
    if found.signature != format::SIGNATURE {
        return damaged("it does not begin with its signature".into());
    }
    let unsupported = |what: &str, number: u32| Err(Error::Unsupported(format!("{what} {number}")));
    if found.version != format::VERSION {
        return unsupported("version", found.version.get());
    }
    if found.hash_type != format::HASH_TYPE {
        return unsupported("hash type", found.hash_type.get());
    }
    let (algorithm, rest) = found.algorithm.split_at(format::ALGORITHM.len());
    if algorithm != format::ALGORITHM || rest.first() != Some(&0) {
        let name = found
            .algorithm
            .split(|byte| *byte == 0)
            .next()
            .unwrap_or_default();
        return Err(Error::Unsupported(format!("algorithm {}", name.escape_ascii())));
    }
    for (what, size) in [
        ("data blocks", found.data_block_size),
        ("hash blocks", found.hash_block_size),
    ] {
        if u64::from(size.get()) != BLOCK_SIZE {
            return Err(Error::Unsupported(format!("{what} of {size} bytes")));
        }
    }
    let data_blocks = found.data_blocks.get();
    if data_blocks == 0 || data_blocks.checked_mul(BLOCK_SIZE).is_none() {
        return damaged(format!("{data_blocks} blocks of data"));
    }
    let salt_size = found.salt_size.get();
    let Some((salt, unused)) = found.salt.split_at_checked(usize::from(salt_size)) else {
        return damaged(format!("a salt of {salt_size} bytes, the limit is {SALT_MAX}"));
    };
    if ![&found.pad1, unused, &found.pad2].into_iter().all(is_zero) {
        return damaged("more than zeros in what is unused".into());
    }
    Ok(Superblock {
        uuid: Uuid::from_bytes(found.uuid),
        data_blocks,
        salt: salt.to_vec(),
    })
}

impl Superblock {
    /// The block in front of a tree.
    pub(crate) fn to_block(&self) -> Result<Vec<u8>, Error> {
        let too_long = || Error::SaltTooLong(self.salt.len());
        let mut made = format::Superblock::new_zeroed();
        made.signature = format::SIGNATURE;
        made.version = format::VERSION.into();
        made.hash_type = format::HASH_TYPE.into();
        made.uuid = self.uuid.into_bytes();
        made.algorithm[..format::ALGORITHM.len()].copy_from_slice(&format::ALGORITHM);
        made.data_block_size = 4096.into();
        made.hash_block_size = 4096.into();
        made.data_blocks = self.data_blocks.into();
        made.salt_size = u16::try_from(self.salt.len()).map_err(|_| too_long())?.into();
        let room = made.salt.get_mut(..self.salt.len()).ok_or_else(too_long)?;
        room.copy_from_slice(&self.salt);
        let mut block = made.as_bytes().to_vec();
        block.resize(BLOCK, 0);
        Ok(block)
    }
}
