//! The files that lie beside the store paths, or come from elsewhere: boot loaders, kernels, what a tree of the host brings.
//!
//! Each is told by its place, with its SHA-256, and with the store path that it is a file of, where there is one. What Kiln
//! makes itself, such as images and texts, is no material.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use image::{Content, Kind, NodeId, show};
use nix::{STORE_DIR, StorePath};
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::expand::{expand, whole};
use crate::gather::Gathered;
use crate::parts::Planner;
use crate::schema::{Bundle, Disk, FileSystem, Format, GrubMenu, Netboot, Sources, Uki};
use crate::trees::{self, Values, in_closure};
use crate::{hardware, layouts};

/// A file with fewer bytes can equal one of the closure by chance, so nothing is said of where it comes from.
const OWNED_LEN_MIN: u64 = 4096;

/// How many bytes are read at once.
const CHUNK: usize = 256 << 10;

/// A file, before it is read.
struct Piece {
    place: String,
    content: Content,
    origin: Option<String>,
}

/// The first store path that has a file of this length and SHA-256.
type Owners = BTreeMap<(u64, [u8; 32]), StorePath>;

/// All files, with their digests.
pub(crate) fn files(planner: &mut Planner) -> Result<Vec<sbom::File>> {
    let spec = planner.spec;
    let mut pieces = Pieces {
        planner,
        found: Vec::new(),
    };
    if let Some(disk) = &spec.disk {
        pieces.disk(disk)?;
    }
    for (key, fs) in &spec.fs {
        pieces.file_system(key, fs)?;
    }
    for (key, script) in &spec.script {
        let source = script.source.to_string_lossy();
        pieces.source(&source, &format!("script.{key}.source"))?;
    }
    for (key, uki) in &spec.uki {
        pieces.uki(&format!("uki.{key}"), uki)?;
    }
    for (key, efi) in &spec.efi {
        pieces.source(&efi.source, &format!("efi.{key}.source"))?;
    }
    if let Some(netboot) = &spec.netboot {
        pieces.netboot(netboot)?;
    }
    if let Some(bundle) = &spec.bundle {
        pieces.bundle(bundle)?;
    }
    let found = pieces.found;
    read(planner, found)
}

/// Reads all files, and finds out which are files of the closure.
fn read(planner: &Planner, found: Vec<Piece>) -> Result<Vec<sbom::File>> {
    let progress = planner.work.progress;
    let len = found.iter().map(|piece| piece.content.len()).sum();
    progress.begin("hashing files beside the store", len);
    let digest = |piece: &Piece| sha256(&piece.content, &piece.place, planner);
    let digests: Vec<[u8; 32]> = found.par_iter().map(digest).collect::<Result<_>>()?;
    let is_orphan = |piece: &&Piece| piece.origin.is_none() && piece.content.len() >= OWNED_LEN_MIN;
    let lens = found.iter().filter(is_orphan).map(|piece| piece.content.len());
    let owners = owners(planner, &lens.collect())?;
    let file = |(piece, sha256): (Piece, [u8; 32])| {
        let len = piece.content.len();
        let owner = owners.get(&(len, sha256)).map(ToString::to_string);
        sbom::File {
            place: piece.place,
            sha256,
            len,
            origin: piece.origin.or(owner),
        }
    };
    Ok(found.into_iter().zip(digests).map(file).collect())
}

