//! Images and programs become a payload and its manifest; nothing is signed yet.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use image::{Content, Layout, Meta, Node, NodeId, Progress, Spool, Tree, Unit};
use sha2::{Digest, Sha256};
use squashfs::Compression;

use crate::digest::{digest, digest_and_index, index_len};
use crate::manifest::{self, BLOCK_HASH_INDEX, Handler, Hooks, Manifest, Verity};
use crate::target::Target;
use crate::{Error, Unsigned};

/// What a bundle shall be.
#[derive(Clone, Debug)]
pub struct Options {
    /// The oldest RAUC that shall take it.
    pub target: Target,
    /// What it is for.
    pub compatible: String,
    /// The version of what it brings.
    pub version: Option<String>,
    /// About it, for people.
    pub description: Option<String>,
    /// The build that made it.
    pub build: Option<String>,
    /// The oldest RAUC that may install it.
    pub min_rauc_version: Option<String>,
    /// What goes into which slots, in order.
    pub images: Vec<ImageOptions>,
    /// A program that is asked on the way: its manifest's part and its bytes.
    pub hooks: Option<(Hooks, Content)>,
    /// A program that installs in RAUC's place: its manifest's part and its bytes.
    pub handler: Option<(Handler, Content)>,
    /// What else lies in it, for its programs: by name.
    pub files: BTreeMap<String, ExtraFile>,
    /// More about it, for other programs.
    pub meta: BTreeMap<String, BTreeMap<String, String>>,
    /// How what is not stored is compressed.
    pub compression: Compression,
    /// Bytes of a block of the SquashFS. Small ones cost a device little when it reads only parts.
    pub block_size: u32,
    /// The time of making and of all files, in seconds since 1970.
    pub time: u32,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            target: Target::default(),
            compatible: String::new(),
            version: None,
            description: None,
            build: None,
            min_rauc_version: None,
            images: Vec::new(),
            hooks: None,
            handler: None,
            files: BTreeMap::new(),
            meta: BTreeMap::new(),
            compression: Compression::Gzip { level: 9 },
            block_size: 16 << 10,
            time: 1,
        }
    }
}

/// An image of a bundle.
#[derive(Clone, Debug)]
pub struct ImageOptions {
    /// Its part of the manifest; digest, size and index come from the content.
    pub manifest: manifest::Image,
    /// The bytes of its file, if it has one.
    pub content: Option<Content>,
    /// How it lies in the SquashFS.
    pub packing: Packing,
}

/// A file that no image is.
#[derive(Clone, Debug)]
pub struct ExtraFile {
    /// Its bytes.
    pub content: Content,
    /// Its permissions: `0o644` or `0o755`.
    pub mode: u16,
}

/// How an image lies in a bundle's SquashFS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// As it is: it is compressed already.
    Stored,
    /// Compressed.
    Compressed,
}

/// How the work is done, which changes no byte.
pub struct Work<'a> {
    /// Spools are made on the disk that this folder lies on.
    pub folder: &'a Path,
    /// How many threads compress.
    pub threads: usize,
    /// Hears how far the work is.
    pub progress: &'a dyn Progress,
    /// Where compressed segments may be, and are kept.
    pub segments: Option<cache::Places<'a>>,
}

impl Options {
    /// Checks everything but the images' bytes.
    ///
    /// # Errors
    /// When the manifest makes no sense or is beyond the target, or the SquashFS cannot be made so.
    pub fn check(&self) -> Result<(), Error> {
        manifest(self).check(self.target)?;
        self.check_names()?;
        Ok(self.squashing().check()?)
    }

    /// Each file has a name of its own, and each image that names a file has one.
    fn check_names(&self) -> Result<(), Error> {
        let mut names = BTreeSet::from([manifest::FILE.to_string()]);
        for image in &self.images {
            let slot = &image.manifest.slot;
            if image.manifest.filename.is_some() != image.content.is_some() {
                let problem = "a file needs a name, and a name needs a file";
                return Err(Error::Manifest(format!("image {slot}: {problem}")));
            }
            names.extend(image.manifest.filename.clone());
            names.extend(image.manifest.index_file());
        }
        let hooks = self.hooks.iter().map(|(hooks, _)| &hooks.filename);
        names.extend(
            hooks
                .chain(self.handler.iter().map(|(handler, _)| &handler.filename))
                .cloned(),
        );
        for name in self.files.keys() {
            manifest::check_filename(name)?;
            if names.contains(name) {
                return Err(Error::Manifest(format!("{name}: two files of this name")));
            }
        }
        Ok(())
    }

