//! Whether two disks have bytes in common.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::host::{Node, line};
use crate::obstacle::with_holders;
use crate::{Device, Host, Result};

impl Host {
    /// Whether bytes of one disk are bytes of the other: they are the same, or one is made of the other, as partitions and volumes are.
    ///
    /// # Errors
    /// When the system does not say what there is.
    pub fn overlaps(&self, one: &Device, other: &Device) -> Result<bool> {
        let nodes = self.nodes()?;
        Ok(is_made_of(one, other, &nodes) || is_made_of(other, one, &nodes))
    }

    /// Whether the bytes of a disk are those of a file, as those of loop devices are.
    ///
    /// # Errors
    /// When the system does not say what there is.
    pub fn is_on_file(&self, device: &Device, file: &Path) -> Result<bool> {
        let nodes = self.nodes()?;
        let place = |path: &Path| {
            let meta = std::fs::metadata(path).ok()?;
            Some((meta.dev(), meta.ino()))
        };
        let file = place(file);
        let is_on = |node: &Node| {
            let backing = line(&node.folder.join("loop/backing_file"));
            backing.is_some_and(|path| place(Path::new(&path)) == file)
        };
        let mut loops = nodes.iter().filter(|node| file.is_some() && is_on(node));
        Ok(loops.any(|node| holds(node, device, &nodes)))
    }
}

/// Whether one disk is the other, or made of it.
fn is_made_of(device: &Device, of: &Device, nodes: &[Node]) -> bool {
    let mut found = nodes.iter().filter(|node| node.path() == of.path);
    found.any(|node| holds(node, device, nodes))
}

/// Whether a disk is a block device, or made of it, directly or not.
fn holds(node: &Node, device: &Device, nodes: &[Node]) -> bool {
    let all = with_holders(&[node], nodes);
    all.iter().any(|part| part.path() == device.path)
}
