//! What is opened.

use std::sync::{Arc, OnceLock};

use disk::read::Disk;
use image::{Content, Keep, Node, NodeId, Spool, Tree};

use crate::bundles::{self, Bundle};
use crate::compressed::{self, COMPRESSED_MAX};
use crate::disks;
use crate::environments;
use crate::file_system::FileSystem;
use crate::format::{self, Format};
use crate::{Error, Result, Work, programs};

/// Bytes, and what was made of them.
#[derive(Clone, Debug)]
pub struct Inside {
    /// The bytes.
    pub content: Content,
    /// What they are.
    pub what: What,
    /// The tree of all that is in it, once somebody needed it.
    pub(crate) whole: Arc<OnceLock<Arc<Tree>>>,
}

/// What bytes are, opened.
#[expect(
    clippy::large_enum_variant,
    reason = "there are few of them, and none is in a list"
)]
#[derive(Clone, Debug)]
pub enum What {
    /// A disk: its table was read.
    Disk(Arc<Disk>),
    /// A file system.
    FileSystem(FileSystem),
    /// A bundle.
    Bundle(Arc<Bundle>),
    /// An archive, or something else whose files are all known: a boot script has one, its text.
    Tree(Format, Arc<Tree>),
    /// Something compressed, or a disk in a container: what it is, and what is in it.
    Compressed(Format, Box<Inside>),
    /// What a build makes, or has made.
    Outputs(Arc<[Output]>),
    /// What has no files in it.
    Opaque(Format),
}

/// Something that a build makes.
#[derive(Clone, Debug)]
pub struct Output {
    /// The name of its file.
    pub name: Box<[u8]>,
    /// What the specification calls it, such as `fs.rootfs` or `disk`.
    pub part: Option<Box<[u8]>>,
    /// Its bytes.
    pub content: Content,
}

/// Opens bytes as what they are. What nobody knows is [`What::Opaque`].
///
/// # Errors
/// When they cannot be read, or are not what they claim to be.
pub fn open(content: Content, work: &Work) -> Result<Inside> {
    open_within(content, work, 0)
}

fn open_within(content: Content, work: &Work, depth: usize) -> Result<Inside> {
    let format = Format::of(&content)?;
    let (source, size) = (|| format::source(&content), content.len());
    let what = match format {
        Format::Disk => What::Disk(disks::open(&content)?.into()),
        Format::Squashfs => What::FileSystem(FileSystem::Squashfs(squashfs::read::Archive::open(
            source(),
            size,
        )?)),
        Format::Ext4 => What::FileSystem(FileSystem::Ext4(ext4::read::FileSystem::open(source(), size)?)),
        Format::Fat => What::FileSystem(FileSystem::Fat(fat::read::FileSystem::open(source(), size)?)),
        Format::Btrfs => What::FileSystem(FileSystem::Btrfs(btrfs::read::FileSystem::open(source(), size)?)),
        Format::Erofs => What::FileSystem(FileSystem::Erofs(erofs::read::FileSystem::open(source(), size)?)),
        Format::Bundle => What::Bundle(bundles::open(&content)?.into()),
        Format::Tar => What::Tree(format, tar(&content, work)?.into()),
        Format::Script => What::Tree(format, script(&content)?.into()),
        Format::Efi => What::Tree(format, programs::tree(&content)?.into()),
        Format::Environment => What::Tree(format, environments::tree(&content)?.into()),
        Format::Compressed(coding) => {
            if depth >= COMPRESSED_MAX {
                return Err(Error::TooDeep {
                    limit: COMPRESSED_MAX,
                });
            }
            let plain = compressed::plain(&content, coding, work)?;
            What::Compressed(format, Box::new(open_within(plain, work, depth + 1)?))
        }
        Format::Container(container) => {
            if depth >= COMPRESSED_MAX {
                return Err(Error::TooDeep {
                    limit: COMPRESSED_MAX,
                });
            }
            let disk = container::read::open(container, source(), size)?;
            let len = disk.size();
            let plain = Content::Span {
                source: Arc::new(disk),
                start: 0,
                len,
            };
            What::Compressed(format, Box::new(open_within(plain, work, depth + 1)?))
        }
        Format::Swap
        | Format::HashTree
        | Format::RootSignature
        | Format::CryptBundle
        | Format::Luks
        | Format::Outputs
        | Format::Unknown => What::Opaque(format),
    };
    Ok(Inside::new(content, what))
}

