//! Where paths of the store lie in a root without one, and where its links lead to.

use std::collections::BTreeMap;
use std::sync::Arc;

use image::{Kind, Tree};
use nix::StorePath;

use crate::Usr;
use crate::prefixes::Prefixes;

/// Where store paths lie that are no folders.
const FILES: &str = "/share/files";

/// So many digits of a hash tell such paths of one name apart.
const DIGITS: usize = 8;

/// What lies in `/usr` when it is merged, with a link in the root.
pub(crate) const MERGED: [&str; 10] = [
    "bin", "include", "lib", "lib32", "lib64", "libexec", "libx32", "sbin", "share", "src",
];

/// The names of the new root.
#[derive(Debug)]
pub(crate) struct Names {
    prefixes: Arc<Prefixes>,
    usr: Usr,
}

impl Names {
    pub(crate) fn new(store: &Tree, paths: &[StorePath], usr: Usr) -> Names {
        let is_file = |path: &StorePath| {
            let node = store.lookup(path.as_str().as_bytes());
            node.is_some_and(|id| !matches!(store.node(id).kind, Kind::Directory(_)))
        };
        let files: Vec<&StorePath> = paths.iter().filter(|path| is_file(path)).collect();
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for path in &files {
            *counts.entry(path.name()).or_default() += 1;
        }
        let place = |path: &StorePath| {
            let name = path.name();
            let place = match counts.get(name) {
                Some(_) if !is_file(path) => return Vec::new(),
                None => return Vec::new(),
                Some(1) => format!("{FILES}/{name}"),
                Some(_) => format!("{FILES}/{}-{name}", &path.hash_part()[..DIGITS]),
            };
            in_usr(place.into_bytes(), usr)
        };
        Names {
            prefixes: Arc::new(Prefixes::new(paths, place)),
            usr,
        }
    }

    pub(crate) fn prefixes(&self) -> &Prefixes {
        &self.prefixes
    }

    pub(crate) fn shared(&self) -> &Arc<Prefixes> {
        &self.prefixes
    }

    /// Where a path of the store lies. A store path in the middle of its name goes, too: debuggers look for files at
    /// such names.
    pub(crate) fn place(&self, path: &[u8]) -> Vec<u8> {
        let mut path = path.to_vec();
        self.prefixes.rewrite(&mut path);
        in_usr(normal(&path), self.usr)
    }

    /// The target of a link that lies at `path` in the store and at `place` in the root.
    pub(crate) fn target(&self, path: &[u8], place: &[u8], target: &[u8]) -> Vec<u8> {
        if target.starts_with(b"/") {
            if let Some(place) = self.prefixes.place(target) {
                return place;
            }
            let mut target = target.to_vec();
            self.prefixes.rewrite(&mut target);
            return target;
        }
        let in_store = beside(path, target);
        if self.prefixes.path_at(&in_store).is_none() {
            return target.to_vec();
        }
        let wanted = self.place(&in_store);
        if self.follow(place, target) == wanted {
            return target.to_vec();
        }
        wanted
    }

    /// Where the target of a link at a path of the root lies, when no other link is on the way.
    pub(crate) fn follow(&self, path: &[u8], target: &[u8]) -> Vec<u8> {
        in_usr(beside(path, target), self.usr)
    }
}

fn in_usr(path: Vec<u8>, usr: Usr) -> Vec<u8> {
    let first = path.split(|byte| *byte == b'/').nth(1).unwrap_or_default();
    if usr == Usr::Merged && MERGED.iter().any(|name| name.as_bytes() == first) {
        return [b"/usr", &path[..]].concat();
    }
    path
}

/// The folder that a path is in; nothing for the root.
pub(crate) fn parent_of(path: &[u8]) -> Option<&[u8]> {
    match path.iter().rposition(|byte| *byte == b'/')? {
        0 if path.len() == 1 => None,
        0 => Some(b"/"),
        at => Some(&path[..at]),
    }
}

