//! What can go wrong with keys, certificates and signatures, and whose fault it is.

use std::io;
use std::time::Duration;

use image::Fault;

use crate::Time;

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of keys, certificates and signatures.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file that should hold certificates or lists of revoked ones, and does not.
    #[error("{what}: {problem}")]
    BadCertificate {
        /// What the caller calls the file.
        what: String,
        /// What is wrong.
        problem: String,
    },
    /// A file that should hold a private key, and does not.
    #[error("the private key cannot be read: {problem}")]
    BadKey {
        /// What is wrong. Never a part of the key.
        problem: String,
    },
    /// An encrypted key without a pass phrase.
    #[error("the private key is encrypted and needs a pass phrase")]
    PassphraseMissing,
    /// An encrypted key with another pass phrase.
    #[error("the private key cannot be decrypted: the pass phrase is wrong")]
    PassphraseWrong,
    /// A key that signatures of bundles are not made with.
    #[error("{what} is {found}; signatures are made with {}", crate::algorithm::SUPPORTED)]
    UnsupportedKey {
        /// Whose key: `the private key`, or a certificate's subject.
        what: String,
        /// What it is: `an Ed25519 key`.
        found: String,
    },
    /// A key that is not the certificate's.
    #[error("the private key does not belong to the certificate of {subject}")]
    KeyMismatch {
        /// The certificate's subject.
        subject: String,
    },
    /// A signing time at which a certificate of the chain is not valid.
    #[error(
        "the certificate of {subject} is valid from {not_before} to {not_after}, not at the signing time {time}"
    )]
    OutsideValidity {
        /// The certificate's subject.
        subject: String,
        /// The signing time.
        time: Time,
        /// The first second of its validity.
        not_before: Time,
        /// The second that its validity ends with.
        not_after: Time,
    },
    /// A signature longer than its readers accept.
    #[error("the signature has {len} bytes, the limit is {limit}", limit = crate::LEN_MAX)]
    TooLong {
        /// The signature's bytes.
        len: u64,
    },
    /// A command that signs and could not be run.
    #[error("{command}: cannot be run: {source}")]
    CommandNotRun {
        /// The command.
        command: String,
        /// What the system says.
        source: io::Error,
    },
    /// A command that signs and failed.
    #[error("{command}: {status}{}", said(.stderr))]
    CommandFailed {
        /// The command.
        command: String,
        /// How it ended.
        status: String,
        /// The last that it wrote to its standard error.
        stderr: String,
    },
    /// A command that signs and took too long.
    #[error("{command}: gave no signature within {timeout:?} and was stopped")]
    CommandTimeout {
        /// The command.
        command: String,
        /// How long it was waited for.
        timeout: Duration,
    },
    /// The user asked to stop while a command was waited for.
    #[error("stopped")]
    Stopped,
    /// A command that signs and wrote something else than a signature.
    #[error("{command}: {problem}")]
    CommandOutput {
        /// The command.
        command: String,
        /// What is wrong with its output.
        problem: String,
    },
    /// A signer that gave something else than a signature by the certificate's key.
    #[error("what the signer gave is no signature by the key of {subject}")]
    ForeignSignature {
        /// The certificate's subject.
        subject: String,
    },
    /// A key that releases are not signed with.
    #[error("the key is {found}; releases are signed with RSA keys, which every gpg knows")]
    NotRsa {
        /// What it is.
        found: String,
    },
    /// A signature by a key that is not in the keyring.
    #[error("the signature is by the OpenPGP key {id}, which is not in the keyring")]
    UnknownKey {
        /// The last eight bytes of its fingerprint.
        id: String,
    },
    /// Bytes that are no signature in the form that is read.
    #[error("the signature is malformed: {problem}")]
    Malformed {
        /// What is wrong.
        problem: String,
    },
    /// A signature of a form that is not accepted, though it may be intact.
    #[error("the signature is not accepted: {problem}")]
    Unsupported {
        /// What it has or lacks.
        problem: String,
    },
    /// A content that is not the signed one.
    #[error("the content is not what was signed: its digest is {computed}, the signed one is {signed}")]
    WrongDigest {
        /// The content's digest.
        computed: String,
        /// The digest in the signature.
        signed: String,
    },
    /// A signature that was not made with its certificate's key over these bytes.
    #[error("the signature was not made with the key of {subject}, or was changed")]
    BadSignature {
        /// The certificate's subject.
        subject: String,
    },
    /// A certificate that leads to nobody who is trusted.
    #[error(
        "{subject} is not trusted: no certificate of its issuer, {issuer}, is trusted or in the signature"
    )]
    IssuerMissing {
        /// The certificate's subject.
        subject: String,
        /// The certificate's issuer.
        issuer: String,
    },
    /// A trusted certificate that is not its own issuer, and leads to nobody else who is trusted.
    #[error(
        "{subject} is in the keyring, and its issuer, {issuer}, is not: a device takes that only with `allow-partial-chain`"
    )]
    IssuerNotInKeyring {
        /// The certificate's subject.
        subject: String,
        /// The certificate's issuer.
        issuer: String,
    },
    /// Several trusted certificates that may be the issuer's, of which some lead to a good chain.
    #[error(
        "{subject} may be not trusted: {count} certificates of the keyring are of its issuer, {issuer}, a device tries only one of them, and not each is good: {problem}"
    )]
    IssuerAmbiguous {
        /// The certificate's subject.
        subject: String,
        /// The certificate's issuer.
        issuer: String,
        /// How many there are.
        count: usize,
        /// What is wrong with the first that is not good.
        problem: Box<Error>,
    },
    /// A chain that ends with a certificate that is its own issuer and not trusted.
    #[error("{subject} is not trusted: the chain ends with it, and it is not among the trusted certificates")]
    RootUntrusted {
        /// The last certificate's subject.
        subject: String,
    },
    /// A certificate whose signature is not its issuer's.
    #[error("{subject} is not trusted: its certificate was not signed with the key of {issuer}")]
    BadCertificateSignature {
        /// The certificate's subject.
        subject: String,
        /// The certificate's issuer.
        issuer: String,
    },
    /// So many possible chains that looking for one was given up.
    #[error(
        "{subject} is not trusted: more than {tried} ways lead through the keyring, and devices may go each of them"
    )]
    TooManyPaths {
        /// The signer's subject.
        subject: String,
        /// How many certificates were tried.
        tried: u32,
    },
    /// A certificate after its validity.
    #[error("the certificate of {subject} expired at {not_after}, before {time}")]
    Expired {
        /// The certificate's subject.
        subject: String,
        /// The second that its validity ends with.
        not_after: Time,
        /// The time for which it was looked at.
        time: Time,
    },
    /// A certificate before its validity.
    #[error("the certificate of {subject} is valid from {not_before}, after {time}")]
    NotYetValid {
        /// The certificate's subject.
        subject: String,
        /// The first second of its validity.
        not_before: Time,
        /// The time for which it was looked at.
        time: Time,
    },
    /// A certificate that its issuer has revoked.
    #[error("the certificate of {subject} was revoked at {at}")]
    Revoked {
        /// The certificate's subject.
        subject: String,
        /// When.
        at: Time,
    },
    /// A certificate for which no usable list of revoked ones is known.
    #[error("the certificate of {subject} may be revoked: {problem}")]
    RevocationUnknown {
        /// The certificate's subject.
        subject: String,
        /// Why it cannot be told.
        problem: String,
    },
    /// A certificate that was not issued for signing bundles.
    #[error("the certificate of {subject} is not for {purpose}: {problem}")]
    WrongPurpose {
        /// The certificate's subject.
        subject: String,
        /// The purpose.
        purpose: &'static str,
        /// What it has or lacks.
        problem: &'static str,
    },
    /// A certificate that must not issue the one before it.
    #[error("the certificate of {subject} must not issue others: {problem}")]
    BadIssuer {
        /// The issuer's subject.
        subject: String,
        /// What it has or lacks.
        problem: String,
    },
    /// A certificate with a part that is not understood and must be.
    #[error("the certificate of {subject} is not accepted: {problem}")]
    CertificateNotAccepted {
        /// The certificate's subject.
        subject: String,
        /// Which part.
        problem: String,
    },
    /// A signer who is none of those that are allowed.
    #[error("{name} is none of the allowed signers: {allowed}")]
    SignerNotAllowed {
        /// The signer's common name, or its subject.
        name: String,
        /// Those that are allowed.
        allowed: String,
    },
}

/// What a command wrote to its standard error, for people.
fn said(stderr: &str) -> String {
    if stderr.is_empty() {
        return String::new();
    }
    format!(": {stderr}")
}

impl Error {
    /// Whose fault the error is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Error::KeyMismatch { .. } | Error::OutsideValidity { .. } => Fault::Request,
            Error::UnsupportedKey { .. }
            | Error::NotRsa { .. }
            | Error::BadCertificate { .. }
            | Error::BadKey { .. }
            | Error::PassphraseMissing
            | Error::PassphraseWrong
            | Error::CommandNotRun { .. }
            | Error::CommandFailed { .. }
            | Error::CommandTimeout { .. }
            | Error::CommandOutput { .. }
            | Error::ForeignSignature { .. } => Fault::Input,
            Error::Stopped => Fault::Cancelled,
            Error::TooLong { .. } => Fault::Limit,
            Error::Malformed { .. } => Fault::Damaged,
            _ => Fault::Untrusted,
        }
    }
}
