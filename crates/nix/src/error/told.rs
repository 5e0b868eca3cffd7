//! Whose fault an error is, what to do about it, and how its lists are shown.

use std::fmt::{self, Write as _};

use image::Fault;

use super::{Difference, Error};
use crate::store_path::StorePath;

impl Error {
    /// Whose fault the error is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Error::ToplevelNotInClosure { .. }
            | Error::NotInClosure { .. }
            | Error::AmbiguousToplevel { .. }
            | Error::NotInTree { .. }
            | Error::BadKey { .. }
            | Error::NoRoots { .. }
            | Error::Unknown { .. } => Fault::Request,
            Error::Image(error) => error.fault(),
            Error::Remote(error) => error.fault(),
            Error::NarTooLarge { .. } => Fault::Limit,
            Error::Database(_) | Error::WriteNar { .. } | Error::ThreadLost => Fault::Output,
            Error::Untrusted { .. } => Fault::Untrusted,
            Error::BadStorePath { .. }
            | Error::BadHash { .. }
            | Error::BadNumber { .. }
            | Error::NotText
            | Error::Surplus
            | Error::NoNewline
            | Error::Truncated { .. }
            | Error::Duplicate { .. }
            | Error::Line { .. }
            | Error::InFile { .. }
            | Error::Json { .. }
            | Error::NoGraph { .. }
            | Error::Read { .. }
            | Error::Unregistered { .. }
            | Error::Unlisted { .. }
            | Error::TotalSize { .. }
            | Error::MissingReference { .. }
            | Error::NotInStore { .. }
            | Error::SpecialFile { .. }
            | Error::NotADerivation { .. }
            | Error::Cycle { .. }
            | Error::BadSystem { .. }
            | Error::NotForNar { .. }
            | Error::BadNar { .. }
            | Error::ReadNar { .. }
            | Error::NarMismatch { .. }
            | Error::NotItsContent { .. }
            | Error::NoNar { .. }
            | Error::BadNarinfo { .. }
            | Error::OtherPath { .. }
            | Error::BadEncoding { .. }
            | Error::NotACache { .. }
            | Error::OtherStore { .. }
            | Error::NotInCaches { .. }
            | Error::StoreDatabase { .. }
            | Error::StoreDatabaseDamaged { .. }
            | Error::NotValid { .. }
            | Error::Mismatch { .. } => Fault::Input,
        }
    }
}

impl Error {
    /// What to do about it, where that is known.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Error::Untrusted { .. } => {
                "add the public key of who signed it to trusted-keys of [closure] (--trusted-key NAME:BASE64), or believe the \
                 cache with allow-unsigned = true (--allow-unsigned)"
            }
            Error::NoRoots { .. } => "of the command line, that is --path STORE-PATH",
            Error::NotInCaches { .. } => {
                "push it there with `nix copy --to`, or name another cache that has it too"
            }
            Error::NarMismatch { .. }
            | Error::BadNar { .. }
            | Error::ReadNar { .. }
            | Error::NoNar { .. } => {
                "the cache or the way to it is damaged: nothing was used of it; try another cache"
            }
            Error::NotACache { .. } => "give the folder or address that nix-cache-info lies under",
            Error::StoreDatabaseDamaged { .. } => {
                "nothing was used of it; `nix-store --verify` may find more, and a copy of the database may be whole"
            }
            Error::NotValid { .. } => "build or fetch it with Nix first, or check the path",
            Error::Remote(error) => return error.hint(),
            _ => return None,
        };
        Some(hint.to_string())
    }
}

pub(super) fn candidates(count: usize, shown: &[StorePath]) -> String {
    match count {
        0 => "no path of the closure could be it".into(),
        _ => format!("{count} paths of the closure could be it{}", lines(count, shown)),
    }
}

pub(super) fn mismatch(count: usize, shown: &[Difference]) -> String {
    match shown {
        [one] if count == 1 => one.to_string(),
        _ => format!(
            "{count} store paths are not what was registered{}",
            lines(count, shown)
        ),
    }
}

pub(super) fn arrows(way: &[StorePath]) -> String {
    way.iter().map(StorePath::as_str).collect::<Vec<_>>().join(" → ")
}

/// A colon and a line for each, and for those that are not shown.
fn lines<T: fmt::Display>(count: usize, shown: &[T]) -> String {
    let mut text = String::from(":");
    for item in shown {
        let _ = write!(text, "\n  {item}");
    }
    if count > shown.len() {
        let _ = write!(text, "\n  and {} more", count - shown.len());
    }
    text
}
