//! The signature of a bundle that is built together with everything else.

use std::path::Path;

use image::{Content, Progress};
use signature::Trust;
use spec::{Plan, Spec};

use crate::args::build::Build;
use crate::credentials::{self, Credentials};
use crate::failure::Failure;
use crate::ui::Ui;

/// What becomes of the bundle.
pub(crate) enum Signing {
    /// There is none.
    NoBundle,
    /// It is signed elsewhere.
    Unsigned,
    /// It is signed here, and has to be good for these.
    Signed(Box<(Credentials, Trust)>),
}

impl Signing {
    /// Reads keys and certificates, if the build has a bundle.
    pub(crate) fn read(spec: &Spec, args: &Build, folder: &Path, ui: &Ui) -> Result<Signing, Failure> {
        let asked = args.only.is_empty() || args.only.iter().any(|only| only == "bundle");
        let Some(bundle) = spec.bundle.as_ref().filter(|_| asked) else {
            return Ok(Signing::NoBundle);
        };
        let signing = &args.making.signing;
        if signing.unsigned {
            return Ok(Signing::Unsigned);
        }
        let signature = &signing.signature;
        let trust = credentials::trust(&signature.trust, &bundle.sign, folder)?;
        let credentials = credentials::credentials(&signature.credentials, &bundle.sign, folder, ui)?;
        if signature.credentials.signer_cmd.is_none() {
            credentials.rehearse(&trust)?;
        }
        Ok(Signing::Signed(Box::new((credentials, trust))))
    }

    /// The outputs of the bundle: a signed one, or an unsigned one and what is to be signed.
    pub(crate) fn sign(&self, plan: &Plan) -> Result<Bundled<'_>, Failure> {
        let planned = plan.bundle.as_ref();
        let planned = planned.and_then(|planned| Some((&planned.file, planned.unsigned.clone()?)));
        let Some((file, unsigned)) = planned else {
            return Ok(Bundled::default());
        };
        let Signing::Signed(signed) = self else {
            let (file, manifest) = spec::unsigned_bundle(file);
            let text = Content::from(unsigned.text().to_vec());
            return Ok(Bundled {
                files: vec![(file, unsigned.image()?.into()), (manifest, text)],
                signed: None,
            });
        };
        let (credentials, trust) = &**signed;
        let bundle = unsigned.sign(&credentials.identity, &*credentials.signer, credentials.time)?;
        Ok(Bundled {
            files: vec![(file.clone(), bundle.image()?.into())],
            signed: Some((bundle, trust)),
        })
    }
}

/// What becomes of a plan's bundle.
#[derive(Default)]
pub(crate) struct Bundled<'a> {
    /// The outputs.
    pub(crate) files: Vec<(String, Content)>,
    /// The first one, if it is signed, and those for whom it has to be good.
    signed: Option<(::bundle::Signed, &'a Trust)>,
}

impl Bundled<'_> {
    /// How many bytes are looked at to [check](Bundled::check) it; none when there is nothing to check.
    pub(crate) fn check_len(&self) -> Option<u64> {
        let (signed, _) = self.signed.as_ref()?;
        // All blocks and, once more, what lies in them.
        Some(2 * signed.payload().len())
    }

    /// Checks that every device with the keyring takes it.
    pub(crate) fn check(&self, out: &Path, threads: usize, progress: &dyn Progress) -> Result<(), Failure> {
        let Some((signed, trust)) = &self.signed else {
            return Ok(());
        };
        let work = ::bundle::Work {
            folder: out,
            threads,
            progress,
            segments: None,
        };
        ::bundle::verify(signed, trust, &work)?;
        Ok(())
    }
}