/// The files of an archive, whose contents come to lie in a nameless file.
fn tar(content: &Content, work: &Work) -> Result<Tree> {
    let keep = Keep {
        modes: true,
        owners: true,
        times: true,
        xattrs: true,
        hard_links: true,
        follow_links: false,
    };
    let spool = Spool::create(work.folder)?;
    let name = "the archive";
    Ok(archive::read_tar(
        compressed::Bytes::new(content)?,
        name.as_ref(),
        keep,
        &spool,
    )?)
}

/// The longest script that is read.
const SCRIPT_MAX: u64 = 16 << 20;

/// A boot script as a folder of one file. In a partition, more is behind it.
fn script(content: &Content) -> Result<Tree> {
    let (script, _) = uboot::read_script_at_start(&format::head(content, SCRIPT_MAX)?)?;
    let mut tree = Tree::default();
    tree.add(NodeId::ROOT, b"script", Node::file(script.source))?;
    Ok(tree)
}

impl Inside {
    pub(crate) fn new(content: Content, what: What) -> Inside {
        Inside {
            content,
            what,
            whole: Arc::default(),
        }
    }

    /// What a build makes, as a folder.
    #[must_use]
    pub fn of_outputs(outputs: Vec<Output>) -> Inside {
        Inside::new(Content::Zeros(0), What::Outputs(outputs.into()))
    }

    /// Bytes that nobody looks into.
    #[must_use]
    pub fn opaque(content: Content) -> Inside {
        Inside::new(content, What::Opaque(Format::Unknown))
    }

    /// Files that are no image of their own, such as a folder in one.
    #[must_use]
    pub fn of_tree(tree: Tree) -> Inside {
        Inside::new(Content::Zeros(0), What::Tree(Format::Outputs, tree.into()))
    }

    /// What it is.
    #[must_use]
    pub fn format(&self) -> Format {
        match &self.what {
            What::Disk(_) => Format::Disk,
            What::FileSystem(file_system) => file_system.format(),
            What::Bundle(_) => Format::Bundle,
            What::Tree(format, _) | What::Opaque(format) | What::Compressed(format, _) => *format,
            What::Outputs(_) => Format::Outputs,
        }
    }

    /// What is inside of all that is compressed.
    #[must_use]
    pub fn plain(&self) -> &Inside {
        match &self.what {
            What::Compressed(_, inner) => inner.plain(),
            _ => self,
        }
    }

    /// All files of a file system, an archive, a script or a bundle; nothing for anything else.
    ///
    /// # Errors
    /// When it is damaged.
    pub fn files(&self) -> Result<Option<Arc<Tree>>> {
        if let Some(tree) = self.whole.get() {
            return Ok(Some(Arc::clone(tree)));
        }
        let tree = match &self.what {
            What::FileSystem(file_system) => file_system.tree()?.into(),
            What::Bundle(bundle) => Arc::clone(&bundle.tree),
            What::Tree(_, tree) => Arc::clone(tree),
            What::Compressed(_, inner) => return inner.files(),
            What::Disk(_) | What::Outputs(_) | What::Opaque(_) => return Ok(None),
        };
        Ok(Some(Arc::clone(self.whole.get_or_init(|| tree))))
    }

    /// Why nothing is in it.
    ///
    /// # Errors
    /// When its first bytes cannot be read.
    pub fn why_opaque(&self) -> Result<Error> {
        Ok(match self.format() {
            Format::Swap => Error::NoFiles("a swap area"),
            Format::HashTree => Error::NoFiles("a dm-verity hash tree"),
            Format::RootSignature => Error::NoFiles("the signature of a dm-verity root hash"),
            Format::Luks => Error::Encrypted("a LUKS volume"),
            Format::CryptBundle => Error::Encrypted("a RAUC bundle of the format crypt"),
            _ => Error::Unknown(format::begins_with(&self.content)?),
        })
    }
}
