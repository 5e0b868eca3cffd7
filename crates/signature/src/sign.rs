//! Making signatures.

use crate::algorithm::{Algorithm, PublicKey};
use crate::format::{ID_CONTENT_TYPE, ID_DATA, ID_MESSAGE_DIGEST, ID_SIGNED_DATA, ID_SIGNING_TIME};
use crate::read::parts;
use crate::tlv::{self, CONTEXT_0, INTEGER, OCTET_STRING, OID, SEQUENCE, SET};
use crate::{Certificate, Error, LEN_MAX, Result, Time};

/// Who signs: a certificate, and those between it and what devices trust.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The certificate of the key.
    pub certificate: Certificate,
    /// The certificates of its issuers, without the root, in any order.
    pub intermediates: Vec<Certificate>,
}

/// Something that signs: a [`Key`](crate::Key), or a [`Command`](crate::Command) that knows where one is.
pub trait Signer {
    /// Its public key; `None` when only a signature tells.
    fn public_key(&self) -> Option<PublicKey>;

    /// Signs bytes: the DER of an ECDSA signature, or an RSA signature with the padding of PKCS#1 v1.5. The bytes
    /// are hashed on the way.
    fn sign(&self, algorithm: Algorithm, to_be_signed: &[u8]) -> Result<Vec<u8>>;
}

/// Signs a content, which becomes a part of the signature: the DER of a CMS `ContentInfo`, made of the same parts
/// in the same order as OpenSSL and RAUC make it.
///
/// Without a time, no signing time is in it. Devices that look at certificates as of the signing time (RAUC's
/// `use-bundle-signing-time`) refuse such a signature, or crash.
///
/// # Errors
/// When the key is not the certificate's or of a kind that RAUC does not accept, a certificate is not valid at the
/// time, the signer fails, or the signature is too long.
pub fn sign(content: &[u8], identity: &Identity, signer: &dyn Signer, time: Option<Time>) -> Result<Vec<u8>> {
    let certificate = &identity.certificate;
    let key = certificate.public_key()?;
    key.check().map_err(|found| Error::UnsupportedKey {
        what: format!("the key of {}", certificate.subject()),
        found,
    })?;
    if signer.public_key().is_some_and(|own| own != *key) {
        return Err(Error::KeyMismatch {
            subject: certificate.subject().to_owned(),
        });
    }
    if let Some(time) = time {
        check_validity(identity, time)?;
    }
    // Who signs elsewhere is not bothered in vain.
    let chain = std::iter::once(certificate).chain(&identity.intermediates);
    check_len(chain.fold(content.len(), |len, certificate| {
        len.saturating_add(certificate.der().len())
    }))?;
    let algorithm = key.algorithm();
    let to_be_signed = signed_attributes(content, algorithm, time)?;
    let signature = signer.sign(algorithm, &to_be_signed)?;
    if !key.made(algorithm.scheme(), &to_be_signed, &signature) {
        return Err(Error::ForeignSignature {
            subject: certificate.subject().to_owned(),
        });
    }
    let der = content_info(content, identity, algorithm, &to_be_signed, &signature);
    check_len(der.len())?;
    parts(&der)?.check()?;
    Ok(der)
}

fn check_len(len: usize) -> Result<()> {
    match len as u64 {
        len if len > LEN_MAX => Err(Error::TooLong { len }),
        _ => Ok(()),
    }
}

fn check_validity(identity: &Identity, time: Time) -> Result<()> {
    let mut chain = std::iter::once(&identity.certificate).chain(&identity.intermediates);
    match chain.find(|certificate| !certificate.valid_at(time)) {
        None => Ok(()),
        Some(certificate) => Err(Error::OutsideValidity {
            subject: certificate.subject().to_owned(),
            time,
            not_before: certificate.not_before(),
            not_after: certificate.not_after(),
        }),
    }
}

/// The DER of the signed attributes, as the set that is signed.
fn signed_attributes(content: &[u8], algorithm: Algorithm, time: Option<Time>) -> Result<Vec<u8>> {
    let attribute = |oid: der::asn1::ObjectIdentifier, value: &[u8]| {
        let oid = tlv::write(OID, &[oid.as_bytes()]);
        tlv::write(SEQUENCE, &[&oid, &tlv::write(SET, &[value])])
    };
    let digest = tlv::write(OCTET_STRING, &[&algorithm.hash().digest(content)]);
    let mut attributes = vec![
        attribute(ID_CONTENT_TYPE, &tlv::write(OID, &[ID_DATA.as_bytes()])),
        attribute(ID_MESSAGE_DIGEST, &digest),
    ];
    if let Some(time) = time {
        let time = time.to_der().map_err(|problem| Error::Malformed { problem })?;
        attributes.push(attribute(ID_SIGNING_TIME, &time));
    }
    Ok(tlv::write_set(SET, attributes))
}

fn content_info(
    content: &[u8],
    identity: &Identity,
    algorithm: Algorithm,
    to_be_signed: &[u8],
    signature: &[u8],
) -> Vec<u8> {
    let version = tlv::write(INTEGER, &[&[1]]);
    let digest_algorithm = algorithm.hash().to_der();
    let encapsulated = {
        let kind = tlv::write(OID, &[ID_DATA.as_bytes()]);
        let content = tlv::write(CONTEXT_0, &[&tlv::write(OCTET_STRING, &[content])]);
        tlv::write(SEQUENCE, &[&kind, &content])
    };
    let chain = std::iter::once(&identity.certificate).chain(&identity.intermediates);
    let certificates = tlv::write_set(
        CONTEXT_0,
        chain.map(|certificate| certificate.der().to_vec()).collect(),
    );
    let signer = {
        let certificate = &identity.certificate;
        let id = tlv::write(SEQUENCE, &[certificate.issuer_der(), certificate.serial_der()]);
        // Within the signer the set has another tag than when it is signed.
        let attributes = [&[CONTEXT_0], to_be_signed.get(1..).unwrap_or_default()].concat();
        let signature = tlv::write(OCTET_STRING, &[signature]);
        tlv::write(
            SEQUENCE,
            &[
                &version,
                &id,
                &digest_algorithm,
                &attributes,
                &algorithm.to_der(),
                &signature,
            ],
        )
    };
    let signed_data = tlv::write(
        SEQUENCE,
        &[
            &version,
            &tlv::write(SET, &[&digest_algorithm]),
            &encapsulated,
            &certificates,
            &tlv::write(SET, &[&signer]),
        ],
    );
    let kind = tlv::write(OID, &[ID_SIGNED_DATA.as_bytes()]);
    tlv::write(SEQUENCE, &[&kind, &tlv::write(CONTEXT_0, &[&signed_data])])
}
