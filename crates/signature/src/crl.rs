//! Lists of revoked certificates.

use std::fmt;
use std::sync::Arc;

use crate::algorithm::{Scheme, read_oid};
use crate::format::{
    AUTHORITY_KEY_IDENTIFIER, CRL_NUMBER, CRL_REASON, DELTA_CRL_INDICATOR, INVALIDITY_DATE, ISSUER_ALT_NAME,
    ISSUING_DISTRIBUTION_POINT,
};
use crate::tlv::{
    self, BIT_STRING, BOOLEAN, CONTEXT_0, Cursor, INTEGER, OCTET_STRING, OID, Parsed, SEQUENCE, Tlv,
};
use crate::{Certificate, Error, Result, Time, names, pem};

/// A list of the certificates that an issuer has revoked, of version 1 or 2.
#[derive(Clone)]
pub struct Crl(Arc<Inner>);

struct Inner {
    /// The part that is signed.
    tbs: Vec<u8>,
    issuer: Vec<u8>,
    issuer_text: String,
    this_update: Time,
    next_update: Option<Time>,
    revoked: Vec<Revoked>,
    /// A part that has to be understood and is not.
    problem: Option<String>,
    scheme: Parsed<Scheme>,
    signature: Vec<u8>,
}

struct Revoked {
    /// With tag and length.
    serial: Vec<u8>,
    at: Time,
}

impl Crl {
    /// Reads the lists of a file: one in DER, or any number of PEM blocks (`X509 CRL`), other kinds of which are
    /// passed over; so there may be none in a file of PEM. `what` is what messages call the file.
    pub fn read_pem_or_der(bytes: &[u8], what: &str) -> Result<Vec<Crl>> {
        let bad = |problem| Error::BadCertificate {
            what: what.to_owned(),
            problem,
        };
        if !pem::is_pem(bytes) {
            return Ok(vec![Crl::read(bytes).map_err(bad)?]);
        }
        let mut lists = Vec::new();
        for block in pem::read(bytes).map_err(bad)? {
            if block.label == "X509 CRL" {
                lists.push(Crl::read(&block.der).map_err(bad)?);
            }
        }
        Ok(lists)
    }

    /// Reads the lists of a file as [`Crl::read_pem_or_der`] does; that there is none is an error.
    pub fn read_some(bytes: &[u8], what: &str) -> Result<Vec<Crl>> {
        let lists = Crl::read_pem_or_der(bytes, what)?;
        if lists.is_empty() {
            return Err(Error::BadCertificate {
                what: what.to_owned(),
                problem: "holds no list of revoked certificates".into(),
            });
        }
        Ok(lists)
    }

    fn read(der: &[u8]) -> Parsed<Crl> {
        let mut outer = tlv::only(der, SEQUENCE, "list of revoked certificates")?;
        let tbs = outer.one(SEQUENCE, "signed part")?;
        let algorithm = outer.one(SEQUENCE, "algorithm")?;
        let signature = tlv::bit_string(outer.one(BIT_STRING, "signature")?, "signature")?;
        outer.end()?;
        let mut parts = Cursor::new(tbs.value, "list of revoked certificates");
        let version = parts.optional(INTEGER)?.map(|version| version.value);
        if !matches!(version, None | Some([1])) {
            return Err("a list of revoked certificates has neither version 1 nor 2".into());
        }
        if parts.one(SEQUENCE, "algorithm")?.raw != algorithm.raw {
            return Err("a list of revoked certificates names two algorithms".into());
        }
        let issuer = parts.one(SEQUENCE, "issuer")?;
        let this_update = Time::from_der(parts.any()?.raw)?;
        let mut problem = None;
        let (mut next_update, mut revoked) = (None, Vec::new());
        while !parts.is_empty() {
            let part = parts.any()?;
            match part.tag {
                0x17 | 0x18 if next_update.is_none() && revoked.is_empty() => {
                    next_update = Some(Time::from_der(part.raw)?);
                }
                SEQUENCE if revoked.is_empty() => revoked = read_entries(part, &mut problem)?,
                CONTEXT_0 if version.is_some() && parts.is_empty() => {
                    let known = [AUTHORITY_KEY_IDENTIFIER, CRL_NUMBER, ISSUER_ALT_NAME];
                    check_extensions(
                        tlv::only(part.value, SEQUENCE, "extensions")?,
                        &known,
                        &mut problem,
                    )?;
                }
                _ => {
                    return Err(
                        "a list of revoked certificates has a part that does not belong there".into(),
                    );
                }
            }
        }
        Ok(Crl(Arc::new(Inner {
            tbs: tbs.raw.to_vec(),
            issuer: issuer.raw.to_vec(),
            issuer_text: names::one_line(issuer.raw)?,
            this_update,
            next_update,
            revoked,
            problem,
            scheme: Scheme::read(algorithm),
            signature: signature.to_vec(),
        })))
    }

