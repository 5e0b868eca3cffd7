//! Addresses of folders, web servers and buckets.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use rusty_s3::{Bucket, UrlStyle};
use url::Url;

use crate::error::{Error, Result};

/// Where objects are, as text: `file:///…`, `http://…`, `https://…` or `s3://…`.
#[derive(Clone)]
pub enum Address {
    /// A folder.
    Folder(PathBuf),
    /// A web server; its path ends in `/`.
    Web(Box<Url>),
    /// A bucket.
    Bucket(Box<BucketAddress>),
}

/// A bucket, and what its address was.
#[derive(Clone)]
pub struct BucketAddress {
    pub(crate) bucket: Bucket,
    /// What comes before each key; empty, or ends in `/`.
    pub(crate) prefix: String,
    text: String,
}

impl Address {
    /// Whether a text looks like an address, and not like a path.
    #[must_use]
    pub fn is_address(text: &str) -> bool {
        ["file://", "http://", "https://", "s3://"]
            .iter()
            .any(|scheme| text.starts_with(scheme))
    }

    /// What errors call an object there. A key that is an address itself may have a signature in its query.
    pub(crate) fn name_of(&self, key: &str) -> String {
        if absolute(key) {
            return match key.split_once('?') {
                Some((place, _)) => format!("{}?…", shown(place)),
                None => shown(key),
            };
        }
        format!("{}/{key}", self.to_string().trim_end_matches('/'))
    }
}

impl FromStr for Address {
    type Err = Error;

    fn from_str(text: &str) -> Result<Address> {
        let failed = |problem: String| Error::BadAddress {
            address: shown(text),
            problem,
        };
        if !Address::is_address(text) {
            return Err(failed(
                "it must start with file://, http://, https:// or s3://".into(),
            ));
        }
        let mut url = Url::parse(text).map_err(|error| failed(error.to_string()))?;
        match url.scheme() {
            "file" => {
                url.set_query(None);
                let path = url.to_file_path();
                let path = path
                    .map_err(|()| failed("after file:// comes the path of a folder, such as /srv".into()))?;
                Ok(Address::Folder(path))
            }
            "s3" => Ok(Address::Bucket(Box::new(bucket(text, &url).map_err(failed)?))),
            _ => {
                // Keys are added to the path, and Nix's own settings mean nothing to a server.
                url.set_query(None);
                url.set_fragment(None);
                if !url.path().ends_with('/') {
                    let path = format!("{}/", url.path());
                    url.set_path(&path);
                }
                Ok(Address::Web(Box::new(url)))
            }
        }
    }
}

/// Whether a key is the whole address of an object at a web server.
#[must_use]
pub fn absolute(key: &str) -> bool {
    ["http://", "https://"]
        .iter()
        .any(|scheme| key.starts_with(scheme))
}

/// A text that may be an address, without what may be secret in it: a password, or a name without one, which then is a
/// token. Where a password has characters of an address, more is left out than it.
#[must_use]
pub fn shown(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else {
        // A forgotten scheme makes no path of it.
        return match text.split('/').next().unwrap_or(text).rsplit_once('@') {
            Some((user, _)) if user.contains(':') => without_secret("", text, user.len()),
            _ => text.to_string(),
        };
    };
    let query = rest.split_once('?').map_or("", |(_, query)| query);
    let end = if Url::parse(text).is_ok() && !query.contains('@') {
        let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
        authority.rfind('@')
    } else {
        rest.rfind('@')
    };
    match end {
        Some(end) => without_secret(&format!("{scheme}://"), rest, end),
        None => text.to_string(),
    }
}

/// What stands before `end` is a name and a password, or a token.
fn without_secret(scheme: &str, rest: &str, end: usize) -> String {
    let (user, host) = rest.split_at(end);
    match user.split_once(':') {
        Some((name, _)) => format!("{scheme}{name}:…{host}"),
        None => format!("{scheme}…{host}"),
    }
}

