//! The treemap alone, as a picture.

use std::fmt::Write as _;

use crate::model::{Bytes, Node, NodeKind, Report};
use crate::text::{markup, size};
use crate::treemap::{Rect, squarify};

/// What areas stand for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Measure {
    /// Bytes in the image.
    #[default]
    Image,
    /// Bytes unpacked.
    Unpacked,
}

impl Measure {
    fn of(self, bytes: Bytes) -> u64 {
        match self {
            Measure::Image => bytes.image,
            Measure::Unpacked => bytes.unpacked,
        }
    }
}

/// The picture, in units of a screen.
const WIDTH: u32 = 1200;
const HEIGHT: u32 = 675;
/// Above the map: what it shows.
const HEAD: u32 = 56;
/// Below the map: what the colors are.
const FOOT: u32 = 58;
const MARGIN: u32 = 12;
/// Layouts are made in fractions of a unit.
const FINE: u32 = 10;
/// What is smaller is not drawn.
const SIDE_MIN: u32 = 4 * FINE;
/// The name of what has parts stands above them.
const LABEL: u32 = 19 * FINE;
/// The bytes of a picture end here: what is smaller is left out.
const DRAWN_MAX: usize = 6000;

/// The colors, by day and by night: the same as in the page.
const STYLE: &str = include_str!("colors.css");
/// What is drawn how.
const SHAPES: &str = ".still text{font:500 12px system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif;fill:var(--tile-ink)}\
.still .head{font-size:20px;font-weight:650;fill:var(--ink)}.still .sub{font-size:13px;fill:var(--dim)}.still .by{font-size:11px;opacity:.78}\
.still .frame{fill:var(--frame);stroke:var(--line)}.still .open{fill-opacity:.42}.still .open+text,.still .frame+text{fill:var(--ink);font-weight:650}\
.still rect{stroke:var(--paper);stroke-width:1}";

/// Draws the treemap of a report.
#[must_use]
pub fn svg(report: &Report, measure: Measure) -> String {
    draw(report, measure, &format!("<style>{STYLE}{SHAPES}</style>\n"))
}

/// The same for a page that has the styles.
pub(crate) fn inline(report: &Report, measure: Measure) -> String {
    draw(report, measure, "")
}

fn draw(report: &Report, measure: Measure, style: &str) -> String {
    let mut text = String::new();
    let title = markup(&format!("What takes the space in {}", report.name));
    let _ = write!(
        text,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" class=\"still\" role=\"img\" aria-labelledby=\"map-title\">\n\
         <title id=\"map-title\">{title}</title>\n{style}\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" rx=\"10\" fill=\"var(--paper)\"/>\n"
    );
    head(report, measure, &mut text);
    let area = Rect {
        x: MARGIN * FINE,
        y: HEAD * FINE,
        width: (WIDTH - 2 * MARGIN) * FINE,
        height: (HEIGHT - HEAD - FOOT) * FINE,
    };
    let mut canvas = Canvas {
        measure,
        drawn: 0,
        text: &mut text,
    };
    canvas.parts(&report.tree, area);
    legend(report, measure, &mut text);
    text.push_str("</svg>\n");
    text
}

fn head(report: &Report, measure: Measure, text: &mut String) {
    let totals = &report.totals;
    let mut facts = vec![format!("{} in the image", size(totals.bytes.image))];
    facts.push(format!("{} unpacked", size(totals.bytes.unpacked)));
    facts.push(format!("{} free", size(totals.free)));
    if totals.paths > 0 {
        facts.push(format!("{} store paths", totals.paths));
    }
    facts.push(format!("{} files", totals.files));
    let by = match measure {
        Measure::Image => "areas are bytes in the image",
        Measure::Unpacked => "areas are bytes unpacked",
    };
    let facts = facts.join("  ·  ");
    let _ = writeln!(
        text,
        "<text class=\"head\" x=\"{MARGIN}\" y=\"26\">{}</text>\n<text class=\"sub\" x=\"{MARGIN}\" y=\"45\">{}</text>\n\
         <text class=\"sub\" x=\"{}\" y=\"45\" text-anchor=\"end\">{by}</text>",
        markup(&short(&report.name, 100)),
        markup(&facts),
        WIDTH - MARGIN
    );
}

fn legend(report: &Report, measure: Measure, text: &mut String) {
    let (mut x, mut y) = (MARGIN, HEIGHT - FOOT + 10);
    for known in &report.classes {
        let bytes = measure.of(known.bytes);
        if bytes == 0 {
            continue;
        }
        let label = format!("{} {}", known.class.name(), size(bytes));
        let letters = u32::try_from(label.len()).unwrap_or_default();
        let width = 34 + letters * 77 / 10;
        if x + width > WIDTH - MARGIN {
            (x, y) = (MARGIN, y + 21);
        }
        let _ = writeln!(
            text,
            "<rect x=\"{x}\" y=\"{y}\" width=\"12\" height=\"12\" rx=\"3\" fill=\"var(--{})\"/><text class=\"sub\" x=\"{}\" y=\"{}\">{label}</text>",
            known.class.name(),
            x + 18,
            y + 11
        );
        x += width;
    }
}

struct Canvas<'a> {
    measure: Measure,
    drawn: usize,
    text: &'a mut String,
}

