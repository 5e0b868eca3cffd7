//! Lists of revoked certificates.

use std::fmt;
use std::sync::Arc;

use der::asn1::ObjectIdentifier;

use crate::algorithm::{Scheme, read_oid};
use crate::extensions::KeyId;
use crate::format::{AUTHORITY_KEY_IDENTIFIER, DELTA_CRL_INDICATOR, ISSUING_DISTRIBUTION_POINT};
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
    issuer_text: String,
    /// The issuer's name in the form that is compared.
    issuer_name: Vec<u8>,
    this_update: Time,
    next_update: Option<Time>,
    revoked: Vec<Revoked>,
    extensions: Extensions,
    scheme: Parsed<Scheme>,
    signature: Vec<u8>,
}

/// What a list's extensions and those of its entries say.
#[derive(Default)]
struct Extensions {
    authority_key: Option<KeyId>,
    /// Whether it is a list of changes, which is never looked at alone.
    is_delta: bool,
    /// Whether it is a list for some certificates, or some reasons.
    is_partial: bool,
    /// A part that has to be understood and is not.
    problem: Option<String>,
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

    pub(crate) fn read(der: &[u8]) -> Parsed<Crl> {
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
        let mut extensions = Extensions::default();
        let (mut next_update, mut revoked) = (None, Vec::new());
        while !parts.is_empty() {
            let part = parts.any()?;
            match part.tag {
                0x17 | 0x18 if next_update.is_none() && revoked.is_empty() => {
                    next_update = Some(Time::from_der(part.raw)?);
                }
                SEQUENCE if revoked.is_empty() => revoked = read_entries(part, &mut extensions)?,
                CONTEXT_0 if version.is_some() && parts.is_empty() => {
                    extensions.read(tlv::only(part.value, SEQUENCE, "extensions")?)?;
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
            issuer_text: names::one_line(issuer.raw)?,
            issuer_name: names::canonical(issuer.raw)?,
            this_update,
            next_update,
            revoked,
            extensions,
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

    /// Whether OpenSSL may look at it to tell whether a certificate of this issuer is revoked. The error says why not.
    fn check_use(&self, issuer: &Certificate, at: Time) -> Parsed<()> {
        let of = format!("the list of those that {} has revoked", self.issuer());
        let extensions = &self.0.extensions;
        if let Some(problem) = &extensions.problem {
            return Err(format!("{of} {problem}"));
        }
        if extensions.is_delta {
            return Err(format!("{of} is a list of changes, which is not supported"));
        }
        let other = |id: &KeyId| !issuer.is_named_by(id);
        if extensions.authority_key.as_ref().is_some_and(other) {
            return Err(format!("{of} is by another key of that name"));
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

/// Whether a certificate is not revoked. OpenSSL looks at the newest usable list of its issuer alone, before it looks at
/// its signature; which one, if two are as new, depends on their order. So each that it may choose has to be signed, and
/// none of them may have the certificate. No other list that is signed and as new may have it either, whatever its dates
/// and what else it says.
pub(crate) fn check(certificate: &Certificate, issuer: &Certificate, lists: &[Crl], at: Time) -> Result<()> {
    let unknown = |problem: String| Error::RevocationUnknown {
        subject: certificate.subject().to_owned(),
        problem,
    };
    if let Some(problem) = &certificate.extensions().crl_problem {
        return Err(unknown(problem.clone()));
    }
    let of_issuer = || {
        let name = certificate.issuer_name();
        lists.iter().filter(move |list| list.0.issuer_name == name)
    };
    let (mut newest, mut problem): (Option<Time>, Option<String>) = (None, None);
    for crl in of_issuer() {
        match crl.check_use(issuer, at) {
            Err(why) => problem = Some(why),
            Ok(()) if crl.0.extensions.is_partial => {
                let of = format!("the list of those that {} has revoked", crl.issuer());
                problem = Some(format!("{of} is for some of them, which is not supported"));
            }
            Ok(()) => newest = newest.max(Some(crl.0.this_update)),
        }
    }
    // Older revocations were taken back: a certificate can be on hold.
    let counts = |crl: &&Crl| newest.is_none_or(|newest| newest <= crl.0.this_update);
    let (mut revoked, mut unsigned) = (None, None);
    for crl in of_issuer().filter(counts) {
        match crl.check_signature(issuer) {
            Ok(()) => {
                let mut entries = crl.0.revoked.iter();
                revoked = revoked.or(entries.find(|entry| entry.serial == certificate.serial_der()));
            }
            Err(why) if newest.is_none() || crl.check_use(issuer, at).is_ok() => unsigned = Some(why),
            Err(_) => {}
        }
    }
    if let Some(entry) = revoked {
        return Err(Error::Revoked {
            subject: certificate.subject().to_owned(),
            at: entry.at,
        });
    }
    match (newest, unsigned) {
        (Some(_), None) => Ok(()),
        (_, Some(problem)) => Err(unknown(problem)),
        (None, None) => Err(unknown(problem.unwrap_or_else(|| {
            format!(
                "there is no list of those that {} has revoked",
                certificate.issuer()
            )
        }))),
    }
}

fn read_entries(entries: Tlv<'_>, extensions: &mut Extensions) -> Parsed<Vec<Revoked>> {
    let mut entries = Cursor::new(entries.value, "revoked certificates");
    let mut revoked = Vec::new();
    while !entries.is_empty() {
        let mut entry = entries.inside(SEQUENCE, "revoked certificate")?;
        let serial = entry.one(INTEGER, "serial number")?.raw.to_vec();
        let at = Time::from_der(entry.any()?.raw)?;
        if !entry.is_empty() {
            let mut of_entry = entry.inside(SEQUENCE, "extensions")?;
            while !of_entry.is_empty() {
                let (oid, critical, _) = read_extension(&mut of_entry)?;
                if critical {
                    extensions.problem = Some(unsupported(oid));
                }
            }
        }
        entry.end()?;
        revoked.push(Revoked { serial, at });
    }
    Ok(revoked)
}

impl Extensions {
    /// Notes what a list's extensions say. That of a list of changes or of a list for some means the same when its issuer
    /// forgot to mark it as critical.
    fn read(&mut self, mut extensions: Cursor<'_>) -> Parsed<()> {
        while !extensions.is_empty() {
            let (oid, critical, value) = read_extension(&mut extensions)?;
            match oid {
                ISSUING_DISTRIBUTION_POINT => self.is_partial = true,
                DELTA_CRL_INDICATOR => self.is_delta = true,
                AUTHORITY_KEY_IDENTIFIER => {
                    let wrong =
                        |error| format!("a list of revoked certificates has a key identifier: {error}");
                    self.authority_key = Some(KeyId::read(value).map_err(wrong)?);
                }
                // OpenSSL knows no other, not even a number.
                oid if critical => self.problem = Some(unsupported(oid)),
                _ => {}
            }
        }
        Ok(())
    }
}

fn unsupported(oid: ObjectIdentifier) -> String {
    format!("has the critical extension {oid}, which is not supported")
}

/// An extension's name, whether it is critical, and its value.
fn read_extension<'a>(extensions: &mut Cursor<'a>) -> Parsed<(ObjectIdentifier, bool, &'a [u8])> {
    let mut extension = extensions.inside(SEQUENCE, "extension")?;
    let oid = read_oid(extension.one(OID, "name")?)?;
    let critical = extension.optional(BOOLEAN)?.is_some_and(|flag| flag.value != [0]);
    let value = extension.one(OCTET_STRING, "value")?.value;
    extension.end()?;
    Ok((oid, critical, value))
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
            read_entries(entries, &mut Extensions::default()).map(|revoked| revoked.len())
        };
        assert_eq!(entries(&[5]), Ok(1));
        assert!(entries(&[0, 5]).is_err(), "it would not be the certificate's");
    }
}
