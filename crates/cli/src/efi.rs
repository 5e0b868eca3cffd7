//! Programs that firmware starts: who signs them and says what the TPM will hold, and what is said of them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use serde::Serialize;
use signature::{Authenticode, Certificate, Identity, Key, PublicKey, Signer, Time};
use spec::{Detail, EfiSign, EfiSigner, Measurer, Plan, SecureBoot, SecureBootKey, Spec, UkiMeasure};
use uki::{PolicyBy, PolicySignatures, Variable};
use uuid::Uuid;

use crate::args::signing::{Credentials, Signing};
use crate::credentials;
use crate::failure::Failure;
use crate::ui::{Ui, hex};

/// What signs the programs of a build.
pub(crate) struct Programs {
    /// By the names of their parts.
    programs: BTreeMap<String, Program>,
    firmware: Option<Firmware>,
}

/// Whose programs firmware is to start.
struct Firmware {
    pk: (Identity, Key),
    kek: (Identity, Key),
    db: Vec<Certificate>,
    time: Option<Time>,
}

/// How a program gets its signatures.
#[derive(Default)]
struct Program {
    signed: Option<Signed>,
    measured: Option<Measured>,
}

/// How an image gets the signatures of what a TPM will hold.
struct Measured {
    key: PublicKey,
    pem: String,
    by: MeasuredBy,
}

enum MeasuredBy {
    /// They are made here.
    Here(Box<Key>),
    /// They were made elsewhere.
    Before(PolicySignatures),
    /// They are made elsewhere, later.
    Later,
}

enum Signed {
    /// Here.
    Here(Identity, Box<dyn Signer>),
    /// It was made elsewhere.
    Before(Vec<u8>),
    /// It is made elsewhere, later.
    Later,
}

impl Programs {
    /// Reads keys, certificates and signatures, and tries the keys out, for those programs that a build signs.
    pub(crate) fn read(
        spec: &Spec,
        options: &Signing,
        only: &[String],
        folder: &Path,
        ui: &Ui,
    ) -> Result<Programs, Failure> {
        let mut programs = BTreeMap::new();
        let ukis = spec
            .uki
            .iter()
            .map(|(key, uki)| (format!("uki.{key}"), uki.sign.as_ref(), uki.measure.as_ref()));
        let others = spec
            .efi
            .iter()
            .map(|(key, efi)| (format!("efi.{key}"), Some(&efi.sign), None));
        for (part, sign, measure) in ukis.chain(others) {
            if !spec::asks_for(spec, only, &part) {
                continue;
            }
            let program = Program {
                signed: sign
                    .map(|sign| Signed::read(&part, sign, options, folder, ui))
                    .transpose()?,
                measured: measure
                    .map(|said| Measured::read(&part, said, options, folder, ui))
                    .transpose()?,
            };
            programs.insert(part, program);
        }
        let asks =
            |variable: Variable| spec::asks_for(spec, only, &format!("secure-boot.{}", variable.name()));
        let is_asked = [Variable::Pk, Variable::Kek, Variable::Db].into_iter().any(asks);
        let said = spec.secure_boot.as_ref();
        let said = said.filter(|_| is_asked && !options.unsigned);
        let firmware = said.map(|said| Firmware::read(said, folder, ui)).transpose()?;
        let programs = Programs { programs, firmware };
        if asks(Variable::Db) {
            programs.check()?;
        }
        Ok(programs)
    }

    /// Refuses programs that this firmware would not start.
    fn check(&self) -> Result<(), Failure> {
        let Some(firmware) = &self.firmware else {
            return Ok(());
        };
        for (part, program) in &self.programs {
            if let Some(Signed::Here(identity, _)) = &program.signed
                && !identity.leads_to(&firmware.db)
            {
                return Err(Failure::usage(format!(
                    "{part}.sign: {} signs it, and secure-boot.db has neither that certificate nor one of its issuers: \
                     firmware with these keys would not start it",
                    identity.certificate.subject()
                ))
                .hint("name its certificate in secure-boot.db, or sign with another key"));
            }
        }
        Ok(())
    }
}

impl Firmware {
    fn read(said: &SecureBoot, folder: &Path, ui: &Ui) -> Result<Firmware, Failure> {
        let owner = |said: &SecureBootKey| -> Result<(Identity, Key), Failure> {
            let (path, certificate) = (folder.join(&said.key), folder.join(&said.certificate));
            let key = credentials::key(&path, None)?;
            credentials::warn_of_mode(&path, ["this private key", "a key's"], ui);
            let certificates = credentials::certificates(&certificate)?;
            let identity = credentials::identity(certificates, &certificate)?;
            // A key that is not its certificate's is told before the work.
            signature::sign_bare(b"rehearsal", &identity, &key)?;
            Ok((identity, key))
        };
        let mut db = Vec::new();
        for path in &said.db {
            db.extend(credentials::certificates(&folder.join(path))?);
        }
        let time = said
            .time
            .map(|seconds| credentials::seconds_time("secure-boot.time", seconds));
        Ok(Firmware {
            pk: owner(&said.pk)?,
            kek: owner(&said.kek)?,
            db,
            time: time.transpose()?,
        })
    }

