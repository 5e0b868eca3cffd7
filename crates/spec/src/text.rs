//! From the text of a specification to its keys, and errors that show the place.

use std::path::Path;

use crate::Spec;
use crate::error::{Error, Result};

/// Reads a specification: JSON when the file's name ends so, TOML otherwise.
///
/// # Errors
/// When the file cannot be read, or what it says makes no sense.
pub fn read(path: &Path) -> Result<Spec> {
    let unreadable = |source| Error::Unreadable {
        path: path.to_path_buf(),
        source,
    };
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    parse(&text, path)
}

/// Parses the text of a specification; `path` is what errors call it.
///
/// # Errors
/// When the text makes no sense.
pub fn parse(text: &str, path: &Path) -> Result<Spec> {
    let json = path.extension().is_some_and(|extension| extension == "json");
    let spec = if json {
        serde_json::from_str(text).map_err(|error| {
            let message = error.to_string();
            // The place is shown before the message, so it need not say it again.
            let message = message
                .rsplit_once(" at line ")
                .map_or(message.as_str(), |(message, _)| message);
            bad_text(path, text, (error.line(), error.column()), message)
        })
    } else {
        toml::from_str(text).map_err(|error: toml::de::Error| {
            let place = error.span().map_or((1, 1), |span| place(text, span.start));
            bad_text(path, text, place, error.message())
        })
    };
    let spec: Spec = spec?;
    if spec.schema != 1 {
        return Err(Error::Schema {
            path: path.to_path_buf(),
            schema: spec.schema,
        });
    }
    if spec.name.is_empty() {
        return Err(Error::BadValue {
            place: "name".to_string(),
            problem: "must not be empty: outputs are called by it".to_string(),
        });
    }
    Ok(spec)
}

/// The line and column, from 1, of a byte.
fn place(text: &str, byte: usize) -> (usize, usize) {
    let before = text.get(..byte).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line, column)
}

fn bad_text(path: &Path, text: &str, (line, column): (usize, usize), message: &str) -> Error {
    let shown = text.lines().nth(line.saturating_sub(1)).unwrap_or_default();
    // A line of JSON made by a machine can be very long.
    let start = column.saturating_sub(60);
    let window: String = shown.chars().skip(start).take(100).collect();
    let number = line.to_string();
    let (margin, caret) = (
        " ".repeat(number.len()),
        " ".repeat(column.saturating_sub(start + 1)),
    );
    Error::Text {
        path: path.to_path_buf(),
        line,
        column,
        message: message.trim().to_string(),
        snippet: format!("{margin} |\n{number} | {window}\n{margin} | {caret}^"),
        hint: suggestion(message),
    }
}

/// The key that was meant, from a message of serde: "unknown field `x`, expected one of `a`, `b`".
fn suggestion(message: &str) -> Option<String> {
    let mut words = message.split('`').skip(1).step_by(2);
    let unknown = words
        .next()
        .filter(|_| message.contains("unknown field") || message.contains("unknown variant"))?;
    nearest(unknown, words).map(|known| format!("did you mean `{known}`?"))
}

/// The candidate most like a word, when one is.
pub(crate) fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let rated = candidates.map(|known| (strsim::jaro_winkler(word, known), known));
    let best = rated.max_by(|(one, _), (other, _)| one.total_cmp(other))?;
    (best.0 > 0.75).then_some(best.1)
}

/// What to say of a word that is none of those that are known.
pub(crate) fn choice(word: &str, known: &[impl AsRef<str>]) -> String {
    let known: Vec<&str> = known.iter().map(AsRef::as_ref).collect();
    match nearest(word, known.iter().copied()) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("there are: {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str, name: &str) -> String {
        let error = parse(text, Path::new(name)).unwrap_err();
        format!("{error}\n{}", error.hint().unwrap_or_default())
    }

    #[test]
    fn errors_show_the_line_and_suggest_the_key() {
        insta::assert_snapshot!(error(
            "schema = 1\nname = \"x\"\n[fs.a]\nformat = \"squashfs\"\ncompresion = \"zstd\"\n",
            "a.toml"
        ));
        insta::assert_snapshot!(error(
            "{\"schema\": 1, \"name\": \"x\",\n \"disk\": {\"size\": \"12M\"}}",
            "a.json"
        ));
        insta::assert_snapshot!(error(
            "schema = 1\nname = \"x\"\n[disk]\nsize = \"1170M\"\n",
            "a.toml"
        ));
        insta::assert_snapshot!(error(
            "schema = 1\nname = \"x\"\n[fs.a]\nformat = \"squashf\"\n",
            "a.toml"
        ));
        insta::assert_snapshot!(error("schema = 2\nname = \"x\"\n", "a.toml"));
        insta::assert_snapshot!(error("schema = 1\nname = \n", "a.toml"));
    }
}