impl Canvas<'_> {
    fn parts(&mut self, node: &Node, area: Rect) {
        let mut parts: Vec<&Node> = node
            .children
            .iter()
            .filter(|child| self.measure.of(child.bytes) > 0)
            .collect();
        let weight = |part: &&Node| self.measure.of(part.bytes);
        parts.sort_by_key(|part| std::cmp::Reverse(weight(part)));
        let weights: Vec<u64> = parts.iter().map(weight).collect();
        for (part, rect) in parts.iter().zip(squarify(area, &weights)) {
            self.part(part, rect);
        }
    }

    fn part(&mut self, node: &Node, rect: Rect) {
        if rect.width < SIDE_MIN || rect.height < SIDE_MIN || self.drawn >= DRAWN_MAX {
            return;
        }
        self.drawn += 1;
        let is_frame = matches!(node.kind, NodeKind::Region | NodeKind::Image);
        let has_parts = !node.children.is_empty() && node.kind != NodeKind::Free;
        let has_room = rect.width > 6 * LABEL / 2 && rect.height > 2 * LABEL;
        let class = if is_frame && has_parts {
            "class=\"frame\"".to_string()
        } else if has_parts && has_room {
            format!("class=\"open\" fill=\"var(--{})\"", node.class.name())
        } else {
            format!("fill=\"var(--{})\"", node.class.name())
        };
        let _ = write!(
            self.text,
            "<g><rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" {class}/>",
            fine(rect.x),
            fine(rect.y),
            fine(rect.width),
            fine(rect.height)
        );
        let bytes = size(self.measure.of(node.bytes));
        if has_parts && has_room {
            let (inner, names) = self.chain(node);
            self.label(&format!("{names}  {bytes}"), rect, 13, "", 79);
            let _ = write!(self.text, "{}", tooltip(node, &bytes));
            self.text.push_str("</g>\n");
            self.parts(inner, rect.inside(FINE * 3 / 2, LABEL));
            return;
        }
        self.label(&shown(node), rect, 15, "", 72);
        if rect.height > 36 * FINE {
            self.label(&bytes, rect, 30, " class=\"by\"", 66);
        }
        let _ = write!(self.text, "{}", tooltip(node, &bytes));
        self.text.push_str("</g>\n");
        if has_parts && !is_frame && rect.width > 12 * FINE && rect.height > 12 * FINE {
            // Too small for names, large enough for shades.
            self.shades(node, rect);
        }
    }

    /// Folders in which nearly everything is in one folder are drawn as one, without the rest.
    fn chain<'n>(&self, node: &'n Node) -> (&'n Node, String) {
        let (mut at, mut names) = (node, shown(node));
        while let Some(most) = at.children.iter().find(|child| {
            let (part, whole) = (self.measure.of(child.bytes), self.measure.of(at.bytes));
            child.kind == NodeKind::Folder
                && !child.children.is_empty()
                && whole - part.min(whole) <= whole / 25
        }) {
            names = format!("{names}/{}", most.name);
            at = most;
        }
        (at, names)
    }

    /// A name where it fits, in letters of about so many tenths of a unit.
    fn label(&mut self, name: &str, rect: Rect, below: u32, class: &str, letter: u32) {
        let letters = rect.width.saturating_sub(8 * FINE) / letter;
        if letters < 4 || rect.height < 18 * FINE {
            return;
        }
        let _ = write!(
            self.text,
            "<text{class} x=\"{}\" y=\"{}\">{}</text>",
            fine(rect.x + 5 * FINE),
            fine(rect.y + below * FINE),
            markup(&short(name, letters as usize))
        );
    }

    /// The colors of what has no room for names.
    fn shades(&mut self, node: &Node, area: Rect) {
        let is_mixed = node.children.iter().any(|child| child.class != node.class);
        if !is_mixed || area.width > 60 * FINE && area.height > 18 * FINE {
            return;
        }
        let parts: Vec<&Node> = node.children.iter().collect();
        let weights: Vec<u64> = parts.iter().map(|part| self.measure.of(part.bytes)).collect();
        let mut sorted: Vec<usize> = (0..parts.len()).collect();
        sorted.sort_by_key(|index| std::cmp::Reverse(weights[*index]));
        let ordered: Vec<u64> = sorted.iter().map(|index| weights[*index]).collect();
        for (index, rect) in sorted.iter().zip(squarify(area, &ordered)) {
            if rect.width >= SIDE_MIN && rect.height >= SIDE_MIN {
                let _ = writeln!(
                    self.text,
                    "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"var(--{})\"/>",
                    fine(rect.x),
                    fine(rect.y),
                    fine(rect.width),
                    fine(rect.height),
                    parts[*index].class.name()
                );
            }
        }
    }
}

fn tooltip(node: &Node, bytes: &str) -> String {
    format!("<title>{} – {bytes}</title>", markup(&node.name))
}

/// Tenths of a unit.
fn fine(number: u32) -> String {
    match number % FINE {
        0 => (number / FINE).to_string(),
        tenths => format!("{}.{tenths}", number / FINE),
    }
}

/// What something is called.
fn shown(node: &Node) -> String {
    let is_number = !node.name.is_empty() && node.name.bytes().all(|byte| byte.is_ascii_digit());
    match node.kind {
        NodeKind::Region if is_number => format!("partition {}", node.name),
        _ => plain_name(&node.name).into(),
    }
}

/// A store path without its hash, which says nothing to people.
fn plain_name(name: &str) -> &str {
    let is_hash = |hash: &str| {
        hash.bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    match name.split_at_checked(32) {
        Some((hash, rest)) if is_hash(hash) => rest.strip_prefix('-').unwrap_or(name),
        _ => name,
    }
}

/// At most this many letters.
fn short(text: &str, letters: usize) -> String {
    if text.chars().count() <= letters {
        return text.into();
    }
    let start: String = text.chars().take(letters.saturating_sub(1)).collect();
    format!("{start}…")
}
