//! Bills of materials: what is in an image, for those who look for known weaknesses and for licences.
//!
//! ```text
//!  store paths, references ─┐
//!  what Nix knows (Meta)   ─┼─► Bill ─┬─► cyclonedx ─► CycloneDX 1.6, JSON
//!  files beside the store  ─┘         └─► spdx      ─► SPDX 2.3, JSON
//! ```
//!
//! A [`Bill`] is a value: a product, the [`Package`]s that are in it, and the [`File`]s that lie beside them, such as boot
//! loaders. Nothing in it depends on where a closure comes from, and both documents follow from it alone, so the same
//! image has the same bill, byte for byte: the time is an argument, and the document's own name is a UUID of version 5
//! of the seed and all that the document says.
//!
//! A store path tells its name and version as `builtins.parseDrvName` splits them ([`split_name`]). All else has to be handed
//! over, because nothing in a store knows it: licences, homepages, CPEs. [`Meta`] reads that. What of it no document could
//! hold (a homepage that is no address, a CPE that is none) is left out, and noted.

mod cyclonedx;
mod error;
mod identifiers;
mod licences;
mod meta;
mod model;
mod names;
mod spdx;
mod time;

pub use cyclonedx::cyclonedx;
pub use error::{Error, Result};
pub use identifiers::is_contact;
pub use licences::Licence;
pub use meta::{About, Meta};
pub use model::{Bill, File, Package};
pub use names::{Name, split_name};
pub use spdx::spdx;
pub use time::TIME_MAX;
