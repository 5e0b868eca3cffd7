//! The trees of file systems.

use std::collections::BTreeMap;
use std::path::Path;

use image::{Kind, Meta, Node, NodeId, Tree, show};

use crate::Spec;
use crate::error::{Error, Result};
use crate::expand::{expand, whole};
use crate::gather::{CLOSURE_VALUES, Gathered};
use crate::schema::FileSystem;
use crate::{attributes, boot_tree, grub_menu, host, layouts, ukis};

/// Whether any value in the specification needs the toplevel.
pub(crate) fn mentions_toplevel(spec: &Spec) -> bool {
    let mentions = |text: &str| {
        CLOSURE_VALUES
            .iter()
            .any(|key| text.contains(&format!("{{{key}}}")))
    };
    let in_fs = |fs: &FileSystem| {
        let sources = fs.files.values().flat_map(|sources| &sources.0);
        let mut texts = sources
            .chain(fs.text.values())
            .chain(fs.symlinks.values())
            .chain(&fs.directories)
            .chain(&fs.env);
        let has_menu = fs.extlinux.is_some() || fs.grub.is_some();
        has_menu || (fs.layout.is_some() && fs.env.is_none()) || texts.any(|text| mentions(text))
    };
    mentions(&spec.name)
        || spec
            .release
            .as_ref()
            .is_some_and(|release| mentions(&release.version))
        || spec.fs.values().any(in_fs)
        || spec.uki.values().any(ukis::needs_toplevel)
        || spec
            .script
            .values()
            .any(|script| script.substitute.values().any(|text| mentions(text)))
}

/// What a file's value may refer to: values in braces, and other parts.
pub(crate) trait Values {
    /// The text of a value.
    fn text(&mut self, key: &str, place: &str) -> Result<String>;
    /// The bytes of another part, when the key names one.
    fn part(&mut self, key: &str, place: &str) -> Result<Option<image::Content>>;
    /// How GRUB finds a file system.
    fn search(&self, part: &str, fs: &FileSystem) -> Result<grub::menu::Search>;
    /// The folder that is a part, when the key names one.
    fn folder(&mut self, _key: &str, _place: &str) -> Result<Option<Tree>> {
        Ok(None)
    }
}

/// Makes the tree of a file system. The nodes of the closure, if it is in and where it always is, come first and have
/// their numbers.
pub(crate) fn tree(
    name: &str,
    fs: &FileSystem,
    gathered: &Gathered,
    folder: &Path,
    values: &mut dyn Values,
) -> Result<Tree> {
    let part = format!("fs.{name}");
    let failed = |source| Error::Tree {
        part: part.clone(),
        source,
    };
    let mut tree = Tree::default();
    if fs.layout.is_some() {
        tree = layouts::root(name, fs, gathered)?;
    } else if fs.closure {
        if gathered.closure.paths().is_empty() {
            let problem = "closure = true needs a [closure] with store paths".to_string();
            return Err(Error::BadValue { place: part, problem });
        }
        tree = match &fs.closure_at {
            None => gathered.tree.clone(),
            Some(at) => moved(&gathered.tree, at).map_err(failed)?,
        };
    } else if fs.closure_at.is_some() {
        let problem = "closure-at means nothing without closure = true".to_string();
        return Err(Error::BadValue { place: part, problem });
    }
    if let Some(sources) = &fs.tree {
        let host = match (gathered.archives.get(name), &sources.0[..]) {
            (Some(unpacked), _) => unpacked.clone(),
            (None, sources) => {
                let source = sources.first().map(String::as_str).unwrap_or_default();
                host::folder(fs, &folder.join(source)).map_err(failed)?
            }
        };
        merge(&mut tree, "/", &host, NodeId::ROOT).map_err(failed)?;
    }
    for path in &fs.directories {
        let place = format!("{part}.directories");
        let path = expand(path, &place, |key| values.text(key, &place))?;
        tree.make_directory(path.as_bytes()).map_err(failed)?;
    }
    for (path, target) in &fs.symlinks {
        let place = format!("{part}.symlinks.{path:?}");
        let target = expand(target, &place, |key| values.text(key, &place))?;
        tree.add_at(path.as_bytes(), Node::symlink(target))
            .map_err(failed)?;
    }
    for (path, sources) in &fs.files {
        let place = format!("{part}.files.{path:?}");
        for source in &sources.0 {
            let source = file(source, &place, fs, gathered, folder, values)?;
            put(&mut tree, path, &source).map_err(failed)?;
        }
    }
    for (path, text) in &fs.text {
        let place = format!("{part}.text.{path:?}");
        let text = expand(text, &place, |key| values.text(key, &place))?;
        tree.add_at(path.as_bytes(), Node::file(text.into_bytes()))
            .map_err(failed)?;
    }
    if let Some(path) = &fs.registration {
        // As closureInfo's, whose files nobody writes to.
        let mut node = Node::file(nix::registration(&gathered.closure)?);
        node.meta.mode = REGISTRATION_MODE;
        tree.add_at(path.as_bytes(), node).map_err(failed)?;
    }
    let time = fs.time.unwrap_or(USUAL_TIME);
    if fs.database {
        if gathered.closure.paths().is_empty() {
            let problem = "database = true needs a [closure] with store paths".to_string();
            return Err(Error::BadValue { place: part, problem });
        }
        let database = nix::database_folder(&gathered.closure, &gathered.tree, time.into())?;
        fill(&mut tree, &database_at(fs), &database, NodeId::ROOT).map_err(failed)?;
    }
    if let Some(options) = &fs.extlinux {
        let boot = boot_tree::tree(&part, options, time, gathered, values)?;
        let at = options.at.as_deref().unwrap_or(boot_tree::USUAL_FOLDER);
        fill(&mut tree, at, &boot, NodeId::ROOT).map_err(failed)?;
    }
    if let Some(options) = &fs.grub {
        let around = grub_menu::Surroundings {
            part: &part,
            fs,
            search: values.search(&part, fs)?,
            time,
            gathered,
        };
        let boot = grub_menu::tree(options, &around, values)?;
        let at = options.at.as_deref().unwrap_or(boot_tree::USUAL_FOLDER);
        fill(&mut tree, at, &boot, NodeId::ROOT).map_err(failed)?;
    }
    attributes::add_nodes(&mut tree, &part, fs)?;
    attributes::apply(&mut tree, &part, fs)?;
    Ok(tree)
}

