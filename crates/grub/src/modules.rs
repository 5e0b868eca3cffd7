//! Which modules a core image holds, in which order.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Error, Folder, Result};

/// GRUB's list of what each module needs.
const LIST: &str = "moddep.lst";

/// The modules and what they need, each behind what it needs itself; for one of several that need nothing of each other, the
/// order is that of `grub-mkimage`, which goes through a module's needs from the last to the first.
pub(crate) fn ordered(folder: &Folder, wanted: &[String]) -> Result<Vec<String>> {
    let list = folder.read(LIST)?;
    let list = std::str::from_utf8(&list).map_err(|_| folder.bad(LIST, "is not text"))?;
    let needs = needs(list);
    let mut order = Order {
        needs: &needs,
        seen: BTreeSet::new(),
        made: Vec::new(),
        missing: Vec::new(),
    };
    for name in wanted {
        order.add(name);
    }
    if order.missing.is_empty() {
        Ok(order.made)
    } else {
        Err(Error::NoModules {
            folder: folder.shown(),
            names: order.missing,
        })
    }
}

/// `NAME: NEEDED NEEDED`, line by line.
fn needs(list: &str) -> BTreeMap<&str, Vec<&str>> {
    let lines = list.lines().filter_map(|line| line.split_once(':'));
    lines
        .map(|(name, needed)| (name.trim(), needed.split_whitespace().collect()))
        .collect()
}

struct Order<'a> {
    needs: &'a BTreeMap<&'a str, Vec<&'a str>>,
    /// What is in, or will be when all that it needs is.
    seen: BTreeSet<String>,
    made: Vec<String>,
    missing: Vec<String>,
}

impl Order<'_> {
    /// Goes down without recursion, for lists can be of any depth.
    fn add(&mut self, name: &str) {
        let mut open = vec![(name.to_string(), false)];
        while let Some((name, needs_are_in)) = open.pop() {
            if needs_are_in {
                self.made.push(name);
                continue;
            }
            if !self.seen.insert(name.clone()) {
                continue;
            }
            let Some(needed) = self.needs.get(name.as_str()) else {
                self.missing.push(name);
                continue;
            };
            open.push((name, true));
            // The last is on top, and so the first.
            open.extend(needed.iter().map(|needed| ((*needed).to_string(), false)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(list: &str, wanted: &[&str]) -> Result<Vec<String>> {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(LIST), list).unwrap();
        let wanted: Vec<String> = wanted.iter().map(ToString::to_string).collect();
        ordered(&Folder::new(dir.path()), &wanted)
    }

    #[test]
    fn what_is_needed_comes_first_and_once() {
        let list = "ext2: fshelp\nfshelp:\nnormal: boot terminal\nboot:\nterminal: boot\nself: self\n";
        assert_eq!(order(list, &["normal"]).unwrap(), ["boot", "terminal", "normal"]);
        assert_eq!(
            order(list, &["ext2", "normal", "ext2", "boot", "self"]).unwrap(),
            ["fshelp", "ext2", "boot", "terminal", "normal", "self"]
        );
    }

    #[test]
    fn all_that_is_missing_is_named() {
        let error = order("a: b\n", &["zfs", "a"]).unwrap_err().to_string();
        assert!(error.ends_with(": has no module zfs, b"), "{error}");
    }
}
