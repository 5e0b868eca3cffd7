//! Attributes of partitions.

use std::fmt;

use crate::{Error, PartitionType, Result, TYPES};

/// The attribute bits of a partition. [UEFI](https://uefi.org/specs/UEFI/2.10/05_GUID_Partition_Table_Format.html)
/// defines bits 0 to 2, the partition's type defines bits 48 to 63.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attributes(pub u64);

/// The attributes of a `ChromeOS` kernel partition, by which its firmware chooses one: bits 48 to 56.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChromeOs {
    /// 1 to 15, the highest is tried first; 0 is never tried.
    pub priority: u8,
    /// How often to try before it counts as failed, 0 to 15.
    pub tries: u8,
    /// Whether it has booted.
    pub successful: bool,
}

impl ChromeOs {
    /// What a kernel partition has when nothing else is said: `cgpt add -P 10 -T 5 -S 1`, which boots.
    pub const KERNEL: ChromeOs = ChromeOs {
        priority: 10,
        tries: 5,
        successful: true,
    };

    /// Whether firmware boots it: it has a priority, and has tries left or has booted.
    #[must_use]
    pub fn boots(self) -> bool {
        self.priority > 0 && (self.tries > 0 || self.successful)
    }
}

/// The type whose partitions have [`ChromeOs`] attributes.
const KERNEL_TYPE: &str = "chromeos-kernel";

/// Names of single bits: those of UEFI, then those of the Discoverable Partitions Specification.
const BITS: [(&str, u32); 6] = [
    ("required", 0),
    ("no-block-io", 1),
    ("legacy-boot", 2),
    ("growfs", 59),
    ("read-only", 60),
    ("no-auto", 63),
];

const PRIORITY_SHIFT: u32 = 48;
const TRIES_SHIFT: u32 = 52;
const SUCCESSFUL_SHIFT: u32 = 56;
const CHROMEOS_MASK: u64 = 0x1ff << PRIORITY_SHIFT;

impl Attributes {
    /// What old firmware may boot: `legacy-boot` in a GPT, the active flag in an MBR.
    pub const BOOTABLE: Attributes = Attributes(1 << 2);

    /// The names that [`Attributes::named`] knows.
    pub fn names() -> impl Iterator<Item = &'static str> {
        BITS.iter().map(|(name, _)| *name)
    }

    /// What a partition of a type has when nothing else is said: the kernel of a Chromebook
    /// [boots](ChromeOs::KERNEL), others have nothing.
    #[must_use]
    pub fn of_type(kind: PartitionType) -> Attributes {
        let kernel = TYPES.iter().find(|known| known.name == KERNEL_TYPE);
        match kernel {
            Some(known) if kind.guid() == Some(known.guid) => {
                Attributes::try_from(ChromeOs::KERNEL).unwrap_or_default()
            }
            _ => Attributes::default(),
        }
    }

    /// These, and what a text says: a name, or a field of [`ChromeOs`] such as `priority=10`, `tries=5`, `successful`
    /// or `successful=0`, which replaces what these have there.
    ///
    /// # Errors
    /// When there is no such attribute, or it cannot have the value.
    pub fn with(self, text: &str) -> Result<Attributes> {
        let (field, value) = match text.split_once('=') {
            Some((field, value)) => (field, Some(value)),
            None => (text, None),
        };
        let bad = |field, wanted| Error::BadChromeOs {
            field,
            value: value.unwrap_or_default().to_owned(),
            wanted,
        };
        let number = |field| {
            let digits = value.filter(|value| value.bytes().all(|byte| byte.is_ascii_digit()));
            digits
                .and_then(|digits| digits.parse().ok())
                .filter(|number| *number <= 15)
                .ok_or_else(|| bad(field, "a number from 0 to 15"))
        };
        let fields = self.chromeos();
        let fields = match field {
            "priority" => ChromeOs {
                priority: number("priority")?,
                ..fields
            },
            "tries" => ChromeOs {
                tries: number("tries")?,
                ..fields
            },
            "successful" => ChromeOs {
                successful: match value {
                    None | Some("1") => true,
                    Some("0") => false,
                    Some(_) => return Err(bad("successful", "0 or 1")),
                },
                ..fields
            },
            _ => return Attributes::named(text).map(|named| self.and(named)),
        };
        Ok(Attributes(self.0 & !CHROMEOS_MASK).and(Attributes::try_from(fields)?))
    }

    /// The attribute called `name`, or any of them as a number: `0x` and up to sixteen hexadecimal digits.
    ///
    /// # Errors
    /// When there is none.
    pub fn named(name: &str) -> Result<Attributes> {
        if let Some(bits) = bits(name) {
            return Ok(Attributes(bits));
        }
        let bit = BITS.iter().find(|(known, _)| *known == name);
        bit.map(|(_, bit)| Attributes(1 << bit))
            .ok_or_else(|| Error::UnknownAttribute { name: name.into() })
    }

    /// These attributes and those.
    #[must_use]
    pub fn and(self, other: Attributes) -> Attributes {
        Attributes(self.0 | other.0)
    }

    /// Whether all of those are among these.
    #[must_use]
    pub fn contain(self, those: Attributes) -> bool {
        self.0 & those.0 == those.0
    }

    /// Bits 48 to 56 as a `ChromeOS` kernel partition has them.
    #[must_use]
    pub fn chromeos(self) -> ChromeOs {
        ChromeOs {
            priority: nibble(self.0, PRIORITY_SHIFT),
            tries: nibble(self.0, TRIES_SHIFT),
            successful: self.0 >> SUCCESSFUL_SHIFT & 1 == 1,
        }
    }
}