/// Which store paths have files of these lengths, by what is in them.
fn owners(planner: &Planner, lens: &BTreeSet<u64>) -> Result<Owners> {
    let Gathered {
        closure,
        tree,
        digests,
        ..
    } = planner.gathered;
    let mut files: Vec<(&StorePath, NodeId, &Content)> = Vec::new();
    for info in closure.paths().iter().filter(|_| !lens.is_empty()) {
        let Some(root) = tree.lookup(info.path.as_str().as_bytes()) else {
            continue;
        };
        let contents = tree
            .walk_from(root)
            .filter_map(|entry| match &tree.node(entry.id).kind {
                Kind::File(content) if lens.contains(&content.len()) => Some((&info.path, entry.id, content)),
                _ => None,
            });
        files.extend(contents);
    }
    let digest = |(path, id, content): &(&StorePath, NodeId, &Content)| {
        let known = digests.get(id.index()).copied().flatten();
        let digest = known.map_or_else(|| sha256(content, path.as_str(), planner), Ok)?;
        Ok(((content.len(), digest), (*path).clone()))
    };
    let found: Vec<_> = files.par_iter().map(digest).collect::<Result<_>>()?;
    let mut owners = Owners::new();
    for (key, path) in found {
        owners.entry(key).or_insert(path);
    }
    Ok(owners)
}

fn sha256(content: &Content, place: &str, planner: &Planner) -> Result<[u8; 32]> {
    let failed = |source| Error::Tree {
        part: place.to_string(),
        source,
    };
    let mut reader = content.reader().map_err(failed)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; CHUNK];
    loop {
        let count = reader.fill(&mut buffer).map_err(failed)?;
        if count == 0 {
            break;
        }
        hasher.update(&buffer[..count]);
        let progress = planner.work.progress.advance(count as u64);
        progress.map_err(|stop| failed(stop.into()))?;
    }
    reader.finish().map_err(failed)?;
    Ok(hasher.finalize().into())
}

/// Whether a source is another part, or a text that is made.
fn is_made(source: &str) -> bool {
    whole(source).is_some_and(|key| key.contains('.'))
}

/// The files that were found so far.
struct Pieces<'p, 'a> {
    planner: &'p mut Planner<'a>,
    found: Vec<Piece>,
}

impl Pieces<'_, '_> {
    /// A source as keys have it: a file of the closure or of the host.
    fn source(&mut self, source: &str, place: &str) -> Result<()> {
        if is_made(source) {
            return Ok(());
        }
        let content = self.planner.source(source, place)?;
        let origin = self.origin(source, place)?;
        self.found.push(Piece {
            place: place.to_string(),
            content,
            origin,
        });
        Ok(())
    }

    fn sources(&mut self, sources: &[String], place: &str) -> Result<()> {
        for (number, source) in sources.iter().enumerate() {
            self.source(source, &numbered(place, number, sources.len()))?;
        }
        Ok(())
    }

    /// The files of a folder that are used; or a file.
    fn folder(&mut self, source: &str, place: &str, is_used: impl Fn(&str) -> bool) -> Result<()> {
        let Some((_, folder)) = self.planner.folder_of(source, place)? else {
            return self.source(source, place);
        };
        let origin = self.origin(source, place)?;
        for entry in folder.walk() {
            let path = show(&entry.path);
            if let Kind::File(content) = &folder.node(entry.id).kind
                && is_used(&path)
            {
                self.found.push(Piece {
                    place: format!("{place}:{path}"),
                    content: content.clone(),
                    origin: origin.clone(),
                });
            }
        }
        Ok(())
    }

    /// A file of the host, whose name has no values in it.
    fn host(&mut self, file: &Path, place: &str) -> Result<()> {
        let path = self.planner.work.folder.join(file);
        let content = Content::host_file(path).map_err(|source| Error::Tree {
            part: place.to_string(),
            source,
        })?;
        self.found.push(Piece {
            place: place.to_string(),
            content,
            origin: store_path(&file.to_string_lossy()),
        });
        Ok(())
    }

    /// The store path that a source lies in, links followed where it is in the closure.
    fn origin(&mut self, source: &str, place: &str) -> Result<Option<String>> {
        let source = expand(source, place, |key| Values::text(self.planner, key, place))?;
        let gathered = self.planner.gathered;
        if !in_closure(&source, &gathered.closure) {
            return Ok(store_path(&source));
        }
        let found = nix::resolve(&gathered.tree, source.as_bytes());
        Ok(found.and_then(|found| store_path(&String::from_utf8_lossy(&found.path))))
    }

