//! `kiln bundle verify`: everything that can be wrong with a bundle, from its last byte to its first.

use std::fmt::Write as _;
use std::path::Path;

use serde::Serialize;

use super::info::{CertificateEntry, ManifestEntry, chain, signer};
use super::open::{bytes, verified, warn_of_unnamed, work};
use crate::args::bundle::Verify;
use crate::credentials;
use crate::failure::Failure;
use crate::ui::{Ui, size};

/// What was found, for machines.
#[derive(Serialize)]
struct Report<'a> {
    file: &'a Path,
    verified: &'static str,
    #[serde(flatten)]
    manifest: ManifestEntry,
    #[serde(skip_serializing_if = "Option::is_none")]
    signing_time: Option<u64>,
    /// When the certificates are valid, in seconds since 1970.
    checked_at: u64,
    chain: Vec<CertificateEntry>,
}

pub(super) fn run(args: &Verify, threads: usize, ui: &Ui) -> Result<(), Failure> {
    let trust = credentials::trust_now(&args.trust)?;
    let (verified, checked) = verified(&args.bundle, &bytes(&args.bundle)?, &trust, &work(threads, ui))?;
    warn_of_unnamed(&checked, ui);
    if ui.json() {
        return ui.print_json(&Report {
            file: &args.bundle,
            verified: "everything",
            manifest: ManifestEntry::new(&checked.manifest),
            signing_time: verified.signing_time.map(signature::Time::seconds),
            checked_at: verified.checked_at.seconds(),
            chain: chain(&verified),
        });
    }
    let mut text = String::new();
    for image in &checked.manifest.images {
        let Some(filename) = &image.filename else {
            let _ = writeln!(text, "{}: has no file", image.slot);
            continue;
        };
        let index = image.index_file().map_or("", |_| ", with index");
        let _ = writeln!(text, "{filename}: {}{index}: good", size(image.size));
    }
    ui.print(&format!(
        "{text}{}: good, signed by {}\n",
        args.bundle.display(),
        signer(&verified)
    ))
}
