//! What tables call disks, partitions and types.

use std::fmt;

use serde::{Serialize, Serializer};
use uuid::Uuid;

/// A partition type as an MBR holds it: one byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MbrType(pub u8);

/// A partition type as it is in a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TypeId {
    /// In a GPT.
    Guid(Uuid),
    /// In an MBR.
    Mbr(MbrType),
}

/// What Linux calls a partition, after `PARTUUID=`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PartUuid {
    /// A partition of a GPT: its own GUID.
    Guid(Uuid),
    /// A partition of an MBR.
    Mbr {
        /// The disk's signature.
        signature: u32,
        /// The partition's number.
        number: u32,
    },
}

/// What tells a disk from others; Linux calls it the PTUUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskId {
    /// A GPT's GUID.
    Guid(Uuid),
    /// An MBR's signature.
    Signature(u32),
}

impl MbrType {
    /// A number out of its text form: `0x83`, one or two digits.
    pub(crate) fn parse(text: &str) -> Option<MbrType> {
        let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"))?;
        if !(1..=2).contains(&digits.len()) || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        u8::from_str_radix(digits, 16).ok().map(MbrType)
    }

    /// Whether it is one of the types that a partition with other partitions in it has.
    #[must_use]
    pub fn is_extended(self) -> bool {
        matches!(self.0, 0x05 | 0x0f | 0x85)
    }

    /// Why no region can have this type, if it cannot.
    pub(crate) fn reserved_for(self) -> Option<&'static str> {
        match self.0 {
            0 => Some("means that there is none"),
            0xee => Some("says that there is a GPT, and is made for one"),
            _ if self.is_extended() => {
                Some("is that of an extended partition, which is made when there are more than four")
            }
            _ => None,
        }
    }
}

impl fmt::Display for MbrType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#04x}", self.0)
    }
}

impl fmt::Display for TypeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TypeId::Guid(guid) => guid.fmt(f),
            TypeId::Mbr(number) => number.fmt(f),
        }
    }
}

impl fmt::Display for PartUuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PartUuid::Guid(guid) => guid.fmt(f),
            PartUuid::Mbr { signature, number } => write!(f, "{signature:08x}-{number:02x}"),
        }
    }
}

impl fmt::Display for DiskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DiskId::Guid(guid) => guid.fmt(f),
            DiskId::Signature(signature) => write!(f, "{signature:08x}"),
        }
    }
}

/// Ids are written as their text.
macro_rules! serialize_as_text {
    ($($id:ty),*) => {$(
        impl Serialize for $id {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
    )*};
}

serialize_as_text!(MbrType, TypeId, PartUuid, DiskId, crate::Attributes);

#[cfg(test)]
mod tests {
    use super::*;

    /// As `blkid` and the kernel print them: digits of sixteen, in lower case.
    #[test]
    fn ids_have_the_kernels_text() {
        let partition = |number| PartUuid::Mbr {
            signature: 0x0178_694e,
            number,
        };
        assert_eq!(partition(2).to_string(), "0178694e-02");
        assert_eq!(partition(10).to_string(), "0178694e-0a");
        assert_eq!(DiskId::Signature(0x1f).to_string(), "0000001f");
        assert_eq!(MbrType(0xb).to_string(), "0x0b");
        assert_eq!(TypeId::Guid(Uuid::from_u128(0xff)).to_string().len(), 36);
    }

    #[test]
    fn some_numbers_are_reserved() {
        let reserved: Vec<_> = (0..=u8::MAX)
            .filter(|number| MbrType(*number).reserved_for().is_some())
            .collect();
        assert_eq!(reserved, [0, 0x05, 0x0f, 0x85, 0xee]);
    }
}