/// Where the database lies: beside a store that has a folder of its own, as in a file system that is mounted at `/nix`.
fn database_at(fs: &FileSystem) -> String {
    let beside = fs.closure_at.as_deref().and_then(|at| at.strip_suffix("/store"));
    match (beside, nix::DATABASE_DIR.strip_prefix("/nix")) {
        (Some(folder), Some(rest)) => format!("{folder}{rest}"),
        _ => nix::DATABASE_DIR.into(),
    }
}

/// The store paths in another folder.
fn moved(closure: &Tree, at: &str) -> image::Result<Tree> {
    let mut tree = Tree::default();
    if let Some(store) = closure.lookup(nix::STORE_DIR.as_bytes()) {
        fill(&mut tree, at, closure, store)?;
    }
    Ok(tree)
}

/// The time of store paths.
const USUAL_TIME: u32 = 1;
/// The permissions of the registration.
const REGISTRATION_MODE: u16 = 0o444;

/// What a value of `files` stands for, as a tree whose root it is.
fn file(
    source: &str,
    place: &str,
    fs: &FileSystem,
    gathered: &Gathered,
    folder: &Path,
    values: &mut dyn Values,
) -> Result<Tree> {
    if let Some(key) = whole(source)
        && let Some(tree) = values.folder(key, place)?
    {
        return Ok(tree);
    }
    if let Some(key) = whole(source)
        && let Some(content) = values.part(key, place)?
    {
        return Ok(Tree::new(Node::file(content)));
    }
    let source = expand(source, place, |key| values.text(key, place))?;
    if in_closure(&source, &gathered.closure) {
        let id = gathered.find(&source, place)?;
        if fs.follow_links {
            return host::followed(&gathered.tree, source.as_bytes(), place);
        }
        if gathered.content(id).is_some() {
            return Ok(Tree::new(gathered.tree.node(id).clone()));
        }
        let mut copy = Tree::default();
        let failed = |source| Error::Tree {
            part: place.to_string(),
            source,
        };
        merge(&mut copy, "/", &gathered.tree, id).map_err(failed)?;
        return Ok(copy);
    }
    let failed = |source| Error::Tree {
        part: place.to_string(),
        source,
    };
    let host = folder.join(&source);
    // A link on the host stands for what it leads to.
    let host =
        std::fs::canonicalize(&host).map_err(|source| failed(image::Error::Read { path: host, source }))?;
    host::file(fs, &host).map_err(failed)
}

