//! curl, with which Nix reads netrc files, as the oracle of ours.

use std::path::Path;
use std::process::Command;

use proptest::prelude::*;
use remote::Netrc;

use crate::server::{Reply, Server};
use crate::{get, open};

/// What a file says of 127.0.0.1, as base 64 of `name:password`.
const SAME: [(&str, Option<&str>); 28] = [
    ("", None),
    ("machine 127.0.0.1 login me password secret", Some("me:secret")),
    (
        "machine 127.0.0.1\n\tlogin me\n\tpassword secret\n",
        Some("me:secret"),
    ),
    (
        "machine\t127.0.0.1\r\nlogin me\r\npassword secret\r\n",
        Some("me:secret"),
    ),
    ("MACHINE 127.0.0.1 Login me PASSWORD Secret", Some("me:Secret")),
    ("machine 127.0.0.1 password secret login me", Some("me:secret")),
    ("machine 127.0.0.1 password secret", Some(":secret")),
    ("machine 127.0.0.1 login \"\" password secret", Some(":secret")),
    ("machine 127.0.0.1 login me", Some("me:")),
    ("machine localhost login a password b", None),
    (
        "machine localhost login a password b\nmachine 127.0.0.1 login me password c",
        Some("me:c"),
    ),
    ("machine 127.0.0.1 machine localhost login a password b", None),
    (
        "machine 127.0.0.1 login a password b\nmachine 127.0.0.1 login me password c",
        Some("a:b"),
    ),
    (
        "machine 127.0.0.1 login a password b\ndefault login me password c",
        Some("a:b"),
    ),
    (
        "default login me password c\nmachine 127.0.0.1 login a password b",
        Some("me:c"),
    ),
    (
        "machine localhost login a password b default login me password c",
        Some("me:c"),
    ),
    ("default login me password c", Some("me:c")),
    ("machine 127.0.0.1 login me account of password c", Some("me:c")),
    (
        "machine 127.0.0.1 login machine password default",
        Some("machine:default"),
    ),
    (
        "# machine 127.0.0.1 login a password b\n  # more\ndefault login me password c",
        Some("me:c"),
    ),
    ("machine 127.0.0.1 # no\nlogin me password c", Some("me:c")),
    (
        "machine 127.0.0.1 login \"m e\" password \"a \\\"b\\\" \\\\ \\t\\n\\r\\x\"",
        Some("m e:a \"b\" \\ \t\n\rx"),
    ),
    ("machine \"127.0.0.1\" login me password c", Some("me:c")),
    (
        "macdef x\nmachine 127.0.0.1 login a password b\n\nmachine 127.0.0.1 login me password c",
        Some("me:c"),
    ),
    ("macdef x\nmachine 127.0.0.1 login a password b\n", None),
    ("macdef x\ncd /\n \n\ndefault login me password c", Some("me:c")),
    (
        "junk machine 127.0.0.1 login me junk password c junk",
        Some("me:c"),
    ),
    (
        "machine 127.0.0.1 login m\u{e9} password \u{1f600}",
        Some("m\u{e9}:\u{1f600}"),
    ),
];

/// What curl reads in this way by its source of 2026, and 7.88 of Debian 12 does not: entries end where the next one begins,
/// and a `#` within a line is a character.
const NEWER: [(&str, Option<&str>); 2] = [
    (
        "machine 127.0.0.1 password secret\nmachine localhost password other",
        Some(":secret"),
    ),
    ("machine 127.0.0.1 login me password #secret", Some("me:#secret")),
];

/// What the server hears from curl.
fn curl(server: &Server, netrc: &Path) -> Option<String> {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--noproxy", "*", "--netrc-file"])
        .arg(netrc);
    let output = curl.arg(server.at("127.0.0.1")).output().unwrap();
    let told = server.told();
    assert_eq!(told.len(), 1, "curl has asked once: {output:?}");
    told.into_iter().next().unwrap()
}

/// Whether curl is there. Without it a test ends early, unless oracles are required.
#[expect(
    clippy::disallowed_methods,
    reason = "the switch that makes a missing oracle an error"
)]
fn curl_is_there() -> bool {
    let there = Command::new("curl").arg("--version").output().is_ok();
    let required = std::env::var("KILN_ORACLES").is_ok_and(|value| value == "required");
    assert!(there || !required, "curl is missing");
    if !there {
        eprintln!("skipped: curl is missing");
    }
    there
}

#[test]
fn a_netrc_says_to_us_what_it_says_to_curl() {
    let server = Server::new(|_| Reply::found("content"));
    let with_curl = curl_is_there();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("netrc");
    for (number, (text, wanted)) in SAME.iter().chain(&NEWER).enumerate() {
        get(&open(&server.at("127.0.0.1"), text), "key").unwrap();
        let said = server.told().remove(0);
        let said_as = said.as_deref().map(decoded);
        assert_eq!(said_as.as_deref(), *wanted, "{text:?}");
        if with_curl && number < SAME.len() {
            std::fs::write(&file, text).unwrap();
            assert_eq!(curl(&server, &file), said, "curl on {text:?}");
        }
    }
}

fn decoded(header: &str) -> String {
    let digits = header.strip_prefix("Basic ").unwrap();
    let bytes = data_encoding::BASE64.decode(digits.as_bytes()).unwrap();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn quotes_have_an_end() {
    for (text, line) in [
        ("machine h password \"secret", 1),
        ("# one\n# two\nmachine h\n  login \"a\n password secret", 4),
        ("machine h password \"secret\\\"", 1),
    ] {
        let error = Netrc::parse("file", text.as_bytes()).unwrap_err().to_string();
        assert_eq!(error, format!("file, line {line}: a quoted word does not end"));
    }
}

proptest! {
    #[test]
    fn any_bytes_are_answered(bytes: Vec<u8>) {
        let _ = Netrc::parse("file", &bytes);
    }

    #[test]
    fn any_words_are_answered(text in "((machine|default|login|password|macdef|account|h|\"|\\\\|#|a) ?[\n\r ]?){0,40}") {
        if let Ok(netrc) = Netrc::parse("file", text.as_bytes()) {
            let _ = netrc.knows("http://h");
            assert!(!format!("{netrc:?}").contains("login"));
        }
    }
}
