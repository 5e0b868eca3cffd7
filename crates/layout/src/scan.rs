//! What files say of store paths: found in one pass over each, with bounded memory.

use std::io::{self, Read};

use image::{Content, Progress, Reader};
use memchr::memmem::Finder;
use transport::{Coding, decode};

use crate::error::Result;
use crate::prefixes::{HASH_LEN, Prefixes, STORE, is_digit, is_name_character};
use crate::report::What;

/// How many bytes are read at once.
const CHUNK_LEN: usize = 1 << 20;

/// The longest name of a store path.
const NAME_MAX: usize = 211;
/// How far one has to look ahead of a hash.
const AHEAD: usize = HASH_LEN + 1 + NAME_MAX;

/// How many paths outside the closure one file is told of.
const OUTSIDE_MAX: usize = 16;

/// As much of a compressed file is looked at.
const UNPACKED_MAX: u64 = 8 << 30;

/// The middle of `/nix/store/` in UTF-16, of either byte order.
const WIDE: &[u8] = b"n\0i\0x\0/\0s\0t\0o\0r\0e\0/\0";

/// What a file says.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// How often it names known paths.
    pub(crate) references: u64,
    /// What cannot be rewritten in it.
    pub(crate) left: Vec<What>,
}

/// Reads files, one after the other.
pub(crate) struct Scanner<'a> {
    prefixes: &'a Prefixes,
    wide: Finder<'static>,
    progress: &'a dyn Progress,
    chunk: Vec<u8>,
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(prefixes: &'a Prefixes, progress: &'a dyn Progress) -> Self {
        Scanner {
            prefixes,
            wide: Finder::new(WIDE),
            progress,
            chunk: vec![0; CHUNK_LEN],
        }
    }

    pub(crate) fn scan(&mut self, content: &Content) -> Result<Found> {
        let mut window = Window::default();
        let mut compressed = None;
        let mut reader = content.reader()?;
        while reader.remaining() > 0 {
            let first = window.position == 0 && window.bytes.is_empty();
            let len = reader.fill(&mut self.chunk)?;
            if first {
                compressed = packing(&self.chunk[..len]);
            }
            window.add(&self.chunk[..len], self.prefixes, &self.wide);
            self.progress.advance(len as u64).map_err(image::Error::from)?;
        }
        reader.finish()?;
        let mut found = window.finish(self.prefixes, &self.wide);
        match compressed {
            None => {}
            Some(Packing::Stream(format)) => found.left.extend(self.look_into(content, format)?),
            Some(Packing::Archive(name)) => found.left.push(What::NotLookedInto { format: name }),
        }
        Ok(found)
    }

    /// What a compressed file says.
    fn look_into(&mut self, content: &Content, format: Coding) -> Result<Option<What>> {
        let mut window = Window::default();
        let unread = Some(What::NotLookedInto {
            format: format.name(),
        });
        let packed = ContentRead(content.reader()?);
        let Ok(mut unpacked) = decode(format, packed) else {
            return Ok(unread);
        };
        let mut total = 0;
        loop {
            match unpacked.read(&mut self.chunk) {
                Ok(0) => break,
                Ok(len) => {
                    total += len as u64;
                    window.add(&self.chunk[..len], self.prefixes, &self.wide);
                    // Long work that shows no progress can be stopped, too.
                    self.progress.advance(0).map_err(image::Error::from)?;
                }
                // Not what its first bytes say, or damaged.
                Err(_) => return Ok(unread),
            }
            if total > UNPACKED_MAX {
                return Ok(unread);
            }
        }
        let found = window.finish(self.prefixes, &self.wide);
        let says = found.references > 0 || !found.left.is_empty();
        Ok(says.then(|| What::Packed {
            format: format.name(),
        }))
    }
}

enum Packing {
    Stream(Coding),
    Archive(&'static str),
}

fn packing(bytes: &[u8]) -> Option<Packing> {
    if bytes.starts_with(b"PK\x03\x04") {
        return Some(Packing::Archive("zip"));
    }
    Coding::of_magic(bytes).map(Packing::Stream)
}

/// A content as a stream.
struct ContentRead<'a>(Reader<'a>);

impl Read for ContentRead<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.fill(buffer).map_err(io::Error::other)
    }
}

