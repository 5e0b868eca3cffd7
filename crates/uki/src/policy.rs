//! `.pcrsig`: signatures of what PCR 11 will be, so that a TPM gives a secret to whoever has the key's word for it.
//!
//! A signature is RSA with PKCS#1 v1.5 over the SHA-256 of a policy's digest: that of `TPM2_PolicyPCR` for this value.
//! systemd builds no policy for other kinds of keys.

use data_encoding::{BASE64, HEXLOWER};
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
    pub signer: &'a dyn Signer,
    /// The phases up to which a secret opens, each with `:` between its words.
    pub phases: Vec<String>,
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

/// The text of `.pcrsig` for a value of PCR 11 before any phase, spelled as ukify spells it.
pub(crate) fn pcrsig(pcr11: [u8; 32], policy: &Policy) -> Result<Vec<u8>> {
    let bad = |problem: String| Error::BadSection {
        section: ".pcrsig".into(),
        problem,
    };
    let Some((der, _)) = policy.key.rsa() else {
        return Err(bad(format!(
            "its key is {}: TPM policies of systemd take RSA only",
            policy.key
        )));
    };
    let fingerprint = HEXLOWER.encode(&Sha256::digest(der));
    let mut entries = Vec::new();
    for phases in &policy.phases {
        let digest = policy_digest(&after_phases(pcr11, phases));
        let signature = policy
            .signer
            .sign(policy.key.algorithm(), &digest)
            .map_err(|error| bad(error.to_string()))?;
        entries.push(format!(
            r#"{{"pcrs": [11], "pkfp": "{fingerprint}", "pol": "{}", "sig": "{}"}}"#,
            HEXLOWER.encode(&digest),
            BASE64.encode(&signature)
        ));
    }
    Ok(format!(r#"{{"sha256": [{}]}}"#, entries.join(", ")).into_bytes())
}
