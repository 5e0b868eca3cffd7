//! Taking a signature apart, without trusting anybody.

use data_encoding::HEXLOWER;

use crate::algorithm::{Hash, Scheme, read_oid};
use crate::format::{ID_CONTENT_TYPE, ID_DATA, ID_MESSAGE_DIGEST, ID_SIGNED_DATA, ID_SIGNING_TIME};
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
    /// The other certificates that came along, in the order of their DER.
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

/// Takes a signature apart.
pub(crate) fn parts(der: &[u8]) -> Result<Parts> {
    let signed = open(der)?;
    let content = signed.content()?;
    let info = signed.signer()?;
    let info = read_signer(info).map_err(malformed)?;
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
        return Err(malformed(
            "its version does not suit the way in which its signer is named".into(),
        ));
    }
    let hash = Hash::read(info.digest_algorithm).map_err(unsupported)?;
    if !matches!(signed.digest_algorithms[..], [only] if Hash::read(only) == Ok(hash)) {
        return Err(malformed(
            "its list of digests is not the one of its signer".into(),
        ));
    }
    let scheme = Scheme::read_with(info.signature_algorithm, hash).map_err(unsupported)?;
    let Some(attributes) = info.attributes else {
        return Err(unsupported("it has no signed attributes".into()));
    };
    let to_be_signed = [&[SET], attributes.raw.get(1..).unwrap_or_default()].concat();
    let attributes = read_attributes(attributes)?;
    let (signer, others) = split(read_certificates(&signed.certificates)?, &info.id)?;
    Ok(Parts {
        contents: Contents {
            content: content.to_vec(),
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
        let computed = self.hash.digest(&self.contents.content);
        if computed != self.message_digest {
            return Err(Error::WrongDigest {
                computed: HEXLOWER.encode(&computed),
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

fn bounded(der: &[u8]) -> Result<&[u8]> {
    match der.len() as u64 {
        0 => Err(malformed("it is empty".into())),
        len if len > LEN_MAX => Err(malformed(format!("it has {len} bytes, the limit is {LEN_MAX}"))),
        _ => Ok(der),
    }
}

fn open(der: &[u8]) -> Result<SignedData<'_>> {
    let signed = read_signed_data(bounded(der)?).map_err(malformed)?;
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
    content: Option<&'a [u8]>,
    certificates: Vec<Tlv<'a>>,
    /// Lists of revoked certificates.
    lists: Option<Tlv<'a>>,
    signers: Vec<Tlv<'a>>,
}

impl<'a> SignedData<'a> {
    fn content(&self) -> Result<&'a [u8]> {
        let kind = read_oid(self.content_type).map_err(malformed)?;
        if kind != ID_DATA {
            return Err(unsupported(format!(
                "what it signs is of the type {kind}, not {ID_DATA} (data)"
            )));
        }
        self.content
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

fn read_signed_data(der: &[u8]) -> Parsed<SignedData<'_>> {
    let mut info = tlv::only(der, SEQUENCE, "content info")?;
    let kind = read_oid(info.one(OID, "content type")?)?;
    if kind != ID_SIGNED_DATA {
        return Err(format!(
            "it is of the type {kind}, not {ID_SIGNED_DATA} (signed data)"
        ));
    }
    let mut outer = info.inside(CONTEXT_0, "signed data")?;
    info.end()?;
    let mut parts = outer.inside(SEQUENCE, "signed data")?;
    outer.end()?;
    let version = small(parts.one(INTEGER, "version")?)?;
    let digest_algorithms = parts.inside(SET, "digest algorithms")?.set()?;
    let mut encapsulated = parts.inside(SEQUENCE, "encapsulated content")?;
    let content_type = encapsulated.one(OID, "content type")?;
    let content = match encapsulated.optional(CONTEXT_0)? {
        None => None,
        Some(tlv) => {
            let mut inside = Cursor::new(tlv.value, "content");
            let content = inside.one(OCTET_STRING, "bytes")?.value;
            inside.end()?;
            Some(content)
        }
    };
    encapsulated.end()?;
    let certificates = parts.optional(CONTEXT_0)?;
    let certificates =
        certificates.map_or(Ok(Vec::new()), |tlv| Cursor::new(tlv.value, "certificates").set())?;
    let lists = parts.optional(CONTEXT_1)?;
    let signers = parts.inside(SET, "signers")?.set()?;
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
enum SignerId<'a> {
    IssuerAndSerial { issuer: &'a [u8], serial: &'a [u8] },
    KeyId(&'a [u8]),
}

struct SignerInfo<'a> {
    version: u8,
    id: SignerId<'a>,
    digest_algorithm: Tlv<'a>,
    attributes: Option<Tlv<'a>>,
    signature_algorithm: Tlv<'a>,
    signature: &'a [u8],
    unsigned: Option<Tlv<'a>>,
}

fn read_signer(info: Tlv<'_>) -> Parsed<SignerInfo<'_>> {
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

fn read_attributes(attributes: Tlv<'_>) -> Result<Attributes> {
    let (mut kind, mut digest, mut time) = (None, None, None);
    let mut seen = Vec::new();
    for attribute in Cursor::new(attributes.value, "signed attributes")
        .set()
        .map_err(malformed)?
    {
        let (oid, value) = read_attribute(attribute).map_err(malformed)?;
        if seen.contains(&oid) {
            return Err(malformed(format!("its signed attribute {oid} is there twice")));
        }
        seen.push(oid);
        match oid {
            ID_CONTENT_TYPE => kind = Some(single(value, OID, "content type")?.value),
            ID_MESSAGE_DIGEST => digest = Some(single(value, OCTET_STRING, "message digest")?.value),
            ID_SIGNING_TIME => {
                let mut value = Cursor::new(value, "signing time");
                let read = value.any().and_then(|tlv| Time::from_der(tlv.raw));
                time = Some(
                    read.and_then(|time| value.end().map(|()| time))
                        .map_err(malformed)?,
                );
            }
            _ => {}
        }
    }
    match (kind, digest) {
        (Some(kind), Some(digest)) if kind == ID_DATA.as_bytes() => Ok(Attributes {
            message_digest: digest.to_vec(),
            signing_time: time,
        }),
        (Some(_), Some(_)) => Err(malformed(
            "its signed content type is not that of its content".into(),
        )),
        _ => Err(malformed(
            "it lacks the signed content type or the signed message digest".into(),
        )),
    }
}

fn read_attribute(attribute: Tlv<'_>) -> Parsed<(der::asn1::ObjectIdentifier, &[u8])> {
    let mut parts = tlv::only(attribute.raw, SEQUENCE, "signed attribute")?;
    let oid = read_oid(parts.one(OID, "name")?)?;
    let values = parts.one(SET, "values")?;
    parts.end()?;
    if Cursor::new(values.value, "values").set()?.is_empty() {
        return Err(format!("its signed attribute {oid} has no value"));
    }
    Ok((oid, values.value))
}

fn single<'a>(values: &'a [u8], tag: u8, name: &'static str) -> Result<Tlv<'a>> {
    let mut values = Cursor::new(values, name);
    let value = values.one(tag, "value").map_err(malformed)?;
    values.end().map_err(malformed)?;
    Ok(value)
}

fn read_certificates(certificates: &[Tlv<'_>]) -> Result<Vec<Certificate>> {
    let read = certificates.iter().map(|tlv| match tlv.tag {
        SEQUENCE => Certificate::read(tlv.raw).map_err(malformed),
        tag => Err(unsupported(format!(
            "it holds something of type {tag:#04x} among its certificates"
        ))),
    });
    read.collect()
}

/// Parts the signer's certificate from the others.
fn split(certificates: Vec<Certificate>, id: &SignerId<'_>) -> Result<(Certificate, Vec<Certificate>)> {
    let (mut signers, others): (Vec<_>, Vec<_>) =
        certificates.into_iter().partition(|certificate| match id {
            SignerId::IssuerAndSerial { issuer, serial } => {
                certificate.issuer_der() == *issuer && certificate.serial_der() == *serial
            }
            SignerId::KeyId(id) => certificate.extensions().subject_key.as_deref() == Some(*id),
        });
    match (signers.pop(), signers.is_empty()) {
        (Some(signer), true) => Ok((signer, others)),
        (Some(_), false) => Err(malformed("two of its certificates may be its signer's".into())),
        (None, _) => Err(unsupported("its signer's certificate is not in it".into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tlv::{write, write_set};

    fn attribute(oid: der::asn1::ObjectIdentifier, values: &[Vec<u8>]) -> Vec<u8> {
        let oid = write(OID, &[oid.as_bytes()]);
        write(SEQUENCE, &[&oid, &write_set(SET, values.to_vec())])
    }

    fn attributes(attributes: &[Vec<u8>]) -> Result<Attributes> {
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
