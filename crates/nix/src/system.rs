//! What boots: the parts of a NixOS system that a boot loader reads.
//!
//! ```text
//!  /nix/store/<hash>-nixos-system-…      the toplevel
//!  ├── init
//!  ├── initrd          ─► /nix/store/<hash>-initrd-linux-6.12/initrd
//!  ├── kernel          ─► /nix/store/<hash>-linux-6.12/Image
//!  ├── dtbs            ─► /nix/store/<hash>-linux-6.12/dtbs        where the hardware has device trees
//!  ├── kernel-params      loglevel=4
//!  ├── nixos-version      25.11.20261121.abcdef0
//!  └── specialisation/
//!      └── <name>      ─► a toplevel of its own
//! ```

use image::{Kind, Tree};

use crate::error::{Error, Result};
use crate::resolve::{Found, Unfollowable, Unfollowed, followed, resolve};

/// A NixOS system, as far as a boot loader is concerned.
#[derive(Clone, Debug)]
pub struct System {
    /// The toplevel, without links.
    pub path: String,
    /// The kernel.
    pub kernel: BootFile,
    /// The initial file system.
    pub initrd: BootFile,
    /// The folder of device trees; most computers with firmware have none.
    pub device_trees: Option<BootFile>,
    /// What the toplevel says its version is, without the newline.
    pub version: String,
    /// What the kernel is told beside `init`, without the newline.
    pub kernel_params: String,
}

/// A file or folder of the closure that a boot loader reads.
#[derive(Clone, Debug)]
pub struct BootFile {
    /// Its path, without links: `/nix/store/…-linux-6.12/Image`.
    pub path: String,
    /// A copy of it in which every link has become what it led to. Contents refer to the closure's.
    pub tree: Tree,
}

/// More bytes than any version or list of parameters has.
const TEXT_MAX: u64 = 64 << 10;

/// The system at a path of the closure's tree.
///
/// # Errors
/// When a part that every system has is not there, leads out of the closure, or is not of the right kind.
pub fn system(tree: &Tree, path: &str) -> Result<System> {
    let found = find(tree, path)?;
    let toplevel = text_of(path, found.path)?;
    let at = |name: &str| format!("{toplevel}/{name}");
    let has_device_trees = tree
        .children(found.node)
        .any(|(name, _)| name == DEVICE_TREES.as_bytes());
    Ok(System {
        kernel: boot_file(tree, &at("kernel"), Want::File)?,
        initrd: boot_file(tree, &at("initrd"), Want::File)?,
        device_trees: has_device_trees
            .then(|| boot_file(tree, &at(DEVICE_TREES), Want::Directory))
            .transpose()?,
        version: line(tree, &at("nixos-version"))?,
        kernel_params: line(tree, &at("kernel-params"))?,
        path: toplevel,
    })
}

const DEVICE_TREES: &str = "dtbs";

/// The names of a system's specialisations, sorted. Each is a [system] at `specialisation/<name>`.
///
/// # Errors
/// When the system is not in the tree, or a name is not text.
pub fn specialisations(tree: &Tree, path: &str) -> Result<Vec<String>> {
    find(tree, path)?;
    let folder = format!("{path}/specialisation");
    let Some(found) = resolve(tree, folder.as_bytes()) else {
        return Ok(Vec::new());
    };
    let names = tree.children(found.node);
    names.map(|(name, _)| text_of(&folder, name.to_vec())).collect()
}

/// What a part of a system has to be.
#[derive(Clone, Copy)]
enum Want {
    File,
    Directory,
}

fn find(tree: &Tree, path: &str) -> Result<Found> {
    resolve(tree, path.as_bytes()).ok_or_else(|| bad(path, "is not in the closure"))
}

fn bad(path: &str, problem: &'static str) -> Error {
    Error::BadSystem {
        path: path.into(),
        problem,
    }
}

fn text_of(path: &str, bytes: Vec<u8>) -> Result<String> {
    String::from_utf8(bytes).map_err(|_| bad(path, "is or holds something that is not UTF-8"))
}

