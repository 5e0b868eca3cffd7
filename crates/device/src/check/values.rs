//! Single values, and the errors about them.

use std::ops::Range;

use crate::{Error, Partition, Result};

pub(super) fn named(partition: &Partition) -> String {
    format!("partition {}", partition.name)
}

pub(super) fn numbered(partition: &Partition) -> String {
    format!("partition {}", partition.number)
}

/// A value of a key file or a command: one line.
pub(crate) fn text(what: &str, value: &str) -> Result<()> {
    if value.is_empty() {
        return Err(bad(what, value, "must not be empty"));
    }
    if value.contains(|c: char| c.is_control() && c != '\t') || value.ends_with(char::is_whitespace) {
        return Err(bad(
            what,
            value,
            "must be one line, without white space at its end",
        ));
    }
    Ok(())
}

/// A name that files, labels and shells take as it is.
pub(super) fn word(what: &str, value: &str) -> Result<()> {
    let fits = value
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    if value.is_empty() || !fits || value.starts_with(['.', '-']) {
        let problem = "must be letters, digits, -, _ and dots, and begin with a letter, a digit or _";
        return Err(bad(what, value, problem));
    }
    Ok(())
}

/// An absolute path that files separated by white space take as it is.
pub(super) fn path(what: &str, value: &str) -> Result<()> {
    let odd = |c: char| c.is_whitespace() || c.is_control() || "\\\"'%#$".contains(c);
    if !value.starts_with('/') || value.contains(odd) {
        let problem = "must be an absolute path without white space, quotes, backslashes, %, # and $";
        return Err(bad(what, value, problem));
    }
    Ok(())
}

pub(super) fn range(what: &str, value: u64, min: u64, max: u64) -> Result<()> {
    if (min..=max).contains(&value) {
        return Ok(());
    }
    Err(out_of_range(what, value, &format!("{min} to {max}")))
}

pub(super) fn out_of_range(what: &str, value: u64, allowed: &str) -> Error {
    Error::OutOfRange {
        what: what.to_owned(),
        value,
        allowed: allowed.to_owned(),
    }
}

pub(super) fn bad(what: &str, value: &str, problem: &str) -> Error {
    Error::BadValue {
        what: what.to_owned(),
        value: value.to_owned(),
        problem: problem.to_owned(),
    }
}

pub(super) fn twice(first: &str, second: &str, what: String) -> Error {
    Error::Twice {
        first: first.to_owned(),
        second: second.to_owned(),
        what,
    }
}

pub(super) fn differ(
    first: &str,
    second: &str,
    what: &'static str,
    first_value: &str,
    second_value: &str,
) -> Error {
    Error::Differ {
        first: first.to_owned(),
        second: second.to_owned(),
        what,
        first_value: first_value.to_owned(),
        second_value: second_value.to_owned(),
    }
}

pub(super) fn bootnames(place: &str, names: &[String]) -> Result<()> {
    for (index, name) in names.iter().enumerate() {
        let fits = name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !fits || !(1..=16).contains(&name.len()) {
            let problem = "must be 1 to 16 letters, digits and _, since it is part of a variable's name";
            return Err(bad(&format!("bootname of {place}"), name, problem));
        }
        if names.iter().skip(index + 1).any(|other| other == name) {
            return Err(twice("one slot", "another", format!("the bootname {name}")));
        }
    }
    Ok(())
}

pub(super) fn apart(one: &(String, Range<u64>), other: &(String, Range<u64>)) -> Result<()> {
    let ((first, a), (second, b)) = if one.1.start <= other.1.start {
        (one, other)
    } else {
        (other, one)
    };
    if a.end <= b.start {
        return Ok(());
    }
    Err(Error::Overlap {
        first: first.clone(),
        first_start: a.start,
        first_end: a.end,
        second: second.clone(),
        second_start: b.start,
        second_end: b.end,
    })
}
