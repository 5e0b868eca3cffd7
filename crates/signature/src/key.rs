//! Private keys, read from PEM and used here.

use std::fmt;

use der::Decode;
use der::asn1::ObjectIdentifier;
use p256::ecdsa::signature::hazmat::PrehashSigner;
use pkcs8::pkcs5::pbes2::Kdf;
use pkcs8::pkcs5::{self, EncryptionScheme};
use pkcs8::{EncryptedPrivateKeyInfoRef, PrivateKeyInfoRef};
use ring::rand::SystemRandom;
use ring::rsa::KeyPair;
use ring::signature::RSA_PKCS1_SHA256;
use sec1::{EcParameters, EcPrivateKey};
use zeroize::Zeroizing;

use crate::algorithm::{
    Algorithm, Hash, Kind, PublicKey, RSA_BITS_MAX, RSA_BITS_MIN, bits, curve_name, key_name, rsa_name,
};
use crate::format::{ID_EC_PUBLIC_KEY, RSA_ENCRYPTION, SECP256R1, SECP384R1};
use crate::pem::{self, Block};
use crate::tlv::{self, INTEGER, SEQUENCE, positive};
use crate::{Error, Result, Signer};

/// The most rounds of PBKDF2; OpenSSL takes 2048.
const ROUNDS_MAX: u64 = 10_000_000;

/// The most bytes that scrypt may go through; OpenSSL takes 16 MiB.
const SCRYPT_BYTES_MAX: u64 = 256 << 20;

/// What to do with keys that are encrypted in older ways.
const CONVERT: &str =
    "its encryption is not AES by PBES2 with SHA-2; `openssl pkcs8 -topk8 -v2 aes-256-cbc` converts it";

/// A private key. What it is made of is erased when it is dropped, as far as the libraries that hold it do so
/// (ring's RSA keys are not).
pub struct Key {
    secret: Secret,
    public: PublicKey,
}

enum Secret {
    P256(Box<p256::ecdsa::SigningKey>),
    P384(Box<p384::ecdsa::SigningKey>),
    Rsa(Box<KeyPair>),
}

impl Key {
    /// Reads a private key from PEM: PKCS#8, encrypted PKCS#8 (PBES2), SEC1 with or without its parameters in a
    /// block of their own, or PKCS#1. Certificates in the same file are passed over.
    ///
    /// # Errors
    /// When there is no key or several, it cannot be decrypted, or does not sign bundles.
    pub fn read(text: &[u8], passphrase: Option<&[u8]>) -> Result<Key> {
        let bad = |problem: String| Error::BadKey { problem };
        let blocks = pem::read(text).map_err(bad)?;
        let mut keys = blocks.iter().filter(|block| block.label.ends_with("PRIVATE KEY"));
        let key = match (keys.next(), keys.next()) {
            (Some(key), None) => key,
            (None, _) => return Err(bad("the file holds no private key in PEM".into())),
            (Some(_), Some(_)) => return Err(bad("the file holds several private keys".into())),
        };
        match key.label.as_str() {
            "PRIVATE KEY" => read_pkcs8(&key.der),
            "ENCRYPTED PRIVATE KEY" => read_encrypted(&key.der, passphrase),
            "EC PRIVATE KEY" => read_sec1(&key.der, curve_block(&blocks)?),
            "RSA PRIVATE KEY" => read_pkcs1(&key.der),
            label => Err(bad(format!(
                "the file holds a {label}, which is of no known form"
            ))),
        }
    }
}

impl Signer for Key {
    fn public_key(&self) -> Option<PublicKey> {
        Some(self.public.clone())
    }

    fn sign(&self, _: Algorithm, to_be_signed: &[u8]) -> Result<Vec<u8>> {
        let failed = || unreadable("it cannot sign");
        match &self.secret {
            Secret::P256(key) => {
                let signature: p256::ecdsa::DerSignature = key
                    .sign_prehash(&Hash::Sha256.digest(to_be_signed))
                    .map_err(|_| failed())?;
                Ok(signature.as_bytes().to_vec())
            }
            Secret::P384(key) => {
                let signature: p384::ecdsa::DerSignature = key
                    .sign_prehash(&Hash::Sha384.digest(to_be_signed))
                    .map_err(|_| failed())?;
                Ok(signature.as_bytes().to_vec())
            }
            Secret::Rsa(key) => {
                let mut signature = vec![0; key.public().modulus_len()];
                // The padding of PKCS#1 v1.5 has nothing random in it.
                key.sign(
                    &RSA_PKCS1_SHA256,
                    &SystemRandom::new(),
                    to_be_signed,
                    &mut signature,
                )
                .map_err(|_| failed())?;
                Ok(signature)
            }
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.public)
    }
}

