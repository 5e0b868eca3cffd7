//! The file systems that are read, and how much of one is read for what.

use image::{Node, NodeId, Tree};

use crate::Result;
use crate::format::Format;

/// A file system that is open.
#[expect(
    clippy::large_enum_variant,
    reason = "there are few of them, and none is in a list"
)]
#[derive(Clone, Debug)]
pub enum FileSystem {
    /// A squashfs.
    Squashfs(squashfs::read::Archive),
    /// An ext4, ext3 or ext2.
    Ext4(ext4::read::FileSystem),
    /// A FAT16 or FAT32.
    Fat(fat::read::FileSystem),
    /// A btrfs.
    Btrfs(btrfs::read::FileSystem),
    /// An erofs.
    Erofs(erofs::read::FileSystem),
}

/// How much of a file system is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Something, and its entries if it is a folder.
    Entries,
    /// Something, and all that is below it.
    All,
}

impl FileSystem {
    /// What it is.
    #[must_use]
    pub fn format(&self) -> Format {
        match self {
            FileSystem::Squashfs(_) => Format::Squashfs,
            FileSystem::Ext4(_) => Format::Ext4,
            FileSystem::Fat(_) => Format::Fat,
            FileSystem::Btrfs(_) => Format::Btrfs,
            FileSystem::Erofs(_) => Format::Erofs,
        }
    }

    /// All that is in it.
    ///
    /// # Errors
    /// When it is damaged.
    pub fn tree(&self) -> Result<Tree> {
        Ok(match self {
            FileSystem::Squashfs(archive) => archive.tree()?,
            FileSystem::Ext4(file_system) => file_system.tree()?,
            FileSystem::Fat(file_system) => file_system.tree()?,
            FileSystem::Btrfs(file_system) => file_system.tree()?,
            FileSystem::Erofs(file_system) => file_system.tree()?,
        })
    }

    /// Whether single paths can be looked up without reading all of it.
    pub(crate) fn finds_paths(&self) -> bool {
        matches!(
            self,
            FileSystem::Ext4(_) | FileSystem::Btrfs(_) | FileSystem::Erofs(_)
        )
    }

    /// What is at a path, without what is in it.
    pub(crate) fn node(&self, path: &[u8]) -> Result<Option<Node>> {
        match self {
            FileSystem::Ext4(file_system) => Ok(file_system.find(path)?),
            FileSystem::Btrfs(file_system) => Ok(file_system.find(path)?),
            FileSystem::Erofs(file_system) => Ok(file_system.find(path)?),
            other => {
                let tree = other.tree()?;
                Ok(tree.lookup(path).map(|id| tree.node(id).clone()))
            }
        }
    }

    /// A tree of what is at a path and of its entries alone.
    pub(crate) fn entries(&self, path: &[u8], node: Node) -> Result<Tree> {
        let mut tree = Tree::new(node);
        let mut add = |name: &[u8], node| tree.add(NodeId::ROOT, name, node).map(drop);
        match self {
            FileSystem::Ext4(file_system) => {
                for entry in file_system.list(path)?.unwrap_or_default() {
                    add(&entry.name, entry.node)?;
                }
            }
            FileSystem::Btrfs(file_system) => {
                for entry in file_system.list(path)?.unwrap_or_default() {
                    add(&entry.name, entry.node)?;
                }
            }
            FileSystem::Erofs(file_system) => {
                for entry in file_system.list(path)?.unwrap_or_default() {
                    add(&entry.name, entry.node)?;
                }
            }
            FileSystem::Squashfs(_) | FileSystem::Fat(_) => {}
        }
        Ok(tree)
    }
}