    fn disk(&mut self, disk: &Disk) -> Result<()> {
        if let Some(file) = &disk.boot_code {
            self.host(file, "disk.boot-code")?;
        }
        if let Some(grub) = &disk.grub {
            for name in ["boot.img", "kernel.img"] {
                self.host(&grub.from.join(name), &format!("disk.grub:{name}"))?;
            }
        }
        if let Some(limine) = &disk.limine {
            self.host(&limine.from, "disk.limine")?;
        }
        for region in &disk.region {
            if let Some(raw) = &region.raw {
                self.host(raw, &format!("disk.region.{}", region.name))?;
            }
        }
        Ok(())
    }

    /// All files of a file system that are not in its store, or out of it by a layout.
    fn file_system(&mut self, key: &str, fs: &FileSystem) -> Result<()> {
        if fs.format == Format::Swap {
            return Ok(());
        }
        let beside = beside(fs);
        let gathered = self.planner.gathered;
        let folder = self.planner.work.folder;
        let tree = trees::tree(key, &beside, gathered, folder, self.planner)?;
        let origins = self.origins(key, &beside)?;
        for entry in tree.walk() {
            if let Kind::File(content) = &tree.node(entry.id).kind {
                let content = content.clone();
                let path = show(&entry.path);
                let origin = origins
                    .iter()
                    .rev()
                    .find(|(at, source)| is_below(&path, at, source, folder));
                self.found.push(Piece {
                    origin: origin.and_then(|(_, source)| store_path(source)),
                    place: format!("fs.{key}:{path}"),
                    content,
                });
            }
        }
        Ok(())
    }

    /// The sources of a file system that lie in store paths which are not in the closure, by where they are put.
    fn origins(&mut self, key: &str, fs: &FileSystem) -> Result<Vec<(String, String)>> {
        let tree = fs.tree.iter().map(|sources| ("/", sources));
        let files = fs.files.iter().map(|(path, sources)| (path.as_str(), sources));
        let mut origins = Vec::new();
        for (path, sources) in tree.chain(files) {
            for source in &sources.0 {
                let place = format!("fs.{key}.files.{path:?}");
                let source = expand(source, &place, |key| Values::text(self.planner, key, &place))?;
                let is_elsewhere = !in_closure(&source, &self.planner.gathered.closure);
                if is_elsewhere && store_path(&source).is_some() {
                    origins.push((path.trim_end_matches('/').to_string(), source));
                }
            }
        }
        Ok(origins)
    }

    fn uki(&mut self, name: &str, uki: &Uki) -> Result<()> {
        let usual = |said: &Option<String>, usual: &str| {
            let usual = (!uki.addon).then(|| usual.to_string());
            said.clone().or(usual)
        };
        let initrd = uki.initrd.as_ref().map(|sources| sources.0.clone());
        let initrd = initrd.unwrap_or_else(|| usual(&None, "{initrd}").into_iter().collect());
        self.source(&uki.stub, &format!("{name}.stub"))?;
        let single = [
            ("linux", usual(&uki.linux, "{kernel}")),
            ("dtb", uki.dtb.clone()),
            ("splash", uki.splash.clone()),
            ("microcode", uki.microcode.clone()),
        ];
        for (key, source) in single {
            if let Some(source) = source {
                self.source(&source, &format!("{name}.{key}"))?;
            }
        }
        self.sources(&initrd, &format!("{name}.initrd"))?;
        self.sources(&uki.dtbauto, &format!("{name}.dtbauto"))?;
        if let Some(source) = &uki.hwids {
            self.folder(source, &format!("{name}.hwids"), hardware::is_description)?;
        }
        for (number, source) in uki.efifw.iter().enumerate() {
            self.folder(
                source,
                &numbered(&format!("{name}.efifw"), number, uki.efifw.len()),
                |_| true,
            )?;
        }
        for (section, source) in &uki.sections {
            self.source(source, &format!("{name}.sections.{section}"))?;
        }
        for profile in &uki.profiles {
            let name = format!("{name}.profiles.{}", profile.id);
            if let Some(Sources(initrd)) = &profile.initrd {
                self.sources(initrd, &format!("{name}.initrd"))?;
            }
            if let Some(dtb) = &profile.dtb {
                self.source(dtb, &format!("{name}.dtb"))?;
            }
        }
        Ok(())
    }

