//! Placeholders in scripts.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Error, Result};

/// Replaces each `@name@` by the value of `name`. What stands between two `@` and has no value stays as it is
/// (device trees have such paths), and values are not searched again.
///
/// # Errors
/// When there is a value for a placeholder that does not occur.
pub fn substitute(source: &[u8], values: &BTreeMap<String, String>) -> Result<Vec<u8>> {
    let mut unused: BTreeSet<&str> = values.keys().map(String::as_str).collect();
    let mut result = Vec::with_capacity(source.len());
    let mut rest = source;
    while let Some(at) = position(rest) {
        let (before, from) = rest.split_at(at);
        result.extend_from_slice(before);
        let found = from.get(1..).and_then(|inside| {
            let (name, behind) = inside.split_at(position(inside)?);
            let (name, value) = values.get_key_value(str::from_utf8(name).ok()?)?;
            Some((name, value, behind.get(1..)?))
        });
        if let Some((name, value, behind)) = found {
            unused.remove(name.as_str());
            result.extend_from_slice(value.as_bytes());
            rest = behind;
        } else {
            result.push(b'@');
            rest = from.get(1..).unwrap_or_default();
        }
    }
    result.extend_from_slice(rest);
    match unused.first() {
        None => Ok(result),
        Some(name) => Err(Error::UnusedPlaceholder {
            name: (*name).to_owned(),
        }),
    }
}

fn position(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|byte| *byte == b'@')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(source: &str, values: &[(&str, &str)]) -> Result<String> {
        let values = values
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()))
            .collect();
        substitute(source.as_bytes(), &values).map(|bytes| String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn placeholders_are_replaced_once() {
        let values = [("id", "@x@"), ("x", "1")];
        assert_eq!(
            run("echo @id@@x@ a@id@ @@x@@", &values).unwrap(),
            "echo @x@1 a@x@ @1@"
        );
        assert_eq!(
            run("fdt /soc@0/i2c@id@1 x@y", &[("id", "7")]).unwrap(),
            "fdt /soc@0/i2c71 x@y"
        );
        assert_eq!(run("", &[]).unwrap(), "");
        assert_eq!(run("@", &[]).unwrap(), "@");
    }

    #[test]
    fn a_value_without_its_placeholder_is_named() {
        let error = run("echo @id@", &[("id", "1"), ("systemClosure", "2")]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "systemClosure: there is a value for this placeholder, but @systemClosure@ does not occur in the \
             script"
        );
        assert!(run("a@b", &[("b", "1")]).is_err());
    }

    #[test]
    fn other_bytes_pass() {
        let values = BTreeMap::from([("a".to_owned(), "b".to_owned())]);
        assert_eq!(
            substitute(b"\xff@a@\xfe@\xfd@", &values).unwrap(),
            b"\xffb\xfe@\xfd@"
        );
    }
}
