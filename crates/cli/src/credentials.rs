//! Who signs and whom to trust: from options and keys to identities, signers and trust. Keys are read here, used, and
//! forgotten.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use signature::{At, Certificate, ChainEnd, Crl, CrlCheck, Identity, Key, Purpose, Signer, Time, Trust};
use zeroize::Zeroizing;

use crate::args::signing as args;
use crate::failure::Failure;
use crate::stop;
use crate::ui::Ui;

/// Everything that a signature needs.
pub(crate) struct Credentials {
    pub(crate) identity: Identity,
    pub(crate) signer: Box<dyn Signer>,
    pub(crate) time: Time,
}

impl Credentials {
    /// Signs something else and looks at it with the devices' eyes, so that whoever gave the wrong files learns it at once.
    /// Commands may ask people, and are not asked twice.
    pub(crate) fn rehearse(&self, trust: &Trust) -> Result<(), Failure> {
        let cms = signature::sign(b"rehearsal", &self.identity, &*self.signer, Some(self.time))?;
        signature::verify(&cms, trust)?;
        Ok(())
    }
}

/// The largest key, certificate or list that is read.
const FILE_MAX: u64 = 4 << 20;

/// Reads a small file whole. Its path is all that an error says of it.
pub(crate) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let shown = path.display();
    let failed = |error: std::io::Error| Failure::input(format!("{shown}: cannot be read: {error}"));
    let mut bytes = Zeroizing::new(Vec::with_capacity(64 << 10));
    let file = File::open(path).map_err(failed)?;
    file.take(FILE_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > FILE_MAX {
        return Err(Failure::input(format!(
            "{shown}: has more than {FILE_MAX} bytes, the limit"
        )));
    }
    Ok(bytes)
}

/// The options, and where they are silent the specification, whose paths start at `folder`.
pub(crate) fn credentials(
    args: &args::Credentials,
    said: &spec::Signing,
    folder: &Path,
    ui: &Ui,
) -> Result<Credentials, Failure> {
    let (identity, signer) = who_signs("the bundle", args, said, folder, ui)?;
    let time = match said_time(args.signing_time.as_deref(), ("bundle.sign.time", said.time))? {
        Some(time) => time,
        None => first_time(&identity, ui),
    };
    Ok(Credentials {
        identity,
        signer,
        time,
    })
}

/// Who signs `what`, by the options and, where they are silent, the specification.
pub(crate) fn who_signs(
    what: &str,
    args: &args::Credentials,
    said: &spec::Signing,
    folder: &Path,
    ui: &Ui,
) -> Result<(Identity, Box<dyn Signer>), Failure> {
    let from_spec = |path: &PathBuf| folder.join(path);
    let certificate = args
        .certificate
        .clone()
        .or_else(|| said.certificate.as_ref().map(from_spec));
    let Some(certificate) = certificate else {
        let hint = "give --certificate and --key, or --unsigned to sign it elsewhere";
        return Err(Failure::usage(format!("nobody signs {what}: there is no certificate")).hint(hint));
    };
    let mut certificates = certificates(&certificate)?.into_iter();
    let Some(signer) = certificates.next() else {
        return Err(Failure::input(format!(
            "{}: holds no certificate",
            certificate.display()
        )));
    };
    let mut intermediates: Vec<Certificate> = certificates.collect();
    let more: Vec<PathBuf> = if args.intermediate.is_empty() {
        said.intermediates.iter().map(from_spec).collect()
    } else {
        args.intermediate.clone()
    };
    for path in more {
        intermediates.extend(self::certificates(&path)?);
    }
    let identity = Identity {
        certificate: signer,
        intermediates,
    };
    let Some(signer) = self::signer(&args.signer(), said.key.as_deref(), folder, ui)? else {
        let hint = "give --key, --signer-cmd for a key that lives elsewhere, or --unsigned";
        return Err(Failure::usage(format!("nobody signs {what}: there is no key")).hint(hint));
    };
    Ok((identity, signer))
}

