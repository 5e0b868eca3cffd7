//! The root tree, which finds all others, and the small trees that every file system has.

use zerocopy::{FromZeros, IntoBytes};

use super::fixpoint::Forest;
use super::items::{self, Take};
use super::survey::{Name, Subvolume, Survey};
use crate::format::{
    GENERATION, InodeItem, InodeRef, Key, NODE, ROOT_ITEM_INIT, ROOT_READONLY, RootItem, RootRef, Timespec,
    kind, object,
};
use crate::{Access, Options, Result};

/// The id of a subvolume, by which backups know it.
fn uuid(subvolume: &Subvolume, options: &Options) -> [u8; 16] {
    *options.seed.part("subvolume").uuid(&subvolume.path).as_bytes()
}

/// The items of the root tree. As long as nobody knows where trees lie, only the lengths of items count.
pub(super) fn root_items(
    survey: &Survey,
    forest: Option<&Forest>,
    options: &Options,
    trees: &[u64],
    take: Take,
) -> Result<()> {
    let mut list: Vec<(Key, Vec<u8>)> = Vec::new();
    for tree in trees.iter().filter(|tree| **tree != object::ROOT_TREE) {
        let mut item = root_item(*tree);
        if let Some(forest) = forest {
            let (_, shape) = forest.tree(*tree);
            item.bytenr = forest.root(*tree).into();
            item.bytes_used = (shape.nodes() * NODE).into();
            item.level = shape.level();
        }
        if let Some(subvolume) = survey.subvolumes.iter().find(|found| found.id == *tree) {
            let time = items::timespec(options.time.into());
            item.inode.flags = ROOT_ITEM_INIT.into();
            item.uuid = uuid(subvolume, options);
            item.ctransid = GENERATION.into();
            item.otransid = GENERATION.into();
            (item.ctime, item.otime) = (time, time);
            if subvolume.access == Access::ReadOnly {
                item.flags = ROOT_READONLY.into();
            }
            list.extend(
                subvolume
                    .entry
                    .iter()
                    .flat_map(|(parent, name)| refs(*tree, *parent, name)),
            );
        }
        list.push((Key::new(*tree, kind::ROOT, 0), item.as_bytes().to_vec()));
    }
    items::empty_root(object::ROOT_TREE_DIR, options.time.into(), &mut |key, item| {
        list.push((key, item.to_vec()));
        Ok(())
    })?;
    let default = survey
        .subvolume(options.default_subvolume)
        .unwrap_or(object::FS_TREE);
    list.push(items::default_entry(default));
    let name = InodeRef {
        index: 0.into(),
        name_len: 7.into(),
    };
    let key = Key::new(default, kind::INODE_REF, object::ROOT_TREE_DIR);
    list.push((key, [name.as_bytes(), b"default"].concat()));
    list.sort_unstable_by_key(|(key, _)| *key);
    list.iter().try_for_each(|(key, item)| take(*key, item))
}

/// Where a subvolume has its name: once for whoever asks the one that has it, and once for whoever asks itself.
fn refs(id: u64, parent: u64, name: &Name) -> [(Key, Vec<u8>); 2] {
    let head = RootRef {
        dirid: u64::from(name.parent).into(),
        sequence: u64::from(name.index).into(),
        name_len: u16::try_from(name.bytes.len()).unwrap_or(u16::MAX).into(),
    };
    let item = [head.as_bytes(), name.bytes].concat();
    [
        (Key::new(parent, kind::ROOT_REF, id), item.clone()),
        (Key::new(id, kind::ROOT_BACKREF, parent), item),
    ]
}

fn root_item(tree: u64) -> RootItem {
    let has_files =
        tree == object::FS_TREE || tree == object::DATA_RELOC_TREE || (256..1 << 48).contains(&tree);
    RootItem {
        inode: InodeItem {
            generation: 1.into(),
            size: 3.into(),
            nbytes: NODE.into(),
            nlink: 1.into(),
            mode: 0o040_755.into(),
            ..InodeItem::default()
        },
        generation: GENERATION.into(),
        root_dirid: if has_files { object::FIRST_FREE } else { 0 }.into(),
        refs: 1.into(),
        generation_v2: GENERATION.into(),
        ctime: Timespec::default(),
        ..RootItem::new_zeroed()
    }
}

/// The items of the tree that finds subvolumes by their ids.
pub(super) fn uuid_items(survey: &Survey, options: &Options, take: Take) -> Result<()> {
    let mut list: Vec<(Key, u64)> = Vec::new();
    for subvolume in &survey.subvolumes {
        let uuid = uuid(subvolume, options);
        let (high, low) = uuid.split_at(8);
        let half = |bytes: &[u8]| {
            bytes
                .iter()
                .rev()
                .fold(0, |number, byte| number << 8 | u64::from(*byte))
        };
        list.push((
            Key::new(half(high), kind::UUID_SUBVOLUME, half(low)),
            subvolume.id,
        ));
    }
    list.sort_unstable();
    list.iter()
        .try_for_each(|(key, id)| take(*key, &id.to_le_bytes()))
}

/// The items of the tree that a balance works in.
pub(super) fn reloc_items(options: &Options, take: Take) -> Result<()> {
    items::empty_root(object::FIRST_FREE, options.time.into(), take)
}
