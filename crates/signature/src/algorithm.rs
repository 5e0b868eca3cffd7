//! Which keys sign and how, and whether a signature is one's.

use std::fmt;
use std::ops::RangeInclusive;

use der::asn1::ObjectIdentifier;
use p256::ecdsa::signature::hazmat::PrehashVerifier;
use ring::signature::{self as rsa, UnparsedPublicKey, VerificationAlgorithm};
use sha2::{Digest, Sha256, Sha384, Sha512};

use crate::format::{
    ECDSA_WITH_SHA256, ECDSA_WITH_SHA384, ECDSA_WITH_SHA512, ID_EC_PUBLIC_KEY, ID_ED448, ID_ED25519, ID_MGF1,
    ID_RSASSA_PSS, ID_SHA256, ID_SHA384, ID_SHA512, RSA_ENCRYPTION, SECP256R1, SECP384R1, SECP521R1,
    SHA256_WITH_RSA, SHA384_WITH_RSA, SHA512_WITH_RSA,
};
use crate::tlv::{
    self, BIT_STRING, CONTEXT_0, CONTEXT_1, CONTEXT_2, Cursor, INTEGER, NULL, OID, Parsed, SEQUENCE, Tlv,
    positive,
};

/// The keys that sign, for messages.
pub(crate) const SUPPORTED: &str = "ECDSA keys on P-256 or P-384, or RSA keys of 2048 to 4096 bits";

/// The fewest bits of an RSA key.
pub(crate) const RSA_BITS_MIN: usize = 2048;

/// The most bits of an RSA key that signs.
pub(crate) const RSA_BITS_MAX: usize = 4096;

/// The public exponents of RSA keys whose signatures count, odd ones that is. Small ones have made forgeries out of
/// little mistakes; more than 33 bits are more than most verifiers take.
const RSA_EXPONENTS: RangeInclusive<u64> = 65_537..=(1 << 33) - 1;

/// How a signature is made. A key determines it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// ECDSA on P-256 over SHA-256; the signature is the DER of `r` and `s`.
    EcdsaP256Sha256,
    /// ECDSA on P-384 over SHA-384; the signature is the DER of `r` and `s`.
    EcdsaP384Sha384,
    /// RSA with the padding of PKCS#1 v1.5 over SHA-256.
    RsaPkcs1Sha256,
}

impl Algorithm {
    /// The name that a signing command finds in `KILN_SIGN_ALGORITHM`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Algorithm::EcdsaP256Sha256 => "ecdsa-p256-sha256",
            Algorithm::EcdsaP384Sha384 => "ecdsa-p384-sha384",
            Algorithm::RsaPkcs1Sha256 => "rsa-pkcs1-sha256",
        }
    }

    /// What is hashed with.
    pub(crate) fn hash(self) -> Hash {
        match self {
            Algorithm::EcdsaP256Sha256 | Algorithm::RsaPkcs1Sha256 => Hash::Sha256,
            Algorithm::EcdsaP384Sha384 => Hash::Sha384,
        }
    }

    /// As a signature is looked at.
    pub(crate) fn scheme(self) -> Scheme {
        match self {
            Algorithm::EcdsaP256Sha256 | Algorithm::EcdsaP384Sha384 => Scheme::Ecdsa(self.hash()),
            Algorithm::RsaPkcs1Sha256 => Scheme::RsaPkcs1(self.hash()),
        }
    }

    /// The `signatureAlgorithm` of a CMS signer, as OpenSSL and RAUC write it.
    pub(crate) fn to_der(self) -> Vec<u8> {
        let (oid, parameters) = match self {
            Algorithm::EcdsaP256Sha256 => (ECDSA_WITH_SHA256, None),
            Algorithm::EcdsaP384Sha384 => (ECDSA_WITH_SHA384, None),
            Algorithm::RsaPkcs1Sha256 => (RSA_ENCRYPTION, Some(tlv::write(NULL, &[]))),
        };
        let oid = tlv::write(OID, &[oid.as_bytes()]);
        tlv::write(SEQUENCE, &[&oid, &parameters.unwrap_or_default()])
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A digest of SHA-2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    /// The digest of some bytes.
    pub(crate) fn digest(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Hash::Sha256 => Sha256::digest(bytes).to_vec(),
            Hash::Sha384 => Sha384::digest(bytes).to_vec(),
            Hash::Sha512 => Sha512::digest(bytes).to_vec(),
        }
    }

    fn len(self) -> u8 {
        match self {
            Hash::Sha256 => 32,
            Hash::Sha384 => 48,
            Hash::Sha512 => 64,
        }
    }

    /// Reads an `AlgorithmIdentifier`; its parameters are absent, or NULL as older writers have it.
    pub(crate) fn read(identifier: Tlv<'_>) -> Parsed<Hash> {
        let (oid, parameters) = identifier_parts(identifier)?;
        let hash = match oid {
            ID_SHA256 => Hash::Sha256,
            ID_SHA384 => Hash::Sha384,
            ID_SHA512 => Hash::Sha512,
            _ => {
                return Err(format!(
                    "its digest is {oid}, SHA-256, SHA-384 and SHA-512 are accepted"
                ));
            }
        };
        absent_or_null(parameters)?;
        Ok(hash)
    }

    /// The `AlgorithmIdentifier`, without parameters.
    pub(crate) fn to_der(self) -> Vec<u8> {
        tlv::write(SEQUENCE, &[&self.oid_der()])
    }

    /// Its name.
    pub(crate) fn oid_der(self) -> Vec<u8> {
        let oid = match self {
            Hash::Sha256 => ID_SHA256,
            Hash::Sha384 => ID_SHA384,
            Hash::Sha512 => ID_SHA512,
        };
        tlv::write(OID, &[oid.as_bytes()])
    }
}

