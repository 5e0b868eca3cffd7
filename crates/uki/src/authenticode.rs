//! Signatures of PE files: which bytes they are about, and where they lie.
//!
//! ```text
//!  headers (without checksum, without the place of signatures) │ sections │ what is behind them │ 0… │ signatures
//!  ────────────────────────────── SHA-256 of all that ──────────────────────────────────────────┘
//! ```
//!
//! UEFI 2.10, 32.2.4. A digest goes from section to section, so bytes between them would be in no digest: a file that has
//! such bytes is refused.

use image::{Content, Image, Layout};
use sha2::{Digest as _, Sha256};
use signature::{Authenticode, Identity, Signer};
use zerocopy::{FromBytes, IntoBytes};

use crate::format::{CERTIFICATE_ALIGNMENT, CERTIFICATES, CHECKSUM, Certificate, Directory, PKCS, REVISION};
use crate::{Error, Pe, Result};

/// The most bytes of all signatures of a file.
const SIGNATURES_MAX: u64 = 1 << 20;

/// A PE file without a signature, and its digest.
#[derive(Clone, Debug)]
pub struct Unsigned {
    pe: Pe,
    content: Content,
    digest: [u8; 32],
}

impl Unsigned {
    /// Reads a file and computes its digest. Errors call it `what`.
    ///
    /// # Errors
    /// When it cannot be read, is no PE file, is signed already, or has no room in its headers for the place of signatures.
    pub fn read(content: Content, what: &str) -> Result<Unsigned> {
        let pe = Pe::read(&content, what)?;
        if pe.is_signed() {
            return Err(pe.no_signing("it is signed already"));
        }
        if pe.directories.len() <= CERTIFICATES {
            return Err(pe.no_signing("its headers have no place for where signatures are"));
        }
        let digest = digest(&pe, &content)?;
        Ok(Unsigned { pe, content, digest })
    }

    /// The digest that a signature is about.
    #[must_use]
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// Signs the file.
    ///
    /// # Errors
    /// When the key is not the certificate's, of a kind that does not sign these files, or the signer fails.
    pub fn sign(self, identity: &Identity, signer: &dyn Signer) -> Result<Image> {
        let der = signature::sign_authenticode(&self.digest, identity, signer)?;
        self.attach(&der)
    }

    /// The file with a signature that was made elsewhere.
    ///
    /// # Errors
    /// When the signature is not about this file, or not its signer's.
    pub fn attach(self, der: &[u8]) -> Result<Image> {
        let Unsigned { pe, content, digest } = self;
        if Authenticode::read(der)?.digest != digest {
            return Err(pe.no_signing("the signature is about another file"));
        }
        let start = content.len().next_multiple_of(CERTIFICATE_ALIGNMENT);
        let len = (size_of::<Certificate>() + der.len()) as u64;
        let padded = len.next_multiple_of(CERTIFICATE_ALIGNMENT);
        let narrow = |value: u64| u32::try_from(value).map_err(|_| Error::TooLarge(start + padded));
        let entry = Certificate {
            len: narrow(padded)?.into(),
            revision: REVISION.into(),
            kind: PKCS.into(),
        };
        let mut signature = [entry.as_bytes(), der].concat();
        signature.resize(usize::try_from(padded).unwrap_or(usize::MAX), 0);
        let mut head = pe.head.clone();
        let directory = Directory {
            start: narrow(start)?.into(),
            size: narrow(padded)?.into(),
        };
        let places = [
            (pe.checksum(), &[0; 4][..]),
            (pe.certificates_entry(), directory.as_bytes()),
        ];
        for (at, bytes) in places {
            if let Some(place) = head.get_mut(at..at + bytes.len()) {
                place.copy_from_slice(bytes);
            }
        }
        let mut layout = Layout::new();
        let head_len = head.len() as u64;
        let rest = content.len() - head_len;
        layout.put(0, "headers", head);
        layout.put(head_len, "sections", part(content.clone(), head_len, rest));
        layout.put(content.len(), "padding", Content::Zeros(start - content.len()));
        layout.put(start, "signature", signature);
        Ok(layout.finish(start + padded)?)
    }
}

