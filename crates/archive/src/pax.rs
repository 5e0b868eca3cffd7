//! Extended headers of pax: records of `LENGTH KEY=VALUE\n`, whose length counts itself.

use std::collections::BTreeMap;

use image::Xattr;

/// The records of a header, or of several.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pax {
    records: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// What extended attributes are kept under.
const XATTR: &[u8] = b"SCHILY.xattr.";

impl Pax {
    /// Adds the records of one more header, which hold in place of earlier ones.
    pub(crate) fn add(&mut self, bytes: &[u8]) -> Result<(), &'static str> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let (record, behind) = split(rest).ok_or("an extended header whose records make no sense")?;
            rest = behind;
            let equals = record
                .iter()
                .position(|byte| *byte == b'=')
                .ok_or("an extended header without =")?;
            let (key, value) = (&record[..equals], &record[equals + 1..]);
            if value.is_empty() {
                self.records.remove(key);
            } else {
                self.records.insert(key.to_vec(), value.to_vec());
            }
        }
        Ok(())
    }

    pub(crate) fn get(&self, key: &str) -> Option<&[u8]> {
        self.records.get(key.as_bytes()).map(Vec::as_slice)
    }

    /// A whole number.
    pub(crate) fn number(&self, key: &str) -> Result<Option<u64>, String> {
        let number = |value: &[u8]| {
            let text = str::from_utf8(value).ok();
            let digits = text.filter(|text| text.bytes().all(|digit| digit.is_ascii_digit()));
            digits
                .and_then(|digits| digits.parse().ok())
                .ok_or_else(|| format!("its {key} is {}, which is no number", image::show(value)))
        };
        self.get(key).map(number).transpose()
    }

    /// Seconds, without the fraction that there may be.
    pub(crate) fn seconds(&self, key: &str) -> Result<Option<i64>, String> {
        let seconds = |value: &[u8]| {
            let whole = || {
                let text = str::from_utf8(value).ok()?;
                let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
                if !fraction.bytes().all(|digit| digit.is_ascii_digit()) {
                    return None;
                }
                let seconds: i64 = whole.parse().ok()?;
                // Before 1970, a fraction leads further away.
                let further = whole.starts_with('-') && fraction.bytes().any(|digit| digit != b'0');
                seconds.checked_sub(i64::from(further))
            };
            whole().ok_or_else(|| format!("its {key} is {}, which is no time", image::show(value)))
        };
        self.get(key).map(seconds).transpose()
    }

    /// Whether any key begins like this.
    pub(crate) fn has_any(&self, prefix: &str) -> bool {
        self.records.keys().any(|key| key.starts_with(prefix.as_bytes()))
    }

    /// Sorted by name.
    pub(crate) fn xattrs(&self) -> Vec<Xattr> {
        let xattr = |(key, value): (&Vec<u8>, &Vec<u8>)| {
            Some(Xattr {
                name: key.strip_prefix(XATTR)?.into(),
                value: value.as_slice().into(),
            })
        };
        self.records.iter().filter_map(xattr).collect()
    }
}

/// The first record, without its length and the end of its line, and what comes behind it.
fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let space = bytes.iter().take(20).position(|byte| *byte == b' ')?;
    let digits = str::from_utf8(&bytes[..space]).ok()?;
    if !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let len: usize = digits.parse().ok()?;
    let (record, rest) = bytes.split_at_checked(len)?;
    Some((record.get(space + 1..)?.strip_suffix(b"\n")?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_may_hold_anything() {
        let mut pax = Pax::default();
        pax.add(b"27 SCHILY.xattr.user.a=\n=\0\n19 mtime=-3.000005\n14 uid=000007\n")
            .unwrap();
        assert_eq!(pax.xattrs()[0].name, (*b"user.a").into());
        assert_eq!(pax.xattrs()[0].value, (*b"\n=\0").into());
        assert_eq!(pax.seconds("mtime"), Ok(Some(-4)));
        assert_eq!(pax.number("uid"), Ok(Some(7)));
        pax.add(b"7 uid=\n").unwrap();
        assert_eq!(pax.number("uid"), Ok(None));
        assert!(pax.number("mtime").is_err());
        for odd in [
            &b"x"[..],
            b"5 a=b\n",
            b"7 a=b\n",
            b"99999999999999999999 a=b\n",
            b"-6 a=b\n",
            b"4 ab\n",
            b"0 ",
            b"2 ",
            b"6  ab\n\n",
        ] {
            assert!(Pax::default().add(odd).is_err(), "{}", image::show(odd));
        }
    }
}
