//! Signatures of root hashes in partitions, and the hash trees that they are about.

use disk::TypeId;
use disk::read::{Disk, Partition};
use image::Content;
use signature::{Bare, Trust};
use verity::{Area, RootSignature, SIGNATURE_SIZE_MAX};

use crate::format::{self, Format};
use crate::{Error, Result, disks};

type Seen = (Vec<&'static str>, Vec<&'static str>, Result<()>);

/// What is checked without anything beside it.
const ALONE: [&str; 3] = [
    "its text, and that zeros are behind it",
    "the signature of the root hash, by the certificate in it",
    "the fingerprint of that certificate",
];

/// Whether a partition is for the signature of a root hash, by its type.
pub(crate) fn is_for_signature(partition: &Partition) -> bool {
    let TypeId::Guid(guid) = partition.entry.kind else {
        return false;
    };
    disk::type_of_guid(guid).is_some_and(|known| known.name.ends_with("-verity-sig"))
}

/// Checks a signature that is by itself.
pub(crate) fn check_alone(content: &Content, trust: Option<&Trust>) -> Seen {
    let mut unchecked = vec!["whether the root hash is that of a hash tree: there is none beside it"];
    match check(content, trust, &mut unchecked) {
        Ok((_, checked)) => (checked, unchecked, Ok(())),
        Err(error) => (Vec::new(), unchecked, Err(error)),
    }
}

/// Checks the signature in a partition, and that a hash tree on the same disk has its root hash.
pub(crate) fn check_partition(
    disk: &Content,
    table: &Disk,
    partition: &Partition,
    trust: Option<&Trust>,
) -> Seen {
    let mut unchecked = Vec::new();
    let content = disks::content(disk, partition);
    let (signature, mut checked) = match check(&content, trust, &mut unchecked) {
        Ok(found) => found,
        Err(error) => return (Vec::new(), unchecked, Err(error)),
    };
    let others = table
        .partitions
        .iter()
        .map(|partition| disks::content(disk, partition));
    let roots: Vec<[u8; 32]> = others
        .filter_map(|content| root(&content).ok().flatten())
        .collect();
    if roots.is_empty() {
        unchecked.push("whether the root hash is that of a hash tree: there is none beside it");
        return (checked, unchecked, Ok(()));
    }
    checked.push("that a hash tree on the disk has the root hash");
    let result = if roots.contains(&signature.root) {
        Ok(())
    } else {
        Err(Error::OtherRoot {
            signed: verity::signed_text(&signature.root),
        })
    };
    (checked, unchecked, result)
}

/// Reads it, and checks what can be checked of it alone.
fn check(
    content: &Content,
    trust: Option<&Trust>,
    unchecked: &mut Vec<&'static str>,
) -> Result<(RootSignature, Vec<&'static str>)> {
    let mut checked = ALONE.to_vec();
    let (signature, bare) = read(content)?;
    let text = verity::signed_text(&signature.root);
    bare.check(text.as_bytes())?;
    if bare.contents().signer.fingerprint() != signature.fingerprint {
        let problem = "its fingerprint is not that of the certificate in the signature";
        return Err(verity::Error::Signature(problem.to_owned()).into());
    }
    match trust {
        Some(trust) => {
            bare.verify(text.as_bytes(), trust)?;
            checked.push("who made it");
        }
        None => unchecked.push("who made it: nobody is trusted without --keyring"),
    }
    Ok((signature, checked))
}

/// What a partition or file says, and the signature in it. Nothing is checked.
///
/// # Errors
/// When it is no signature, or nobody has signed yet.
pub fn read(content: &Content) -> Result<(RootSignature, Bare)> {
    let bytes = format::head(content, SIGNATURE_SIZE_MAX + 1)?;
    if bytes.iter().all(|byte| *byte == 0) && !bytes.is_empty() {
        return Err(Error::NotSigned);
    }
    let signature = RootSignature::read(&bytes)?;
    let bare = Bare::read(&signature.signature)?;
    Ok((signature, bare))
}

/// The root hash of a hash tree, if these are the bytes of one.
fn root(content: &Content) -> Result<Option<[u8; 32]>> {
    if Format::of(content)? != Format::HashTree {
        return Ok(None);
    }
    let superblock = verity::read_superblock(&format::head(content, verity::SUPERBLOCK_SIZE)?)?;
    let len = superblock.data_blocks.saturating_mul(verity::BLOCK_SIZE);
    let tree = Area {
        source: content,
        start: verity::SUPERBLOCK_SIZE,
        len: verity::tree_size(len),
    };
    Ok(Some(verity::root(tree, &superblock.salt)?))
}
