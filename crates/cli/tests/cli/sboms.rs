//! `kiln sbom` and `[sbom]`: what they say, and what is refused.

use std::fs;

use insta::assert_snapshot;
use serde_json::Value;

use crate::world::{LIB, LINUX, SYSTEM, World, sha256sum};

const SBOM: &str = "[sbom]\nformats = [\"cyclonedx\", \"spdx\"]\nmeta = [\"meta.json\"]\n\
    supplier = \"Example GmbH\"\ncontact = \"security@example.org\"\ntime = 1800000000\n\n[disk]\n";

const META: &str = r#"{
  "/nix/store/llllllllllllllllllllllllllllllll-linux-6.1": {
    "version": "6.1.176", "homepage": "https://www.kernel.org/", "licenses": [{ "spdxId": "GPL-2.0-only" }],
    "cpe": "cpe:2.3:o:linux:linux_kernel:6.1.176:*:*:*:*:*:*:*", "purls": ["pkg:github/torvalds/linux@v6.1.176"]
  },
  "lib-1.0": { "pname": "<lib>", "licenses": [{ "fullName": "Own", "url": "https://example.org/own" }, "MIT"] }
}"#;

fn world() -> World {
    let world = World::with("[disk]\n", SBOM);
    world.write("meta.json", META.as_bytes());
    world
}

fn json(world: &World, name: &str) -> Value {
    serde_json::from_slice(&fs::read(world.path(name)).unwrap()).unwrap()
}

fn refused(from: &str, to: &str) -> String {
    let world = world();
    world.edit("spec.toml", from, to);
    world.build_refused(2)
}

/// The component of this name.
fn component<'a>(bill: &'a Value, reference: &str) -> &'a Value {
    let all = bill["components"].as_array().unwrap();
    all.iter().find(|one| one["bom-ref"] == reference).unwrap()
}

/// What it depends on.
fn depends_on(bill: &Value, reference: &str) -> Vec<String> {
    let all = bill["dependencies"].as_array().unwrap();
    let found = all.iter().find(|one| one["ref"] == reference).unwrap();
    let list = found["dependsOn"].as_array().cloned().unwrap_or_default();
    list.iter()
        .map(|name| name.as_str().unwrap().to_string())
        .collect()
}

#[test]
fn a_build_and_the_verb_say_the_same() {
    let world = world();
    let summary = world.done(&["build", "spec.toml", "--out", "out", "--no-cache", "--json"]);
    let manifest: Value = serde_json::from_str(&summary).unwrap();
    let files = manifest["files"].as_array().unwrap();
    for (format, name) in [
        ("cyclonedx", "demo-25.11.cdx.json"),
        ("spdx", "demo-25.11.spdx.json"),
    ] {
        let part = format!("sbom.{format}");
        assert!(
            files
                .iter()
                .any(|file| file["part"] == *part && file["file"] == name),
            "{summary}"
        );
        world.done(&["sbom", "spec.toml", "--format", format, "--out", "again.json"]);
        let built = fs::read_to_string(world.path("out").join(name)).unwrap();
        assert_eq!(fs::read_to_string(world.path("again.json")).unwrap(), built);
    }
    world.done(&["build", "spec.toml", "--out", "only", "--only", "sbom"]);
    let bill = json(&world, "only/demo-25.11.cdx.json");
    assert_eq!(bill, json(&world, "out/demo-25.11.cdx.json"));
    assert_eq!(bill["metadata"]["component"]["version"], "25.11.20261121.abcdef0");
    assert_eq!(bill["metadata"]["timestamp"], "2027-01-15T08:00:00Z");
    // What Nix knows goes before what names say.
    let linux = component(&bill, LINUX);
    assert_eq!(
        (&linux["name"], &linux["version"]),
        (&"linux".into(), &"6.1.176".into())
    );
    assert_eq!(linux["licenses"][0]["license"]["id"], "GPL-2.0-only");
    assert_eq!(linux["purl"], "pkg:github/torvalds/linux@v6.1.176");
    assert_eq!(component(&bill, LIB)["name"], "<lib>");
    // A text of the configuration is no package.
    assert_eq!(component(&bill, SYSTEM)["purl"], Value::Null);
    assert_eq!(depends_on(&bill, SYSTEM), [LIB, LINUX]);
    // What lies beside the store, with the bytes that it has: parts that Kiln makes are none of it.
    let files = [
        "file:disk.region.idbloader",
        "file:fs.boot:/Image",
        "file:script.boot.source",
    ];
    assert_eq!(depends_on(&bill, "product"), [&[SYSTEM][..], &files].concat());
    let loader = &component(&bill, files[0])["hashes"][0]["content"];
    assert_eq!(loader, &sha256sum(&world.path("idbloader.img")));
    // The kernel in the FAT is the closure's.
    assert_eq!(depends_on(&bill, files[1]), [LINUX]);
    assert!(depends_on(&bill, files[0]).is_empty());
    let spdx = json(&world, "out/demo-25.11.spdx.json");
    let declared = |name: &str| {
        let packages = spdx["packages"].as_array().unwrap();
        let found = packages.iter().find(|package| package["name"] == name).unwrap();
        found["licenseDeclared"].as_str().unwrap().to_string()
    };
    assert_eq!(declared("<lib>"), "LicenseRef-Own AND MIT");
    assert_eq!(declared("linux"), "GPL-2.0-only");
    assert_eq!(declared("system"), "NOASSERTION");
    assert_eq!(
        spdx["creationInfo"]["creators"][1],
        "Organization: Example GmbH (security@example.org)"
    );
}

