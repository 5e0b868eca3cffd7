//! Certificates: what they say, and the bytes that say so.

use std::fmt;
use std::sync::Arc;

use data_encoding::HEXLOWER;
use der::asn1::ObjectIdentifier;
use der::{Decode, Encode};
use sha2::{Digest, Sha256};
use x509_cert::certificate::Version;
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectKeyIdentifier,
};

use crate::algorithm::{PublicKey, RSA_BITS_MIN, Scheme};
use crate::format::{
    AUTHORITY_KEY_IDENTIFIER, BASIC_CONSTRAINTS, CERTIFICATE_POLICIES, EXT_KEY_USAGE, ISSUER_ALT_NAME,
    KEY_USAGE, NAME_CONSTRAINTS, NETSCAPE_CERT_TYPE, SUBJECT_ALT_NAME, SUBJECT_KEY_IDENTIFIER,
};
use crate::tlv::{self, BIT_STRING, CONTEXT_0, Cursor, INTEGER, Parsed, SEQUENCE};
use crate::{Error, Result, Time, names, pem};

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
    subject: Vec<u8>,
    subject_text: String,
    not_before: Time,
    not_after: Time,
    key: Parsed<PublicKey>,
    extensions: Extensions,
    scheme: Parsed<Scheme>,
    signature: Vec<u8>,
}

/// What a certificate's extensions say.
#[derive(Default)]
pub(crate) struct Extensions {
    pub(crate) basic_constraints: Option<BasicConstraints>,
    pub(crate) key_usage: Option<KeyUsage>,
    pub(crate) purposes: Option<Vec<ObjectIdentifier>>,
    pub(crate) subject_key: Option<Vec<u8>>,
    authority_key: Option<AuthorityKeyIdentifier>,
    /// The first bits of Netscape's certificate type, which OpenSSL obeys.
    pub(crate) netscape: Option<u8>,
    /// A part that has to be understood and is not.
    pub(crate) problem: Option<String>,
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
            subject: subject.raw.to_vec(),
            subject_text: names::one_line(subject.raw)?,
            not_before: validity.not_before.into(),
            not_after: validity.not_after.into(),
            key: PublicKey::read(key.raw),
            extensions: Extensions::read(extensions.map_or(&[], Vec::as_slice))?,
            scheme: Scheme::read(algorithm),
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

    /// The common names in its subject.
    pub fn common_names(&self) -> Result<Vec<String>> {
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

    /// Whether its subject and its issuer have the same name.
    pub(crate) fn is_self_issued(&self) -> bool {
        self.0.subject == self.0.issuer
    }

    /// Whether another certificate may be its issuer's, as far as names and key identifiers tell.
    pub(crate) fn may_be_issued_by(&self, issuer: &Certificate) -> bool {
        self.0.issuer == issuer.0.subject
            && self
                .0
                .extensions
                .authority_key
                .as_ref()
                .is_none_or(|id| names_key_of(id, issuer))
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

/// Whether a key identifier names the key of a certificate, or does not say anything against it.
fn names_key_of(id: &AuthorityKeyIdentifier, issuer: &Certificate) -> bool {
    let of_key = id.key_identifier.as_ref().map(der::asn1::OctetString::as_bytes);
    if let (Some(of_key), Some(own)) = (of_key, &issuer.0.extensions.subject_key)
        && of_key != own
    {
        return false;
    }
    let serial = id.authority_cert_serial_number.as_ref();
    if serial.is_some_and(|serial| serial.to_der().is_ok_and(|der| der != issuer.0.serial)) {
        return false;
    }
    let mut folders = id
        .authority_cert_issuer
        .iter()
        .flatten()
        .filter_map(|name| match name {
            GeneralName::DirectoryName(name) => name.to_der().ok(),
            _ => None,
        });
    folders.all(|name| name == issuer.0.issuer)
}

impl Extensions {
    fn read(extensions: &[Extension]) -> Parsed<Extensions> {
        let mut read = Extensions::default();
        for (index, extension) in extensions.iter().enumerate() {
            let oid = extension.extn_id;
            if extensions.iter().take(index).any(|before| before.extn_id == oid) {
                return Err(format!("a certificate has the extension {oid} twice"));
            }
            let value = extension.extn_value.as_bytes();
            let wrong = |error| format!("a certificate's extension {oid} cannot be read: {error}");
            match oid {
                BASIC_CONSTRAINTS => {
                    let constraints = BasicConstraints::from_der(value).map_err(wrong)?;
                    if !constraints.ca && constraints.path_len_constraint.is_some() {
                        return Err("a certificate limits paths and is no CA".into());
                    }
                    read.basic_constraints = Some(constraints);
                }
                KEY_USAGE => read.key_usage = Some(KeyUsage::from_der(value).map_err(wrong)?),
                EXT_KEY_USAGE => {
                    read.purposes = Some(ExtendedKeyUsage::from_der(value).map_err(wrong)?.0);
                }
                SUBJECT_KEY_IDENTIFIER => {
                    let id = SubjectKeyIdentifier::from_der(value).map_err(wrong)?;
                    read.subject_key = Some(id.0.as_bytes().to_vec());
                }
                AUTHORITY_KEY_IDENTIFIER => {
                    read.authority_key = Some(AuthorityKeyIdentifier::from_der(value).map_err(wrong)?);
                }
                NETSCAPE_CERT_TYPE => read.netscape = Some(read_bits(value)?),
                // They have to be obeyed when known, even where they are not marked so.
                NAME_CONSTRAINTS => {
                    read.problem = Some("it constrains names, which is not supported".into());
                }
                // Nothing that they say bears upon who signed a bundle.
                SUBJECT_ALT_NAME | ISSUER_ALT_NAME | CERTIFICATE_POLICIES => {}
                oid if extension.critical => {
                    read.problem = Some(format!("its critical extension {oid} is not supported"));
                }
                _ => {}
            }
        }
        Ok(read)
    }
}

/// The first eight bits of a bit string.
fn read_bits(der: &[u8]) -> Parsed<u8> {
    let mut cursor = Cursor::new(der, "bits");
    let bits = cursor.one(BIT_STRING, "bits")?.value;
    cursor.end()?;
    Ok(bits.get(1).copied().unwrap_or(0))
}
