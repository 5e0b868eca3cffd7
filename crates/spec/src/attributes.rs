//! What a specification says of files, whatever they come from: the keys `attributes`, `nodes` and `xattrs`.

use data_encoding::{BASE64, HEXLOWER_PERMISSIVE};
use fast_glob::glob_match;
use image::{Device, Kind, Meta, Node, NodeId, Tree, Xattr};

use crate::capabilities;
use crate::error::{Error, Result};
use crate::schema::{Attributes, FileSystem, Format};

/// Refuses what makes no sense before anything is read.
pub(crate) fn check(key: &str, fs: &FileSystem) -> Result<()> {
    for (number, rule) in fs.attributes.iter().enumerate() {
        let place = format!("fs.{key}.attributes, rule {} ({})", number + 1, rule.path);
        Change::of(rule, &place)?;
        let of_unix = rule.mode.is_some()
            || rule.directory_mode.is_some()
            || rule.owner.is_some()
            || rule.group.is_some()
            || rule.capabilities.is_some()
            || !rule.xattrs.is_empty();
        if fs.format == Format::Fat && of_unix {
            let problem = "a FAT has times, and no modes, owners or attributes".to_string();
            return Err(Error::BadValue { place, problem });
        }
    }
    for (path, text) in &fs.nodes {
        node(text).map_err(|problem| Error::BadValue {
            place: format!("fs.{key}.nodes.{path:?}"),
            problem,
        })?;
    }
    Ok(())
}

/// Whether a path fits one of some patterns.
pub(crate) fn fits(patterns: &[String], path: &[u8]) -> bool {
    patterns.iter().any(|pattern| glob_match(pattern, path))
}

/// Adds devices and pipes.
pub(crate) fn add_nodes(tree: &mut Tree, part: &str, fs: &FileSystem) -> Result<()> {
    for (path, text) in &fs.nodes {
        let node = node(text).map_err(|problem| Error::BadValue {
            place: format!("{part}.nodes.{path:?}"),
            problem,
        })?;
        let added = tree.add_at(path.as_bytes(), node);
        added.map_err(|source| Error::Tree {
            part: part.to_string(),
            source,
        })?;
    }
    Ok(())
}

/// Lets every file that is in no store path have what the specification says, rule by rule.
pub(crate) fn apply(tree: &mut Tree, part: &str, fs: &FileSystem) -> Result<()> {
    if !fs.xattrs.is_empty() {
        for id in outside(tree, &|_| true).0 {
            let xattrs = &mut tree.node_mut(id).meta.xattrs;
            xattrs.retain(|xattr| fits(&fs.xattrs, &xattr.name));
        }
    }
    for (number, rule) in fs.attributes.iter().enumerate() {
        let place = format!("{part}.attributes, rule {} ({})", number + 1, rule.path);
        let change = Change::of(rule, &place)?;
        let (found, in_store) = outside(tree, &|path| glob_match(&rule.path, path));
        if found.is_empty() {
            let problem = if in_store {
                "it is in a store path, and store paths stay as they are registered"
            } else {
                "there is no such file"
            };
            return Err(Error::BadValue {
                place,
                problem: problem.to_string(),
            });
        }
        for id in found {
            change.apply(tree.node_mut(id));
        }
    }
    Ok(())
}

/// The nodes that are in no store path and whose path is wanted, each once, and whether any in a store path is.
fn outside(tree: &Tree, wanted: &dyn Fn(&[u8]) -> bool) -> (Vec<NodeId>, bool) {
    let mut found = Vec::new();
    let mut in_store = false;
    let mut open = vec![(NodeId::ROOT, Vec::new())];
    while let Some((id, path)) = open.pop() {
        let shown: &[u8] = if path.is_empty() { b"/" } else { &path };
        if tree.unit(id).is_some() {
            let mut below = tree.walk_from(id);
            in_store |= below.any(|entry| {
                let inside = [&path[..], entry.path.strip_suffix(b"/").unwrap_or(&entry.path)].concat();
                wanted(&inside)
            });
            continue;
        }
        if wanted(shown) {
            found.push(id);
        }
        for (name, child) in tree.children(id) {
            open.push((child, [&path[..], b"/", name].concat()));
        }
    }
    found.sort_unstable();
    found.dedup();
    (found, in_store)
}