    /// Who issued it, on one line.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.0.issuer_text
    }

    /// When it was issued.
    #[must_use]
    pub fn this_update(&self) -> Time {
        self.0.this_update
    }

    /// When there is a newer one at the latest.
    #[must_use]
    pub fn next_update(&self) -> Option<Time> {
        self.0.next_update
    }

    /// Whether its issuer has signed it. The error says why not.
    fn check_signature(&self, issuer: &Certificate) -> Parsed<()> {
        let of = format!("the list of those that {} has revoked", self.issuer());
        let scheme = self
            .0
            .scheme
            .as_ref()
            .map_err(|problem| format!("{of} cannot be checked: {problem}"))?;
        let key = issuer
            .checking_key()
            .map_err(|error| format!("{of} cannot be checked: {error}"))?;
        if !key.made(*scheme, &self.0.tbs, &self.0.signature) {
            return Err(format!("{of} was not signed with its key"));
        }
        if issuer
            .extensions()
            .key_usage
            .as_ref()
            .is_some_and(|usage| !usage.crl_sign())
        {
            return Err(format!("{of} is not its to issue: its key usage lacks cRLSign"));
        }
        Ok(())
    }

    /// Whether the absence of a certificate means something, at a time. The error says why not.
    fn check_use(&self, at: Time) -> Parsed<()> {
        let of = format!("the list of those that {} has revoked", self.issuer());
        if let Some(problem) = &self.0.problem {
            return Err(format!("{of} {problem}"));
        }
        if at < self.0.this_update {
            return Err(format!("{of} is from {}, after {at}", self.0.this_update));
        }
        match self.0.next_update {
            Some(next) if next <= at => Err(format!("{of} is out of date since {next}, before {at}")),
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for Crl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Crl({}, {})", self.issuer(), self.0.this_update)
    }
}

/// Whether a certificate is not revoked: the newest usable list of its issuer says so, and no list that is as new,
/// whatever its dates and what else it says, has it.
pub(crate) fn check(certificate: &Certificate, issuer: &Certificate, lists: &[Crl], at: Time) -> Result<()> {
    let subject = || certificate.subject().to_owned();
    let (mut newest, mut problem): (Option<Time>, Option<String>) = (None, None);
    let mut revocations: Vec<(Time, &Revoked)> = Vec::new();
    for crl in lists
        .iter()
        .filter(|list| list.0.issuer == certificate.issuer_der())
    {
        let list = &*crl.0;
        if let Err(why) = crl.check_signature(issuer) {
            problem = Some(why);
            continue;
        }
        match crl.check_use(at) {
            Err(why) => problem = Some(why),
            Ok(()) => newest = newest.max(Some(list.this_update)),
        }
        let entry = list
            .revoked
            .iter()
            .find(|entry| entry.serial == certificate.serial_der());
        revocations.extend(entry.map(|entry| (list.this_update, entry)));
    }
    // Older revocations were taken back: a certificate can be on hold.
    let counts = |this_update: Time| newest.is_none_or(|newest| newest <= this_update);
    if let Some((_, entry)) = revocations.iter().find(|(this_update, _)| counts(*this_update)) {
        return Err(Error::Revoked {
            subject: subject(),
            at: entry.at,
        });
    }
    if newest.is_some() {
        return Ok(());
    }
    Err(Error::RevocationUnknown {
        subject: subject(),
        problem: problem.unwrap_or_else(|| {
            format!(
                "there is no list of those that {} has revoked",
                certificate.issuer()
            )
        }),
    })
}

fn read_entries(entries: Tlv<'_>, problem: &mut Option<String>) -> Parsed<Vec<Revoked>> {
    let mut entries = Cursor::new(entries.value, "revoked certificates");
    let mut revoked = Vec::new();
    while !entries.is_empty() {
        let mut entry = entries.inside(SEQUENCE, "revoked certificate")?;
        let serial = entry.one(INTEGER, "serial number")?.raw.to_vec();
        let at = Time::from_der(entry.any()?.raw)?;
        if !entry.is_empty() {
            check_extensions(
                entry.inside(SEQUENCE, "extensions")?,
                &[CRL_REASON, INVALIDITY_DATE],
                problem,
            )?;
        }
        entry.end()?;
        revoked.push(Revoked { serial, at });
    }
    Ok(revoked)
}

/// Notes an extension that has to be understood and is not, and that of a list of changes or of a list for some,
/// which means the same when its issuer forgot to mark it as critical.
fn check_extensions(
    mut extensions: Cursor<'_>,
    known: &[der::asn1::ObjectIdentifier],
    problem: &mut Option<String>,
) -> Parsed<()> {
    while !extensions.is_empty() {
        let mut extension = extensions.inside(SEQUENCE, "extension")?;
        let oid = read_oid(extension.one(OID, "name")?)?;
        let critical = extension.optional(BOOLEAN)?.is_some_and(|flag| flag.value != [0]);
        extension.one(OCTET_STRING, "value")?;
        extension.end()?;
        let is_partial = [ISSUING_DISTRIBUTION_POINT, DELTA_CRL_INDICATOR].contains(&oid);
        if is_partial || critical && !known.contains(&oid) {
            *problem = Some(format!("has the extension {oid}, which is not supported"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serial_numbers_have_one_form() {
        let entries = |serial: &[u8]| {
            let date = tlv::write(0x17, &[b"260101000000Z"]);
            let entry = tlv::write(SEQUENCE, &[&tlv::write(INTEGER, &[serial]), &date]);
            let entries = tlv::write(SEQUENCE, &[&entry]);
            let entries = Cursor::new(&entries, "test").any()?;
            read_entries(entries, &mut None).map(|revoked| revoked.len())
        };
        assert_eq!(entries(&[5]), Ok(1));
        assert!(entries(&[0, 5]).is_err(), "it would not be the certificate's");
    }
}
