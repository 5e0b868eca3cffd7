//! Whether a bundle is what its signer made: signature, tree, SquashFS, every image, every index.
//!
//! Nothing is used before what vouches for it was checked: the end's sizes, then the signature and whom it is from, then
//! the manifest, then the tree over all blocks, then what is in the SquashFS.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use image::{Content, Kind, NodeId, Progress, ReadAt, Tree, show};
use signature::{Trust, Verified};

use crate::digest::{digest, index_len};
use crate::manifest::{self, Image, Manifest};
use crate::plan::Work;
use crate::{Error, Signed, Unsigned};

/// A bundle that is what its signer made.
#[derive(Debug)]
pub struct Checked {
    /// The manifest.
    pub manifest: Manifest,
    /// What is in the SquashFS.
    pub tree: Tree,
    /// The SHA-256 of each file at its top, by name.
    pub digests: BTreeMap<Box<[u8]>, [u8; 32]>,
    /// What is at its top although the manifest names neither it nor a program that may use it.
    pub unnamed: Vec<String>,
}

/// Checks the signature alone.
///
/// # Errors
/// When it is not good, or not from somebody who is trusted, or about something that is no manifest.
pub fn verify_signature(bundle: &Signed, trust: &Trust) -> Result<(Verified, Unsigned), Error> {
    let verified = signature::verify(bundle.cms(), trust)?;
    let unsigned = Unsigned::new(bundle.payload().clone(), verified.content.clone())?;
    Ok((verified, unsigned))
}

/// Checks everything.
///
/// # Errors
/// When anything is wrong.
pub fn verify(bundle: &Signed, trust: &Trust, work: &Work) -> Result<(Verified, Checked), Error> {
    let (verified, unsigned) = verify_signature(bundle, trust)?;
    let checked = check(&unsigned, work)?;
    Ok((verified, checked))
}

/// Checks everything but who signed it.
///
/// # Errors
/// When the payload is not what the manifest says.
pub fn check(bundle: &Unsigned, work: &Work) -> Result<Checked, Error> {
    let manifest = bundle.manifest().clone();
    manifest.check_installable()?;
    let squashfs_size = check_tree(bundle, work)?;
    let archive = archive(bundle.payload(), squashfs_size)?;
    let used = archive.info().used;
    if used.next_multiple_of(verity::BLOCK_SIZE) != squashfs_size {
        return Err(Error::SquashfsSize {
            used,
            size: squashfs_size,
        });
    }
    let tree = archive.tree()?;
    check_entries(&tree)?;
    check_inner(&tree, &manifest)?;
    check_files(tree, manifest, work)
}

/// Opens the SquashFS at the start of a payload.
pub(crate) fn archive(payload: &Content, size: u64) -> Result<squashfs::read::Archive, Error> {
    let bytes: Arc<dyn ReadAt> = Arc::new(payload.clone());
    Ok(squashfs::read::Archive::open(bytes, size)?)
}

/// Compares all files with what the manifest says of them.
pub(crate) fn check_files(tree: Tree, manifest: Manifest, work: &Work) -> Result<Checked, Error> {
    let unnamed = unnamed(&tree, &manifest)?;
    let mut digests = BTreeMap::new();
    for image in &manifest.images {
        if let Some(filename) = &image.filename {
            let sha256 = check_image(&tree, image, filename, work.progress)?;
            digests.insert(filename.as_bytes().into(), sha256);
        }
    }
    let hooks = manifest.hooks.iter().map(|hooks| &hooks.filename);
    for program in hooks.chain(manifest.handler.iter().map(|handler| &handler.filename)) {
        file(&tree, program)?;
        let executable = |id| tree.node(id).meta.mode & 0o111 != 0;
        if !tree.lookup(program.as_bytes()).is_some_and(executable) {
            return Err(Error::NotExecutable(program.clone()));
        }
    }
    for (name, id) in tree.children(NodeId::ROOT) {
        if let Kind::File(content) = &tree.node(id).kind
            && !digests.contains_key(name)
        {
            digests.insert(name.into(), digest(content, work.progress, None)?);
        }
    }
    Ok(Checked {
        manifest,
        tree,
        digests,
        unnamed,
    })
}

/// Checks all blocks of SquashFS and tree, and answers where the tree begins.
fn check_tree(bundle: &Unsigned, work: &Work) -> Result<u64, Error> {
    let payload = bundle.payload();
    let verity = bundle.manifest().verity.ok_or(Error::NoTree)?;
    let start = payload.len().saturating_sub(verity.size);
    let block = verity::BLOCK_SIZE;
    if !start.is_multiple_of(block) || start <= block {
        return Err(Error::Payload { len: start });
    }
    let wanted = verity::tree_size(start);
    if wanted != verity.size {
        return Err(Error::TreeNotOfPayload {
            said: verity.size,
            wanted,
            len: start,
        });
    }
    let area = |start, len| verity::Area {
        source: payload,
        start,
        len,
    };
    let verity_work = verity::Work {
        spool: None,
        threads: work.threads,
        progress: work.progress,
    };
    let (data, tree) = (area(0, start), area(start, verity.size));
    verity::check(data, tree, &verity.hash, &verity.salt, &verity_work)?;
    Ok(start)
}

