//! Long and short names.
//!
//! A name costs one directory entry when it is of the form 8.3 and each half is of one case: then two bits say
//! which case (`nt_res`). Any other name stands in long entries, and its short entry holds a name made up for
//! readers of 1981: upper case, unique in its directory, `KERNEL~1.IMG`.

use std::collections::{HashMap, HashSet};

use image::show;

use crate::Error;
use crate::format::{LAST_LONG, LONG_UNITS, Long, attr, checksum, nt_res};

/// How a name is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    /// The name in the short entry: base and extension, padded with spaces.
    pub(crate) short: [u8; 11],
    /// Which halves of the short name are lower case.
    pub(crate) nt_res: u8,
    /// The long name in UTF-16; none when the short name says it all.
    long: Vec<u16>,
}

/// The longest long name, in UTF-16 units.
const LONG_MAX: usize = 255;

/// The names of one directory, in the same order.
///
/// # Errors
/// When a name cannot be written, or two differ only in case. `path` tells the whole path of a name.
pub(crate) fn assign(names: &[&[u8]], path: impl Fn(&[u8]) -> String) -> Result<Vec<Name>, Error> {
    let mut texts = Vec::with_capacity(names.len());
    let mut folded: HashMap<String, &[u8]> = HashMap::with_capacity(names.len());
    for name in names {
        let text = check(name, &path)?;
        if let Some(other) = folded.insert(fold(text), name) {
            return Err(Error::CaseClash {
                path: path(name),
                other: show(other),
            });
        }
        texts.push(text);
    }
    // Names that are short themselves come first, so that no made-up name takes one of theirs.
    let mut taken = HashSet::with_capacity(names.len());
    let own: Vec<Option<Name>> = texts.iter().map(|text| own_short(text)).collect();
    taken.extend(own.iter().flatten().map(|name| name.short));
    let named = own.into_iter().zip(texts).map(|(own, text)| {
        own.unwrap_or_else(|| Name {
            short: make_up(text, &mut taken),
            nt_res: 0,
            long: text.encode_utf16().collect(),
        })
    });
    Ok(named.collect())
}

fn check<'a>(name: &'a [u8], path: &impl Fn(&[u8]) -> String) -> Result<&'a str, Error> {
    let bad = |problem: String| Error::BadName {
        path: path(name),
        problem,
    };
    let Ok(text) = std::str::from_utf8(name) else {
        return Err(bad("a name on FAT must be UTF-8".into()));
    };
    // U+FFFF pads long entries.
    let illegal = |character: &char| *character < ' ' || "\"*/:<>?\\|\u{ffff}".contains(*character);
    if let Some(character) = text.chars().find(illegal) {
        return Err(bad(format!(
            "a name on FAT cannot hold the character {character:?}"
        )));
    }
    if text.ends_with(['.', ' ']) {
        return Err(bad("a name on FAT cannot end with a dot or a space".into()));
    }
    let units = text.encode_utf16().count();
    if units > LONG_MAX {
        return Err(bad(format!(
            "the name is {units} UTF-16 units long, the limit is {LONG_MAX}"
        )));
    }
    Ok(text)
}

/// What two names have in common when a reader may take one for the other.
fn fold(text: &str) -> String {
    let upper = |character: char| {
        let mut upper = character.to_uppercase();
        match (upper.next(), upper.next()) {
            // No reader takes an accented or foreign letter for an ASCII one.
            (Some(one), None) if one.is_ascii() == character.is_ascii() => one,
            _ => character,
        }
    };
    text.chars().map(upper).collect()
}

/// The name of a file whose name is of the form 8.3 in any case.
fn own_short(text: &str) -> Option<Name> {
    let (base, extension) = match text.rsplit_once('.') {
        None => (text, ""),
        Some((_, "")) => return None,
        Some(halves) => halves,
    };
    let fits = (1..=8).contains(&base.len()) && extension.len() <= 3;
    if !fits || !base.bytes().chain(extension.bytes()).all(is_short_byte) {
        return None;
    }
    let short = join(base.as_bytes(), extension.as_bytes());
    let name = match (lower_case(base), lower_case(extension)) {
        (Some(lower_base), Some(lower_extension)) => Name {
            short,
            nt_res: if lower_base { nt_res::LOWER_BASE } else { 0 }
                | if lower_extension {
                    nt_res::LOWER_EXTENSION
                } else {
                    0
                },
            long: Vec::new(),
        },
        _ => Name {
            short,
            nt_res: 0,
            long: text.encode_utf16().collect(),
        },
    };
    Some(name)
}

