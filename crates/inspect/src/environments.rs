//! U-Boot's environments as folders of their variables.

use image::{Content, Node, NodeId, Tree};
use uboot::{Copies, StoredEnvironment, find_environment};

use crate::{Error, Result, format};

/// The most bytes that are looked at: no board has a copy of more than 1 MiB.
const LEN_MAX: u64 = 2 << 20;

/// Whether there is an environment.
///
/// # Errors
/// When the bytes cannot be read.
pub(crate) fn find(content: &Content) -> Result<Option<StoredEnvironment>> {
    Ok(find_environment(&format::head(content, LEN_MAX)?))
}

/// A file for each variable, whose bytes are its value.
pub(crate) fn tree(content: &Content) -> Result<Tree> {
    let found = find(content)?.ok_or_else(|| match format::begins_with(content) {
        Ok(begin) => Error::Unknown(begin),
        Err(error) => error,
    })?;
    let environment = found.current().map_err(Clone::clone)?;
    let mut tree = Tree::default();
    for (name, value) in &environment.variables {
        // What no file can be called.
        let name = match name.as_str() {
            "." | ".." => name.replace('.', "%2E"),
            name => name.replace('/', "%2F"),
        };
        tree.add(
            NodeId::ROOT,
            name.as_bytes(),
            Node::file(value.clone().into_bytes()),
        )?;
    }
    Ok(tree)
}

/// What was checked, what was not, and how that went.
pub(crate) fn check(content: &Content) -> (Vec<&'static str>, Vec<&'static str>, Result<()>) {
    let mut unchecked = Vec::new();
    let read = || -> Result<StoredEnvironment> { find(content)?.ok_or(Error::NoFiles("no environment")) };
    let found = match read() {
        Ok(found) => found,
        Err(error) => return (Vec::new(), vec!["all of it"], Err(error)),
    };
    if found.copies == Copies::Two {
        unchecked.push("the number in the header of each copy: the checksum does not cover it");
    }
    if found.second.is_none() && found.copies == Copies::Two {
        unchecked.push("the other copy: it is not here");
    }
    if content.len() > found.size as u64 * if found.second.is_some() { 2 } else { 1 } {
        unchecked.push("what is behind it");
    }
    let copies = [Some(found.first), found.second];
    let damaged = copies.into_iter().flatten().find_map(Result::err);
    let result = damaged.map_or(Ok(()), |error| Err(error.into()));
    (
        vec!["the checksum of each copy, and every variable"],
        unchecked,
        result,
    )
}
