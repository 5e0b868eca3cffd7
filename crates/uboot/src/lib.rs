//! U-Boot: boot scripts, boot menus and environments.
//!
//! U-Boot runs a text file of commands, `boot.cmd`, when it is wrapped into a *legacy image* called `boot.scr`.
//! All numbers in it are big-endian:
//!
//! ```text
//!  0        4        8        12       16       20       24       28  29   30   31   32            64
//!  ┌────────┬────────┬────────┬────────┬────────┬────────┬────────┬───┬────┬────┬────┬─────────────┐
//!  │ magic  │ hcrc   │ time   │ size   │ load 0 │ ep 0   │ dcrc   │os │arch│type│comp│ name[32]    │ header
//!  └────────┴────────┴────────┴────────┴────────┴────────┴────────┴───┴────┴────┴────┴─────────────┘
//!  ┌────────────────┬────────────────┬──────────────────────────────────────────────┐
//!  │ script's bytes │ 0: list's end  │ the script, without padding                  │              data
//!  └────────────────┴────────────────┴──────────────────────────────────────────────┘
//!  64               68               72                                      64 + size
//! ```
//!
//! `hcrc` covers the header with `hcrc` itself as zero, `dcrc` covers the data, both with the CRC-32 of zip. The
//! data begins with a list of lengths, ended by a zero: the format can hold several files, a script is one.
//! [`script`] writes what `mkimage -C none -T script` writes for the same time, byte for byte, and
//! [`read_script`] reads it back.
//!
//! U-Boot looks at neither the operating system, the architecture nor the compression of a script. It checks both
//! CRCs (unless the variable `verify` is `n`) and refuses an empty script.
//!
//! [`substitute`] fills in the placeholders of a script before it is wrapped.
//!
//! Systems that need no script have a menu: [`extlinux`]. What U-Boot keeps from one start to the next is its
//! [`environment`](mod@environment).

mod arch;
pub mod environment;
pub mod extlinux;
mod format;
mod script;
mod stored;
mod substitute;

use image::Fault;

pub use arch::Arch;
pub use environment::{
    ByteOrder, Copies, Copy, Environment, EnvironmentError, EnvironmentOptions, current, environment,
    read_environment,
};
pub use script::{Script, ScriptOptions, read_script, read_script_at_start, script};
pub use stored::{StoredEnvironment, find_environment};
pub use substitute::substitute;

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of boot scripts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A name that does not fit the header.
    #[error("{name:?}: the name of a boot script is {len} bytes long, the limit is 32")]
    NameTooLong {
        /// The name.
        name: String,
        /// Its bytes.
        len: usize,
    },
    /// A name with a zero byte, which would end it.
    #[error("{name:?}: the name of a boot script holds a zero byte")]
    NameHasZero {
        /// The name.
        name: String,
    },
    /// A script without a byte, which U-Boot refuses to run.
    #[error("the boot script is empty; U-Boot refuses to run it")]
    EmptyScript,
    /// A script whose length the format cannot express.
    #[error("the boot script is {len} bytes long, the limit is {limit}", limit = format::SCRIPT_LEN_MAX)]
    ScriptTooLarge {
        /// The script's bytes.
        len: u64,
    },
    /// A name of an architecture that mkimage does not know.
    #[error("{name}: is no architecture that U-Boot's images know")]
    UnknownArch {
        /// The name.
        name: String,
    },
    /// A value for a placeholder that is not in the source.
    #[error("{name}: there is a value for this placeholder, but @{name}@ does not occur in the script")]
    UnusedPlaceholder {
        /// The placeholder, without its `@`.
        name: String,
    },
    /// A file that ends before its parts do, or goes on behind them.
    #[error("the {part} of the boot script should end at byte {expected}, the file has {len} bytes")]
    WrongLength {
        /// Which part: `header` or `data`.
        part: &'static str,
        /// Where the part should end.
        expected: u64,
        /// The file's bytes.
        len: u64,
    },
    /// A file that begins with something else.
    #[error("the file begins with {found:#010x}, a boot script begins with {magic:#010x}", magic = format::IH_MAGIC)]
    NotAnImage {
        /// The first four bytes.
        found: u32,
    },
    /// A checksum that is not that of the bytes it covers.
    #[error("the {part} of the boot script is damaged: its checksum is {computed:#010x}, not {stored:#010x}")]
    WrongChecksum {
        /// Which part: `header` or `data`.
        part: &'static str,
        /// What the header says.
        stored: u32,
        /// What the bytes give.
        computed: u32,
    },
    /// An image of something else, such as a kernel.
    #[error("the image has type {found}, a boot script has type {script}", script = format::IH_TYPE_SCRIPT)]
    NotAScript {
        /// The header's `ih_type`.
        found: u8,
    },
    /// An architecture's number that U-Boot does not know.
    #[error("the boot script is for architecture {number}, which is unknown")]
    UnknownArchNumber {
        /// The header's `ih_arch`.
        number: u8,
    },
    /// A list of lengths that is not that of one script.
    #[error(
        "the boot script's list of lengths is {first}, {second}; one script of {len} bytes needs {len}, 0"
    )]
    WrongList {
        /// The first number.
        first: u32,
        /// The second number.
        second: u32,
        /// The bytes behind them.
        len: u32,
    },
    /// A name with bytes behind its end, or that is not UTF-8.
    #[error("the name of the boot script is not text")]
    NameNotText,
}

impl Error {
    /// Whose fault the error is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Error::NameTooLong { .. }
            | Error::NameHasZero { .. }
            | Error::UnknownArch { .. }
            | Error::UnusedPlaceholder { .. } => Fault::Request,
            Error::EmptyScript => Fault::Input,
            Error::ScriptTooLarge { .. } => Fault::Limit,
            _ => Fault::Damaged,
        }
    }
}