/// A rule, understood.
struct Change {
    mode: Option<u16>,
    directory_mode: Option<u16>,
    owner: Option<u32>,
    group: Option<u32>,
    time: Option<i64>,
    xattrs: Vec<Xattr>,
}

impl Change {
    fn of(rule: &Attributes, place: &str) -> Result<Change> {
        let bad = |problem: String| Error::BadValue {
            place: place.to_string(),
            problem,
        };
        if !rule.path.starts_with('/') {
            return Err(bad("must begin with /".into()));
        }
        let mut xattrs = Vec::new();
        for (name, text) in &rule.xattrs {
            let value = value(text).map_err(|problem| bad(format!("xattrs.{name}: {problem}")))?;
            xattrs.push(xattr(name, value));
        }
        if let Some(text) = &rule.capabilities {
            let value =
                capabilities::value(text).map_err(|problem| bad(format!("capabilities: {problem}")))?;
            xattrs.push(xattr(capabilities::ATTRIBUTE, value));
        }
        let change = Change {
            mode: rule.mode.as_deref().map(mode).transpose().map_err(bad)?,
            directory_mode: rule
                .directory_mode
                .as_deref()
                .map(mode)
                .transpose()
                .map_err(bad)?,
            owner: rule.owner,
            group: rule.group,
            time: rule.time,
            xattrs,
        };
        if change.is_nothing() {
            return Err(bad("says nothing".into()));
        }
        Ok(change)
    }

    fn is_nothing(&self) -> bool {
        let modes = self.mode.or(self.directory_mode).is_some();
        let owners = self.owner.or(self.group).is_some();
        !modes && !owners && self.time.is_none() && self.xattrs.is_empty()
    }

    fn apply(&self, node: &mut Node) {
        let mode = match node.kind {
            // Linux has none of links.
            Kind::Symlink(_) => None,
            Kind::Directory(_) => self.directory_mode.or(self.mode),
            _ => self.mode,
        };
        let Meta {
            mode: old_mode,
            uid,
            gid,
            mtime,
            xattrs,
        } = &mut node.meta;
        *old_mode = mode.unwrap_or(*old_mode);
        *uid = self.owner.unwrap_or(*uid);
        *gid = self.group.unwrap_or(*gid);
        *mtime = self.time.unwrap_or(*mtime);
        for xattr in &self.xattrs {
            xattrs.retain(|old| old.name != xattr.name);
            xattrs.push(xattr.clone());
        }
        xattrs.sort();
    }
}

fn xattr(name: &str, value: Vec<u8>) -> Xattr {
    Xattr {
        name: name.as_bytes().into(),
        value: value.into(),
    }
}

/// Permission bits as `chmod` takes them.
fn mode(text: &str) -> Result<u16, String> {
    let digits = !text.is_empty() && text.bytes().all(|digit| (b'0'..=b'7').contains(&digit));
    let mode = u16::from_str_radix(text, 8)
        .ok()
        .filter(|mode| digits && *mode <= 0o7777);
    mode.ok_or_else(|| format!("mode {text:?}: must be octal digits of at most 7777, such as \"0640\""))
}

/// The value of an attribute, spelt as `setfattr` takes it.
fn value(text: &str) -> Result<Vec<u8>, String> {
    if let Some(digits) = text.strip_prefix("0x") {
        let decoded = HEXLOWER_PERMISSIVE.decode(digits.as_bytes());
        return decoded.map_err(|_| "not hexadecimal digits behind 0x".to_string());
    }
    if let Some(digits) = text.strip_prefix("0s") {
        let decoded = BASE64.decode(digits.as_bytes());
        return decoded.map_err(|_| "not base64 behind 0s".to_string());
    }
    Ok(text.as_bytes().to_vec())
}

