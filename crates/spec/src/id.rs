//! Names for what a file system holds.

use image::{Content, Kind, Meta, NodeId, Tree};
use sha2::{Digest, Sha256};

use crate::error::Result;
use crate::gather::Gathered;

/// 32 hexadecimal digits that change when anything in a tree changes, and with nothing else. Store paths that
/// are in the closure count by their registered hash; everything else is read.
pub(crate) fn tree_id(tree: &Tree, gathered: &Gathered) -> Result<String> {
    let mut hasher = Sha256::new();
    let mut stack = vec![NodeId::ROOT];
    while let Some(id) = stack.pop() {
        let node = tree.node(id);
        let Meta {
            mode,
            uid,
            gid,
            mtime,
            xattrs,
        } = &node.meta;
        hasher.update(format!("\n{mode:o} {uid} {gid} {mtime} {xattrs:?} "));
        if let Some(hash) = registered_hash(tree, id, gathered) {
            hasher.update(hash.to_string());
            continue;
        }
        match &node.kind {
            Kind::Directory(directory) => {
                hasher.update(format!("{} entries", directory.len()));
                for (name, child) in directory.iter() {
                    hasher.update((name.len() as u64).to_le_bytes());
                    hasher.update(name);
                    stack.push(child);
                }
            }
            Kind::File(content) => read(content, &mut hasher)?,
            Kind::Symlink(target) => hasher.update(target),
            Kind::CharDevice(device) => hasher.update(format!("char {device:?}")),
            Kind::BlockDevice(device) => hasher.update(format!("block {device:?}")),
            Kind::Fifo => hasher.update("fifo"),
            Kind::Socket => hasher.update("socket"),
        }
    }
    Ok(hex(&hasher.finalize()[..16]))
}

/// The hash of a store path that is taken whole from the closure.
fn registered_hash(tree: &Tree, id: NodeId, gathered: &Gathered) -> Option<nix::Hash> {
    let unit = tree.unit(id)?;
    let path = format!("{}/{}", nix::STORE_DIR, String::from_utf8_lossy(&unit.name));
    gathered.closure.get(&path.parse().ok()?)?.nar_hash
}

fn read(content: &Content, hasher: &mut Sha256) -> Result<()> {
    hasher.update(content.len().to_le_bytes());
    let mut reader = content.reader()?;
    let mut chunk = vec![0; 256 << 10];
    while reader.remaining() > 0 {
        let len = reader.fill(&mut chunk)?;
        hasher.update(&chunk[..len]);
    }
    Ok(reader.finish()?)
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