fn boot_file(tree: &Tree, path: &str, want: Want) -> Result<BootFile> {
    let found = find(tree, path)?;
    match (&tree.node(found.node).kind, want) {
        (Kind::File(_), Want::File) | (Kind::Directory(_), Want::Directory) => {}
        (_, Want::File) => return Err(bad(path, "is not a file")),
        (_, Want::Directory) => return Err(bad(path, "is not a folder")),
    }
    Ok(BootFile {
        tree: copy(tree, &found)?,
        path: text_of(path, found.path)?,
    })
}

/// The text of a file, without the newlines at its end.
fn line(tree: &Tree, path: &str) -> Result<String> {
    let found = find(tree, path)?;
    let Kind::File(content) = &tree.node(found.node).kind else {
        return Err(bad(path, "is not a file"));
    };
    if content.len() > TEXT_MAX {
        return Err(bad(path, "is longer than 64 KiB"));
    }
    let text = text_of(path, content.to_vec()?)?;
    Ok(text.trim_end_matches('\n').to_string())
}

/// A copy of what was found, in which every link has become what it leads to.
fn copy(tree: &Tree, found: &Found) -> Result<Tree> {
    // Links to folders of links can stand for more than any disk holds.
    followed(tree, found, tree.len()).map_err(|Unfollowed { path, problem }| {
        let problem = match problem {
            Unfollowable::Nothing => "leads to nothing in the closure",
            Unfollowable::Back => "leads back to a folder that holds it",
            Unfollowable::TooMany => "is one of more files than the closure has",
        };
        bad(&path, problem)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{Content, Fault, Node};

    const TOP: &str = "/nix/store/0023a8ppvzkvviq2887k7cpw39wzjibi-nixos-system";
    const LINUX: &str = "/nix/store/v83yia23qrmm0484d2fz9ak12pbfd5x8-linux";

    fn add(tree: &mut Tree, path: &str, node: Node) {
        tree.add_at(path.as_bytes(), node).unwrap();
    }

    /// A system whose device trees are partly links.
    fn store() -> Tree {
        let mut tree = Tree::default();
        for (name, target) in [("kernel", "Image"), ("initrd", "initrd"), ("dtbs", "dtbs")] {
            let link = Node::symlink(format!("{LINUX}/{target}"));
            add(&mut tree, &format!("{TOP}/{name}"), link);
        }
        for (path, bytes) in [
            (format!("{TOP}/nixos-version"), "25.11"),
            (format!("{TOP}/kernel-params"), "loglevel=4 quiet\n\n"),
            (format!("{LINUX}/Image"), "MZ"),
            (format!("{LINUX}/initrd"), "070701"),
            (format!("{LINUX}/dtbs/rockchip/rk3328-rock64.dtb"), "rock64"),
            (format!("{LINUX}/overlays/one.dtbo"), "one"),
        ] {
            add(&mut tree, &path, Node::file(bytes.as_bytes()).mode(0o444));
        }
        for (name, target) in [
            ("dtbs/first.dtb", "rockchip/rk3328-rock64.dtb"),
            ("dtbs/overlays", "../overlays"),
        ] {
            add(&mut tree, &format!("{LINUX}/{name}"), Node::symlink(target));
        }
        tree
    }

    fn problem(tree: &Tree) -> String {
        let error = system(tree, TOP).unwrap_err();
        assert_eq!(error.fault(), Fault::Input);
        error.to_string()
    }

    #[test]
    fn a_system_is_found_with_its_links_followed() {
        let system = system(&store(), TOP).unwrap();
        assert_eq!((system.path.as_str(), system.version.as_str()), (TOP, "25.11"));
        assert_eq!(system.kernel_params, "loglevel=4 quiet");
        assert_eq!(system.kernel.path, format!("{LINUX}/Image"));
        let device_trees = system.device_trees.unwrap();
        assert_eq!(device_trees.path, format!("{LINUX}/dtbs"));
        let show = |content: &Content| String::from_utf8(content.to_vec().unwrap()).unwrap();
        let files: Vec<String> = device_trees
            .tree
            .walk()
            .map(|entry| {
                let content = match &device_trees.tree.node(entry.id).kind {
                    Kind::File(content) => show(content),
                    Kind::Directory(_) => "/".into(),
                    other => panic!("{other:?}"),
                };
                format!("{} {content}", image::show(&entry.path))
            })
            .collect();
        assert_eq!(
            files,
            [
                "/ /",
                "/first.dtb rock64",
                "/overlays /",
                "/overlays/one.dtbo one",
                "/rockchip /",
                "/rockchip/rk3328-rock64.dtb rock64"
            ]
        );
    }

    #[test]
    fn what_is_missing_is_named() {
        let without = |path: &str| {
            let mut tree = Tree::default();
            for entry in store().walk() {
                if !entry.path.starts_with(path.as_bytes()) {
                    let node = store().node(entry.id).clone();
                    if !matches!(node.kind, Kind::Directory(_)) {
                        tree.add_at(&entry.path, node).unwrap();
                    }
                }
            }
            problem(&tree)
        };
        for name in ["kernel", "initrd", "nixos-version", "kernel-params"] {
            let path = format!("{TOP}/{name}");
            assert_eq!(without(&path), format!("{path}: is not in the closure"));
        }
        let initrd = format!("{LINUX}/initrd");
        assert_eq!(without(&initrd), format!("{TOP}/initrd: is not in the closure"));
        assert_eq!(
            without(&format!("{LINUX}/overlays")),
            format!("{LINUX}/dtbs/overlays: leads to nothing in the closure")
        );
        assert_eq!(without(TOP), format!("{TOP}: is not in the closure"));
    }

    #[test]
    fn device_trees_may_be_missing_but_not_endless() {
        let mut tree = store();
        add(&mut tree, &format!("{LINUX}/dtbs/up"), Node::symlink("../dtbs"));
        assert_eq!(
            problem(&tree),
            format!("{LINUX}/dtbs/up: leads back to a folder that holds it")
        );

        let mut tree = store();
        for level in 0..20 {
            let target = format!("../{}", level + 1);
            for name in ["a", "b"] {
                let path = format!("{LINUX}/{level}/{name}");
                add(&mut tree, &path, Node::symlink(&target));
            }
        }
        add(&mut tree, &format!("{LINUX}/20/file"), Node::file(&b""[..]));
        add(&mut tree, &format!("{LINUX}/dtbs/0"), Node::symlink("../0"));
        assert!(problem(&tree).ends_with("is one of more files than the closure has"));
    }

    #[test]
    fn odd_systems_are_refused() {
        let replaced = |name: &str, node: Node| {
            let mut tree = store();
            let path = format!("{TOP}/{name}");
            let id = tree.lookup(path.as_bytes()).unwrap();
            *tree.node_mut(id) = node;
            problem(&tree).replace(TOP, "TOP")
        };
        let text = |bytes: &[u8]| Node::file(bytes);
        for (name, node, message) in [
            ("kernel", Node::directory(), "TOP/kernel: is not a file"),
            ("dtbs", text(b""), "TOP/dtbs: is not a folder"),
            ("dtbs", Node::symlink("none"), "TOP/dtbs: is not in the closure"),
            (
                "kernel-params",
                Node::directory(),
                "TOP/kernel-params: is not a file",
            ),
            (
                "nixos-version",
                text(b"\xff"),
                "TOP/nixos-version: is or holds something that is not UTF-8",
            ),
            (
                "kernel-params",
                text(&vec![b'x'; (64 << 10) + 1]),
                "TOP/kernel-params: is longer than 64 KiB",
            ),
        ] {
            assert_eq!(replaced(name, node), message);
        }
    }

    #[test]
    fn specialisations_are_listed() {
        let mut tree = store();
        assert_eq!(specialisations(&tree, TOP).unwrap(), [""; 0]);
        for name in ["b", "a"] {
            let path = format!("{TOP}/specialisation/{name}");
            add(&mut tree, &path, Node::symlink("/nix/store/x"));
        }
        assert_eq!(specialisations(&tree, TOP).unwrap(), ["a", "b"]);
        assert!(specialisations(&tree, "/nix/store/none").is_err());
    }
}
