//! Signatures: keys, certificates, CMS, and whom to trust.
//!
//! The signature of an update bundle is a CMS `SignedData` ([RFC 5652](https://www.rfc-editor.org/rfc/rfc5652)) in
//! DER, with what it signs inside. [`sign`] makes the very shape that OpenSSL makes for RAUC:
//!
//! ```text
//!  ContentInfo: signedData
//!  └─ SignedData, version 1
//!     ├─ digestAlgorithms     sha256, without parameters (sha384 for P-384)
//!     ├─ encapContentInfo     data, and the content itself
//!     ├─ certificates [0]     the signer's and the intermediate ones, sorted by their bytes; no root
//!     └─ signerInfos          one:
//!        ├─ version 1, issuer and serial number of the signer's certificate
//!        ├─ digestAlgorithm
//!        ├─ signedAttrs [0]   contentType, signingTime, messageDigest ◄── digest of the content
//!        ├─ signatureAlgorithm
//!        └─ signature ◄── over the signed attributes, tagged as the SET that they are
//! ```
//!
//! A signature depends on nothing but content, certificates, key and time: ECDSA takes its random number from
//! [RFC 6979](https://www.rfc-editor.org/rfc/rfc6979), RSA pads as PKCS#1 v1.5 does, where nothing is random. A
//! [`Command`] signs as it likes.
//!
//! RAUC signs with SHA-256 whatever the key. P-384 is worth a digest of its own size, and OpenSSL and RAUC 1.8
//! accept SHA-384.
//!
//! # Whom to trust
//!
//! [`verify`] looks for a chain of certificates from the signer to one of [`Trust::anchors`]:
//!
//! ```text
//!  signer ◄──signed by── intermediate ◄──signed by── root, trusted
//!    │                        │
//!    │                        └─ CA, path length, keyCertSign ─┐
//!    └─ purpose, allowed name                                  ├─ valid at the time, not revoked,
//!                                                              │  no critical extension that is unknown
//! ```
//!
//! What it calls good, a device takes: it finds the chain that OpenSSL finds, which goes up from the signer, takes an
//! issuer from the keyring if one is there, and never goes back (see `path.rs`). Where a device's choice depends on the
//! order of its keyring, each choice has to be good. Lists of revoked certificates are chosen as OpenSSL chooses them.
//!
//! It asks for more than RAUC, which leaves the checks to OpenSSL: one signer, whose certificate is in the signature;
//! signed attributes with a signing time; digests of SHA-2; ECDSA on P-256 and P-384, RSA of at least 2048 bits with an
//! odd public exponent from 65537 to 33 bits, of signers and issuers. A list of revoked certificates has to be complete, a
//! root has to say that it is a CA unless it is the signer itself, and certificates that constrain names or addresses are
//! refused. The tests' tables have all that is refused and a device takes.
//!
//! It reads what OpenSSL reads: around the content, lengths as BER has them, which `openssl cms -stream` writes; certificates
//! and attributes in any order. What a signature covers has to be DER. A signature that is all there and of another form
//! is [`Error::Unsupported`], which is not trusted; only one that is not all there is [`Error::Malformed`], which is damaged.
//!
//! A signature that is detached from what it signs is [`Detached`]: all else is checked in the same way.
//!
//! A signature that has no attributes either is [`Bare`]: [`sign_bare`] makes it, for root hashes.
//!
//! Releases for systemd-sysupdate are signed as OpenPGP: [`OpenPgpKey`] and [`OpenPgpSignature`].
//!
//! Two parts that a `SignedData` may have are refused even when they are empty, and RAUC makes neither: lists of
//! revoked certificates (`crls [1]`), and attributes that are not signed (`unsignedAttrs [1]`). Nothing signs them, so
//! anybody could put into them what makes a good bundle unreadable for OpenSSL; and lists of revoked certificates come
//! from who trusts, not from who wants to be trusted.

mod algorithm;
mod attributes;
mod authenticode;
mod bare;
mod ber;
mod certificate;
mod command;
mod crl;
mod detached;
mod error;
mod extensions;
mod format;
mod key;
mod names;
mod openpgp;
mod path;
mod pem;
mod read;
mod rsa;
mod sign;
mod time;
mod tlv;
mod trust;

pub use algorithm::{Algorithm, PublicKey};
pub use authenticode::{Authenticode, sign_authenticode};
pub use bare::Bare;
pub use certificate::Certificate;
pub use command::Command;
pub use crl::Crl;
pub use detached::{Detached, Hasher};
pub use error::{Error, Result};
pub use key::Key;
pub use openpgp::{OpenPgpKey, OpenPgpSignature};
pub use read::{Contents, Form, content, form, read};
pub use sign::{Identity, Signer, sign, sign_bare, signed_data};
pub use time::Time;
pub use trust::{At, ChainEnd, CrlCheck, Purpose, SigningTime, Trust, Verified, verify};

/// The most bytes of a signature: RAUC accepts no more.
pub const LEN_MAX: u64 = 64 << 10;
