//! A signature in parts, each of which can be written in another way.

use signature::{Algorithm, Signer as _};

use crate::pki::Party;

pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;
pub(super) const OCTETS: u8 = 0x04;
pub(super) const OCTETS_IN_PIECES: u8 = 0x24;
pub(super) const OID: u8 = 0x06;
pub(super) const CONTEXT_0: u8 = 0xa0;

pub(super) const DATA: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01";
pub(super) const CONTENT_TYPE: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x03";
pub(super) const MESSAGE_DIGEST: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x04";
pub(super) const COUNTERSIGNATURE: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x06";
pub(super) const RECEIPT_REQUEST: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x02\x01";
pub(super) const SIGNING_CERTIFICATE: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x02\x0c";
pub(super) const SIGNING_CERTIFICATE_V2: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x02\x2f";
pub(super) const SHA_256: &[u8] = b"\x60\x86\x48\x01\x65\x03\x04\x02\x01";
pub(super) const SHA_512: &[u8] = b"\x60\x86\x48\x01\x65\x03\x04\x02\x03";
pub(super) const UNKNOWN: &[u8] = b"\x2a\x03\x04";

/// A value in DER.
pub(super) fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let value = parts.concat();
    let len = u16::try_from(value.len()).unwrap().to_be_bytes();
    let head = match len {
        [0, len @ 0..=0x7f] => vec![tag, len],
        [0, len] => vec![tag, 0x81, len],
        [high, low] => vec![tag, 0x82, high, low],
    };
    [head, value].concat()
}

/// A value whose end tells how long it is.
pub(super) fn endless(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    [&[tag, 0x80][..], &parts.concat(), b"\0\0"].concat()
}

/// A value whose length has more bytes than it needs.
pub(super) fn long(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let value = parts.concat();
    let len = u32::try_from(value.len()).unwrap().to_be_bytes();
    [&[tag, 0x84][..], &len, &value].concat()
}

/// How a value is written.
pub(super) type Write = fn(u8, &[&[u8]]) -> Vec<u8>;

/// The values inside of one in DER.
pub(super) fn inside(value: &[u8]) -> Vec<Vec<u8>> {
    let head = |bytes: &[u8]| match bytes[1] {
        len @ 0..=0x7f => (2, usize::from(len)),
        0x81 => (3, usize::from(bytes[2])),
        _ => (4, usize::from(u16::from_be_bytes([bytes[2], bytes[3]]))),
    };
    let mut rest = &value[head(value).0..];
    let mut values = Vec::new();
    while !rest.is_empty() {
        let (head, len) = head(rest);
        let (one, after) = rest.split_at(head + len);
        values.push(one.to_vec());
        rest = after;
    }
    values
}

pub(super) fn attribute(name: &[u8], values: &[&[u8]]) -> Vec<u8> {
    der(SEQUENCE, &[&der(OID, &[name]), &der(SET, values)])
}

pub(super) fn digest(name: &[u8]) -> Vec<u8> {
    der(SEQUENCE, &[&der(OID, &[name])])
}

/// The order in which attributes are signed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Signed {
    AsTheyAre,
    Sorted,
}

/// A signature in parts.
#[derive(Clone)]
pub(super) struct Shape {
    /// How the parts around the content are written.
    pub(super) outer: Write,
    /// How the certificates are held.
    pub(super) certificates_in: Write,
    /// How the signer is held.
    pub(super) signers_in: Write,
    pub(super) attributes_in: Write,
    pub(super) version: u8,
    pub(super) digests: Vec<Vec<u8>>,
    pub(super) content_type: Vec<u8>,
    pub(super) content: Vec<u8>,
    pub(super) certificates: Vec<Vec<u8>>,
    /// What stands between certificates and signers.
    pub(super) lists: Vec<u8>,
    pub(super) signer_version: u8,
    pub(super) signer_id: Vec<u8>,
    pub(super) attributes: Vec<Vec<u8>>,
    pub(super) signed: Signed,
    pub(super) algorithm: Vec<u8>,
    /// What stands behind the signature's value.
    pub(super) unsigned: Vec<u8>,
    pub(super) tail: Vec<u8>,
}

impl Shape {
    /// The parts of a good one.
    pub(super) fn new(good: &[u8]) -> Shape {
        let parts = inside(&inside(&inside(good)[1])[0]);
        let signer = inside(&inside(&parts[4])[0]);
        let content = inside(&parts[2]);
        Shape {
            outer: der,
            certificates_in: der,
            signers_in: der,
            attributes_in: der,
            version: 1,
            digests: inside(&parts[1]),
            content_type: content[0].clone(),
            content: inside(&content[1])[0].clone(),
            certificates: inside(&parts[3]),
            lists: Vec::new(),
            signer_version: 1,
            signer_id: signer[1].clone(),
            attributes: inside(&signer[3]),
            signed: Signed::AsTheyAre,
            algorithm: signer[4].clone(),
            unsigned: Vec::new(),
            tail: Vec::new(),
        }
    }

    /// The signature, made anew by a signer.
    pub(super) fn sign(&self, signer: &Party) -> Vec<u8> {
        let mut signed = self.attributes.clone();
        if self.signed == Signed::Sorted {
            signed.sort();
        }
        let to_be_signed = der(SET, &[&signed.concat()]);
        let key = signer.key();
        let value = key.sign(Algorithm::EcdsaP256Sha256, &to_be_signed).unwrap();
        let signer = der(
            SEQUENCE,
            &[
                &[2, 1, self.signer_version],
                &self.signer_id,
                &digest(SHA_256),
                &(self.attributes_in)(CONTEXT_0, &[&self.attributes.concat()]),
                &self.algorithm,
                &der(OCTETS, &[&value]),
                &self.unsigned,
            ],
        );
        let outer = self.outer;
        let content = outer(CONTEXT_0, &[&self.content]);
        let parts = outer(
            SEQUENCE,
            &[
                &[2, 1, self.version],
                &der(SET, &[&self.digests.concat()]),
                &outer(SEQUENCE, &[&self.content_type, &content]),
                &(self.certificates_in)(CONTEXT_0, &[&self.certificates.concat()]),
                &self.lists,
                &(self.signers_in)(SET, &[&signer]),
            ],
        );
        let kind = der(OID, &[b"\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02"]);
        let info = outer(SEQUENCE, &[&kind, &outer(CONTEXT_0, &[&parts])]);
        [info, self.tail.clone()].concat()
    }
}
