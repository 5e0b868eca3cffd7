//! `.pcrsig`: signatures of what PCR 11 will be, so that a TPM gives a secret to whoever has the key's word for it.
//!
//! A signature is RSA with PKCS#1 v1.5 over the SHA-256 of a policy's digest: that of `TPM2_PolicyPCR` for this value.
//! systemd builds no policy for other kinds of keys.

use std::collections::BTreeMap;

use data_encoding::{BASE64, HEXLOWER, HEXLOWER_PERMISSIVE};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use signature::{PublicKey, Signer};

use crate::measure::after_phases;
use crate::{Error, Result};

/// `TPM2_CC_PolicyPCR`.
const POLICY_PCR: u32 = 0x17f;
/// `TPM2_ALG_SHA256`.
const SHA256: u16 = 0xb;
/// One selection of 24 registers, of which number 11 is one.
const SELECTION: [u8; 4] = [3, 0, 1 << 3, 0];

/// Whose word counts for which phases.
pub struct Policy<'a> {
    /// The key, which signs with RSA.
    pub key: &'a PublicKey,
    /// Who has it.
    pub by: PolicyBy<'a>,
    /// The phases up to which a secret opens, each with `:` between its words.
    pub phases: Vec<String>,
}

/// Where signatures of policies come from.
#[derive(Clone, Copy)]
pub enum PolicyBy<'a> {
    /// They are made now.
    Signer(&'a dyn Signer),
    /// They were made elsewhere.
    Signatures(&'a PolicySignatures),
    /// They are made elsewhere, later: the image has none, and is not the one that will boot.
    Later,
}

/// Signatures of policies, by the policies' digests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicySignatures(BTreeMap<Vec<u8>, Vec<u8>>);

impl PolicySignatures {
    /// Reads them as they stand in `.pcrsig`, in JSON of any spelling. Whose they are is checked where they are used.
    ///
    /// # Errors
    /// When there are none.
    pub fn read(text: &[u8]) -> Result<PolicySignatures> {
        let object: Value = serde_json::from_slice(text).map_err(|error| bad(error.to_string()))?;
        let entries = object.get("sha256").and_then(Value::as_array);
        let entries = entries.ok_or_else(|| bad("no list \"sha256\" of signatures".into()))?;
        let mut signatures = BTreeMap::new();
        for (number, entry) in entries.iter().enumerate() {
            let text = |key: &str| entry.get(key).and_then(Value::as_str).map(str::as_bytes);
            let missing = |key: &str| {
                bad(format!(
                    "signature {number} of sha256 has no {key}, or a damaged one"
                ))
            };
            let digest = text("pol").and_then(|text| HEXLOWER_PERMISSIVE.decode(text).ok());
            let signature = text("sig").and_then(|text| BASE64.decode(text).ok());
            signatures.insert(
                digest.ok_or_else(|| missing("pol"))?,
                signature.ok_or_else(|| missing("sig"))?,
            );
        }
        Ok(PolicySignatures(signatures))
    }
}

fn bad(problem: String) -> Error {
    Error::BadSection {
        section: ".pcrsig".into(),
        problem,
    }
}

/// The digest of the policy that PCR 11 has this value.
#[must_use]
pub fn policy_digest(pcr11: &[u8; 32]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update([0; 32]);
    hash.update(POLICY_PCR.to_be_bytes());
    hash.update(1_u32.to_be_bytes());
    hash.update(SHA256.to_be_bytes());
    hash.update(SELECTION);
    hash.update(Sha256::digest(pcr11));
    hash.finalize().into()
}

/// The entries of `.pcrsig` for what PCR 11 can be before any phase, spelled as ukify spells them; without signatures
/// where they are made later.
pub(crate) fn entries(values: &[[u8; 32]], policy: &Policy) -> Result<Vec<String>> {
    let Some((der, _)) = policy.key.rsa() else {
        return Err(bad(format!(
            "its key is {}: TPM policies of systemd take RSA only",
            policy.key
        )));
    };
    let fingerprint = HEXLOWER.encode(&Sha256::digest(der));
    let mut entries = Vec::new();
    for (value, phases) in values
        .iter()
        .flat_map(|value| policy.phases.iter().map(move |phases| (value, phases)))
    {
        let digest = policy_digest(&after_phases(*value, phases));
        let name = HEXLOWER.encode(&digest);
        let head = format!(r#""pcrs": [11], "pkfp": "{fingerprint}", "pol": "{name}""#);
        let Some(signature) = signature(&digest, policy)? else {
            entries.push(format!("{{{head}}}"));
            continue;
        };
        if !policy.key.has_signed(&digest, &signature) {
            return Err(bad(format!(
                "the signature of the policy {name} ({phases}) is not of the key {fingerprint}"
            )));
        }
        entries.push(format!(r#"{{{head}, "sig": "{}"}}"#, BASE64.encode(&signature)));
    }
    Ok(entries)
}

/// The signature of a policy; none where it is made later.
fn signature(digest: &[u8; 32], policy: &Policy) -> Result<Option<Vec<u8>>> {
    match policy.by {
        PolicyBy::Later => Ok(None),
        PolicyBy::Signer(signer) => {
            let signed = signer.sign(policy.key.algorithm(), digest);
            signed.map(Some).map_err(|error| bad(error.to_string()))
        }
        PolicyBy::Signatures(PolicySignatures(signatures)) => {
            let found = signatures.get(&digest[..]).cloned();
            let missing = || {
                bad(format!(
                    "none of the {} signatures is of the policy {}, which this image has: they were made for another one",
                    signatures.len(),
                    HEXLOWER.encode(digest)
                ))
            };
            found.map(Some).ok_or_else(missing)
        }
    }
}

/// The text of `.pcrsig` with these entries.
pub(crate) fn text(entries: &[String]) -> Vec<u8> {
    format!(r#"{{"sha256": [{}]}}"#, entries.join(", ")).into_bytes()
}
