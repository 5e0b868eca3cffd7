//! Taking a signature apart, without trusting anybody.

use std::borrow::Cow;

use data_encoding::HEXLOWER;

use crate::algorithm::{Hash, Scheme, read_oid};
use crate::attributes::read_attributes;
use crate::ber;
use crate::format::{ID_DATA, ID_ENVELOPED_DATA, ID_SIGNED_DATA};
use crate::tlv::{
    self, CONTEXT_0, CONTEXT_0_BYTES, CONTEXT_1, Cursor, INTEGER, OCTET_STRING, OID, Parsed, SEQUENCE, SET,
    Tlv,
};
use crate::{Certificate, Error, LEN_MAX, Result, Time};

/// What a signature holds, before anybody has asked whether it is good.
#[derive(Clone, Debug)]
pub struct Contents {
    /// What is signed.
    pub content: Vec<u8>,
    /// Who says to have signed it.
    pub signer: Certificate,
    /// The other certificates that came along, in their order.
    pub others: Vec<Certificate>,
    /// When it says to have been signed.
    pub signing_time: Option<Time>,
}

/// A signature that was taken apart.
pub(crate) struct Parts {
    pub(crate) contents: Contents,
    hash: Hash,
    scheme: Scheme,
    /// The signed attributes, as they were signed.
    to_be_signed: Vec<u8>,
    message_digest: Vec<u8>,
    signature: Vec<u8>,
}

/// Reads a signature without checking it.
pub fn read(der: &[u8]) -> Result<Contents> {
    parts(der).map(|parts| parts.contents)
}

/// The signed content of a signature, which is not checked.
pub fn content(der: &[u8]) -> Result<Vec<u8>> {
    Ok(open(der)?.content()?.to_vec())
}

/// What a CMS is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A signature with what it signs.
    Signed,
    /// A signature about something else.
    Detached,
    /// Something that is encrypted for some people.
    Enveloped,
}

/// What a CMS is, as its head says, and nothing if it says nothing of these. Nothing is checked.
#[must_use]
pub fn form(der: &[u8]) -> Option<Form> {
    if let Ok(signed) = read_signed_data(der) {
        return Some(match signed.content {
            Some(_) => Form::Signed,
            None => Form::Detached,
        });
    }
    let mut info = Cursor::ber(der, "content info")
        .inside(SEQUENCE, "content info")
        .ok()?;
    let kind = info.one(OID, "content type").and_then(read_oid).ok()?;
    (kind == ID_ENVELOPED_DATA).then_some(Form::Enveloped)
}

/// Takes a signature with its content apart.
pub(crate) fn parts(der: &[u8]) -> Result<Parts> {
    let signed = open(der)?;
    let content = signed.content()?.to_vec();
    take_apart(der, &signed, content)
}

/// Takes a signature about something else apart: its content is empty.
pub(crate) fn detached_parts(der: &[u8]) -> Result<Parts> {
    let signed = open(der)?;
    if signed.content.is_some() {
        return Err(unsupported("it is not detached: it holds what it signs".into()));
    }
    signed.check_type()?;
    take_apart(der, &signed, Vec::new())
}

/// A signature about something else that says nothing but that: it has no signed attributes.
pub(crate) struct BareParts {
    pub(crate) contents: Contents,
    scheme: Scheme,
    signature: Vec<u8>,
}

/// Takes a signature without attributes about something else apart.
pub(crate) fn bare_parts(der: &[u8]) -> Result<BareParts> {
    let signed = open(der)?;
    if signed.content.is_some() {
        return Err(unsupported("it is not detached: it holds what it signs".into()));
    }
    signed.check_type()?;
    let (info, _, scheme) = read_checked_signer(der, &signed)?;
    if info.attributes.is_some() {
        return Err(unsupported(
            "it has signed attributes, which Linux refuses here".into(),
        ));
    }
    Ok(BareParts {
        contents: contents(der, &signed, &info, Vec::new())?,
        scheme,
        signature: info.signature.to_vec(),
    })
}

impl BareParts {
    /// Whether it is its signer's signature of a content.
    pub(crate) fn check(&self, content: &[u8]) -> Result<()> {
        let signer = &self.contents.signer;
        if signer.checking_key()?.made(self.scheme, content, &self.signature) {
            return Ok(());
        }
        Err(Error::BadSignature {
            subject: signer.subject().to_owned(),
        })
    }
}

fn take_apart(der: &[u8], signed: &SignedData<'_>, content: Vec<u8>) -> Result<Parts> {
    let refused = |problem| refused(der, problem);
    let (info, hash, scheme) = read_checked_signer(der, signed)?;
    let Some(attributes) = info.attributes else {
        return Err(unsupported("it has no signed attributes".into()));
    };
    // OpenSSL hashes them in the order in which they came, too.
    let to_be_signed = [&[SET], attributes.raw.get(1..).unwrap_or_default()].concat();
    let attributes = read_attributes(attributes).map_err(refused)?;
    let contents = contents(der, signed, &info, content)?;
    Ok(Parts {
        contents: Contents {
            signing_time: attributes.signing_time,
            ..contents
        },
        hash,
        scheme,
        to_be_signed,
        message_digest: attributes.message_digest,
        signature: info.signature.to_vec(),
    })
}

