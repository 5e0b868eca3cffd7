//! Trees: sorted items become leaves, and leaves get nodes above them.

use zerocopy::IntoBytes;

use crate::Result;
use crate::checksum::seal;
use crate::format::{
    GENERATION, HEADER_FLAGS, Header, ItemHead, Key, KeyPointer, LEAF_ROOM, NODE, NODE_LEN, POINTERS_MAX,
};

/// How many nodes a tree has in each row, the leaves first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Shape {
    rows: Vec<u64>,
    /// This many leaves at the beginning have one item only.
    short: u64,
}

impl Shape {
    pub(super) fn of_leaves(leaves: u64) -> Shape {
        let mut rows = vec![leaves.max(1)];
        while let Some(last) = rows.last().copied().filter(|last| *last > 1) {
            rows.push(last.div_ceil(POINTERS_MAX as u64));
        }
        Shape { rows, short: 0 }
    }

    pub(super) fn leaves(&self) -> u64 {
        self.rows[0]
    }

    /// All nodes.
    pub(super) fn nodes(&self) -> u64 {
        self.rows.iter().sum()
    }

    /// The level of the root.
    pub(super) fn level(&self) -> u8 {
        u8::try_from(self.rows.len() - 1).unwrap_or(u8::MAX)
    }

    /// The root's number among the nodes: it is the last.
    pub(super) fn root(&self) -> u64 {
        self.nodes() - 1
    }

    /// The levels of all nodes, in the order of their addresses.
    pub(super) fn levels(&self) -> impl Iterator<Item = u8> {
        let rows = (0..).zip(&self.rows);
        rows.flat_map(|(level, count)| (0..*count).map(move |_| level))
    }
}

/// Counts leaves without making them.
#[derive(Debug, Default)]
pub(super) struct Counter {
    leaves: u64,
    used: usize,
    /// This many leaves at the beginning have one item only.
    short: u64,
}

impl Counter {
    pub(super) fn with_short_leaves(short: u64) -> Counter {
        Counter {
            short,
            ..Counter::default()
        }
    }

    pub(super) fn add(&mut self, len: usize) {
        let len = size_of::<ItemHead>() + len;
        if self.leaves <= self.short || self.used + len > LEAF_ROOM {
            self.leaves += 1;
            self.used = 0;
        }
        self.used += len;
    }

    /// What a tree of these items looks like.
    pub(super) fn shape(&self) -> Shape {
        Shape {
            short: self.short,
            ..Shape::of_leaves(self.leaves)
        }
    }
}

/// What all nodes of a file system have in their heads.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ids {
    pub(super) fsid: [u8; 16],
    pub(super) device: [u8; 16],
    pub(super) chunk_tree: [u8; 16],
}

/// Takes nodes in the order of their addresses.
pub(super) type Sink<'a> = &'a mut dyn FnMut(&[u8]) -> Result<()>;

/// Makes the nodes of one tree.
pub(super) struct Writer<'a> {
    ids: Ids,
    owner: u64,
    shape: &'a Shape,
    sink: Sink<'a>,
    /// The address of the next node.
    next: u64,
    node: Box<[u8; NODE_LEN]>,
    items: usize,
    /// Where the data of the last item begins, counted from behind the header.
    data: usize,
    /// The first keys of the leaves that are done, and their addresses.
    row: Vec<(Key, u64)>,
    /// The first key of the leaf that is being made.
    first: Option<Key>,
    /// The key of the last item.
    last: Option<Key>,
}

impl<'a> Writer<'a> {
    /// A tree of that shape, whose nodes lie behind each other from an address on.
    pub(super) fn new(ids: Ids, owner: u64, start: u64, shape: &'a Shape, sink: Sink<'a>) -> Writer<'a> {
        Writer {
            ids,
            owner,
            shape,
            sink,
            next: start,
            node: Box::new([0; NODE_LEN]),
            items: 0,
            data: LEAF_ROOM,
            row: Vec::new(),
            first: None,
            last: None,
        }
    }

    /// Adds an item. Keys ascend.
    pub(super) fn add(&mut self, key: Key, data: &[u8]) -> Result<()> {
        debug_assert!(self.last.is_none_or(|last| last < key), "{:?} {key:?}", self.last);
        self.last = Some(key);
        let heads = self.items * size_of::<ItemHead>();
        let is_short = (self.row.len() as u64) < self.shape.short && self.items == 1;
        if is_short || heads + size_of::<ItemHead>() + data.len() > self.data {
            self.leaf()?;
        }
        self.first.get_or_insert(key);
        self.data -= data.len();
        let head = ItemHead {
            key: key.disk(),
            offset: u32::try_from(self.data).unwrap_or(u32::MAX).into(),
            size: u32::try_from(data.len()).unwrap_or(u32::MAX).into(),
        };
        let at = size_of::<Header>() + self.items * size_of::<ItemHead>();
        self.node[at..at + size_of::<ItemHead>()].copy_from_slice(head.as_bytes());
        let at = size_of::<Header>() + self.data;
        self.node[at..at + data.len()].copy_from_slice(data);
        self.items += 1;
        Ok(())
    }

    fn leaf(&mut self) -> Result<()> {
        let first = self.first.take().unwrap_or(Key::new(0, 0, 0));
        let address = self.finish_node(self.items, 0)?;
        self.row.push((first, address));
        self.items = 0;
        self.data = LEAF_ROOM;
        Ok(())
    }

    /// Hands the node on and answers its address.
    fn finish_node(&mut self, items: usize, level: u8) -> Result<u64> {
        let address = self.next;
        let header = Header {
            csum: [0; 32],
            fsid: self.ids.fsid,
            bytenr: address.into(),
            flags: HEADER_FLAGS.into(),
            chunk_tree_uuid: self.ids.chunk_tree,
            generation: GENERATION.into(),
            owner: self.owner.into(),
            nritems: u32::try_from(items).unwrap_or(u32::MAX).into(),
            level,
        };
        self.node[..size_of::<Header>()].copy_from_slice(header.as_bytes());
        seal(&mut self.node[..]);
        (self.sink)(&self.node[..])?;
        self.node.fill(0);
        self.next += NODE;
        Ok(address)
    }

    /// The last leaf, and the rows above.
    pub(super) fn finish(mut self) -> Result<()> {
        if self.items > 0 || self.row.is_empty() {
            self.leaf()?;
        }
        debug_assert_eq!(self.row.len() as u64, self.shape.leaves(), "tree {}", self.owner);
        let mut row = std::mem::take(&mut self.row);
        let mut level = 0;
        while row.len() > 1 {
            level += 1;
            let mut above = Vec::new();
            for part in row.chunks(POINTERS_MAX) {
                for (number, (key, address)) in part.iter().enumerate() {
                    let pointer = KeyPointer {
                        key: key.disk(),
                        blockptr: (*address).into(),
                        generation: GENERATION.into(),
                    };
                    let at = size_of::<Header>() + number * size_of::<KeyPointer>();
                    self.node[at..at + size_of::<KeyPointer>()].copy_from_slice(pointer.as_bytes());
                }
                above.push((part[0].0, self.finish_node(part.len(), level)?));
            }
            row = above;
        }
        Ok(())
    }
}