/// Signatures of a file, each found to be its signer's and about this file.
///
/// # Errors
/// When the file cannot be read, or a signature is not about it, or not its signer's.
pub fn signatures(content: &Content, what: &str) -> Result<Vec<Authenticode>> {
    let pe = Pe::read(content, what)?;
    let Some(range) = pe.certificates().filter(|range| !range.is_empty()) else {
        return Ok(Vec::new());
    };
    let len = range.end - range.start;
    if len > SIGNATURES_MAX {
        return Err(pe.no_signing(&format!(
            "its signatures have {len} bytes, the limit is {SIGNATURES_MAX}"
        )));
    }
    if range.end != content.len() {
        return Err(pe.no_signing("bytes follow its signatures"));
    }
    let digest = digest(&pe, &part(content.clone(), 0, range.start))?;
    let bytes = part(content.clone(), range.start, len).to_vec()?;
    let mut rest = &bytes[..];
    let mut found = Vec::new();
    while let Ok((entry, _)) = Certificate::read_from_prefix(rest) {
        let len = entry.len.get() as usize;
        if len < size_of::<Certificate>() || len > rest.len() {
            return Err(pe.no_signing(&format!("a signature of {len} bytes, {} are there", rest.len())));
        }
        if entry.revision.get() == REVISION && entry.kind.get() == PKCS {
            let signature = Authenticode::read(&rest[size_of::<Certificate>()..len])?;
            if signature.digest != digest {
                return Err(pe.no_signing("its signature is about other bytes"));
            }
            found.push(signature);
        }
        rest = rest.get(len.next_multiple_of(8)..).unwrap_or_default();
    }
    Ok(found)
}

/// The digest of a file, which ends where signatures begin.
fn digest(pe: &Pe, content: &Content) -> Result<[u8; 32]> {
    pe.check_tiled()?;
    let mut hash = Sha256::new();
    let (checksum, entry) = (pe.checksum(), pe.certificates_entry());
    let head = |range: std::ops::Range<usize>| {
        let cut = || pe.no_signing("its headers are cut off");
        pe.head.get(range).ok_or_else(cut)
    };
    hash.update(head(0..checksum)?);
    hash.update(head(checksum + 4..entry)?);
    hash.update(head(entry + size_of::<Directory>()..pe.head.len())?);
    let mut reader = content.reader()?;
    reader.skip(pe.head.len() as u64);
    let mut chunk = vec![0; 256 << 10];
    while reader.remaining() > 0 {
        let len = reader.fill(&mut chunk)?;
        hash.update(&chunk[..len]);
    }
    reader.finish()?;
    let padding = content.len().next_multiple_of(CERTIFICATE_ALIGNMENT) - content.len();
    hash.update(&[0; 8][..usize::try_from(padding).unwrap_or(0)]);
    Ok(hash.finalize().into())
}

fn part(content: Content, start: u64, len: u64) -> Content {
    let source = std::sync::Arc::new(content);
    Content::Span { source, start, len }
}

impl Pe {
    fn no_signing(&self, problem: &str) -> Error {
        Error::NoSigning {
            what: self.what.clone(),
            problem: problem.into(),
        }
    }

    fn checksum(&self) -> usize {
        self.at.optional + CHECKSUM
    }

    fn certificates_entry(&self) -> usize {
        self.at.directories + CERTIFICATES * size_of::<Directory>()
    }

    /// Checks that no bytes are between headers and sections, nor between sections.
    fn check_tiled(&self) -> Result<()> {
        let mut ranges: Vec<_> = self.sections.iter().map(crate::format::Section::file).collect();
        ranges.retain(|range| !range.is_empty());
        ranges.sort_by_key(|range| range.start);
        let mut end = self.head.len() as u64;
        for range in ranges {
            if range.start != end {
                return Err(self.no_signing(&format!(
                    "bytes {end} to {} are in no section, and in no digest",
                    range.start
                )));
            }
            end = range.end;
        }
        Ok(())
    }
}
