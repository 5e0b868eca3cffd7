//! Certificates: what they say, and the bytes that say so.

use std::fmt;
use std::sync::Arc;

use data_encoding::HEXLOWER;
use der::Decode;
use sha2::{Digest, Sha256};
use x509_cert::certificate::Version;

use crate::algorithm::{Family, PublicKey, RSA_BITS_MIN, Scheme};
use crate::extensions::{Extensions, KeyId};
use crate::tlv::{self, BIT_STRING, CONTEXT_0, Cursor, INTEGER, Parsed, SEQUENCE};
use crate::{Crl, Error, Result, Time, names, pem};

/// The most bytes that a certificate may have.
const CERTIFICATE_LEN_MAX: usize = 64 << 10;

/// An X.509 certificate, as it was read.
#[derive(Clone)]
pub struct Certificate(Arc<Inner>);

struct Inner {
    der: Vec<u8>,
    /// The part that is signed.
    tbs: Vec<u8>,
    /// The serial number, with tag and length.
    serial: Vec<u8>,
    issuer: Vec<u8>,
    issuer_text: String,
    /// The issuer's name in the form that is compared.
    issuer_name: Vec<u8>,
    subject: Vec<u8>,
    subject_text: String,
    /// The subject's name in the form that is compared.
    subject_name: Vec<u8>,
    not_before: Time,
    not_after: Time,
    key: Parsed<PublicKey>,
    key_family: Family,
    extensions: Extensions,
    scheme: Parsed<Scheme>,
    scheme_family: Family,
    signature: Vec<u8>,
}

impl Certificate {
    /// Reads the certificates of a file: one in DER, or any number of PEM blocks, other kinds of which are passed
    /// over. `what` is what messages call the file.
    pub fn read_pem_or_der(bytes: &[u8], what: &str) -> Result<Vec<Certificate>> {
        let bad = |problem| Error::BadCertificate {
            what: what.to_owned(),
            problem,
        };
        if !pem::is_pem(bytes) {
            return Ok(vec![Certificate::read(bytes).map_err(bad)?]);
        }
        let mut certificates = Vec::new();
        for block in pem::read(bytes).map_err(bad)? {
            if block.label == "CERTIFICATE" {
                certificates.push(Certificate::read(&block.der).map_err(bad)?);
            }
        }
        if certificates.is_empty() {
            return Err(bad("holds no certificate".into()));
        }
        Ok(certificates)
    }

    /// Reads the certificates of a keyring, as OpenSSL reads the file that a device has: blocks of PEM, of which those
    /// that are certificates count, and each of the others that it knows has to be good. `what` is what messages call the
    /// file.
    pub fn read_keyring(bytes: &[u8], what: &str) -> Result<Vec<Certificate>> {
        let bad = |problem: String| Error::BadCertificate {
            what: what.to_owned(),
            problem,
        };
        if !pem::is_pem(bytes) {
            return Err(bad("is no PEM, and devices read keyrings in PEM only".into()));
        }
        let mut certificates = Vec::new();
        for block in pem::read(bytes).map_err(bad)? {
            match block.label.as_str() {
                "CERTIFICATE" | "X509 CERTIFICATE" => {
                    certificates.push(Certificate::read(&block.der).map_err(bad)?);
                }
                "TRUSTED CERTIFICATE" => {
                    return Err(bad(
                        "holds a certificate with OpenSSL's settings of trust, which are not supported"
                            .into(),
                    ));
                }
                "X509 CRL" => drop(Crl::read(&block.der).map_err(bad)?),
                label if label.ends_with("PRIVATE KEY") => {
                    return Err(bad("holds a private key, and every device has its keyring".into()));
                }
                _ => {}
            }
        }
        if certificates.is_empty() {
            return Err(bad("holds no certificate".into()));
        }
        Ok(certificates)
    }

    /// Whether bytes are a certificate in DER.
    #[must_use]
    pub fn is_der(bytes: &[u8]) -> bool {
        Certificate::read(bytes).is_ok()
    }

    /// Reads one certificate in DER.
    pub(crate) fn read(der: &[u8]) -> Parsed<Certificate> {
        if der.len() > CERTIFICATE_LEN_MAX {
            return Err(format!(
                "a certificate has {} bytes, the limit is {CERTIFICATE_LEN_MAX}",
                der.len()
            ));
        }
        let x509 = x509_cert::Certificate::from_der(der)
            .map_err(|error| format!("a certificate cannot be read: {error}"))?;
        let mut outer = tlv::only(der, SEQUENCE, "certificate")?;
        let tbs = outer.one(SEQUENCE, "signed part")?;
        let algorithm = outer.one(SEQUENCE, "algorithm")?;
        let signature = tlv::bit_string(outer.one(BIT_STRING, "signature")?, "signature")?;
        outer.end()?;
        let mut parts = Cursor::new(tbs.value, "certificate");
        parts.optional(CONTEXT_0)?;
        let serial = parts.one(INTEGER, "serial number")?;
        if parts.one(SEQUENCE, "algorithm")?.raw != algorithm.raw {
            return Err("a certificate names two algorithms".into());
        }
        let issuer = parts.one(SEQUENCE, "issuer")?;
        parts.one(SEQUENCE, "validity")?;
        let subject = parts.one(SEQUENCE, "subject")?;
        let key = parts.one(SEQUENCE, "public key")?;
        if x509.tbs_certificate().version() != Version::V3 && x509.tbs_certificate().extensions().is_some() {
            return Err("a certificate has extensions, and a version without".into());
        }
        let validity = x509.tbs_certificate().validity();
        let extensions = x509.tbs_certificate().extensions();
        Ok(Certificate(Arc::new(Inner {
            der: der.to_vec(),
            tbs: tbs.raw.to_vec(),
            serial: serial.raw.to_vec(),
            issuer: issuer.raw.to_vec(),
            issuer_text: names::one_line(issuer.raw)?,
            issuer_name: names::canonical(issuer.raw)?,
            subject: subject.raw.to_vec(),
            subject_text: names::one_line(subject.raw)?,
            subject_name: names::canonical(subject.raw)?,
            not_before: validity.not_before.into(),
            not_after: validity.not_after.into(),
            key: PublicKey::read(key.raw),
            key_family: Family::of_key(key)?,
            extensions: Extensions::read(extensions.map_or(&[], Vec::as_slice)),
            scheme: Scheme::read(algorithm),
            scheme_family: Family::of_signature(algorithm)?,
            signature: signature.to_vec(),
        })))
    }