fn is_short_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'()-@^_`{}~".contains(&byte)
}

/// Whether the letters are lower case; none when they are mixed.
fn lower_case(half: &str) -> Option<bool> {
    let lower = half.bytes().any(|byte| byte.is_ascii_lowercase());
    let upper = half.bytes().any(|byte| byte.is_ascii_uppercase());
    if lower && upper { None } else { Some(lower) }
}

/// Makes a short name that nobody has: `STEM~1.EXT` to `STEM~9.EXT`, then `STxxxx~n.EXT` with a hash of the
/// long name, so that thousands of names of one beginning cost a few attempts each.
fn make_up(text: &str, taken: &mut HashSet<[u8; 11]>) -> [u8; 11] {
    let (stem, extension) = halves(text);
    let beginning = |len: usize| String::from_utf8_lossy(stem.get(..len).unwrap_or(&stem)).into_owned();
    let simple = (1..=9).map(|number| format!("{}~{number}", beginning(6)));
    let hashed = (0..).map(|salt: u32| {
        let hash = hash(salt, text);
        format!("{}{:04X}~{}", beginning(2), hash & 0xffff, 1 + (hash >> 16) % 9)
    });
    let mut names = simple.chain(hashed).map(|base| join(base.as_bytes(), &extension));
    // A directory holds fewer names than there are hashes, so one is free.
    names.find(|name| taken.insert(*name)).unwrap_or_default()
}

/// The beginning and the extension of a made-up name, with `_` for what short names cannot hold.
fn halves(text: &str) -> (Vec<u8>, Vec<u8>) {
    let text: String = text.chars().filter(|character| *character != ' ').collect();
    let text = text.trim_start_matches('.');
    let (base, extension) = text.rsplit_once('.').unwrap_or((text, ""));
    let plain = |half: &str, len: usize| -> Vec<u8> {
        half.chars()
            .filter(|character| *character != '.')
            .map(|character| {
                u8::try_from(character)
                    .ok()
                    .filter(|byte| is_short_byte(*byte))
                    .unwrap_or(b'_')
            })
            .map(|byte| byte.to_ascii_uppercase())
            .take(len)
            .collect()
    };
    let stem = plain(base, 6);
    (
        if stem.is_empty() { vec![b'_'] } else { stem },
        plain(extension, 3),
    )
}

fn join(base: &[u8], extension: &[u8]) -> [u8; 11] {
    let mut name = [b' '; 11];
    let fields = name.iter_mut().take(8).zip(base);
    fields.for_each(|(field, byte)| *field = byte.to_ascii_uppercase());
    let fields = name.iter_mut().skip(8).zip(extension);
    fields.for_each(|(field, byte)| *field = byte.to_ascii_uppercase());
    name
}

/// FNV-1a, because it is small and never changes.
fn hash(salt: u32, text: &str) -> u32 {
    let bytes = salt.to_le_bytes().into_iter().chain(text.bytes());
    let hash = bytes.fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    hash ^ hash >> 15
}

impl Name {
    /// How many directory entries the name takes.
    pub(crate) fn slots(&self) -> usize {
        self.long.len().div_ceil(LONG_UNITS) + 1
    }

