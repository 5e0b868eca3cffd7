//! What can be wrong with a release.

use image::Fault;

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of a release.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// An id or a version with characters that mean something in names.
    #[error(
        "{text:?}: {character:?} cannot be in {what}: letters a to z, digits{} can",
        listed(.others)
    )]
    BadCharacter {
        /// What it should be.
        what: &'static str,
        /// What it is.
        text: String,
        /// The first character that cannot be.
        character: char,
        /// What can be besides letters and digits.
        others: &'static str,
    },
    /// An id or a version that does not begin with a letter or a digit.
    #[error("{text:?}: {what} begins with a letter or a digit")]
    BadStart {
        /// What it should be.
        what: &'static str,
        /// What it is.
        text: String,
    },
    /// A partition's label that is too long.
    #[error("the label {label:?} has {units} UTF-16 units, the limit of a partition table is {limit}", limit = crate::names::LABEL_MAX)]
    LabelTooLong {
        /// The label.
        label: String,
        /// Its units.
        units: usize,
    },
    /// A label that does not say the version, or says it twice.
    #[error("the label {label:?} has the version {version:?} in it {count} times, and not once")]
    LabelWithoutVersion {
        /// The label.
        label: String,
        /// The version.
        version: String,
        /// How often.
        count: usize,
    },
    /// A list of sums that some device refuses.
    #[error("{}{problem}", at_line(*line))]
    BadSums {
        /// The line, from 1; 0 for all of it.
        line: usize,
        /// What is wrong.
        problem: String,
    },
}

fn listed(others: &str) -> String {
    let list: Vec<String> = others.chars().map(|one| format!(", {one:?}")).collect();
    list.concat()
}

fn at_line(line: usize) -> String {
    match line {
        0 => String::new(),
        line => format!("line {line}: "),
    }
}

impl Error {
    /// Whose fault it is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Error::BadSums { .. } => Fault::Damaged,
            _ => Fault::Request,
        }
    }
}
