//! Trees, from their roots to their items.

use std::collections::BTreeMap;

use zerocopy::FromBytes;

use super::chunks::Chunks;
use super::superblock::{Geometry, LEVEL_MAX, Root};
use super::{Source, damaged};
use crate::Result;
use crate::checksum::checksum;
use crate::format::{DiskKey, Header, ItemHead, Key, KeyPointer};

/// Takes the items of a tree in order.
pub(super) type Take<'a> = &'a mut dyn FnMut(Key, &[u8]) -> Result<()>;

/// Reads nodes, each once.
pub(super) struct Nodes<'a> {
    source: &'a Source,
    geometry: &'a Geometry,
    chunks: &'a Chunks,
    met: BTreeMap<u64, Seen>,
}

/// What a node was read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) tree: u64,
    pub(super) level: u8,
}

/// A node that has to be read, and what the one above says of it.
struct Waiting {
    root: Root,
    first: Option<Key>,
}

impl<'a> Nodes<'a> {
    pub(super) fn new(source: &'a Source, geometry: &'a Geometry, chunks: &'a Chunks) -> Nodes<'a> {
        Nodes {
            source,
            geometry,
            chunks,
            met: BTreeMap::new(),
        }
    }

    /// All nodes that were read, by their addresses.
    pub(super) fn finish(self) -> BTreeMap<u64, Seen> {
        self.met
    }

    /// Hands over all items of a tree.
    pub(super) fn tree(&mut self, root: Root, take: Take) -> Result<()> {
        let mut stack = vec![Waiting { root, first: None }];
        let mut last: Option<Key> = None;
        while let Some(next) = stack.pop() {
            let (header, node) = self.node(&next)?;
            let place = || format!("node {} of tree {}", next.root.address, root.tree);
            let count = header.nritems.get() as usize;
            let body = &node[size_of::<Header>()..];
            if next.root.level > 0 {
                let pointers = pointers(body, count, &next)?;
                stack.extend(pointers.into_iter().rev());
                continue;
            }
            let mut end = body.len();
            for number in 0..count {
                let head = body.get(number * size_of::<ItemHead>()..);
                let head = head.and_then(|head| ItemHead::read_from_prefix(head).ok());
                let Some((head, _)) = head else {
                    return Err(damaged(place(), format!("{count} items are too many")));
                };
                let key = key(&head.key);
                let (start, len) = (head.offset.get() as usize, head.size.get() as usize);
                if start.checked_add(len) != Some(end) || start < count * size_of::<ItemHead>() {
                    return Err(damaged(
                        place(),
                        format!("item {number} has {len} bytes at {start}"),
                    ));
                }
                if number == 0 && next.first.is_some_and(|first| first != key)
                    || last.is_some_and(|last| last >= key)
                {
                    return Err(damaged(
                        place(),
                        format!("item {number} has a key that is out of order"),
                    ));
                }
                last = Some(key);
                take(key, &body[start..end])?;
                end = start;
            }
            if count == 0 && next.first.is_some() {
                return Err(damaged(place(), "a leaf without items"));
            }
        }
        Ok(())
    }

    fn node(&mut self, wanted: &Waiting) -> Result<(Header, Vec<u8>)> {
        let Root {
            tree,
            address,
            level,
            generation,
        } = wanted.root;
        let place = || format!("node {address} of tree {tree}");
        if self.met.insert(address, Seen { tree, level }).is_some() {
            return Err(damaged(place(), "is used a second time"));
        }
        if level > LEVEL_MAX {
            return Err(damaged(place(), format!("is at level {level}")));
        }
        let len = u64::from(self.geometry.node);
        let Some(start) = self
            .chunks
            .place(address, len)
            .filter(|_| address.is_multiple_of(4096))
        else {
            return Err(damaged(place(), "lies in no chunk"));
        };
        let node = self.source.read(&place(), start, self.geometry.node as usize)?;
        let Ok((header, _)) = Header::read_from_prefix(&node) else {
            return Err(damaged(place(), "is too short"));
        };
        if header.csum[..4] != checksum(&node[32..]).to_le_bytes() {
            return Err(damaged(place(), "its checksum is wrong"));
        }
        let found = (
            header.bytenr.get(),
            header.owner.get(),
            header.level,
            header.generation.get(),
        );
        if header.fsid != self.geometry.metadata_uuid || found != (address, tree, level, generation) {
            let problem = format!(
                "is node {} of tree {}, level {}, generation {}, and level {level}, generation {generation} is wanted",
                found.0, found.1, found.2, found.3
            );
            return Err(damaged(place(), problem));
        }
        Ok((header, node))
    }
}

/// The nodes below an inner node.
fn pointers(body: &[u8], count: usize, above: &Waiting) -> Result<Vec<Waiting>> {
    let place = || format!("node {} of tree {}", above.root.address, above.root.tree);
    if count == 0 || count > body.len() / size_of::<KeyPointer>() {
        return Err(damaged(place(), format!("has {count} pointers")));
    }
    let mut pointers = Vec::with_capacity(count);
    for bytes in body.chunks_exact(size_of::<KeyPointer>()).take(count) {
        let Ok(pointer) = KeyPointer::read_from_bytes(bytes) else {
            continue;
        };
        let first = key(&pointer.key);
        if pointers
            .last()
            .is_some_and(|last: &Waiting| last.first >= Some(first))
        {
            return Err(damaged(place(), "its keys do not ascend"));
        }
        pointers.push(Waiting {
            root: Root {
                address: pointer.blockptr.get(),
                level: above.root.level - 1,
                generation: pointer.generation.get(),
                ..above.root
            },
            first: Some(first),
        });
    }
    if above.first.is_some_and(|first| pointers[0].first != Some(first)) {
        return Err(damaged(place(), "its first key is not the one that was wanted"));
    }
    Ok(pointers)
}

fn key(disk: &DiskKey) -> Key {
    Key::new(disk.objectid.get(), disk.kind, disk.offset.get())
}
