//! Texts of others in HTML, SVG and JSON: nothing of what they say is obeyed.

use std::fmt::Write as _;

/// A text in HTML or SVG, between tags or in the quotes of an attribute. What XML cannot hold, and what changes the direction
/// of a text, is written out.
#[must_use]
pub(crate) fn markup(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            character if is_hidden(character) => {
                let _ = write!(escaped, "\\u{{{:x}}}", u32::from(character));
            }
            character => escaped.push(character),
        }
    }
    escaped
}

/// JSON that can stand in a `<script>` element: no letter of it ends the element or begins a comment. It is still the same
/// JSON.
#[must_use]
pub(crate) fn json_in_script(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for character in json.chars() {
        match character {
            // Outside of strings, JSON has none of these.
            '<' | '>' | '&' => {
                let _ = write!(escaped, "\\u{:04x}", u32::from(character));
            }
            character if is_hidden(character) => {
                // Those beyond the first plane are none of these.
                let _ = write!(escaped, "\\u{:04x}", u32::from(character));
            }
            character => escaped.push(character),
        }
    }
    escaped
}

/// Whether a character shows nothing and does something: control characters, marks of direction, separators of lines, and
/// what is no character.
fn is_hidden(character: char) -> bool {
    matches!(character,
        '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
        || character.is_control()
}

/// Bytes for people: the largest unit that keeps a whole number before the point.
#[must_use]
pub fn size(bytes: u64) -> String {
    let units = [
        (1u64 << 40, "TiB"),
        (1 << 30, "GiB"),
        (1 << 20, "MiB"),
        (1 << 10, "KiB"),
    ];
    match units.into_iter().find(|(unit, _)| bytes >= *unit) {
        None => format!("{bytes} B"),
        Some((unit, name)) if bytes.is_multiple_of(unit) => format!("{} {name}", bytes / unit),
        // In tenths, rounded down, without a floating point number.
        Some((unit, name)) => {
            let tenths = u128::from(bytes) * 10 / u128::from(unit);
            format!("{}.{} {name}", tenths / 10, tenths % 10)
        }
    }
}

/// A count for people: groups of three digits.
#[must_use]
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push('\u{202f}');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_of_others_stays_text() {
        let name = "</script><img src=x onerror=\"alert('1')\">&\u{2028}\u{202e}\0";
        assert_eq!(
            markup(name),
            "&lt;/script&gt;&lt;img src=x onerror=&quot;alert(&#39;1&#39;)&quot;&gt;&amp;\\u{2028}\\u{202e}\\u{0}"
        );
        let json = serde_json::to_string(name).unwrap();
        let inside = json_in_script(&json);
        assert!(
            !inside.contains(['<', '>', '&', '\u{2028}', '\u{202e}']),
            "{inside}"
        );
        assert_eq!(serde_json::from_str::<String>(&inside).unwrap(), name);
    }

    #[test]
    fn numbers_are_for_people() {
        assert_eq!(size(1023), "1023 B");
        assert_eq!(size(1 << 20), "1 MiB");
        assert_eq!(size((3 << 30) - 1), "2.9 GiB");
        assert_eq!(count(1_234_567), "1\u{202f}234\u{202f}567");
        assert_eq!(count(999), "999");
    }
}
