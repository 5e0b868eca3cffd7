//! Bills of materials of the demo's closure and of a large one, judged by the libraries of those who made the formats; the same
//! from every source; and the guide, to the letter.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::caches::{BUCKET, cache};
use crate::demo::{demo, is_made, kiln, kiln_program, store_paths, toplevel, workspace};
use crate::tools::{installed, path, run, tool};

/// What the libraries say of documents: a line for each.
pub(crate) fn judged(documents: &[&Path]) -> String {
    let mut check = tool("sbom-python");
    check.arg(workspace().join("tests/sbom/check.py")).args(documents);
    run(&mut check)
}

#[test]
fn every_source_of_the_demo_gives_the_same_good_documents() {
    if !is_made() || !installed(&["sbom-python", "nix", "nix-store"]) {
        return;
    }
    let shared = cache();
    let folder = &shared.path;
    let store = demo().join("out/store");
    let key = fs::read_to_string(folder.join("key")).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let sources = [
        store.join("closure-info"),
        store.join("closure-info/registration"),
        store.join("root"),
        folder.join("export"),
    ];
    let mut sources: Vec<String> = sources
        .iter()
        .map(|source| source.display().to_string())
        .collect();
    sources.push(format!("file://{}", folder.join(BUCKET).display()));
    let mut documents = Vec::new();
    for (format, name) in [("cyclonedx", "demo.cdx.json"), ("spdx", "demo.spdx.json")] {
        let document = dir.path().join(name);
        let mut first = None;
        for source in &sources {
            let mut sbom = kiln();
            sbom.args([
                "sbom",
                "--closure",
                source,
                "--format",
                format,
                "--path",
                &toplevel(),
            ]);
            sbom.args(["--trusted-key", key.trim(), "--name", "demo", "--out"]);
            run(sbom.arg(&document));
            let text = fs::read(&document).unwrap();
            assert_eq!(*first.get_or_insert_with(|| text.clone()), text, "{source}");
        }
        documents.push(document);
    }
    let said = judged(&[&documents[0], &documents[1]]);
    let count = store_paths().len();
    let registration = fs::read_to_string(store.join("closure-info/registration")).unwrap();
    let edges = references(&registration);
    assert_eq!(
        said,
        format!(
            "cyclonedx {count} {}\nspdx {} {}\n",
            edges + 1,
            count + 1,
            edges + 1
        )
    );
}

/// How many references a registration has, of which none leads from a path to itself.
fn references(registration: &str) -> usize {
    let mut lines = registration.lines();
    let mut count = 0;
    while let Some(path) = lines.next() {
        let number = lines.nth(3).unwrap().parse::<usize>().unwrap();
        count += lines
            .by_ref()
            .take(number)
            .filter(|reference| *reference != path)
            .count();
    }
    count
}

/// The registration of this many store paths, each of which refers to itself and to some before it.
fn generated(count: usize) -> String {
    let path = |number: usize| format!("/nix/store/{number:032}-package-{}-1.{number}", number % 700);
    let mut text = String::new();
    for number in 0..count {
        let mut references = vec![number];
        references.extend([number / 2, number / 3, number.saturating_sub(1)]);
        references.sort_unstable();
        references.dedup();
        write!(
            text,
            "{}\n{number:064x}\n{number}\n\n{}\n",
            path(number),
            references.len()
        )
        .unwrap();
        for reference in references {
            writeln!(text, "{}", path(reference)).unwrap();
        }
    }
    text
}

/// Documents of a generated closure, each written twice, and judged.
fn are_good(count: usize) {
    if !installed(&["sbom-python"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let registration = generated(count);
    let at = |name: &str| dir.path().join(name);
    fs::write(at("registration"), &registration).unwrap();
    for (format, name) in [("cyclonedx", "large.cdx.json"), ("spdx", "large.spdx.json")] {
        for out in [name, "again"] {
            let mut sbom = kiln();
            sbom.args(["sbom", "--format", format, "--closure"])
                .arg(at("registration"));
            run(sbom.arg("--out").arg(at(out)));
        }
        assert!(
            fs::read(at(name)).unwrap() == fs::read(at("again")).unwrap(),
            "{format}"
        );
    }
    let edges = references(&registration) + 1;
    let said = judged(&[&at("large.cdx.json"), &at("large.spdx.json")]);
    assert_eq!(
        said,
        format!("cyclonedx {count} {edges}\nspdx {} {edges}\n", count + 1)
    );
}

#[test]
fn hundreds_of_store_paths_are_good_documents() {
    are_good(400);
}

/// The schema's validator compares every component with every other one.
#[test]
#[ignore = "long: validators that take a minute and more"]
fn five_thousand_store_paths_are_good_documents() {
    are_good(5000);
}

/// The blocks of a language in the guide, in their order.
fn blocks(guide: &str, language: &str) -> Vec<String> {
    let start = format!("```{language}\n");
    let blocks = guide.split(&start).skip(1);
    blocks
        .map(|block| block.split("```").next().unwrap_or_default().to_string())
        .collect()
}

#[test]
fn the_guide_is_followed_to_the_letter() {
    if !is_made() || !installed(&["sbom-python", "jq"]) {
        return;
    }
    let guide = fs::read_to_string(workspace().join("docs/guide-sbom.md")).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let out = demo().join("out");
    for name in ["store", "loader"] {
        symlink(out.join(name), dir.path().join(name)).unwrap();
    }
    // The guide's specification, and what it says that Nix knows.
    fs::write(dir.path().join("device.toml"), &blocks(&guide, "toml")[0]).unwrap();
    fs::write(dir.path().join("meta.json"), &blocks(&guide, "json")[0]).unwrap();
    let programs = kiln_program();
    let programs = programs.parent().unwrap().display().to_string();
    let expected = blocks(&guide, "text");
    let mut printed = Vec::new();
    for command in blocks(&guide, "sh").concat().lines() {
        let mut shell = tool("sh");
        shell.args(["-euc", command]).current_dir(dir.path());
        shell.env("PATH", format!("{programs}:{}", path()));
        let text = run(&mut shell);
        if command.contains("jq") {
            printed.push(text);
        }
    }
    assert_eq!(printed, expected);
    let said = judged(&[
        &dir.path().join("result/device.cdx.json"),
        &dir.path().join("result/device.spdx.json"),
    ]);
    assert_eq!(said.lines().count(), 2, "{said}");
}
