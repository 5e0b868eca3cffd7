//! The store paths that are known, and where bytes name them.

use memchr::memmem::Finder;
use nix::{STORE_DIR, StorePath};

/// What all store paths begin with.
pub(crate) const STORE: &[u8] = b"/nix/store/";

/// The characters of a store path's hash.
pub(crate) const HASH_LEN: usize = 32;

/// The known store paths, and what stands in the place of each: as many bytes as it has.
#[derive(Debug)]
pub(crate) struct Prefixes {
    /// By hash, and of the same hash the longest first.
    known: Vec<Known>,
    len_max: usize,
    store: Finder<'static>,
}

#[derive(Debug)]
struct Known {
    path: StorePath,
    /// Where the path lies in the new root, without slashes in front beside the first; nothing for the root itself.
    place: Box<[u8]>,
    padded: Box<[u8]>,
}

/// A place in bytes that names a known path.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Match<'a> {
    pub(crate) start: usize,
    /// As many bytes as the name of the path has.
    pub(crate) replacement: &'a [u8],
}

impl Prefixes {
    /// `place` says where a path lies in the new root: nothing for the root itself, or a path that is not longer
    /// than the store path.
    pub(crate) fn new<'a>(
        paths: impl IntoIterator<Item = &'a StorePath>,
        place: impl Fn(&StorePath) -> Vec<u8>,
    ) -> Prefixes {
        let known = |path: &StorePath| {
            let place = place(path);
            let mut padded = vec![b'/'; path.as_str().len().saturating_sub(place.len())];
            padded.extend_from_slice(&place);
            Known {
                path: path.clone(),
                place: place.into(),
                padded: padded.into(),
            }
        };
        let mut known: Vec<Known> = paths.into_iter().map(known).collect();
        let len = |known: &Known| known.path.as_str().len();
        known.sort_by(|one, other| {
            let hashes = one.path.hash_part().cmp(other.path.hash_part());
            hashes
                .then(len(other).cmp(&len(one)))
                .then(one.path.cmp(&other.path))
        });
        Prefixes {
            len_max: known.iter().map(len).max().unwrap_or(0),
            known,
            store: Finder::new(STORE),
        }
    }

    /// The bytes of the longest known path.
    pub(crate) fn len_max(&self) -> usize {
        self.len_max
    }

    /// Whether some known path has this hash.
    pub(crate) fn has_hash(&self, hash: &[u8]) -> bool {
        self.of_hash(hash).next().is_some()
    }

    /// The known paths of a hash, the longest first.
    fn of_hash<'a>(&'a self, hash: &[u8]) -> impl Iterator<Item = &'a Known> {
        let first = self
            .known
            .partition_point(|known| known.path.hash_part().as_bytes() < hash);
        self.known[first..]
            .iter()
            .take_while(move |known| known.path.hash_part().as_bytes() == hash)
    }

    /// The longest known path that bytes begin with.
    fn at(&self, bytes: &[u8]) -> Option<&Known> {
        let hash = bytes.get(STORE.len()..STORE.len() + HASH_LEN)?;
        self.of_hash(hash)
            .find(|known| bytes.starts_with(known.path.as_str().as_bytes()))
    }

    /// Whether bytes begin with a known path.
    pub(crate) fn begins(&self, bytes: &[u8]) -> bool {
        self.at(bytes).is_some()
    }

    /// Every place that begins like a store path.
    pub(crate) fn stores(&self, bytes: &[u8]) -> impl Iterator<Item = usize> {
        self.store.find_iter(bytes)
    }

    /// Every place that names a known path, in order. No two overlap: a store path has its only `/nix/store/` in
    /// front.
    pub(crate) fn matches<'a>(&'a self, bytes: &[u8]) -> impl Iterator<Item = Match<'a>> {
        self.stores(bytes).filter_map(|start| {
            let known = self.at(&bytes[start..])?;
            Some(Match {
                start,
                replacement: &known.padded,
            })
        })
    }

    /// Puts what stands in their place over all known paths that are named.
    pub(crate) fn rewrite(&self, bytes: &mut [u8]) {
        let found: Vec<(usize, &[u8])> = self
            .matches(bytes)
            .map(|found| (found.start, found.replacement))
            .collect();
        for (start, replacement) in found {
            bytes[start..start + replacement.len()].copy_from_slice(replacement);
        }
    }

    /// Where an absolute path lies in the new root, when a known store path is in front; it need not be as long.
    pub(crate) fn place(&self, path: &[u8]) -> Option<Vec<u8>> {
        let known = self.at(path)?;
        let rest = &path[known.path.as_str().len()..];
        // A name that runs on is another path's.
        if !(rest.is_empty() || rest.starts_with(b"/")) {
            return None;
        }
        let mut place = [&known.place, rest].concat();
        if place.is_empty() {
            place.push(b'/');
        }
        Some(place)
    }

    /// The known path whose base name lies in the store at this absolute path.
    pub(crate) fn path_at(&self, path: &[u8]) -> Option<&StorePath> {
        self.at(path).map(|known| &known.path)
    }
}

