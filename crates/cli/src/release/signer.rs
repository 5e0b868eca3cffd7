//! Who signs a release.

use std::path::Path;
use std::sync::OnceLock;

use signature::{Certificate, OpenPgpKey, OpenPgpSignature, Signer};
use spec::{ReleaseSign, ReleaseSigner, Spec};

use crate::args::signing::{Credentials, Signer as Args, Signing};
use crate::credentials;
use crate::failure::Failure;
use crate::ui::Ui;

/// When a key was made of which nobody says it: gpg takes no zero.
const USUAL_TIME: u32 = 1;

/// What signs a release.
pub(crate) struct Releases {
    signed: Signed,
    /// What the key is called, if somebody says it.
    user: Option<String>,
    /// The keys that devices have, if somebody gives them.
    given: Option<Vec<u8>>,
    /// The keyring that was made. Commands may ask people, and are not asked twice.
    made: OnceLock<Vec<u8>>,
}

/// How a release gets its signature.
enum Signed {
    /// Not at all.
    Nobody,
    /// Here, at a time.
    Here(OpenPgpKey, u32, Box<dyn Signer>),
    /// It was made elsewhere; a key may be known that it should be by.
    Before(Vec<u8>, Option<OpenPgpKey>),
    /// It is made elsewhere, later.
    Later,
}

impl Releases {
    /// Reads the key, and tries it out, if the build has a release or a keyring.
    pub(crate) fn read(
        spec: &Spec,
        options: &Signing,
        only: &[String],
        folder: &Path,
        ui: &Ui,
    ) -> Result<Releases, Failure> {
        let is_asked = spec::asks_for(spec, only, "release.keyring");
        let said = spec.release.as_ref().and_then(|release| release.sign.as_ref());
        let Some(said) = said.filter(|_| is_asked) else {
            return Ok(Releases::new(Signed::Nobody, None, None));
        };
        let given = said.keyring.as_ref().map(|file| keyring(&folder.join(file)));
        let given = given.transpose()?;
        let user = said.user.clone();
        // Where both are said, the specification is wrong, and says so.
        if let Some(file) = said.attach.as_ref().filter(|_| said.key.is_none()) {
            let path = folder.join(file);
            if options.unsigned && !path.exists() {
                return Ok(Releases::new(Signed::Later, user, given));
            }
            let bytes = credentials::read(&path)?.to_vec();
            OpenPgpSignature::read(&bytes).map_err(|error| Failure::from(error).at(&path))?;
            let key = public_key(said, folder)?;
            if key.is_none() && given.is_none() {
                let hint = "say keyring, the keys that devices have, or the certificate of the key";
                return Err(
                    Failure::usage("release.sign.attach: nobody says whose signature it is").hint(hint),
                );
            }
            return Ok(Releases::new(Signed::Before(bytes, key), user, given));
        }
        if options.unsigned {
            return Ok(Releases::new(Signed::Later, user, given));
        }
        // The keys of the options are bundles' first of all: they sign what has no key of its own.
        let own = match said.key {
            Some(_) => Credentials::default(),
            None => options.signature.credentials.clone(),
        };
        let signer = Releases::of(&own.signer(), said, folder, ui)?;
        Ok(Releases {
            user,
            given,
            ..signer
        })
    }

