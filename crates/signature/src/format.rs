//! The names of things in signatures and certificates: object identifiers, and the bits of key usage.

use der::asn1::ObjectIdentifier;

const fn oid(text: &str) -> ObjectIdentifier {
    ObjectIdentifier::new_unwrap(text)
}

// [RFC 5652](https://www.rfc-editor.org/rfc/rfc5652): Cryptographic Message Syntax.
pub(crate) const ID_DATA: ObjectIdentifier = oid("1.2.840.113549.1.7.1");
pub(crate) const ID_SIGNED_DATA: ObjectIdentifier = oid("1.2.840.113549.1.7.2");
pub(crate) const ID_ENVELOPED_DATA: ObjectIdentifier = oid("1.2.840.113549.1.7.3");
pub(crate) const ID_CONTENT_TYPE: ObjectIdentifier = oid("1.2.840.113549.1.9.3");
pub(crate) const ID_MESSAGE_DIGEST: ObjectIdentifier = oid("1.2.840.113549.1.9.4");
pub(crate) const ID_SIGNING_TIME: ObjectIdentifier = oid("1.2.840.113549.1.9.5");
pub(crate) const ID_COUNTERSIGNATURE: ObjectIdentifier = oid("1.2.840.113549.1.9.6");

// [RFC 5035](https://www.rfc-editor.org/rfc/rfc5035): Enhanced Security Services.
pub(crate) const ID_RECEIPT_REQUEST: ObjectIdentifier = oid("1.2.840.113549.1.9.16.2.1");
pub(crate) const ID_SIGNING_CERTIFICATE: ObjectIdentifier = oid("1.2.840.113549.1.9.16.2.12");
pub(crate) const ID_SIGNING_CERTIFICATE_V2: ObjectIdentifier = oid("1.2.840.113549.1.9.16.2.47");

// [RFC 5754](https://www.rfc-editor.org/rfc/rfc5754): SHA-2.
pub(crate) const ID_SHA256: ObjectIdentifier = oid("2.16.840.1.101.3.4.2.1");
pub(crate) const ID_SHA384: ObjectIdentifier = oid("2.16.840.1.101.3.4.2.2");
pub(crate) const ID_SHA512: ObjectIdentifier = oid("2.16.840.1.101.3.4.2.3");

// [RFC 8017](https://www.rfc-editor.org/rfc/rfc8017): RSA.
pub(crate) const RSA_ENCRYPTION: ObjectIdentifier = oid("1.2.840.113549.1.1.1");
pub(crate) const ID_MGF1: ObjectIdentifier = oid("1.2.840.113549.1.1.8");
pub(crate) const ID_RSASSA_PSS: ObjectIdentifier = oid("1.2.840.113549.1.1.10");
pub(crate) const SHA256_WITH_RSA: ObjectIdentifier = oid("1.2.840.113549.1.1.11");
pub(crate) const SHA384_WITH_RSA: ObjectIdentifier = oid("1.2.840.113549.1.1.12");
pub(crate) const SHA512_WITH_RSA: ObjectIdentifier = oid("1.2.840.113549.1.1.13");

// [RFC 5480](https://www.rfc-editor.org/rfc/rfc5480) and [RFC 5758](https://www.rfc-editor.org/rfc/rfc5758): ECDSA.
pub(crate) const ID_EC_PUBLIC_KEY: ObjectIdentifier = oid("1.2.840.10045.2.1");
pub(crate) const SECP256R1: ObjectIdentifier = oid("1.2.840.10045.3.1.7");
pub(crate) const SECP384R1: ObjectIdentifier = oid("1.3.132.0.34");
pub(crate) const SECP521R1: ObjectIdentifier = oid("1.3.132.0.35");
pub(crate) const ECDSA_WITH_SHA256: ObjectIdentifier = oid("1.2.840.10045.4.3.2");
pub(crate) const ECDSA_WITH_SHA384: ObjectIdentifier = oid("1.2.840.10045.4.3.3");
pub(crate) const ECDSA_WITH_SHA512: ObjectIdentifier = oid("1.2.840.10045.4.3.4");