/// A link's target, from the root.
fn beside(path: &[u8], target: &[u8]) -> Vec<u8> {
    if target.starts_with(b"/") {
        return normal(target);
    }
    normal(&[parent_of(path).unwrap_or(b"/"), b"/", target].concat())
}

/// The same path without `.`, `..` and needless slashes.
fn normal(path: &[u8]) -> Vec<u8> {
    let mut names: Vec<&[u8]> = Vec::new();
    for name in path.split(|byte| *byte == b'/') {
        match name {
            b"" | b"." => {}
            b".." => drop(names.pop()),
            name => names.push(name),
        }
    }
    [b"/", &names.join(&b'/')[..]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prefixes::tests::path;
    use image::{Node, show};

    fn names(usr: Usr) -> Names {
        let mut tree = Tree::default();
        let paths = [
            path('a', "x"),
            path('b', "y"),
            path('c', "profile"),
            path('d', "profile"),
        ];
        for path in &paths[..2] {
            tree.add_at(format!("{path}/bin/x").as_bytes(), Node::file(&b""[..]))
                .unwrap();
        }
        for path in &paths[2..] {
            tree.add_at(path.as_str().as_bytes(), Node::file(&b""[..]))
                .unwrap();
        }
        Names::new(&tree, &paths, usr)
    }

    #[test]
    fn places() {
        let (x, profile) = (path('a', "x"), path('c', "profile"));
        for (usr, store, wanted) in [
            (Usr::AsItIs, format!("{x}"), "/"),
            (Usr::AsItIs, format!("{x}/bin/x"), "/bin/x"),
            (Usr::Merged, format!("{x}/bin/x"), "/usr/bin/x"),
            (Usr::Merged, format!("{x}/usr/bin/x"), "/usr/bin/x"),
            (Usr::Merged, format!("{x}/etc/x"), "/etc/x"),
            (
                Usr::AsItIs,
                format!("{x}/share/gdb{x}/lib/x.py"),
                "/share/gdb/lib/x.py",
            ),
            (Usr::AsItIs, format!("{profile}"), "/share/files/cccccccc-profile"),
            (
                Usr::Merged,
                format!("{profile}"),
                "/usr/share/files/cccccccc-profile",
            ),
        ] {
            assert_eq!(show(&names(usr).place(store.as_bytes())), wanted, "{store}");
        }
    }

    #[test]
    fn targets() {
        let (x, y) = (path('a', "x"), path('b', "y"));
        let base = y.base_name();
        for (usr, link, target, wanted) in [
            (Usr::AsItIs, "/bin/l", format!("{y}/bin/y"), "/bin/y"),
            (Usr::AsItIs, "/bin/l", format!("{y}"), "/"),
            (Usr::AsItIs, "/bin/l", "../lib/l".into(), "../lib/l"),
            (Usr::Merged, "/bin/l", "../lib/l".into(), "../lib/l"),
            // From what is merged to what is not; the way back leads through the links in the root.
            (Usr::Merged, "/bin/l", "../etc/l".into(), "/etc/l"),
            (Usr::Merged, "/etc/l", "../bin/l".into(), "../bin/l"),
            (Usr::Merged, "/share/l", "../etc/l".into(), "/etc/l"),
            // From store path to store path.
            (Usr::AsItIs, "/bin/l", format!("../../{base}/bin/y"), "/bin/y"),
            (Usr::AsItIs, "/bin/l", "../../.links/z".into(), "../../.links/z"),
            (Usr::AsItIs, "/bin/l", "/proc/self/fd".into(), "/proc/self/fd"),
            (
                Usr::AsItIs,
                "/bin/l",
                format!("/run/x{y}/z"),
                &format!("/run/x{}/z", "/".repeat(45)),
            ),
        ] {
            let names = names(usr);
            let link = format!("{x}{link}");
            let place = names.place(link.as_bytes());
            let found = names.target(link.as_bytes(), &place, target.as_bytes());
            assert_eq!(show(&found), wanted, "{link} -> {target}");
        }
    }
}
