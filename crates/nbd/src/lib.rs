//! A read-only NBD server: an image is a disk of other programs before, or without that, it is a file.
//!
//! ```text
//!  client                                   server
//!    │ ◄─ NBDMAGIC IHAVEOPT, flags ────────── │
//!    │ ── flags ────────────────────────────► │
//!    │ ── option (LIST, INFO, …) ───────────► │  handshake: at most 64 options and 30 seconds
//!    │ ◄─ replies ─────────────────────────── │
//!    │ ── GO ───────────────────────────────► │
//!    │ ◄─ size, flags ─────────────────────── │
//!    │ ── READ, BLOCK_STATUS ───────────────► │  transmission: one request after the other
//!    │ ◄─ data, holes, or an error ────────── │
//! ```
//!
//! An [`Export`] is a content under a name, and where it has data: gaps of an image and zeros are holes, of which clients
//! learn without reading. [`start`] serves it at an [`Address`] until the [`Serving`] is dropped or the process ends. Each
//! connection has a thread of its own, and the same bytes: nothing ever changes, so clients may use several at once.
//!
//! Structured replies and `base:allocation` are spoken with those who ask for them, and simple replies with all others.
//! Writing is refused with `EPERM`, and what came with a write is read and dropped. Neither TLS nor extended headers are
//! spoken.
//!
//! Clients are not trusted. What one can make the server keep is bounded by [`Limits`] and by a piece of [`PIECE`] bytes
//! for each connection; who breaks the protocol loses the connection, and nobody else notices. When the source cannot be
//! read, because a file of the host was changed since it was planned, say, the answer is an error and never other bytes.
//!
//! The protocol: <https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md>

mod address;
mod export;
mod format;
mod handshake;
mod options;
mod serve;
mod socket;
mod transmission;

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use image::Fault;

pub use address::{Address, uri_of_address, uri_of_socket};
pub use export::Export;
pub use handshake::{Agreed, negotiate};
pub use serve::{Serving, check, start};
pub use transmission::transmit;

/// As many bytes of an export are in memory at once for each connection.
pub const PIECE: usize = 1 << 20;

/// The longest name of an export.
pub const NAME_MAX: usize = 4096;

/// The most bytes of a socket's path, without the zero at its end.
pub const SOCKET_PATH_MAX: usize = 107;

/// What clients can have.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// So many connections at once; those beyond are closed at once.
    pub connections: usize,
    /// So long may the handshake take, from the first byte to the last.
    pub handshake: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            connections: 64,
            handshake: Duration::from_secs(30),
        }
    }
}

/// Why nothing is served.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A name that cannot be one.
    #[error("an export's name of {len} bytes: it has at most {NAME_MAX}")]
    NameTooLong {
        /// How many.
        len: usize,
    },
    /// More than clients count.
    #[error("an export of {size} bytes: clients count at most {max}", max = i64::MAX)]
    TooLarge {
        /// How many.
        size: u64,
    },
    /// Something has the socket's name.
    #[error("{}: exists", path.display())]
    SocketExists {
        /// The socket.
        path: PathBuf,
        /// Whether it is a socket that nobody listens on.
        is_left: bool,
    },
    /// More than the system takes.
    #[error("{}: a socket's path has at most {SOCKET_PATH_MAX} bytes, this one has {len}", path.display())]
    SocketPathTooLong {
        /// The path.
        path: PathBuf,
        /// How many.
        len: usize,
    },
    /// No socket could be made.
    #[error("{}: cannot be made: {source}", path.display())]
    Socket {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The address is another's, or none of this machine's.
    #[error("{address}: cannot be listened on: {source}")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// An address that is none.
    #[error("{text:?}: must be a port, or an address and a port such as 127.0.0.1:10809 or [::1]:10809")]
    Address {
        /// What was said.
        text: String,
    },
    /// No thread could be started.
    #[error("no thread could be started: {0}")]
    Thread(io::Error),
    /// Where the content has data could not be found out.
    #[error(transparent)]
    Image(#[from] image::Error),
}

impl Error {
    /// Whose fault the error is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Error::NameTooLong { .. } | Error::SocketPathTooLong { .. } | Error::Address { .. } => {
                Fault::Request
            }
            Error::TooLarge { .. } => Fault::Limit,
            Error::SocketExists { .. } | Error::Socket { .. } | Error::Listen { .. } | Error::Thread(_) => {
                Fault::Output
            }
            Error::Image(error) => error.fault(),
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::SocketExists { path, is_left: true } => Some(format!(
                "nobody listens on it, a server that was killed has left it: `rm {}`",
                path.display()
            )),
            Error::SocketExists { .. } => Some("choose another name: nothing is written over".into()),
            Error::SocketPathTooLong { .. } => Some("choose a shorter one, such as /tmp/kiln.sock".into()),
            Error::Listen { source, .. } if source.kind() == io::ErrorKind::AddrInUse => {
                Some("another program has that port: choose another one, or 0 for any that is free".into())
            }
            _ => None,
        }
    }
}

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;
