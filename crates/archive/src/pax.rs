//! Extended headers of pax: records of `LENGTH KEY=VALUE\n`, whose length counts itself.

use std::collections::BTreeMap;

/// The records of a header, or of several.
#[derive(Clone, Debug, Default)]
pub(crate) struct Records {
    by_key: BTreeMap<Vec<u8>, Vec<u8>>,
    /// GNU's oldest map of a sparse file: the only records that come again and again, and whose order counts.
    sparse_parts: Vec<(Vec<u8>, Vec<u8>)>,
    len: usize,
}

/// The records of a sparse file's parts, in turn.
const SPARSE_PART: [&[u8]; 2] = [b"GNU.sparse.offset", b"GNU.sparse.numbytes"];

impl Records {
    /// Adds the records of one more header, which hold in place of earlier ones.
    pub(crate) fn add(&mut self, bytes: &[u8]) -> Result<(), &'static str> {
        let mut rest = bytes;
        self.len += bytes.len();
        while !rest.is_empty() {
            let (record, behind) = split(rest).ok_or("an extended header whose records make no sense")?;
            rest = behind;
            let equals = record
                .iter()
                .position(|byte| *byte == b'=')
                .ok_or("an extended header without =")?;
            let (key, value) = (record[..equals].to_vec(), record[equals + 1..].to_vec());
            if SPARSE_PART.contains(&&*key) {
                self.sparse_parts.push((key, value));
            } else {
                self.by_key.insert(key, value);
            }
        }
        Ok(())
    }

    /// How many bytes were added.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// A record as it is said, even without a value.
    pub(crate) fn said(&self, key: &str) -> Option<&[u8]> {
        self.by_key.get(key.as_bytes()).map(Vec::as_slice)
    }

    /// A whole number that has to make sense.
    pub(crate) fn count(&self, key: &str) -> Option<u64> {
        decimal(self.said(key)?)
    }

    /// GNU's oldest map of a sparse file, if there is one and it makes sense.
    pub(crate) fn sparse_parts(&self) -> Option<Vec<(u64, u64)>> {
        let pairs = self.sparse_parts.chunks(SPARSE_PART.len());
        let pairs = pairs.map(|pair| match pair {
            [(first, start), (second, len)] if [&**first, second] == SPARSE_PART => {
                Some((decimal(start)?, decimal(len)?))
            }
            _ => None,
        });
        pairs.collect()
    }

    /// The records whose keys begin like this, and what follows in the key.
    pub(crate) fn under<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        let from = self.by_key.range(prefix.as_bytes().to_vec()..);
        from.map_while(move |(key, value)| Some((key.strip_prefix(prefix.as_bytes())?, value.as_slice())))
    }
}

/// What holds for one entry.
#[derive(Clone, Copy)]
pub(crate) struct Pax<'a> {
    /// What is said of all entries.
    pub(crate) global: &'a Records,
    /// What is said of this one alone.
    pub(crate) own: &'a Records,
}

impl<'a> Pax<'a> {
    /// A record. Without a value it takes back what was said of all.
    pub(crate) fn get(self, key: &str) -> Option<&'a [u8]> {
        let said = self.own.said(key).or_else(|| self.global.said(key))?;
        (!said.is_empty()).then_some(said)
    }

    /// A whole number.
    pub(crate) fn number(self, key: &str) -> Result<Option<u64>, String> {
        let number = |value: &[u8]| {
            decimal(value).ok_or_else(|| format!("its {key} is {}, which is no number", image::show(value)))
        };
        self.get(key).map(number).transpose()
    }

    /// Seconds, without the fraction that there may be.
    pub(crate) fn seconds(self, key: &str) -> Result<Option<i64>, String> {
        let seconds = |value: &[u8]| {
            seconds(value).ok_or_else(|| format!("its {key} is {}, which is no time", image::show(value)))
        };
        self.get(key).map(seconds).transpose()
    }

    /// All records whose keys begin like this: those of all entries first.
    pub(crate) fn under(self, prefix: &'a str) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        self.global.under(prefix).chain(self.own.under(prefix))
    }
}

/// A number of digits alone.
pub(crate) fn decimal(value: &[u8]) -> Option<u64> {
    let digits = str::from_utf8(value).ok()?;
    if !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}

fn seconds(value: &[u8]) -> Option<i64> {
    let text = str::from_utf8(value).ok()?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if whole.starts_with('+') || !fraction.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let seconds: i64 = whole.parse().ok()?;
    // Before 1970, a fraction leads further away.
    let further = whole.starts_with('-') && fraction.bytes().any(|digit| digit != b'0');
    seconds.checked_sub(i64::from(further))
}

/// The first record, without its length and the end of its line, and what comes behind it.
fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let space = bytes.iter().take(20).position(|byte| *byte == b' ')?;
    let len = usize::try_from(decimal(&bytes[..space])?).ok()?;
    let (record, rest) = bytes.split_at_checked(len)?;
    Some((record.get(space + 1..)?.strip_suffix(b"\n")?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_may_hold_anything() {
        let (global, mut own) = (Records::default(), Records::default());
        own.add(b"27 SCHILY.xattr.user.a=\n=\0\n19 mtime=-3.000005\n14 uid=000007\n")
            .unwrap();
        let pax = |own| Pax { global: &global, own };
        let attributes: Vec<_> = pax(&own).under("SCHILY.xattr.").collect();
        assert_eq!(attributes, [(&b"user.a"[..], &b"\n=\0"[..])]);
        assert_eq!(pax(&own).seconds("mtime"), Ok(Some(-4)));
        assert_eq!(pax(&own).number("uid"), Ok(Some(7)));
        let taken_back = {
            let mut own = own.clone();
            own.add(b"7 uid=\n").unwrap();
            own
        };
        assert_eq!(pax(&taken_back).number("uid"), Ok(None));
        let of_all = Pax {
            global: &own,
            own: &global,
        };
        assert_eq!(of_all.number("uid"), Ok(Some(7)));
        let both = Pax {
            global: &own,
            own: &taken_back,
        };
        assert_eq!(both.number("uid"), Ok(None));
        assert!(pax(&own).number("mtime").is_err());
        for odd in [
            &b"x"[..],
            b"5 a=b\n",
            b"7 a=b\n",
            b"99999999999999999999 a=b\n",
            b"-6 a=b\n",
            b"4 ab\n",
            b"0 ",
            b"2 ",
            b" a=b\n",
            b"6  ab\n\n",
        ] {
            assert!(Records::default().add(odd).is_err(), "{}", image::show(odd));
        }
    }
}
