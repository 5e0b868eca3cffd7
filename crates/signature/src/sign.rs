//! Making signatures.

use crate::algorithm::{Algorithm, PublicKey};
use crate::format::{ID_CONTENT_TYPE, ID_DATA, ID_MESSAGE_DIGEST, ID_SIGNED_DATA, ID_SIGNING_TIME};
use crate::read::{bare_parts, parts};
use crate::tlv::{self, CONTEXT_0, INTEGER, NULL, OCTET_STRING, OID, SEQUENCE, SET};
use crate::{Certificate, Error, LEN_MAX, Result, Time};

/// Who signs: a certificate, and those between it and what devices trust.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The certificate of the key.
    pub certificate: Certificate,
    /// The certificates of its issuers, without the root, in any order.
    pub intermediates: Vec<Certificate>,
}

impl Identity {
    /// Whether who trusts these certificates trusts its signatures, too, as far as names and keys tell: they have its
    /// certificate, one of its intermediates, or an issuer of these.
    #[must_use]
    pub fn leads_to(&self, trusted: &[Certificate]) -> bool {
        let mut chain = std::iter::once(&self.certificate).chain(&self.intermediates);
        chain.any(|one| {
            trusted.iter().any(|root| {
                one == root || one.may_be_issued_by(root) && one.is_signed_by(root).unwrap_or(false)
            })
        })
    }
}

/// Something that signs: a [`Key`](crate::Key), or a [`Command`](crate::Command) that knows where one is.
pub trait Signer: Sync {
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
    let algorithm = algorithm(identity, signer)?;
    if let Some(time) = time {
        check_validity(identity, time)?;
    }
    check_room(identity, content.len())?;
    let to_be_signed = signed_attributes(content, algorithm, time)?;
    let signature = signed(&to_be_signed, identity, signer, algorithm)?;
    let attributes = Some(&to_be_signed[..]);
    let digest = algorithm.hash().to_der();
    let der = content_info(
        Some(content),
        identity,
        [&digest, &algorithm.to_der()],
        attributes,
        &signature,
    );
    check_len(der.len())?;
    parts(&der)?.check()?;
    Ok(der)
}

/// Signs a content that stays elsewhere, and nothing besides: the DER of a CMS `ContentInfo` without attributes, made of
/// the same parts as OpenSSL's `PKCS7_sign` makes it with `PKCS7_DETACHED`, `PKCS7_NOATTR` and `PKCS7_BINARY`. That is what
/// Linux accepts for the root hash of a dm-verity tree, whose 64 hexadecimal digits are the content.
///
/// # Errors
/// As [`sign`].
pub fn sign_bare(content: &[u8], identity: &Identity, signer: &dyn Signer) -> Result<Vec<u8>> {
    let algorithm = algorithm(identity, signer)?;
    check_room(identity, 0)?;
    let signature = signed(content, identity, signer, algorithm)?;
    // With the parameters that PKCS#7 has and CMS leaves out.
    let digest = tlv::write(SEQUENCE, &[&algorithm.hash().oid_der(), &tlv::write(NULL, &[])]);
    let der = content_info(None, identity, [&digest, &algorithm.to_der()], None, &signature);
    check_len(der.len())?;
    bare_parts(&der)?.check(content)?;
    Ok(der)
}

/// What is inside of a `ContentInfo` that [`sign_bare`] has made: the `SignedData`, which is all that firmware wants.
#[must_use]
pub fn signed_data(der: &[u8]) -> Option<&[u8]> {
    let mut info = tlv::only(der, SEQUENCE, "content info").ok()?;
    info.one(OID, "content type").ok()?;
    Some(info.one(CONTEXT_0, "signed data").ok()?.value)
}

/// How the key of a certificate signs, if the signer has that key.
fn algorithm(identity: &Identity, signer: &dyn Signer) -> Result<Algorithm> {
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
    Ok(key.algorithm())
}

/// Who signs elsewhere is not bothered in vain.
fn check_room(identity: &Identity, content_len: usize) -> Result<()> {
    let chain = std::iter::once(&identity.certificate).chain(&identity.intermediates);
    check_len(chain.fold(content_len, |len, certificate| {
        len.saturating_add(certificate.der().len())
    }))
}

/// The signature over some bytes, if it is the certificate's.
fn signed(
    to_be_signed: &[u8],
    identity: &Identity,
    signer: &dyn Signer,
    algorithm: Algorithm,
) -> Result<Vec<u8>> {
    let certificate = &identity.certificate;
    let signature = signer.sign(algorithm, to_be_signed)?;
    let key = certificate.public_key()?;
    if key.made(algorithm.scheme(), to_be_signed, &signature) {
        return Ok(signature);
    }
    Err(Error::ForeignSignature {
        subject: certificate.subject().to_owned(),
    })
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

/// The whole signature, out of the identifiers of the algorithms of digest and signature, and of what was signed.
fn content_info(
    content: Option<&[u8]>,
    identity: &Identity,
    [digest_algorithm, signature_algorithm]: [&[u8]; 2],
    attributes: Option<&[u8]>,
    signature: &[u8],
) -> Vec<u8> {
    let version = tlv::write(INTEGER, &[&[1]]);
    let encapsulated = {
        let kind = tlv::write(OID, &[ID_DATA.as_bytes()]);
        let content = content.map(|content| tlv::write(CONTEXT_0, &[&tlv::write(OCTET_STRING, &[content])]));
        tlv::write(SEQUENCE, &[&kind, &content.unwrap_or_default()])
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
        let attributes = attributes.map(|set| [&[CONTEXT_0], set.get(1..).unwrap_or_default()].concat());
        let signature = tlv::write(OCTET_STRING, &[signature]);
        tlv::write(
            SEQUENCE,
            &[
                &version,
                &id,
                digest_algorithm,
                &attributes.unwrap_or_default(),
                signature_algorithm,
                &signature,
            ],
        )
    };
    let signed_data = tlv::write(
        SEQUENCE,
        &[
            &version,
            &tlv::write(SET, &[digest_algorithm]),
            &encapsulated,
            &certificates,
            &tlv::write(SET, &[&signer]),
        ],
    );
    let kind = tlv::write(OID, &[ID_SIGNED_DATA.as_bytes()]);
    tlv::write(SEQUENCE, &[&kind, &tlv::write(CONTEXT_0, &[&signed_data])])
}
