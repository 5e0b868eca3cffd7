//! Narinfos: what a binary cache says of a store path.

use std::str::FromStr;

use transport::Coding;

use crate::closure::PathInfo;
use crate::error::{Error, Result};
use crate::hash::Hash;
use crate::store_path::{STORE_DIR, StorePath};

/// What a binary cache says of a store path. Nothing of it is believed before [`Trust`](crate::Trust) was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Narinfo {
    /// The path, with its NAR's hash and size, and its references, sorted.
    pub info: PathInfo,
    /// Where the NAR lies, from the cache's address on, or as a whole address. It is not signed; the NAR's hash is.
    pub url: String,
    /// How the NAR is compressed.
    pub coding: Coding,
    /// The bytes of the compressed NAR, when the cache says so.
    pub file_size: Option<u64>,
    /// Signatures, each `name:base64`.
    pub signatures: Vec<String>,
    /// How the path follows from its content, when it does.
    pub content_address: Option<String>,
}

/// The most bytes of a narinfo: ten thousand references.
pub(crate) const SIZE_MAX: u64 = 4 << 20;

impl Narinfo {
    /// Reads the text of a narinfo.
    ///
    /// # Errors
    /// When a line makes no sense, or one that is needed is not there. The error says which line of `object`.
    pub fn parse(object: &str, bytes: &[u8]) -> Result<Narinfo> {
        let failed = |line, problem: String| Error::BadNarinfo {
            object: object.to_string(),
            line,
            problem,
        };
        let text = std::str::from_utf8(bytes).map_err(|_| failed(1, "is not UTF-8".into()))?;
        let mut fields = Fields::default();
        let mut count = 0;
        for line in text.split_inclusive('\n') {
            count += 1;
            let Some(line) = line.strip_suffix('\n') else {
                return Err(failed(
                    count,
                    "does not end in a newline; the file may be cut off".into(),
                ));
            };
            let Some((key, value)) = line
                .split_once(": ")
                .or_else(|| line.strip_suffix(':').map(|key| (key, "")))
            else {
                return Err(failed(count, "has no colon".into()));
            };
            fields
                .set(key, value)
                .map_err(|problem| failed(count, format!("{key}: {problem}")))?;
        }
        fields.finish().map_err(|problem| failed(count, problem))
    }

    /// The text that signatures are over.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let PathInfo {
            path,
            nar_hash,
            nar_size,
            references,
        } = &self.info;
        let references: Vec<&str> = references.iter().flatten().map(StorePath::as_str).collect();
        let hash = nar_hash.map(|hash| hash.to_string()).unwrap_or_default();
        format!(
            "1;{path};{hash};{};{}",
            nar_size.unwrap_or(0),
            references.join(",")
        )
    }
}

#[derive(Default)]
struct Fields {
    path: Option<StorePath>,
    url: Option<String>,
    coding: Option<Coding>,
    file_size: Option<u64>,
    nar_hash: Option<Hash>,
    nar_size: Option<u64>,
    references: Option<Vec<StorePath>>,
    signatures: Vec<String>,
    content_address: Option<String>,
}

impl Fields {
    fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        match key {
            "StorePath" => once(&mut self.path, parsed(value)?),
            "URL" => once(&mut self.url, url(value)?),
            "Compression" => {
                let coding = Coding::of_name(value).filter(|_| !value.is_empty());
                once(
                    &mut self.coding,
                    coding.ok_or_else(|| format!("'{value}' is not known here"))?,
                )
            }
            "FileSize" => once(&mut self.file_size, parsed(value)?),
            "NarHash" => once(&mut self.nar_hash, parsed(value)?),
            "NarSize" => match parsed(value)? {
                0 => Err("must be more than 0".into()),
                size => once(&mut self.nar_size, size),
            },
            "References" => {
                let path = |name: &str| parsed(&format!("{STORE_DIR}/{name}"));
                let mut references = value
                    .split(' ')
                    .filter(|name| !name.is_empty())
                    .map(path)
                    .collect::<Result<Vec<StorePath>, String>>()?;
                references.sort_unstable();
                references.dedup();
                once(&mut self.references, references)
            }
            "Sig" => {
                self.signatures.push(value.to_string());
                Ok(())
            }
            "CA" => once(&mut self.content_address, value.to_string()),
            // FileHash is not signed, and NarHash says all that it could; what made a path differs between caches.
            _ => Ok(()),
        }
    }

    fn finish(self) -> Result<Narinfo, String> {
        let missing = |key: &str| format!("there is no line {key}");
        Ok(Narinfo {
            info: PathInfo {
                path: self.path.ok_or_else(|| missing("StorePath"))?,
                nar_hash: Some(self.nar_hash.ok_or_else(|| missing("NarHash"))?),
                nar_size: Some(self.nar_size.ok_or_else(|| missing("NarSize"))?),
                references: Some(self.references.unwrap_or_default()),
            },
            url: self.url.ok_or_else(|| missing("URL"))?,
            // As Nix has it since caches said nothing of it.
            coding: self.coding.unwrap_or(Coding::Bzip2),
            file_size: self.file_size,
            signatures: self.signatures,
            content_address: self.content_address.filter(|text| !text.is_empty()),
        })
    }
}

