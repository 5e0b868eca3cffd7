//! Values in braces: `{toplevel}/init`.

use crate::error::{Error, Result};

/// Replaces every `{key}` by its value. `{{` and `}}` stand for braces. `place` is where errors say the text is.
pub(crate) fn expand(
    text: &str,
    place: &str,
    mut value: impl FnMut(&str) -> Result<String>,
) -> Result<String> {
    let mut result = String::new();
    let mut rest = text;
    while let Some(brace) = rest.find(['{', '}']) {
        let (before, from) = rest.split_at(brace);
        result.push_str(before);
        if from.starts_with("{{") || from.starts_with("}}") {
            result.push_str(&from[..1]);
            rest = &from[2..];
            continue;
        }
        let key = from.strip_prefix('{').and_then(|from| from.split_once('}'));
        let Some((key, after)) = key else {
            return Err(Error::Brace {
                place: place.to_string(),
                text: text.to_string(),
            });
        };
        result.push_str(&value(key)?);
        rest = after;
    }
    result.push_str(rest);
    Ok(result)
}

/// The key, when a text is one `{key}` and nothing else.
pub(crate) fn whole(text: &str) -> Option<&str> {
    text.strip_prefix('{')?
        .strip_suffix('}')
        .filter(|key| !key.contains(['{', '}']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces() {
        let value = |key: &str| Ok(key.to_uppercase());
        assert_eq!(expand("a{b}c{d.e}", "x", value).unwrap(), "aBcD.E");
        assert_eq!(expand("{{b}} é {b}", "x", value).unwrap(), "{b} é B");
        for bad in ["{", "a{b", "b}", "{a}}"] {
            assert!(expand(bad, "x", value).is_err(), "{bad}");
        }
        assert_eq!(whole("{kernel}"), Some("kernel"));
        assert_eq!(whole("{a}/{b}"), None);
    }
}
