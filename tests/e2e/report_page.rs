//! The page of a report in a real browser: its numbers, its console, what it asks of a network, what names in it do, and how
//! long it takes.

use std::fs;
use std::path::Path;
use std::process::Command;

use ::report::{Bytes, Found, Node, NodeKind, Registered, Report, page as make_page, size};

use crate::demo::{is_made, kiln};
use crate::report::sd_card;
use crate::tools::{installed, run, said, tool};

/// What a name would do if a page took it for markup.
const NAMES: [&str; 5] = [
    "</script><script>document.title='ran'<",
    "<img src=x onerror=document.title='ran'>",
    "\"onmouseover=document.title='ran' x=\"",
    "<!--<script>",
    "a\u{2028}b\u{202e}c&amp;",
];

/// A browser without a screen, whose console is on stderr and whose every request is in a log.
fn browser(folder: &Path, page: &Path, fragment: &str) -> Command {
    let mut browser = tool("chromium");
    browser.args([
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        "--no-first-run",
    ]);
    browser.args([
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
    ]);
    browser.args(["--enable-logging=stderr", "--force-device-scale-factor=1"]);
    browser.arg(format!("--user-data-dir={}", folder.join("profile").display()));
    browser.arg(format!("--log-net-log={}", folder.join("net.json").display()));
    browser.env("HOME", folder);
    browser.arg(format!("file://{}{fragment}", page.display()));
    browser
}

