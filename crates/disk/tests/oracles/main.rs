//! What sfdisk, sgdisk and fdisk say of our disks, and what we say of theirs.
#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "functions of tests")]

mod ours;
mod theirs;
mod types;

use std::path::Path;
use std::process::Command;

const MIB: u64 = 1 << 20;

/// Whether a tool is installed. A missing one fails the test when all oracles are required.
fn installed(tool: &str) -> bool {
    if Command::new(tool).arg("--version").output().is_ok() {
        return true;
    }
    #[expect(
        clippy::disallowed_methods,
        reason = "the tests' environment says what is installed"
    )]
    let required = std::env::var("KILN_ORACLES").is_ok_and(|value| value == "required");
    assert!(!required, "{tool} is not installed");
    eprintln!("skipped: {tool} is not installed");
    false
}

/// What a tool prints; it must succeed.
fn run(tool: &str, args: &[&str], path: &Path) -> String {
    let output = Command::new(tool)
        .env("LC_ALL", "C.UTF-8")
        .args(args)
        .arg(path)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{tool} {args:?}: {text}{errors}");
    assert_eq!(errors, "", "{tool} {args:?}: {text}");
    text
}
