//! The page: one file, without a network. A policy in it lets only its own script run, and names of others are text.

use std::fmt::Write as _;

use data_encoding::BASE64;
use sha2::{Digest, Sha256};

use crate::model::{Grown, RegionKind, Report};
use crate::svg::{Measure, inline};
use crate::text::{count, json_in_script, markup, size};

const SCRIPT: &str = include_str!("page.js");
const COLORS: &str = include_str!("colors.css");
const STYLE: &str = include_str!("page.css");
/// What stands around the report in a page.
const JSON_START: &str = "<script type=\"application/json\" id=\"report\">";
const JSON_END: &str = "</script>";

/// The page of a report.
#[must_use]
pub fn page(report: &Report) -> String {
    let json = serde_json::to_string(report).unwrap_or_default();
    let style = format!("{COLORS}{STYLE}");
    let name = markup(&report.name);
    let mut text = String::with_capacity(json.len() + (64 << 10));
    let _ = write!(
        text,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; script-src {}; style-src {}; base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"referrer\" content=\"no-referrer\">\n\
         <title>{name} – what is in it</title>\n<style>{style}</style>\n</head>\n<body>\n\
         <a class=\"skip\" href=\"#contents\">To the table of the contents</a>\n<main>\n",
        hash(SCRIPT),
        hash(&style)
    );
    head(report, &mut text);
    messages(report, &mut text);
    map(report, &mut text);
    sections(report, &mut text);
    let _ = write!(
        text,
        "<footer>Made by kiln {}. The same data as JSON: <code>kiln report --json</code>.</footer>\n</main>\n\
         {JSON_START}{}{JSON_END}\n<script>{SCRIPT}</script>\n</body>\n</html>\n",
        markup(&report.kiln),
        json_in_script(&json)
    );
    text
}

/// The report in a page that [`page`] has made.
#[must_use]
pub fn json_of_page(page: &str) -> Option<&str> {
    let (_, rest) = page.split_once(JSON_START)?;
    rest.split_once(JSON_END).map(|(json, _)| json)
}

/// What a policy calls a script or a style.
fn hash(text: &str) -> String {
    format!("'sha256-{}'", BASE64.encode(&Sha256::digest(text.as_bytes())))
}

fn head(report: &Report, text: &mut String) {
    let _ = writeln!(
        text,
        "<header class=\"top\"><div><h1>{}</h1><div class=\"dim\">{}</div></div>\
         <button type=\"button\" id=\"theme\">Colors</button></header>",
        markup(&report.name),
        markup(&kind(report))
    );
    let totals = &report.totals;
    let mut cards = Vec::new();
    let mut card = |name: &str, value: String, more: String| cards.push((name.to_string(), value, more));
    let file = totals.file.map(|file| format!("{} as a file", size(file)));
    card("In the image", size(totals.bytes.image), file.unwrap_or_default());
    card(
        "Unpacked",
        size(totals.bytes.unpacked),
        format!("{} files", count(totals.files)),
    );
    let promised = totals.promised.filter(|promised| *promised > 0);
    let promised = promised.map(|promised| format!("{} promised", size(promised)));
    card("Free", size(totals.free), promised.unwrap_or_default());
    if totals.paths > 0 {
        card("Store paths", count(totals.paths), String::new());
    }
    if totals.equal.unpacked > 0 {
        let more = format!("{} in the image", size(totals.equal.image));
        card("There more than once", size(totals.equal.unpacked), more);
    }
    if let Some(grown) = &report.grown {
        card(
            "Since the older one",
            growth(report, grown),
            format!("{} changes", count(grown.changes.len() as u64)),
        );
    }
    text.push_str("<dl class=\"cards\">");
    for (name, value, more) in cards {
        let _ = write!(
            text,
            "<div><dt>{name}</dt><dd>{value}<small>{more}</small></dd></div>"
        );
    }
    text.push_str("</dl>\n");
}

fn kind(report: &Report) -> String {
    let partitions = report
        .regions
        .iter()
        .filter(|region| region.kind == RegionKind::Partition)
        .count();
    match (report.format.as_str(), partitions) {
        ("disk", 1) => "a disk with a partition".into(),
        ("disk", partitions) => format!("a disk with {partitions} partitions"),
        ("outputs", _) => format!("{} outputs", report.regions.len()),
        (format, _) => format.into(),
    }
}

/// By how much everything grew, in the measure that both know.
fn growth(report: &Report, grown: &Grown) -> String {
    let differ = |before: u64, now: u64| {
        let sign = if now < before { "−" } else { "+" };
        format!("{sign}{}", size(before.abs_diff(now)))
    };
    if grown.is_exact {
        return differ(grown.before.image, report.totals.bytes.image);
    }
    let changes = grown.changes.iter();
    let sum =
        |bytes: fn(&crate::model::Change) -> u64| changes.clone().map(bytes).fold(0, u64::saturating_add);
    differ(
        sum(|change| change.before.unwrap_or_default().unpacked),
        sum(|change| change.after.unwrap_or_default().unpacked),
    )
}