// [RFC 8410](https://www.rfc-editor.org/rfc/rfc8410): Edwards curves.
pub(crate) const ID_ED25519: ObjectIdentifier = oid("1.3.101.112");
pub(crate) const ID_ED448: ObjectIdentifier = oid("1.3.101.113");

// [RFC 5280](https://www.rfc-editor.org/rfc/rfc5280): certificates, and lists of revoked ones.
pub(crate) const SUBJECT_KEY_IDENTIFIER: ObjectIdentifier = oid("2.5.29.14");
pub(crate) const KEY_USAGE: ObjectIdentifier = oid("2.5.29.15");
pub(crate) const SUBJECT_ALT_NAME: ObjectIdentifier = oid("2.5.29.17");
pub(crate) const BASIC_CONSTRAINTS: ObjectIdentifier = oid("2.5.29.19");
pub(crate) const DELTA_CRL_INDICATOR: ObjectIdentifier = oid("2.5.29.27");
pub(crate) const ISSUING_DISTRIBUTION_POINT: ObjectIdentifier = oid("2.5.29.28");
pub(crate) const CRL_DISTRIBUTION_POINTS: ObjectIdentifier = oid("2.5.29.31");
pub(crate) const POLICY_MAPPINGS: ObjectIdentifier = oid("2.5.29.33");
pub(crate) const POLICY_CONSTRAINTS: ObjectIdentifier = oid("2.5.29.36");
pub(crate) const INHIBIT_ANY_POLICY: ObjectIdentifier = oid("2.5.29.54");
/// [RFC 3820](https://www.rfc-editor.org/rfc/rfc3820): certificates that act for others.
pub(crate) const PROXY_CERT_INFO: ObjectIdentifier = oid("1.3.6.1.5.5.7.1.14");
/// [RFC 3779](https://www.rfc-editor.org/rfc/rfc3779): addresses of networks, which issuers must have too.
pub(crate) const IP_ADDR_BLOCKS: ObjectIdentifier = oid("1.3.6.1.5.5.7.1.7");
pub(crate) const AUTONOMOUS_SYS_IDS: ObjectIdentifier = oid("1.3.6.1.5.5.7.1.8");
pub(crate) const OCSP_NO_CHECK: ObjectIdentifier = oid("1.3.6.1.5.5.7.48.1.5");
pub(crate) const NAME_CONSTRAINTS: ObjectIdentifier = oid("2.5.29.30");
pub(crate) const CERTIFICATE_POLICIES: ObjectIdentifier = oid("2.5.29.32");
pub(crate) const AUTHORITY_KEY_IDENTIFIER: ObjectIdentifier = oid("2.5.29.35");
pub(crate) const EXT_KEY_USAGE: ObjectIdentifier = oid("2.5.29.37");
pub(crate) const ID_KP_CODE_SIGNING: ObjectIdentifier = oid("1.3.6.1.5.5.7.3.3");
pub(crate) const ID_KP_EMAIL_PROTECTION: ObjectIdentifier = oid("1.3.6.1.5.5.7.3.4");
/// OpenSSL obeys it, so it says something about RAUC.
pub(crate) const NETSCAPE_CERT_TYPE: ObjectIdentifier = oid("2.16.840.1.113730.1.1");
/// The bits of [`NETSCAPE_CERT_TYPE`] with which OpenSSL lets a certificate sign mail: for S/MIME, and for clients of
/// TLS.
pub(crate) const NETSCAPE_SMIME_OR_CLIENT: u8 = 0x20 | 0x80;
pub(crate) const AT_COMMON_NAME: ObjectIdentifier = oid("2.5.4.3");

// [Authenticode](https://learn.microsoft.com/windows/win32/seccrypto/cryptography-tools): signatures of PE files.
pub(crate) const SPC_INDIRECT_DATA: ObjectIdentifier = oid("1.3.6.1.4.1.311.2.1.4");
pub(crate) const SPC_PE_IMAGE_DATA: ObjectIdentifier = oid("1.3.6.1.4.1.311.2.1.15");
