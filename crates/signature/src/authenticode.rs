//! Authenticode: signatures of what firmware starts, about the digest of a PE file.
//!
//! ```text
//!  ContentInfo: signedData
//!  └─ SignedData, version 1
//!     ├─ digestAlgorithms     sha256, with NULL
//!     ├─ encapContentInfo     SpcIndirectDataContent: SpcPeImageData, sha256, the file's digest
//!     ├─ certificates [0]     the signer's and the intermediate ones
//!     └─ signerInfos          one:
//!        ├─ issuer and serial number of the signer's certificate
//!        ├─ signedAttrs [0]   contentType, messageDigest ◄── digest of the content, without its outer tag and length
//!        └─ signature ◄── over the signed attributes, tagged as the SET that they are
//! ```
//!
//! No signing time is in it: no firmware asks for one, and without one a signature depends on file, key and certificates
//! alone. <https://learn.microsoft.com/windows-hardware/drivers/install/authenticode> describes the format; UEFI 2.10,
//! 32.2.4, says what of it firmware reads.

use crate::algorithm::{Hash, Scheme, read_oid};
use crate::format::{
    ID_CONTENT_TYPE, ID_MESSAGE_DIGEST, ID_SIGNED_DATA, SPC_INDIRECT_DATA, SPC_PE_IMAGE_DATA,
};
use crate::read::{read_certificates, read_signer, split};
use crate::tlv::{
    self, BIT_STRING, CONTEXT_0, CONTEXT_0_BYTES, CONTEXT_2, Cursor, INTEGER, NULL, OCTET_STRING, OID,
    Parsed, SEQUENCE, SET,
};
use crate::{Algorithm, Certificate, Error, Identity, Result, Signer};

/// What stands where a link to the file could be.
const OBSOLETE: &str = "<<<Obsolete>>>";

/// A signature that was read, and found to be its signer's.
#[derive(Clone, Debug)]
pub struct Authenticode {
    /// The SHA-256 of the file that it is about; see the format of PE files for which bytes count.
    pub digest: [u8; 32],
    /// Whose signature it is. Nothing says that anybody trusts this certificate.
    pub signer: Certificate,
    /// The other certificates in it.
    pub others: Vec<Certificate>,
}

/// Signs the SHA-256 of a PE file: the DER of a CMS `ContentInfo`.
///
/// # Errors
/// When the key is not the certificate's, or of a kind that hashes with something else than SHA-256, or the signer fails.
pub fn sign_authenticode(digest: &[u8; 32], identity: &Identity, signer: &dyn Signer) -> Result<Vec<u8>> {
    let certificate = &identity.certificate;
    let key = certificate.public_key()?;
    let subject = || certificate.subject().to_owned();
    let unsupported = |found: String| Error::UnsupportedKey {
        what: format!("the key of {}", certificate.subject()),
        found,
    };
    key.check().map_err(unsupported)?;
    let algorithm = key.algorithm();
    if algorithm.hash() != Hash::Sha256 {
        return Err(unsupported(
            "a key that signs SHA-384, which firmware does not take".into(),
        ));
    }
    if signer.public_key().is_some_and(|own| own != *key) {
        return Err(Error::KeyMismatch { subject: subject() });
    }
    let content = indirect_data(digest);
    let attributes = attributes(&content);
    let signature = signer.sign(algorithm, &attributes)?;
    if !key.made(algorithm.scheme(), &attributes, &signature) {
        return Err(Error::ForeignSignature { subject: subject() });
    }
    let der = content_info(&content, identity, algorithm, &attributes, &signature);
    Authenticode::read(&der)?;
    Ok(der)
}

/// SHA-256, as these signatures name it.
fn sha256() -> Vec<u8> {
    let oid = tlv::write(OID, &[crate::format::ID_SHA256.as_bytes()]);
    tlv::write(SEQUENCE, &[&oid, &tlv::write(NULL, &[])])
}

fn named(oid: der::asn1::ObjectIdentifier, value: &[u8]) -> Vec<u8> {
    tlv::write(SEQUENCE, &[&tlv::write(OID, &[oid.as_bytes()]), value])
}

fn indirect_data(digest: &[u8; 32]) -> Vec<u8> {
    let text: Vec<u8> = OBSOLETE.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let text = tlv::write(CONTEXT_0_BYTES, &[&text]);
    let link = tlv::write(CONTEXT_0, &[&tlv::write(CONTEXT_2, &[&text])]);
    let file = tlv::write(SEQUENCE, &[&tlv::write(BIT_STRING, &[&[0]]), &link]);
    let digest = tlv::write(SEQUENCE, &[&sha256(), &tlv::write(OCTET_STRING, &[digest])]);
    tlv::write(SEQUENCE, &[&named(SPC_PE_IMAGE_DATA, &file), &digest])
}

/// The attributes, as the set that is signed.
fn attributes(content: &[u8]) -> Vec<u8> {
    let inside = Cursor::new(content, "content")
        .any()
        .map_or(&[][..], |tlv| tlv.value);
    let kind = tlv::write(SET, &[&tlv::write(OID, &[SPC_INDIRECT_DATA.as_bytes()])]);
    let digest = tlv::write(OCTET_STRING, &[&Hash::Sha256.digest(inside)]);
    let digest = tlv::write(SET, &[&digest]);
    tlv::write_set(
        SET,
        vec![named(ID_CONTENT_TYPE, &kind), named(ID_MESSAGE_DIGEST, &digest)],
    )
}

