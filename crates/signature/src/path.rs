//! Looking for a chain of certificates from a signer to somebody who is trusted.

use crate::format::{ID_KP_CODE_SIGNING, ID_KP_EMAIL_PROTECTION, NETSCAPE_SMIME_OR_CLIENT};
use crate::{Certificate, ChainEnd, CrlCheck, Error, Purpose, Result, Time, Trust, crl};

/// The most certificates in a chain.
const CHAIN_MAX: usize = 10;

/// The most signatures of certificates that are checked to find a chain. Each costs time, and who made the
/// signature chooses how many there could be.
const CHECKS_MAX: u32 = 100;

/// The chain from a signer's certificate to a trusted one, both included.
///
/// Chains are tried one after the other, those with trusted certificates first, until one passes.
pub(crate) fn find(
    signer: &Certificate,
    others: &[Certificate],
    trust: &Trust,
    at: Time,
) -> Result<Vec<Certificate>> {
    let mut search = Search {
        others,
        trust,
        at,
        checks: 0,
        problem: None,
    };
    let mut chain = vec![signer.clone()];
    if search.extend(&mut chain) {
        return Ok(chain);
    }
    let given_up = Error::TooManyPaths {
        subject: signer.subject().to_owned(),
        tried: CHECKS_MAX,
    };
    match search.problem {
        Some((_, problem)) if search.checks < CHECKS_MAX => Err(problem),
        _ => Err(given_up),
    }
}

struct Search<'a> {
    others: &'a [Certificate],
    trust: &'a Trust,
    at: Time,
    /// Signatures that were checked.
    checks: u32,
    /// What was wrong with the chain that came furthest, and how far that was.
    problem: Option<(Reach, Error)>,
}

/// How far a chain came.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Reach {
    /// It ends before somebody trusted.
    Short(usize),
    /// A link of it does not hold.
    Broken,
    /// It leads to somebody trusted, but one of its certificates will not do.
    Complete,
}

impl Search<'_> {
    /// Makes a chain longer until it ends with somebody trusted and passes. Calls itself at most [`CHAIN_MAX`]
    /// times.
    fn extend(&mut self, chain: &mut Vec<Certificate>) -> bool {
        let Some(last) = chain.last().cloned() else {
            return false;
        };
        let own_issuer = last.is_self_issued() && last.may_be_issued_by(&last) && self.signed(&last, &last);
        if self.trust.anchors.contains(&last) && (own_issuer || self.trust.chain_end == ChainEnd::Partial) {
            match check(chain, self.trust, self.at) {
                Ok(()) => return true,
                Err(error) => self.failed(Reach::Complete, error),
            }
        }
        if own_issuer {
            let subject = last.subject().to_owned();
            self.failed(Reach::Short(chain.len()), Error::RootUntrusted { subject });
            return false;
        }
        let anchors = self
            .trust
            .anchors
            .iter()
            .filter(|anchor| last.may_be_issued_by(anchor));
        let others = self.others.iter().filter(|other| last.may_be_issued_by(other));
        let mut candidates: Vec<Certificate> = Vec::new();
        for candidate in anchors.chain(others) {
            if !chain.contains(candidate) && !candidates.contains(candidate) {
                candidates.push(candidate.clone());
            }
        }
        if candidates.is_empty() || chain.len() >= CHAIN_MAX {
            let (subject, issuer) = (last.subject().to_owned(), last.issuer().to_owned());
            self.failed(
                Reach::Short(chain.len()),
                Error::IssuerMissing { subject, issuer },
            );
        }
        for candidate in candidates {
            if chain.len() < CHAIN_MAX && self.signed(&last, &candidate) {
                chain.push(candidate);
                if self.extend(chain) {
                    return true;
                }
                chain.pop();
            }
        }
        false
    }

    /// Whether one certificate was signed with the key of another.
    fn signed(&mut self, certificate: &Certificate, issuer: &Certificate) -> bool {
        if self.checks >= CHECKS_MAX {
            return false;
        }
        self.checks += 1;
        match certificate.is_signed_by(issuer) {
            Ok(true) => true,
            Ok(false) => {
                let (subject, issuer) = (certificate.subject().to_owned(), issuer.subject().to_owned());
                self.failed(Reach::Broken, Error::BadCertificateSignature { subject, issuer });
                false
            }
            Err(error) => {
                self.failed(Reach::Broken, error);
                false
            }
        }
    }

    fn failed(&mut self, reach: Reach, error: Error) {
        if self.problem.as_ref().is_none_or(|(before, _)| *before < reach) {
            self.problem = Some((reach, error));
        }
    }
}