    /// One that signs here.
    pub(crate) fn of(args: &Args, said: &ReleaseSign, folder: &Path, ui: &Ui) -> Result<Releases, Failure> {
        let certificate = args
            .certificate
            .clone()
            .or_else(|| said.certificate.as_ref().map(|file| folder.join(file)));
        let certificate = match &certificate {
            None => None,
            Some(path) => credentials::certificates(path)?.into_iter().next(),
        };
        let Some(signer) = credentials::signer(args, said.key.as_deref(), folder, ui)? else {
            let hint = "give key, --signer-cmd for a key that lives elsewhere, or --unsigned";
            return Err(Failure::usage("nobody signs the release: there is no key").hint(hint));
        };
        let of_certificate = certificate
            .as_ref()
            .map(|certificate| certificate.public_key().cloned());
        let public = match (of_certificate.transpose()?, signer.public_key()) {
            (Some(public), Some(own)) if public != own => {
                let subject = certificate.as_ref().map(|known| known.subject().to_owned());
                return Err(signature::Error::KeyMismatch {
                    subject: subject.unwrap_or_default(),
                }
                .into());
            }
            (Some(public), _) | (None, Some(public)) => public,
            (None, None) => {
                let hint = "give the key's certificate: it has the public key, which the keyring and the signature need";
                return Err(
                    Failure::usage("the release is signed elsewhere: there is no certificate").hint(hint),
                );
            }
        };
        let made = made(said, certificate.as_ref());
        let time = said.time.unwrap_or(made);
        if time < made {
            return Err(Failure::usage(format!(
                "release.sign.time: {time}: is before {made}, when the key was made, and gpg would refuse the signature"
            )));
        }
        let key = OpenPgpKey::new(&public, made)?;
        if args.signer_cmd.is_none() {
            key.sign(b"rehearsal", time, &*signer)?;
        }
        Ok(Releases::new(
            Signed::Here(key, time, signer),
            said.user.clone(),
            None,
        ))
    }

    fn new(signed: Signed, user: Option<String>, given: Option<Vec<u8>>) -> Releases {
        Releases {
            signed,
            user,
            given,
            made: OnceLock::new(),
        }
    }

    /// The signature of the sums; none where it is made elsewhere, or by nobody. Devices with the keyring take it.
    pub(crate) fn sign(&self, sums: &[u8]) -> Result<Option<Vec<u8>>, Failure> {
        let (signature, mut keys) = match &self.signed {
            Signed::Nobody | Signed::Later => return Ok(None),
            Signed::Here(key, time, signer) => (key.sign(sums, *time, &**signer)?, vec![key.clone()]),
            Signed::Before(signature, key) => (signature.clone(), key.iter().cloned().collect()),
        };
        if let Some(given) = &self.given {
            keys = OpenPgpKey::read_keyring(given, "release.sign.keyring")?;
        }
        OpenPgpSignature::read(&signature)?
            .verify(sums, &keys)
            .map_err(|error| {
                Failure::from(error)
                    .hint("what is signed is SHA256SUMS, byte for byte: `kiln build --unsigned` writes it")
            })?;
        Ok(Some(signature))
    }

    /// Whether somebody signs it.
    pub(crate) fn is_later(&self) -> bool {
        matches!(self.signed, Signed::Later)
    }
}

impl ReleaseSigner for Releases {
    fn keyring(&self, id: &str) -> Result<Option<Vec<u8>>, signature::Error> {
        if let Some(known) = self.given.as_ref().or_else(|| self.made.get()) {
            return Ok(Some(known.clone()));
        }
        let Signed::Here(key, _, signer) = &self.signed else {
            return Ok(None);
        };
        let keyring = key.keyring(self.user.as_deref().unwrap_or(id), &**signer)?;
        Ok(Some(self.made.get_or_init(|| keyring).clone()))
    }
}

/// The keys in a file.
fn keyring(path: &Path) -> Result<Vec<u8>, Failure> {
    let bytes = credentials::read(path)?.to_vec();
    OpenPgpKey::read_keyring(&bytes, &path.to_string_lossy())?;
    Ok(bytes)
}

/// The key that a certificate says.
fn public_key(said: &ReleaseSign, folder: &Path) -> Result<Option<OpenPgpKey>, Failure> {
    let Some(file) = &said.certificate else {
        return Ok(None);
    };
    let Some(certificate) = credentials::certificates(&folder.join(file))?.into_iter().next() else {
        return Ok(None);
    };
    let made = made(said, Some(&certificate));
    Ok(Some(OpenPgpKey::new(certificate.public_key()?, made)?))
}

/// When a key was made.
fn made(said: &ReleaseSign, certificate: Option<&Certificate>) -> u32 {
    let first = certificate.map(|certificate| certificate.not_before().seconds());
    let first = first.and_then(|seconds| u32::try_from(seconds).ok());
    said.key_time.or(first).unwrap_or(USUAL_TIME)
}
