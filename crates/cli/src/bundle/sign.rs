//! Signatures come and change: `sign`, `attach`, `resign`.

use std::path::Path;
use std::sync::Arc;

use ::bundle::{Bundle, Signed, Unsigned};
use image::{Sums, Target};
use signature::Trust;
use spec::{Signing, Transport};

use super::info::signer;
use super::open::{read_failure, signed, unsigned, work};
use crate::args::bundle::{Attach, Resign, Sign};
use crate::args::signing;
use crate::credentials::{self, Credentials};
use crate::failure::Failure;
use crate::folder;
use crate::manifest::Made;
use crate::outputs;
use crate::ui::Ui;

pub(super) fn sign(args: &Sign, threads: usize, ui: &Ui) -> Result<(), Failure> {
    let (credentials, trust) = signature(&args.signature, ui)?;
    let bundle = unsigned(&args.bundle)?;
    check(&args.bundle, &bundle, threads, ui)?;
    let signed = bundle.sign(&credentials.identity, &*credentials.signer, credentials.time)?;
    write(&signed, &trust, &args.out, threads, ui)
}

pub(super) fn attach(args: &Attach, threads: usize, ui: &Ui) -> Result<(), Failure> {
    let trust = credentials::trust(&args.trust, &Signing::default(), Path::new(""))?;
    let bundle = unsigned(&args.bundle)?;
    check(&args.bundle, &bundle, threads, ui)?;
    let signature = credentials::read(&args.signature)?;
    let signed = bundle.attach(signature.to_vec());
    let signed = signed.map_err(|error| read_failure(&args.signature, &error))?;
    write(&signed, &trust, &args.out, threads, ui)
}

pub(super) fn resign(args: &Resign, threads: usize, ui: &Ui) -> Result<(), Failure> {
    let (credentials, trust) = signature(&args.signature, ui)?;
    let new = &args.signature.trust;
    // What is asked of the new signature is not asked of the old one.
    let old = credentials::trust_now(&signing::Trust {
        keyring: args.old_keyring.clone().or_else(|| new.keyring.clone()),
        purpose: new.purpose,
        at: args.old_at.clone(),
        ..signing::Trust::default()
    })?;
    let bundle = signed(&args.bundle)?;
    // Nobody signs what they have not checked.
    let (_, _) = ::bundle::verify(&bundle, &old, &work(threads, ui))
        .map_err(|error| read_failure(&args.bundle, &error))?;
    let unsigned = bundle.unsign()?;
    let signed = unsigned.sign(&credentials.identity, &*credentials.signer, credentials.time)?;
    write(&signed, &trust, &args.out, threads, ui)
}

/// What the options say: there is no specification here.
fn signature(args: &signing::Signature, ui: &Ui) -> Result<(Credentials, Trust), Failure> {
    let said = Signing::default();
    let here = Path::new("");
    let credentials = credentials::credentials(&args.credentials, &said, here, ui)?;
    let trust = credentials::trust(&args.trust, &said, here)?;
    Ok((credentials, trust))
}

fn check(path: &Path, bundle: &Unsigned, threads: usize, ui: &Ui) -> Result<(), Failure> {
    ::bundle::check(bundle, &work(threads, ui)).map_err(|error| read_failure(path, &error))?;
    Ok(())
}

/// Writes a bundle whose payload was checked, unless its signature is not good for the devices.
fn write(signed: &Signed, trust: &Trust, out: &Path, threads: usize, ui: &Ui) -> Result<(), Failure> {
    let (verified, _) = ::bundle::verify_signature(signed, trust)?;
    let out = &folder::followed(out);
    folder::of(out)?;
    let target = Target::claim(out)?;
    let image = signed.image()?;
    let transport = Transport {
        sums: Sums::File,
        ..Transport::default()
    };
    let (written, _) = outputs::write(target, &image, transport, threads, ui)?;
    // Whoever changed the input meanwhile has changed nothing that gets a name.
    let copy = ::bundle::open(Arc::new(written.reader()?), written.size)?;
    let Bundle::Signed(copy) = copy else {
        return Err(Failure::input("the bundle changed while it was copied"));
    };
    ::bundle::verify(&copy, trust, &work(threads, ui))?;
    let made = Made::new(out, &written);
    written.keep()?;
    if ui.json() {
        return ui.print_json(&made);
    }
    ui.print(&format!("{}signed by {}\n", made.line(), signer(&verified)))
}
