//! The signature of a root hash, in a partition of its own.
//!
//! ```text
//!  {"rootHash":"…","certificateFingerprint":"…","signature":"…"} │ zeros up to the end of the partition
//!        │                    │                          │
//!        │                    │                          └ CMS in base64: detached, without attributes, over the 64
//!        │                    │                            lower-case digits of the root hash
//!        │                    └ SHA-256 of the signer's certificate in DER, in hexadecimal digits
//!        └ hexadecimal digits
//! ```
//!
//! That is what systemd-repart writes and what systemd reads: a text of JSON without blanks, and nothing but zeros behind
//! it. It is found by its type, and by the root hash in it:
//! <https://uapi-group.org/specifications/specs/discoverable_partitions_specification/>.

use data_encoding::{BASE64, HEXLOWER, HEXLOWER_PERMISSIVE};
use serde::Deserialize;

use crate::{DIGEST, Error};

/// Bytes of a signature partition, as systemd-repart has it.
pub const SIGNATURE_SIZE: u64 = 16 << 10;

/// The same in memory.
const SIZE: usize = 16 << 10;

/// The largest signature partition that systemd reads.
pub const SIGNATURE_SIZE_MAX: u64 = 4 << 20;

/// What signature partitions of systemd-repart begin with.
pub const SIGNATURE_MARK: &[u8] = b"{\"rootHash\":\"";

/// What a signature partition says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootSignature {
    /// The root hash.
    pub root: [u8; DIGEST],
    /// The SHA-256 of the signer's certificate in DER.
    pub fingerprint: [u8; 32],
    /// The signature in DER, which nobody has looked at.
    pub signature: Vec<u8>,
}

/// What is signed of a root hash: its 64 hexadecimal digits, in lower case and without the end of a line.
#[must_use]
pub fn signed_text(root: &[u8; DIGEST]) -> String {
    HEXLOWER.encode(root)
}

/// The keys of the text.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Keys {
    root_hash: String,
    certificate_fingerprint: String,
    signature: String,
}

impl RootSignature {
    /// The partition's bytes: [`SIGNATURE_SIZE`] of them.
    ///
    /// # Errors
    /// When the signature is too long.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        let text = format!(
            "{{\"rootHash\":\"{}\",\"certificateFingerprint\":\"{}\",\"signature\":\"{}\"}}",
            signed_text(&self.root),
            HEXLOWER.encode(&self.fingerprint),
            BASE64.encode(&self.signature)
        );
        let mut bytes = text.into_bytes();
        if bytes.len() > SIZE {
            return Err(Error::SignatureTooLong {
                len: self.signature.len(),
                size: bytes.len(),
            });
        }
        bytes.resize(SIZE, 0);
        Ok(bytes)
    }

    /// Reads a whole partition, as strictly as systemd: behind the first zero, all are zeros. Keys that are not known are
    /// passed over.
    ///
    /// # Errors
    /// When it is larger than [`SIGNATURE_SIZE_MAX`], or not such a text.
    pub fn read(bytes: &[u8]) -> Result<RootSignature, Error> {
        let bad = |problem: &str| Error::Signature(problem.to_owned());
        if bytes.len() as u64 > SIGNATURE_SIZE_MAX {
            return Err(Error::Signature(format!(
                "{} bytes, the limit is {SIGNATURE_SIZE_MAX}",
                bytes.len()
            )));
        }
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        let (text, rest) = bytes.split_at(end);
        if text.is_empty() && !rest.is_empty() {
            return Err(bad("it begins with a zero: nothing is signed"));
        }
        if rest.iter().any(|byte| *byte != 0) {
            return Err(bad("there is more than zeros behind its text"));
        }
        let keys: Keys = serde_json::from_slice(text)
            .map_err(|error| Error::Signature(format!("its text is none of a signature: {error}")))?;
        let digest = |text: &str, what: &str| -> Result<[u8; 32], Error> {
            let bytes = HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok();
            bytes
                .and_then(|bytes| bytes.try_into().ok())
                .ok_or_else(|| bad(&format!("its {what} is not 64 hexadecimal digits")))
        };
        Ok(RootSignature {
            root: digest(&keys.root_hash, "root hash")?,
            fingerprint: digest(&keys.certificate_fingerprint, "fingerprint of a certificate")?,
            signature: BASE64
                .decode(keys.signature.as_bytes())
                .map_err(|_| bad("its signature is no base64"))?,
        })
    }
}
