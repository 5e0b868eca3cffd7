//! References graphs in JSON, as builders inside Nix's sandbox find them.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use image::Fault;
use nix::{Closure, registration};

use crate::fixture::{Fixture, app, lib, link, store_path};

/// The fixture's closure as Nix writes it into `.attrs.json`: sorted by path, with keys that do not matter here.
fn graph(fixture: &Fixture) -> String {
    let mut text = String::from("[");
    for info in fixture.closure().paths() {
        let references: Vec<String> = info
            .references
            .iter()
            .flatten()
            .map(|path| format!("\"{path}\""))
            .collect();
        let comma = if text.len() > 1 { "," } else { "" };
        write!(
            text,
            r#"{comma}{{"closureSize":99,"narHash":"{}","narSize":{},"path":"{}","references":[{}],"valid":true}}"#,
            info.nar_hash.unwrap(),
            info.nar_size.unwrap(),
            info.path,
            references.join(",")
        )
        .unwrap();
    }
    text + "]"
}

fn parse(text: &str) -> nix::Result<Closure> {
    Closure::from_references_graph(Path::new(".attrs.json"), text.as_bytes())
}

fn error(text: &str) -> String {
    let error = parse(text).unwrap_err();
    assert_eq!(error.fault(), Fault::Input);
    error.to_string()
}

#[test]
fn it_says_what_a_closure_info_says() {
    let fixture = Fixture::new();
    let graph = graph(&fixture);
    let attributes = format!(
        "\n {{\"builder\":\"/bin/sh\",\"closure\":{graph},\"exportReferencesGraph\":{{\"closure\":[\"{}\"]}}}}",
        app()
    );
    for (name, text) in [("graph.json", &graph), (".attrs.json", &attributes)] {
        let file = fixture.path().join(name);
        fs::write(&file, text).unwrap();
        let closure = Closure::read(&file).unwrap();
        assert_eq!(closure, fixture.closure(), "{name}");
        assert_eq!(
            registration(&closure).unwrap(),
            registration(&fixture.closure()).unwrap()
        );
    }
    assert_eq!(parse("[]").unwrap(), Closure::default());
}

#[test]
fn references_are_sorted_and_must_be_there() {
    let fixture = Fixture::new();
    let graph = graph(&fixture);
    let turned = graph.replace(
        &format!("\"{}\",\"{}\",\"{}\"", app(), link(), lib()),
        &format!("\"{}\",\"{}\",\"{}\"", lib(), app(), link()),
    );
    assert_ne!(turned, graph);
    assert_eq!(parse(&turned).unwrap(), fixture.closure());
    let gone = store_path('g', "gone");
    let dangling = graph.replace(&format!(",\"{}\"]", lib()), &format!(",\"{gone}\"]"));
    assert_eq!(
        error(&dangling),
        format!("{}: refers to {gone}, which is not in the closure", app())
    );
    let twice = graph.replace(&format!(",\"{}\"]", lib()), &format!(",\"{}\"]", link()));
    assert_eq!(error(&twice), format!(".attrs.json: {}: comes twice", link()));
}

#[test]
fn what_is_no_graph_is_refused() {
    let (path, hash) = (lib(), format!("sha256:{}", "0".repeat(52)));
    let entry = format!(r#"{{"path":"{path}","narHash":"{hash}","narSize":1,"references":[]}}"#);
    assert_eq!(parse(&format!("[{entry}]")).unwrap().paths().len(), 1);
    assert_eq!(
        error(&format!("[{entry},{entry}]")),
        format!(".attrs.json: {path}: comes twice")
    );
    assert_eq!(
        error("{\"name\": \"x\"}"),
        ".attrs.json: has no key \"closure\", which exportReferencesGraph.closure of a derivation with structured \
         attributes puts there"
    );
    let two = format!("{{\"closure\":[{entry}],\n\"closure\":[]}}");
    assert_eq!(error(&two), ".attrs.json, line 2: duplicate field `closure`");
    for (from, to, message) in [
        (
            "/nix/store/",
            "/gnu/store/",
            "not a store path: it does not lie directly in /nix/store",
        ),
        ("sha256:0", "md5:0", "not a hash: the algorithm must be sha256"),
        (
            "\"narSize\":1",
            "\"narSize\":-1",
            "invalid value: integer `-1`, expected u64",
        ),
        ("\"narSize\":1,", "", "missing field `narSize`"),
        (
            "\"references\":[]",
            "\"references\":[7]",
            "invalid type: integer `7`, expected a text",
        ),
        ("}]", "}", "EOF while parsing"),
    ] {
        let text = format!("[{entry}]").replacen(from, to, 1);
        let error = error(&text);
        assert!(
            error.starts_with(".attrs.json, line 1: ") && error.contains(message),
            "{error}"
        );
    }
    let deep = format!("{{\"closure\":{}", "[".repeat(100_000));
    assert!(error(&deep).starts_with(".attrs.json, line 1: "));
    let deep = format!("{{\"other\":{}", "[".repeat(100_000));
    assert!(error(&deep).contains("EOF while parsing"));
}
