//! Bundles as folders of their images.

use std::sync::Arc;

use bundle::Manifest;
use image::{Content, Kind, NodeId, ReadAt, Tree};

use crate::Result;
use crate::format::source;

/// A bundle that is open. Nobody has checked who signed it.
#[derive(Clone, Debug)]
pub struct Bundle {
    /// The bundle, signed or not.
    pub bundle: bundle::Bundle,
    /// What its manifest says.
    pub manifest: Manifest,
    /// The squashfs that its files are in.
    pub archive: squashfs::read::Archive,
    /// What is in it.
    pub tree: Arc<Tree>,
}

/// Opens a bundle of the format verity or plain, or an unsigned one.
pub(crate) fn open(content: &Content) -> Result<Bundle> {
    let opened = bundle::open(source(content), content.len())?;
    let of_tree = |unsigned: &bundle::Unsigned| {
        let tree_size = unsigned.manifest().verity.map_or(0, |verity| verity.size);
        (unsigned.manifest().clone(), unsigned.payload().clone(), tree_size)
    };
    let (manifest, payload, tree_size) = match &opened {
        bundle::Bundle::Signed(signed) => of_tree(&signed.clone().unsign()?),
        bundle::Bundle::Unsigned(unsigned) => of_tree(unsigned),
        bundle::Bundle::Plain(plain) => (plain.manifest()?, plain.payload().clone(), 0),
    };
    let size = payload.len().saturating_sub(tree_size);
    let bytes: Arc<dyn ReadAt> = Arc::new(payload);
    let archive = squashfs::read::Archive::open(bytes, size).map_err(bundle::Error::from)?;
    let tree = archive.tree().map_err(bundle::Error::from)?.into();
    Ok(Bundle {
        bundle: opened,
        manifest,
        archive,
        tree,
    })
}

impl Bundle {
    /// The file of an image's slot, or of a name.
    #[must_use]
    pub fn file(&self, name: &[u8]) -> Option<&Content> {
        let slot = self
            .manifest
            .images
            .iter()
            .find(|image| image.slot.as_bytes() == name);
        let named = slot.and_then(|image| image.filename.as_deref());
        let id = self.tree.lookup(name).filter(|_| !name.is_empty());
        let id = id.or_else(|| self.tree.lookup(named?.as_bytes()))?;
        match &self.tree.node(id).kind {
            Kind::File(content) if id != NodeId::ROOT => Some(content),
            _ => None,
        }
    }

    /// The image in the manifest that a file belongs to.
    #[must_use]
    pub fn image(&self, filename: &[u8]) -> Option<&bundle::manifest::Image> {
        let mut images = self.manifest.images.iter();
        images.find(|image| image.filename.as_deref().map(str::as_bytes) == Some(filename))
    }
}
