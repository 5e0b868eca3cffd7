//! Root file systems out of an environment and its closure: with a store, and without any.
//!
//! An *environment* is what nixpkgs' `buildEnv` makes: one folder with the shape of a root (`bin`, `share`, …) full
//! of links to the store paths that it joins.
//!
//! ```text
//!  env/bin/hello ─► /nix/store/…-hello/bin/hello, which names /nix/store/…-glibc/lib/ld.so
//!
//!              /bin/hello                                  /nix/store
//!  links       ─► /nix/store/…-hello/bin/hello             as it is
//!  hardlinks   the same file as in the store               as it is
//!  copies      a file of its own with the same bytes       as it is
//!  fhs         the file; names ////////////////lib/ld.so   none
//! ```
//!
//! The last one works since a name in the place of another one of the same length moves nothing in a file, and since
//! the kernel, the C library and nearly every program take many slashes for one. What the closure has is joined at
//! the root: `lib/ld.so` of glibc lies at `/lib/ld.so`. [`lay_out`] does it in three steps:
//!
//! 1. `scan` reads each file once, in parallel, and finds which ones name known store paths. It lists what
//!    cannot be rewritten: paths outside the closure, names inside compressed files, in UTF-16, or only the hash.
//! 2. `union` decides who is at each path of the root, by priority, and lists those who are not.
//! 3. `rewrite` wraps the files that step 1 found: they are rewritten whenever somebody reads them.
//!
//! A store path that is a single file has no place of its own in the root; it lies at `/share/files/NAME`.

mod beside;
mod error;
mod names;
mod prefixes;
mod report;
mod rewrite;
mod scan;
mod union;

use image::{Progress, Tree};
use nix::StorePath;

pub use error::{Error, Result};
pub use report::{Conflict, Leftover, Report, What};

/// How a root is made of an environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layout {
    /// The environment's links, beside the store.
    Links,
    /// Second names of the store's files in the place of the environment's links, beside the store.
    HardLinks,
    /// Files of their own in the place of the environment's links, beside the store.
    Copies,
    /// The whole closure joined, and no store.
    Fhs(Usr),
}

/// Where programs, libraries and data lie in a root without a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Usr {
    /// Where the store paths have them: `/bin`, `/lib`, `/share`.
    #[default]
    AsItIs,
    /// In `/usr`, with links to them in the root.
    Merged,
}

/// A root, and what became of the closure.
#[derive(Clone, Debug)]
pub struct LaidOut {
    /// The root. With a store, its nodes have the numbers that they have in the closure's tree.
    pub tree: Tree,
    /// What is to be said of it.
    pub report: Report,
}

/// Makes a root of a closure's [tree](nix::Closure::tree), whose store paths are `paths`. `env` is the environment's
/// path in it, with links on the way followed.
///
/// Everything outside of the store belongs to root and is of 1970, folders have mode 0755, files 0644 or 0755, except
/// hard links, which share what the store's files have.
///
/// # Errors
/// When the environment is no folder in the closure, something cannot be read, or the user asks to stop.
pub fn lay_out(
    tree: &Tree,
    paths: &[StorePath],
    env: &[u8],
    layout: Layout,
    progress: &dyn Progress,
) -> Result<LaidOut> {
    match layout {
        Layout::Links => beside::lay_out(tree, env, beside::How::Links),
        Layout::HardLinks => beside::lay_out(tree, env, beside::How::HardLinks),
        Layout::Copies => beside::lay_out(tree, env, beside::How::Copies),
        Layout::Fhs(usr) => union::lay_out(tree, paths, env, usr, progress),
    }
}

/// Whether an environment can become a root: what [`lay_out`] looks at first.
///
/// # Errors
/// When it is no folder in the closure.
pub fn check_env(tree: &Tree, env: &[u8]) -> Result<()> {
    env_in(tree, env).map(drop)
}

/// The environment in a closure's tree, with links followed.
fn env_in(tree: &Tree, env: &[u8]) -> Result<nix::Found> {
    let found = nix::resolve(tree, env).ok_or_else(|| Error::NoEnv { env: env.into() })?;
    match tree.node(found.node).kind {
        image::Kind::Directory(_) => Ok(found),
        _ => Err(Error::EnvIsNoFolder { env: env.into() }),
    }
}
