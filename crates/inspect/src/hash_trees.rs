//! Hash trees in partitions, and the data that they are over.

use disk::TypeId;
use disk::read::{Disk, Partition};
use image::Content;
use verity::Area;

use crate::check::guid;
use crate::{Error, Result, Work, disks, format};

type Seen = (Vec<&'static str>, Vec<&'static str>, Result<()>);

/// Checks the tree in a partition against the data in another: the one that its root hash, its type or its name says.
pub(crate) fn check(
    disk: &Content,
    table: &Disk,
    named: &[(String, &Partition)],
    partition: &Partition,
    work: &Work,
) -> Seen {
    let checked = vec!["every block of the data against the tree"];
    let outside = vec!["the root hash: nothing on the disk vouches for it"];
    let hashes = disks::content(disk, partition);
    let read = || -> Result<_> {
        let superblock = verity::read_superblock(&format::head(&hashes, verity::SUPERBLOCK_SIZE)?)?;
        let len = superblock.data_blocks.saturating_mul(verity::BLOCK_SIZE);
        let tree = Area {
            source: &hashes,
            start: verity::SUPERBLOCK_SIZE,
            len: verity::tree_size(len),
        };
        let root = verity::root(tree, &superblock.salt)?;
        Ok((superblock, len, root))
    };
    let (superblock, len, root) = match read() {
        Ok(read) => read,
        Err(error) => return (Vec::new(), vec!["all of it"], Err(error)),
    };
    let (data_uuid, tree_uuid) = verity::partition_uuids(&root);
    let holds = |data: &&Partition| data.size() >= len && data.entry.number != partition.entry.number;
    let by_root =
        table.partitions.iter().filter(holds).find(|data| {
            guid(data) == Some(data_uuid.as_u128()) && guid(partition) == Some(tree_uuid.as_u128())
        });
    let data = by_root.or_else(|| {
        of_type(table, partition)
            .or_else(|| of_name(named, partition))
            .filter(holds)
    });
    let unchecked = if by_root.is_some() { Vec::new() } else { outside };
    let Some(data) = data else {
        let what = vec!["the tree: there is no partition of its data"];
        return (
            Vec::new(),
            what,
            Err(Error::NoFiles("a hash tree whose data are not beside it")),
        );
    };
    let data = disks::content(disk, data);
    let area = |source, start, len| Area { source, start, len };
    let verity_work = verity::Work {
        spool: None,
        threads: work.threads,
        progress: work.progress,
    };
    let checks = verity::check(
        area(&data, 0, len),
        area(&hashes, verity::SUPERBLOCK_SIZE, verity::tree_size(len)),
        &root,
        &superblock.salt,
        &verity_work,
    );
    (checked, unchecked, checks.map_err(Error::from))
}

/// The partition whose type is that of the tree, without `-verity`.
fn of_type<'a>(table: &'a Disk, partition: &Partition) -> Option<&'a Partition> {
    let name = |partition: &Partition| match partition.entry.kind {
        TypeId::Guid(guid) => disk::type_of_guid(guid).map(|known| known.name),
        TypeId::Mbr(_) => None,
    };
    let wanted = name(partition)?.strip_suffix("-verity")?;
    let mut found = table.partitions.iter().filter(|data| name(data) == Some(wanted));
    match (found.next(), found.next()) {
        (Some(data), None) => Some(data),
        _ => None,
    }
}

/// The partition whose name is the beginning of the tree's.
fn of_name<'a>(named: &[(String, &'a Partition)], partition: &Partition) -> Option<&'a Partition> {
    let begins = |data: &&(String, &'a Partition)| {
        let name = &data.0;
        let rest = partition.name.strip_prefix(name.as_str());
        rest.is_some_and(|rest| rest.starts_with(['-', '_', '.']))
    };
    let longest = named.iter().filter(begins).max_by_key(|data| data.0.len());
    longest.map(|(_, partition)| *partition)
}
