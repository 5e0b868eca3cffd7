//! What the environment says. Nothing of it reaches an image.

use std::ffi::OsString;

/// A variable that says something.
#[expect(clippy::disallowed_methods, reason = "the cli may read the environment")]
pub(crate) fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// The same, as text.
pub(crate) fn text(name: &str) -> Option<String> {
    variable(name)?.into_string().ok()
}
