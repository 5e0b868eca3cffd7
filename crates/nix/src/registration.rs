//! Registrations and lists of store paths: the text that Nix writes and reads.

use std::fmt::Write as _;
use std::path::Path;
use std::str::FromStr;

use crate::closure::{Closure, PathInfo};
use crate::error::{Error, Result};
use crate::hash::Hash;
use crate::store_path::StorePath;

/// The registration of a closure as nixpkgs' `closureInfo` writes it: sorted by path, hashes in Nix's base 32,
/// and nothing about what made a path. `nix-store --load-db` reads it.
///
/// # Errors
/// When a path's hash or references are not known.
pub fn registration(closure: &Closure) -> Result<Vec<u8>> {
    let mut text = String::new();
    for info in closure.paths() {
        let unknown = |unknown| Error::Unknown {
            path: info.path.clone(),
            unknown,
        };
        let (Some(hash), Some(size)) = (info.nar_hash, info.nar_size) else {
            return Err(unknown("hash is"));
        };
        let references = info
            .references
            .as_ref()
            .ok_or_else(|| unknown("references are"))?;
        let _ = writeln!(text, "{}\n{hash}\n{size}\n\n{}", info.path, references.len());
        for reference in references {
            let _ = writeln!(text, "{reference}");
        }
    }
    Ok(text.into_bytes())
}

/// The records of a registration, in the order of the file; references are sorted.
pub(crate) fn parse(file: &Path, bytes: &[u8]) -> Result<Vec<PathInfo>> {
    let mut lines = Lines::new(file, bytes)?;
    let mut records: Vec<(usize, PathInfo)> = Vec::new();
    while !lines.rest.is_empty() {
        let line = lines.number + 1;
        records.push((line, record(&mut lines)?));
    }
    refuse_duplicates(
        file,
        records.iter().map(|(line, info)| (*line, &info.path)).collect(),
    )?;
    Ok(records.into_iter().map(|(_, info)| info).collect())
}

fn record(lines: &mut Lines<'_>) -> Result<PathInfo> {
    let path: StorePath = lines.parse("store path")?;
    let nar_hash: Hash = lines.parse("hash of the NAR")?;
    let nar_size = lines.number("size of the NAR in bytes")?;
    // What made a path differs from source to source, so nothing follows from it.
    if let text @ [_, ..] = lines.next("deriver")?.as_bytes() {
        let text = String::from_utf8_lossy(text).into_owned();
        text.parse::<StorePath>().map_err(|error| lines.here(error))?;
    }
    let count = lines.number("count of references")?;
    let first_line = lines.number + 1;
    let mut references: Vec<StorePath> = Vec::new();
    for _ in 0..count {
        references.push(lines.parse("reference")?);
    }
    refuse_duplicates(lines.file, (first_line..).zip(&references).collect())?;
    references.sort_unstable();
    Ok(PathInfo {
        path,
        nar_hash: Some(nar_hash),
        nar_size: Some(nar_size),
        references: Some(references),
    })
}

/// The paths of a file that lists one per line, in the order of the file.
pub(crate) fn parse_list(file: &Path, bytes: &[u8]) -> Result<Vec<StorePath>> {
    let mut lines = Lines::new(file, bytes)?;
    let mut paths: Vec<StorePath> = Vec::new();
    while !lines.rest.is_empty() {
        paths.push(lines.parse("store path")?);
    }
    refuse_duplicates(file, (1..).zip(&paths).collect())?;
    Ok(paths)
}

/// The number in a file that holds nothing else.
pub(crate) fn parse_total(file: &Path, bytes: &[u8]) -> Result<u64> {
    let mut lines = Lines::new(file, bytes)?;
    let total = lines.number("sum of all NAR sizes")?;
    if lines.rest.is_empty() {
        return Ok(total);
    }
    lines.number += 1;
    Err(lines.here(Error::Surplus))
}

/// Whether a file is a registration rather than a list: its second line is no path.
pub(crate) fn is_registration(bytes: &[u8]) -> bool {
    let second = bytes.split(|&byte| byte == b'\n').nth(1);
    !matches!(second, None | Some([] | [b'/', ..]))
}

