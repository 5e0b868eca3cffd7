//! Tools that may be missing.

/// Whether a tool is installed. A missing one fails the test when all oracles are required.
pub(crate) fn installed(tool: &str, version: &str) -> bool {
    std::process::Command::new(tool).arg(version).output().is_ok() || !required(tool)
}

/// Fails the test when all oracles are required, and says what is missing.
pub(crate) fn required(what: &str) -> bool {
    #[expect(
        clippy::disallowed_methods,
        reason = "the tests' environment says what is installed"
    )]
    let required = std::env::var("KILN_ORACLES").is_ok_and(|value| value == "required");
    assert!(!required, "{what} is not installed");
    eprintln!("skipped: {what} is not installed");
    true
}
