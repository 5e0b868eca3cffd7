//! What to do about errors.

use crate::{Bytes, Error, MbrType, PartitionType, type_of_guid, type_of_number};

impl Error {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::Overlap { hint, .. } => Some(hint.clone()),
            Error::BeyondEnd { needed, .. } => Some(larger_disk(*needed)),
            Error::Empty { name } => Some(format!("give {name} a size or a content")),
            Error::ContentTooLarge { name, len, .. } => Some(format!(
                "give {name} at least {len} bytes, or make its content smaller"
            )),
            Error::NotAligned { what, at, sector, .. } => {
                let before = at - at % sector;
                let verb = what.trim_end_matches('s');
                Some(format!(
                    "let it {verb} at byte {before} or {}",
                    before.saturating_add(*sector)
                ))
            }
            Error::NotUsable { usable, .. } => Some(format!(
                "place it between bytes {} and {}",
                usable.start, usable.end
            )),
            Error::TooEarly { min, .. } => Some(format!("place it at {} or later", Bytes(*min))),
            Error::WrongPlace { wanted, .. } => Some(format!(
                "leave its place out, or say {wanted} bytes; or give the region another name"
            )),
            Error::DuplicateGuid { .. } => Some(
                "give one of them another `guid`, or none: then it derives from the seed and the name".into(),
            ),
            Error::NotInTable { kind, table, .. } => Some(other_type(*kind, table)),
            Error::NoAttributes { .. } => Some("leave the other attributes out, or use a GPT".into()),
            Error::NoGuid { .. } => {
                Some("leave it out: the disk's signature and the number stand for it".into())
            }
            Error::NotHybrid { .. } => Some("leave it out, or make the table a hybrid".into()),
            Error::BeyondReach { .. } => Some("use a GPT, or place it earlier".into()),
            Error::BoardType { table, .. } => Some(format!(
                "let the FAT with the firmware be the first partition, of the type {:?} in the {table}",
                if *table == "MBR" { "fat32" } else { "esp" }
            )),
            Error::BlobType { wanted, .. } => Some(format!("give it type = {wanted:?}")),
            Error::NothingBoots { kind, .. } => Some(format!(
                "give the partition that shall boot type = {kind:?}; without attributes of its own, it boots"
            )),
            Error::LogicalOrder { .. } => {
                Some("number logical partitions in the order of their places".into())
            }
            Error::InsideExtended { .. } => Some("let the logical partitions lie side by side".into()),
            Error::UnknownType { text } => MbrType::parse(&format!("0x{text}"))
                .map(|number| format!("in an MBR, that is written {number}")),
            _ => None,
        }
    }
}

/// What to write in place of a type that the table does not know.
fn other_type(kind: PartitionType, table: &str) -> String {
    let same = match kind {
        PartitionType::Named(_) => None,
        PartitionType::Guid(guid) => type_of_guid(guid).filter(|known| known.mbr.is_some()),
        // The other number of a FAT32, for places that are no LBA.
        PartitionType::Mbr(MbrType(0x0b)) => type_of_number(MbrType(0x0c)),
        PartitionType::Mbr(number) => type_of_number(number),
    };
    match (same, kind) {
        (Some(known), _) => format!("write {:?}, which every table knows", known.name),
        (None, PartitionType::Mbr(_)) => format!("{table} knows names such as \"linux\", and GUIDs"),
        (None, _) => format!("{table} knows names such as \"linux\" or \"fat32\", and numbers such as 0x83"),
    }
}

pub(crate) fn larger_disk(needed: u64) -> String {
    format!("make the disk at least {needed} bytes large, or let it fit")
}
