//! Tools that others wrote, which say what our work is worth. The tests of all crates share this.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;

/// Whether a tool is here; a name that begins with a slash is a file. With `KILN_ORACLES=required`, as in CI, it must be.
#[expect(
    clippy::disallowed_methods,
    reason = "tests ask whether all oracles are required"
)]
pub(crate) fn installed(tool: &str) -> bool {
    let look_up = format!("command -v \"{tool}\" > /dev/null");
    let found = if tool.starts_with('/') {
        Path::new(tool).exists()
    } else {
        Command::new("sh")
            .args(["-c", &look_up])
            .status()
            .unwrap()
            .success()
    };
    let required = std::env::var("KILN_ORACLES").is_ok_and(|value| value == "required");
    assert!(found || !required, "{tool} is missing, and KILN_ORACLES=required");
    if !found {
        let _ = writeln!(std::io::stderr(), "skipped: {tool} is missing");
    }
    found
}
