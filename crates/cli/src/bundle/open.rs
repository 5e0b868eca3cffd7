//! Bundles are opened, and what was wrong with them is said.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;

use ::bundle::{Bundle, Checked, Signed, Unsigned, Work};
use image::{Content, Fault};
use rustix::fs::OFlags;
use signature::{Trust, Verified};

use crate::failure::Failure;
use crate::look;
use crate::ui::Ui;

/// Opens a file as a bundle, signed or not.
pub(super) fn open(path: &Path) -> Result<Bundle, Failure> {
    open_bytes(path, &bytes(path)?)
}

/// The bytes of a file that may be a bundle.
pub(super) fn bytes(path: &Path) -> Result<Content, Failure> {
    let failed = |error: std::io::Error| {
        let problem = format!("{}: cannot be read: {error}", path.display());
        Failure::input(problem)
    };
    // A pipe without a writer would keep us waiting.
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags)
        .open(path)
        .map_err(failed)?;
    let meta = file.metadata().map_err(failed)?;
    if !meta.is_file() {
        return Err(Failure::input(format!(
            "{}: is not a regular file",
            path.display()
        )));
    }
    Ok(look::span(file, meta.len()))
}

fn open_bytes(path: &Path, bytes: &Content) -> Result<Bundle, Failure> {
    let source = Arc::new(bytes.clone());
    ::bundle::open(source, bytes.len()).map_err(|error| read_failure(path, &error))
}

/// Opens a bundle that has to be signed, and can be signed anew.
pub(super) fn signed(path: &Path) -> Result<Signed, Failure> {
    match open(path)? {
        Bundle::Signed(signed) => Ok(signed),
        Bundle::Unsigned(_) => Err(not_signed(path)),
        Bundle::Plain(_) => Err(plain(path)),
    }
}

/// Checks everything of a bundle that has to be signed.
pub(super) fn verified(
    path: &Path,
    bytes: &Content,
    trust: &Trust,
    work: &Work,
) -> Result<(Verified, Checked), Failure> {
    let verified = match open_bytes(path, bytes)? {
        Bundle::Signed(signed) => ::bundle::verify(&signed, trust, work),
        Bundle::Plain(plain) => ::bundle::verify_plain(&plain, trust, work),
        Bundle::Unsigned(_) => return Err(not_signed(path)),
    };
    verified.map_err(|error| read_failure(path, &error))
}

/// What to say of a bundle whose signature cannot be exchanged.
fn plain(path: &Path) -> Failure {
    Failure::input(format!(
        "{}: a bundle of the format plain: only those of the format verity are signed here",
        path.display()
    ))
    .hint(
        "`rauc bundle` makes bundles of the format verity where the manifest has `format=verity` in [bundle]",
    )
}

/// What to say of a bundle without a signature.
pub(super) fn not_signed(path: &Path) -> Failure {
    let hint = "`kiln bundle sign` signs it";
    Failure::new(Fault::Untrusted, "the bundle is not signed")
        .at(path)
        .hint(hint)
}

/// Opens a bundle that nobody has signed yet.
pub(super) fn unsigned(path: &Path) -> Result<Unsigned, Failure> {
    match open(path)? {
        Bundle::Unsigned(unsigned) => Ok(*unsigned),
        Bundle::Plain(_) => Err(plain(path)),
        Bundle::Signed(_) => {
            let hint = "`kiln bundle resign` signs it anew";
            Err(Failure::input(format!("{}: the bundle is signed already", path.display())).hint(hint))
        }
    }
}

/// What was wrong with a bundle that was read.
pub(super) fn read_failure(path: &Path, error: &::bundle::Error) -> Failure {
    let failure = Failure::new(error.fault_of_reading(), error.to_string()).at(path);
    match error {
        ::bundle::Error::Signature(error) => Failure::from(error).at(path),
        _ => failure,
    }
}

/// How a bundle is read.
pub(super) fn work(threads: usize, ui: &Ui) -> Work<'_> {
    Work {
        // Reading makes no spools.
        folder: Path::new("."),
        threads,
        progress: ui,
        segments: None,
    }
}

/// Says what is in a bundle that nobody has a use for, as far as the manifest tells.
pub(super) fn warn_of_unnamed(checked: &::bundle::Checked, ui: &Ui) {
    for name in &checked.unnamed {
        ui.warn(&format!(
            "{name}: is in the bundle, and the manifest names neither it nor a program that may use it"
        ));
    }
}
