//! `kiln bundle info`: what a bundle says of itself, and who signed it. Only the signature is checked.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use ::bundle::Bundle;
use ::bundle::manifest::{Image, Manifest};
use serde::Serialize;
use signature::{Trust, Verified};

use super::open::{not_signed, open, read_failure, work};
use crate::args::bundle::Info;
use crate::credentials;
use crate::failure::Failure;
use crate::ui::{Ui, hex};

/// A bundle for machines.
#[derive(Serialize)]
struct Report<'a> {
    file: &'a Path,
    signed: bool,
    /// Whether the signature was checked, and is good.
    verified: bool,
    #[serde(flatten)]
    manifest: ManifestEntry,
    #[serde(skip_serializing_if = "Option::is_none")]
    signing_time: Option<u64>,
    chain: Vec<CertificateEntry>,
}

/// A manifest for machines, in its own words.
#[derive(Serialize)]
pub(super) struct ManifestEntry {
    compatible: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    build: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    min_rauc_version: Option<String>,
    format: &'static str,
    verity: Option<VerityEntry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    handler: Option<ProgramEntry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hook_program: Option<ProgramEntry>,
    hooks: Vec<String>,
    images: Vec<ImageEntry>,
    meta: BTreeMap<String, BTreeMap<String, String>>,
}

#[derive(Serialize)]
struct VerityEntry {
    hash: String,
    salt: String,
    size: u64,
}

/// What the device runs.
#[derive(Serialize)]
struct ProgramEntry {
    filename: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    args: Option<String>,
}

#[derive(Serialize)]
struct ImageEntry {
    slot: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    filename: Option<String>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
    size: u64,
    hooks: Vec<String>,
    adaptive: Vec<String>,
}

/// A certificate for people and machines.
#[derive(Serialize)]
pub(super) struct CertificateEntry {
    subject: String,
    issuer: String,
    not_before: String,
    not_after: String,
    sha256: String,
}

pub(super) fn run(args: &Info, threads: usize, ui: &Ui) -> Result<(), Failure> {
    let failed = |error: ::bundle::Error| read_failure(&args.bundle, &error);
    let (manifest, verified, signed) = match open(&args.bundle)? {
        // Whoever asks for a signature is not answered without one.
        Bundle::Unsigned(_) if args.trust.keyring.is_some() => return Err(not_signed(&args.bundle)),
        Bundle::Unsigned(unsigned) => (unsigned.manifest().clone(), None, false),
        Bundle::Signed(signed) if args.no_verify => {
            let unsigned = signed.unsign().map_err(failed)?;
            (unsigned.manifest().clone(), None, true)
        }
        Bundle::Plain(plain) if args.no_verify => (plain.manifest().map_err(failed)?, None, true),
        Bundle::Signed(signed) => {
            let (verified, unsigned) = ::bundle::verify_signature(&signed, &trust(args)?).map_err(failed)?;
            (unsigned.manifest().clone(), Some(verified), true)
        }
        Bundle::Plain(plain) => {
            let checked = ::bundle::verify_plain_signature(&plain, &trust(args)?, &work(threads, ui));
            let (verified, manifest) = checked.map_err(failed)?;
            (manifest, Some(verified), true)
        }
    };
    if ui.json() {
        return ui.print_json(&Report {
            file: &args.bundle,
            signed,
            verified: verified.is_some(),
            manifest: ManifestEntry::new(&manifest),
            signing_time: verified
                .as_ref()
                .and_then(|verified| verified.signing_time)
                .map(signature::Time::seconds),
            chain: verified.as_ref().map(chain).unwrap_or_default(),
        });
    }
    let mut text = describe(&manifest);
    match (&verified, signed) {
        (Some(verified), _) => describe_chain(verified, &mut text),
        (None, true) => text.push_str("\nThe signature was not checked.\n"),
        (None, false) => text.push_str("\nThe bundle is not signed.\n"),
    }
    ui.print(&text)
}

/// Whom to believe.
fn trust(args: &Info) -> Result<Trust, Failure> {
    let hint = "give --keyring with the certificates that devices trust, or --no-verify";
    credentials::trust_now(&args.trust).map_err(|failure| failure.hint(hint))
}

/// The format of the bundle that a manifest is of: the tree makes the difference.
fn format(manifest: &Manifest) -> &'static str {
    match manifest.verity {
        Some(_) => "verity",
        None => "plain",
    }
}