/// The part of a file that is looked at, with what comes before it as far as that matters.
#[derive(Default)]
struct Window {
    /// Where the bytes lie in the file.
    position: u64,
    bytes: Vec<u8>,
    /// How many bytes in front only tell what comes before the others.
    context: usize,
    references: u64,
    outside: Vec<String>,
    more_outside: bool,
    alone: u64,
    is_wide: bool,
}

impl Window {
    fn add(&mut self, bytes: &[u8], prefixes: &Prefixes, wide: &Finder) {
        self.bytes.extend_from_slice(bytes);
        // What begins behind this is looked at when more is known.
        let end = self.bytes.len().saturating_sub(AHEAD);
        if end <= self.context {
            return;
        }
        self.look(end, prefixes, wide);
        let keep_from = end.saturating_sub(STORE.len());
        self.context = end - keep_from;
        self.position += keep_from as u64;
        self.bytes.drain(..keep_from);
    }

    fn finish(mut self, prefixes: &Prefixes, wide: &Finder) -> Found {
        self.look(self.bytes.len(), prefixes, wide);
        let mut left: Vec<What> = self
            .outside
            .into_iter()
            .map(|path| What::Outside { path })
            .collect();
        if self.more_outside {
            left.push(What::MoreOutside { count: OUTSIDE_MAX });
        }
        if self.is_wide {
            left.push(What::Wide);
        }
        if self.alone > 0 {
            left.push(What::HashAlone { count: self.alone });
        }
        Found {
            references: self.references,
            left,
        }
    }

    /// Looks at all hashes that begin before `end`.
    fn look(&mut self, end: usize, prefixes: &Prefixes, wide: &Finder) {
        // What begins in the context was not looked at yet when its hash lies behind it.
        let stores = prefixes.stores(&self.bytes);
        let mut outside = Vec::new();
        for start in stores {
            let hash = start + STORE.len();
            if hash < self.context || hash >= end {
                continue;
            }
            if prefixes.begins(&self.bytes[start..]) {
                self.references += 1;
            } else if let Some(path) = store_path(&self.bytes[start..]) {
                outside.push(path);
            }
        }
        for path in outside {
            self.add_outside(path);
        }
        let alone = hashes(&self.bytes, self.context..end, |at| {
            let hash = &self.bytes[at..at + HASH_LEN];
            !self.bytes[..at].ends_with(STORE) && prefixes.has_hash(hash)
        });
        self.alone += alone;
        self.is_wide = self.is_wide || wide.find_iter(&self.bytes).any(|at| is_wide(&self.bytes[at..]));
    }

    fn add_outside(&mut self, path: String) {
        if self.outside.contains(&path) {
            return;
        }
        if self.outside.len() < OUTSIDE_MAX {
            self.outside.push(path);
        } else {
            self.more_outside = true;
        }
    }
}

/// What a short text names outside of what is known.
pub(crate) fn outside(text: &[u8], prefixes: &Prefixes) -> Vec<What> {
    let stores = prefixes
        .stores(text)
        .filter(|start| !prefixes.begins(&text[*start..]));
    let paths = stores.filter_map(|start| store_path(&text[start..]));
    paths.map(|path| What::Outside { path }).collect()
}

/// The store path that bytes begin with, as long as its name can be.
fn store_path(bytes: &[u8]) -> Option<String> {
    let base = bytes.strip_prefix(STORE)?;
    let (hash, rest) = base.split_at_checked(HASH_LEN)?;
    let name = rest.strip_prefix(b"-")?;
    let len = name
        .iter()
        .take(NAME_MAX)
        .take_while(|byte| is_name_character(**byte));
    let len = len.count();
    if len == 0 || !hash.iter().copied().all(is_digit) {
        return None;
    }
    let text = &bytes[..STORE.len() + HASH_LEN + 1 + len];
    Some(String::from_utf8_lossy(text).into_owned())
}

/// Whether a store path in UTF-16 begins a little before.
fn is_wide(bytes: &[u8]) -> bool {
    let digits = bytes[WIDE.len()..].iter().step_by(2).take(HASH_LEN);
    // In the other byte order the zeros come first.
    let digits_after = bytes[WIDE.len()..].iter().skip(1).step_by(2).take(HASH_LEN);
    let are_all = |digits: &mut dyn Iterator<Item = &u8>| {
        digits.take_while(|digit| is_digit(**digit)).count() == HASH_LEN
    };
    are_all(&mut { digits }) || are_all(&mut { digits_after })
}