fn messages(report: &Report, text: &mut String) {
    if !report.problems.is_empty() {
        text.push_str(
            "<div class=\"note bad\" role=\"alert\"><strong>Not everything could be read.</strong><ul>",
        );
        for problem in &report.problems {
            let _ = write!(
                text,
                "<li><code>{}</code>: {}</li>",
                markup(&problem.path),
                markup(&problem.problem)
            );
        }
        text.push_str("</ul></div>\n");
    }
    for note in &report.notes {
        let _ = writeln!(text, "<p class=\"note\">{}</p>", markup(note));
    }
}

fn map(report: &Report, text: &mut String) {
    text.push_str(
        "<section id=\"what\" aria-labelledby=\"what-title\"><h2 id=\"what-title\">What takes the space</h2>\n\
         <div class=\"bar\"><nav class=\"crumbs\" id=\"crumbs\" aria-label=\"Where you are\"></nav>\
         <div class=\"pick\" role=\"group\" aria-label=\"What areas stand for\">\
         <button type=\"button\" data-by=\"image\" aria-pressed=\"true\">In the image</button>\
         <button type=\"button\" data-by=\"unpacked\" aria-pressed=\"false\">Unpacked</button></div></div>\n\
         <div class=\"plate\"><div><div id=\"map\" tabindex=\"0\" role=\"application\" aria-label=\"Treemap\" aria-describedby=\"keys\"></div>\
         <ul class=\"legend\" id=\"legend\"></ul></div><div class=\"about\" id=\"about\"></div></div>\n\
         <p class=\"dim keys\" id=\"keys\">A click opens a part. Keys: <kbd>←</kbd> <kbd>↑</kbd> <kbd>↓</kbd> <kbd>→</kbd> move, \
         <kbd>Space</kbd> goes inside, <kbd>Enter</kbd> opens, <kbd>Esc</kbd> goes back. The table below says the same.</p>\n\
         <div class=\"sr\" id=\"said\" aria-live=\"polite\"></div>\n",
    );
    let _ = write!(
        text,
        "<noscript><p>Without scripts, the map is a picture.</p>{}</noscript>\n<div id=\"contents\"></div></section>\n",
        inline(report, Measure::Image)
    );
}

fn sections(report: &Report, text: &mut String) {
    let mut section = |id: &str, title: &str, about: &str| {
        let about = match about {
            "" => String::new(),
            about => format!("<p class=\"dim\">{about}</p>"),
        };
        let _ = writeln!(
            text,
            "<section aria-labelledby=\"{id}-title\"><h2 id=\"{id}-title\">{title}</h2>{about}<div id=\"{id}\"></div></section>"
        );
    };
    if let Some(grown) = &report.grown {
        let about = if grown.is_exact {
            format!("Since {}.", markup(&grown.name))
        } else {
            format!(
                "Since {}, of which only the sizes of NARs are known.",
                markup(&grown.name)
            )
        };
        section("grown", "What grew", &about);
    }
    if !report.paths.is_empty() {
        section("paths", "Store paths", "");
        if report.paths.iter().any(|path| !path.references.is_empty()) {
            section("go", "What could go", "");
        }
    }
    section("files", "The largest files", "");
    if !report.equal.is_empty() {
        section("equal", "Equal files", "");
    }
    regions(report, text);
}

/// The regions, which stand in the page without scripts, too.
fn regions(report: &Report, text: &mut String) {
    text.push_str(
        "<section aria-labelledby=\"regions-title\"><h2 id=\"regions-title\">Regions</h2><div class=\"strip\" id=\"strip\" aria-hidden=\"true\"></div>\
         <div class=\"wide\"><table><caption>In the order of their places</caption><thead><tr><th scope=\"col\">name</th><th scope=\"col\">what</th>\
         <th scope=\"col\" class=\"n opt\">first byte</th><th scope=\"col\" class=\"n\">size</th><th scope=\"col\" class=\"n\">free</th>\
         <th scope=\"col\" class=\"n opt\">promised</th><th scope=\"col\" class=\"n\">unpacked</th><th scope=\"col\" class=\"n opt\">files</th></tr></thead><tbody>",
    );
    for region in &report.regions {
        let what = match &region.format {
            Some(format) if region.kind == RegionKind::Partition => format.clone(),
            Some(format) => format!("{}, {format}", region.kind.name()),
            None => region.kind.name().into(),
        };
        let _ = write!(
            text,
            "<tr><td class=\"name\">{}</td><td>{}</td><td class=\"n opt\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td>\
             <td class=\"n opt\">{}</td><td class=\"n\">{}</td><td class=\"n opt\">{}</td></tr>",
            markup(&region.name),
            markup(&what),
            region.start.map(count).unwrap_or_default(),
            size(region.size),
            size(region.free),
            region.promised.map(size).unwrap_or_default(),
            size(region.unpacked),
            count(region.files)
        );
    }
    text.push_str("</tbody></table></div></section>\n");
}