fn unreadable(problem: &str) -> Error {
    Error::BadKey {
        problem: problem.into(),
    }
}

fn unsupported(found: String) -> Error {
    Error::UnsupportedKey {
        what: "the private key".into(),
        found,
    }
}

fn read_encrypted(der: &[u8], passphrase: Option<&[u8]>) -> Result<Key> {
    let info = EncryptedPrivateKeyInfoRef::try_from(der).map_err(|_| unreadable(CONVERT))?;
    let passphrase = passphrase.ok_or(Error::PassphraseMissing)?;
    check_cost(&info.encryption_algorithm)?;
    // A wrong key of the cipher shows as wrong padding, or as what is no key.
    let document = info.decrypt(passphrase).map_err(|error| match error {
        pkcs8::Error::EncryptedPrivateKey(
            pkcs5::Error::NoPbes1CryptSupport
            | pkcs5::Error::UnsupportedAlgorithm { .. }
            | pkcs5::Error::AlgorithmParametersInvalid { .. },
        ) => unreadable(CONVERT),
        _ => Error::PassphraseWrong,
    })?;
    read_pkcs8(document.as_bytes()).map_err(|error| match error {
        Error::BadKey { .. } => Error::PassphraseWrong,
        error => error,
    })
}

/// A pass phrase is made costly to guess; no file may make it cost hours or all memory.
fn check_cost(scheme: &EncryptionScheme) -> Result<()> {
    let (cost, limit, unit) = match scheme.pbes2().map(|parameters| &parameters.kdf) {
        Some(Kdf::Pbkdf2(kdf)) => (u64::from(kdf.iteration_count), ROUNDS_MAX, "rounds"),
        // The library takes it for granted that there is a logarithm.
        Some(Kdf::Scrypt(kdf)) if kdf.cost_parameter < 2 => (0, SCRYPT_BYTES_MAX, "bytes"),
        Some(Kdf::Scrypt(kdf)) => {
            let blocks = u64::from(kdf.block_size).saturating_mul(u64::from(kdf.parallelization));
            let bytes = kdf.cost_parameter.saturating_mul(blocks).saturating_mul(128);
            (bytes, SCRYPT_BYTES_MAX, "bytes")
        }
        _ => return Ok(()),
    };
    if (1..=limit).contains(&cost) {
        return Ok(());
    }
    Err(Error::BadKey {
        problem: format!(
            "decrypting it takes {cost} {unit}, which is none or more than the limit of {limit}"
        ),
    })
}

fn read_pkcs8(der: &[u8]) -> Result<Key> {
    let info = PrivateKeyInfoRef::try_from(der).map_err(|_| unreadable("it is not PKCS#8"))?;
    let secret = info.private_key.as_bytes();
    match info.algorithm.oid {
        RSA_ENCRYPTION => read_pkcs1(secret),
        ID_EC_PUBLIC_KEY => read_sec1(secret, info.algorithm.parameters_oid().ok()),
        oid => Err(unsupported(key_name(oid))),
    }
}

/// The curve that stands in a block before a key, as `openssl ecparam -genkey` writes it.
fn curve_block(blocks: &[Block]) -> Result<Option<ObjectIdentifier>> {
    let block = blocks.iter().find(|block| block.label == "EC PARAMETERS");
    block
        .map(|block| ObjectIdentifier::from_der(&block.der).map_err(|_| unsupported(curve_name(None))))
        .transpose()
}

fn read_sec1(der: &[u8], curve: Option<ObjectIdentifier>) -> Result<Key> {
    let wrong = || unreadable("it is no elliptic curve key of SEC1");
    let key = EcPrivateKey::from_der(der).map_err(|_| wrong())?;
    let own = key.parameters.and_then(EcParameters::named_curve);
    if let (Some(own), Some(curve)) = (own, curve)
        && own != curve
    {
        return Err(unreadable("it names two curves"));
    }
    let (secret, kind) = match own.or(curve) {
        Some(SECP256R1) => {
            let secret = p256::ecdsa::SigningKey::from_slice(key.private_key).map_err(|_| wrong())?;
            let public = *secret.verifying_key();
            (Secret::P256(Box::new(secret)), Kind::P256(public))
        }
        Some(SECP384R1) => {
            let secret = p384::ecdsa::SigningKey::from_slice(key.private_key).map_err(|_| wrong())?;
            let public = *secret.verifying_key();
            (Secret::P384(Box::new(secret)), Kind::P384(public))
        }
        curve => return Err(unsupported(curve_name(curve))),
    };
    Ok(Key {
        secret,
        public: PublicKey(kind),
    })
}

