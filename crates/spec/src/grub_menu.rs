//! GRUB's menus in file systems: systems of the closure become entries, whose kernels GRUB reads where they are.

use grub::menu::{self, Entry, Menu, Search, Serial, Timeout};
use image::{Node, NodeId, Tree};

use crate::boot_tree::{self, generations};
use crate::error::{Error, Result};
use crate::gather::Gathered;
use crate::layouts;
use crate::parts::Planner;
use crate::schema::{FileSystem, GrubMenu};
use crate::trees::Values;

/// What NixOS waits when it is not told.
const USUAL_SECONDS: i64 = 5;
const USUAL_SPEED: u32 = 115_200;

/// GRUB's folder in a file system, without a slash at its end.
pub(crate) fn folder(menu: Option<&GrubMenu>) -> String {
    let at = menu.and_then(|menu| menu.at.as_deref());
    format!("{}/grub", trimmed(at))
}

/// The folder that has the menu's.
fn trimmed(at: Option<&str>) -> String {
    absolute(at.unwrap_or(boot_tree::USUAL_FOLDER))
}

/// A path from the root, without a slash at its end.
pub(crate) fn absolute(path: &str) -> String {
    match path.trim_matches('/') {
        "" => String::new(),
        path => format!("/{path}"),
    }
}

/// How GRUB finds the file system that its folder is in: by its id, or where it has none, by the menu.
pub(crate) fn search(part: &str, fs: &FileSystem, folder: &str, planner: &Planner) -> Result<Search> {
    let id = planner.fs_id(part, fs)?;
    Ok(id.map_or_else(|| Search::File(format!("{folder}/grub.cfg")), Search::Uuid))
}

/// What a menu is made of, beside its keys.
pub(crate) struct Surroundings<'a> {
    /// What errors call the file system.
    pub(crate) part: &'a str,
    pub(crate) fs: &'a FileSystem,
    pub(crate) search: Search,
    /// Shown for generations when the menu has no time of its own.
    pub(crate) time: u32,
    pub(crate) gathered: &'a Gathered,
}

/// The menu and what it needs, as a tree with `grub` and perhaps `kernels` in its root.
pub(crate) fn tree(options: &GrubMenu, around: &Surroundings, values: &mut dyn Values) -> Result<Tree> {
    let Surroundings { part, gathered, .. } = around;
    let place = format!("{part}.grub");
    let bad = |problem: String| Error::BadValue {
        place: place.clone(),
        problem,
    };
    let Some(toplevel) = &gathered.toplevel else {
        return Err(bad("a boot menu needs a [closure] with a toplevel".into()));
    };
    let timeout = match options.timeout.unwrap_or(USUAL_SECONDS) {
        ..0 => Timeout::Never,
        seconds => Timeout::Seconds(u32::try_from(seconds).map_err(|_| {
            let limit = u32::MAX;
            bad(format!("timeout = {seconds}: the limit is {limit} seconds"))
        })?),
    };
    let mut making = Making {
        around,
        store: store(options, around.fs).map_err(bad)?,
        at: trimmed(options.at.as_deref()),
        tree: Tree::default(),
    };
    let entries = making.entries("NixOS - Default", "", toplevel.as_str())?;
    let mut others = Vec::new();
    let time = options.time.unwrap_or(around.time);
    for (number, path) in generations(&place, &options.generations, options.limit, values)? {
        let version = nix::system(&gathered.tree, &path)?.version;
        let date = uboot::extlinux::day(time.into()).unwrap_or_default();
        let title = format!("NixOS - Configuration {number}");
        others.extend(making.entries(&title, &format!(" ({date} - {version})"), &path)?);
    }
    let menu = Menu {
        search: around.search.clone(),
        timeout,
        default: options.default,
        serial: options.serial.map(|serial| Serial {
            unit: serial.unit,
            speed: serial.speed.unwrap_or(USUAL_SPEED),
        }),
        extra_config: options.extra_config.clone(),
        extra_entries: options.extra_entries.clone(),
        entries,
        others,
    };
    let text = menu::text(&menu).map_err(|source| Error::Grub {
        part: (*part).to_string(),
        source,
    })?;
    let mut tree = making.tree;
    tree.add_at(b"/grub/grub.cfg", Node::file(text.into_bytes()))?;
    Ok(tree)
}

/// Where the store is in the file system; none when kernels are copied. The problem is a text.
fn store(options: &GrubMenu, fs: &FileSystem) -> Result<Option<String>, String> {
    let has_store = fs.closure || layouts::keeps_store(fs);
    match (options.copy_kernels, has_store) {
        (Some(true), _) | (None, false) => Ok(None),
        (Some(false), false) => Err("copy-kernels = false needs a store in the same file system".into()),
        (_, true) => Ok(Some(absolute(fs.closure_at.as_deref().unwrap_or(nix::STORE_DIR)))),
    }
}

/// A menu that is being made.
struct Making<'a> {
    around: &'a Surroundings<'a>,
    /// Where the store is in the file system; none when kernels are copied.
    store: Option<String>,
    /// The folder that has the tree.
    at: String,
    /// What was copied.
    tree: Tree,
}

impl Making<'_> {
    /// A system and its specialisations.
    fn entries(&mut self, title: &str, remark: &str, path: &str) -> Result<Vec<Entry>> {
        let gathered = self.around.gathered;
        let mut entries = vec![self.entry(format!("{title}{remark}"), path)?];
        for name in nix::specialisations(&gathered.tree, path)? {
            let path = format!("{path}/specialisation/{name}");
            entries.push(self.entry(format!("{title} - {name}{remark}"), &path)?);
        }
        Ok(entries)
    }

    fn entry(&mut self, title: String, path: &str) -> Result<Entry> {
        let system = nix::system(&self.around.gathered.tree, path)?;
        Ok(Entry {
            title,
            kernel: self.reach(&system.kernel)?,
            initrd: self.reach(&system.initrd)?,
            kernel_params: system.kernel_params,
            system: system.path,
        })
    }

    /// The path under which GRUB reads a file of the store.
    fn reach(&mut self, file: &nix::BootFile) -> Result<String> {
        let inside = file.path.strip_prefix(nix::STORE_DIR).unwrap_or(&file.path);
        if let Some(store) = &self.store {
            return Ok(format!("{store}{inside}"));
        }
        let name = inside.trim_start_matches('/').replace('/', "-");
        let kernels = self.tree.make_directory(b"/kernels")?;
        // Generations share what they have in common.
        let is_known = self
            .tree
            .children(kernels)
            .any(|(known, _)| known == name.as_bytes());
        if !is_known {
            let node = file.tree.node(NodeId::ROOT).clone();
            self.tree.add(kernels, name.as_bytes(), node)?;
        }
        Ok(format!("{}/kernels/{name}", self.at))
    }
}