    /// Its DER.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.0.der
    }

    /// Whom it is for, on one line, as OpenSSL prints it: `O = Test, CN = Release 1`.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.0.subject_text
    }

    /// Who issued it, on one line.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.0.issuer_text
    }

    /// The common names in its subject, byte for byte.
    pub(crate) fn common_names(&self) -> Result<Vec<Vec<u8>>> {
        names::common_names(&self.0.subject).map_err(|problem| Error::CertificateNotAccepted {
            subject: self.subject().to_owned(),
            problem,
        })
    }

    /// Its serial number, in hexadecimal digits.
    #[must_use]
    pub fn serial(&self) -> String {
        let number = Cursor::new(&self.0.serial, "serial number").any();
        number.map_or_else(|_| String::new(), |number| HEXLOWER.encode(number.value))
    }

    /// The first second of its validity.
    #[must_use]
    pub fn not_before(&self) -> Time {
        self.0.not_before
    }

    /// The second that its validity ends with.
    #[must_use]
    pub fn not_after(&self) -> Time {
        self.0.not_after
    }

    /// The SHA-256 of its DER.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 32] {
        Sha256::digest(&self.0.der).into()
    }

    /// Its key.
    ///
    /// # Errors
    /// When it is of a kind that signatures of bundles are not made with.
    pub fn public_key(&self) -> Result<&PublicKey> {
        self.0.key.as_ref().map_err(|found| Error::UnsupportedKey {
            what: format!("the key of {}", self.subject()),
            found: found.clone(),
        })
    }

    /// Its key, to check signatures with. A key that will not do is the certificate's fault here.
    pub(crate) fn checking_key(&self) -> Result<&PublicKey> {
        let usable = |key: &PublicKey| key.check_least().is_ok();
        match &self.0.key {
            Ok(key) if usable(key) => Ok(key),
            key => Err(Error::CertificateNotAccepted {
                subject: self.subject().to_owned(),
                problem: match key {
                    Ok(key) => format!("its key is {key}, the least is {RSA_BITS_MIN}"),
                    Err(found) => format!("its key is {found}"),
                },
            }),
        }
    }

    /// Whether a time is within its validity. OpenSSL, and so a device, counts the last second out.
    #[must_use]
    pub fn valid_at(&self, time: Time) -> bool {
        self.0.not_before <= time && time < self.0.not_after
    }

    pub(crate) fn issuer_der(&self) -> &[u8] {
        &self.0.issuer
    }

    pub(crate) fn serial_der(&self) -> &[u8] {
        &self.0.serial
    }

    pub(crate) fn extensions(&self) -> &Extensions {
        &self.0.extensions
    }

    /// The name of its issuer in the form that is compared.
    pub(crate) fn issuer_name(&self) -> &[u8] {
        &self.0.issuer_name
    }

    /// Whether its subject and its issuer have the same name.
    pub(crate) fn is_self_issued(&self) -> bool {
        self.0.subject_name == self.0.issuer_name
    }

    /// Whether OpenSSL takes it for its own issuer's. Nobody looks at its own signature.
    pub(crate) fn is_self_signed(&self) -> bool {
        self.may_be_issued_by(self)
    }

    /// Whether another certificate may be its issuer's, as far as names, key identifiers and the kind of key tell:
    /// OpenSSL looks no further before it decides.
    pub(crate) fn may_be_issued_by(&self, issuer: &Certificate) -> bool {
        let id = self.0.extensions.authority_key.as_ref();
        self.0.issuer_name == issuer.0.subject_name
            && id.is_none_or(|id| issuer.is_named_by(id))
            && issuer.0.key_family.signs(self.0.scheme_family)
    }

    /// Whether a key identifier names its key, or says nothing against it.
    pub(crate) fn is_named_by(&self, id: &KeyId) -> bool {
        let own = &self.0.extensions.subject_key;
        let other_key = id.key.is_some() && own.is_some() && id.key != *own;
        let other_serial = id.serial.as_ref().is_some_and(|serial| *serial != self.0.serial);
        let other_issuer = id.issuer.as_ref().is_some_and(|name| *name != self.0.issuer_name);
        !other_key && !other_serial && !other_issuer
    }

    /// Whether it was signed with another certificate's key. The error says why that cannot be told.
    pub(crate) fn is_signed_by(&self, issuer: &Certificate) -> Result<bool> {
        let scheme = self
            .0
            .scheme
            .as_ref()
            .map_err(|problem| Error::CertificateNotAccepted {
                subject: self.subject().to_owned(),
                problem: format!("its signature cannot be checked: {problem}"),
            })?;
        Ok(issuer
            .checking_key()?
            .made(*scheme, &self.0.tbs, &self.0.signature))
    }
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Certificate) -> bool {
        self.0.der == other.0.der
    }
}

impl Eq for Certificate {}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({}, serial {})", self.subject(), self.serial())
    }
}
