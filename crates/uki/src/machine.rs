//! What PE files are for.

use std::fmt;

/// The machine that a PE file is for, by its number in the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machine(pub(crate) u16);

impl Machine {
    /// The name that UEFI has for it in file names: `x64`, `aa64`.
    #[must_use]
    pub fn efi_name(self) -> Option<&'static str> {
        Some(match self.0 {
            0x8664 => "x64",
            0x014c => "ia32",
            0xaa64 => "aa64",
            0x01c0 | 0x01c2 => "arm",
            0x5064 => "riscv64",
            0x6264 => "loongarch64",
            _ => return None,
        })
    }

    /// Whether something for `other` runs beside something for this one. 32-bit ARM has two numbers.
    pub(crate) fn is_like(self, other: Machine) -> bool {
        self == other || self.efi_name().is_some_and(|name| other.efi_name() == Some(name))
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.efi_name() {
            Some(name) => f.write_str(name),
            None => write!(f, "machine {:#06x}", self.0),
        }
    }
}