/// The number that `0x1000000000000001` says.
fn bits(text: &str) -> Option<u64> {
    let digits = text.strip_prefix("0x")?;
    let all_are_digits = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !all_are_digits || digits.len() > 16 {
        return None;
    }
    u64::from_str_radix(digits, 16).ok()
}

fn nibble(bits: u64, shift: u32) -> u8 {
    u8::try_from(bits >> shift & 0xf).unwrap_or_default()
}

impl TryFrom<ChromeOs> for Attributes {
    type Error = Error;

    /// Fails when a number is above 15.
    fn try_from(chromeos: ChromeOs) -> Result<Attributes> {
        for (field, value) in [("priority", chromeos.priority), ("tries", chromeos.tries)] {
            if value > 15 {
                return Err(Error::ChromeOsTooLarge { field, value });
            }
        }
        Ok(Attributes(
            u64::from(chromeos.priority) << PRIORITY_SHIFT
                | u64::from(chromeos.tries) << TRIES_SHIFT
                | u64::from(chromeos.successful) << SUCCESSFUL_SHIFT,
        ))
    }
}

/// Names with commas between them; `none` when there is none.
impl fmt::Display for Attributes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        let mut rest = self.0;
        for (name, bit) in BITS {
            if rest >> bit & 1 == 1 {
                parts.push(name.to_owned());
                rest &= !(1 << bit);
            }
        }
        if rest & CHROMEOS_MASK != 0 {
            let ChromeOs {
                priority,
                tries,
                successful,
            } = self.chromeos();
            parts.push(format!("priority={priority} tries={tries}"));
            if successful {
                parts.push("successful".to_owned());
            }
            rest &= !CHROMEOS_MASK;
        }
        for bit in 0..u64::BITS {
            if rest >> bit & 1 == 1 {
                parts.push(format!("bit {bit}"));
            }
        }
        if parts.is_empty() {
            parts.push("none".to_owned());
        }
        f.write_str(&parts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_have_names() {
        let bits = |name| Attributes::named(name).unwrap().0;
        assert_eq!(bits("required"), 1);
        assert_eq!(bits("no-block-io"), 2);
        assert_eq!(bits("legacy-boot"), Attributes::BOOTABLE.0);
        assert_eq!(bits("growfs"), 0x0800_0000_0000_0000);
        assert_eq!(bits("read-only"), 0x1000_0000_0000_0000);
        assert_eq!(bits("no-auto"), 0x8000_0000_0000_0000);
        let error = Attributes::named("readonly").unwrap_err();
        assert_eq!(error.to_string(), "readonly: is no attribute of partitions");
        let all = Attributes::names().fold(Attributes::default(), |all, name| {
            all.and(Attributes::named(name).unwrap())
        });
        assert_eq!(
            all.to_string(),
            "required, no-block-io, legacy-boot, growfs, read-only, no-auto"
        );
        assert_eq!(Attributes(0).to_string(), "none");
        assert_eq!(Attributes(1 << 3 | 1 << 57).to_string(), "bit 3, bit 57");
    }

    #[test]
    fn bits_can_be_said_as_a_number() {
        let named = |text| Attributes::named(text).map(|named| named.0).ok();
        assert_eq!(named("0x8000000000000005"), Some(0x8000_0000_0000_0005));
        assert_eq!(named("0xFF"), Some(0xff));
        assert_eq!(named("0x0"), Some(0));
        for text in ["0x", "0x+1", "0X1", "1", "0x10000000000000000", "0xg"] {
            assert_eq!(named(text), None, "{text}");
        }
    }

    /// `cgpt add -S 1 -T 5 -P 10`.
    #[test]
    fn chromeos_has_fields() {
        let fields = ChromeOs::KERNEL;
        let attributes = Attributes::try_from(fields).unwrap();
        assert_eq!(attributes.0, 0x015a_0000_0000_0000);
        assert_eq!(attributes.chromeos(), fields);
        assert_eq!(attributes.to_string(), "priority=10 tries=5, successful");
        let error = Attributes::try_from(ChromeOs { tries: 16, ..fields }).unwrap_err();
        assert_eq!(error.to_string(), "tries: 16 is above the limit of 15");
    }

    #[test]
    fn a_kernel_of_a_chromebook_boots_unless_it_shall_not() {
        let of = |name| Attributes::of_type(PartitionType::parse(name).unwrap());
        let kernel = of("chromeos-kernel");
        assert_eq!(kernel.0, 0x015a_0000_0000_0000);
        assert_eq!(of("FE3A2A5D-4F32-41A7-B725-ACCC3285A309"), kernel);
        assert_eq!(of("chromeos-root"), Attributes(0));
        let with = |texts: &[&str]| {
            let all = texts.iter().try_fold(kernel, |all, text| all.with(text));
            all.map_or_else(|error| error.to_string(), |all| all.to_string())
        };
        assert_eq!(
            with(&["priority=15", "growfs"]),
            "growfs, priority=15 tries=5, successful"
        );
        assert_eq!(with(&["tries=15", "successful=0"]), "priority=10 tries=15");
        assert_eq!(with(&["successful=0", "successful"]), kernel.to_string());
        assert_eq!(with(&["priority=0", "tries=0", "successful=0"]), "none");
        for text in [
            "priority",
            "priority=",
            "priority=16",
            "priority=+1",
            "priority=256",
        ] {
            let (_, value) = text.split_once('=').unwrap_or_default();
            assert_eq!(
                with(&[text]),
                format!("priority={value}: must be a number from 0 to 15")
            );
        }
        assert_eq!(with(&["successful=2"]), "successful=2: must be 0 or 1");
        assert_eq!(with(&["growfs=1"]), "growfs=1: is no attribute of partitions");
        let boots = |text| kernel.with(text).unwrap().chromeos().boots();
        assert!(boots("tries=0") && boots("successful=0") && !boots("priority=0"));
    }
}
