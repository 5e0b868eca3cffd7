//! Closures of a Nix store as trees: which paths belong together, where they lie, and whether they are what
//! they claim to be.
//!
//! ```text
//!  closureInfo folder ─┐      ┌─► registration, database
//!  registration file  ─┤
//!  graph in JSON      ─┼─► Closure ─── tree(store) ──► Tree ──► a format's plan
//!  list of paths      ─┘      │                          │
//!                             └──────── check ◄──────────┘
//!                                         │ NAR of each path ─► SHA-256 == registered?
//!                                         └ SHA-256 of files that may have duplicates
//! ```
//!
//! A store path is `/nix/store/<hash>-<name>`: a file, link or folder that never changes. What Nix knows about
//! it is one record of a *registration*, a line each:
//!
//! ```text
//!  /nix/store/0023a8ppvzkvviq2887k7cpw39wzjibi-libkrb5    the path
//!  sha256:1ib0rn0jdvh35xmfrwnxg16q2zsdjbk0b8h6819bz0...   SHA-256 of its NAR, in any spelling of Hash
//!  1292192                                                bytes of its NAR
//!                                                         what made it (closureInfo leaves this empty)
//!  2                                                      how many references follow
//!  /nix/store/0023a8ppvzkvviq2887k7cpw39wzjibi-libkrb5    a path may refer to itself
//!  /nix/store/v83yia23qrmm0484d2fz9ak12pbfd5x8-glibc
//! ```
//!
//! A *closure* is a set of paths that holds every path its members refer to. nixpkgs' `closureInfo` writes one
//! as a folder of `store-paths` (the sorted list), `registration` and `total-nar-size`.
//!
//! A *NAR* is the canonical archive of a path, and the reason why a store can be checked at all: it says
//! names, contents, link targets and the executable bit in one fixed order, and nothing of owners, times,
//! modes or hard links. `str(x)` is the length in eight bytes (little endian), the bytes, and zeros up to a
//! multiple of eight:
//!
//! ```text
//!  nar    = str("nix-archive-1") node
//!  node   = str("(") str("type") body str(")")
//!  body   = str("regular") [str("executable") str("")] str("contents") str(bytes)
//!         | str("symlink") str("target") str(bytes)
//!         | str("directory") entry*                           in the order of the names' bytes
//!  entry  = str("entry") str("(") str("name") str(bytes) str("node") node str(")")
//! ```
//!
//! The store's own folder is never listed: it holds locks, links and paths that nobody vouches for.

mod base32;
mod cache;
mod check;
mod closure;
mod content_address;
mod database;
mod derivation;
mod download;
mod error;
mod export;
mod fetch;
mod hash;
mod listing;
mod local;
pub mod nar;
mod narinfo;
mod references_graph;
mod registration;
mod resolve;
mod source;
mod store;
mod store_path;
mod system;
mod trust;
mod workers;

pub use cache::{Caches, Fetching, Found as FoundInCaches};
pub use check::{Checked, Checking, Depth, Digests, Mismatch, Wanted, check};
pub use closure::{Closure, PathInfo};
pub use database::{DATABASE_DIR, database, database_folder};
pub use download::DownloadDir;
pub use error::{Difference, Error, Result};
pub use export::read_export;
pub use hash::Hash;
pub use local::{read_database, read_whole_database};
pub use narinfo::Narinfo;
pub use registration::registration;
pub use resolve::{Found, Unfollowable, Unfollowed, followed, resolve};
pub use source::Source;
pub use store::Store;
pub use store_path::{STORE_DIR, StorePath};
pub use system::{BootFile, System, specialisations, system};
pub use trust::{NIXOS_KEY, PublicKey, Trust};
