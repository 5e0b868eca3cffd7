//! Package URLs, CPEs and addresses, as the documents' own checkers take them.

use std::fmt::Write as _;

/// The package URL of a package of nixpkgs, as other tools for Nix have it.
pub(crate) fn nix_purl(name: &str, version: &str, output: Option<&str>) -> String {
    let mut purl = format!("pkg:nix/{}", encoded(name));
    if !version.is_empty() {
        let _ = write!(purl, "@{}", encoded(version));
    }
    if let Some(output) = output.filter(|output| *output != "out") {
        let _ = write!(purl, "?output={}", encoded(output));
    }
    purl
}

/// All that package URLs do not have as it is, in `%` and two digits.
pub(crate) fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b".-_~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// Whether a text is a package URL.
pub(crate) fn is_purl(text: &str) -> bool {
    let Some((kind, rest)) = text.strip_prefix("pkg:").and_then(|rest| rest.split_once('/')) else {
        return false;
    };
    let kind_is_good = kind.starts_with(|first: char| first.is_ascii_alphabetic())
        && kind
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b".+-".contains(&byte));
    let end = rest.find(['?', '#']).unwrap_or(rest.len());
    let path = &rest[..end];
    let name = path.rsplit('/').next().unwrap_or_default();
    let name = name.split_once('@').map_or(name, |(name, _)| name);
    kind_is_good && !name.is_empty() && is_plain(rest)
}

/// Whether a text is the address of a page.
pub(crate) fn is_address(text: &str) -> bool {
    let rest = ["https://", "http://", "ftp://"]
        .iter()
        .find_map(|scheme| text.strip_prefix(scheme));
    let Some(rest) = rest else { return false };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let (host, port) = authority.split_once(':').unwrap_or((authority, "80"));
    let port_is_good = (1..=5).contains(&port.len()) && port.bytes().all(|digit| digit.is_ascii_digit());
    let label_is_good = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && !label.contains("--")
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let top = host.rsplit('.').next().unwrap_or_default();
    let top_is_good = top.len() >= 2 && top.bytes().all(|byte| byte.is_ascii_alphabetic());
    let fragments = path.matches('#').count();
    port_is_good
        && host.contains('.')
        && host.split('.').all(label_is_good)
        && top_is_good
        && fragments <= 1
        && is_plain(path)
}

/// Whether a text has only what addresses may have, and each `%` stands before two digits.
fn is_plain(text: &str) -> bool {
    let bytes = text.as_bytes();
    let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_hexdigit);
    bytes.iter().enumerate().all(|(at, byte)| match byte {
        b'%' => is_digit(at + 1) && is_digit(at + 2),
        byte => byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?#".contains(byte),
    })
}

/// Whether a text is how somebody is reached: an address of mail, or of a page.
#[must_use]
pub fn is_contact(text: &str) -> bool {
    is_mail(text) || is_address(text)
}

/// Whether a text is an address of electronic mail.
pub(crate) fn is_mail(text: &str) -> bool {
    let Some((who, host)) = text.split_once('@') else {
        return false;
    };
    let good = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"._+-".contains(&byte))
    };
    good(who) && good(host) && host.contains('.') && !host.ends_with('.')
}

/// Whether a text is a CPE 2.3: eleven attributes behind `cpe:2.3:`, as NIST IR 7695 has them (6.2.2).
pub(crate) fn is_cpe(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("cpe:2.3:") else {
        return false;
    };
    let mut attributes = vec![String::new()];
    let mut escaped = false;
    for character in rest.chars() {
        if character == ':' && !escaped {
            attributes.push(String::new());
        } else if let Some(last) = attributes.last_mut() {
            last.push(character);
        }
        escaped = character == '\\' && !escaped;
    }
    attributes.len() == 11
        && ["a", "o", "h", "*", "-"].contains(&attributes[0].as_str())
        && attributes
            .iter()
            .enumerate()
            .all(|(number, attribute)| match number {
                6 => is_language(attribute),
                _ => is_attribute(attribute),
            })
}

