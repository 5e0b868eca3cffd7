//! Where clients find a server.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::{Error, Result};

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A Unix socket that is made, for its owner alone.
    Socket(PathBuf),
    /// A port of this machine; port 0 stands for any that is free.
    Port(SocketAddr),
}

impl FromStr for Address {
    type Err = Error;

    /// A port at an address. A port alone, or one at `localhost`, is reached from this machine only.
    fn from_str(text: &str) -> Result<Address> {
        let local = |port: &str| {
            let port = port.parse().ok()?;
            Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port))
        };
        let port = text.strip_prefix("localhost:").unwrap_or(text);
        let address = local(port).or_else(|| text.parse().ok());
        address
            .map(Address::Port)
            .ok_or_else(|| Error::Address { text: text.into() })
    }
}

/// What clients call an export on a socket.
#[must_use]
pub fn uri_of_socket(socket: &Path, name: &str) -> String {
    let (name, socket) = (encoded(name.as_bytes()), encoded(socket.as_os_str().as_bytes()));
    format!("nbd+unix:///{name}?socket={socket}")
}

/// What clients call an export at a port. An address that stands for all of this machine's is said as its own.
#[must_use]
pub fn uri_of_address(address: SocketAddr, name: &str) -> String {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => std::net::Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    let address = SocketAddr::new(ip, address.port());
    format!("nbd://{address}/{}", encoded(name.as_bytes()))
}

/// Bytes as a URI has them.
fn encoded(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(byte) {
            text.push(char::from(*byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_local_unless_they_say_otherwise() {
        let read = |text: &str| text.parse::<Address>();
        let port = |text: &str| Address::Port(text.parse().unwrap());
        assert_eq!(read("10809").unwrap(), port("127.0.0.1:10809"));
        assert_eq!(read("localhost:0").unwrap(), port("127.0.0.1:0"));
        assert_eq!(read("0.0.0.0:1").unwrap(), port("0.0.0.0:1"));
        assert_eq!(read("[::1]:1").unwrap(), port("[::1]:1"));
        for wrong in ["", "host", "host:1", "70000", "127.0.0.1", ":1", "/socket"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn uris_hold_what_is_special() {
        let uri = uri_of_socket(Path::new("/tmp/a b,c&d"), "fs.root");
        assert_eq!(uri, "nbd+unix:///fs.root?socket=/tmp/a%20b%2Cc%26d");
        let uri = uri_of_address("[::]:7".parse().unwrap(), "disk");
        assert_eq!(uri, "nbd://[::1]:7/disk");
    }
}