fn content_info(
    content: &[u8],
    identity: &Identity,
    algorithm: Algorithm,
    attributes: &[u8],
    signature: &[u8],
) -> Vec<u8> {
    let version = tlv::write(INTEGER, &[&[1]]);
    let certificate = &identity.certificate;
    let chain = std::iter::once(certificate).chain(&identity.intermediates);
    let certificates = tlv::write_set(
        CONTEXT_0,
        chain.map(|certificate| certificate.der().to_vec()).collect(),
    );
    let id = tlv::write(SEQUENCE, &[certificate.issuer_der(), certificate.serial_der()]);
    let attributes = [&[CONTEXT_0], attributes.get(1..).unwrap_or_default()].concat();
    let signature = tlv::write(OCTET_STRING, &[signature]);
    let signer = tlv::write(
        SEQUENCE,
        &[
            &version,
            &id,
            &sha256(),
            &attributes,
            &algorithm.to_der(),
            &signature,
        ],
    );
    let signed_data = tlv::write(
        SEQUENCE,
        &[
            &version,
            &tlv::write(SET, &[&sha256()]),
            &named(SPC_INDIRECT_DATA, &tlv::write(CONTEXT_0, &[content])),
            &certificates,
            &tlv::write(SET, &[&signer]),
        ],
    );
    named(ID_SIGNED_DATA, &tlv::write(CONTEXT_0, &[&signed_data]))
}

impl Authenticode {
    /// Reads a signature, and checks that it is its signer's. Bytes behind it are padding.
    ///
    /// # Errors
    /// When it is none, of a form that firmware does not take, or not made with the key of its certificate.
    pub fn read(bytes: &[u8]) -> Result<Authenticode> {
        let malformed = |problem| Error::Malformed { problem };
        let parts = Parts::read(bytes).map_err(malformed)?;
        let key = parts.signer.public_key()?;
        if !key.made(parts.scheme, &parts.to_be_signed, &parts.signature) {
            return Err(Error::ForeignSignature {
                subject: parts.signer.subject().to_owned(),
            });
        }
        Ok(Authenticode {
            digest: parts.digest,
            signer: parts.signer,
            others: parts.others,
        })
    }
}

/// What is in a signature.
struct Parts {
    digest: [u8; 32],
    signer: Certificate,
    others: Vec<Certificate>,
    scheme: Scheme,
    to_be_signed: Vec<u8>,
    signature: Vec<u8>,
}

impl Parts {
    fn read(bytes: &[u8]) -> Parsed<Parts> {
        let der = Cursor::new(bytes, "signature").any()?.raw;
        let mut info = tlv::only(der, SEQUENCE, "content info")?;
        if read_oid(info.one(OID, "content type")?)? != ID_SIGNED_DATA {
            return Err("it is no signed data".into());
        }
        let outer = info.inside(CONTEXT_0, "signed data")?;
        info.end()?;
        let mut data = outer.only(SEQUENCE)?;
        data.one(INTEGER, "version")?;
        data.one(SET, "digest algorithms")?;
        let mut encapsulated = data.inside(SEQUENCE, "content")?;
        if read_oid(encapsulated.one(OID, "content type")?)? != SPC_INDIRECT_DATA {
            return Err("it is not about a PE file".into());
        }
        let mut content = encapsulated.inside(CONTEXT_0, "content")?;
        let content = content.one(SEQUENCE, "content")?;
        let certificates = data.one(CONTEXT_0, "certificates")?;
        let certificates = Cursor::new(certificates.value, "certificates").all()?;
        let signers = Cursor::new(data.one(SET, "signers")?.value, "signers").all()?;
        let [signer] = signers[..] else {
            return Err(format!("it has {} signers instead of one", signers.len()));
        };
        let info = read_signer(signer)?;
        let hash = Hash::read(info.digest_algorithm)?;
        let scheme = Scheme::read_with(info.signature_algorithm, hash)?;
        let inside = hash.digest(content.value);
        let to_be_signed = match info.attributes {
            None => content.value.to_vec(),
            Some(attributes) => {
                if message_digest(attributes.value)? != inside {
                    return Err("its message digest is not that of its content".into());
                }
                [&[SET], attributes.raw.get(1..).unwrap_or_default()].concat()
            }
        };
        let (signer, others) = split(read_certificates(&certificates)?, &info.id)?;
        Ok(Parts {
            digest: file_digest(content.value)?,
            signer,
            others,
            scheme,
            to_be_signed,
            signature: info.signature.to_vec(),
        })
    }
}

/// The digest of the file, out of what the content holds.
fn file_digest(content: &[u8]) -> Parsed<[u8; 32]> {
    let mut content = Cursor::new(content, "content");
    let mut data = content.inside(SEQUENCE, "kind of data")?;
    if read_oid(data.one(OID, "kind of data")?)? != SPC_PE_IMAGE_DATA {
        return Err("it is not about a PE file".into());
    }
    let mut digest = content.inside(SEQUENCE, "digest")?;
    content.end()?;
    if Hash::read(digest.one(SEQUENCE, "digest algorithm")?)? != Hash::Sha256 {
        return Err("its digest of the file is not SHA-256".into());
    }
    let bytes = digest.one(OCTET_STRING, "digest")?.value;
    digest.end()?;
    let len = bytes.len();
    bytes
        .try_into()
        .map_err(|_| format!("its digest of the file has {len} bytes instead of 32"))
}

/// The message digest among attributes.
fn message_digest(attributes: &[u8]) -> Parsed<&[u8]> {
    for attribute in Cursor::new(attributes, "signed attributes").all()? {
        let mut parts = Cursor::new(attribute.value, "signed attribute");
        if read_oid(parts.one(OID, "kind")?)? == ID_MESSAGE_DIGEST {
            let mut values = parts.inside(SET, "message digest")?;
            return Ok(values.one(OCTET_STRING, "message digest")?.value);
        }
    }
    Err("it has no message digest".into())
}
