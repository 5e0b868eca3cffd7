//! The signatures of root hashes: who makes them, and whether devices take them.

use std::collections::BTreeMap;
use std::path::Path;

use signature::{At, Bare, Certificate, Identity, Signer, Trust};
use spec::{Plan, RootSigner, Spec, VeritySignature};

use crate::args::signing::{Signature, Signing};
use crate::credentials;
use crate::failure::Failure;
use crate::ui::Ui;

/// What signs the root hashes of a build, by the names of their trees.
pub(crate) struct Roots(BTreeMap<String, Root>);

/// How a root hash gets its signature.
struct Root {
    signed: Signed,
    /// Those for whom it has to be good, if anybody is asked.
    trust: Option<Trust>,
}

enum Signed {
    /// Here.
    Here(Identity, Box<dyn Signer>),
    /// It was made elsewhere.
    Before(Vec<u8>),
    /// It is made elsewhere, later.
    Later,
}

impl Roots {
    /// Reads keys, certificates and signatures, and tries the keys out, for those root hashes that a build signs.
    pub(crate) fn read(
        spec: &Spec,
        options: &Signing,
        only: &[String],
        folder: &Path,
        ui: &Ui,
    ) -> Result<Roots, Failure> {
        let mut roots = BTreeMap::new();
        for (tree, verity) in &spec.verity {
            let Some(said) = &verity.signature else {
                continue;
            };
            let place = format!("verity.{tree}.signature");
            if spec::asks_for(spec, only, &place) {
                let root = Root::read(&place, said, options, folder, ui)?;
                roots.insert(tree.clone(), root);
            }
        }
        Ok(Roots(roots))
    }
}

impl Root {
    fn read(
        place: &str,
        said: &VeritySignature,
        args: &Signing,
        folder: &Path,
        ui: &Ui,
    ) -> Result<Root, Failure> {
        let later = Root {
            signed: Signed::Later,
            trust: None,
        };
        let signature = &args.signature;
        let own = &signature.credentials;
        let is_signed_here = own.key.is_some() || own.signer_cmd.is_some();
        if let Some(file) = said.attach.as_ref().filter(|_| !is_signed_here) {
            let path = folder.join(file);
            if args.unsigned && !path.exists() {
                return Ok(later);
            }
            let der = credentials::read(&path)?.to_vec();
            let bare = Bare::read(&der).map_err(|error| {
                let hint = "`openssl smime -sign -binary -noattr -outform DER` makes one that Linux accepts";
                Failure::from(error).at(&path).hint(hint)
            })?;
            let contents = bare.contents();
            let trust = trust(
                place,
                said,
                signature,
                [&contents.signer],
                &contents.others,
                folder,
            )?;
            let signed = Signed::Before(der);
            return Ok(Root { signed, trust });
        }
        if args.unsigned {
            return Ok(later);
        }
        let (identity, signer) = credentials::who_signs(place, own, &said.signing(), folder, ui)?;
        let trust = trust(
            place,
            said,
            signature,
            [&identity.certificate],
            &identity.intermediates,
            folder,
        )?;
        let root = Root {
            signed: Signed::Here(identity, signer),
            trust,
        };
        // Commands may ask people, and are not asked twice.
        if own.signer_cmd.is_none() {
            root.sign(b"rehearsal")?;
        }
        Ok(root)
    }

    fn sign(&self, text: &[u8]) -> Result<Option<Vec<u8>>, signature::Error> {
        let der = match &self.signed {
            Signed::Here(identity, signer) => signature::sign_bare(text, identity, &**signer)?,
            Signed::Before(der) => der.clone(),
            Signed::Later => return Ok(None),
        };
        if let Some(trust) = &self.trust {
            Bare::read(&der)?.verify(text, trust)?;
        }
        Ok(Some(der))
    }
}

impl RootSigner for Roots {
    fn sign(&self, tree: &str, text: &[u8]) -> Result<Option<Vec<u8>>, signature::Error> {
        self.0.get(tree).map_or(Ok(None), |root| root.sign(text))
    }
}

/// Whom to trust, where somebody says it. The signature has no time; where nobody says one, certificates are looked at as of
/// when they are all valid, which is what a kernel does that looks at no time at all.
fn trust(
    place: &str,
    said: &VeritySignature,
    args: &Signature,
    [signer]: [&Certificate; 1],
    others: &[Certificate],
    folder: &Path,
) -> Result<Option<Trust>, Failure> {
    if args.trust.keyring.is_none() && said.keyring.is_none() {
        return Ok(None);
    }
    let any = || Some("any".to_owned());
    let said = spec::Signing {
        purpose: said.purpose.clone().or_else(any),
        ..said.signing()
    };
    let trust = credentials::trust(&args.trust, &said, folder)?;
    let time = (format!("{place}.time"), said.time);
    let time = credentials::said_time(args.credentials.signing_time.as_deref(), (&time.0, time.1))?;
    let time = time.unwrap_or_else(|| credentials::latest(signer, others).not_before());
    let at = match trust.at {
        At::SigningTime => At::Time(time),
        at @ At::Time(_) => at,
    };
    Ok(Some(Trust { at, ..trust }))
}

/// Says what remains to be done for signatures that are made elsewhere.
pub(crate) fn warn(plan: &Plan, ui: &Ui) {
    for part in &plan.parts {
        let unsigned = matches!(part.detail, spec::Detail::RootSignature { signed: false, .. });
        let file = part.files.first().filter(|_| unsigned);
        if let Some((file, _)) = file {
            ui.warn(&format!(
                "{}: is not signed, and its partition holds zeros; {file} is what is to be signed: build again with \
                 `{}.attach`",
                part.name, part.name
            ));
        }
    }
}
