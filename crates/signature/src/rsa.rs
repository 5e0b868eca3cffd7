//! RSA keys as others want them.

use crate::algorithm::{Kind, PublicKey};
use crate::format::RSA_ENCRYPTION;
use crate::tlv::{self, BIT_STRING, NULL, OID, SEQUENCE};
use crate::{Error, Result};

impl PublicKey {
    /// The DER of an RSA key (`RSAPublicKey`), and its bits; none of other kinds.
    #[must_use]
    pub fn rsa(&self) -> Option<(&[u8], usize)> {
        match &self.0 {
            Kind::Rsa { der, bits } => Some((der, *bits)),
            Kind::P256(_) | Kind::P384(_) => None,
        }
    }

    /// An RSA key as a file, in PEM (`SubjectPublicKeyInfo`), as OpenSSL writes it; none of other kinds.
    #[must_use]
    pub fn rsa_pem(&self) -> Option<String> {
        let (der, _) = self.rsa()?;
        let kind = tlv::write(OID, &[RSA_ENCRYPTION.as_bytes()]);
        let kind = tlv::write(SEQUENCE, &[&kind, &tlv::write(NULL, &[])]);
        let info = tlv::write(SEQUENCE, &[&kind, &tlv::write(BIT_STRING, &[&[0], der])]);
        pem_rfc7468::encode_string("PUBLIC KEY", pem_rfc7468::LineEnding::LF, &info).ok()
    }

    /// Reads an RSA key from a file in PEM (`SubjectPublicKeyInfo`), as [`rsa_pem`](PublicKey::rsa_pem) writes it. Errors
    /// call it `what`.
    ///
    /// # Errors
    /// When it is none.
    pub fn read_rsa_pem(text: &[u8], what: &str) -> Result<PublicKey> {
        let bad = |problem: String| Error::BadCertificate {
            what: what.to_owned(),
            problem,
        };
        let (label, der) = pem_rfc7468::decode_vec(text)
            .map_err(|error| bad(format!("is no public key in PEM: {error}")))?;
        if label != "PUBLIC KEY" {
            return Err(bad(format!(
                "is in PEM, but of the kind {label:?}, and no \"PUBLIC KEY\""
            )));
        }
        let key = PublicKey::read(&der).map_err(bad)?;
        match key.rsa() {
            Some(_) => Ok(key),
            None => Err(bad(format!("is a key of the kind {key}, must be RSA"))),
        }
    }

    /// Whether a signature of its own algorithm was made with its private half over a message.
    #[must_use]
    pub fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        self.made(self.algorithm().scheme(), message, signature)
    }
}