/// Whether all certificates of a chain will do, whose links hold.
fn check(chain: &[Certificate], trust: &Trust, at: Time) -> Result<()> {
    for certificate in chain {
        check_one(certificate, at)?;
    }
    let mut between = 0;
    for issuer in chain.iter().skip(1) {
        check_issuer(issuer, between)?;
        // The signer itself does not count, nor who renewed its own key.
        if !issuer.is_self_issued() {
            between += 1;
        }
    }
    for (index, certificate) in chain.iter().enumerate() {
        check_purpose(certificate, index > 0, trust.purpose)?;
    }
    if trust.crl_check == CrlCheck::Require {
        for (index, certificate) in chain.iter().enumerate() {
            // The last one has nobody above it: a root's own list covers it.
            let issuer = chain.get(index + 1).unwrap_or(certificate);
            crl::check(certificate, issuer, &trust.crls, at)?;
        }
    }
    Ok(())
}

fn check_one(certificate: &Certificate, at: Time) -> Result<()> {
    let subject = || certificate.subject().to_owned();
    if at < certificate.not_before() {
        return Err(Error::NotYetValid {
            subject: subject(),
            not_before: certificate.not_before(),
            time: at,
        });
    }
    if !certificate.valid_at(at) {
        return Err(Error::Expired {
            subject: subject(),
            not_after: certificate.not_after(),
            time: at,
        });
    }
    match &certificate.extensions().problem {
        None => Ok(()),
        Some(problem) => Err(Error::CertificateNotAccepted {
            subject: subject(),
            problem: problem.clone(),
        }),
    }
}

/// Whether a certificate may issue others, with so many issuers between it and the signer.
fn check_issuer(issuer: &Certificate, between: usize) -> Result<()> {
    let bad = |problem: String| Error::BadIssuer {
        subject: issuer.subject().to_owned(),
        problem,
    };
    let extensions = issuer.extensions();
    let Some(constraints) = extensions
        .basic_constraints
        .as_ref()
        .filter(|constraints| constraints.ca)
    else {
        return Err(bad("its basic constraints do not say CA".into()));
    };
    if let Some(most) = constraints.path_len_constraint
        && between > usize::from(most)
    {
        return Err(bad(format!(
            "there are {between} issuers between it and the signer, the limit is {most}"
        )));
    }
    match &extensions.key_usage {
        Some(usage) if !usage.key_cert_sign() => Err(bad("its key usage lacks keyCertSign".into())),
        _ => Ok(()),
    }
}

fn check_purpose(certificate: &Certificate, is_issuer: bool, purpose: Purpose) -> Result<()> {
    let wrong = |problem| {
        Err(Error::WrongPurpose {
            subject: certificate.subject().to_owned(),
            purpose: purpose.name(),
            problem,
        })
    };
    let extensions = certificate.extensions();
    let purposes = extensions.purposes.as_deref();
    let usage = extensions.key_usage.as_ref();
    match purpose {
        Purpose::Any => return Ok(()),
        Purpose::SmimeSign => {
            if purposes.is_some_and(|purposes| !purposes.contains(&ID_KP_EMAIL_PROTECTION)) {
                return wrong("its extended key usage lacks emailProtection");
            }
            let signs = usage.is_none_or(|usage| usage.digital_signature() || usage.non_repudiation());
            if !is_issuer && !signs {
                return wrong("its key usage lacks digitalSignature");
            }
            let mail = extensions
                .netscape
                .is_none_or(|bits| bits & NETSCAPE_SMIME_OR_CLIENT != 0);
            if !is_issuer && !mail {
                return wrong("its Netscape certificate type lacks S/MIME");
            }
        }
        Purpose::CodeSign => {
            match purposes {
                Some(purposes) if !purposes.contains(&ID_KP_CODE_SIGNING) => {
                    return wrong("its extended key usage lacks codeSigning");
                }
                None if !is_issuer => return wrong("it has no extended key usage codeSigning"),
                _ => {}
            }
            if !is_issuer && usage.is_some_and(|usage| !usage.digital_signature()) {
                return wrong("its key usage lacks digitalSignature");
            }
        }
    }
    Ok(())
}
