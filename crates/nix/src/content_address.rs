//! Paths that follow from their content, and need no signature.
//!
//! A path's hash is the SHA-256, folded to twenty bytes, of a text that says what kind of path it is; where that text
//! has the content's own hash, nobody can have put something else there. See
//! [store paths](https://nix.dev/manual/nix/latest/protocols/store-path).

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use crate::base32;
use crate::error::{Error, Result};
use crate::hash::Hash;
use crate::narinfo::Narinfo;
use crate::store_path::{STORE_DIR, StorePath};

/// The kinds that are known. The others need a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A text with references: SHA-256 of the file.
    Text(Hash),
    /// A file of which the SHA-256 was known before.
    Flat(Hash),
    /// Anything: SHA-256 of its NAR.
    Nar(Hash),
}

fn kind(text: &str) -> Option<Kind> {
    let hash = |text: &str| text.starts_with("sha256:").then(|| text.parse().ok()).flatten();
    if let Some(rest) = text.strip_prefix("text:") {
        return hash(rest).map(Kind::Text);
    }
    let rest = text.strip_prefix("fixed:")?;
    match rest.strip_prefix("r:") {
        Some(rest) => hash(rest).map(Kind::Nar),
        None => hash(rest).map(Kind::Flat),
    }
}

impl Narinfo {
    /// Whether the path follows from the content that the narinfo names. Whether that is its content is for
    /// [`check_content`](Narinfo::check_content) to say.
    pub(crate) fn follows_from_content(&self) -> bool {
        let Some(kind) = self.content_address.as_deref().and_then(kind) else {
            return false;
        };
        let (path, name) = (&self.info.path, self.info.path.name());
        let others: Vec<&StorePath> = self.info.references.iter().flatten().collect();
        // What refers to itself is hashed without its own hash, which only Nix's scanner can leave out.
        if others.contains(&path) {
            return false;
        }
        let joined = |word: &str| {
            others
                .iter()
                .fold(word.to_string(), |text, path| format!("{text}:{path}"))
        };
        let made = match kind {
            Kind::Text(hash) => made(&joined("text"), hash, name),
            Kind::Nar(hash) => made(&joined("source"), hash, name),
            Kind::Flat(hash) if others.is_empty() => {
                let inner = format!("fixed:out:sha256:{}:", HEXLOWER.encode(&hash.0));
                made("output:out", Hash(Sha256::digest(inner).into()), name)
            }
            Kind::Flat(_) => return false,
        };
        made == *path.hash_part()
    }

    /// Compares the content with what the path follows from, when nothing else vouches for it. `file` has the SHA-256 of
    /// the path's bytes when it is a file.
    ///
    /// # Errors
    /// When they differ.
    pub(crate) fn check_content(&self, nar: Hash, file: Option<Hash>) -> Result<()> {
        let fits = match self.content_address.as_deref().and_then(kind) {
            None => true,
            Some(Kind::Nar(hash)) => hash == nar,
            Some(Kind::Text(hash) | Kind::Flat(hash)) => Some(hash) == file,
        };
        if fits || !self.follows_from_content() {
            return Ok(());
        }
        Err(Error::NotItsContent {
            path: self.info.path.clone(),
            content_address: self.content_address.clone().unwrap_or_default(),
        })
    }
}

/// The hash part of the path of this kind, content and name.
fn made(kind: &str, hash: Hash, name: &str) -> String {
    let text = format!("{kind}:sha256:{}:{STORE_DIR}:{name}", HEXLOWER.encode(&hash.0));
    let digest = Sha256::digest(text);
    let mut folded = [0_u8; 20];
    for (position, byte) in digest.iter().enumerate() {
        folded[position % 20] ^= byte;
    }
    base32::encode(&folded)
}