/// What signs, by the options and, where they are silent, the specification's key; none where nobody says one.
pub(crate) fn signer(
    args: &args::Signer,
    said: Option<&Path>,
    folder: &Path,
    ui: &Ui,
) -> Result<Option<Box<dyn Signer>>, Failure> {
    if let Some(command) = &args.signer_cmd {
        let timeout = Duration::from_secs(args.signer_timeout);
        return Ok(Some(Box::new(signature::Command {
            stop: stop::flag(),
            ..signature::Command::shell(command, timeout)
        })));
    }
    let said = said.map(|file| folder.join(file));
    let Some(path) = args.key.clone().or(said) else {
        return Ok(None);
    };
    let key = key(&path, args.passphrase_file.as_deref())?;
    warn_of_mode(&path, ["this private key", "a key's"], ui);
    Ok(Some(Box::new(key)))
}

/// The key in a file.
pub(crate) fn key(path: &Path, passphrase: Option<&Path>) -> Result<Key, Failure> {
    let text = read(path)?;
    let passphrase = passphrase.map(read).transpose()?;
    let lines = passphrase.as_ref().map(|text| text.split(|byte| *byte == b'\n'));
    let line = lines.and_then(|mut lines| lines.next());
    let line = line.map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    Key::read(&text, line).map_err(|error| at(path, error))
}

/// A signer's certificate and what follows it in a file.
pub(crate) fn identity(certificates: Vec<Certificate>, path: &Path) -> Result<Identity, Failure> {
    let mut certificates = certificates.into_iter();
    let Some(certificate) = certificates.next() else {
        return Err(Failure::usage(format!("{}: has no certificate", path.display())));
    };
    Ok(Identity {
        certificate,
        intermediates: certificates.collect(),
    })
}

/// All certificates in a file.
pub(crate) fn certificates(path: &Path) -> Result<Vec<Certificate>, Failure> {
    let bytes = read(path)?;
    Certificate::read_pem_or_der(&bytes, &path.to_string_lossy()).map_err(Failure::from)
}

/// The certificates of a keyring, which has to be one that devices can read.
fn keyring(path: &Path) -> Result<Vec<Certificate>, Failure> {
    let bytes = read(path)?;
    let shown = path.display();
    Certificate::read_keyring(&bytes, &path.to_string_lossy()).map_err(|error| {
        let failure = Failure::from(error);
        if Certificate::is_der(&bytes) {
            let hint =
                format!("`openssl x509 -inform DER -in {shown} -out KEYRING.pem` makes one that they read");
            return failure.hint(hint);
        }
        failure
    })
}

/// Says so when a file with secrets can be read or written by others.
pub(crate) fn warn_of_mode(path: &Path, [what, whose]: [&str; 2], ui: &Ui) {
    let Ok(meta) = std::fs::metadata(path) else {
        return;
    };
    let mode = meta.mode() & 0o777;
    let (shown, others) = (path.display(), mode & 0o077);
    if meta.is_file() && others != 0 {
        let may = if others & 0o022 == 0 { "read" } else { "change" };
        ui.warn(&format!(
            "{shown}: other users may {may} {what}: its mode is {mode:04o}, and {whose} should be 0600"
        ));
    }
}

fn at(path: &Path, error: signature::Error) -> Failure {
    Failure::from(error).at(path)
}

/// The time of signing that somebody says: an option, the key at `place`, or the environment.
pub(crate) fn said_time(
    given: Option<&str>,
    (place, said): (&str, Option<u64>),
) -> Result<Option<Time>, Failure> {
    if let Some(text) = given {
        return time("--signing-time", text).map(Some);
    }
    if let Some(seconds) = said {
        return seconds_time(place, seconds).map(Some);
    }
    #[expect(
        clippy::disallowed_methods,
        reason = "the usual way to say which time a build has"
    )]
    let epoch = std::env::var("SOURCE_DATE_EPOCH");
    epoch
        .ok()
        .map(|epoch| time("SOURCE_DATE_EPOCH", &epoch))
        .transpose()
}

