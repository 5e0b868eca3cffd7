//! What stands in options: names and lists whose lengths the client says, each checked against what is there.

/// A name of an export and the numbers of what shall be said of it: `INFO` and `GO`.
pub(crate) struct Wanted<'a> {
    pub(crate) name: &'a [u8],
    pub(crate) infos: Vec<u16>,
}

impl Wanted<'_> {
    pub(crate) fn read(data: &[u8]) -> Option<Wanted<'_>> {
        let mut fields = Fields(data);
        let name = fields.text()?;
        let count = u16::from_be_bytes(fields.array()?);
        let infos = (0..count)
            .map(|_| fields.array().map(u16::from_be_bytes))
            .collect::<Option<_>>()?;
        fields.end(Wanted { name, infos })
    }
}

/// A name of an export and queries for metadata contexts.
pub(crate) struct Queries<'a> {
    pub(crate) name: &'a [u8],
    pub(crate) queries: Vec<&'a [u8]>,
}

impl Queries<'_> {
    pub(crate) fn read(data: &[u8]) -> Option<Queries<'_>> {
        let mut fields = Fields(data);
        let name = fields.text()?;
        let count = u32::from_be_bytes(fields.array()?);
        let mut queries = Vec::new();
        // Each takes four bytes at least, so there are no more than the data has room for.
        for _ in 0..count {
            queries.push(fields.text()?);
        }
        fields.end(Queries { name, queries })
    }
}

struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn bytes(&mut self, len: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(bytes)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.bytes(N)?.try_into().ok()
    }

    /// A length, and as many bytes.
    fn text(&mut self) -> Option<&'a [u8]> {
        let len = u32::from_be_bytes(self.array()?);
        self.bytes(usize::try_from(len).ok()?)
    }

    /// Nothing may be left.
    fn end<T>(self, value: T) -> Option<T> {
        self.0.is_empty().then_some(value)
    }
}