/// A node as `nodes` spells it: `char 5:1`, `block 8:0`, `fifo`, `socket`.
fn node(text: &str) -> Result<Node, String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let device = |numbers: &str| {
        let (major, minor) = numbers.split_once(':')?;
        let (major, minor) = (major.parse().ok()?, minor.parse().ok()?);
        // Linux has twelve bits for one and twenty for the other.
        (major < 1 << 12 && minor < 1 << 20).then_some(Device { major, minor })
    };
    let kind = match words[..] {
        ["char", numbers] => device(numbers).map(Kind::CharDevice),
        ["block", numbers] => device(numbers).map(Kind::BlockDevice),
        ["fifo"] => Some(Kind::Fifo),
        ["socket"] => Some(Kind::Socket),
        _ => None,
    };
    let kind = kind.ok_or_else(|| {
        format!("{text:?}: must be \"char MAJOR:MINOR\", \"block MAJOR:MINOR\", \"fifo\" or \"socket\"")
    })?;
    Ok(Node {
        meta: Meta::root(0o600),
        kind,
    })
}

/// What is left out of trees: everything below a folder that is left out, too.
pub(crate) fn exclude(tree: &mut Tree, patterns: &[String]) {
    if patterns.is_empty() {
        return;
    }
    let mut open = vec![(NodeId::ROOT, Vec::new())];
    while let Some((id, path)) = open.pop() {
        let children: Vec<(Vec<u8>, NodeId)> = tree
            .children(id)
            .map(|(name, child)| (name.to_vec(), child))
            .collect();
        for (name, child) in children {
            let path = [&path[..], b"/", &name].concat();
            if fits(patterns, &path) {
                tree.remove(id, &name);
            } else {
                open.push((child, path));
            }
        }
    }
    *tree = std::mem::take(tree).swept();
}

#[cfg(test)]
mod tests {
    use image::{Unit, show};

    use super::*;

    fn rule(path: &str) -> Attributes {
        Attributes {
            path: path.into(),
            ..Attributes::default()
        }
    }

    fn tree() -> Tree {
        let mut tree = Tree::default();
        for path in [
            &b"/etc/shadow"[..],
            b"/etc/ssh/key",
            b"/bin/ping",
            b"/nix/store/x/bin/tool",
        ] {
            tree.add_at(path, Node::file(&b""[..])).unwrap();
        }
        tree.add_at(b"/etc/link", Node::symlink("shadow")).unwrap();
        let unit = Unit {
            order: (*b"x").into(),
            name: (*b"x").into(),
        };
        tree.mark_unit(tree.lookup(b"/nix/store/x").unwrap(), unit);
        tree
    }

    fn applied(rules: Vec<Attributes>) -> Result<Tree> {
        let mut tree = tree();
        let fs = FileSystem {
            attributes: rules,
            ..FileSystem::default()
        };
        apply(&mut tree, "fs.root", &fs).map(|()| tree)
    }

    /// Mode, owner and group.
    fn of(tree: &Tree, path: &str) -> String {
        let meta = &tree.node(tree.lookup(path.as_bytes()).unwrap()).meta;
        format!("{:o} {}:{} {}", meta.mode, meta.uid, meta.gid, meta.mtime)
    }

