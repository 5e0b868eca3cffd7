//! Who asks a web server: a name and a password, and how they are said.

use std::fmt;

use data_encoding::BASE64;
use ureq::http::header::{HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use url::{Host, Url};

/// A name and a password.
#[derive(Clone)]
pub(crate) struct Login {
    pub(crate) name: Vec<u8>,
    pub(crate) password: Vec<u8>,
    /// Where it stands.
    pub(crate) from: PasswordIn,
}

/// Where a name and a password stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PasswordIn {
    /// In the address.
    Address,
    /// In this netrc file.
    Netrc(String),
}

/// How a server wants to hear it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// Name and password, which is what servers of tokens take, too.
    Basic,
    /// The password alone, which is a token.
    Bearer,
}

impl Login {
    /// What stands in an address before the host, when something does.
    pub(crate) fn of(url: &Url) -> Option<Login> {
        let (name, password) = (url.username(), url.password());
        (!name.is_empty() || password.is_some()).then(|| Login {
            name: decoded(name),
            password: decoded(password.unwrap_or_default()),
            from: PasswordIn::Address,
        })
    }

    /// The value of the header `Authorization`. None when the password has characters that no token has.
    pub(crate) fn header(&self, scheme: Scheme) -> Option<HeaderValue> {
        let text = match scheme {
            Scheme::Basic => {
                let pair = [&*self.name, b":", &*self.password].concat();
                format!("Basic {}", BASE64.encode(&pair)).into_bytes()
            }
            // In an address, a token may stand without a name.
            Scheme::Bearer if self.password.is_empty() => [&b"Bearer "[..], &self.name].concat(),
            Scheme::Bearer => [&b"Bearer "[..], &self.password].concat(),
        };
        let mut value = HeaderValue::from_bytes(&text).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The password is shown nowhere.
        formatter
            .debug_struct("Login")
            .field("from", &self.from)
            .finish_non_exhaustive()
    }
}

/// An address without what stands before its host.
pub(crate) fn without_login(mut url: Url) -> Url {
    // Both are refused only for addresses without a host, which have none.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url
}

/// The host of an address as netrc files have it.
pub(crate) fn host(url: &Url) -> String {
    match url.host() {
        Some(Host::Ipv6(address)) => address.to_string(),
        _ => url.host_str().unwrap_or_default().to_string(),
    }
}

/// The schemes that an answer asks for, in lower case.
pub(crate) fn challenges(headers: &HeaderMap) -> Vec<String> {
    let values = headers.get_all(WWW_AUTHENTICATE).into_iter();
    let texts = values.filter_map(|value| value.to_str().ok());
    let parts = texts.flat_map(|text| text.split(','));
    let words = parts.filter_map(|part| part.split_whitespace().next());
    // What has a value is a parameter of the scheme before it.
    words
        .filter(|word| !word.contains(['=', '"']))
        .map(str::to_ascii_lowercase)
        .collect()
}

/// A text without percent signs that stand for bytes.
fn decoded(text: &str) -> Vec<u8> {
    let digit = |byte: &u8| {
        char::from(*byte)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [byte, after @ ..] = rest {
        rest = after;
        bytes.push(match (byte, after) {
            (b'%', [high, low, after @ ..]) if digit(high).is_some() && digit(low).is_some() => {
                rest = after;
                digit(high).unwrap_or(0) << 4 | digit(low).unwrap_or(0)
            }
            _ => *byte,
        });
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(text: &str) -> Login {
        Login::of(&text.parse().unwrap()).unwrap()
    }

    #[test]
    fn addresses_have_logins() {
        for (text, header) in [
            ("http://me:secret@h", "Basic bWU6c2VjcmV0"),
            ("http://me@h", "Basic bWU6"),
            ("http://:secret@h", "Basic OnNlY3JldA=="),
            ("http://m%65:%73ecret@h", "Basic bWU6c2VjcmV0"),
            ("http://a%3Ab:%20%@h", "Basic YTpiOiAl"),
        ] {
            assert_eq!(login(text).header(Scheme::Basic).unwrap(), header, "{text}");
        }
        assert!(Login::of(&"http://h/a@b".parse().unwrap()).is_none());
        assert_eq!(login("http://me:t@h").header(Scheme::Bearer).unwrap(), "Bearer t");
        assert_eq!(login("http://t@h").header(Scheme::Bearer).unwrap(), "Bearer t");
        assert!(login("http://:t%0A@h").header(Scheme::Bearer).is_none());
        assert!(!format!("{:?}", login("http://me:secret@h")).contains("secret"));
    }

    #[test]
    fn challenges_are_told_apart() {
        for (values, wanted) in [
            (&["Basic realm=\"a\""][..], &["basic"][..]),
            (&["bearer realm=\"a\", error=\"b c\""], &["bearer"]),
            (
                &["Bearer realm=\"a\", Basic realm=\"b\"", "Digest x=\"y\""],
                &["bearer", "basic", "digest"],
            ),
            (&["Negotiate"], &["negotiate"]),
            (&[], &[]),
        ] {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(WWW_AUTHENTICATE, value.parse().unwrap());
            }
            assert_eq!(challenges(&headers), wanted);
        }
    }
}