/// Whether a source is one in the closure: in a store path of it, or in one that this host has not either.
pub(crate) fn in_closure(source: &str, closure: &nix::Closure) -> bool {
    let Some(inside) = source
        .strip_prefix(nix::STORE_DIR)
        .and_then(|rest| rest.strip_prefix('/'))
    else {
        return false;
    };
    let base = inside.split('/').next().unwrap_or_default();
    let path = format!("{}/{base}", nix::STORE_DIR).parse();
    let known = path.is_ok_and(|path| closure.get(&path).is_some());
    known || !(closure.paths().is_empty() || Path::new(source).exists())
}

/// Puts a tree at a path: a file or link as it is, a directory's entries beside those that are there.
fn put(tree: &mut Tree, path: &str, source: &Tree) -> image::Result<()> {
    let root = source.node(NodeId::ROOT);
    if let Kind::Directory(_) = root.kind {
        return merge(tree, path, source, NodeId::ROOT);
    }
    tree.add_at(path.as_bytes(), root.clone()).map(|_| ())
}

/// Makes the directory at a path like one of another tree, and adds what is below that.
fn merge(tree: &mut Tree, path: &str, other: &Tree, from: NodeId) -> image::Result<()> {
    let into = tree.make_directory(path.as_bytes())?;
    tree.node_mut(into).meta = other.node(from).meta.clone();
    fill(tree, path, other, from)
}

/// Adds everything below a directory of another tree to the directory at a path. Directories with the same name
/// become one; hard links and units stay.
fn fill(tree: &mut Tree, path: &str, other: &Tree, from: NodeId) -> image::Result<()> {
    let mut seen: BTreeMap<NodeId, NodeId> = BTreeMap::new();
    let into = tree.make_directory(path.as_bytes())?;
    let mut open = vec![(into, from, path.trim_end_matches('/').to_string())];
    while let Some((into, from, path)) = open.pop() {
        for (name, id) in other.children(from) {
            let path = format!("{path}/{}", show(name));
            let failed = |error| at(error, &path);
            let node = other.node(id);
            if let Some(known) = seen.get(&id) {
                tree.link(into, name, *known).map_err(failed)?;
                continue;
            }
            if let Kind::Directory(_) = node.kind {
                let target = subdirectory(tree, into, name, &node.meta).map_err(failed)?;
                if let Some(unit) = other.unit(id) {
                    tree.mark_unit(target, unit.clone());
                }
                open.push((target, id, path));
            } else {
                let added = tree.add(into, name, node.clone()).map_err(failed)?;
                seen.insert(id, added);
            }
        }
    }
    Ok(())
}

/// The directory of a name in another, made when there is none.
fn subdirectory(tree: &mut Tree, parent: NodeId, name: &[u8], meta: &Meta) -> image::Result<NodeId> {
    let existing = match &tree.node(parent).kind {
        Kind::Directory(directory) => directory.get(name),
        _ => None,
    };
    if let Some(existing) = existing
        && let Kind::Directory(_) = tree.node(existing).kind
    {
        return Ok(existing);
    }
    let meta = meta.clone();
    let directory = Node {
        meta,
        ..Node::directory()
    };
    tree.add(parent, name, directory)
}

/// The same error with the whole path in place of the name.
fn at(error: image::Error, path: &str) -> image::Error {
    match error {
        image::Error::Exists { .. } => image::Error::Exists { path: path.into() },
        image::Error::NameTooLong { len, .. } => image::Error::NameTooLong {
            path: path.into(),
            len,
        },
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merging_keeps_links_and_joins_directories() {
        let mut other = Tree::default();
        let file = other.add_at(b"/d/one", Node::file(&b"1"[..])).unwrap();
        let directory = other.lookup(b"/d").unwrap();
        other.link(directory, b"two", file).unwrap();
        let mut tree = Tree::default();
        tree.add_at(b"/d/zero", Node::file(&b"0"[..])).unwrap();
        merge(&mut tree, "/", &other, NodeId::ROOT).unwrap();
        assert_eq!(tree.lookup(b"/d/one"), tree.lookup(b"/d/two"));
        assert!(tree.lookup(b"/d/zero").is_some());
        let error = merge(&mut tree, "/", &other, NodeId::ROOT).unwrap_err();
        assert_eq!(error.to_string(), "/d/one: is in the tree already");
        // Neither takes a directory's place nor gives one up.
        let mut file = Tree::default();
        file.add_at(b"/a/d", Node::file(&b""[..])).unwrap();
        let error = fill(&mut file, "/a", &other, NodeId::ROOT).unwrap_err();
        assert_eq!(error.to_string(), "/a/d: is in the tree already");
        let error = fill(&mut tree, "/", &file, file.lookup(b"/a").unwrap()).unwrap_err();
        assert_eq!(error.to_string(), "/d: is in the tree already");
    }
}