    #[test]
    fn later_rules_count_and_store_paths_stay() {
        let all = Attributes {
            owner: Some(7),
            time: Some(99),
            mode: Some("600".into()),
            directory_mode: Some("2700".into()),
            ..rule("/**")
        };
        let shadow = Attributes {
            mode: Some("0640".into()),
            group: Some(42),
            ..rule("/etc/{shadow,gshadow}")
        };
        let root = Attributes {
            directory_mode: Some("755".into()),
            ..rule("/")
        };
        let tree = applied(vec![all, shadow, root]).unwrap();
        assert_eq!(of(&tree, "/etc"), "2700 7:0 99");
        assert_eq!(of(&tree, "/etc/shadow"), "640 7:42 99");
        assert_eq!(of(&tree, "/etc/ssh/key"), "600 7:0 99");
        assert_eq!(of(&tree, "/etc/link"), "777 7:0 99");
        assert_eq!(of(&tree, "/nix/store"), "2700 7:0 99");
        assert_eq!(of(&tree, "/nix/store/x/bin/tool"), "644 0:0 1");
        assert!(of(&tree, "/").starts_with("755 "), "{}", of(&tree, "/"));
    }

    #[test]
    fn capabilities_and_other_attributes() {
        let ping = Attributes {
            capabilities: Some("cap_net_raw=ep".into()),
            xattrs: [("user.a", "text"), ("user.b", "0x00ff"), ("user.c", "0sAAE=")]
                .map(|(name, value)| (name.to_string(), value.to_string()))
                .into(),
            ..rule("/bin/ping")
        };
        let mut tree = applied(vec![ping]).unwrap();
        let ping = tree.lookup(b"/bin/ping").unwrap();
        let named = |tree: &Tree| -> Vec<(String, Vec<u8>)> {
            let xattrs = tree.node(ping).meta.xattrs.iter();
            xattrs
                .map(|xattr| (show(&xattr.name), xattr.value.to_vec()))
                .collect()
        };
        let found = named(&tree);
        assert_eq!(found[0].0, "security.capability");
        assert_eq!(
            found[1..]
                .iter()
                .map(|(_, value)| value.clone())
                .collect::<Vec<_>>(),
            [b"text".to_vec(), vec![0, 255], vec![0, 1]]
        );
        let fs = FileSystem {
            xattrs: vec!["security.*".into(), "user.a".into()],
            ..FileSystem::default()
        };
        apply(&mut tree, "fs.root", &fs).unwrap();
        assert_eq!(named(&tree), found[..2]);
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let owner = |path: &str| Attributes {
            owner: Some(1),
            ..rule(path)
        };
        let with = |mode: &str| Attributes {
            mode: Some(mode.into()),
            ..rule("/etc")
        };
        for (rule, problem) in [
            (owner("/etc/none"), "there is no such file"),
            (owner("/nix/store/x/bin/tool"), "it is in a store path"),
            (owner("/nix/store/x"), "it is in a store path"),
            (owner("etc"), "must begin with /"),
            (rule("/etc"), "says nothing"),
            (with("0888"), "must be octal digits"),
            (with("17777"), "must be octal digits"),
            (with("u+x"), "must be octal digits"),
            (with(""), "must be octal digits"),
        ] {
            let error = applied(vec![rule]).unwrap_err().to_string();
            assert!(error.contains(problem), "{error}");
        }
        for wrong in [
            "char",
            "char 5",
            "char 5:x",
            "char 4096:0",
            "block 8:0 9",
            "pipe",
            "",
        ] {
            assert!(node(wrong).is_err(), "{wrong}");
        }
        let console = node("char 5:1").unwrap();
        assert!(matches!(
            console.kind,
            Kind::CharDevice(Device { major: 5, minor: 1 })
        ));
    }

    #[test]
    fn what_is_left_out_takes_what_is_below_with_it() {
        let mut tree = tree();
        exclude(&mut tree, &["/etc/ss*".into(), "/**/ping".into()]);
        let paths: Vec<String> = tree.walk().map(|entry| show(&entry.path)).collect();
        assert_eq!(paths[..5], ["/", "/bin", "/etc", "/etc/link", "/etc/shadow"]);
        assert!(tree.lookup(b"/etc/ssh/key").is_none());
        assert_eq!(tree.units().count(), 1);
    }
}
