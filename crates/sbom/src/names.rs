//! What the name of a store path says.

/// The parts of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name<'a> {
    /// What people call it.
    pub name: &'a str,
    /// Its version; empty when it has none.
    pub version: &'a str,
    /// Which output of its derivation it is, when the name says so.
    pub output: Option<&'a str>,
}

/// What nixpkgs calls outputs. Nix puts the name of one that is not the first behind the version.
const OUTPUTS: [&str; 17] = [
    "bin", "data", "debug", "dev", "devdoc", "devman", "dist", "doc", "getent", "info", "lib", "libgcc",
    "man", "modules", "out", "py", "static",
];

/// Splits a name as `builtins.parseDrvName` does: the version begins behind the first dash that no letter follows. What nixpkgs
/// calls an output is no part of a version.
#[must_use]
pub fn split_name(text: &str) -> Name<'_> {
    let (name, version) = parse_drv_name(text);
    let (version, output) = match version.rsplit_once('-') {
        Some((before, last)) if OUTPUTS.contains(&last) => (before, Some(last)),
        _ => (version, None),
    };
    Name {
        name,
        version,
        output,
    }
}

/// What `builtins.parseDrvName` answers.
fn parse_drv_name(text: &str) -> (&str, &str) {
    let bytes = text.as_bytes();
    let dash = (0..bytes.len())
        .find(|&at| bytes[at] == b'-' && bytes.get(at + 1).is_some_and(|next| !next.is_ascii_alphabetic()));
    dash.map_or((text, ""), |dash| (&text[..dash], &text[dash + 1..]))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    const NAMES: [&str; 14] = [
        "hello-2.12.1",
        "glibc-2.40-66-dev",
        "nix-0.12pre12876",
        "a-b-c",
        "a--1",
        "-1",
        "a-",
        "unit-sshd.service",
        "python3.12-requests-2.32.3",
        "linux-6.1.176-modules",
        "gcc-14.3.0-lib",
        "x-+1",
        "libxcrypt-4.4.36-man",
        "ffmpeg-headless-7.1-unstable-2024",
    ];

    /// Whether tests without their tools fail.
    #[expect(
        clippy::disallowed_methods,
        reason = "a test asks whether its tools may be missing"
    )]
    fn required() -> bool {
        std::env::var("KILN_ORACLES").is_ok_and(|value| value == "required")
    }

    #[test]
    fn names_are_split_as_nix_does() {
        let list: Vec<String> = NAMES.iter().map(|name| format!("{name:?}")).collect();
        let list = list.join(" ");
        let expression = format!(
            "map (name: let p = builtins.parseDrvName name; in p.name + \"|\" + p.version) [ {list} ]"
        );
        let run = Command::new("nix-instantiate")
            .args(["--eval", "--strict", "--json", "-E", &expression])
            .args(["--store", "dummy://"])
            .output();
        let output = match run {
            Ok(output) => output,
            Err(error) if required() => panic!("nix-instantiate: {error}"),
            Err(_) => return eprintln!("skipped: nix-instantiate is missing"),
        };
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let nix: Vec<String> = serde_json::from_slice(&output.stdout).unwrap();
        let ours: Vec<String> = NAMES
            .iter()
            .map(|name| parse_drv_name(name))
            .map(|(name, version)| format!("{name}|{version}"))
            .collect();
        assert_eq!(ours, nix);
    }

    #[test]
    fn outputs_are_no_part_of_versions() {
        for (text, name, version, output) in [
            ("glibc-2.40-66-dev", "glibc", "2.40-66", Some("dev")),
            ("linux-6.1.176-modules", "linux", "6.1.176", Some("modules")),
            ("hello-2.12-rc", "hello", "2.12-rc", None),
            ("openssl-dev", "openssl-dev", "", None),
        ] {
            let wanted = Name {
                name,
                version,
                output,
            };
            assert_eq!(split_name(text), wanted);
        }
    }
}