/// The only signer, and how it has signed.
fn read_checked_signer<'a>(der: &[u8], signed: &SignedData<'a>) -> Result<(SignerInfo<'a>, Hash, Scheme)> {
    let refused = |problem| refused(der, problem);
    let info = read_signer(signed.signer()?).map_err(refused)?;
    // Whoever passes a signature on could put in what others stumble over.
    if info.unsigned.is_some() {
        return Err(unsupported("it has attributes that are not signed".into()));
    }
    let of_sender = if matches!(info.id, SignerId::KeyId(_)) {
        3
    } else {
        1
    };
    if (signed.version, info.version) != (of_sender, of_sender) {
        let problem = "its version does not suit the way in which its signer is named";
        return Err(refused(problem.into()));
    }
    let hash = Hash::read(info.digest_algorithm).map_err(unsupported)?;
    let hashes = signed.digest_algorithms.iter().map(|tlv| Hash::read(*tlv));
    let hashes = hashes.collect::<Parsed<Vec<Hash>>>().map_err(unsupported)?;
    if !hashes.contains(&hash) {
        return Err(refused("its list of digests is not the one of its signer".into()));
    }
    let scheme = Scheme::read_with(info.signature_algorithm, hash).map_err(unsupported)?;
    Ok((info, hash, scheme))
}

/// What is signed, and the certificates, without a time.
fn contents(
    der: &[u8],
    signed: &SignedData<'_>,
    info: &SignerInfo<'_>,
    content: Vec<u8>,
) -> Result<Contents> {
    let certificates = read_certificates(&signed.certificates).map_err(|problem| refused(der, problem))?;
    let (signer, others) = split(certificates, &info.id).map_err(unsupported)?;
    Ok(Contents {
        content,
        signer,
        others,
        signing_time: None,
    })
}

impl Parts {
    /// Whether the content is the signed one, and the signature its signer's.
    pub(crate) fn check(&self) -> Result<()> {
        self.check_digest(&self.hash.digest(&self.contents.content))
    }

    /// How the content is hashed.
    pub(crate) fn hash(&self) -> Hash {
        self.hash
    }

    /// Whether the content of this digest is the signed one, and the signature its signer's.
    pub(crate) fn check_digest(&self, computed: &[u8]) -> Result<()> {
        if computed != self.message_digest {
            return Err(Error::WrongDigest {
                computed: HEXLOWER.encode(computed),
                signed: HEXLOWER.encode(&self.message_digest),
            });
        }
        let signer = &self.contents.signer;
        let key = signer.checking_key()?;
        if key.made(self.scheme, &self.to_be_signed, &self.signature) {
            return Ok(());
        }
        Err(Error::BadSignature {
            subject: signer.subject().to_owned(),
        })
    }
}

fn malformed(problem: String) -> Error {
    Error::Malformed { problem }
}

fn unsupported(problem: String) -> Error {
    Error::Unsupported { problem }
}

/// What to say of a signature whose form is not read. If all of it is there, it may be good for others.
fn refused(der: &[u8], problem: String) -> Error {
    if ber::is_whole(der) {
        unsupported(problem)
    } else {
        malformed(problem)
    }
}

fn bounded(der: &[u8]) -> Result<&[u8]> {
    match der.len() as u64 {
        0 => Err(malformed("it is empty".into())),
        len if len > LEN_MAX => Err(malformed(format!("it has {len} bytes, the limit is {LEN_MAX}"))),
        _ => Ok(der),
    }
}

fn open(der: &[u8]) -> Result<SignedData<'_>> {
    let signed = read_signed_data(bounded(der)?).map_err(|problem| refused(der, problem))?;
    // They come from who trusts, not from who wants to be trusted. Nothing signs them here either.
    if signed.lists.is_some() {
        return Err(unsupported("it holds lists of revoked certificates".into()));
    }
    Ok(signed)
}

struct SignedData<'a> {
    version: u8,
    digest_algorithms: Vec<Tlv<'a>>,
    content_type: Tlv<'a>,
    content: Option<Cow<'a, [u8]>>,
    certificates: Vec<Tlv<'a>>,
    /// Lists of revoked certificates.
    lists: Option<Tlv<'a>>,
    signers: Vec<Tlv<'a>>,
}

impl<'a> SignedData<'a> {
    fn check_type(&self) -> Result<()> {
        let kind = read_oid(self.content_type).map_err(unsupported)?;
        if kind == ID_DATA {
            return Ok(());
        }
        Err(unsupported(format!(
            "what it signs is of the type {kind}, not {ID_DATA} (data)"
        )))
    }

    fn content(&self) -> Result<&[u8]> {
        self.check_type()?;
        self.content
            .as_deref()
            .ok_or_else(|| unsupported("it is detached from what it signs".into()))
    }

    fn signer(&self) -> Result<Tlv<'a>> {
        match self.signers[..] {
            [only] => Ok(only),
            _ => Err(unsupported(format!(
                "it has {} signers instead of one",
                self.signers.len()
            ))),
        }
    }
}

