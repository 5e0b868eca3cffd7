//! Whom to trust, and whether a signature is theirs.

use std::fmt;

use crate::read::{Contents, parts};
use crate::{Certificate, Crl, Error, Result, Time, path};

/// What has to be true of a signature. RAUC's `system.conf` has the same choices under the names that are given
/// here, and what is not chosen is RAUC's default, except that the time of signing stands for the present: see
/// [`At::SigningTime`] for what that is worth.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// The certificates that chains end with (`keyring`). Their order means nothing: where a device would take the first of
    /// several, each has to be good.
    pub anchors: Vec<Certificate>,
    /// The lists of revoked certificates; RAUC reads them from its keyring too.
    pub crls: Vec<Crl>,
    /// Whether certificates may be revoked (`check-crl`).
    pub crl_check: CrlCheck,
    /// What a signer's certificate was issued for (`check-purpose`).
    pub purpose: Purpose,
    /// When certificates have to be valid (`use-bundle-signing-time`). The default believes the signer.
    pub at: At,
    /// What a chain may end with (`allow-partial-chain`).
    pub chain_end: ChainEnd,
    /// Whether there has to be a signing time.
    pub signing_time: SigningTime,
    /// The common names that may sign; with none, everybody with a trusted certificate may
    /// (`allowed-signer-cns`).
    pub allowed_signers: Vec<String>,
}

/// Whether certificates may be revoked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CrlCheck {
    /// Nobody looks.
    #[default]
    Ignore,
    /// No certificate of the chain is revoked, and for each there is a list that would say so, complete and valid at
    /// the time. A revocation counts in any list that its issuer has signed, whatever that list's dates, unless a
    /// newer and valid one no longer has it. A partial chain has an end of which nobody can tell, and is refused.
    Require,
}

/// What a signer's certificate was issued for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Purpose {
    /// `smimesign`: where extended key usages are there, `emailProtection` is among them, in the certificates of
    /// issuers too; where key usages are there, the signer's have `digitalSignature` or `nonRepudiation`.
    #[default]
    SmimeSign,
    /// `codesign`, as RAUC defines it: the signer's extended key usages have `codeSigning`, its key usages
    /// `digitalSignature` where they are there; issuers with extended key usages have `codeSigning` too.
    CodeSign,
    /// `any`: every purpose will do.
    Any,
}

impl Purpose {
    /// RAUC's name for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Purpose::SmimeSign => "smimesign",
            Purpose::CodeSign => "codesign",
            Purpose::Any => "any",
        }
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// When certificates have to be valid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum At {
    /// When the signature says to have been made, which is nothing but its signer's own word. Whoever has the key of
    /// a certificate that has expired can write a time at which it was valid, and is believed: this is for asking
    /// whether a bundle was good when it was made, and for devices without a clock. To ask whether it is good now,
    /// pass [`At::Time`].
    #[default]
    SigningTime,
    /// Now, which the caller knows.
    Time(Time),
}

/// What a chain may end with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChainEnd {
    /// A trusted certificate that is its own issuer.
    #[default]
    Root,
    /// Any trusted certificate.
    Partial,
}

/// Whether there has to be a signing time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SigningTime {
    /// Yes: some devices refuse a signature without, or crash.
    #[default]
    Required,
    /// No, unless [`At::SigningTime`] wants it.
    Optional,
}

/// A signature that is good.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Verified {
    /// What is signed; nothing when the signature is detached from it.
    pub content: Vec<u8>,
    /// The certificates from the signer's to a trusted one.
    pub chain: Vec<Certificate>,
    /// When it says to have been signed.
    pub signing_time: Option<Time>,
    /// The time at which all certificates of the chain are valid.
    pub checked_at: Time,
}

/// Checks a signature: that it is one, that its content was signed with its signer's key, and that a chain of
/// certificates leads from there to a trusted one.
///
/// # Errors
/// The first of these that is not so.
pub fn verify(der: &[u8], trust: &Trust) -> Result<Verified> {
    let parts = parts(der)?;
    parts.check()?;
    trusted(parts.contents, trust)
}

/// Whether a chain leads from the signer of a good signature to a trusted certificate.
pub(crate) fn trusted(contents: Contents, trust: &Trust) -> Result<Verified> {
    let Contents {
        content,
        signer,
        others,
        signing_time,
    } = contents;
    let missing = || Error::Unsupported {
        problem: "it has no signing time".into(),
    };
    if signing_time.is_none() && trust.signing_time == SigningTime::Required {
        return Err(missing());
    }
    let at = match trust.at {
        At::SigningTime => signing_time.ok_or_else(missing)?,
        At::Time(time) => time,
    };
    let chain = path::find(&signer, &others, trust, at)?;
    check_allowed(&signer, &trust.allowed_signers)?;
    Ok(Verified {
        content,
        chain,
        signing_time,
        checked_at: at,
    })
}

fn check_allowed(signer: &Certificate, allowed: &[String]) -> Result<()> {
    if allowed.is_empty() {
        return Ok(());
    }
    let names = signer.common_names()?;
    match &names[..] {
        [name] if allowed.iter().any(|allowed| allowed.as_bytes() == name) => Ok(()),
        names => Err(Error::SignerNotAllowed {
            name: names.first().map_or_else(
                || signer.subject().to_owned(),
                |name| String::from_utf8_lossy(name).into_owned(),
            ),
            allowed: allowed.join(", "),
        }),
    }
}
