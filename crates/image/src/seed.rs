//! One seed, from which every id, serial number and salt derives.

use uuid::Uuid;

/// The source of all ids of a build: UUIDs of version 5 (RFC 9562) in a namespace of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed(Uuid);

/// The namespace of Kiln's seeds.
const NAMESPACE: Uuid = Uuid::from_u128(0x5d7f_3a52_94c1_5b0e_8f57_6b69_6c6e_0001);

impl Seed {
    /// A seed from any bytes: a word from the specification, or a digest of the content.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Seed {
        Seed(Uuid::new_v5(&NAMESPACE, bytes))
    }

    /// A seed for one part of the whole, such as `disk` or `fs.boot`.
    #[must_use]
    pub fn part(&self, name: &str) -> Seed {
        Seed(Uuid::new_v5(&self.0, name.as_bytes()))
    }

    /// The UUID called `name`.
    #[must_use]
    pub fn uuid(&self, name: &str) -> Uuid {
        self.part(name).0
    }

    /// The 32-bit number called `name`, such as a FAT volume id.
    #[must_use]
    pub fn number(&self, name: &str) -> u32 {
        let [a, b, c, d, ..] = self.uuid(name).into_bytes();
        u32::from_be_bytes([a, b, c, d])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_pinned() {
        let seed = Seed::new(b"rock64");
        assert_eq!(
            seed.uuid("disk").to_string(),
            "a8c8c767-c71e-58bf-9569-dfd395b2ea6b"
        );
        assert_eq!(seed.number("volume id"), 2_141_771_532);
        assert_ne!(seed.uuid("disk"), seed.uuid("boot"));
        assert_ne!(seed.uuid("disk"), Seed::new(b"rock65").uuid("disk"));
        assert_eq!(seed.uuid("disk").get_version_num(), 5);
    }
}