    fn squashing(&self) -> squashfs::Options {
        squashfs::Options {
            block_size: self.block_size,
            compression: self.compression,
            time: self.time,
            ..squashfs::Options::default()
        }
    }
}

/// The most bytes that a bundle can take, without its signature.
///
/// # Errors
/// When the options do not allow one.
pub fn at_most(options: &Options) -> Result<u64, Error> {
    options.check()?;
    let mut tree = Tree::default();
    let mut squashing = options.squashing();
    for image in &options.images {
        let (Some(content), Some(filename)) = (&image.content, &image.manifest.filename) else {
            continue;
        };
        let id = add(&mut tree, filename, content.clone(), 0o644)?;
        if image.packing == Packing::Stored {
            squashing.stored.insert(id);
        }
        if let Some(index_file) = image.manifest.index_file() {
            let index = Content::Zeros(index_len(content.len()));
            add(&mut tree, &index_file, index, 0o644)?;
        }
    }
    add_files(&mut tree, options)?;
    let inner = Content::from(manifest(options).write().into_bytes());
    add(&mut tree, manifest::FILE, inner, 0o644)?;
    let squashfs = squashfs::at_most(&tree, &squashing)?;
    Ok(squashfs + verity::tree_size(squashfs))
}

/// Plans a bundle.
///
/// # Errors
/// When the manifest makes no sense or is beyond the target, an image cannot be read or does not suit its purpose, or
/// spools cannot be written.
pub fn plan(options: &Options, work: &Work) -> Result<Unsigned, Error> {
    // Before gigabytes are read.
    options.check()?;
    let mut manifest = manifest(options);
    let mut tree = Tree::default();
    let mut stored = BTreeSet::new();
    let mut digests = BTreeMap::new();
    for (image, options) in manifest.images.iter_mut().zip(&options.images) {
        let (Some(content), Some(filename)) = (&options.content, &image.filename) else {
            continue;
        };
        let id = add(&mut tree, filename, content.clone(), 0o644)?;
        if options.packing == Packing::Stored {
            stored.insert(id);
        } else {
            alone(&mut tree, id, filename);
        }
        work.progress.begin(&format!("hashing {filename}"), content.len());
        if let Some(file) = image.index_file() {
            let spool = Spool::create(work.folder)?;
            let (sha256, index) = digest_and_index(content, &spool, work.progress)?;
            image.sha256 = sha256;
            // Blocks of zeros are common, and their hashes are equal.
            let index = add(&mut tree, &file, index, 0o644)?;
            alone(&mut tree, index, &file);
        } else {
            image.sha256 = digest(content, work.progress, None)?;
        }
        digests.insert(id, image.sha256);
    }
    add_files(&mut tree, options)?;
    let inner = manifest.write();
    add(
        &mut tree,
        manifest::FILE,
        Content::from(inner.clone().into_bytes()),
        0o644,
    )?;
    set_times(&mut tree, options.time);
    let mut by_node = vec![None; tree.len()];
    for (id, digest) in digests {
        by_node[id.index()] = Some(digest);
    }
    let squashfs = squash(&tree, options, stored, &by_node, work)?;
    let (verity, payload) = protect(squashfs, salt(&inner), work)?;
    manifest.verity = Some(verity);
    Unsigned::new(payload, manifest.write().into_bytes())
}

fn manifest(options: &Options) -> Manifest {
    let image = |options: &ImageOptions| manifest::Image {
        size: options.content.as_ref().map_or(0, Content::len),
        ..options.manifest.clone()
    };
    Manifest {
        compatible: options.compatible.clone(),
        version: options.version.clone(),
        description: options.description.clone(),
        build: options.build.clone(),
        min_rauc_version: options.min_rauc_version.clone(),
        verity: None,
        handler: options.handler.as_ref().map(|(handler, _)| handler.clone()),
        hooks: options.hooks.as_ref().map(|(hooks, _)| hooks.clone()),
        images: options.images.iter().map(image).collect(),
        meta: options.meta.clone(),
    }
}

