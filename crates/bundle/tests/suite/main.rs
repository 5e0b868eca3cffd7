//! Bundles beside RAUC: good ones are taken by both; those that are damaged, forged, or were made carelessly are refused,
//! and the error says why.
#![expect(clippy::unwrap_used, clippy::panic, reason = "functions of tests")]

mod containers;
mod contents;
mod foreign;
mod hostile;
mod manifests;
#[path = "../../../../tests/zoo/oracle.rs"]
mod oracle;
mod plain;
mod rauc;
mod signatures;
mod support;

use image::Fault;
use oracle::installed;
use support::{Pieces, Pki, rauc_takes, verdict};

/// What RAUC 1.8's `rauc info` says of a bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rauc {
    /// It lets it pass.
    Takes,
    /// It refuses it, too.
    Refuses,
}

/// A bundle that must be refused.
struct Case {
    /// What is wrong with it.
    name: &'static str,
    file: Vec<u8>,
    /// A part of the error.
    error: &'static str,
    rauc: Rauc,
}

fn case(name: &'static str, file: Vec<u8>, error: &'static str, rauc: Rauc) -> Case {
    Case {
        name,
        file,
        error,
        rauc,
    }
}

/// Whether an error is about what a bundle says or holds, whose bytes are those that were signed.
fn is_said(error: &bundle::Error) -> bool {
    use bundle::Error;
    matches!(
        error,
        Error::Manifest(_)
            | Error::ManifestText { .. }
            | Error::Unaligned { .. }
            | Error::Entry { .. }
            | Error::NotExecutable(_)
            | Error::Format(_)
    )
}

/// Checks every case with our eyes and RAUC's.
fn refuse(make: fn(&Pieces, &Pki, &std::path::Path) -> Vec<Case>) {
    if !installed("openssl") {
        return;
    }
    let with_rauc = installed("rauc");
    let dir = tempfile::tempdir().unwrap();
    let pki = Pki::new(dir.path());
    let pieces = Pieces::new(dir.path());
    let good = pieces.signed(&pki);
    verdict(&good, &pki.trust(), dir.path()).unwrap();
    assert!(!with_rauc || rauc_takes(&good, &pki));
    let mut wrong = Vec::new();
    let cases = make(&pieces, &pki, dir.path());
    let count = cases.len();
    for case in cases {
        match verdict(&case.file, &pki.trust(), dir.path()) {
            Ok(_) => wrong.push(format!("{}: was taken", case.name)),
            Err(error) if !error.to_string().contains(case.error) => {
                wrong.push(format!("{}: {error}", case.name));
            }
            // What its signer has packed so is not damaged.
            Err(error) if is_said(&error) && error.fault_of_reading() != Fault::Input => {
                wrong.push(format!("{}: the wrong code: {error}", case.name));
            }
            Err(_) => {}
        }
        if with_rauc && rauc_takes(&case.file, &pki) != (case.rauc == Rauc::Takes) {
            wrong.push(format!("{}: rauc info does not say {:?}", case.name, case.rauc));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {count}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
