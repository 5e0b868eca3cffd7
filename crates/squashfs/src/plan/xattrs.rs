//! The table of extended attributes: each different set once.

use std::collections::BTreeMap;

use image::{NodeId, Tree, Xattr, show};
use zerocopy::IntoBytes;

use super::metadata::{List, Metadata};
use super::tables::{narrow, path};
use crate::format::{
    NO_XATTR, XATTR_NAME_MAX, XATTR_PREFIXES, XATTR_VALUE_MAX, XattrId, XattrKey, XattrTable, XattrValue,
};
use crate::{Error, Options};

/// The sets of attributes of a tree.
pub(super) struct Xattrs {
    /// Each node's set, by [`image::NodeId::index`]; [`NO_XATTR`] without attributes.
    pub(super) indexes: Vec<u32>,
    values: Metadata,
    ids: Metadata,
    id_count: u32,
}

/// The finished table.
pub(super) struct XattrLists {
    values: Vec<u8>,
    ids: List,
    id_count: u32,
}

impl Xattrs {
    /// Adds the sets of these nodes, in their order.
    pub(super) fn make(
        tree: &Tree,
        nodes: impl Iterator<Item = NodeId>,
        options: &Options,
    ) -> Result<Xattrs, Error> {
        let mut xattrs = Xattrs {
            indexes: vec![NO_XATTR; tree.len()],
            values: Metadata::new(options)?,
            ids: Metadata::new(options)?,
            id_count: 0,
        };
        let mut known: BTreeMap<&[Xattr], u32> = BTreeMap::new();
        for id in nodes {
            let set = tree.node(id).meta.xattrs.as_slice();
            if set.is_empty() {
                continue;
            }
            let index = match known.get(set) {
                Some(index) => *index,
                None => xattrs.add(set, || path(tree, id))?,
            };
            known.insert(set, index);
            xattrs.indexes[id.index()] = index;
        }
        Ok(xattrs)
    }

    fn add(&mut self, set: &[Xattr], path: impl Fn() -> String) -> Result<u32, Error> {
        let xattr = self.values.position().reference();
        let first = self.values.written();
        for xattr in set {
            let bad = |problem: String| Error::Xattr {
                path: path(),
                name: show(&xattr.name),
                problem,
            };
            let known = (0u16..)
                .zip(XATTR_PREFIXES)
                .find_map(|(number, prefix)| xattr.name.strip_prefix(prefix).map(|name| (number, name)));
            let Some((prefix, name)) = known else {
                return Err(bad(
                    "SquashFS holds only user., trusted. and security. ones".into()
                ));
            };
            if xattr.name.len() > XATTR_NAME_MAX || xattr.value.len() > XATTR_VALUE_MAX {
                let (name, value) = (xattr.name.len(), xattr.value.len());
                return Err(bad(format!(
                    "a name of {name} and a value of {value} bytes; the limits are {XATTR_NAME_MAX} and {XATTR_VALUE_MAX}"
                )));
            }
            let name_size = u16::try_from(name.len()).unwrap_or(u16::MAX);
            let value_size = u32::try_from(xattr.value.len()).unwrap_or(u32::MAX);
            self.values.write(
                XattrKey {
                    prefix: prefix.into(),
                    name_size: name_size.into(),
                }
                .as_bytes(),
            )?;
            self.values.write(name)?;
            self.values.write(
                XattrValue {
                    value_size: value_size.into(),
                }
                .as_bytes(),
            )?;
            self.values.write(&xattr.value)?;
        }
        let size = narrow("bytes of extended attributes", self.values.written() - first)?;
        let count = narrow("extended attributes", set.len() as u64)?;
        self.ids.write(
            XattrId {
                xattr: xattr.into(),
                count: count.into(),
                size: size.into(),
            }
            .as_bytes(),
        )?;
        self.id_count += 1;
        Ok(self.id_count - 1)
    }

    pub(super) fn finish(self) -> Result<XattrLists, Error> {
        Ok(XattrLists {
            values: self.values.finish()?,
            ids: self.ids.finish_list()?,
            id_count: self.id_count,
        })
    }
}

impl XattrLists {
    /// The table's bytes when it begins at `start`, and where its head is. None without attributes.
    pub(super) fn finish(self, start: u64) -> Option<(Vec<u8>, u64)> {
        let mut bytes = self.values;
        let (ids, places) = self.ids.finish(start + bytes.len() as u64)?;
        let head = XattrTable {
            xattr_start: start.into(),
            id_count: self.id_count.into(),
            unused: 0.into(),
        };
        // The list of places stands behind the head; `ids` ends with it.
        let blocks_len = usize::try_from(places - start).ok()? - bytes.len();
        let (blocks, list) = ids.split_at(blocks_len);
        bytes.extend_from_slice(blocks);
        bytes.extend_from_slice(head.as_bytes());
        bytes.extend_from_slice(list);
        Some((bytes, places))
    }
}
