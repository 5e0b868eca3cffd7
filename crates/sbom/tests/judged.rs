//! What the libraries of those who made the formats say of our documents.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a test may panic, says what it skips, and asks whether it may"
)]

use std::fs;
use std::path::Path;
use std::process::Command;

use image::Seed;
use sbom::{Bill, File, Meta, Package};

/// The Python that has the libraries, as `tests/run install` makes it.
fn python(args: &[&str]) -> Option<String> {
    let output = match Command::new("sbom-python").args(args).output() {
        Ok(output) => output,
        Err(error) => {
            let required = std::env::var("KILN_ORACLES").is_ok_and(|value| value == "required");
            assert!(!required, "sbom-python: {error}, and KILN_ORACLES=required");
            eprintln!("skipped: sbom-python is missing");
            return None;
        }
    };
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    Some(String::from_utf8(output.stdout).unwrap())
}

const A: &str = "/nix/store/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-a+b_c?d=e-1.0+2";
const B: &str = "/nix/store/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-a-b_c?d=e-1.0+2";
const C: &str = "/nix/store/cccccccccccccccccccccccccccccccc-unit-x.service";
const OUTSIDE: &str = "/nix/store/dddddddddddddddddddddddddddddddd-uboot-2024.10";

const META: &str = r#"{
  "a+b_c?d=e-1.0+2": {
    "pname": "<script>alert('a')</script>", "version": "1 & 2 \u0007", "description": "é \"quoted\"\nin two lines",
    "homepage": ["https://a.example/x_(y)?z=%20#w", "https://a.example/2"], "output": "d e",
    "licenses": ["gpl-2.0-ONLY", "GPL-2.0", { "fullName": "Own <1>" }, { "fullName": "Own (1)", "url": "https://a.example" }],
    "cpe": "cpe:2.3:a:a:a\\+b:1.0\\+2:*:*:en-US:*:*:*:*", "purls": ["pkg:github/a/b@v1.0", "pkg:generic/a%2Bb@1.0"]
  }
}"#;

/// A bill in which every field has something that a document could stumble over.
fn odd() -> Bill {
    let meta = Meta::parse("meta", META.as_bytes()).unwrap();
    assert_eq!(meta.notes(), [""; 0]);
    let package = |path: &str, references: Option<&[&str]>| Package {
        nar_hash: Some([7; 32]),
        nar_size: Some(8),
        references: references.map(|all| all.iter().map(ToString::to_string).collect()),
        ..Package::new(path, &path["/nix/store/".len() + 33..], &meta)
    };
    let file = |place: &str, origin: Option<&str>| File {
        place: place.to_string(),
        sha256: [9; 32],
        len: 10,
        origin: origin.map(ToString::to_string),
    };
    let bill = Bill {
        name: "odd name/é".into(),
        version: None,
        supplier: Some("Example (é) & Sons (Ltd)".into()),
        contact: Some("https://example.org/security".into()),
        seed: Seed::new(b"odd"),
        time: 1_800_000_000,
        roots: Vec::new(),
        packages: vec![package(C, None), package(B, Some(&[])), package(A, Some(&[A, B]))],
        files: vec![
            file("fs.boot:/a b\\n", Some(A)),
            file("fs.boot:/a-b-n", None),
            file("fs.boot:/a b n", Some(OUTSIDE)),
            file("Product", None),
        ],
    };
    bill.ordered(&meta).unwrap()
}

#[test]
fn odd_documents_are_good() {
    let dir = tempfile::tempdir().unwrap();
    let empty = Bill {
        packages: Vec::new(),
        files: Vec::new(),
        supplier: Some("a".into()),
        contact: Some("a@example.org".into()),
        ..odd()
    };
    let mut names = Vec::new();
    for (name, bill) in [("odd", odd()), ("empty", empty)] {
        for (format, text) in [("cdx", sbom::cyclonedx(&bill)), ("spdx", sbom::spdx(&bill))] {
            let file = dir.path().join(format!("{name}.{format}.json"));
            fs::write(&file, text.unwrap()).unwrap();
            names.push(file.display().to_string());
        }
    }
    let check = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/sbom/check.py");
    let mut args = vec![check.to_str().unwrap()];
    args.extend(names.iter().map(String::as_str));
    let Some(said) = python(&args) else { return };
    assert_eq!(said, "cyclonedx 8 7\nspdx 9 3\ncyclonedx 0 0\nspdx 1 0\n");
    // The judge does judge.
    for (file, from, to) in [
        (&names[0], "GPL-2.0-only", "GPL-2.0-only-else"),
        (
            &names[0],
            "\"dependsOn\": [\n        \"/nix",
            "\"dependsOn\": [\n        \"/nox",
        ),
        (&names[1], "SPDXRef-Product", "SPDXRef_Product"),
    ] {
        let text = fs::read_to_string(file).unwrap();
        assert!(text.contains(from), "{from}");
        let bad = dir.path().join("bad.json");
        fs::write(&bad, text.replacen(from, to, 1)).unwrap();
        let output = Command::new("sbom-python")
            .args([args[0], bad.to_str().unwrap()])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1), "{to}");
    }
}

#[test]
fn nothing_changes_a_document_but_what_it_says() {
    let one = odd();
    let mut other = odd();
    other.packages.reverse();
    other.files.reverse();
    let other = other.ordered(&Meta::default()).unwrap();
    for document in [sbom::cyclonedx, sbom::spdx] {
        let text = document(&one).unwrap();
        assert_eq!(document(&other).unwrap(), text);
        let later = Bill { time: 0, ..odd() };
        assert_ne!(document(&later).unwrap(), text);
    }
    let late = Bill {
        time: sbom::TIME_MAX + 1,
        ..odd()
    };
    let error = late.ordered(&Meta::default()).unwrap_err().to_string();
    assert_eq!(
        error,
        "253402300800: is behind 253402300799, the last second of the year 9999"
    );
}

#[test]
fn the_list_of_licences_is_that_of_both_formats() {
    let script = "import json, os, cyclonedx\n\
        from license_expression import get_spdx_licensing\n\
        folder = os.path.join(os.path.dirname(cyclonedx.__file__), 'schema', '_res')\n\
        ids = set(json.load(open(os.path.join(folder, 'spdx.SNAPSHOT.schema.json')))['enum'])\n\
        for one in get_spdx_licensing().known_symbols.values():\n    \
            if not one.is_exception and one.key in ids: print(one.key)\n";
    let Some(said) = python(&["-c", script]) else {
        return;
    };
    let mut wanted: Vec<&str> = said.lines().collect();
    wanted.sort_unstable();
    wanted.dedup();
    let list: Vec<&str> = include_str!("../src/licences.txt").lines().collect();
    assert_eq!(list, wanted);
}