/// As `rauc info` shows it.
fn describe(manifest: &Manifest) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: Option<&str>| {
        if let Some(value) = value {
            let _ = writeln!(text, "{name:16}{value:?}");
        }
    };
    line("Compatible:", Some(&manifest.compatible));
    line("Version:", manifest.version.as_deref());
    line("Description:", manifest.description.as_deref());
    line("Build:", manifest.build.as_deref());
    line("Needs RAUC:", manifest.min_rauc_version.as_deref());
    line(
        "Handler:",
        manifest.handler.as_ref().map(|handler| handler.filename.as_str()),
    );
    line(
        "Handler Args:",
        manifest
            .handler
            .as_ref()
            .and_then(|handler| handler.args.as_deref()),
    );
    line(
        "Hook Program:",
        manifest.hooks.as_ref().map(|hooks| hooks.filename.as_str()),
    );
    let hooks = manifest.hooks.as_ref().map(|hooks| hooks.hooks.join(" "));
    line("Hooks:", hooks.as_deref());
    let _ = writeln!(text, "Bundle Format:  {}", format(manifest));
    if let Some(verity) = &manifest.verity {
        let _ = writeln!(text, "  Verity Salt:  {}", hex(&verity.salt));
        let _ = writeln!(text, "  Verity Hash:  {}", hex(&verity.hash));
        let _ = writeln!(text, "  Verity Size:  {}", verity.size);
    }
    let count = manifest.images.len();
    let _ = writeln!(text, "\n{count} Image{}:", if count == 1 { "" } else { "s" });
    for image in &manifest.images {
        describe_image(image, &mut text);
    }
    for (label, values) in &manifest.meta {
        let _ = writeln!(text, "\nMeta {label}:");
        for (key, value) in values {
            let _ = writeln!(text, "  {key}: {value:?}");
        }
    }
    text
}

fn describe_image(image: &Image, text: &mut String) {
    let _ = writeln!(text, "  [{}]", image.slot);
    match &image.filename {
        None => text.push_str("    (no image file)\n"),
        Some(filename) => {
            let _ = writeln!(text, "    Filename:  {filename}");
            let _ = writeln!(text, "    Checksum:  {}", hex(&image.sha256));
            let _ = writeln!(text, "    Size:      {}", image.size);
        }
    }
    if let Some(kind) = &image.kind {
        let _ = writeln!(text, "    Type:      {kind}");
    }
    for (name, values) in [("Hooks", &image.hooks), ("Adaptive", &image.adaptive)] {
        if !values.is_empty() {
            let _ = writeln!(text, "    {:10} {}", format!("{name}:"), values.join(" "));
        }
    }
}

fn describe_chain(verified: &Verified, text: &mut String) {
    text.push_str("\nCertificate Chain:\n");
    for (number, certificate) in chain(verified).iter().enumerate() {
        let _ = writeln!(text, " {number} Subject: {}", certificate.subject);
        let _ = writeln!(text, "   Issuer: {}", certificate.issuer);
        let _ = writeln!(text, "   SHA-256: {}", certificate.sha256);
        let _ = writeln!(text, "   Not Before: {}", certificate.not_before);
        let _ = writeln!(text, "   Not After:  {}", certificate.not_after);
    }
    if let Some(time) = verified.signing_time {
        let _ = writeln!(text, "\nSigned at {time}");
    }
}

/// The chain from the signer to who is trusted.
pub(super) fn chain(verified: &Verified) -> Vec<CertificateEntry> {
    let entry = |certificate: &signature::Certificate| CertificateEntry {
        subject: certificate.subject().to_string(),
        issuer: certificate.issuer().to_string(),
        not_before: certificate.not_before().to_string(),
        not_after: certificate.not_after().to_string(),
        sha256: hex(&certificate.fingerprint()),
    };
    verified.chain.iter().map(entry).collect()
}

/// Who signed, in a line.
pub(super) fn signer(verified: &Verified) -> String {
    let signer = verified.chain.first();
    signer
        .map(|signer| signer.subject().to_string())
        .unwrap_or_default()
}

impl ManifestEntry {
    pub(super) fn new(manifest: &Manifest) -> ManifestEntry {
        let image = |image: &Image| ImageEntry {
            slot: image.slot.clone(),
            filename: image.filename.clone(),
            kind: image.kind.clone(),
            sha256: image.filename.as_ref().map(|_| hex(&image.sha256)),
            size: image.size,
            hooks: image.hooks.clone(),
            adaptive: image.adaptive.clone(),
        };
        ManifestEntry {
            compatible: manifest.compatible.clone(),
            version: manifest.version.clone(),
            description: manifest.description.clone(),
            build: manifest.build.clone(),
            min_rauc_version: manifest.min_rauc_version.clone(),
            format: format(manifest),
            handler: manifest.handler.as_ref().map(|handler| ProgramEntry {
                filename: handler.filename.clone(),
                args: handler.args.clone(),
            }),
            hook_program: manifest.hooks.as_ref().map(|hooks| ProgramEntry {
                filename: hooks.filename.clone(),
                args: None,
            }),
            verity: manifest.verity.map(|verity| VerityEntry {
                hash: hex(&verity.hash),
                salt: hex(&verity.salt),
                size: verity.size,
            }),
            hooks: manifest
                .hooks
                .iter()
                .flat_map(|hooks| hooks.hooks.clone())
                .collect(),
            images: manifest.images.iter().map(image).collect(),
            meta: manifest.meta.clone(),
        }
    }
}
