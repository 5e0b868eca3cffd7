//! NARs: written, hashed, and read from anywhere.
//!
//! The limits are those that Nix has (`src/libutil/archive.cc`), and both directions hold them: what is read here could
//! have been written here. The [grammar](https://nix.dev/manual/nix/latest/protocols/nix-archive) is drawn in the crate's
//! own description.

mod hash;
mod read;
mod unpack;
mod write;

pub use hash::hash;
pub(crate) use hash::{Hashed, Hasher};
pub use read::{Input, Visitor, read};
pub use unpack::{Unpacked, unpack};
pub use write::{size, write};

/// The first string of every NAR.
const MAGIC: &[u8] = b"nix-archive-1";

/// The most bytes of an entry's name.
pub const NAME_MAX: usize = 255;

/// The most bytes of a link's target.
pub const TARGET_MAX: usize = 4095;

/// How many directories may lie inside each other, the outermost not counted.
pub const DEPTH_MAX: usize = 64;

/// The longest word of the grammar.
const WORD_MAX: usize = 32;

/// Why bytes cannot be a name in a directory.
fn bad_name(name: &[u8]) -> Option<&'static str> {
    match name {
        b"" => Some("a name is empty"),
        b"." | b".." => Some("a name is '.' or '..'"),
        _ if name.len() > NAME_MAX => Some("a name has more than 255 bytes"),
        _ if name.contains(&b'/') => Some("a name has a slash"),
        _ if name.contains(&0) => Some("a name has a zero byte"),
        _ => None,
    }
}

/// Why bytes cannot be a link's target.
fn bad_target(target: &[u8]) -> Option<&'static str> {
    match target {
        b"" => Some("a link's target is empty"),
        _ if target.len() > TARGET_MAX => Some("a link's target has more than 4095 bytes"),
        _ if target.contains(&0) => Some("a link's target has a zero byte"),
        _ => None,
    }
}

const TOO_DEEP: &str = "more than 64 directories lie inside each other";
