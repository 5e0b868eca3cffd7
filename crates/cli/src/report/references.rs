//! Who refers to whom: what the closure's registration says, wherever that is.

use std::io::Write as _;
use std::path::Path;

use image::Content;
use nix::{Closure, StorePath};
use report::{Found, Registered};

use super::collect::Collected;
use crate::described::{self, Described, base};
use crate::failure::Failure;
use crate::look::Planned;

/// Longer registrations and databases in an image are not read.
const LEN_MAX: u64 = 256 << 20;

/// Adds what is known of references, from the first that knows: the user, the plan, the image itself, the manifest beside it.
pub(super) fn gather(
    found: &mut Found,
    collected: &Collected,
    given: Option<&Path>,
    image: &Path,
    planned: Option<&Planned>,
) -> Result<(), Failure> {
    let described = described::of(image);
    let toplevel = described.as_ref().and_then(Described::toplevel);
    if let Some(given) = given {
        let closure = Closure::read(given).map_err(spec::Error::from)?;
        put(found, &closure, toplevel);
    } else if let Some(planned) = planned {
        let toplevel = planned.gathered.toplevel.as_ref();
        put(
            found,
            &planned.gathered.closure,
            toplevel.map(ToString::to_string),
        );
    } else if let Some(described) = described.filter(Described::has_references) {
        found.closure = described.registered().collect();
        found.toplevel = toplevel.as_deref().map(|path| base(path).into());
    } else {
        for content in &collected.registrations {
            match in_registration(content) {
                Some(closure) => put(found, &closure, toplevel.clone()),
                None => found.notes.push(unreadable("/nix-path-registration")),
            }
        }
        for content in &collected.databases {
            match in_database(content) {
                Some(closure) => put(found, &closure, toplevel.clone()),
                None => found.notes.push(unreadable("/nix/var/nix/db/db.sqlite")),
            }
        }
    }
    Ok(())
}

fn unreadable(path: &str) -> String {
    format!("{path} in the image cannot be read, so it does not say who refers to whom.")
}

/// Adds a closure to what is known. Its toplevel is the given one, or else the only path that no other refers to.
fn put(found: &mut Found, closure: &Closure, toplevel: Option<String>) {
    found
        .closure
        .extend(closure.paths().iter().map(|info| Registered {
            name: info.path.base_name().into(),
            references: info.references.as_ref().map(|references| {
                let names = references.iter().map(StorePath::base_name);
                names.map(Into::into).collect()
            }),
        }));
    let only = || closure.toplevel(None).ok().map(ToString::to_string);
    let toplevel = toplevel.or_else(only);
    found.toplevel = found
        .toplevel
        .take()
        .or(toplevel.as_deref().map(|path| base(path).into()));
}

fn in_registration(content: &Content) -> Option<Closure> {
    if content.len() > LEN_MAX {
        return None;
    }
    Closure::from_registration(Path::new("nix-path-registration"), &content.to_vec().ok()?).ok()
}

/// A database is copied out of the image, because its reader reads files.
fn in_database(content: &Content) -> Option<Closure> {
    if content.len() > LEN_MAX {
        return None;
    }
    let mut file = tempfile::NamedTempFile::new().ok()?;
    file.write_all(&content.to_vec().ok()?).ok()?;
    file.flush().ok()?;
    nix::read_whole_database(file.path()).ok()
}