/// How a signature was made, as far as the signature says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    RsaPkcs1(Hash),
    RsaPss(Hash),
    Ecdsa(Hash),
}

impl Scheme {
    /// Reads the `AlgorithmIdentifier` of a certificate's signature.
    pub(crate) fn read(identifier: Tlv<'_>) -> Parsed<Scheme> {
        let (oid, parameters) = identifier_parts(identifier)?;
        let scheme = match oid {
            SHA256_WITH_RSA => Scheme::RsaPkcs1(Hash::Sha256),
            SHA384_WITH_RSA => Scheme::RsaPkcs1(Hash::Sha384),
            SHA512_WITH_RSA => Scheme::RsaPkcs1(Hash::Sha512),
            ID_RSASSA_PSS => return read_pss(parameters),
            ECDSA_WITH_SHA256 => Scheme::Ecdsa(Hash::Sha256),
            ECDSA_WITH_SHA384 => Scheme::Ecdsa(Hash::Sha384),
            ECDSA_WITH_SHA512 => Scheme::Ecdsa(Hash::Sha512),
            ID_ED25519 | ID_ED448 => {
                return Err("it is of an Edwards curve, which OpenSSL's CMS cannot verify".into());
            }
            _ => {
                return Err(format!(
                    "its algorithm is {oid}, RSA and ECDSA with SHA-2 are accepted"
                ));
            }
        };
        match scheme {
            Scheme::Ecdsa(_) if parameters.is_some() => Err("its ECDSA algorithm has parameters".into()),
            _ => absent_or_null(parameters).map(|()| scheme),
        }
    }

    /// Reads the `signatureAlgorithm` of a CMS signer, whose digest is named apart.
    pub(crate) fn read_with(identifier: Tlv<'_>, hash: Hash) -> Parsed<Scheme> {
        let (oid, parameters) = identifier_parts(identifier)?;
        if oid == RSA_ENCRYPTION {
            return absent_or_null(parameters).map(|()| Scheme::RsaPkcs1(hash));
        }
        let scheme = Scheme::read(identifier)?;
        let (Scheme::RsaPkcs1(own) | Scheme::RsaPss(own) | Scheme::Ecdsa(own)) = scheme;
        if own != hash {
            return Err("it names two different digests".into());
        }
        Ok(scheme)
    }
}

/// A kind of keys, as far as OpenSSL looks at it to tell who may have signed a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    Rsa,
    RsaPss,
    Ec,
    Other(ObjectIdentifier),
}

