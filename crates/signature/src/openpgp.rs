//! OpenPGP as far as releases need it ([RFC 9580](https://www.rfc-editor.org/rfc/rfc9580)): keys and detached signatures of
//! version 4, which every gpg reads.
//!
//! ```text
//!  keyring:    [6: key] [13: user] [2: the key's signature over both]      as often as there are keys
//!  signature:  [2: header, fingerprint, time ; first two bytes of the digest ; the number that RSA makes]
//!                  └────────── hashed, behind the content ─────────┘
//! ```
//!
//! Kiln signs with RSA and SHA-256, so the same key and time give the same bytes. It reads what gpg makes with RSA and
//! Ed25519 over SHA-2, as packets or armoured.

mod armour;
mod packets;
mod read;

use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use sha2::{Digest as _, Sha256};

use crate::algorithm::{Algorithm, PublicKey, Scheme};
use crate::sign::Signer;
use crate::tlv::{self, INTEGER, SEQUENCE, positive};
use crate::{Error, Result};
use packets::{mpi, packet, subpacket};
pub use read::OpenPgpSignature;

/// The version of keys and signatures.
const VERSION: u8 = 4;
const TAG_SIGNATURE: u8 = 2;
const TAG_KEY: u8 = 6;
const TAG_USER: u8 = 13;
const TAG_SUBKEY: u8 = 14;
/// A signature over bytes.
const OVER_BINARY: u8 = 0;
/// A signature over a key and who has it, by that key.
const OVER_USER: u8 = 0x13;
const RSA: u8 = 1;
const EDDSA: u8 = 22;
const SHA256: u8 = 8;
const SHA384: u8 = 9;
const SHA512: u8 = 10;
const SUBPACKET_TIME: u8 = 2;
const SUBPACKET_ISSUER: u8 = 16;
const SUBPACKET_FLAGS: u8 = 27;
const SUBPACKET_FINGERPRINT: u8 = 33;
/// It certifies and signs.
const FLAGS: u8 = 0x03;

/// A key as OpenPGP has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenPgpKey {
    /// The packet's bytes, which the fingerprint is of.
    body: Vec<u8>,
    verifier: Verifier,
}

/// What signatures are checked with.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Verifier {
    Rsa(PublicKey),
    Ed25519([u8; 32]),
    /// A kind that is not known: its signatures are of nobody.
    Other(u8),
}

impl OpenPgpKey {
    /// An RSA key that was made at a time, in seconds since 1970.
    ///
    /// # Errors
    /// When it is no RSA key.
    pub fn new(key: &PublicKey, time: u32) -> Result<OpenPgpKey> {
        let not_rsa = || Error::NotRsa {
            found: key.to_string(),
        };
        let (der, _) = key.rsa().ok_or_else(not_rsa)?;
        let numbers = || {
            let mut parts = tlv::only(der, SEQUENCE, "RSA key")?;
            let modulus = positive(parts.one(INTEGER, "modulus")?, "modulus")?;
            let exponent = positive(parts.one(INTEGER, "exponent")?, "exponent")?;
            Ok::<_, String>([mpi(modulus), mpi(exponent)].concat())
        };
        let numbers = numbers().map_err(|_| not_rsa())?;
        let mut body = vec![VERSION];
        body.extend(time.to_be_bytes());
        body.push(RSA);
        body.extend(numbers);
        Ok(OpenPgpKey {
            body,
            verifier: Verifier::Rsa(key.clone()),
        })
    }

    /// What it is known by.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 20] {
        let digest = digest(&SHA1_FOR_LEGACY_USE_ONLY, &framed(0x99, 2, &self.body));
        let mut fingerprint = [0; 20];
        fingerprint.copy_from_slice(digest.as_ref());
        fingerprint
    }

    /// The key with its user as a keyring, which the key signs itself: gpg believes no other.
    ///
    /// # Errors
    /// When the signer fails, or has another key.
    pub fn keyring(&self, user: &str, signer: &dyn Signer) -> Result<Vec<u8>> {
        let user = user.as_bytes();
        let content = [framed(0x99, 2, &self.body), framed(0xb4, 4, user)].concat();
        let time = self.time();
        let flags = subpacket(SUBPACKET_FLAGS, &[FLAGS]);
        let signature = self.made(OVER_USER, &content, time, &flags, signer)?;
        Ok([packet(TAG_KEY, &self.body), packet(TAG_USER, user), signature].concat())
    }

    /// A signature over some bytes, which says that it was made at a time, in seconds since 1970.
    ///
    /// # Errors
    /// When the signer fails, or has another key.
    pub fn sign(&self, content: &[u8], time: u32, signer: &dyn Signer) -> Result<Vec<u8>> {
        self.made(OVER_BINARY, content, time, &[], signer)
    }

    /// When it was made.
    #[must_use]
    pub fn time(&self) -> u32 {
        let bytes = self.body.get(1..5).and_then(|bytes| bytes.try_into().ok());
        u32::from_be_bytes(bytes.unwrap_or_default())
    }

    /// The packet of a signature.
    fn made(&self, kind: u8, content: &[u8], time: u32, more: &[u8], signer: &dyn Signer) -> Result<Vec<u8>> {
        let fingerprint = self.fingerprint();
        let issuer = [&[VERSION], &fingerprint[..]].concat();
        let hashed = [
            subpacket(SUBPACKET_FINGERPRINT, &issuer),
            subpacket(SUBPACKET_TIME, &time.to_be_bytes()),
            more.to_vec(),
        ]
        .concat();
        let head = [&[VERSION, kind, RSA, SHA256], &framed_short(&hashed)[..]].concat();
        let to_be_signed = [content, &head, &trailer(head.len())].concat();
        let signature = signer.sign(Algorithm::RsaPkcs1Sha256, &to_be_signed)?;
        let Verifier::Rsa(public) = &self.verifier else {
            return Err(Error::NotRsa {
                found: "of another kind".into(),
            });
        };
        if !public.made(
            Scheme::RsaPkcs1(crate::algorithm::Hash::Sha256),
            &to_be_signed,
            &signature,
        ) {
            return Err(Error::ForeignSignature {
                subject: format!("OpenPGP {}", self.shown()),
            });
        }
        let unhashed = subpacket(SUBPACKET_ISSUER, fingerprint.get(12..).unwrap_or_default());
        let digest = Sha256::digest(&to_be_signed);
        let digits = digest.get(..2).unwrap_or_default();
        let body = [&head, &framed_short(&unhashed)[..], digits, &mpi(&signature)].concat();
        Ok(packet(TAG_SIGNATURE, &body))
    }

    /// The fingerprint for people.
    #[must_use]
    pub fn shown(&self) -> String {
        data_encoding::HEXUPPER.encode(&self.fingerprint())
    }
}

/// What stands behind a header of so many bytes when it is hashed.
fn trailer(head_len: usize) -> Vec<u8> {
    let len = u32::try_from(head_len).unwrap_or(u32::MAX);
    [&[VERSION, 0xff], &len.to_be_bytes()[..]].concat()
}

/// Bytes behind their number in two bytes.
fn framed_short(bytes: &[u8]) -> Vec<u8> {
    let len = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    [&len.to_be_bytes()[..], bytes].concat()
}

/// Bytes as they are hashed: behind a tag and their number in so many bytes.
fn framed(tag: u8, width: usize, bytes: &[u8]) -> Vec<u8> {
    let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes();
    [&[tag], len.get(4 - width..).unwrap_or_default(), bytes].concat()
}