/// The document once its script has run. The console must be empty, and no request may have left for a network.
fn document(folder: &Path, page: &Path, fragment: &str) -> String {
    let mut browser = browser(folder, page, fragment);
    let output = browser
        .args(["--dump-dom", "--window-size=1280,900"])
        .output()
        .unwrap();
    let said = said(&output);
    assert!(output.status.success(), "{said}");
    let text = String::from_utf8(output.stdout).unwrap();
    let console: Vec<&str> = said.lines().filter(|line| line.contains("CONSOLE")).collect();
    assert!(console.is_empty(), "{console:?}");
    let log = fs::read_to_string(folder.join("net.json")).unwrap();
    assert!(log.contains("file://"), "the log has the page itself");
    for url in log
        .split("\"url\":\"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap_or_default())
    {
        let host = url
            .split("//")
            .nth(1)
            .unwrap_or_default()
            .split('/')
            .next()
            .unwrap_or_default();
        // The browser asks its makers for news of its own.
        let is_its_own = [".google.com", ".googleapis.com"]
            .iter()
            .any(|maker| host.ends_with(maker));
        let is_here = ["file:", "data:", "chrome:", "devtools:", "about:"]
            .iter()
            .any(|scheme| url.starts_with(scheme));
        assert!(is_here || is_its_own, "{url}");
    }
    let page = fs::read_to_string(page).unwrap();
    for reference in [" src=\"", " href=\"http", "url(", "@import"] {
        let (own, _) = page.split_once("<script type=\"application/json\"").unwrap();
        assert!(!own.contains(reference), "{reference}");
    }
    assert!(text.contains("data-ready="), "{text}");
    text
}

/// How many milliseconds after its beginning the page was complete.
fn ready(document: &str) -> u64 {
    let said = document.split("data-ready=\"").nth(1).unwrap();
    said.split('"').next().unwrap().parse().unwrap()
}

#[test]
fn the_report_of_the_demo_opens_in_a_browser() {
    if !(is_made() && installed(&["chromium"])) {
        return;
    }
    let card = sd_card();
    let dir = tempfile::tempdir().unwrap();
    let (page, image) = (
        dir.path().join("report.html"),
        card.path.join("sd-image-25.11.img"),
    );
    let make = |out: &Path| run(kiln().arg("report").arg(&image).arg("--out").arg(out));
    make(&page);
    let again = dir.path().join("again.html");
    make(&again);
    assert!(fs::read(&page).unwrap() == fs::read(&again).unwrap());
    let json = run(kiln().args(["report", "--json"]).arg(&image));
    let report: Report = serde_json::from_str(&json).unwrap();
    let library = report
        .paths
        .iter()
        .find(|path| path.name.contains("-libicu"))
        .unwrap();
    let document = document(dir.path(), &page, &format!("#path={}", library.name));
    let (_, body) = document.split_once("<body").unwrap();
    let (body, _) = body.split_once("<script type=\"application/json\"").unwrap();
    for number in [
        size(report.totals.bytes.image),
        size(report.totals.bytes.unpacked),
        size(report.totals.free),
        size(report.paths.iter().map(|path| path.bytes.image).max().unwrap()),
        size(report.files[0].bytes.unpacked),
        size(report.equal[0].bytes.unpacked),
        size(library.retained.image),
    ] {
        assert!(body.contains(&format!(">{number}")), "{number}");
    }
    // The way to the library is shown, step by step.
    let chain = body
        .split("<ol class=\"chain\">")
        .nth(1)
        .unwrap()
        .split("</ol>")
        .next()
        .unwrap();
    let mut way = Vec::new();
    let mut at = report.paths.iter().find(|path| path.name == library.name);
    while let Some(path) = at {
        way.push(&path.name[33..]);
        at = path.via.map(|via| &report.paths[via]);
    }
    way.reverse();
    assert!(way.len() > 2);
    let shown: Vec<usize> = way
        .iter()
        .map(|name| chain.find(&format!(">{name}<")).unwrap())
        .collect();
    assert!(
        shown.is_sorted() && chain.matches("<li>").count() == way.len(),
        "{chain}"
    );
    assert!(body.matches("<g class=\"tile").count() >= 2);
    for (fragment, size) in [("#light", "1280,1600"), ("#dark", "400,1600")] {
        let picture = dir.path().join("picture.png");
        let mut browser = browser(dir.path(), &page, fragment);
        browser
            .arg(format!("--screenshot={}", picture.display()))
            .arg(format!("--window-size={size}"));
        let output = browser.output().unwrap();
        let bytes = fs::read(&picture).unwrap_or_else(|error| panic!("{error}: {}", said(&output)));
        assert!(
            bytes.starts_with(b"\x89PNG") && bytes.len() > 50_000,
            "{}",
            bytes.len()
        );
        fs::remove_file(picture).unwrap();
    }
}

#[test]
fn names_with_markup_do_nothing_in_the_page() {
    if !(is_made() && installed(&["chromium"])) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let tree = dir.path().join("tree");
    fs::create_dir(&tree).unwrap();
    for (number, name) in NAMES.iter().enumerate() {
        // A slash is in no name, so it stands for a folder.
        let (folder, name) = name.rsplit_once('/').unwrap_or((".", name));
        fs::create_dir_all(tree.join(folder)).unwrap();
        fs::write(tree.join(folder).join(name), vec![7; 5000 * (number + 1)]).unwrap();
    }
    let image = dir.path().join("<b>x<script>.squashfs");
    run(kiln()
        .arg("squashfs")
        .arg("--tree")
        .arg(&tree)
        .arg("--out")
        .arg(&image));
    let page = dir.path().join("report.html");
    run(kiln().arg("report").arg(&image).arg("--out").arg(&page));
    let document = document(dir.path(), &page, "");
    assert!(
        document.contains("<title>&lt;b&gt;x&lt;script&gt;.squashfs"),
        "{document}"
    );
    let (_, body) = document.split_once("<body>").unwrap();
    let tags = |tag: &str| body.matches(tag).count();
    assert_eq!(
        (tags("<script"), tags("<img"), tags("<b>"), tags("<!--")),
        (2, 0, 0, 0),
        "{body}"
    );
    assert!(
        body.contains("&lt;img src=x onerror=document.title='ran'&gt;"),
        "{body}"
    );
    assert!(body.contains("a\\u{2028}b\\u{202e}c&amp;amp;"), "{body}");
    // In the picture, too: it is XML that any parser reads.
    let picture = dir.path().join("x.svg");
    run(kiln()
        .arg("report")
        .arg(&image)
        .args(["--svg", "--out"])
        .arg(&picture));
    let parse = "import sys, xml.dom.minidom as m; d = m.parse(sys.argv[1]); print(sorted({e.tagName for e in d.getElementsByTagName('*')}))";
    let tags = run(tool("python3").args(["-c", parse]).arg(&picture));
    assert_eq!(tags.trim(), "['g', 'rect', 'style', 'svg', 'text', 'title']");
}

/// A closure of many store paths, each with some files, that refer to others.
fn many(count: usize) -> Found {
    let name = |number: usize| format!("{number:032x}-package-{}-1.{number}", number % 977).replace('e', "z");
    let path = |number: usize| {
        let leaf = |part: &str, size: u64| Node {
            name: part.into(),
            kind: NodeKind::File,
            bytes: Bytes {
                image: size,
                unpacked: 2 * size,
            },
            files: 1,
            ..Node::default()
        };
        let size = 1000 + 40_000_000 / (number as u64 + 1);
        Node {
            name: name(number),
            kind: NodeKind::StorePath,
            bytes: Bytes {
                image: 2 * size,
                unpacked: 4 * size,
            },
            files: 2,
            children: vec![leaf("lib", size), leaf("bin", size)],
            ..Node::default()
        }
    };
    let references = |number: usize| {
        (1..6)
            .map(move |step| number * step + step)
            .filter(move |to| *to < count)
            .map(name)
    };
    let children: Vec<Node> = (0..count).map(path).collect();
    Found {
        name: "many.img".into(),
        tree: Node {
            kind: NodeKind::Image,
            bytes: children
                .iter()
                .fold(Bytes::default(), |sum, child| sum.plus(child.bytes)),
            files: 2 * count as u64,
            children,
            ..Node::default()
        },
        closure: (0..count)
            .map(|number| Registered {
                name: name(number),
                references: Some(references(number).collect()),
            })
            .collect(),
        toplevel: Some(name(0)),
        ..Found::default()
    }
}

#[test]
fn twenty_thousand_store_paths_open_in_two_seconds() {
    if !installed(&["chromium"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let page = dir.path().join("report.html");
    let report = many(20_000).assemble();
    assert_eq!(report.paths.len(), 20_000);
    fs::write(&page, make_page(&report)).unwrap();
    // The best of some: other tests run beside it.
    let times = (0..3).map(|_| ready(&document(dir.path(), &page, "")));
    let best = times.min().unwrap();
    assert!(best < 2000, "{best} ms");
}