impl Family {
    /// That of a `SubjectPublicKeyInfo`.
    pub(crate) fn of_key(spki: Tlv<'_>) -> Parsed<Family> {
        let (oid, _) = identifier_parts(only_value(spki)?.any()?)?;
        Ok(match oid {
            RSA_ENCRYPTION => Family::Rsa,
            ID_RSASSA_PSS => Family::RsaPss,
            ID_EC_PUBLIC_KEY => Family::Ec,
            other => Family::Other(other),
        })
    }

    /// That of the keys that make signatures by an `AlgorithmIdentifier`.
    pub(crate) fn of_signature(identifier: Tlv<'_>) -> Parsed<Family> {
        let (oid, _) = identifier_parts(identifier)?;
        let below = |arc: &str| oid.to_string().starts_with(arc);
        Ok(match oid {
            ID_RSASSA_PSS => Family::RsaPss,
            _ if below("1.2.840.113549.1.1.") => Family::Rsa,
            _ if below("1.2.840.10045.4.") => Family::Ec,
            other => Family::Other(other),
        })
    }

    /// Whether its keys make signatures of a family.
    pub(crate) fn signs(self, signature: Family) -> bool {
        self == signature || (self, signature) == (Family::Rsa, Family::RsaPss)
    }
}

/// The parameters of RSASSA-PSS, which have to be the usual ones.
fn read_pss(parameters: Option<Tlv<'_>>) -> Parsed<Scheme> {
    let unusual = |_| {
        "its RSA-PSS has other parameters than one digest of SHA-2 and a salt of the digest's length, which `openssl cms` \
         makes with `-keyopt rsa_pss_saltlen:digest`"
            .to_string()
    };
    let read = || -> Parsed<(Hash, Hash, Vec<u8>)> {
        let parameters = parameters.ok_or("it has none")?;
        let mut parts = only_value(parameters)?;
        let hash = Hash::read(parts.inside(CONTEXT_0, "digest")?.any()?)?;
        let mut generator = parts.inside(CONTEXT_1, "mask generation")?;
        let mut generator = generator.inside(SEQUENCE, "mask generation")?;
        if generator.one(OID, "name")?.value != ID_MGF1.as_bytes() {
            return Err("it is not MGF1".into());
        }
        let mask = Hash::read(generator.any()?)?;
        let mut salt = parts.inside(CONTEXT_2, "length of the salt")?;
        let salt = positive(salt.one(INTEGER, "length")?, "length")?.to_vec();
        parts.end()?;
        Ok((hash, mask, salt))
    };
    let (hash, mask, salt) = read().map_err(unusual)?;
    if mask != hash || salt != [hash.len()] {
        return Err(unusual(String::new()));
    }
    Ok(Scheme::RsaPss(hash))
}

fn only_value(tlv: Tlv<'_>) -> Parsed<Cursor<'_>> {
    tlv::only(tlv.raw, SEQUENCE, "algorithm")
}

fn identifier_parts(identifier: Tlv<'_>) -> Parsed<(ObjectIdentifier, Option<Tlv<'_>>)> {
    let mut parts = only_value(identifier)?;
    let oid = read_oid(parts.one(OID, "name")?)?;
    let parameters = if parts.is_empty() {
        None
    } else {
        Some(parts.any()?)
    };
    parts.end()?;
    Ok((oid, parameters))
}

/// The object identifier that a value is.
pub(crate) fn read_oid(tlv: Tlv<'_>) -> Parsed<ObjectIdentifier> {
    ObjectIdentifier::from_bytes(tlv.value).map_err(|_| "an object identifier cannot be read".into())
}

fn absent_or_null(parameters: Option<Tlv<'_>>) -> Parsed<()> {
    match parameters {
        None => Ok(()),
        Some(tlv) if tlv.tag == NULL && tlv.value.is_empty() => Ok(()),
        Some(_) => Err("its algorithm has parameters".into()),
    }
}

/// A key that signatures are looked at with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey(pub(crate) Kind);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    P256(p256::ecdsa::VerifyingKey),
    P384(p384::ecdsa::VerifyingKey),
    Rsa {
        /// The DER of an `RSAPublicKey`.
        der: Vec<u8>,
        bits: usize,
    },
}

