//! Releases for systemd-sysupdate: signed with builds or behind them, and verified.

mod entry;
mod finish;
mod signer;
mod verify;

use std::path::Path;

use image::{Content, Fault, Sums, Target};
use release::sums;
use signature::OpenPgpKey;
use spec::{ReleaseSign, ReleaseSigner as _, Transport};

use crate::args::release::{Command, Key, Release, Sign};
use crate::credentials;
use crate::failure::Failure;
use crate::folder;
use crate::manifest::Made;
use crate::outputs;
use crate::ui::Ui;
pub(crate) use entry::ReleaseEntry;
pub(crate) use finish::{finish, target, warn};
pub(crate) use signer::Releases;

pub(crate) fn run(args: &Release, ui: &Ui) -> Result<(), Failure> {
    match &args.command {
        Command::Verify(args) => verify::run(args, ui),
        Command::Sign(args) => sign(args, ui),
        Command::Key(args) => key(args, ui),
    }
}

/// Signs the sums of a folder.
fn sign(args: &Sign, ui: &Ui) -> Result<(), Failure> {
    let path = args.folder.join(sums::FILE);
    let text = credentials::read(&path)?;
    sums::read(&text).map_err(|error| damaged(&path, &error))?;
    let signer = Releases::of(
        &args.credentials,
        &args.key.said(args.signature_time),
        Path::new(""),
        ui,
    )?;
    let signature = signer.sign(&text)?.ok_or_else(nobody)?;
    write(&args.folder.join(sums::SIGNATURE_FILE), signature, ui)
}

/// Makes the keyring that devices have.
fn key(args: &Key, ui: &Ui) -> Result<(), Failure> {
    let said = ReleaseSign {
        user: Some(args.user.clone()),
        ..args.key.said(None)
    };
    let signer = Releases::of(&args.credentials, &said, Path::new(""), ui)?;
    let keyring = signer.keyring(&args.user)?.ok_or_else(nobody)?;
    for key in OpenPgpKey::read_keyring(&keyring, "the keyring")? {
        ui.note(&format!("the key is {}", key.shown()));
    }
    write(&args.out, keyring, ui)
}

fn write(out: &Path, bytes: Vec<u8>, ui: &Ui) -> Result<(), Failure> {
    let out = &folder::followed(out);
    folder::of(out)?;
    let transport = Transport {
        sums: Sums::File,
        ..Transport::default()
    };
    let image = outputs::alone(&Content::from(bytes))?;
    let (written, _) = outputs::write(Target::claim(out)?, &image, transport, 1, ui)?;
    let made = Made::new(out, &written);
    written.keep()?;
    if ui.json() {
        return ui.print_json(&made);
    }
    ui.print(&made.line())
}

fn nobody() -> Failure {
    Failure::usage("nobody signs the release")
}

/// A list of sums that no device takes.
fn damaged(path: &Path, error: &release::Error) -> Failure {
    Failure::new(Fault::Damaged, format!("{}: {error}", path.display()))
}