/// A bucket of an address as [Nix](https://nix.dev/manual/nix/latest/store/types/s3-binary-cache-store) writes it.
fn bucket(text: &str, url: &Url) -> Result<BucketAddress, String> {
    let name = url.host_str().filter(|name| !name.is_empty());
    let name = name.ok_or("after s3:// comes the bucket's name")?.to_string();
    let (mut region, mut endpoint, mut scheme, mut style) = (None, None, "https".to_string(), None);
    for (key, value) in url.query_pairs() {
        match key.as_ref() {
            "region" => region = Some(value.into_owned()),
            "endpoint" => endpoint = Some(value.into_owned()).filter(|value| !value.is_empty()),
            "scheme" if value == "http" || value == "https" => scheme = value.into_owned(),
            "scheme" => return Err(format!("scheme={}: must be http or https", shown(&value))),
            "addressing-style" => {
                style = match value.as_ref() {
                    "path" => Some(UrlStyle::Path),
                    "virtual" => Some(UrlStyle::VirtualHost),
                    "auto" => None,
                    _ => {
                        let value = shown(&value);
                        return Err(format!("addressing-style={value}: must be path, virtual or auto"));
                    }
                }
            }
            // Nix's other settings are about writing caches, or its own.
            _ => {}
        }
    }
    let region = region.unwrap_or_else(|| "us-east-1".into());
    // A server of one's own seldom has a name for each bucket.
    let style = style.unwrap_or(if endpoint.is_some() {
        UrlStyle::Path
    } else {
        UrlStyle::VirtualHost
    });
    let endpoint = endpoint.unwrap_or_else(|| format!("s3.{region}.amazonaws.com"));
    let endpoint = if endpoint.contains("://") {
        endpoint
    } else {
        format!("{scheme}://{endpoint}")
    };
    let endpoint =
        Url::parse(&endpoint).map_err(|error| format!("endpoint={}: {error}", shown(&endpoint)))?;
    let bucket = Bucket::new(endpoint, style, name, region).map_err(|error| error.to_string())?;
    let path = url.path().trim_matches('/');
    let prefix = if path.is_empty() {
        String::new()
    } else {
        format!("{path}/")
    };
    let text = shown(text.split('?').next().unwrap_or(text));
    Ok(BucketAddress { bucket, prefix, text })
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Folder(path) => write!(formatter, "file://{}", path.display()),
            Address::Web(url) => formatter.write_str(shown(url.as_str()).trim_end_matches('/')),
            Address::Bucket(bucket) => formatter.write_str(&bucket.text),
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // As it is shown: passwords stand in addresses.
        write!(formatter, "Address({self})")
    }
}

impl fmt::Debug for BucketAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "BucketAddress({})", self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(text: &str) -> String {
        match text.parse().unwrap() {
            Address::Folder(path) => path.display().to_string(),
            Address::Web(url) => url.to_string(),
            Address::Bucket(bucket) => format!("{} {:?}", bucket.bucket.base_url(), bucket.prefix),
        }
    }

    #[test]
    fn addresses_are_understood_as_nix_does() {
        for (text, wanted) in [
            ("file:///srv/a%20cache", "/srv/a cache"),
            ("file:///srv?compression=zstd", "/srv"),
            ("http://h:8080/cache?priority=3", "http://h:8080/cache/"),
            ("https://h", "https://h/"),
            ("s3://b", "https://b.s3.us-east-1.amazonaws.com/ \"\""),
            (
                "s3://b?region=eu-west-1",
                "https://b.s3.eu-west-1.amazonaws.com/ \"\"",
            ),
            (
                "s3://b/some/folder?endpoint=localhost:9000&scheme=http",
                "http://localhost:9000/b/ \"some/folder/\"",
            ),
            (
                "s3://b?endpoint=http://h:1&addressing-style=virtual",
                "http://b.h:1/ \"\"",
            ),
        ] {
            assert_eq!(base(text), wanted, "{text}");
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for (text, problem) in [
            ("/srv", "must start with"),
            ("ftp://h", "must start with"),
            ("file://host/srv", "the path of a folder"),
            ("http://", "empty host"),
            ("s3://", "the bucket's name"),
            ("s3://b?scheme=gopher", "must be http or https"),
            ("s3://b?endpoint=http://h:99999", "port"),
        ] {
            let error = text.parse::<Address>().unwrap_err().to_string();
            assert!(error.contains(problem), "{error}");
        }
    }

    #[test]
    fn passwords_are_not_shown() {
        for (text, wanted) in [
            ("https://me:secret@h/x", "https://me:…@h/x/key"),
            ("http://secret@h", "http://…@h/key"),
            ("https://me:secret%40@h/a@b", "https://me:…@h/a@b/key"),
            ("https://h/a@b", "https://h/a@b/key"),
            ("s3://me:secret@bucket/x", "s3://me:…@bucket/x/key"),
            ("s3://b?endpoint=http://me:secret@h:1", "s3://b/key"),
        ] {
            let address: Address = text.parse().unwrap();
            assert_eq!(address.name_of("key"), wanted);
        }
        for text in [
            "https://me:secret@",
            "https://me:se/secret@h/x",
            "https://me:secret#@h",
            "https://me:secret@h:99999",
            "http://secret@[h",
            "htps://me:secret@h",
            "me:secret@h/x",
            "file://me:secret@h/srv",
            "s3://me:secret@bucket?scheme=ftp",
            "s3://b?scheme=http&endpoint=me:secret@h:99999",
            "s3://b?endpoint=https://me:secret@h:99999",
            "s3://b?endpoint=https://secret@h&scheme=ftp",
            "s3://b?scheme=https://me:secret@h",
            "s3://b?addressing-style=https://me:secret@h",
        ] {
            let error = text.parse::<Address>().unwrap_err().to_string();
            assert!(!error.contains("secret"), "{error}");
        }
        for text in [
            "/srv/me:x@h",
            "https://h/x",
            "s3://b?region=x&profile=y",
            "file:///srv/a@b",
        ] {
            assert_eq!(shown(text), text);
        }
    }
}
