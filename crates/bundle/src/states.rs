//! What becomes of a bundle: planned, unsigned, signed. What is signed is the manifest's bytes, and they never change.

use std::sync::Arc;

use image::{Content, Image, Layout};
use signature::{Identity, Signer, Time};

use crate::Error;
use crate::manifest::Manifest;

/// A payload and the manifest that is to be signed.
#[derive(Clone, Debug)]
pub struct Unsigned {
    payload: Content,
    manifest: Manifest,
    text: Vec<u8>,
}

/// A whole bundle. Whether its signature is good is another question: see [`crate::verify()`].
#[derive(Clone, Debug)]
pub struct Signed {
    payload: Content,
    cms: Vec<u8>,
}

impl Unsigned {
    /// A payload (SquashFS and tree) and the text of its manifest.
    ///
    /// # Errors
    /// When the text is no manifest of a bundle of the format verity, or has another tree's size.
    pub fn new(payload: Content, text: Vec<u8>) -> Result<Unsigned, Error> {
        let manifest = Manifest::read(&text)?;
        let verity = manifest.verity.ok_or(Error::NoTree)?;
        if verity.size >= payload.len() {
            return Err(Error::TreeSize {
                said: verity.size,
                payload: payload.len(),
            });
        }
        Ok(Unsigned {
            payload,
            manifest,
            text,
        })
    }

    /// The manifest.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The bytes that are signed.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// SquashFS and tree.
    #[must_use]
    pub fn payload(&self) -> &Content {
        &self.payload
    }

    /// The file of an unsigned bundle: as that of a signed one, with the bare manifest in the signature's place.
    ///
    /// # Errors
    /// When the parts do not fit together.
    pub fn image(&self) -> Result<Image, Error> {
        file(&self.payload, "manifest", &self.text)
    }

    /// Signs it.
    ///
    /// # Errors
    /// When key, certificate and time do not fit together, or signing fails.
    pub fn sign(self, identity: &Identity, signer: &dyn Signer, time: Time) -> Result<Signed, Error> {
        let cms = signature::sign(&self.text, identity, signer, Some(time))?;
        self.attach(cms)
    }

    /// Takes a signature that was made elsewhere, in DER.
    ///
    /// # Errors
    /// When it is none, or is about other bytes.
    pub fn attach(self, cms: Vec<u8>) -> Result<Signed, Error> {
        if cms.len() as u64 > signature::LEN_MAX {
            return Err(Error::SignatureTooLarge(cms.len() as u64));
        }
        if signature::content(&cms)? != self.text {
            return Err(Error::OtherManifest);
        }
        Ok(Signed {
            payload: self.payload,
            cms,
        })
    }
}

impl Signed {
    pub(crate) fn new(payload: Content, cms: Vec<u8>) -> Signed {
        Signed { payload, cms }
    }

    /// The signature with the manifest in it, in DER.
    #[must_use]
    pub fn cms(&self) -> &[u8] {
        &self.cms
    }

    /// SquashFS and tree.
    #[must_use]
    pub fn payload(&self) -> &Content {
        &self.payload
    }

    /// The same without the signature, to be signed anew: the manifest's bytes stay what they are.
    ///
    /// # Errors
    /// When the signature holds no manifest.
    pub fn unsign(self) -> Result<Unsigned, Error> {
        let text = signature::content(&self.cms)?;
        Unsigned::new(self.payload, text)
    }

    /// The bundle's file.
    ///
    /// # Errors
    /// When the parts do not fit together.
    pub fn image(&self) -> Result<Image, Error> {
        file(&self.payload, "signature", &self.cms)
    }
}

/// Payload, what vouches for it, and how long that is.
fn file(payload: &Content, label: &'static str, end: &[u8]) -> Result<Image, Error> {
    let (start, len) = (payload.len(), end.len() as u64);
    let mut layout = Layout::new();
    match payload {
        Content::Image(image) => {
            for extent in image.extents() {
                layout.put(extent.start, Arc::clone(&extent.label), extent.content.clone());
            }
        }
        other => layout.put(0, "payload", other.clone()),
    }
    layout.put(start, label, end.to_vec());
    layout.put(start + len, "its size", len.to_be_bytes().to_vec());
    Ok(layout.finish(start + len + 8)?)
}
