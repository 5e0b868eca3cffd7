//! Keyrings and signatures that others may have made.

use ring::signature::{ED25519, UnparsedPublicKey};

use super::packets::Fields;
use super::{
    EDDSA, OVER_BINARY, OpenPgpKey, RSA, SHA256, SHA384, SHA512, SUBPACKET_FINGERPRINT, SUBPACKET_ISSUER,
    SUBPACKET_TIME, TAG_KEY, TAG_SIGNATURE, TAG_SUBKEY, VERSION, Verifier, armour, framed_short, trailer,
};
use crate::algorithm::{Hash, PublicKey, Scheme};
use crate::tlv::{self, INTEGER, Parsed, SEQUENCE};
use crate::{Error, Result};

/// The object identifier of Ed25519 as OpenPGP writes it.
const ED25519_OID: [u8; 9] = [0x2b, 0x06, 0x01, 0x04, 0x01, 0xda, 0x47, 0x0f, 0x01];

impl OpenPgpKey {
    /// Reads the keys of a keyring: packets, not armoured, because devices read no other.
    ///
    /// # Errors
    /// When it is none; `what` is what the error calls it.
    pub fn read_keyring(bytes: &[u8], what: &str) -> Result<Vec<OpenPgpKey>> {
        let failed = |problem: String| Error::BadCertificate {
            what: what.to_owned(),
            problem,
        };
        if armour::read(bytes).is_some() {
            return Err(failed(
                "is an armoured keyring, which devices do not read; `gpg --dearmor` makes one that they do"
                    .into(),
            ));
        }
        let (mut fields, mut keys) = (Fields(bytes), Vec::new());
        while !fields.is_empty() {
            let (tag, body) = fields
                .packet()
                .map_err(|problem| failed(format!("is no keyring: {problem}")))?;
            if [TAG_KEY, TAG_SUBKEY].contains(&tag) && body.first() == Some(&VERSION) {
                let key = key(body)
                    .map_err(|problem| failed(format!("has a key that cannot be read: {problem}")))?;
                keys.push(key);
            }
        }
        if keys.is_empty() {
            return Err(failed("has no key of version 4".into()));
        }
        Ok(keys)
    }
}

fn key(body: &[u8]) -> Parsed<OpenPgpKey> {
    let mut fields = Fields(body);
    fields.bytes(5)?;
    let verifier = match fields.number(1)? {
        1 => {
            let (modulus, exponent) = (fields.mpi()?, fields.mpi()?);
            let der = tlv::write(SEQUENCE, &[&integer(modulus), &integer(exponent)]);
            Verifier::Rsa(PublicKey::read_rsa(&der)?)
        }
        22 => {
            let len = fields.number(1)? as usize;
            let curve = fields.bytes(len)?;
            match (curve == ED25519_OID, fields.mpi()?.split_first()) {
                (true, Some((0x40, point))) => {
                    Verifier::Ed25519(point.try_into().map_err(|_| "its point is not of 32 bytes")?)
                }
                _ => Verifier::Other(EDDSA),
            }
        }
        other => Verifier::Other(u8::try_from(other).unwrap_or(u8::MAX)),
    };
    Ok(OpenPgpKey {
        body: body.to_vec(),
        verifier,
    })
}

fn integer(number: &[u8]) -> Vec<u8> {
    let sign: &[u8] = if number.first().is_some_and(|first| *first >= 0x80) {
        &[0]
    } else {
        &[]
    };
    tlv::write(INTEGER, &[sign, number])
}

/// A detached signature that was taken apart. Nothing is checked yet.
#[derive(Clone, Debug)]
pub struct OpenPgpSignature {
    /// What of it is hashed.
    head: Vec<u8>,
    algorithm: u8,
    hash: Hash,
    /// The last eight bytes of the fingerprint of who made it, as it says.
    issuer: Option<[u8; 8]>,
    time: Option<u32>,
    /// The first two bytes of the digest.
    digits: Vec<u8>,
    /// RSA's number, or both of `EdDSA`.
    signature: Vec<u8>,
}

