//! Licences, by the names that SPDX has for them.

/// A licence of a package.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Licence {
    /// One of SPDX' list.
    Known(&'static str),
    /// Any other.
    Other {
        /// What it is called.
        name: String,
        /// Where it can be read.
        url: Option<String>,
    },
}

/// The identifiers of SPDX' list that the schema of CycloneDX 1.6 has, and that are not deprecated: a line each, sorted.
const LIST: &str = include_str!("licences.txt");

/// The identifier as SPDX spells it, which takes either case.
pub(crate) fn known(id: &str) -> Option<&'static str> {
    LIST.lines().find(|known| known.eq_ignore_ascii_case(id))
}

impl Licence {
    /// What a document of SPDX calls it, when the list does not have it.
    pub(crate) fn reference(name: &str) -> String {
        let mut text = String::from("LicenseRef-");
        for character in name.chars() {
            if character.is_ascii_alphanumeric() || character == '.' {
                text.push(character);
            } else if !text.ends_with('-') {
                text.push('-');
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn licences_are_known() {
        assert_eq!(known("gpl-2.0-ONLY"), Some("GPL-2.0-only"));
        assert_eq!(known("GPL-2.0"), None);
        assert_eq!(known(""), None);
        assert!(LIST.lines().is_sorted() && LIST.lines().count() > 600);
        assert_eq!(Licence::reference("Unfree (é) v.1"), "LicenseRef-Unfree-v.1");
    }
}