/// Reports the first line whose path stands on an earlier line.
fn refuse_duplicates(file: &Path, mut paths: Vec<(usize, &StorePath)>) -> Result<()> {
    paths.sort_unstable_by(|(line, path), (other_line, other)| (path, line).cmp(&(other, other_line)));
    let duplicates = paths
        .windows(2)
        .filter(|pair| pair[0].1 == pair[1].1)
        .map(|pair| &pair[1]);
    match duplicates.min() {
        None => Ok(()),
        Some((line, path)) => Err(Error::Line {
            file: file.into(),
            line: *line,
            problem: Box::new(Error::Duplicate {
                path: (*path).clone(),
            }),
        }),
    }
}

/// The lines of a file, each with its newline.
struct Lines<'a> {
    file: &'a Path,
    rest: &'a [u8],
    /// The line that was read last, counted from 1.
    number: usize,
}

impl<'a> Lines<'a> {
    fn new(file: &'a Path, bytes: &'a [u8]) -> Result<Lines<'a>> {
        let mut lines = Lines {
            file,
            rest: bytes,
            number: 0,
        };
        match bytes.last() {
            None | Some(b'\n') => Ok(lines),
            Some(_) => {
                lines.number = bytes.split(|&byte| byte == b'\n').count();
                Err(lines.here(Error::NoNewline))
            }
        }
    }

    fn here(&self, problem: Error) -> Error {
        Error::Line {
            file: self.file.into(),
            line: self.number,
            problem: Box::new(problem),
        }
    }

    fn next(&mut self, what: &'static str) -> Result<&'a str> {
        self.number += 1;
        let Some(len) = self.rest.iter().position(|&byte| byte == b'\n') else {
            return Err(self.here(Error::Truncated { what }));
        };
        let (line, rest) = self.rest.split_at(len);
        self.rest = &rest[1..];
        str::from_utf8(line).map_err(|_| self.here(Error::NotText))
    }

    fn parse<T: FromStr<Err = Error>>(&mut self, what: &'static str) -> Result<T> {
        self.next(what)?.parse().map_err(|error| self.here(error))
    }

    fn number(&mut self, what: &'static str) -> Result<u64> {
        let text = self.next(what)?;
        // Rust would take a leading plus sign.
        let number = text
            .bytes()
            .all(|byte| byte.is_ascii_digit())
            .then(|| text.parse().ok());
        number.flatten().ok_or_else(|| {
            self.here(Error::BadNumber {
                text: text.into(),
                what,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const A: &str = "/nix/store/0023a8ppvzkvviq2887k7cpw39wzjibi-a";
    const B: &str = "/nix/store/v83yia23qrmm0484d2fz9ak12pbfd5x8-b";
    const HASH: &str = "sha256:1ib0rn0jdvh35xmfrwnxg16q2zsdjbk0b8h6819bz0njrn3v579h";
    const BASE16: &str = "309db287cdd282bf524006a205e6924d7f814d78ddf2ec6a2f03ee2681cd60c5";

    /// As closureInfo writes it.
    fn valid() -> String {
        format!("{A}\n{HASH}\n1292192\n\n2\n{A}\n{B}\n{B}\n{HASH}\n7\n\n0\n")
    }

    fn error_of(text: impl AsRef<[u8]>) -> String {
        Closure::from_registration(Path::new("reg"), text.as_ref())
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn both_spellings_are_one_registration() {
        let closure = Closure::from_registration(Path::new("reg"), valid().as_bytes()).unwrap();
        assert_eq!(closure.paths()[0].nar_size, Some(1_292_192));
        assert_eq!(registration(&closure).unwrap(), valid().as_bytes());

        // As `nix-store --dump-db` writes it, in another order.
        let dump = format!("{B}\n{BASE16}\n7\n{A}.drv\n0\n{A}\n{BASE16}\n1292192\n\n2\n{B}\n{A}\n");
        let dumped = Closure::from_registration(Path::new("reg"), dump.as_bytes()).unwrap();
        assert_eq!(registration(&dumped).unwrap(), valid().as_bytes());
        assert_eq!(dumped, closure, "what made a path says nothing of it");
    }

    #[test]
    fn errors_name_file_and_line() {
        for (from, to, message) in [
            (
                "1292192",
                "12 92",
                "reg, line 3: size of the NAR in bytes: '12 92' is not a number",
            ),
            (
                "1292192",
                "-1",
                "reg, line 3: size of the NAR in bytes: '-1' is not a number",
            ),
            (
                "1292192",
                "+1",
                "reg, line 3: size of the NAR in bytes: '+1' is not a number",
            ),
            (
                "1292192",
                "",
                "reg, line 3: size of the NAR in bytes: '' is not a number",
            ),
            (
                "1292192",
                "18446744073709551616",
                "'18446744073709551616' is not a number",
            ),
            ("sha256:", "sha512:", "reg, line 2: 'sha512:1ib0"),
            (
                "\n2\n",
                "\n3\n",
                "reg, line 8: /nix/store/v83yia23qrmm0484d2fz9ak12pbfd5x8-b: comes twice",
            ),
            (
                "\n2\n",
                "\n99\n",
                "reg, line 9: sha256:1ib0rn0jdvh35xmfrwnxg16q2zsdjbk0b8h6819bz0njrn3v579h: not a store path",
            ),
            (
                "\n2\n",
                "\n1\n",
                "reg, line 8: '/nix/store/v83yia23qrmm0484d2fz9ak12pbfd5x8-b': not a hash: a SHA-256 has",
            ),
            (
                "\n0\n",
                "\n5\n",
                "reg, line 13: the file ends where the reference should be",
            ),
            (
                "\n0\n",
                "\n18446744073709551615\n",
                "reg, line 13: the file ends where the reference",
            ),
            (
                "\n0\n",
                "\n",
                "reg, line 12: the file ends where the count of references should be",
            ),
            (
                "\n0\n",
                "\n0",
                "reg, line 12: the last line does not end in a newline",
            ),
            ("\n0\n", "\n0\n\n", "reg, line 13: '': not a store path"),
            (
                "\n0\n",
                "\n0\r\n",
                "reg, line 12: count of references: '0\r' is not a number",
            ),
            (
                "/nix",
                "/gnu",
                "reg, line 1: /gnu/store/0023a8ppvzkvviq2887k7cpw39wzjibi-a: not a store path",
            ),
        ] {
            let text = valid().replacen(from, to, 1);
            let found = error_of(&text);
            assert!(found.contains(message), "{found}\n{text}");
        }
        let not_text = [&valid().into_bytes()[..], b"/nix/store/\xe9\n"].concat();
        assert_eq!(error_of(not_text), "reg, line 13: the line is not UTF-8");
    }

    #[test]
    fn nothing_comes_twice() {
        let again = format!("{}{B}\n{HASH}\n7\n\n0\n", valid());
        assert_eq!(error_of(again), format!("reg, line 13: {B}: comes twice"));
        let reference = valid().replace(&format!("\n{A}\n{B}\n"), &format!("\n{B}\n{B}\n"));
        assert_eq!(error_of(reference), format!("reg, line 7: {B}: comes twice"));
    }

    #[test]
    fn a_missing_reference_is_named() {
        let text = valid().replace(&format!("{B}\n{HASH}\n7\n\n0\n"), "");
        assert_eq!(
            error_of(text),
            format!("{A}: refers to {B}, which is not in the closure")
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(bytes: Vec<u8>) {
            let _ = Closure::from_registration(Path::new("reg"), &bytes);
            let _ = Closure::from_list(Path::new("list"), &bytes);
            let _ = parse_total(Path::new("total"), &bytes);
            let _ = is_registration(&bytes);
        }

        #[test]
        fn damaged_registrations_are_answered(
            place in 0..valid().len(), byte: u8, cut in 0..valid().len(), lines in "[0-9\n]{0,40}"
        ) {
            let mut flipped = valid().into_bytes();
            flipped[place] = byte;
            let _ = Closure::from_registration(Path::new("reg"), &flipped);
            // No part of the text is a registration but the whole, the first record being no closure.
            prop_assert!(cut == 0 || Closure::from_registration(Path::new("reg"), &valid().as_bytes()[..cut]).is_err());
            let _ = Closure::from_registration(Path::new("reg"), format!("{A}\n{HASH}\n{lines}").as_bytes());
        }
    }
}
