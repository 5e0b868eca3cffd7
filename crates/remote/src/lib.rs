//! Objects at addresses: a folder, a web server or a bucket, read whole or as a stream, and written.
//!
//! ```text
//!  file:///srv/cache                   a folder
//!  http://host/cache  https://…        a web server
//!  s3://bucket?endpoint=…&region=…     a bucket, with AWS' signature version 4 where there are credentials
//!
//!  Remote::open(address) ─► get(key)     the bytes, or none when there is no such object
//!                        ├► stream(key)  a reader that goes on where a broken connection stopped
//!                        ├► has(key)     whether there is such an object
//!                        └► put(key, …)  makes one, with the method PUT where there is a server
//! ```
//!
//! A key is a path under the address, such as `nar/1w1f….nar.zst`, or the whole address of an object elsewhere, where the
//! address is no folder.
//!
//! What may pass is tried again, with growing pauses: connections that break or stall, answers of 408, 429 and 5xx.
//! What will not pass is an error at once. A stream asks for the rest with a `Range`, and notices when the object is
//! not the one that it began with. Nothing waits for ever: a connection that is silent for
//! [`Options::stall`], or slower than [`Options::slow`], is given up.
//!
//! What is asked for over https comes over https: a server that redirects to http is not followed.
//!
//! A password is said to the server that it is for, and to no other one, wherever servers redirect to: one in an address,
//! and one that a netrc file has for all hosts, to the server of the address; one that a netrc file has for a host, to that
//! host. It is said as `Basic`, or as `Bearer` when a server asks for that.
//!
//! This crate reads no environment: credentials and certificates are arguments.

mod address;
mod error;
mod folder;
mod http;
mod login;
mod netrc;
mod pace;
mod refusal;
mod requests;
mod retry;
mod stream;

use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

pub use address::{Address, absolute, shown};
pub use error::{Error, Result};
pub use login::PasswordIn;
pub use netrc::Netrc;
pub use refusal::{Asker, Refusal, Server};
pub use stream::Stream;

use folder::Folder;
use http::Http;

/// How remotes are spoken to.
#[derive(Clone, Debug)]
pub struct Options {
    /// How often something is tried before its failure counts; at least once.
    pub tries: u32,
    /// The first pause between two tries; each one after it is twice as long.
    pub pause: Duration,
    /// How long a connection may be silent.
    pub stall: Duration,
    /// How slow a connection may be.
    pub slow: Slow,
    /// Who asks, for buckets; nobody in particular when not given.
    pub credentials: Option<Credentials>,
    /// Who asks web servers, where their addresses do not say it.
    pub netrc: Option<Arc<Netrc>>,
    /// Certificates in PEM to trust for https, in place of Mozilla's.
    pub certificates: Option<Vec<u8>>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            tries: 5,
            pause: Duration::from_millis(250),
            stall: Duration::from_secs(30),
            slow: Slow::default(),
            credentials: None,
            netrc: None,
            certificates: None,
        }
    }
}

/// How slow a connection may be: fewer bytes in this time are as good as none.
#[derive(Clone, Copy, Debug)]
pub struct Slow {
    /// The bytes of each second of it.
    pub bytes_per_second: u64,
    /// How long it is looked at.
    pub time: Duration,
}

impl Default for Slow {
    /// 1 KiB a second, for a minute.
    fn default() -> Self {
        Slow {
            bytes_per_second: 1 << 10,
            time: Duration::from_mins(1),
        }
    }
}

/// Keys of an account at an S3 service.
#[derive(Clone)]
pub struct Credentials {
    /// The access key's id.
    pub key: String,
    /// The secret.
    pub secret: String,
    /// The token of a session.
    pub token: Option<String>,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The secret is shown nowhere.
        formatter
            .debug_struct("Credentials")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

/// Opens what is to be sent, from its first byte on; for each try anew.
pub type Open<'a> = dyn Fn() -> io::Result<Box<dyn Read>> + 'a;

/// Where objects are.
#[derive(Debug)]
pub struct Remote {
    address: Address,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Folder(Folder),
    Http(Box<Http>),
}

impl Remote {
    /// Gets ready to speak to an address; nothing is asked yet.
    ///
    /// # Errors
    /// When the address makes no sense, or the certificates cannot be read.
    pub fn open(address: &str, options: &Options) -> Result<Remote> {
        let address: Address = address.parse()?;
        let place = match &address {
            Address::Folder(path) => Place::Folder(Folder::new(path)),
            Address::Web(_) | Address::Bucket(_) => Place::Http(Box::new(Http::new(&address, options)?)),
        };
        Ok(Remote { address, place })
    }

    /// The address, as it was given but for what is secret.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// An object of at most `limit` bytes, or nothing when there is none.
    ///
    /// # Errors
    /// When it cannot be read, or has more bytes.
    pub fn get(&self, key: &str, limit: u64) -> Result<Option<Object>> {
        let object = match &self.place {
            Place::Folder(folder) => folder.get(key, limit)?,
            Place::Http(http) => http.get(key, limit)?,
        };
        Ok(object)
    }

    /// An object's bytes from `start` on, or nothing when there is none.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn stream(&self, key: &str, start: u64) -> Result<Option<Stream<'_>>> {
        match &self.place {
            Place::Folder(folder) => folder.stream(key, start),
            Place::Http(http) => http.stream(key, start),
        }
    }

    /// Whether there is an object.
    ///
    /// # Errors
    /// When nobody can say so.
    pub fn has(&self, key: &str) -> Result<bool> {
        match &self.place {
            Place::Folder(folder) => folder.has(key),
            Place::Http(http) => http.has(key),
        }
    }

    /// Makes an object of the `len` bytes that are read from what `open` opens. Where there was one, it is replaced.
    ///
    /// # Errors
    /// When it cannot be read or sent, or is not taken.
    pub fn put(&self, key: &str, len: u64, open: &Open) -> Result<()> {
        match &self.place {
            Place::Folder(folder) => folder.put(key, len, open),
            Place::Http(http) => http.put(key, len, open),
        }
    }

    /// What errors call an object.
    #[must_use]
    pub fn name_of(&self, key: &str) -> String {
        self.address.name_of(key)
    }
}

/// A small object, read whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its bytes, as they were transferred.
    pub bytes: Vec<u8>,
    /// How they are compressed for the transfer: the `Content-Encoding`.
    pub encoding: Option<String>,
}