/// Whether a byte is a digit of Nix's base 32.
pub(crate) fn is_digit(byte: u8) -> bool {
    byte.is_ascii_digit() || (byte.is_ascii_lowercase() && !matches!(byte, b'e' | b'o' | b't' | b'u'))
}

/// Whether a byte can be in the name of a store path.
pub(crate) fn is_name_character(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+-._?=".contains(&byte)
}

const _: () = assert!(STORE.len() == STORE_DIR.len() + 1);

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(crate) fn path(letter: char, name: &str) -> StorePath {
        let hash = letter.to_string().repeat(HASH_LEN);
        format!("/nix/store/{hash}-{name}").parse().unwrap()
    }

    pub(crate) fn known() -> Prefixes {
        let paths = [path('a', "x"), path('a', "x-dev"), path('b', "glibc-2.40")];
        Prefixes::new(&paths, |_| Vec::new())
    }

    fn rewritten(text: &str) -> String {
        let mut bytes = text.as_bytes().to_vec();
        known().rewrite(&mut bytes);
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn the_longest_known_path_wins() {
        let (a, b) = ("a".repeat(32), "b".repeat(32));
        let slashes = |name: &str| "/".repeat(44 + name.len());
        for (text, wanted) in [
            (format!("/nix/store/{a}-x/bin"), slashes("x") + "/bin"),
            (format!("/nix/store/{a}-x-dev/bin"), slashes("x-dev") + "/bin"),
            // A name that runs on: the longest known one is taken, and the rest stays.
            (
                format!("/nix/store/{a}-x-development"),
                slashes("x-dev") + "elopment",
            ),
            (format!("/nix/store/{a}-x-de:"), slashes("x") + "-de:"),
            (
                format!("/nix/store/{a}-x/nix/store/{b}-glibc-2.40"),
                slashes("x") + &slashes("glibc-2.40"),
            ),
            (
                format!("/nix/store/{a}-x:/nix/store/{a}-x"),
                format!("{}:{}", slashes("x"), slashes("x")),
            ),
            (format!("/nix/store/{a}-"), format!("/nix/store/{a}-")),
            (format!("/nix/store/{b}-glibc"), format!("/nix/store/{b}-glibc")),
            (
                format!("/nix/store//nix/store/{a}-x"),
                format!("/nix/store/{}", slashes("x")),
            ),
        ] {
            assert_eq!(rewritten(&text), wanted, "{text}");
        }
    }

    #[test]
    fn places_need_whole_names() {
        let a = "a".repeat(32);
        let place = |path: String| known().place(path.as_bytes());
        assert_eq!(place(format!("/nix/store/{a}-x")).unwrap(), b"/");
        assert_eq!(place(format!("/nix/store/{a}-x-dev/lib")).unwrap(), b"/lib");
        assert_eq!(place(format!("/nix/store/{a}-x-other/lib")), None);
        assert_eq!(place("/etc".into()), None);
    }

    proptest! {
        /// Nothing known is left, nothing else has changed, and the length is the same.
        #[test]
        fn rewriting_is_complete_and_keeps_the_rest(
            parts in prop::collection::vec(
                prop_oneof![
                    Just(path('a', "x").to_string()),
                    Just(path('a', "x-dev").to_string()),
                    Just(path('b', "glibc-2.40").to_string()),
                    Just(path('c', "unknown").to_string()),
                    "[/a-z.-]{0,12}",
                    Just("/nix/store/".to_string()),
                ],
                0..12,
            )
        ) {
            let text = parts.concat();
            let rewritten = rewritten(&text);
            prop_assert_eq!(rewritten.len(), text.len());
            let known = known();
            prop_assert_eq!(known.matches(rewritten.as_bytes()).count(), 0);
            let mut changed = vec![false; text.len()];
            for found in known.matches(text.as_bytes()) {
                changed[found.start..found.start + found.replacement.len()].fill(true);
            }
            for ((before, after), changed) in text.bytes().zip(rewritten.bytes()).zip(changed) {
                prop_assert_eq!(after, if changed { b'/' } else { before });
            }
        }
    }
}