impl PublicKey {
    /// Reads the DER of a `SubjectPublicKeyInfo`. The error says what the key is instead.
    pub(crate) fn read(spki: &[u8]) -> Parsed<PublicKey> {
        let mut parts = tlv::only(spki, SEQUENCE, "public key")?;
        let (oid, parameters) = identifier_parts(parts.any()?)?;
        let key = tlv::bit_string(parts.one(BIT_STRING, "key")?, "public key")?;
        parts.end()?;
        match oid {
            RSA_ENCRYPTION => {
                absent_or_null(parameters)?;
                PublicKey::read_rsa(key)
            }
            ID_EC_PUBLIC_KEY => {
                let curve = parameters
                    .filter(|tlv| tlv.tag == OID)
                    .map(read_oid)
                    .transpose()?;
                let broken = |_| "a key whose point is not on its curve".to_string();
                match curve {
                    Some(SECP256R1) => p256::ecdsa::VerifyingKey::from_sec1_bytes(key)
                        .map(Kind::P256)
                        .map_err(broken),
                    Some(SECP384R1) => p384::ecdsa::VerifyingKey::from_sec1_bytes(key)
                        .map(Kind::P384)
                        .map_err(broken),
                    curve => Err(curve_name(curve)),
                }
                .map(PublicKey)
            }
            _ => Err(key_name(oid)),
        }
    }

    /// Reads the DER of an `RSAPublicKey`.
    pub(crate) fn read_rsa(der: &[u8]) -> Parsed<PublicKey> {
        let mut parts = tlv::only(der, SEQUENCE, "RSA key")?;
        let modulus = positive(parts.one(INTEGER, "modulus")?, "modulus")?;
        let exponent = positive(parts.one(INTEGER, "exponent")?, "exponent")?;
        parts.end()?;
        check_exponent(exponent)?;
        Ok(PublicKey(Kind::Rsa {
            der: der.to_vec(),
            bits: bits(modulus),
        }))
    }

    /// How it signs.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        match self.0 {
            Kind::P256(_) => Algorithm::EcdsaP256Sha256,
            Kind::P384(_) => Algorithm::EcdsaP384Sha384,
            Kind::Rsa { .. } => Algorithm::RsaPkcs1Sha256,
        }
    }

    /// Whether it is of a kind and size that signs. The error says what it is instead.
    pub(crate) fn check(&self) -> Parsed<()> {
        match self.0 {
            Kind::Rsa { bits, .. } if !(RSA_BITS_MIN..=RSA_BITS_MAX).contains(&bits) => Err(rsa_name(bits)),
            _ => Ok(()),
        }
    }

    /// Whether it is large enough for its signatures to mean something.
    pub(crate) fn check_least(&self) -> Parsed<()> {
        match self.0 {
            Kind::Rsa { bits, .. } if bits < RSA_BITS_MIN => Err(rsa_name(bits)),
            _ => Ok(()),
        }
    }

    /// Whether a signature was made with its private half over a message.
    pub(crate) fn made(&self, scheme: Scheme, message: &[u8], signature: &[u8]) -> bool {
        match (&self.0, scheme) {
            (Kind::P256(key), Scheme::Ecdsa(hash)) => p256::ecdsa::DerSignature::try_from(signature)
                .is_ok_and(|signature| key.verify_prehash(&hash.digest(message), &signature).is_ok()),
            (Kind::P384(key), Scheme::Ecdsa(hash)) => p384::ecdsa::DerSignature::try_from(signature)
                .is_ok_and(|signature| key.verify_prehash(&hash.digest(message), &signature).is_ok()),
            (Kind::Rsa { der, .. }, scheme) => rsa_algorithm(scheme).is_some_and(|algorithm| {
                UnparsedPublicKey::new(algorithm, der)
                    .verify(message, signature)
                    .is_ok()
            }),
            _ => false,
        }
    }
}

impl fmt::Display for PublicKey {
    /// For people: `P-256`, `RSA with 3072 bits`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Kind::P256(_) => f.write_str("P-256"),
            Kind::P384(_) => f.write_str("P-384"),
            Kind::Rsa { bits, .. } => write!(f, "RSA with {bits} bits"),
        }
    }
}

