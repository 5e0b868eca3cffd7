//! Signatures of root hashes: parts of their own, and what signs them.

use image::Content;
use verity::{RootSignature, SIGNATURE_SIZE};

use crate::error::{Error, Result};
use crate::parts::{Detail, Part, Planner};
use crate::schema::VeritySignature;
use crate::{Spec, outputs};

/// What signs root hashes. Who plans has no keys.
pub trait RootSigner: Sync {
    /// Signs a text, the root hash of the hash tree of this name: a CMS in DER that is detached and has no attributes. The
    /// answer is none where it is signed elsewhere, later.
    ///
    /// # Errors
    /// When it cannot be signed.
    fn sign(&self, tree: &str, text: &[u8]) -> Result<Option<Vec<u8>>, signature::Error>;
}

/// The tree whose signature a part is, if it is one: `verity.NAME.signature`.
pub(crate) fn of<'a>(spec: &'a Spec, part: &'a str) -> Option<(&'a str, &'a VeritySignature)> {
    let tree = tree_of(spec, part)?;
    let signature = spec.verity.get(tree)?.signature.as_ref()?;
    Some((tree, signature))
}

/// The tree whose signature a part would be, whether it has one or not. A tree's own name goes first.
fn tree_of<'a>(spec: &Spec, part: &'a str) -> Option<&'a str> {
    let key = part.strip_prefix("verity.")?;
    if spec.verity.contains_key(key) {
        return None;
    }
    key.strip_suffix(".signature")
        .filter(|tree| spec.verity.contains_key(*tree))
}

/// What is wrong with the name of a signature whose tree has none.
pub(crate) fn missing(spec: &Spec, part: &str, place: &str) -> Option<Error> {
    let tree = tree_of(spec, part)?;
    if spec.verity.get(tree)?.signature.is_some() {
        return None;
    }
    Some(Error::Misfit {
        place: place.to_owned(),
        problem: format!("{part}: there is no signature, because nobody is said to sign verity.{tree}"),
        hint: format!(
            "[verity.{tree}.signature] says who: `certificate` and `key`, or options of `kiln build`; or leave the \
             partition out"
        ),
    })
}

/// Finds what is wrong with the keys of signatures.
pub(crate) fn check(spec: &Spec) -> Result<()> {
    for (key, verity) in &spec.verity {
        let Some(signature) = &verity.signature else {
            continue;
        };
        let place = format!("verity.{key}.signature");
        if signature.attach.is_some() && signature.key.is_some() {
            return Err(Error::BadValue {
                place: format!("{place}.attach"),
                problem: "is a signature that is made already: it and key exclude each other".into(),
            });
        }
        if let Some(purpose) = &signature.purpose
            && !["any", "smimesign", "codesign"].contains(&purpose.as_str())
        {
            return Err(Error::BadValue {
                place: format!("{place}.purpose"),
                problem: format!("{purpose:?}: must be any, smimesign or codesign"),
            });
        }
    }
    Ok(())
}

impl Planner<'_> {
    /// Signs the root hash of a tree, which is made first.
    pub(crate) fn root_signature(&mut self, key: &str, signature: &VeritySignature) -> Result<Part> {
        let name = format!("verity.{key}.signature");
        let tree = format!("verity.{key}");
        let root = self.root(&tree)?;
        let (file, unsigned_file) = outputs::root_signature(key, signature);
        let nothing = Content::Zeros(SIGNATURE_SIZE);
        let (content, output, signed) = match (root, self.work.roots) {
            (Some(root), Some(roots)) => {
                let text = verity::signed_text(&root);
                let failed = |source| Error::RootSignature {
                    part: name.clone(),
                    root: text.clone(),
                    source: Box::new(source),
                };
                if let Some(der) = roots.sign(key, text.as_bytes()).map_err(failed)? {
                    let content = partition(&name, root, der)?;
                    (content.clone(), (file, content), true)
                } else {
                    let text = Content::from(text.into_bytes());
                    (nothing, (unsigned_file, text), false)
                }
            }
            _ => (nothing.clone(), (file, nothing), false),
        };
        Ok(Part {
            name,
            content,
            detail: Detail::RootSignature { tree, root, signed },
            files: vec![output],
            spool: None,
        })
    }
}

/// A signature partition, if the signature is one of the root hash.
fn partition(name: &str, root: [u8; 32], der: Vec<u8>) -> Result<Content> {
    let text = verity::signed_text(&root);
    let check = || {
        let signature = signature::Bare::read(&der)?;
        signature.check(text.as_bytes())?;
        Ok(signature.contents().signer.fingerprint())
    };
    let fingerprint = check().map_err(|source| Error::RootSignature {
        part: name.to_owned(),
        root: text.clone(),
        source: Box::new(source),
    })?;
    let partition = RootSignature {
        root,
        fingerprint,
        signature: der,
    };
    let bytes = partition.to_bytes().map_err(|source| Error::Verity {
        part: name.to_owned(),
        source,
    })?;
    Ok(Content::from(bytes))
}
