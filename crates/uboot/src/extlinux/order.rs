//! The order of a generation's specialisations: that of `sort -n -r` in the C locale.

use std::cmp::Ordering;

/// Larger numbers at the start of a name come first; without one, or with the same, later names do.
pub(super) fn numbers_first(one: &str, other: &str) -> Ordering {
    number(other).cmp(&number(one)).then_with(|| other.cmp(one))
}

/// A number of any length, for comparing.
#[derive(Debug, PartialEq, Eq)]
struct Number<'a> {
    negative: bool,
    /// Without zeros in front.
    whole: &'a str,
    /// Behind the point, without zeros at the end.
    fraction: &'a str,
}

fn number(name: &str) -> Number<'_> {
    let text = name.trim_start_matches([' ', '\t']);
    let (negative, text) = match text.strip_prefix('-') {
        Some(text) => (true, text),
        None => (false, text),
    };
    let (whole, behind) = digits(text);
    let fraction = behind.strip_prefix('.').map_or("", |behind| digits(behind).0);
    let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
    Number {
        negative: negative && !(whole.is_empty() && fraction.is_empty()),
        whole,
        fraction,
    }
}

fn digits(text: &str) -> (&str, &str) {
    let end = text.bytes().take_while(u8::is_ascii_digit).count();
    text.split_at(end)
}

impl Ord for Number<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let size = |one: &Self, other: &Self| {
            let whole = (one.whole.len(), one.whole).cmp(&(other.whole.len(), other.whole));
            whole.then_with(|| one.fraction.cmp(other.fraction))
        };
        match (self.negative, other.negative) {
            (false, false) => size(self, other),
            (true, true) => size(other, self),
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
        }
    }
}

impl PartialOrd for Number<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_before_names() {
        let mut names = [
            "a", "10", "9-x", "-1", "6.12", "6.2", "b", "0", "-2.5", "", "010-x", "6",
        ];
        names.sort_by(|one, other| numbers_first(one, other));
        assert_eq!(
            names,
            [
                "10", "010-x", "9-x", "6.2", "6.12", "6", "b", "a", "0", "", "-1", "-2.5"
            ]
        );
    }
}
