//! GUIDs in text form.

use uuid::Uuid;

use crate::{Error, Result};

/// The hexadecimal digits of a GUID's groups.
const GROUPS: [usize; 5] = [8, 4, 4, 4, 12];

/// A GUID out of its text form, in either case: `0fc63daf-8483-4772-8e79-3d69d8477de4`.
///
/// Nothing else is taken: a tool that reads on behind a missing digit makes another GUID in silence.
///
/// # Errors
/// When the text is not of that form; the error says what is wrong with it.
pub fn guid(text: &str) -> Result<Uuid> {
    let bad = |problem: String| Error::BadGuid {
        text: text.to_owned(),
        problem,
    };
    if let Some(character) = text.chars().find(|c| !c.is_ascii_hexdigit() && *c != '-') {
        return Err(bad(format!("{character:?} is no hexadecimal digit")));
    }
    let groups: Vec<&str> = text.split('-').collect();
    if groups.len() != GROUPS.len() {
        return Err(bad(format!("it has {} groups of digits, not 5", groups.len())));
    }
    for (index, (group, digits)) in groups.iter().zip(GROUPS).enumerate() {
        if group.len() != digits {
            let (number, found) = (index + 1, group.len());
            return Err(bad(format!("group {number} has {found} digits, not {digits}")));
        }
    }
    Uuid::try_parse(text).map_err(|error| bad(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_text_form_is_taken() {
        let good = "0FC63DAF-8483-4772-8e79-3d69d8477de4";
        assert_eq!(
            guid(good).unwrap().to_string(),
            "0fc63daf-8483-4772-8e79-3d69d8477de4"
        );
        let problem = |text: &str| guid(text).unwrap_err().to_string();
        assert_eq!(
            problem("97FD5997-D90B-4AA3-8D16-C1723AEA73C"),
            "97FD5997-D90B-4AA3-8D16-C1723AEA73C: is not a GUID: group 5 has 11 digits, not 12"
        );
        assert_eq!(
            problem("0FC63DAF84834772"),
            "0FC63DAF84834772: is not a GUID: it has 1 groups of digits, not 5"
        );
        assert_eq!(problem("x"), "x: is not a GUID: 'x' is no hexadecimal digit");
        for text in ["", "-", &format!("{{{good}}}"), &good.replace('-', "")] {
            assert!(guid(text).is_err(), "{text}");
        }
    }
}
