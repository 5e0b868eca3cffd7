//! Trees, from their roots to their items.

use std::collections::{BTreeSet, VecDeque};
use std::ops::RangeInclusive;
use std::sync::Arc;

use zerocopy::FromBytes;

use super::chunks::Chunks;
use super::superblock::{Geometry, LEVEL_MAX, Root};
use super::{Source, damaged};
use crate::checksum::checksum;
use crate::format::{DiskKey, Header, ItemHead, Key, KeyPointer, object};
use crate::{Error, Result};

/// Takes the items of a tree in order.
pub(super) type Take<'a> = &'a mut dyn FnMut(Key, &[u8]) -> Result<()>;

/// Every key that there can be.
pub(super) const ALL: RangeInclusive<Key> = Key::new(0, 0, 0)..=Key::new(u64::MAX, u8::MAX, u64::MAX);
/// So many nodes may be read more often than the others, in all, before snapshots are too many.
const SPARE: u64 = 1 << 14;
/// How often nodes may be read, on average.
const TIMES: u64 = 16;
/// So many nodes are kept.
const KEPT: usize = 8;

/// Reads nodes.
///
/// Within a tree, levels and keys see to it that nothing is read twice. Trees share nodes after snapshots; the work for
/// these stays in proportion to the nodes that are really there.
pub(super) struct Nodes<'a> {
    source: &'a Source,
    geometry: &'a Geometry,
    chunks: &'a Chunks,
    met: BTreeSet<u64>,
    count: u64,
    kept: VecDeque<(u64, Arc<[u8]>)>,
}

/// A node, and what led to it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) tree: u64,
    pub(super) address: u64,
    pub(super) level: u8,
    /// The node above, and the tree that this one says it is of.
    pub(super) above: Option<(u64, u64)>,
}

/// What comes by all nodes of a tree.
pub(super) trait Visit {
    /// Whether to go on to that node.
    fn enter(&mut self, place: &Place) -> Result<bool>;
    /// An item of a leaf that says that it is of a tree.
    fn item(&mut self, leaf: &Place, owner: u64, key: Key, item: &[u8]) -> Result<()>;
}

struct Items<'a>(Take<'a>);

impl Visit for Items<'_> {
    fn enter(&mut self, _: &Place) -> Result<bool> {
        Ok(true)
    }

    fn item(&mut self, _: &Place, _: u64, key: Key, item: &[u8]) -> Result<()> {
        (self.0)(key, item)
    }
}

/// A node that has to be read, and what the one above says of it.
struct Waiting {
    root: Root,
    first: Option<Key>,
    above: Option<(u64, u64)>,
}

impl Waiting {
    fn place(&self) -> Place {
        Place {
            tree: self.root.tree,
            address: self.root.address,
            level: self.root.level,
            above: self.above,
        }
    }

    fn wrong(&self, problem: impl Into<String>) -> Error {
        let place = format!("node {} of tree {}", self.root.address, self.root.tree);
        damaged(place, problem)
    }
}

