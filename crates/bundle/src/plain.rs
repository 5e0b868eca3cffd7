//! Bundles of the format plain: the signature is about every byte before it, and the manifest is one of the files there.

use image::Content;
use signature::{Detached, Trust, Verified};

use crate::Error;
use crate::manifest::{self, Manifest};
use crate::plan::Work;
use crate::verify::{self, Checked};

/// The most bytes of a payload. RAUC before 1.15.2 counts them with 32 bits, and checks of more only the first.
pub(crate) const PAYLOAD_MAX: u64 = (1 << 31) - 1;

/// Bytes that are hashed at once.
const WINDOW: usize = 4 << 20;

/// A whole bundle of the format plain. Whether its signature is good is another question: see [`verify_plain`].
#[derive(Clone, Debug)]
pub struct Plain {
    payload: Content,
    cms: Vec<u8>,
}

impl Plain {
    pub(crate) fn new(payload: Content, cms: Vec<u8>) -> Result<Plain, Error> {
        match payload.len() {
            len if len > PAYLOAD_MAX => Err(Error::PayloadTooLarge { len }),
            _ => Ok(Plain { payload, cms }),
        }
    }

    /// The signature, in DER; what it signs is elsewhere.
    #[must_use]
    pub fn cms(&self) -> &[u8] {
        &self.cms
    }

    /// The SquashFS.
    #[must_use]
    pub fn payload(&self) -> &Content {
        &self.payload
    }

    /// The manifest, as it stands in the SquashFS: nobody vouches for it.
    ///
    /// # Errors
    /// When the SquashFS cannot be read, or has none.
    pub fn manifest(&self) -> Result<Manifest, Error> {
        let tree = verify::archive(&self.payload, self.payload.len())?.tree()?;
        let content = verify::file(&tree, manifest::FILE)?;
        if content.len() > signature::LEN_MAX {
            return Err(Error::Manifest(format!(
                "{} bytes, the limit is {}",
                content.len(),
                signature::LEN_MAX
            )));
        }
        Manifest::read_plain(&content.to_vec()?)
    }
}

/// Checks the signature alone, which takes reading all of the payload.
///
/// # Errors
/// When it is not good, or not from somebody who is trusted, or about something without a manifest.
pub fn verify_plain_signature(
    bundle: &Plain,
    trust: &Trust,
    work: &Work,
) -> Result<(Verified, Manifest), Error> {
    let detached = Detached::read(&bundle.cms)?;
    let mut hasher = detached.hasher();
    let mut reader = bundle.payload.reader()?;
    let mut window = vec![0; WINDOW];
    work.progress
        .begin("checking the signature", bundle.payload.len());
    while reader.remaining() > 0 {
        let len = reader.fill(&mut window)?;
        hasher.update(window.get(..len).unwrap_or_default());
        work.progress.advance(len as u64).map_err(image::Error::from)?;
    }
    reader.finish()?;
    let verified = detached.verify(hasher, trust)?;
    let manifest = bundle.manifest()?;
    Ok((verified, manifest))
}

/// Checks everything.
///
/// # Errors
/// When anything is wrong.
pub fn verify_plain(bundle: &Plain, trust: &Trust, work: &Work) -> Result<(Verified, Checked), Error> {
    let (verified, _) = verify_plain_signature(bundle, trust, work)?;
    let checked = check_plain(bundle, work)?;
    Ok((verified, checked))
}

/// Checks everything but who signed it.
///
/// # Errors
/// When the files are not what the manifest says.
pub fn check_plain(bundle: &Plain, work: &Work) -> Result<Checked, Error> {
    let manifest = bundle.manifest()?;
    manifest.check_installable()?;
    let size = bundle.payload.len();
    let archive = verify::archive(&bundle.payload, size)?;
    let used = archive.info().used;
    // `mksquashfs -nopad` is what RAUC can be told to use.
    if size != used && size != used.next_multiple_of(verity::BLOCK_SIZE) {
        return Err(Error::SquashfsSize { used, size });
    }
    let tree = archive.tree()?;
    verify::check_entries(&tree)?;
    verify::check_files(tree, manifest, work)
}
