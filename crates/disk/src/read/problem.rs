//! What is wrong with a disk that can be read.

use std::fmt;

/// What is wrong with a table and does not stop reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The first copy of the table cannot be used; the second was read.
    PrimaryDamaged(String),
    /// The second copy of the table cannot be used.
    BackupDamaged(String),
    /// The second copy is not where tools look for it when the first is lost.
    BackupNotLast {
        /// The sector of its header.
        sector: u64,
        /// The disk's last sector.
        last: u64,
    },
    /// The two copies say different things.
    CopiesDiffer {
        /// What they disagree on.
        what: &'static str,
    },
    /// There is no MBR that tells old tools that the disk is in use.
    NoProtectiveMbr,
    /// A partition in the MBR of a hybrid table that is none of the GPT's.
    HybridUnknown {
        /// Which of the MBR's records, from 1.
        record: u32,
    },
    /// An extended partition that begins with no record, as one does that nothing was ever put into.
    ExtendedUnreadable {
        /// Its number.
        number: u32,
    },
    /// Two partitions have one GUID.
    DuplicateGuid {
        /// The number of the first.
        first: u32,
        /// The number of the second.
        second: u32,
    },
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::PrimaryDamaged(why) => {
                write!(f, "the partition table is damaged: {why}; its backup was read")
            }
            Problem::BackupDamaged(why) => write!(f, "the backup of the partition table is damaged: {why}"),
            Problem::BackupNotLast { sector, last } => {
                write!(
                    f,
                    "the backup of the partition table is in sector {sector}, the disk's last is {last}: on a disk that is larger \
                     than its image this is so until systemd-repart (at the first boot) or `sgdisk --move-second-header` moves it"
                )
            }
            Problem::CopiesDiffer { what } => {
                write!(f, "the partition table and its backup differ in {what}")
            }
            Problem::NoProtectiveMbr => f.write_str("there is no protective MBR"),
            Problem::HybridUnknown { record } => {
                write!(f, "record {record} of the MBR is none of the GPT's partitions")
            }
            Problem::ExtendedUnreadable { number } => {
                write!(
                    f,
                    "partition {number} can hold others, and does not begin with a record of them"
                )
            }
            Problem::DuplicateGuid { first, second } => {
                write!(f, "partitions {first} and {second} have the same GUID")
            }
        }
    }
}