    fn netboot(&mut self, netboot: &Netboot) -> Result<()> {
        let kernel = netboot.kernel.as_deref().unwrap_or("{kernel}");
        self.source(kernel, "netboot.kernel")?;
        let usual = || vec!["{initrd}".to_string()];
        let initrd = netboot
            .initrd
            .as_ref()
            .map_or_else(usual, |sources| sources.0.clone());
        self.sources(&initrd, "netboot.initrd")
    }

    fn bundle(&mut self, bundle: &Bundle) -> Result<()> {
        for (slot, image) in &bundle.image {
            if let Some(raw) = &image.raw {
                self.host(raw, &format!("bundle.image.{slot}"))?;
            }
        }
        if let Some(hooks) = &bundle.hooks {
            self.host(&hooks.source, "bundle.hooks")?;
        }
        if let Some(handler) = &bundle.handler {
            self.host(&handler.source, "bundle.handler")?;
        }
        for (name, file) in &bundle.extra {
            self.host(&file.source, &format!("bundle.extra.{name}"))?;
        }
        Ok(())
    }
}

/// The place of one of several.
fn numbered(place: &str, number: usize, count: usize) -> String {
    match count {
        1 => place.to_string(),
        _ => format!("{place}[{number}]"),
    }
}

/// What a file system holds beside the closure and what is made.
fn beside(fs: &FileSystem) -> FileSystem {
    let copies = fs.grub.as_ref().map(|menu| GrubMenu {
        // As it is where the store is.
        copy_kernels: menu
            .copy_kernels
            .or_else(|| Some(!(fs.closure || layouts::keeps_store(fs)))),
        ..menu.clone()
    });
    let not_made = |(path, sources): (&String, &Sources)| {
        let sources: Vec<String> = sources
            .0
            .iter()
            .filter(|source| !is_made(source))
            .cloned()
            .collect();
        (!sources.is_empty()).then(|| (path.clone(), Sources(sources)))
    };
    FileSystem {
        closure: false,
        closure_at: None,
        layout: None,
        registration: None,
        database: false,
        grub: copies.filter(|menu| menu.copy_kernels == Some(true)),
        files: fs.files.iter().filter_map(not_made).collect(),
        text: BTreeMap::new(),
        symlinks: BTreeMap::new(),
        directories: Vec::new(),
        nodes: BTreeMap::new(),
        xattrs: Vec::new(),
        attributes: Vec::new(),
        ..fs.clone()
    }
}

/// Whether a file at a path is what a source brought to `at`.
fn is_below(path: &str, at: &str, source: &str, folder: &Path) -> bool {
    match path.strip_prefix(at) {
        Some("") => true,
        Some(rest) if rest.starts_with('/') => folder.join(source).join(&rest[1..]).is_file(),
        _ => false,
    }
}

/// The store path that a path lies in.
fn store_path(path: &str) -> Option<String> {
    let rest = path.strip_prefix(STORE_DIR)?.strip_prefix('/')?;
    let base = rest.split('/').next().unwrap_or_default();
    let path: StorePath = format!("{STORE_DIR}/{base}").parse().ok()?;
    Some(path.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn store_paths_of_files() {
        let path = "/nix/store/0023a8ppvzkvviq2887k7cpw39wzjibi-uboot-2024.10";
        assert_eq!(
            store_path(&format!("{path}/idbloader.img")).as_deref(),
            Some(path)
        );
        assert_eq!(store_path(path).as_deref(), Some(path));
        assert_eq!(store_path("/nix/store/x"), None);
        assert_eq!(store_path("idbloader.img"), None);
    }
}