fn add(tree: &mut Tree, name: &str, content: Content, mode: u16) -> Result<NodeId, Error> {
    let node = Node::file(content).mode(mode);
    Ok(tree.add(NodeId::ROOT, name.as_bytes(), node)?)
}

/// Adds the programs, and what else there is.
fn add_files(tree: &mut Tree, options: &Options) -> Result<(), Error> {
    let handler = options.handler.iter();
    let handler = handler.map(|(handler, program)| (&handler.filename, program));
    let hooks = options
        .hooks
        .iter()
        .map(|(hooks, program)| (&hooks.filename, program));
    for (file, program) in hooks.chain(handler) {
        if tree.lookup(file.as_bytes()).is_none() {
            add(tree, file, program.clone(), 0o755)?;
        }
    }
    for (name, file) in &options.files {
        add(tree, name, file.content.clone(), file.mode)?;
    }
    Ok(())
}

fn set_times(tree: &mut Tree, time: u32) {
    let ids: Vec<NodeId> = tree.nodes().map(|(id, _)| id).collect();
    for id in ids {
        let meta: &mut Meta = &mut tree.node_mut(id).meta;
        meta.mtime = i64::from(time);
    }
}

/// Gives a file a segment of its own, which another bundle with the same file has too.
fn alone(tree: &mut Tree, id: NodeId, name: &str) {
    let name: Box<[u8]> = name.as_bytes().into();
    let order = name.clone();
    tree.mark_unit(id, Unit { order, name });
}

fn squash(
    tree: &Tree,
    options: &Options,
    stored: BTreeSet<NodeId>,
    digests: &[Option<[u8; 32]>],
    work: &Work,
) -> Result<Content, Error> {
    let spool = Spool::create(work.folder)?;
    // Nobody has hashes of files and their names: segments are named after files' bytes.
    let unnamed = BTreeMap::new();
    let squash_work = squashfs::Work {
        spool: &spool,
        threads: work.threads,
        digests,
        progress: work.progress,
        reuse: work.segments.map(|places| squashfs::Reuse {
            units: &unnamed,
            places,
            confirm: None,
        }),
    };
    let squashing = squashfs::Options {
        stored,
        ..options.squashing()
    };
    let planned = squashfs::plan(tree, &squashing, &squash_work)?;
    Ok(Content::Image(Arc::new(planned.image)))
}

/// The tree's salt. It has no need to be secret: it follows from everything that the bundle holds.
fn salt(inner: &str) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(b"kiln: the salt of a bundle's tree, 1\n");
    hasher.update(inner);
    hasher.finalize().into()
}

/// Puts the tree behind the SquashFS.
fn protect(squashfs: Content, salt: [u8; 32], work: &Work) -> Result<(Verity, Content), Error> {
    let options = verity::Options {
        salt: salt.to_vec(),
        superblock: None,
    };
    let spool = Spool::create(work.folder)?;
    let verity_work = verity::Work {
        spool: Some(&spool),
        threads: work.threads,
        progress: work.progress,
    };
    let tree = verity::plan(&squashfs, &options, &verity_work)?;
    let (start, size) = (squashfs.len(), tree.image.size());
    debug_assert!(start.is_multiple_of(verity::BLOCK_SIZE));
    let mut layout = Layout::new();
    layout.put(0, "squashfs", squashfs);
    layout.put(start, "verity tree", Content::Image(Arc::new(tree.image)));
    let payload = layout.finish(start + size)?;
    let verity = Verity {
        hash: tree.root,
        salt,
        size,
    };
    Ok((verity, Content::Image(Arc::new(payload))))
}

/// The methods of an image that comes with its blocks' hashes.
#[must_use]
pub fn adaptive() -> Vec<String> {
    vec![BLOCK_HASH_INDEX.to_string()]
}
