//! Signed attributes: what a signature says of its content and of itself.

use crate::Time;
use crate::algorithm::read_oid;
use crate::format::{
    ID_CONTENT_TYPE, ID_COUNTERSIGNATURE, ID_DATA, ID_MESSAGE_DIGEST, ID_RECEIPT_REQUEST,
    ID_SIGNING_CERTIFICATE, ID_SIGNING_CERTIFICATE_V2, ID_SIGNING_TIME,
};
use crate::tlv::{self, Cursor, INTEGER, OCTET_STRING, OID, Parsed, SEQUENCE, SET, Tlv, UTF8_STRING};

/// What is signed along with a content.
pub(crate) struct Attributes {
    pub(crate) message_digest: Vec<u8>,
    pub(crate) signing_time: Option<Time>,
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

pub(crate) fn read_attributes(attributes: Tlv<'_>) -> Parsed<Attributes> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::ID_SIGNED_DATA;
    use crate::tlv::{CONTEXT_0, write, write_set};

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