/// Reads what is around the signed content, which OpenSSL writes with lengths of BER when it streams.
fn read_signed_data(der: &[u8]) -> Parsed<SignedData<'_>> {
    let mut info = Cursor::ber(der, "content info").only(SEQUENCE)?;
    let kind = read_oid(info.one(OID, "content type")?)?;
    if kind != ID_SIGNED_DATA {
        return Err(format!(
            "it is of the type {kind}, not {ID_SIGNED_DATA} (signed data)"
        ));
    }
    let outer = info.inside(CONTEXT_0, "signed data")?;
    info.end()?;
    let mut parts = outer.only(SEQUENCE)?;
    let version = small(parts.one(INTEGER, "version")?)?;
    let digest_algorithms = parts.inside(SET, "digest algorithms")?.all()?;
    let mut encapsulated = parts.inside(SEQUENCE, "encapsulated content")?;
    let content_type = encapsulated.one(OID, "content type")?;
    let content = match encapsulated.optional(CONTEXT_0)? {
        None => None,
        Some(tlv) => {
            let mut inside = Cursor::ber(tlv.value, "content");
            let content = ber::octets(&mut inside, "bytes")?;
            inside.end()?;
            Some(content)
        }
    };
    encapsulated.end()?;
    let certificates = parts.optional(CONTEXT_0)?;
    let certificates =
        certificates.map_or(Ok(Vec::new()), |tlv| Cursor::new(tlv.value, "certificates").all())?;
    let lists = parts.optional(CONTEXT_1)?;
    let signers = Cursor::new(parts.one(SET, "signers")?.value, "signers").all()?;
    parts.end()?;
    Ok(SignedData {
        version,
        digest_algorithms,
        content_type,
        content,
        certificates,
        lists,
        signers,
    })
}

/// How a signer names its certificate.
pub(crate) enum SignerId<'a> {
    IssuerAndSerial { issuer: &'a [u8], serial: &'a [u8] },
    KeyId(&'a [u8]),
}

pub(crate) struct SignerInfo<'a> {
    pub(crate) version: u8,
    pub(crate) id: SignerId<'a>,
    pub(crate) digest_algorithm: Tlv<'a>,
    pub(crate) attributes: Option<Tlv<'a>>,
    pub(crate) signature_algorithm: Tlv<'a>,
    pub(crate) signature: &'a [u8],
    pub(crate) unsigned: Option<Tlv<'a>>,
}

pub(crate) fn read_signer(info: Tlv<'_>) -> Parsed<SignerInfo<'_>> {
    let mut parts = tlv::only(info.raw, SEQUENCE, "signer")?;
    let version = small(parts.one(INTEGER, "version")?)?;
    let id = if let Some(key) = parts.optional(CONTEXT_0_BYTES)? {
        SignerId::KeyId(key.value)
    } else {
        let mut id = parts.inside(SEQUENCE, "issuer and serial number")?;
        let issuer = id.one(SEQUENCE, "issuer")?.raw;
        let serial = id.one(INTEGER, "serial number")?.raw;
        id.end()?;
        SignerId::IssuerAndSerial { issuer, serial }
    };
    let digest_algorithm = parts.one(SEQUENCE, "digest algorithm")?;
    let attributes = parts.optional(CONTEXT_0)?;
    let signature_algorithm = parts.one(SEQUENCE, "signature algorithm")?;
    let signature = parts.one(OCTET_STRING, "signature")?.value;
    let unsigned = parts.optional(CONTEXT_1)?;
    parts.end()?;
    Ok(SignerInfo {
        version,
        id,
        digest_algorithm,
        attributes,
        signature_algorithm,
        signature,
        unsigned,
    })
}

fn small(tlv: Tlv<'_>) -> Parsed<u8> {
    match tlv.value {
        [number @ 0..=0x7f] => Ok(*number),
        _ => Err("its version is no small number".into()),
    }
}

pub(crate) fn read_certificates(certificates: &[Tlv<'_>]) -> Parsed<Vec<Certificate>> {
    let read = certificates.iter().map(|tlv| match tlv.tag {
        SEQUENCE => Certificate::read(tlv.raw),
        tag => Err(format!(
            "it holds something of type {tag:#04x} among its certificates"
        )),
    });
    read.collect()
}

/// Parts the signer's certificate from the others: the first of its name, as OpenSSL takes it.
pub(crate) fn split(
    mut certificates: Vec<Certificate>,
    id: &SignerId<'_>,
) -> Parsed<(Certificate, Vec<Certificate>)> {
    let named = |certificate: &Certificate| match id {
        SignerId::IssuerAndSerial { issuer, serial } => {
            certificate.issuer_der() == *issuer && certificate.serial_der() == *serial
        }
        SignerId::KeyId(id) => certificate.extensions().subject_key.as_deref() == Some(*id),
    };
    let signer = certificates.iter().position(named);
    let signer = signer.ok_or("its signer's certificate is not in it")?;
    let signer = certificates.remove(signer);
    Ok((signer, certificates))
}
