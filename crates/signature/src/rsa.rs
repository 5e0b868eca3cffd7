//! RSA keys as others want them.

use crate::algorithm::{Kind, PublicKey};
use crate::format::RSA_ENCRYPTION;
use crate::tlv::{self, BIT_STRING, NULL, OID, SEQUENCE};

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
}
