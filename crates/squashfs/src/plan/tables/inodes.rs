//! What stands in inodes.

use image::{Device, NodeId};
use zerocopy::IntoBytes;

use super::{Writer, narrow};
use crate::Error;
use crate::format::{
    BasicDirectory, BasicFile, DIRECTORY_EXTRA, DeviceInode, ExtendedDirectory, ExtendedFile, NO_FRAGMENT,
    NO_XATTR, Symlink,
};
use crate::plan::stored::Blocks;

/// What follows an inode's header.
pub(super) struct Body {
    pub(super) extended: bool,
    pub(super) bytes: Vec<u8>,
}

impl Body {
    fn basic(bytes: &[u8]) -> Body {
        Body {
            extended: false,
            bytes: bytes.to_vec(),
        }
    }

    fn extended(bytes: &[u8]) -> Body {
        Body {
            extended: true,
            bytes: bytes.to_vec(),
        }
    }

    fn and(mut self, more: &[u8]) -> Body {
        self.bytes.extend_from_slice(more);
        self
    }
}

impl Writer<'_> {
    pub(super) fn directory(&self, id: NodeId, parent: u32) -> Result<Body, Error> {
        let listing = &self.listings[id.index()];
        let xattr = self.xattrs.indexes[id.index()];
        let nlink = 2 + listing.subdirectories;
        let start_block = narrow("bytes of directories", listing.position.block_start)?;
        let offset = listing.position.offset;
        let file_size = listing.len + DIRECTORY_EXTRA;
        if let (Ok(file_size), NO_XATTR, 0) = (u16::try_from(file_size), xattr, listing.index_count) {
            let body = BasicDirectory {
                start_block: start_block.into(),
                nlink: nlink.into(),
                file_size: file_size.into(),
                offset: offset.into(),
                parent_inode: parent.into(),
            };
            return Ok(Body::basic(body.as_bytes()));
        }
        let body = ExtendedDirectory {
            nlink: nlink.into(),
            file_size: file_size.into(),
            start_block: start_block.into(),
            parent_inode: parent.into(),
            index_count: listing.index_count.into(),
            offset: offset.into(),
            xattr: xattr.into(),
        };
        Ok(Body::extended(body.as_bytes()).and(&listing.index))
    }

    pub(super) fn file(&self, id: NodeId, len: u64) -> Body {
        let place = self.segments.places[id.index()];
        let xattr = self.xattrs.indexes[id.index()];
        let nlink = self.links[id.index()];
        let Blocks { start, sparse, sizes } = match (self.stored.blocks(id), place.fragment) {
            (Some(blocks), _) => blocks,
            (None, NO_FRAGMENT) => self.blocks(place.first_job, len),
            (None, _) => Blocks::default(),
        };
        let basic = (u32::try_from(start), u32::try_from(len), xattr, nlink, sparse);
        if let (Ok(start_block), Ok(file_size), NO_XATTR, 1, 0) = basic {
            let body = BasicFile {
                start_block: start_block.into(),
                fragment: place.fragment.into(),
                offset: place.offset.into(),
                file_size: file_size.into(),
            };
            return Body::basic(body.as_bytes()).and(&sizes);
        }
        let body = ExtendedFile {
            start_block: start.into(),
            file_size: len.into(),
            sparse: sparse.into(),
            nlink: nlink.into(),
            fragment: place.fragment.into(),
            offset: place.offset.into(),
            xattr: xattr.into(),
        };
        Body::extended(body.as_bytes()).and(&sizes)
    }

    /// The blocks of a large file.
    fn blocks(&self, first_job: u32, len: u64) -> Blocks {
        let (mut sparse, mut left, mut sizes) = (0, len, Vec::new());
        let first = first_job as usize;
        for (word, job) in self.packed.sizes.iter().zip(&self.segments.jobs).skip(first) {
            if left == 0 {
                break;
            }
            if *word == 0 {
                sparse += u64::from(job.len());
            }
            left -= u64::from(job.len());
            sizes.extend(word.to_le_bytes());
        }
        Blocks {
            start: self.packed.starts.get(first).copied().unwrap_or(0),
            sparse,
            sizes,
        }
    }

    pub(super) fn symlink(&self, id: NodeId, target: &[u8]) -> Body {
        let target_size = u32::try_from(target.len()).unwrap_or(u32::MAX);
        let nlink = self.links[id.index()].into();
        let body = Symlink {
            nlink,
            target_size: target_size.into(),
        };
        let mut bytes = body.as_bytes().to_vec();
        bytes.extend_from_slice(target);
        self.special(id, bytes)
    }

    pub(super) fn device(&self, id: NodeId, device: Device) -> Body {
        let Device { major, minor } = device;
        // Linux's "new" encoding: the minor number's upper bits stand above the major number.
        let rdev = (minor & 0xff) | (major << 8) | ((minor & !0xff) << 12);
        let body = DeviceInode {
            nlink: self.links[id.index()].into(),
            rdev: rdev.into(),
        };
        self.special(id, body.as_bytes().to_vec())
    }

    /// A body whose extended form has the attributes' index at its end.
    pub(super) fn special(&self, id: NodeId, bytes: Vec<u8>) -> Body {
        match self.xattrs.indexes[id.index()] {
            NO_XATTR => Body {
                extended: false,
                bytes,
            },
            xattr => Body {
                extended: true,
                bytes,
            }
            .and(&xattr.to_le_bytes()),
        }
    }
}
