//! Servers that refuse who asks: what they are, what they were told, and what to do about it.

use std::fmt;
use std::io::Read as _;

use ureq::http::HeaderMap;

use crate::address::Address;
use crate::login::{PasswordIn, challenges};
use crate::requests::Answered;

/// How much of an answer is looked at to know who gives it.
const LOOKED_AT: u64 = 1 << 10;

/// A server's no to who asks.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// The status of HTTP: 401 or 403.
    pub status: u16,
    /// What kind of server it is.
    pub server: Server,
    /// Its host, which need not be that of the address: servers redirect.
    pub host: String,
    /// Whom it takes us for.
    pub asker: Asker,
    /// How it wants to be told, when that is not known here.
    pub unknown_scheme: Option<String>,
    /// A netrc file that might have had a password, and why it cannot be read.
    pub netrc: Option<String>,
}

/// Kinds of servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server {
    /// [Cachix](https://docs.cachix.org): a cache for each host, and tokens for passwords.
    Cachix,
    /// [Attic](https://docs.attic.rs): a cache for each folder, and tokens for passwords.
    Attic,
    /// A bucket at its own address, whose requests are signed.
    Bucket,
    /// A bucket at the address of a web server, whose requests are not.
    PublicBucket,
    /// Any other.
    Web,
}

/// Whom a server takes us for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asker {
    /// It was not told.
    Nobody,
    /// Whoever has the keys of a bucket.
    Keys,
    /// Whoever has a password.
    Login(PasswordIn),
}

impl Refusal {
    pub(crate) fn new(address: &Address, answered: Answered, asker: Asker, netrc: Option<String>) -> Refusal {
        let (parts, body) = answered.response.into_parts();
        let mut text = Vec::new();
        // What cannot be read is as good as nothing.
        let _ = body.into_reader().take(LOOKED_AT).read_to_end(&mut text);
        let server = kind(
            address,
            &answered.host,
            &parts.headers,
            &String::from_utf8_lossy(&text),
        );
        let schemes = challenges(&parts.headers);
        let is_known = |scheme: &String| matches!(scheme.as_str(), "basic" | "bearer");
        let unknown_scheme = (!schemes.iter().any(is_known)).then(|| schemes.into_iter().next());
        Refusal {
            status: parts.status.as_u16(),
            server,
            host: answered.host,
            asker,
            unknown_scheme: unknown_scheme.flatten().filter(|scheme| is_word(scheme)),
            netrc,
        }
    }

    /// What to do about it.
    pub(crate) fn hint(&self) -> String {
        if let Some(scheme) = &self.unknown_scheme {
            return format!(
                "it asks for the scheme {scheme}; Kiln knows Basic and Bearer, which the server has to allow"
            );
        }
        let mut hint = match self.asker {
            Asker::Nobody => self.first_steps(),
            Asker::Keys | Asker::Login(_) => self.next_steps().to_string(),
        };
        if let Some(problem) = self.netrc.as_ref().filter(|_| self.asker == Asker::Nobody) {
            hint = format!("{problem}; {hint}");
        }
        hint
    }

    /// What to do when nobody has told the server anything.
    fn first_steps(&self) -> String {
        let host = &self.host;
        let places =
            "give it with --netrc-file; closure.netrc-file, $NETRC and Nix's own /etc/nix/netrc do, too";
        match self.server {
            Server::Bucket => KEYS.into(),
            Server::PublicBucket => {
                format!("this is a bucket, and it is not public, or has no such object: {KEYS}")
            }
            Server::Cachix => format!(
                "the cache is private, or there is none of this name: write `machine {host} password TOKEN` into a netrc \
                 file, as `cachix use` does, and {places}"
            ),
            Server::Attic => format!(
                "the cache is private, or there is none of this name: `attic use` writes ~/.config/nix/netrc with \
                 `machine {host} password TOKEN`; {places}"
            ),
            Server::Web => {
                format!("write `machine {host} login NAME password PASSWORD` into a netrc file, and {places}")
            }
        }
    }

    /// What to do when the server was told something.
    fn next_steps(&self) -> &'static str {
        match self.server {
            Server::Bucket => KEYS,
            Server::PublicBucket => "this is a bucket, which takes no passwords: give its address as s3://",
            Server::Cachix => {
                "the token may be of another cache or not valid any more; app.cachix.org makes one that may read this cache"
            }
            Server::Attic => {
                "the token may be too old, or have no right to pull from this cache; `atticadm make-token --pull CACHE` makes \
                 one"
            }
            Server::Web => "check the name and the password, and what the server lets them do",
        }
    }
}

const KEYS: &str = "for a bucket, give credentials in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and check region= and \
                    endpoint= in its address";

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Refusal { status, host, .. } = self;
        write!(formatter, "the server answers {status}")?;
        match &self.asker {
            Asker::Keys => Ok(()),
            Asker::Nobody if matches!(self.server, Server::Bucket | Server::PublicBucket) => Ok(()),
            Asker::Nobody if *status == 401 => {
                write!(formatter, ": it wants a password, and there is none for {host}")
            }
            Asker::Nobody => write!(formatter, ", and there is no password for {host}"),
            Asker::Login(PasswordIn::Address) => {
                write!(formatter, " to the password for {host} in the address")
            }
            Asker::Login(PasswordIn::Netrc(file)) => {
                write!(formatter, " to the password for {host} in {file}")
            }
        }
    }
}

fn kind(address: &Address, host: &str, headers: &HeaderMap, text: &str) -> Server {
    let is_cachix =
        host.eq_ignore_ascii_case("cachix.org") || host.to_ascii_lowercase().ends_with(".cachix.org");
    let is_attic = headers.keys().any(|name| name.as_str().starts_with("x-attic-"))
        // {"code":401,"error":"Unauthorized","message":"Unauthorized."}
        || (text.contains("\"code\":") && text.contains("\"error\":") && text.contains("\"message\":"));
    if matches!(address, Address::Bucket(_)) {
        Server::Bucket
    } else if is_cachix {
        Server::Cachix
    } else if headers.contains_key("x-amz-request-id") || text.contains("<Code>AccessDenied</Code>") {
        Server::PublicBucket
    } else if is_attic {
        Server::Attic
    } else {
        Server::Web
    }
}

/// Whether a text from a server may stand in a hint.
fn is_word(text: &str) -> bool {
    text.len() <= 20
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caches_of_cachix_are_known_by_their_host() {
        let headers = HeaderMap::new();
        for (address, host, wanted) in [
            ("https://private.cachix.org", "private.cachix.org", Server::Cachix),
            ("https://Private.CACHIX.org", "private.cachix.org", Server::Cachix),
            (
                "https://cachix.org.example.org",
                "cachix.org.example.org",
                Server::Web,
            ),
            ("https://mycachix.org", "mycachix.org", Server::Web),
            ("s3://private.cachix.org", "private.cachix.org", Server::Bucket),
        ] {
            assert_eq!(
                kind(&address.parse().unwrap(), host, &headers, ""),
                wanted,
                "{address}"
            );
        }
        let refusal = Refusal {
            status: 401,
            server: Server::Cachix,
            host: "private.cachix.org".into(),
            asker: Asker::Nobody,
            unknown_scheme: None,
            netrc: None,
        };
        let hint = refusal.hint();
        assert!(
            hint.contains("`machine private.cachix.org password TOKEN`") && hint.contains("`cachix use`"),
            "{hint}"
        );
        let asker = Asker::Login(PasswordIn::Netrc("netrc".into()));
        let refusal = Refusal { asker, ..refusal };
        assert!(refusal.hint().contains("the token may be of another cache"));
    }
}
