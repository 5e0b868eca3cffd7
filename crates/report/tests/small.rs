//! A small report, from what was found to what is said: its JSON, its picture and its page.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use report::{
    Bytes, Class, Equal, Found, Listed, Measure, Node, NodeKind, Region, RegionKind, Registered, Report,
    class_of, page, svg,
};

fn node(name: &str, kind: NodeKind, image: u64, children: Vec<Node>) -> Node {
    let own = Bytes {
        image,
        unpacked: if kind == NodeKind::File { image * 2 } else { 0 },
    };
    Node {
        name: name.into(),
        kind,
        bytes: children.iter().fold(own, |sum, child| sum.plus(child.bytes)),
        files: u64::from(kind == NodeKind::File) + children.iter().map(|child| child.files).sum::<u64>(),
        class: match kind {
            NodeKind::Free => Class::Free,
            _ => class_of(name, false),
        },
        children,
    }
}

fn path(letter: char, name: &str) -> String {
    format!("{}-{name}", String::from(letter).repeat(32))
}

/// A toplevel that refers to a library and a program, which alone refers to its data.
fn found(data: u64) -> Found {
    let file = |name: &str, image| node(name, NodeKind::File, image, Vec::new());
    let store_path = |letter, name: &str, file| node(&path(letter, name), NodeKind::StorePath, 0, vec![file]);
    let store = node(
        "store",
        NodeKind::Folder,
        0,
        vec![
            store_path('a', "system", file("init", 10)),
            store_path('b', "lib-1.0", file("libc.so.6", 3000)),
            store_path('c', "program-2.0", file("program<b>", 5000)),
            store_path('d', "data-2.0", file("data", data)),
        ],
    );
    let nix = node("nix", NodeKind::Folder, 0, vec![store]);
    let root = node(
        "root",
        NodeKind::Region,
        0,
        vec![nix, node("free", NodeKind::Free, 2000, Vec::new())],
    );
    let registered = |letter, name: &str, references: &[String]| Registered {
        name: path(letter, name),
        references: Some(references.to_vec()),
    };
    Found {
        kiln: "0".into(),
        name: "small.img".into(),
        format: "disk".into(),
        regions: vec![Region {
            name: "root".into(),
            kind: RegionKind::Partition,
            size: root.bytes.image,
            free: 2000,
            ..Region::default()
        }],
        tree: node("small.img", NodeKind::Image, 0, vec![root]),
        closure: vec![
            registered(
                'a',
                "system",
                &[
                    path('a', "system"),
                    path('b', "lib-1.0"),
                    path('c', "program-2.0"),
                ],
            ),
            registered('b', "lib-1.0", &[]),
            registered('c', "program-2.0", &[path('b', "lib-1.0"), path('d', "data-2.0")]),
            registered('d', "data-2.0", &[path('x', "not-here")]),
        ],
        toplevel: Some(path('a', "system")),
        equal: vec![Equal {
            size: 7,
            bytes: Bytes {
                image: 0,
                unpacked: 14,
            },
            count: 3,
            paths: vec!["/a".into(), "/b".into(), "/c".into()],
        }],
        ..Found::default()
    }
}

/// Names up to the last dash, and what is behind it.
fn split(name: &str) -> (String, String) {
    let (name, version) = name.rsplit_once('-').unwrap();
    (name[33.min(name.len())..].into(), version.into())
}

#[test]
fn a_small_report_says_all_of_this() {
    let mut report = found(800).assemble();
    let older = found(300).assemble();
    report.against(&Listed::of(&older, split), &Listed::of(&report, split));
    insta::assert_snapshot!(serde_json::to_string_pretty(&report).unwrap());
    let json = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<Report>(&json).unwrap(), report);
}

/// Both slots of an image register the same paths.
#[test]
fn paths_that_are_registered_twice_count_once() {
    let mut once = found(800);
    once.closure.remove(1);
    let mut twice = once.clone();
    // The second knows one more reference.
    twice.closure.extend(once.closure.clone());
    twice.closure[3].references = Some(vec![path('b', "lib-1.0")]);
    let (once, twice) = (once.assemble(), twice.assemble());
    assert_eq!(
        once.notes,
        [
            "The references of 1 of 4 store paths are not known.",
            "1 references lead to store paths that are not in the image.",
        ]
    );
    assert_eq!(twice.notes, once.notes);
    assert_eq!(twice.paths, once.paths);
}

#[test]
fn the_picture_of_it_is_this() {
    insta::assert_snapshot!(svg(&found(800).assemble(), Measure::Unpacked));
}

#[test]
fn the_page_holds_the_report_and_names_nothing_outside() {
    let report = found(800).assemble();
    let text = page(&report);
    assert_eq!(text, page(&report));
    let json = report::json_of_page(&text).unwrap();
    assert!(!json.contains(['<', '>', '&']), "{json}");
    assert_eq!(serde_json::from_str::<Report>(json).unwrap(), report);
    assert!(!text.contains("program<b>") && text.contains("program&lt;b&gt;"));
    assert_eq!(text.matches("<script").count(), 2);
    // The names of XML are addresses that nobody asks.
    let outside = text.matches("://").count();
    assert_eq!(outside, text.matches("http://www.w3.org/2000/svg").count());
    assert!(text.contains("default-src 'none'; script-src 'sha256-"));
}