/// Whether a text is a language of a CPE: `*`, `-`, or one such as `en-US`.
fn is_language(text: &str) -> bool {
    let (language, region) = text
        .split_once('-')
        .map_or((text, None), |(language, region)| (language, Some(region)));
    let letters = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphabetic());
    let region_is_good = region.is_none_or(|region| match region.len() {
        2 => letters(region),
        3 => region.bytes().all(|byte| byte.is_ascii_digit()),
        _ => false,
    });
    text == "*" || text == "-" || ((2..=3).contains(&language.len()) && letters(language) && region_is_good)
}

/// Whether a text is an attribute of a CPE. Wildcards stand at its ends; what is no letter, digit, dot, dash or `_` has a
/// backslash before it.
fn is_attribute(text: &str) -> bool {
    if text == "*" || text == "-" {
        return true;
    }
    // Any number of question marks, or one asterisk.
    let wild = |characters: &mut dyn Iterator<Item = char>| match characters.next() {
        Some('?') => 1 + characters.take_while(|next| *next == '?').count(),
        Some('*') => 1,
        _ => 0,
    };
    let start = wild(&mut text.chars());
    let rest = text.get(start..).unwrap_or_default();
    let escaped_end = rest.len() >= 2 && rest.as_bytes()[rest.len() - 2] == b'\\';
    let end = if escaped_end {
        0
    } else {
        wild(&mut rest.chars().rev())
    };
    let middle = rest.get(..rest.len().saturating_sub(end)).unwrap_or_default();
    let mut characters = middle.chars();
    let mut count = 0;
    while let Some(character) = characters.next() {
        count += 1;
        let good = match character {
            '\\' => characters
                .next()
                .is_some_and(|next| next.is_ascii_punctuation() && !"-._".contains(next)),
            character => character.is_ascii_alphanumeric() || "-._".contains(character),
        };
        if !good {
            return false;
        }
    }
    count > 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpes() {
        for good in [
            "cpe:2.3:a:gnu:glibc:2.40:*:*:*:*:*:*:*",
            "cpe:2.3:o:linux:linux_kernel:6.1.176:-:*:en-US:*:*:*:*",
            r"cpe:2.3:a:x:gtk\+:1\:2:*:*:*:*:*:*:*",
        ] {
            assert!(is_cpe(good), "{good}");
        }
        for bad in [
            "",
            "cpe:/a:gnu:glibc:2.40",
            "cpe:2.3:a:gnu:glibc:2.40:*:*:*:*:*:*",
            "cpe:2.3:x:gnu:glibc:2.40:*:*:*:*:*:*:*",
            "cpe:2.3:a:gnu:gtk+:2.40:*:*:*:*:*:*:*",
            "cpe:2.3:a:gnu::2.40:*:*:*:*:*:*:*",
            "cpe:2.3:a:gnu:é:2.40:*:*:*:*:*:*:*",
            "cpe:2.3:a:gnu:x:2.40:*:*:klingon:*:*:*:*",
            "cpe:2.3:a:gnu:x\\:2.40:*:*:*:*:*:*:*",
        ] {
            assert!(!is_cpe(bad), "{bad}");
        }
    }

    #[test]
    fn addresses_and_purls() {
        for good in [
            "https://www.gnu.org/software/hello/",
            "http://a-b.example:8080/x?y=%20#z",
            "https://kiln.museum",
        ] {
            assert!(is_address(good), "{good}");
        }
        for bad in [
            "gnu.org",
            "https://localhost/",
            "https://a..b/",
            "https://x.org/a b",
            "https://x.org/%2",
            "javascript:alert(1)",
            "https://é.org",
        ] {
            assert!(!is_address(bad), "{bad}");
        }
        for good in [
            "pkg:github/torvalds/linux@v6.1",
            "pkg:nix/a",
            "pkg:pypi/x@1?y=z#w",
        ] {
            assert!(is_purl(good), "{good}");
        }
        for bad in [
            "pkg:nix",
            "pkg:nix/",
            "pkg:/x",
            "pkg:nix/@1",
            "pkg:nix/a b",
            "x:nix/a",
        ] {
            assert!(!is_purl(bad), "{bad}");
        }
        assert_eq!(
            nix_purl("a+b", "1=2", Some("dev")),
            "pkg:nix/a%2Bb@1%3D2?output=dev"
        );
        assert!(is_mail("security@example.org") && !is_mail("a b@example.org") && !is_mail("x"));
    }
}