impl<'a> Nodes<'a> {
    pub(super) fn new(source: &'a Source, geometry: &'a Geometry, chunks: &'a Chunks) -> Nodes<'a> {
        Nodes {
            source,
            geometry,
            chunks,
            met: BTreeSet::new(),
            count: 0,
            kept: VecDeque::new(),
        }
    }

    /// Hands over all items of a tree.
    pub(super) fn tree(&mut self, root: Root, take: Take) -> Result<()> {
        self.visit(root, &ALL, &mut Items(take))
    }

    /// Hands over the items of a tree that have keys in a range, and reads what leads there only.
    pub(super) fn range(&mut self, root: Root, keys: &RangeInclusive<Key>, take: Take) -> Result<()> {
        self.visit(root, keys, &mut Items(take))
    }

    /// Goes through the nodes of a tree that can have keys in a range.
    pub(super) fn visit(
        &mut self,
        root: Root,
        keys: &RangeInclusive<Key>,
        visit: &mut dyn Visit,
    ) -> Result<()> {
        let first = Waiting {
            root,
            first: None,
            above: None,
        };
        let mut stack = vec![first];
        let mut last: Option<Key> = None;
        while let Some(next) = stack.pop() {
            if !visit.enter(&next.place())? {
                continue;
            }
            let (header, node) = self.node(&next)?;
            if next.root.level > 0 {
                let below = pointers(&header, &node, &next, keys)?;
                stack.extend(below.into_iter().rev());
                continue;
            }
            let place = next.place();
            leaf(&header, &node, &next, &mut last, &mut |key, item| {
                if keys.contains(&key) {
                    visit.item(&place, header.owner.get(), key, item)?;
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    fn node(&mut self, wanted: &Waiting) -> Result<(Header, Arc<[u8]>)> {
        let Root {
            tree,
            address,
            level,
            generation,
        } = wanted.root;
        self.met.insert(address);
        self.count += 1;
        if self.count / TIMES > self.met.len() as u64 + SPARE {
            return Err(Error::Unsupported {
                feature: "very many snapshots".to_string(),
            });
        }
        if level > LEVEL_MAX {
            return Err(wanted.wrong(format!("is at level {level}")));
        }
        let node = self.bytes(wanted, address)?;
        let Ok((header, _)) = Header::read_from_prefix(&node) else {
            return Err(wanted.wrong("is too short"));
        };
        let owner = header.owner.get();
        let found = (header.bytenr.get(), header.level, header.generation.get());
        // After a snapshot, what the two have in common still says that it is of the first one.
        let is_own = owner == tree || is_of_files(owner) && is_of_files(tree);
        if header.fsid != self.geometry.metadata_uuid || found != (address, level, generation) || !is_own {
            return Err(wanted.wrong(format!(
                "is node {} of tree {owner}, level {}, generation {}, and level {level}, generation {generation} is \
                 wanted",
                found.0, found.1, found.2
            )));
        }
        Ok((header, node))
    }

    /// The bytes of a node whose checksum is right.
    fn bytes(&mut self, wanted: &Waiting, address: u64) -> Result<Arc<[u8]>> {
        if let Some((_, node)) = self.kept.iter().find(|(kept, _)| *kept == address) {
            return Ok(Arc::clone(node));
        }
        let place = self.chunks.place(address, self.geometry.node.into());
        let Some(start) = place.filter(|_| address.is_multiple_of(4096)) else {
            return Err(wanted.wrong("lies in no chunk"));
        };
        let what = format!("node {address} of tree {}", wanted.root.tree);
        let node: Arc<[u8]> = self
            .source
            .read(&what, start, self.geometry.node as usize)?
            .into();
        if node[..4] != checksum(&node[32..]).to_le_bytes() {
            return Err(wanted.wrong("its checksum is wrong"));
        }
        if self.kept.len() == KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back((address, Arc::clone(&node)));
        Ok(node)
    }
}

/// Whether a tree is that of a subvolume.
pub(super) fn is_of_files(tree: u64) -> bool {
    tree == object::FS_TREE || (object::FIRST_FREE..object::LAST_FREE).contains(&tree)
}

/// Hands over the items of a leaf.
fn leaf(header: &Header, node: &[u8], wanted: &Waiting, last: &mut Option<Key>, take: Take) -> Result<()> {
    let body = &node[size_of::<Header>()..];
    let count = header.nritems.get() as usize;
    let mut end = body.len();
    if count > end / size_of::<ItemHead>() {
        return Err(wanted.wrong(format!("{count} items are too many")));
    }
    for number in 0..count {
        let head = body.get(number * size_of::<ItemHead>()..);
        let head = head.and_then(|head| ItemHead::read_from_prefix(head).ok());
        let Some((head, _)) = head else {
            return Err(wanted.wrong(format!("{count} items are too many")));
        };
        let key = key(&head.key);
        let (start, len) = (head.offset.get() as usize, head.size.get() as usize);
        if start.checked_add(len) != Some(end) || start < count * size_of::<ItemHead>() {
            return Err(wanted.wrong(format!("item {number} has {len} bytes at {start}")));
        }
        if number == 0 && wanted.first.is_some_and(|first| first != key)
            || last.is_some_and(|last| last >= key)
        {
            return Err(wanted.wrong(format!("item {number} has a key that is out of order")));
        }
        *last = Some(key);
        take(key, &body[start..end])?;
        end = start;
    }
    if count == 0 && wanted.first.is_some() {
        return Err(wanted.wrong("a leaf without items"));
    }
    Ok(())
}

/// The nodes below an inner node that can have keys in a range.
fn pointers(
    header: &Header,
    node: &[u8],
    above: &Waiting,
    keys: &RangeInclusive<Key>,
) -> Result<Vec<Waiting>> {
    let body = &node[size_of::<Header>()..];
    let count = header.nritems.get() as usize;
    if count == 0 || count > body.len() / size_of::<KeyPointer>() {
        return Err(above.wrong(format!("has {count} pointers")));
    }
    let mut pointers: Vec<Waiting> = Vec::with_capacity(count);
    let mut before: Option<Key> = None;
    for bytes in body.chunks_exact(size_of::<KeyPointer>()).take(count) {
        let Ok(pointer) = KeyPointer::read_from_bytes(bytes) else {
            continue;
        };
        let first = key(&pointer.key);
        if before.is_some_and(|before| before >= first) {
            return Err(above.wrong("its keys do not ascend"));
        }
        if before.is_none() && above.first.is_some_and(|wanted| wanted != first) {
            return Err(above.wrong("its first key is not the one that was wanted"));
        }
        before = Some(first);
        if first <= *keys.start() {
            // All before this one is below the range.
            pointers.clear();
        }
        if first > *keys.end() {
            continue;
        }
        pointers.push(Waiting {
            root: Root {
                address: pointer.blockptr.get(),
                level: above.root.level - 1,
                generation: pointer.generation.get(),
                ..above.root
            },
            first: Some(first),
            above: Some((above.root.address, header.owner.get())),
        });
    }
    Ok(pointers)
}

fn key(disk: &DiskKey) -> Key {
    Key::new(disk.objectid.get(), disk.kind, disk.offset.get())
}