    /// The long entries, in the order in which they stand before the short one: the end of the name first.
    pub(crate) fn long_entries(&self) -> impl Iterator<Item = Long> {
        let chksum = checksum(&self.short);
        let last = self.long.len().div_ceil(LONG_UNITS);
        let parts = self.long.chunks(LONG_UNITS).enumerate().rev();
        parts.map(move |(index, part)| {
            let is_last = index + 1 == last;
            let number = u8::try_from(index + 1).unwrap_or(u8::MAX);
            let unit = |index: usize| match index.checked_sub(part.len()) {
                None => part.get(index).copied().unwrap_or(0).into(),
                Some(0) => 0.into(),
                Some(_) => 0xffff.into(),
            };
            Long {
                ord: if is_last { number | LAST_LONG } else { number },
                name1: std::array::from_fn(unit),
                attr: attr::LONG_NAME,
                kind: 0,
                chksum,
                name2: std::array::from_fn(|index| unit(index + 5)),
                fst_clus_lo: 0.into(),
                name3: std::array::from_fn(|index| unit(index + 11)),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assigned(names: &[&str]) -> Vec<(String, u8, usize)> {
        let bytes: Vec<&[u8]> = names.iter().map(|name| name.as_bytes()).collect();
        let named = assign(&bytes, show).unwrap();
        let shown = |name: Name| {
            (
                String::from_utf8(name.short.to_vec()).unwrap(),
                name.nt_res,
                name.slots(),
            )
        };
        named.into_iter().map(shown).collect()
    }

    fn refused(names: &[&[u8]]) -> String {
        assign(names, show).unwrap_err().to_string()
    }

    #[test]
    fn short_names_in_one_case_need_no_long_entry() {
        let named = assigned(&[
            "CONFIG.TXT",
            "a.TXT",
            "B.txt",
            "cmdline.txt",
            "efi",
            "7",
            "~.d",
            "Image",
        ]);
        let expected = [
            ("CONFIG  TXT", 0, 1),
            ("A       TXT", 0x08, 1),
            ("B       TXT", 0x10, 1),
            ("CMDLINE TXT", 0x18, 1),
            ("EFI        ", 0x08, 1),
            ("7          ", 0, 1),
            ("~       D  ", 0x10, 1),
            ("IMAGE      ", 0, 2),
        ];
        for (found, (short, nt_res, slots)) in named.into_iter().zip(expected) {
            assert_eq!(found, (short.to_string(), nt_res, slots));
        }
    }

    #[test]
    fn made_up_names_are_unique_and_take_nobodys() {
        let names = [
            "extlinux.conf.old",
            "EXTLIN~1.OLD",
            "rk3328-rock64.dtb",
            ".config",
            "a b.c",
            "日本.txt",
            "x.y.z",
        ];
        let shorts: Vec<String> = assigned(&names).into_iter().map(|(short, ..)| short).collect();
        assert_eq!(
            shorts,
            [
                "EXTLIN~2OLD",
                "EXTLIN~1OLD",
                "RK3328~1DTB",
                "CONFIG~1   ",
                "AB~1    C  ",
                "__~1    TXT",
                "XY~1    Z  ",
            ]
        );
        let many: Vec<String> = (0..30_000)
            .map(|number| format!("a long name {number}"))
            .collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let shorts: HashSet<String> = assigned(&many).into_iter().map(|(short, ..)| short).collect();
        assert_eq!(shorts.len(), many.len());
        assert!(shorts.contains("ALONGN~9   "));
        assert!(!shorts.contains("           "));
    }

    #[test]
    fn long_entries_are_padded_and_checked() {
        let name = |text: &str| assign(&[text.as_bytes()], show).unwrap().remove(0);
        let thirteen = name("ThirteenChars");
        let entries: Vec<Long> = thirteen.long_entries().collect();
        assert_eq!((entries.len(), entries[0].ord), (1, 0x41));
        assert_eq!(
            entries[0].name3.map(u16::from),
            [u16::from(b'r'), u16::from(b's')]
        );
        let fourteen = name("FourteenChars!");
        let entries: Vec<Long> = fourteen.long_entries().collect();
        assert_eq!(
            entries.iter().map(|entry| entry.ord).collect::<Vec<_>>(),
            [0x42, 0x01]
        );
        assert_eq!(
            entries[0].name1.map(u16::from),
            [u16::from(b'!'), 0, 0xffff, 0xffff, 0xffff]
        );
        assert_eq!(entries[0].chksum, checksum(b"FOURTE~1   "));
        assert_eq!(name(&"x".repeat(255)).slots(), 21);
        let crab = name("🦀").long_entries().next().unwrap();
        assert_eq!(crab.name1.map(u16::from), [0xd83e, 0xdd80, 0, 0xffff, 0xffff]);
    }

    #[test]
    fn what_fat_cannot_hold_is_refused_by_name() {
        assert_eq!(
            refused(&[b"a:b"]),
            "a:b: a name on FAT cannot hold the character ':'"
        );
        assert_eq!(
            refused(&[b"tab\t"]),
            "tab\\t: a name on FAT cannot hold the character '\\t'"
        );
        assert_eq!(
            refused(&[b"dot."]),
            "dot.: a name on FAT cannot end with a dot or a space"
        );
        assert_eq!(refused(&[b"caf\xe9"]), "caf\\xe9: a name on FAT must be UTF-8");
        assert_eq!(
            refused(&[b"Makefile", b"makefile"]),
            "makefile: FAT takes it for Makefile, because it ignores case"
        );
        assert!(assign(&["Ärger".as_bytes(), "ärger".as_bytes()], show).is_err());
        assert!(assign(&["ı".as_bytes(), b"i"], show).is_ok());
    }
}
