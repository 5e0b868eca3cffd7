//! Taking a signature apart, without trusting anybody.

use std::borrow::Cow;

use data_encoding::HEXLOWER;

use crate::algorithm::{Hash, Scheme, read_oid};
use crate::ber;
use crate::format::{
    ID_CONTENT_TYPE, ID_COUNTERSIGNATURE, ID_DATA, ID_ENVELOPED_DATA, ID_MESSAGE_DIGEST, ID_RECEIPT_REQUEST,
    ID_SIGNED_DATA, ID_SIGNING_CERTIFICATE, ID_SIGNING_CERTIFICATE_V2, ID_SIGNING_TIME,
};
use crate::tlv::{
    self, CONTEXT_0, CONTEXT_0_BYTES, CONTEXT_1, Cursor, INTEGER, OCTET_STRING, OID, Parsed, SEQUENCE, SET,
    Tlv, UTF8_STRING,
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

fn take_apart(der: &[u8], signed: &SignedData<'_>, content: Vec<u8>) -> Result<Parts> {
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
    let Some(attributes) = info.attributes else {
        return Err(unsupported("it has no signed attributes".into()));
    };
    // OpenSSL hashes them in the order in which they came, too.
    let to_be_signed = [&[SET], attributes.raw.get(1..).unwrap_or_default()].concat();
    let attributes = read_attributes(attributes).map_err(refused)?;
    let certificates = read_certificates(&signed.certificates).map_err(refused)?;
    let (signer, others) = split(certificates, &info.id).map_err(unsupported)?;
    Ok(Parts {
        contents: Contents {
            content,
            signer,
            others,
            signing_time: attributes.signing_time,
        },
        hash,
        scheme,
        to_be_signed,
        message_digest: attributes.message_digest,
        signature: info.signature.to_vec(),
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

struct Attributes {
    message_digest: Vec<u8>,
    signing_time: Option<Time>,
}

/// The attributes that are there once and have one value, if they are there at all.
const ONCE: [der::asn1::ObjectIdentifier; 6] = [
    ID_CONTENT_TYPE,
    ID_MESSAGE_DIGEST,
    ID_SIGNING_TIME,
    ID_SIGNING_CERTIFICATE,
    ID_SIGNING_CERTIFICATE_V2,
    ID_RECEIPT_REQUEST,
];

/// The types of values that OpenSSL reads and writes without looking at what they hold. It cuts bits off, and refuses some
/// strings.
const KEPT_AS_THEY_ARE: [u8; 5] = [SEQUENCE, SET, OCTET_STRING, INTEGER, UTF8_STRING];

fn read_attributes(attributes: Tlv<'_>) -> Parsed<Attributes> {
    let (mut kind, mut digest, mut time) = (None, None, None);
    let mut seen = Vec::new();
    for attribute in Cursor::new(attributes.value, "signed attributes").all()? {
        let (oid, value) = read_attribute(attribute)?;
        if ONCE.contains(&oid) && seen.contains(&oid) {
            return Err(format!("its signed attribute {oid} is there twice"));
        }
        seen.push(oid);
        match oid {
            ID_CONTENT_TYPE => kind = Some(of_type(value, OID, "content type")?),
            ID_MESSAGE_DIGEST => digest = Some(of_type(value, OCTET_STRING, "message digest")?),
            ID_SIGNING_TIME => time = Some(Time::from_der(value.raw)?),
            ID_COUNTERSIGNATURE => return Err("it signs a countersignature of itself".into()),
            _ if KEPT_AS_THEY_ARE.contains(&value.tag) => {}
            _ => {
                return Err(format!(
                    "its signed attribute {oid} has a value of type {:#04x}, which OpenSSL does not keep as it is",
                    value.tag
                ));
            }
        }
    }
    match (kind, digest) {
        (Some(kind), Some(digest)) if kind == ID_DATA.as_bytes() => Ok(Attributes {
            message_digest: digest.to_vec(),
            signing_time: time,
        }),
        (Some(_), Some(_)) => Err("its signed content type is not that of its content".into()),
        _ => Err("it lacks the signed content type or the signed message digest".into()),
    }
}

/// The name and the only value of an attribute. Those of several values are hashed by OpenSSL in another order than they
/// came.
fn read_attribute(attribute: Tlv<'_>) -> Parsed<(der::asn1::ObjectIdentifier, Tlv<'_>)> {
    let mut parts = tlv::only(attribute.raw, SEQUENCE, "signed attribute")?;
    let oid = read_oid(parts.one(OID, "name")?)?;
    let values = parts.inside(SET, "values")?.all()?;
    parts.end()?;
    match values[..] {
        [only] => Ok((oid, only)),
        _ => Err(format!(
            "its signed attribute {oid} has {} values instead of one",
            values.len()
        )),
    }
}

fn of_type<'a>(value: Tlv<'a>, tag: u8, name: &str) -> Parsed<&'a [u8]> {
    if value.tag == tag {
        return Ok(value.value);
    }
    Err(format!("its {name} has type {:#04x}, not {tag:#04x}", value.tag))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tlv::{write, write_set};

    fn attribute(oid: der::asn1::ObjectIdentifier, values: &[Vec<u8>]) -> Vec<u8> {
        let oid = write(OID, &[oid.as_bytes()]);
        write(SEQUENCE, &[&oid, &write_set(SET, values.to_vec())])
    }

    fn attributes(attributes: &[Vec<u8>]) -> Parsed<Attributes> {
        let set = write_set(CONTEXT_0, attributes.to_vec());
        read_attributes(Cursor::new(&set, "test").any().unwrap())
    }

    #[test]
    fn signed_attributes_are_there_once_and_fit() {
        let kind = |oid: der::asn1::ObjectIdentifier| write(OID, &[oid.as_bytes()]);
        let digest = |byte: u8| write(OCTET_STRING, &[&[byte; 32]]);
        let time = |seconds| Time::from_seconds(seconds).unwrap().to_der().unwrap();
        let data = attribute(ID_CONTENT_TYPE, &[kind(ID_DATA)]);
        let one = attribute(ID_MESSAGE_DIGEST, &[digest(1)]);
        let now = attribute(ID_SIGNING_TIME, &[time(1)]);
        let good = attributes(&[data.clone(), one.clone(), now.clone()]).unwrap();
        assert_eq!(
            (good.message_digest, good.signing_time),
            (vec![1; 32], Time::from_seconds(1))
        );
        let other = attribute(ID_CONTENT_TYPE, &[kind(ID_SIGNED_DATA)]);
        let two = attribute(ID_MESSAGE_DIGEST, &[digest(2)]);
        for bad in [
            vec![],
            vec![data.clone()],
            vec![one.clone()],
            vec![other.clone(), one.clone()],
            vec![data.clone(), other, one.clone()],
            vec![data.clone(), one.clone(), two],
            vec![
                data.clone(),
                attribute(ID_MESSAGE_DIGEST, &[digest(1), digest(2)]),
            ],
            vec![data.clone(), attribute(ID_MESSAGE_DIGEST, &[])],
            vec![
                data.clone(),
                one.clone(),
                now,
                attribute(ID_SIGNING_TIME, &[time(2)]),
            ],
            vec![
                data.clone(),
                one.clone(),
                attribute(ID_SIGNING_TIME, &[time(1), time(2)]),
            ],
            vec![data, one, attribute(ID_SIGNING_TIME, &[digest(1)])],
        ] {
            assert!(attributes(&bad).is_err(), "{bad:x?}");
        }
    }
}
