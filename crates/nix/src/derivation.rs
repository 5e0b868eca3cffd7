//! The outputs of derivations.
//!
//! A `.drv` file is a term: `Derive([("out","/nix/store/…","",""),…],…`. Only its first list matters here: the
//! name, the path, and two texts about fixed outputs. Newer ones may begin `DrvWithVersion("…",[…`.

use std::str::FromStr;

use crate::error::Result;
use crate::store_path::StorePath;

/// What the names of derivations end in.
pub(crate) const ENDING: &str = ".drv";

/// The outputs whose paths are known, in the order of the term; nothing when the text is no derivation.
pub(crate) fn outputs(text: &[u8]) -> Option<Result<Vec<(String, StorePath)>>> {
    let mut rest = Term(text);
    if rest.skip(b"DrvWithVersion(").is_some() {
        rest.string()?;
        rest.skip(b",")?;
    } else {
        rest.skip(b"Derive(")?;
    }
    rest.skip(b"[")?;
    let mut outputs = Vec::new();
    while rest.skip(b"]").is_none() {
        if !outputs.is_empty() {
            rest.skip(b",")?;
        }
        rest.skip(b"(")?;
        let name = rest.string()?;
        rest.skip(b",")?;
        let path = rest.string()?;
        for _ in ["algorithm", "hash"] {
            rest.skip(b",")?;
            rest.string()?;
        }
        rest.skip(b")")?;
        outputs.push((name, path));
    }
    // What depends on the result of a build has no path before it.
    outputs.retain(|(_, path)| !path.is_empty());
    let parse = |(name, path): (String, String)| Ok((name, StorePath::from_str(&path)?));
    Some(outputs.into_iter().map(parse).collect())
}

/// What is left to read.
struct Term<'a>(&'a [u8]);

impl Term<'_> {
    fn skip(&mut self, mark: &[u8]) -> Option<()> {
        self.0 = self.0.strip_prefix(mark)?;
        Some(())
    }

    /// A text in quotes.
    fn string(&mut self) -> Option<String> {
        self.skip(b"\"")?;
        let mut bytes = Vec::new();
        loop {
            let (first, rest) = self.0.split_first()?;
            self.0 = rest;
            match first {
                b'"' => return String::from_utf8(bytes).ok(),
                b'\\' => {
                    let (escaped, rest) = self.0.split_first()?;
                    self.0 = rest;
                    bytes.push(match escaped {
                        b'n' => b'\n',
                        b'r' => b'\r',
                        b't' => b'\t',
                        other => *other,
                    });
                }
                other => bytes.push(*other),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const OUT: &str = "/nix/store/0023a8ppvzkvviq2887k7cpw39wzjibi-a";
    const DEV: &str = "/nix/store/v83yia23qrmm0484d2fz9ak12pbfd5x8-a-dev";

    fn known(text: &str) -> Vec<(String, StorePath)> {
        outputs(text.as_bytes()).unwrap().unwrap()
    }

    #[test]
    fn outputs_are_listed() {
        let text =
            format!(r#"Derive([("dev","{DEV}","",""),("out","{OUT}","r:sha256","00")],[],[],"x",[],[])"#);
        let both = [
            ("dev".to_string(), DEV.parse().unwrap()),
            ("out".to_string(), OUT.parse().unwrap()),
        ];
        assert_eq!(known(&text), both);
        let newer = text.replacen("Derive(", r#"DrvWithVersion("xp-dyn-drv","#, 1);
        assert_eq!(known(&newer), both);
        let floating = r#"Derive([("out","","r:sha256","")],[],"#;
        assert_eq!(known(floating), []);
        assert_eq!(known("Derive([],"), []);
        assert_eq!(known(r#"Derive([("\"\n\\","","","")],"#), []);
    }

    #[test]
    fn other_texts_are_no_derivations() {
        for text in [
            "",
            "Derive",
            "Derive([",
            r#"Derive([("out","","""#,
            r#"Derive([("out","","","")"#,
            r#"Derive([("out","","","")("dev","","","")],"#,
            r#"Derive(["out"],"#,
            r#"Derive([("out\"#,
            "Derive([(\"\u{0}",
        ] {
            assert!(outputs(text.as_bytes()).is_none(), "{text}");
        }
        assert!(outputs(b"Derive([(\"\xff\",\"\",\"\",\"\")],").is_none());
        let elsewhere = r#"Derive([("out","/tmp/x","","")],"#;
        assert!(outputs(elsewhere.as_bytes()).unwrap().is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in "(Derive\\(\\[)?[\\[\\](),\"\\\\a]{0,40}") {
            let _ = outputs(text.as_bytes());
        }
    }
}
