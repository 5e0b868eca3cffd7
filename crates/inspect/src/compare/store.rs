//! Store paths by name and version, as `nix store diff-closures` has them.

use std::collections::{BTreeMap, BTreeSet};

use image::{Kind, Tree, show};

/// The digits of a store path's hash.
const HASH_LEN: usize = 32;

/// A package whose store paths are not the same in both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Package {
    /// Its name, without version.
    pub name: String,
    /// What the first has of it.
    pub before: Side,
    /// What the second has of it.
    pub after: Side,
}

/// What one image has of a package.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Side {
    /// Its versions; an empty text for one without.
    pub versions: BTreeSet<String>,
    /// The names of its store paths, with their hashes.
    pub paths: BTreeSet<String>,
    /// The bytes of all its files; what has several names counts once for each.
    pub bytes: u64,
}

/// The name of the package that a path belongs to: of the first store path on the way.
#[must_use]
pub fn store_name(path: &[u8]) -> Option<String> {
    base(path).map(|(base, _)| split(&base).0)
}

/// The packages whose store paths differ, by name.
#[must_use]
pub fn packages(a: &Tree, b: &Tree) -> Vec<Package> {
    let mut packages: BTreeMap<String, Package> = BTreeMap::new();
    let mut put = |tree: &Tree, side: fn(&mut Package) -> &mut Side| {
        for entry in tree.walk() {
            let Some((base, is_root)) = base(&entry.path) else {
                continue;
            };
            let (name, version) = split(&base);
            let package = packages.entry(name.clone()).or_default();
            package.name = name;
            let side = side(package);
            if is_root {
                side.versions.insert(version);
                side.paths.insert(base);
            }
            if let Kind::File(content) = &tree.node(entry.id).kind {
                side.bytes += content.len();
            }
        }
    };
    put(a, |package| &mut package.before);
    put(b, |package| &mut package.after);
    let changed = packages.into_values();
    changed
        .filter(|package| package.before.paths != package.after.paths)
        .collect()
}

/// The store path on the way to a path, and whether that is all of it.
fn base(path: &[u8]) -> Option<(String, bool)> {
    let mut names = path.split(|byte| *byte == b'/').filter(|name| !name.is_empty());
    let name = names.find(|name| is_store_name(name))?;
    Some((show(name), names.next().is_none()))
}

/// A hash in the digits of Nix, a dash, and a name.
#[must_use]
pub fn is_store_name(name: &[u8]) -> bool {
    let Some((hash, rest)) = name.split_at_checked(HASH_LEN) else {
        return false;
    };
    let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'z') && !b"eotu".contains(byte);
    hash.iter().all(is_digit) && rest.len() > 1 && rest[0] == b'-'
}

/// A store path's name and version, as bills of materials have them: an output's name behind the version belongs to neither.
#[must_use]
pub fn split(base: &str) -> (String, String) {
    let full = base.get(HASH_LEN + 1..).unwrap_or_default();
    let split = sbom::split_name(full);
    (split.name.into(), split.version.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_versions_are_those_of_nix() {
        let hash = "0123456789abcdfghijklmnpqrsvwxyz";
        for (full, name, version) in [
            ("glibc-2.40-66", "glibc", "2.40-66"),
            ("openssl-3.0.12-bin", "openssl", "3.0.12"),
            ("hello-2.12-rc", "hello", "2.12-rc"),
            ("linux-firmware", "linux-firmware", ""),
            ("nixos-system-host-25.11pre", "nixos-system-host", "25.11pre"),
            ("unit-dbus.service", "unit-dbus.service", ""),
            ("é-1", "é", "1"),
        ] {
            let (found, its) = split(&format!("{hash}-{full}"));
            assert_eq!((found.as_str(), its.as_str()), (name, version), "{full}");
            let path = format!("/nix/store/{hash}-{full}/bin/x");
            assert_eq!(store_name(path.as_bytes()).as_deref(), Some(name));
        }
        assert_eq!(store_name(b"/nix/store/short-1/x"), None);
        assert_eq!(store_name(b"/etc/passwd"), None);
    }
}