/// The certificate that becomes valid last.
pub(crate) fn latest<'a>(first: &'a Certificate, others: &'a [Certificate]) -> &'a Certificate {
    others.iter().fold(first, |latest, other| {
        if other.not_before() > latest.not_before() {
            other
        } else {
            latest
        }
    })
}

/// The time that a signature shows where nobody says one. It is part of the bundle's bytes, so no clock decides it: it is
/// the first at which all certificates that are in the signature are valid.
fn first_time(identity: &Identity, ui: &Ui) -> Time {
    let latest = latest(&identity.certificate, &identity.intermediates);
    let time = latest.not_before();
    ui.warn(&format!(
        "the bundle is signed as of {time}, when the certificate of {} becomes valid: no signing time was given \
         (--signing-time, bundle.sign.time or $SOURCE_DATE_EPOCH)",
        latest.subject()
    ));
    time
}

fn time(place: &str, text: &str) -> Result<Time, Failure> {
    if text == "now" {
        return now();
    }
    let bad = || Failure::usage(format!("{place}: {text:?}: must be seconds since 1970, or `now`"));
    seconds_time(place, text.parse().map_err(|_| bad())?)
}

pub(crate) fn seconds_time(place: &str, seconds: u64) -> Result<Time, Failure> {
    let late = || Failure::usage(format!("{place}: {seconds}: is later than any certificate"));
    Time::from_seconds(seconds).ok_or_else(late)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the user has asked for it, and no image depends on it"
)]
fn now() -> Result<Time, Failure> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = now.map_err(|_| Failure::usage("the clock shows a time before 1970"))?;
    seconds_time("the clock", now.as_secs())
}

/// Whom to trust now, as a device with a clock does.
pub(crate) fn trust_now(args: &args::Trust) -> Result<Trust, Failure> {
    let at = args.at.clone().or_else(|| Some("now".to_string()));
    let args = args::Trust { at, ..args.clone() };
    trust(&args, &spec::Signing::default(), Path::new(""))
}

/// Whom to trust, by the options and, where they are silent, the specification.
pub(crate) fn trust(args: &args::Trust, said: &spec::Signing, folder: &Path) -> Result<Trust, Failure> {
    let from_spec = |path: &PathBuf| folder.join(path);
    let keyring = args
        .keyring
        .clone()
        .or_else(|| said.keyring.as_ref().map(from_spec));
    let Some(keyring) = keyring else {
        let hint = "give --keyring with the certificates that devices trust";
        return Err(Failure::usage("nobody is trusted: there is no keyring").hint(hint));
    };
    let purpose = match (args.purpose, said.purpose.as_deref()) {
        (Some(args::Purpose::Smimesign), _) | (None, None | Some("smimesign")) => Purpose::SmimeSign,
        (Some(args::Purpose::Codesign), _) | (None, Some("codesign")) => Purpose::CodeSign,
        (Some(args::Purpose::Any), _) | (None, Some("any")) => Purpose::Any,
        (None, Some(other)) => {
            let problem = format!("bundle.sign.purpose: {other:?}: must be smimesign, codesign or any");
            return Err(Failure::usage(problem));
        }
    };
    let mut crls = Vec::new();
    for path in &args.crl {
        let lists = Crl::read_some(&read(path)?, &path.to_string_lossy())?;
        crls.extend(lists);
    }
    let at = match args.at.as_deref() {
        None => At::SigningTime,
        Some(text) => At::Time(time("--at", text)?),
    };
    // Whoever gives lists wants them to count.
    let crl_check = if crls.is_empty() {
        CrlCheck::Ignore
    } else {
        CrlCheck::Require
    };
    let chain_end = if args.partial_chain {
        ChainEnd::Partial
    } else {
        ChainEnd::Root
    };
    Ok(Trust {
        crls,
        crl_check,
        purpose,
        at,
        chain_end,
        allowed_signers: args.allowed_signer.clone(),
        anchors: self::keyring(&keyring)?,
        ..Trust::default()
    })
}
