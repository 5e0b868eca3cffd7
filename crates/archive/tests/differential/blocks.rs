//! Archives that no tool packs, block by block.

/// The two blocks of zeros at the end.
pub(crate) const END: [u8; 1024] = [0; 1024];

/// A header, whose checksum is computed when it is packed.
#[derive(Clone)]
pub(crate) struct Head(pub(crate) [u8; 512]);

/// A header of POSIX for something of this type and length.
pub(crate) fn head(kind: u8, name: &str, size: usize) -> Head {
    let mut bytes = [0; 512];
    bytes[..name.len()].copy_from_slice(name.as_bytes());
    bytes[156] = kind;
    Head(bytes)
        .mode(0o644)
        .octal(108, 8, 0)
        .octal(116, 8, 0)
        .octal(124, 12, size as u64)
        .octal(136, 12, 1)
        .put(257, b"ustar\x0000")
}

impl Head {
    /// Other bytes at a place.
    pub(crate) fn put(mut self, place: usize, bytes: &[u8]) -> Head {
        self.0[place..place + bytes.len()].copy_from_slice(bytes);
        self
    }

    /// A number in a field of this length.
    pub(crate) fn octal(self, place: usize, len: usize, number: u64) -> Head {
        let digits = len - 1;
        self.put(place, format!("{number:0digits$o}\0").as_bytes())
    }

    pub(crate) fn mode(self, mode: u64) -> Head {
        self.octal(100, 8, mode)
    }

    pub(crate) fn time(self, time: u64) -> Head {
        self.octal(136, 12, time)
    }

    /// What a link leads to.
    pub(crate) fn link(self, target: &str) -> Head {
        self.put(157, target.as_bytes())
    }

    /// The header of another dialect: `ustar` with what comes behind it.
    pub(crate) fn magic(self, magic: [u8; 8]) -> Head {
        self.put(257, &magic)
    }

    /// The header alone.
    pub(crate) fn alone(self) -> Vec<u8> {
        let mut bytes = self.put(148, b"        ").0;
        let sum: u32 = bytes.iter().map(|byte| u32::from(*byte)).sum();
        bytes[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        bytes.to_vec()
    }

    /// The header and what comes behind it, in whole blocks.
    pub(crate) fn with(self, content: &[u8]) -> Vec<u8> {
        [self.alone(), padded(content)].concat()
    }
}

/// Whole blocks.
pub(crate) fn padded(content: &[u8]) -> Vec<u8> {
    let mut bytes = content.to_vec();
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

/// A regular file.
pub(crate) fn file(name: &str, content: &str) -> Vec<u8> {
    head(b'0', name, content.len()).with(content.as_bytes())
}

/// Anything of another type with a content.
pub(crate) fn of_type(kind: u8, name: &str, content: &[u8]) -> Vec<u8> {
    head(kind, name, content.len()).with(content)
}

/// A directory.
pub(crate) fn dir(name: &str) -> Vec<u8> {
    head(b'5', name, 0).mode(0o755).alone()
}

/// A symbolic link.
pub(crate) fn symlink(name: &str, target: &str) -> Vec<u8> {
    head(b'2', name, 0).mode(0o777).link(target).alone()
}

/// A hard link.
pub(crate) fn hard(name: &str, target: &str) -> Vec<u8> {
    head(b'1', name, 0).link(target).alone()
}

/// An extended header with these records, of type `x` or `g`.
pub(crate) fn records(kind: u8, records: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (key, value) in records {
        let rest = key.len() + value.len() + 3;
        let mut len = rest + 1;
        while len != rest + len.to_string().len() {
            len = rest + len.to_string().len();
        }
        bytes.extend_from_slice(format!("{len} {key}=").as_bytes());
        bytes.extend_from_slice(value);
        bytes.push(b'\n');
    }
    of_type(kind, "pax", &bytes)
}

/// The extended header of one entry.
pub(crate) fn pax(key: &str, value: &[u8]) -> Vec<u8> {
    records(b'x', &[(key, value)])
}