fn read_pkcs1(der: &[u8]) -> Result<Key> {
    let size = || {
        let mut parts = tlv::only(der, SEQUENCE, "RSA key")?;
        parts.one(INTEGER, "version")?;
        positive(parts.one(INTEGER, "modulus")?, "modulus").map(bits)
    };
    let size = size().map_err(|_| unreadable("it is no RSA key of PKCS#1"))?;
    if !(RSA_BITS_MIN..=RSA_BITS_MAX).contains(&size) {
        return Err(unsupported(rsa_name(size)));
    }
    let secret = KeyPair::from_der(der).map_err(|error| Error::BadKey {
        problem: format!("an RSA key of {size} bits with numbers that do not fit: {error}"),
    })?;
    let public = PublicKey::read_rsa(secret.public().as_ref()).map_err(|_| unreadable("it is no RSA key"))?;
    Ok(Key {
        secret: Secret::Rsa(Box::new(secret)),
        public,
    })
}

/// Keeps what is decrypted from staying in memory.
const _: fn() = || {
    fn erased<T: zeroize::ZeroizeOnDrop>() {}
    erased::<Zeroizing<Vec<u8>>>();
    erased::<p256::ecdsa::SigningKey>();
    erased::<p384::ecdsa::SigningKey>();
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tlv::{NULL, OCTET_STRING, OID, write};

    fn named(oid: &str, parameters: &[u8]) -> Vec<u8> {
        let oid: ObjectIdentifier = oid.parse().unwrap();
        write(SEQUENCE, &[&write(OID, &[oid.as_bytes()]), parameters])
    }

    fn number(number: u64) -> Vec<u8> {
        let bytes = number.to_be_bytes();
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count().min(7);
        let sign: &[u8] = if bytes[zeros] >= 0x80 { &[0] } else { &[] };
        write(INTEGER, &[sign, &bytes[zeros..]])
    }

    /// A key that is encrypted with AES-256, and a key for that from a pass phrase in this way.
    fn encrypted(kdf: &[u8]) -> Vec<u8> {
        let cipher = named("2.16.840.1.101.3.4.1.42", &write(OCTET_STRING, &[&[7; 16]]));
        let scheme = named("1.2.840.113549.1.5.13", &write(SEQUENCE, &[kdf, &cipher]));
        write(SEQUENCE, &[&scheme, &write(OCTET_STRING, &[&[9; 64]])])
    }

    fn scrypt(cost: u64, blocks: u64, lanes: u64) -> Result<Key> {
        let salt = write(OCTET_STRING, &[b"salt"]);
        let parameters = write(SEQUENCE, &[&salt, &number(cost), &number(blocks), &number(lanes)]);
        let kdf = named("1.3.6.1.4.1.11591.4.11", &parameters);
        read_encrypted(&encrypted(&kdf), Some(b"pass"))
    }

    fn pbkdf2(rounds: u64) -> Result<Key> {
        let salt = write(OCTET_STRING, &[b"salt"]);
        let hash = named("1.2.840.113549.2.9", &write(NULL, &[]));
        let parameters = write(SEQUENCE, &[&salt, &number(rounds), &hash]);
        let kdf = named("1.2.840.113549.1.5.12", &parameters);
        read_encrypted(&encrypted(&kdf), Some(b"pass"))
    }

    #[test]
    fn no_file_makes_a_pass_phrase_cost_too_much() {
        let wrong = |result: Result<Key>| matches!(result, Err(Error::PassphraseWrong));
        let bad = |result: Result<Key>| matches!(result, Err(Error::BadKey { .. }));
        assert!(wrong(scrypt(1024, 8, 1)) && wrong(pbkdf2(1)) && wrong(pbkdf2(100_000)));
        for cost in [0, 1, 3, 1023, 1 << 21, 1 << 40, 1 << 63, u64::MAX] {
            assert!(bad(scrypt(cost, 8, 1)), "{cost}");
        }
        for (blocks, lanes) in [(0, 1), (1, 0), (0, 0), (65_535, 65_535)] {
            assert!(bad(scrypt(1024, blocks, lanes)), "{blocks} {lanes}");
        }
        for rounds in [0, ROUNDS_MAX + 1, u64::from(u32::MAX), u64::MAX] {
            assert!(bad(pbkdf2(rounds)), "{rounds}");
        }
    }
}