    fn update(&self, variable: Variable, owner: Uuid) -> Result<Vec<u8>, uki::Error> {
        let certificate = |(identity, _): &(Identity, Key)| vec![identity.certificate.clone()];
        let (certificates, (identity, key)) = match variable {
            Variable::Pk => (certificate(&self.pk), &self.pk),
            Variable::Kek => (certificate(&self.kek), &self.pk),
            Variable::Db => (self.db.clone(), &self.kek),
        };
        let lists = uki::certificates_list(&certificates, owner)?;
        let time = self.time.unwrap_or_else(|| identity.certificate.not_before());
        uki::variable_update(variable, &lists, time, identity, key)
    }
}

impl Measured {
    fn read(
        part: &str,
        said: &UkiMeasure,
        options: &Signing,
        folder: &Path,
        ui: &Ui,
    ) -> Result<Measured, Failure> {
        let place = format!("{part}.measure");
        let key = match (&said.key, &said.public_key) {
            (Some(_), Some(_)) => {
                let problem = format!("{place}: key and public-key exclude each other");
                return Err(Failure::usage(problem));
            }
            (None, None) => {
                let hint = "`key` signs here; `public-key` is that of a key that is elsewhere";
                return Err(Failure::usage(format!("{place}: has no key")).hint(hint));
            }
            (Some(_), None) if said.attach.is_some() => {
                let problem = format!("{place}.attach: has signatures of a key that is elsewhere");
                return Err(Failure::usage(problem).hint("say `public-key` in place of `key`"));
            }
            (Some(path), None) => return Measured::here(&place, &folder.join(path), ui),
            (None, Some(path)) => folder.join(path),
        };
        let public = PublicKey::read_rsa_pem(&credentials::read(&key)?, &key.display().to_string())?;
        let pem = public.rsa_pem().unwrap_or_default();
        let attached = said.attach.as_ref().map(|file| folder.join(file));
        let by = match attached {
            Some(path) if path.exists() || !options.unsigned => {
                let read = PolicySignatures::read(&credentials::read(&path)?);
                let failed = |error| {
                    Failure::from(spec::Error::Uki {
                        part: place,
                        source: error,
                    })
                    .at(&path)
                };
                MeasuredBy::Before(read.map_err(failed)?)
            }
            None if !options.unsigned => {
                let problem = format!("{place}: has a public key, and nothing that it has signed");
                return Err(Failure::usage(problem).hint(
                    "`--unsigned` writes what is to be signed, and `attach` takes the signatures; or say `key`",
                ));
            }
            _ => MeasuredBy::Later,
        };
        Ok(Measured { key: public, pem, by })
    }

    /// With a key that is here.
    fn here(place: &str, path: &Path, ui: &Ui) -> Result<Measured, Failure> {
        let key = credentials::key(path, None)?;
        credentials::warn_of_mode(path, ["this private key", "a key's"], ui);
        let bad = || {
            Failure::usage(format!(
                "{place}.key: {}: systemd makes TPM policies for RSA keys only",
                path.display()
            ))
            .hint("`openssl genrsa 2048` makes one")
        };
        let public = key.public_key().ok_or_else(bad)?;
        let pem = public.rsa_pem().ok_or_else(bad)?;
        Ok(Measured {
            key: public,
            pem,
            by: MeasuredBy::Here(Box::new(key)),
        })
    }
}

impl Signed {
    fn read(
        part: &str,
        said: &EfiSign,
        options: &Signing,
        folder: &Path,
        ui: &Ui,
    ) -> Result<Signed, Failure> {
        if let Some(file) = &said.attach {
            let path = folder.join(file);
            if options.unsigned && !path.exists() {
                return Ok(Signed::Later);
            }
            let der = credentials::read(&path)?.to_vec();
            Authenticode::read(&der).map_err(|error| Failure::from(error).at(&path))?;
            return Ok(Signed::Before(der));
        }
        if options.unsigned {
            return Ok(Signed::Later);
        }
        // The keys of the options are bundles' first of all: they sign what has no key of its own.
        let own = if said.key.is_some() {
            Credentials::default()
        } else {
            options.signature.credentials.clone()
        };
        let place = format!("{part}.sign");
        let (identity, signer) = credentials::who_signs(&place, &own, &said.signing(), folder, ui)?;
        warn_of_key(part, &identity, ui);
        // Commands may ask people, and are not asked twice.
        if own.signer_cmd.is_none() {
            signature::sign_authenticode(&[0; 32], &identity, &*signer)?;
        }
        Ok(Signed::Here(identity, signer))
    }
}

/// Says so when no firmware will take a key's signature.
fn warn_of_key(part: &str, identity: &Identity, ui: &Ui) {
    let key = identity.certificate.public_key();
    if let Ok(key) = key
        && key.rsa().is_none()
    {
        ui.warn(&format!(
            "{part}: is signed with a key of the kind {key}: firmware takes RSA only, and will refuse to start it"
        ));
    }
}