/// The most bytes of all files: holes cost nothing in a SquashFS, and reading them does.
const FILES_MAX: u64 = 256 << 30;

/// Only files, folders and links that stay where they are may be in a bundle.
pub(crate) fn check_entries(tree: &Tree) -> Result<(), Error> {
    if tree.content_len() > FILES_MAX {
        return Err(Error::FilesTooLarge {
            len: tree.content_len(),
            max: FILES_MAX,
        });
    }
    for entry in tree.walk() {
        let bad = |problem| Error::Entry {
            path: show(&entry.path),
            problem,
        };
        match &tree.node(entry.id).kind {
            Kind::Directory(_) | Kind::File(_) => {}
            Kind::Symlink(target) if !target.contains(&b'/') && &**target != b".." => {}
            Kind::Symlink(_) => return Err(bad("is a link out of its folder")),
            _ => return Err(bad("is neither a file nor a folder")),
        }
    }
    Ok(())
}

/// What stands at the top although the manifest does not name it, and names no program that may use it. RAUC takes that;
/// hidden folders it keeps for itself, and hidden files are left behind by editors.
fn unnamed(tree: &Tree, manifest: &Manifest) -> Result<Vec<String>, Error> {
    let mut named = BTreeSet::from([manifest::FILE.to_string()]);
    for image in &manifest.images {
        named.extend(image.filename.clone());
        named.extend(image.index_file());
    }
    let has_program = manifest.hooks.is_some() || manifest.handler.is_some();
    let named: BTreeSet<&[u8]> = named.iter().map(String::as_bytes).collect();
    let mut unnamed = Vec::new();
    for (name, id) in tree.children(NodeId::ROOT) {
        let is_hidden = name.first() == Some(&b'.');
        if is_hidden && !matches!(tree.node(id).kind, Kind::File(_)) {
            return Err(Error::Entry {
                path: show(name),
                problem: "is hidden, and no file",
            });
        }
        if !is_hidden && !has_program && !named.contains(name) {
            unnamed.push(show(name));
        }
    }
    Ok(unnamed)
}

/// The manifest in the SquashFS says the same as the one that is signed.
fn check_inner(tree: &Tree, manifest: &Manifest) -> Result<(), Error> {
    let content = file(tree, manifest::FILE)?;
    if content.len() > signature::LEN_MAX {
        return Err(Error::InnerManifest);
    }
    let inner = Manifest::read(&content.to_vec()?)?;
    // RAUC 1.8 writes no meta sections, neither here nor there.
    if inner.inner() == manifest.inner() {
        Ok(())
    } else {
        Err(Error::InnerManifest)
    }
}

/// Answers with the image's SHA-256.
fn check_image(
    tree: &Tree,
    image: &Image,
    filename: &str,
    progress: &dyn Progress,
) -> Result<[u8; 32], Error> {
    let content = file(tree, filename)?;
    if content.len() != image.size {
        return Err(Error::ImageSize {
            file: filename.to_string(),
            found: content.len(),
            said: image.size,
        });
    }
    progress.begin(&format!("checking {filename}"), content.len());
    let index = image
        .index_file()
        .map(|name| file(tree, &name).map(|content| (name, content)))
        .transpose()?;
    let sha256 = match index {
        None => digest(content, progress, None)?,
        Some((name, index)) => check_index(content, &name, index, progress)?,
    };
    if sha256 == image.sha256 {
        return Ok(sha256);
    }
    Err(Error::ImageDigest {
        file: filename.to_string(),
    })
}

/// Compares an index with the blocks that it is about, and answers with the SHA-256 of them all.
fn check_index(
    content: &Content,
    name: &str,
    index: &Content,
    progress: &dyn Progress,
) -> Result<[u8; 32], Error> {
    let wanted = index_len(content.len());
    if index.len() != wanted {
        return Err(Error::IndexSize {
            file: name.to_string(),
            found: index.len(),
            wanted,
        });
    }
    let mut reader = index.reader()?;
    let mut said = Vec::new();
    let mut block = 0;
    let mut compare = |hashes: &[u8]| {
        said.resize(hashes.len(), 0);
        let len = reader.fill(&mut said)?;
        let differs = said
            .chunks(32)
            .zip(hashes.chunks(32))
            .position(|(said, found)| said != found);
        if len != hashes.len() || differs.is_some() {
            return Err(Error::Index {
                file: name.to_string(),
                block: block + differs.unwrap_or(0) as u64,
            });
        }
        block += hashes.len() as u64 / 32;
        Ok(())
    };
    digest(content, progress, Some(&mut compare))
}

/// The content of a file at the top.
pub(crate) fn file<'a>(tree: &'a Tree, name: &str) -> Result<&'a Content, Error> {
    let id = tree.lookup(name.as_bytes());
    match id.map(|id| &tree.node(id).kind) {
        Some(Kind::File(content)) => Ok(content),
        Some(_) => Err(Error::Entry {
            path: name.to_string(),
            problem: "is no file",
        }),
        None => Err(Error::Missing(name.to_string())),
    }
}