#[test]
fn a_closure_alone_and_what_its_source_does_not_say() {
    let world = world();
    let sbom = |world: &World, source: &str| {
        world.run(&[
            "sbom",
            "--closure",
            source,
            "--format",
            "spdx",
            "--out",
            "a.json",
            "--meta",
            "meta.json",
        ])
    };
    let said = sbom(&world, "closure-info");
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    assert_snapshot!(said.stdout.lines().last().unwrap(), @"3 packages, 0 files beside them");
    let (bill, bytes) = (json(&world, "a.json"), fs::read(world.path("a.json")).unwrap());
    assert_eq!(bill["packages"][2]["checksums"][0]["algorithm"], "SHA256");
    // Another seed is another document, and nothing else of it is another.
    world.done(&[
        "sbom",
        "--closure",
        "closure-info",
        "--format",
        "spdx",
        "--out",
        "b.json",
        "--meta",
        "meta.json",
        "--seed",
        "b",
    ]);
    let mut other = json(&world, "b.json");
    assert_ne!(other["documentNamespace"], bill["documentNamespace"]);
    other["documentNamespace"] = bill["documentNamespace"].clone();
    assert_eq!(other, bill);
    // A registration alone, wherever its store is.
    sbom(&world, "closure-info/registration");
    assert_eq!(fs::read(world.path("a.json")).unwrap(), bytes);
    let said = sbom(&world, "closure-info/store-paths");
    assert_snapshot!(said.stderr, @"warning: the closure's source does not say what store paths refer to, so the bill of materials has no dependencies (a registration, a database or a binary cache says it)");
    let text = fs::read_to_string(world.path("a.json")).unwrap();
    assert!(text.contains("\"relatedSpdxElement\": \"NOASSERTION\""), "{text}");
}

#[test]
fn what_cannot_be_said_is_left_out_and_told() {
    let world = world();
    let wrong = r#"{ "lib-1.0": { "homepage": "none", "cpe": "lib", "purls": ["lib"] }, "not-there": {} }"#;
    world.write("meta.json", wrong.as_bytes());
    let said = world.run(&["sbom", "spec.toml", "--format", "cyclonedx", "--out", "a.json"]);
    let warnings = |said: &str| {
        let warnings = said.lines().filter(|line| line.starts_with("warning"));
        warnings.collect::<Vec<_>>().join("\n")
    };
    assert_snapshot!(warnings(&said.stderr), @r#"
    warning: left out of the bill of materials: lib-1.0: "none" is no address of a page
    warning: left out of the bill of materials: lib-1.0: "lib" is no package URL
    warning: left out of the bill of materials: lib-1.0: "lib" is no CPE 2.3
    "#);
    // Who builds hears it with a bill, and not without one.
    for (only, is_told) in [("sbom", true), ("fs.boot", false)] {
        let built = world.run(&["build", "spec.toml", "--out", "out", "--only", only]);
        assert_eq!(built.code, Some(0), "{}", built.stderr);
        assert_eq!(
            warnings(&built.stderr) == warnings(&said.stderr),
            is_told,
            "{}",
            built.stderr
        );
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    assert_snapshot!(refused("\"cyclonedx\", \"spdx\"", ""), @r#"error: sbom.formats: is empty: "cyclonedx", "spdx", or both"#);
    assert_snapshot!(refused("\"cyclonedx\", ", "\"spdx\", "), @r#"error: sbom.formats: "spdx" is there twice"#);
    assert_snapshot!(refused("Example GmbH", " "), @r#"error: sbom.supplier: " ": must be a line of text"#);
    assert_snapshot!(refused("security@example.org", "the office"), @r#"error: sbom.contact: "the office": must be an address of mail, or of a page (https://…)"#);
    assert_snapshot!(refused("supplier = \"Example GmbH\"\n", ""), @"error: sbom.contact: is that of the supplier, who is missing");
    assert_snapshot!(refused("1800000000", "253402300800"), @"error: sbom.time: 253402300800: must be at most 253402300799, the end of the year 9999");
    assert_snapshot!(refused("\ntime =", "\nversion = \"{kernel}\"\ntime ="), @r"
    error: sbom.version: there is no value {kernel}
    hint: there are: version, series
    ");
    assert_snapshot!(refused("name = \"idbloader\"", "name = \"idbloader\"\nfile = \"demo-25.11.cdx.json\""), @r"
    error: demo-25.11.cdx.json: region.idbloader and sbom.cyclonedx both make a file of this name
    hint: give one of them another name with the key `file`
    ");
    let world = world();
    world.write("meta.json", b"{\"lib-1.0\": {\n\"license\": \"MIT\"}}");
    assert_snapshot!(world.build_refused(3), @"error: sbom.meta: meta.json:2:9: unknown field `license`, expected one of `pname`, `version`, `output`, `description`, `homepage`, `licenses`, `cpe`, `purls`");
    fs::remove_file(world.path("meta.json")).unwrap();
    assert_snapshot!(world.build_refused(3), @"error: sbom.meta: meta.json: cannot be read: No such file or directory (os error 2)");
    assert_snapshot!(world.refused(2, &["sbom", "--format", "spdx", "--out", "a"]).lines().next().unwrap(), @"error: the following required arguments were not provided:");
    assert_snapshot!(world.refused(5, &["sbom", "--closure", "closure-info", "--format", "spdx", "--out", "none/a"]), @"
    error: none: there is no such folder
    hint: make it first: mkdir -p none
    ");
}
