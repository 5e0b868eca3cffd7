//! What a certificate's extensions say. One that cannot be read, or must be understood and is not, spoils its
//! certificate only where that is used.

use der::asn1::ObjectIdentifier;
use der::{Decode, Encode};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::name::{GeneralName, GeneralNames};
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, CrlDistributionPoints, ExtendedKeyUsage, KeyUsage,
    SubjectKeyIdentifier,
};

use crate::format::{
    AUTHORITY_KEY_IDENTIFIER, AUTONOMOUS_SYS_IDS, BASIC_CONSTRAINTS, CERTIFICATE_POLICIES,
    CRL_DISTRIBUTION_POINTS, EXT_KEY_USAGE, INHIBIT_ANY_POLICY, IP_ADDR_BLOCKS, KEY_USAGE, NAME_CONSTRAINTS,
    NETSCAPE_CERT_TYPE, OCSP_NO_CHECK, POLICY_CONSTRAINTS, POLICY_MAPPINGS, PROXY_CERT_INFO,
    SUBJECT_ALT_NAME, SUBJECT_KEY_IDENTIFIER,
};
use crate::names;
use crate::tlv::{BIT_STRING, Cursor, Parsed};

/// The extensions of a certificate.
#[derive(Default)]
pub(crate) struct Extensions {
    pub(crate) basic_constraints: Option<BasicConstraints>,
    pub(crate) key_usage: Option<KeyUsage>,
    pub(crate) purposes: Option<Vec<ObjectIdentifier>>,
    pub(crate) subject_key: Option<Vec<u8>>,
    pub(crate) authority_key: Option<KeyId>,
    /// The first bits of Netscape's certificate type, which OpenSSL obeys.
    pub(crate) netscape: Option<u8>,
    /// Why it cannot be told whether the certificate is revoked.
    pub(crate) crl_problem: Option<String>,
    /// A part that has to be understood and is not.
    pub(crate) problem: Option<String>,
}

/// Whose key signed something, as an `AuthorityKeyIdentifier` says.
pub(crate) struct KeyId {
    /// The key's identifier.
    pub(crate) key: Option<Vec<u8>>,
    /// The name of the issuer of its certificate, in the form that is compared.
    pub(crate) issuer: Option<Vec<u8>>,
    /// The serial number of its certificate, with tag and length.
    pub(crate) serial: Option<Vec<u8>>,
}

impl KeyId {
    pub(crate) fn read(der: &[u8]) -> Parsed<KeyId> {
        let wrong = |error: der::Error| error.to_string();
        let id = AuthorityKeyIdentifier::from_der(der).map_err(wrong)?;
        let names = id.authority_cert_issuer.unwrap_or_default();
        // OpenSSL looks at the first one only.
        let issuer = names.into_iter().find_map(|name| match name {
            GeneralName::DirectoryName(name) => Some(name),
            _ => None,
        });
        let issuer = issuer.map(|name| names::canonical(&name.to_der().map_err(wrong)?));
        let serial = id.authority_cert_serial_number.map(|serial| serial.to_der());
        Ok(KeyId {
            key: id.key_identifier.map(|id| id.as_bytes().to_vec()),
            issuer: issuer.transpose()?,
            serial: serial.transpose().map_err(wrong)?,
        })
    }
}

impl Extensions {
    pub(crate) fn read(extensions: &[Extension]) -> Extensions {
        let mut read = Extensions::default();
        for (index, extension) in extensions.iter().enumerate() {
            let oid = extension.extn_id;
            if extensions.iter().take(index).any(|before| before.extn_id == oid) {
                read.problem = Some(format!("it has the extension {oid} twice"));
            }
            if extension.critical && !IF_CRITICAL.contains(&oid) {
                read.problem = Some(format!("its critical extension {oid} is not supported"));
            }
            if let Err(error) = read.add(oid, extension.extn_value.as_bytes()) {
                read.problem = Some(format!("its extension {oid} {error}"));
            }
        }
        read
    }

    /// Reads an extension. The error says what is wrong with it.
    fn add(&mut self, oid: ObjectIdentifier, value: &[u8]) -> Parsed<()> {
        let wrong = |error: der::Error| format!("cannot be read: {error}");
        match oid {
            BASIC_CONSTRAINTS => {
                self.basic_constraints = Some(BasicConstraints::from_der(value).map_err(wrong)?);
            }
            KEY_USAGE => {
                let usage = KeyUsage::from_der(value).map_err(wrong)?;
                if usage.0.is_empty() {
                    return Err("allows nothing".into());
                }
                self.key_usage = Some(usage);
            }
            EXT_KEY_USAGE => {
                self.purposes = Some(ExtendedKeyUsage::from_der(value).map_err(wrong)?.0);
            }
            SUBJECT_KEY_IDENTIFIER => {
                let id = SubjectKeyIdentifier::from_der(value).map_err(wrong)?;
                self.subject_key = Some(id.0.as_bytes().to_vec());
            }
            AUTHORITY_KEY_IDENTIFIER => {
                let id = KeyId::read(value).map_err(|error| format!("cannot be read: {error}"));
                self.authority_key = Some(id?);
            }
            NETSCAPE_CERT_TYPE => self.netscape = Some(read_bits(value)?),
            CRL_DISTRIBUTION_POINTS => {
                let points = CrlDistributionPoints::from_der(value).map_err(wrong)?.0;
                if points
                    .iter()
                    .any(|point| point.distribution_point.is_none() && point.crl_issuer.is_none())
                {
                    return Err("has a point that is nowhere".into());
                }
                if points.iter().any(|point| point.reasons.is_some()) {
                    let problem = "its lists of revoked ones are split by reasons, which is not supported";
                    self.crl_problem = Some(problem.into());
                }
            }
            SUBJECT_ALT_NAME => drop(GeneralNames::from_der(value).map_err(wrong)?),
            // They have to be obeyed when known, even where they are not marked so.
            NAME_CONSTRAINTS => return Err("constrains names, which is not supported".into()),
            PROXY_CERT_INFO => return Err("makes it a proxy, which is not supported".into()),
            IP_ADDR_BLOCKS | AUTONOMOUS_SYS_IDS => {
                return Err("is about addresses of networks, which is not supported".into());
            }
            _ => {}
        }
        Ok(())
    }
}

/// The extensions that OpenSSL 3.0 obeys, or lets pass though nothing that they say bears upon who signed a bundle. Marked
/// as critical, any other is refused, key identifiers among them.
const IF_CRITICAL: [ObjectIdentifier; 11] = [
    BASIC_CONSTRAINTS,
    KEY_USAGE,
    EXT_KEY_USAGE,
    NETSCAPE_CERT_TYPE,
    SUBJECT_ALT_NAME,
    CRL_DISTRIBUTION_POINTS,
    CERTIFICATE_POLICIES,
    POLICY_CONSTRAINTS,
    POLICY_MAPPINGS,
    INHIBIT_ANY_POLICY,
    OCSP_NO_CHECK,
];

/// The first eight bits of a bit string.
fn read_bits(der: &[u8]) -> Parsed<u8> {
    let mut cursor = Cursor::new(der, "bits");
    let bits = cursor.one(BIT_STRING, "bits")?.value;
    cursor.end()?;
    Ok(bits.get(1).copied().unwrap_or(0))
}