impl OpenPgpSignature {
    /// Reads a signature over bytes: one packet, armoured or not.
    ///
    /// # Errors
    /// When it is none, or of a kind that is not known.
    pub fn read(bytes: &[u8]) -> Result<OpenPgpSignature> {
        let malformed = |problem| Error::Malformed { problem };
        let decoded = armour::read(bytes).transpose().map_err(malformed)?;
        let mut fields = Fields(decoded.as_deref().unwrap_or(bytes));
        let (tag, body) = fields.packet().map_err(malformed)?;
        if tag != TAG_SIGNATURE {
            return Err(malformed(format!(
                "it is a packet of the type {tag}, and no signature"
            )));
        }
        if !fields.is_empty() {
            return Err(Error::Unsupported {
                problem: "it is more than one signature".into(),
            });
        }
        let mut fields = Fields(body);
        let head = fields.bytes(4).map_err(malformed)?;
        let &[version, kind, algorithm, hash] = head else {
            return Err(malformed("it is too short".into()));
        };
        let hash = match (version, kind, algorithm, hash) {
            (VERSION, OVER_BINARY, RSA | EDDSA, SHA256) => Hash::Sha256,
            (VERSION, OVER_BINARY, RSA | EDDSA, SHA384) => Hash::Sha384,
            (VERSION, OVER_BINARY, RSA | EDDSA, SHA512) => Hash::Sha512,
            _ => {
                return Err(Error::Unsupported {
                    problem: format!(
                        "its version is {version}, its type {kind}, its algorithm {algorithm}, its digest {hash}; those of \
                         version 4 over files, by RSA or Ed25519, with SHA-2 are known"
                    ),
                });
            }
        };
        read_rest(head, algorithm, hash, fields).map_err(malformed)
    }

    /// When it says that it was made, in seconds since 1970.
    #[must_use]
    pub fn time(&self) -> Option<u32> {
        self.time
    }

    /// Checks that one of these keys has made it over a content, and answers with that key.
    ///
    /// # Errors
    /// When none has.
    pub fn verify<'k>(&self, content: &[u8], keys: &'k [OpenPgpKey]) -> Result<&'k OpenPgpKey> {
        let signed = [content, &self.head, &trailer(self.head.len())].concat();
        let is_issuer = |key: &&OpenPgpKey| {
            let fingerprint = key.fingerprint();
            self.issuer.is_none_or(|issuer| fingerprint.ends_with(&issuer))
        };
        let mut candidates = keys.iter().filter(is_issuer).peekable();
        let Some(first) = candidates.peek().map(|key| key.shown()) else {
            let issuer = self.issuer.map(|id| data_encoding::HEXUPPER.encode(&id));
            return Err(Error::UnknownKey {
                id: issuer.unwrap_or_default(),
            });
        };
        candidates
            .find(|key| self.is_by(key, &signed))
            .ok_or(Error::BadSignature {
                subject: format!("OpenPGP {first}"),
            })
    }

    fn is_by(&self, key: &OpenPgpKey, signed: &[u8]) -> bool {
        if !self.hash.digest(signed).starts_with(&self.digits) {
            return false;
        }
        match (&key.verifier, self.algorithm) {
            (Verifier::Rsa(public), RSA) => {
                let len = public.rsa().map_or(0, |(_, bits)| bits.div_ceil(8));
                let zeros = vec![0; len.saturating_sub(self.signature.len())];
                let signature = [&zeros, &self.signature[..]].concat();
                public.made(Scheme::RsaPkcs1(self.hash), signed, &signature)
            }
            (Verifier::Ed25519(point), EDDSA) => UnparsedPublicKey::new(&ED25519, point)
                .verify(&self.hash.digest(signed), &self.signature)
                .is_ok(),
            _ => false,
        }
    }
}

/// Reads what stands behind the first four bytes.
fn read_rest(head: &[u8], algorithm: u8, hash: Hash, mut fields: Fields) -> Parsed<OpenPgpSignature> {
    let len = fields.number(2)? as usize;
    let hashed = fields.bytes(len)?;
    let len = fields.number(2)? as usize;
    let unhashed = fields.bytes(len)?;
    let (mut issuer, mut time) = (None, None);
    for (area, is_hashed) in [(unhashed, false), (hashed, true)] {
        let mut area = Fields(area);
        while !area.is_empty() {
            let (kind, body) = area.subpacket()?;
            let last = body.last_chunk::<8>();
            match kind {
                SUBPACKET_ISSUER | SUBPACKET_FINGERPRINT if issuer.is_some_and(|one| last != Some(&one)) => {
                    return Err("it says that two keys have made it".into());
                }
                SUBPACKET_ISSUER | SUBPACKET_FINGERPRINT => issuer = last.copied(),
                SUBPACKET_TIME if is_hashed => time = Some(Fields(body).number(4)?),
                _ => {}
            }
        }
    }
    let digits = fields.bytes(2)?.to_vec();
    let mut signature = fields.mpi()?.to_vec();
    if algorithm == EDDSA {
        let padded = |number: &[u8]| [&vec![0; 32_usize.saturating_sub(number.len())], number].concat();
        signature = [padded(&signature), padded(fields.mpi()?)].concat();
    }
    if !fields.is_empty() {
        return Err("something is behind it".into());
    }
    Ok(OpenPgpSignature {
        head: [head, &framed_short(hashed)].concat(),
        algorithm,
        hash,
        issuer,
        time,
        digits,
        signature,
    })
}
