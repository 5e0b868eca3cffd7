//! The architectures of legacy images.

use std::fmt;
use std::str::FromStr;

use crate::Error;

/// An architecture, by the name that `mkimage -A` knows it by. U-Boot does not look at a script's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names are all there is to say")]
pub enum Arch {
    Alpha,
    Arc,
    Arm,
    Arm64,
    Avr32,
    Blackfin,
    Ia64,
    M68k,
    Microblaze,
    Mips,
    Mips64,
    Nds32,
    Nios2,
    Or1k,
    Powerpc,
    Riscv,
    S390,
    Sandbox,
    Sh,
    Sparc,
    Sparc64,
    X86,
    X86_64,
    Xtensa,
}

/// Each architecture with its name and its `IH_ARCH` number.
const TABLE: [(Arch, &str, u8); 24] = [
    (Arch::Alpha, "alpha", 1),
    (Arch::Arc, "arc", 23),
    (Arch::Arm, "arm", 2),
    (Arch::Arm64, "arm64", 22),
    (Arch::Avr32, "avr32", 17),
    (Arch::Blackfin, "blackfin", 16),
    (Arch::Ia64, "ia64", 4),
    (Arch::M68k, "m68k", 12),
    (Arch::Microblaze, "microblaze", 14),
    (Arch::Mips, "mips", 5),
    (Arch::Mips64, "mips64", 6),
    (Arch::Nds32, "nds32", 20),
    (Arch::Nios2, "nios2", 15),
    (Arch::Or1k, "or1k", 21),
    (Arch::Powerpc, "powerpc", 7),
    (Arch::Riscv, "riscv", 26),
    (Arch::S390, "s390", 8),
    (Arch::Sandbox, "sandbox", 19),
    (Arch::Sh, "sh", 9),
    (Arch::Sparc, "sparc", 10),
    (Arch::Sparc64, "sparc64", 11),
    (Arch::X86, "x86", 3),
    (Arch::X86_64, "x86_64", 24),
    (Arch::Xtensa, "xtensa", 25),
];

impl Arch {
    /// All architectures, sorted by name.
    pub fn all() -> impl Iterator<Item = Arch> {
        TABLE.iter().map(|(arch, _, _)| *arch)
    }

    /// The name, as `mkimage -A` takes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().1
    }

    /// The `IH_ARCH` number.
    #[must_use]
    pub fn number(self) -> u8 {
        self.row().2
    }

    /// The architecture with an `IH_ARCH` number.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Arch> {
        TABLE.iter().find(|row| row.2 == number).map(|row| row.0)
    }

    /// The table has the order of the enum; a test holds it.
    fn row(self) -> &'static (Arch, &'static str, u8) {
        &TABLE[self as usize]
    }
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Arch {
    type Err = Error;

    fn from_str(name: &str) -> Result<Arch, Error> {
        let row = TABLE.iter().find(|row| row.1 == name);
        row.map(|row| row.0)
            .ok_or_else(|| Error::UnknownArch { name: name.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_the_order_of_the_enum() {
        for (index, (arch, name, number)) in TABLE.into_iter().enumerate() {
            assert_eq!(arch as usize, index);
            assert_eq!(name.parse(), Ok(arch));
            assert_eq!(Arch::from_number(number), Some(arch));
        }
        assert!(Arch::all().map(Arch::name).is_sorted());
        let error = "aarch64".parse::<Arch>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "aarch64: is no architecture that U-Boot's images know"
        );
    }
}