/// How many runs of digits that begin in a range are what is wanted. Runs that cannot be one are leapt over.
fn hashes(bytes: &[u8], range: std::ops::Range<usize>, is_wanted: impl Fn(usize) -> bool) -> u64 {
    let mut count = 0;
    let mut at = range.start;
    while at < range.end {
        let Some(run) = bytes.get(at..at + HASH_LEN) else {
            break;
        };
        if let Some(other) = run.iter().rposition(|byte| !is_digit(*byte)) {
            at += other + 1;
        } else {
            count += u64::from(is_wanted(at));
            at += 1;
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prefixes::tests::{known, path};
    use image::Silent;
    use proptest::prelude::*;
    use std::io::Write;

    fn scanned(bytes: &[u8]) -> Found {
        Scanner::new(&known(), &Silent)
            .scan(&Content::from(bytes.to_vec()))
            .unwrap()
    }

    fn left(bytes: &[u8]) -> Vec<String> {
        scanned(bytes).left.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn everything_that_stays_is_told() {
        let known = path('a', "x");
        let other = path('c', "other");
        assert_eq!(scanned(known.as_str().as_bytes()).references, 1);
        let text = format!("{known}/bin {other}/lib {known} {other}");
        assert_eq!(scanned(text.as_bytes()).references, 2);
        assert_eq!(
            left(text.as_bytes()),
            [format!("names {other}, which is not in the closure")]
        );
        assert_eq!(
            left(known.hash_part().as_bytes()),
            ["has the hash of a store path without /nix/store/ in front, once"]
        );
        // The name of a known hash is another's.
        let odd = format!("/nix/store/{}-y", known.hash_part());
        assert_eq!(
            left(odd.as_bytes()),
            [format!("names {odd}, which is not in the closure")]
        );
        for order in [u16::to_le_bytes, u16::to_be_bytes] {
            let wide: Vec<u8> = known.as_str().encode_utf16().flat_map(order).collect();
            let text = [&b"MZ"[..], &wide, b"\0\0"].concat();
            assert_eq!(left(&text), ["names store paths in UTF-16"]);
        }
        assert!(left(b"/nix/store and /nix/store/.links and eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee").is_empty());
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(known.as_str().as_bytes()).unwrap();
        let gzip = gzip.finish().unwrap();
        assert_eq!(left(&gzip), ["names store paths in what gzip has compressed"]);
        assert_eq!(
            left(&gzip[..12]),
            ["is compressed by gzip and cannot be looked into"]
        );
        assert_eq!(
            left(b"PK\x03\x04"),
            ["is compressed by zip and cannot be looked into"]
        );
    }

    proptest! {
        /// Where chunks end changes nothing.
        #[test]
        fn chunks_do_not_matter(
            parts in prop::collection::vec(
                prop_oneof![
                    Just(path('a', "x").to_string()),
                    Just(path('b', "glibc-2.40").to_string()),
                    Just(path('c', "other").to_string()),
                    Just("d".repeat(32)),
                    Just("a".repeat(32)),
                    "[/a-z.-]{0,12}",
                    Just(".".repeat(200)),
                ],
                0..12,
            ),
            cuts in prop::collection::vec(1usize..300, 1..20),
        ) {
            let bytes = parts.concat().into_bytes();
            let (prefixes, wide) = (known(), Finder::new(WIDE));
            let mut window = Window::default();
            window.add(&bytes, &prefixes, &wide);
            let whole = window.finish(&prefixes, &wide);
            let mut window = Window::default();
            let mut rest = &bytes[..];
            for cut in cuts.iter().cycle() {
                let (now, later) = rest.split_at((*cut).min(rest.len()));
                window.add(now, &prefixes, &wide);
                rest = later;
                if rest.is_empty() {
                    break;
                }
            }
            let cut = window.finish(&prefixes, &wide);
            prop_assert_eq!(cut.references, whole.references);
            prop_assert_eq!(cut.left, whole.left);
            prop_assert_eq!(whole.references, known().matches(&bytes).count() as u64);
        }
    }
}
