//! `SHA256SUMS`: the names and hashes of a release's files, written in one way and read as strictly as the strictest
//! systemd-sysupdate does, so that every device reads what passes here.
//!
//! ```text
//!  64 digits, two blanks (or a blank and an asterisk), a name, a line feed; sorted by name
//!  64 digits  BEST-BEFORE-2027-01-31        a name that is a day, after which the release counts no more
//! ```

use std::collections::BTreeSet;

use data_encoding::HEXLOWER;

use crate::error::{Error, Result};

/// What the file is called.
pub const FILE: &str = "SHA256SUMS";
/// What the file of its signature is called.
pub const SIGNATURE_FILE: &str = "SHA256SUMS.gpg";
/// What the name of a day begins with.
pub const BEST_BEFORE: &str = "BEST-BEFORE-";
/// The most bytes that are read.
pub const LEN_MAX: u64 = 4 << 20;
/// The most bytes of a file's name.
const NAME_MAX: usize = 255;

/// A file of a release.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Its SHA-256.
    pub sha256: [u8; 32],
}

/// The text that lists these files.
#[must_use]
pub fn text(mut entries: Vec<Entry>) -> String {
    entries.sort();
    let line = |entry: &Entry| format!("{}  {}\n", HEXLOWER.encode(&entry.sha256), entry.name);
    entries.iter().map(line).collect()
}

/// Reads a list of files.
///
/// # Errors
/// When a device would refuse it, or read something else out of it.
pub fn read(bytes: &[u8]) -> Result<Vec<Entry>> {
    let bad = |line, problem: &str| Error::BadSums {
        line,
        problem: problem.to_owned(),
    };
    if bytes.len() as u64 > LEN_MAX {
        return Err(bad(0, "it has more than 4 MiB, the limit"));
    }
    if bytes.contains(&0) {
        return Err(bad(0, "it has a NUL byte"));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| bad(0, "it is no UTF-8"))?;
    let Some(text) = text.strip_suffix('\n') else {
        return Err(bad(text.lines().count(), "it does not end with a line feed"));
    };
    let (mut entries, mut seen) = (Vec::new(), BTreeSet::new());
    for (number, line) in text.split('\n').enumerate() {
        let number = number + 1;
        let entry = entry(line).map_err(|problem| bad(number, &problem))?;
        if !seen.insert(entry.name.clone()) {
            return Err(bad(number, &format!("{:?} is there twice", entry.name)));
        }
        entries.push(entry);
    }
    Ok(entries)
}

fn entry(line: &str) -> Result<Entry, String> {
    let (digits, rest) = line.split_at_checked(64).ok_or("it has no hash of 64 digits")?;
    let sha256 = HEXLOWER.decode(digits.as_bytes()).ok();
    let sha256 = sha256.and_then(|bytes| bytes.try_into().ok());
    let sha256 = sha256.ok_or("its hash is not of 64 digits 0 to 9 and a to f")?;
    let name = rest.strip_prefix("  ").or_else(|| rest.strip_prefix(" *"));
    let name = name.ok_or("the hash is not followed by two blanks, or a blank and an asterisk")?;
    check_name(name)?;
    let name = name.to_owned();
    Ok(Entry { name, sha256 })
}

/// Refuses names that some systemd-sysupdate refuses: those before 258 with the whole list for a `/`, those of 262 for a `%`.
///
/// # Errors
/// When it is such a name; the error says why.
pub fn check_name(name: &str) -> Result<(), String> {
    let shown = || format!("{name:?}: ");
    if name.is_empty() || name == "." || name == ".." {
        return Err(shown() + "is no name of a file");
    }
    if name.len() > NAME_MAX {
        return Err(format!(
            "a name has {} bytes, the limit is {NAME_MAX}",
            name.len()
        ));
    }
    if let Some(bad) = name.chars().find(|one| "/%\\".contains(*one) || one.is_control()) {
        return Err(shown() + &format!("{bad:?} cannot be in it"));
    }
    Ok(())
}