fn check_exponent(bytes: &[u8]) -> Parsed<()> {
    if bytes.len() > size_of::<u64>() {
        return Err(format!(
            "an RSA key with a public exponent of {} bits",
            bits(bytes)
        ));
    }
    let exponent = bytes
        .iter()
        .fold(0, |number, byte| number << 8 | u64::from(*byte));
    if exponent % 2 == 1 && RSA_EXPONENTS.contains(&exponent) {
        return Ok(());
    }
    Err(format!("an RSA key with the public exponent {exponent}"))
}

fn rsa_algorithm(scheme: Scheme) -> Option<&'static dyn VerificationAlgorithm> {
    Some(match scheme {
        Scheme::RsaPkcs1(Hash::Sha256) => &rsa::RSA_PKCS1_2048_8192_SHA256,
        Scheme::RsaPkcs1(Hash::Sha384) => &rsa::RSA_PKCS1_2048_8192_SHA384,
        Scheme::RsaPkcs1(Hash::Sha512) => &rsa::RSA_PKCS1_2048_8192_SHA512,
        Scheme::RsaPss(Hash::Sha256) => &rsa::RSA_PSS_2048_8192_SHA256,
        Scheme::RsaPss(Hash::Sha384) => &rsa::RSA_PSS_2048_8192_SHA384,
        Scheme::RsaPss(Hash::Sha512) => &rsa::RSA_PSS_2048_8192_SHA512,
        Scheme::Ecdsa(_) => return None,
    })
}

/// The bits of a big-endian number without leading zero bytes.
pub(crate) fn bits(number: &[u8]) -> usize {
    let first = number.first().map_or(0, |byte| byte.leading_zeros() as usize);
    (number.len() * 8).saturating_sub(first)
}

/// An RSA key of a size that does not sign, for messages.
pub(crate) fn rsa_name(bits: usize) -> String {
    format!("an RSA key of {bits} bits")
}

/// A curve that does not sign, for messages.
pub(crate) fn curve_name(curve: Option<ObjectIdentifier>) -> String {
    match curve {
        Some(SECP521R1) => "an ECDSA key on P-521".into(),
        Some(curve) => format!("an ECDSA key on the curve {curve}"),
        None => "an ECDSA key whose curve has no name".into(),
    }
}

/// A kind of key that does not sign, for messages.
pub(crate) fn key_name(oid: ObjectIdentifier) -> String {
    match oid {
        ID_ED25519 => "an Ed25519 key, whose CMS signatures OpenSSL and so RAUC cannot verify".into(),
        ID_ED448 => "an Ed448 key, whose CMS signatures OpenSSL and so RAUC cannot verify".into(),
        ID_RSASSA_PSS => "an RSA key that is for PSS only".into(),
        oid => format!("a key of the algorithm {oid}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_exponents() {
        let read = |exponent: &[u8]| {
            let modulus = [&[0, 0x80][..], &[1; 255]].concat();
            let numbers = [tlv::write(INTEGER, &[&modulus]), tlv::write(INTEGER, &[exponent])];
            PublicKey::read_rsa(&tlv::write(SEQUENCE, &[&numbers[0], &numbers[1]]))
        };
        for right in [
            &[1, 0, 1][..],
            &[1, 0, 3],
            &[1, 0, 0, 1],
            &[1, 0xff, 0xff, 0xff, 0xff],
        ] {
            assert!(read(right).is_ok(), "{right:x?}");
        }
        let named = |number: &str| Err(format!("an RSA key with the public exponent {number}"));
        assert_eq!(read(&[1]), named("1"));
        assert_eq!(read(&[3]), named("3"));
        assert_eq!(read(&[0, 0xff, 0xff]), named("65535"));
        assert_eq!(read(&[1, 0, 2]), named("65538"));
        assert_eq!(read(&[2, 0, 0, 0, 1]), named("8589934593"));
        let long = Err("an RSA key with a public exponent of 2041 bits".to_owned());
        assert_eq!(read(&[1; 256]), long);
    }
}
