//! What of a tree the format cannot hold: said before any work, and never changed or left out instead.

use image::{Device, Kind, NodeId, Tree, Xattr, show};

use super::tables::{ids, path};
use crate::Error;
use crate::format::{XATTR_NAME_MAX, XATTR_PREFIXES, XATTR_VALUE_MAX};

/// The longest target that Linux follows: a page, with a zero at its end.
const TARGET_MAX: usize = 4095;

/// The number that is no user and no group.
const NOBODY: u32 = u32::MAX;

/// Checks all that a tree holds but the bytes of its files.
///
/// # Errors
/// What the format or Linux has no room for, and where it is.
pub(super) fn check(tree: &Tree) -> Result<(), Error> {
    for (id, node) in tree.nodes() {
        let time = node.meta.mtime;
        if u32::try_from(time).is_err() {
            let path = path(tree, id);
            return Err(Error::Time { path, time });
        }
        if [node.meta.uid, node.meta.gid].contains(&NOBODY) {
            let path = path(tree, id);
            return Err(Error::Nobody { path, id: NOBODY });
        }
        xattrs(tree, id)?;
        match &node.kind {
            Kind::Symlink(target) if target.len() > TARGET_MAX => {
                return Err(Error::TargetTooLong {
                    path: path(tree, id),
                    len: target.len(),
                });
            }
            Kind::Symlink(target) if target.contains(&0) => {
                let path = path(tree, id);
                return Err(Error::TargetWithZero { path });
            }
            Kind::CharDevice(device) | Kind::BlockDevice(device) => {
                let Device { major, minor } = *device;
                if major > 0xfff || minor > 0xf_ffff {
                    let path = path(tree, id);
                    return Err(Error::DeviceNumber { path, major, minor });
                }
            }
            _ => {}
        }
    }
    ids(tree).map(drop)
}

fn xattrs(tree: &Tree, id: NodeId) -> Result<(), Error> {
    let meta = &tree.node(id).meta;
    let bad = |xattr: &Xattr, problem: String| {
        Err(Error::Xattr {
            path: path(tree, id),
            name: show(&xattr.name),
            problem,
        })
    };
    if let Some((xattr, problem)) = meta.impossible_xattr() {
        return bad(xattr, problem.into());
    }
    for xattr in &meta.xattrs {
        let Some(name) = XATTR_PREFIXES
            .iter()
            .find_map(|prefix| xattr.name.strip_prefix(*prefix))
        else {
            return bad(
                xattr,
                "SquashFS holds only user., trusted. and security. ones".into(),
            );
        };
        if name.is_empty() {
            return bad(xattr, "there is no name behind the prefix".into());
        }
        if xattr.name.len() > XATTR_NAME_MAX || xattr.value.len() > XATTR_VALUE_MAX {
            let (name, value) = (name.len(), xattr.value.len());
            return bad(
                xattr,
                format!(
                    "a name of {name} and a value of {value} bytes; the limits are {XATTR_NAME_MAX} and {XATTR_VALUE_MAX}"
                ),
            );
        }
    }
    Ok(())
}