impl EfiSigner for Programs {
    fn sign(&self, part: &str, digest: &[u8; 32]) -> Result<Option<Vec<u8>>, signature::Error> {
        match self
            .programs
            .get(part)
            .and_then(|program| program.signed.as_ref())
        {
            Some(Signed::Here(identity, signer)) => {
                signature::sign_authenticode(digest, identity, &**signer).map(Some)
            }
            Some(Signed::Before(der)) => Ok(Some(der.clone())),
            Some(Signed::Later) | None => Ok(None),
        }
    }

    fn measurer(&self, part: &str) -> Option<Measurer<'_>> {
        let measured = self.programs.get(part)?.measured.as_ref()?;
        Some(Measurer {
            key: measured.key.clone(),
            pem: measured.pem.clone().into_bytes(),
            by: match &measured.by {
                MeasuredBy::Here(key) => PolicyBy::Signer(&**key),
                MeasuredBy::Before(signatures) => PolicyBy::Signatures(signatures),
                MeasuredBy::Later => PolicyBy::Later,
            },
        })
    }

    fn enroll(&self, variable: Variable, owner: Uuid) -> Result<Option<Vec<u8>>, uki::Error> {
        let update = self
            .firmware
            .as_ref()
            .map(|firmware| firmware.update(variable, owner));
        update.transpose()
    }
}

/// Says what remains to be done for programs that are signed elsewhere.
pub(crate) fn warn(plan: &Plan, ui: &Ui) {
    for part in &plan.parts {
        if let (Detail::Uki { measured: false, .. }, Some((file, _))) = (&part.detail, part.files.last()) {
            ui.warn(&format!(
                "{}: lacks the signatures of what a TPM will hold; {file} is what is to be signed: build again with \
                 `{}.measure.attach`, the same with them",
                part.name, part.name
            ));
            continue;
        }
        let unsigned = matches!(
            part.detail,
            Detail::Uki {
                signed: Some(false),
                ..
            } | Detail::Efi { signed: false, .. }
        );
        if let Some((file, _)) = part.files.first().filter(|_| unsigned) {
            ui.warn(&format!(
                "{}: is not signed; {file} is what is to be signed: build again with `{}.sign.attach`, the signature",
                part.name, part.name
            ));
        }
    }
}

/// What is said of a unified kernel image.
#[derive(Serialize)]
pub(crate) struct UkiEntry {
    machine: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    stub: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signed: Option<bool>,
    profiles: Vec<ProfileEntry>,
}

/// A profile, and what PCR 11 (SHA-256) will be: at first, and when these phases have been entered.
#[derive(Debug, Serialize)]
pub(crate) struct ProfileEntry {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    /// For each device tree of which the stub takes one; one where there are none.
    pcr11: Vec<PcrEntry>,
}

/// A value of PCR 11, as it grows.
#[derive(Debug, Serialize)]
struct PcrEntry {
    measured: String,
    phases: BTreeMap<&'static str, String>,
}

impl PcrEntry {
    fn new(value: [u8; 32]) -> PcrEntry {
        let after = |phases: &'static str| (phases, hex(&uki::after_phases(value, phases)));
        PcrEntry {
            measured: hex(&value),
            phases: uki::PHASES.into_iter().map(after).collect(),
        }
    }
}

/// What the profiles of an image are, and what a TPM will hold.
pub(crate) fn profiles(profiles: &[uki::Profile]) -> Vec<ProfileEntry> {
    let entry = |profile: &uki::Profile| ProfileEntry {
        id: profile.id.clone(),
        pcr11: profile.pcr11.iter().map(|value| PcrEntry::new(*value)).collect(),
    };
    profiles.iter().map(entry).collect()
}

impl UkiEntry {
    /// What is said of a part, if it is such an image.
    pub(crate) fn new(detail: &Detail) -> Option<UkiEntry> {
        let Detail::Uki {
            machine,
            stub,
            profiles,
            signed,
            ..
        } = detail
        else {
            return None;
        };
        Some(UkiEntry {
            machine: machine.clone(),
            stub: stub.clone(),
            signed: *signed,
            profiles: self::profiles(profiles),
        })
    }

    /// The lines for people.
    pub(crate) fn describe(&self, head: &str, bytes: &str, text: &mut String) -> std::fmt::Result {
        let stub = self
            .stub
            .as_ref()
            .map_or_else(String::new, |stub| format!(", stub {stub}"));
        writeln!(
            text,
            "{head}: unified kernel image for {}, {bytes}{stub}",
            self.machine
        )?;
        for profile in &self.profiles {
            let name = profile
                .id
                .as_ref()
                .map_or_else(String::new, |id| format!(" of profile {id}"));
            for value in &profile.pcr11 {
                writeln!(text, "  PCR 11{name}: {}", value.measured)?;
                // In the order in which a system enters them.
                for phases in uki::PHASES {
                    let last = phases.rsplit(':').next().unwrap_or(phases);
                    writeln!(
                        text,
                        "    {last}: {}",
                        value.phases.get(phases).map_or("", String::as_str)
                    )?;
                }
            }
        }
        Ok(())
    }
}