fn once<T>(slot: &mut Option<T>, value: T) -> Result<(), String> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err("comes twice".into()),
    }
}

fn parsed<T: FromStr<Err: std::fmt::Display>>(value: &str) -> Result<T, String> {
    value.parse().map_err(|error| format!("{error}: '{value}'"))
}

/// A place below the cache's address, or one of a web server, as Nix takes it.
fn url(value: &str) -> Result<String, String> {
    let path = value.split('?').next().unwrap_or_default();
    let path = match path.split_once("://") {
        Some((_, path)) if remote::absolute(value) => path.trim_end_matches('/'),
        _ => path,
    };
    let odd = |name: &str| matches!(name, "" | "." | "..");
    if path.split('/').any(odd) || !value.bytes().all(|byte| byte.is_ascii_graphic()) {
        // Without a query, which may be a signature.
        let place = value
            .split('?')
            .next()
            .unwrap_or_default()
            .escape_default()
            .to_string();
        return Err(format!("'{}' is no place in the cache", remote::shown(&place)));
    }
    Ok(value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TEXT: &str = "StorePath: /nix/store/0023a8ppvzkvviq2887k7cpw39wzjibi-a\n\
        URL: nar/1bn7jrf4y8y4k7.nar.zst\n\
        Compression: zstd\n\
        FileHash: sha256:1bn7jrf4y8y4k7\n\
        FileSize: 123\n\
        NarHash: sha256:0mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c73\n\
        NarSize: 456\n\
        References: v83yia23qrmm0484d2fz9ak12pbfd5x8-glibc 0023a8ppvzkvviq2887k7cpw39wzjibi-a\n\
        Deriver: unknown-deriver\n\
        Sig: one:AA==\n\
        Sig: two:BB==\n";

    fn parse(text: &str) -> Result<Narinfo> {
        Narinfo::parse("cache/x.narinfo", text.as_bytes())
    }

    #[test]
    fn fields_are_read() {
        let narinfo = parse(TEXT).unwrap();
        assert_eq!(narinfo.coding, Coding::Zstd);
        assert_eq!(narinfo.signatures, ["one:AA==", "two:BB=="]);
        assert_eq!(
            narinfo.fingerprint(),
            "1;/nix/store/0023a8ppvzkvviq2887k7cpw39wzjibi-a;\
             sha256:0mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c73;456;\
             /nix/store/0023a8ppvzkvviq2887k7cpw39wzjibi-a,/nix/store/v83yia23qrmm0484d2fz9ak12pbfd5x8-glibc"
        );
        let elsewhere = "https://host:8443/a/b.nar.zst?signature=x//y";
        let there = parse(&TEXT.replace("nar/1bn7jrf4y8y4k7.nar.zst", elsewhere)).unwrap();
        assert_eq!(there.url, elsewhere);
        let old = parse(&TEXT.replace("Compression: zstd\n", "")).unwrap();
        assert_eq!(old.coding, Coding::Bzip2);
    }

    #[test]
    fn odd_narinfos_are_refused() {
        for (from, to, problem) in [
            (
                "Sig: two:BB==\n",
                "Sig: two:BB==",
                "line 11: does not end in a newline",
            ),
            ("NarSize: 456", "NarSize: 0", "NarSize: must be more than 0"),
            ("NarSize: 456\n", "", "there is no line NarSize"),
            ("NarSize: 456", "NarSize 456", "line 7: has no colon"),
            ("NarSize: 456", "NarSize: 456\nNarSize: 456", "comes twice"),
            ("zstd\n", "lzip\n", "'lzip' is not known here"),
            ("nar/", "../nar/", "is no place in the cache"),
            ("nar/", "/nar/", "is no place in the cache"),
            ("nar/", "file:///nar/", "is no place in the cache"),
            ("nar/", "ftp://host/", "is no place in the cache"),
            ("nar/", "//host/", "is no place in the cache"),
            ("nar/", "https:///nar/", "is no place in the cache"),
            ("nar/", "https://host/../", "is no place in the cache"),
            ("/nix/store/0023", "/gnu/store/0023", "not a store path"),
            ("-glibc ", "-gli/bc ", "not a store path"),
            ("sha256:0mdq", "sha1:0mdq", "must be sha256"),
        ] {
            let text = TEXT.replacen(from, to, 1);
            let error = parse(&text).unwrap_err().to_string();
            assert!(error.contains(problem), "{error}");
        }
        assert!(Narinfo::parse("x", b"\xff").is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(bytes: Vec<u8>, place in 0..TEXT.len(), byte: u8) {
            let _ = Narinfo::parse("x", &bytes);
            let mut text = TEXT.as_bytes().to_vec();
            text[place] = byte;
            let _ = Narinfo::parse("x", &text);
        }
    }
}
