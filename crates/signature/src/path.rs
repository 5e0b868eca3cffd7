//! Looking for a chain of certificates from a signer to somebody who is trusted.

use crate::format::{ID_KP_CODE_SIGNING, ID_KP_EMAIL_PROTECTION, NETSCAPE_SMIME_OR_CLIENT};
use crate::{Certificate, ChainEnd, CrlCheck, Error, Purpose, Result, Time, Trust, crl};

/// The most certificates in a chain.
const CHAIN_MAX: usize = 10;

/// The most certificates of a keyring that are tried to find a chain. Each costs time, and those that came along choose how
/// many there could be.
const CHECKS_MAX: u32 = 100;

/// The chain from a signer's certificate to a trusted one, both included: the one that OpenSSL finds, and so a device.
///
/// OpenSSL goes up from the signer and never back. It takes an issuer from the keyring if one is there, and after that from
/// the keyring only; else the first one that came along. It looks at names, key identifiers, the kind of the key, and dates
/// before it decides, and at signatures when the chain is complete. Which of several certificates it takes from the keyring
/// depends on their order there, and on how a system sorts what is equal: so each of them has to lead to a good chain.
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
    };
    let start = Chain {
        certificates: vec![signer.clone()],
        from_keyring: false,
    };
    let found = search.extend(start);
    if search.checks > CHECKS_MAX {
        return Err(Error::TooManyPaths {
            subject: signer.subject().to_owned(),
            tried: CHECKS_MAX,
        });
    }
    found
}

/// A chain that is looked for.
#[derive(Clone)]
struct Chain {
    certificates: Vec<Certificate>,
    /// Whether one of them was taken from the keyring, so that the next one has to be there too.
    from_keyring: bool,
}

struct Search<'a> {
    others: &'a [Certificate],
    trust: &'a Trust,
    at: Time,
    /// Certificates of the keyring that were tried.
    checks: u32,
}

impl Search<'_> {
    /// Makes a chain longer until it ends with somebody trusted, and answers with it if it passes. Calls itself at most
    /// [`CHAIN_MAX`] times.
    fn extend(&mut self, mut chain: Chain) -> Result<Vec<Certificate>> {
        let last = loop {
            let Some(last) = chain.certificates.last().cloned() else {
                return Ok(Vec::new());
            };
            let issuers = if chain.certificates.len() < CHAIN_MAX {
                self.trusted_issuers(&last)
            } else {
                Vec::new()
            };
            if !issuers.is_empty() {
                return self.branch(&chain, &last, &issuers);
            }
            let more = !chain.from_keyring && chain.certificates.len() < CHAIN_MAX && !last.is_self_signed();
            match self.next_issuer(&chain, &last).filter(|_| more) {
                Some(issuer) => chain.certificates.push(issuer),
                None => break last,
            }
        };
        self.end(&chain, &last)
    }

    /// Those certificates of the keyring that may have issued another: the valid ones, if there are any.
    fn trusted_issuers(&self, certificate: &Certificate) -> Vec<Certificate> {
        let mut issuers: Vec<Certificate> = Vec::new();
        for anchor in &self.trust.anchors {
            if certificate.may_be_issued_by(anchor) && !issuers.contains(anchor) {
                issuers.push(anchor.clone());
            }
        }
        if issuers.iter().any(|issuer| issuer.valid_at(self.at)) {
            issuers.retain(|issuer| issuer.valid_at(self.at));
        }
        issuers
    }

    /// The one of the certificates that came along which OpenSSL takes for the issuer: the first valid one, or that which
    /// was valid last.
    fn next_issuer(&self, chain: &Chain, certificate: &Certificate) -> Option<Certificate> {
        let mut found: Option<&Certificate> = None;
        for other in self.others {
            if !certificate.may_be_issued_by(other) || chain.certificates.contains(other) {
                continue;
            }
            if other.valid_at(self.at) {
                return Some(other.clone());
            }
            if found.is_none_or(|found| found.not_after() < other.not_after()) {
                found = Some(other);
            }
        }
        found.cloned()
    }

    /// Goes on with each of the trusted certificates of which a device may take any.
    fn branch(
        &mut self,
        chain: &Chain,
        last: &Certificate,
        issuers: &[Certificate],
    ) -> Result<Vec<Certificate>> {
        let (mut good, mut bad) = (None, None);
        for issuer in issuers {
            self.checks += 1;
            if self.checks > CHECKS_MAX {
                break;
            }
            match self.trusted(chain, last, issuer) {
                Ok(chain) => good = good.or(Some(chain)),
                Err(error) => bad = bad.or(Some(error)),
            }
        }
        match (good, bad) {
            (Some(chain), None) => Ok(chain),
            (None, Some(error)) => Err(error),
            (Some(_), Some(error)) => Err(Error::IssuerAmbiguous {
                subject: last.subject().to_owned(),
                issuer: last.issuer().to_owned(),
                count: issuers.len(),
                problem: Box::new(error),
            }),
            (None, None) => self.end(chain, last),
        }
    }

    /// Goes on with one trusted certificate.
    fn trusted(
        &mut self,
        chain: &Chain,
        last: &Certificate,
        issuer: &Certificate,
    ) -> Result<Vec<Certificate>> {
        let mut chain = chain.clone();
        if last.is_self_signed() {
            // It has to be that one: another one of its name proves nothing.
            if last != issuer {
                return self.end(&chain, last);
            }
            return self.check(chain.certificates);
        }
        chain.certificates.push(issuer.clone());
        chain.from_keyring = true;
        if issuer.is_self_signed() || self.trust.chain_end == ChainEnd::Partial {
            return self.check(chain.certificates);
        }
        self.extend(chain)
    }

    /// Nobody trusted was found. With partial chains, the signer may be trusted itself, whoever stands above it.
    fn end(&self, chain: &Chain, last: &Certificate) -> Result<Vec<Certificate>> {
        let signer = chain.certificates.first();
        let partial = self.trust.chain_end == ChainEnd::Partial && !chain.from_keyring;
        if partial && signer.is_some_and(|signer| self.trust.anchors.contains(signer)) {
            return self.check(chain.certificates.clone());
        }
        let (subject, issuer) = (last.subject().to_owned(), last.issuer().to_owned());
        Err(if last.is_self_signed() {
            Error::RootUntrusted { subject }
        } else if chain.from_keyring {
            Error::IssuerNotInKeyring { subject, issuer }
        } else {
            Error::IssuerMissing { subject, issuer }
        })
    }

    /// Whether all certificates of a chain will do, and each was signed by the next.
    fn check(&self, chain: Vec<Certificate>) -> Result<Vec<Certificate>> {
        for (certificate, issuer) in chain.iter().zip(chain.iter().skip(1)) {
            if !certificate.is_signed_by(issuer)? {
                let (subject, issuer) = (certificate.subject().to_owned(), issuer.subject().to_owned());
                return Err(Error::BadCertificateSignature { subject, issuer });
            }
        }
        check(&chain, self.trust, self.at)?;
        Ok(chain)
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
            let issuer = match chain.get(index + 1) {
                Some(issuer) => issuer,
                None if certificate.is_self_signed() => certificate,
                None => return Err(nobody_tells(certificate)),
            };
            crl::check(certificate, issuer, &trust.crls, at)?;
        }
    }
    Ok(())
}

/// A partial chain ends before the one whose list has its last certificate.
fn nobody_tells(last: &Certificate) -> Error {
    Error::RevocationUnknown {
        subject: last.subject().to_owned(),
        problem: format!(
            "the chain ends with it, and only {} can tell; a device with `check-crl` refuses every partial chain",
            last.issuer()
        ),
    }
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
