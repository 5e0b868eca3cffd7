//! What partitions hold, by names that both tables understand.

use std::fmt;

use uuid::{Uuid, uuid};

use crate::{Error, MbrType, Result, guid};

/// A partition type that has a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Type {
    /// The name that [`PartitionType::parse`] knows it by.
    pub name: &'static str,
    /// Its GUID.
    pub guid: Uuid,
    /// Its number in an MBR, when it has one.
    pub mbr: Option<MbrType>,
    /// What is in such a partition.
    pub description: &'static str,
}

/// What a partition holds, as it is asked for. The disk's table decides whether a GUID or a number is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartitionType {
    /// One of [`TYPES`].
    Named(&'static Type),
    /// A GUID, which only a GPT can hold.
    Guid(Uuid),
    /// A number, which only an MBR can hold.
    Mbr(MbrType),
}

impl PartitionType {
    /// A type by its name in [`TYPES`], as a GUID in text form, or as a number such as `0x83`.
    ///
    /// # Errors
    /// When the text is none of them.
    pub fn parse(text: &str) -> Result<PartitionType> {
        if let Some(found) = TYPES.iter().find(|known| known.name == text) {
            return Ok(PartitionType::Named(found));
        }
        if let Some(number) = MbrType::parse(text) {
            return Ok(PartitionType::Mbr(number));
        }
        match guid(text) {
            Err(_) if !looks_like_guid(text) => Err(Error::UnknownType { text: text.into() }),
            result => result.map(PartitionType::Guid),
        }
    }

    /// What a GPT calls it.
    #[must_use]
    pub fn guid(self) -> Option<Uuid> {
        match self {
            PartitionType::Named(known) => Some(known.guid),
            PartitionType::Guid(guid) => Some(guid),
            PartitionType::Mbr(_) => None,
        }
    }

    /// What an MBR calls it.
    #[must_use]
    pub fn mbr(self) -> Option<MbrType> {
        match self {
            PartitionType::Named(known) => known.mbr,
            PartitionType::Guid(_) => None,
            PartitionType::Mbr(number) => Some(number),
        }
    }
}

impl fmt::Display for PartitionType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PartitionType::Named(known) => f.write_str(known.name),
            PartitionType::Guid(guid) => guid.fmt(f),
            PartitionType::Mbr(number) => number.fmt(f),
        }
    }
}

fn looks_like_guid(text: &str) -> bool {
    text.contains('-') && text.chars().all(|c| c == '-' || c.is_ascii_hexdigit())
}

/// The type with this GUID that has a name.
#[must_use]
pub fn type_of_guid(guid: Uuid) -> Option<&'static Type> {
    TYPES.iter().find(|known| known.guid == guid)
}

/// The first type with this number in an MBR that has a name.
#[must_use]
pub fn type_of_number(number: MbrType) -> Option<&'static Type> {
    TYPES.iter().find(|known| known.mbr == Some(number))
}

/// One type a line, which makes the table readable.
macro_rules! types {
    ($($name:literal $guid:literal $mbr:tt $description:literal;)*) => {
        &[$(Type { name: $name, guid: uuid!($guid), mbr: types!(@ $mbr), description: $description }),*]
    };
    (@ -) => { None };
    (@ $mbr:literal) => { Some(MbrType($mbr)) };
}

/// All partition types that have a name: common ones, those of boot loaders, and those of the
/// [Discoverable Partitions Specification](https://uapi-group.org/specifications/specs/discoverable_partitions_specification/),
/// by architecture. On an MBR, all file systems of Linux are of one type.
pub static TYPES: &[Type] = types! {
    "esp"                         "c12a7328-f81f-11d2-ba4b-00a0c93ec93b" 0xef "EFI System Partition: FAT with boot loaders";
    "xbootldr"                    "bc13c2ff-59e6-4262-a352-b275fd6f7172" 0xea "boot loader entries and kernels beside the ESP";
    "linux"                       "0fc63daf-8483-4772-8e79-3d69d8477de4" 0x83 "any Linux file system";
    "swap"                        "0657fd6d-a4ab-43c4-84e5-0933c84b4f4f" 0x82 "swap";
    "home"                        "933ac7e1-2eb4-4f13-b844-0e14e2aef915" 0x83 "/home";
    "srv"                         "3b8f8425-20e0-4f3b-907f-1a25a76f98e8" 0x83 "/srv";
    "var"                         "4d21b016-b534-45c2-a9fb-5c16e091fd2d" 0x83 "/var, of one installation";
    "tmp"                         "7ec6f557-3bc5-4aca-b293-16ef5df639d1" 0x83 "/var/tmp";
    "user-home"                   "773f91ef-66d4-49b5-bd83-d683bf40ad16" 0x83 "a home of systemd-homed";
    "raid"                        "a19d880f-05fc-4d3b-a006-743f0f84911e" 0xfd "a member of a Linux RAID";
    "lvm"                         "e6d6d379-f507-44c2-a23c-238f2a3df928" 0x8e "a physical volume of LVM";
    "linux-reserved"              "8da63339-0007-60c0-c436-083ac8230908" -    "reserved";
    "bios-boot"                   "21686148-6449-6e6f-744e-656564454649" -    "GRUB's second stage on BIOS machines";
    "prep"                        "9e1a2d38-c612-4316-aa26-8b49521e5a8b" 0x41 "PowerPC boot loader";
    "microsoft-reserved"          "e3c9e316-0b5c-4db8-817d-f92df00215ae" -    "reserved by Windows";
    "basic-data"                  "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7" -    "FAT, NTFS or exFAT";
    "fat32"                       "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7" 0x0c "FAT32, by LBA";
    "fat16"                       "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7" 0x0e "FAT16, by LBA";
    "ntfs"                        "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7" 0x07 "NTFS or exFAT";
    "chromeos-kernel"             "fe3a2a5d-4f32-41a7-b725-accc3285a309" -    "a signed kernel of a Chromebook";
    "chromeos-root"               "3cb8e202-3b7e-47dd-8a3c-7ff2a13cfcec" -    "root of ChromeOS";
    "chromeos-reserved"           "2e0a753d-9e48-43b0-8337-b15192cb1b5e" -    "reserved by ChromeOS";
    "hifive-fsbl"                 "5b193300-fc78-40cd-8002-e86c45580b47" -    "U-Boot SPL on SiFive boards";
    "hifive-bbl"                  "2e54b353-1271-4842-806f-e436d6af6985" -    "U-Boot on SiFive and StarFive boards";
    "chromeos-firmware"           "cab6e88e-abf3-4102-a07a-d4bb9be3c1d3" -    "firmware of a Chromebook";
    "luks"                        "ca7d7ccb-63ed-4c53-861c-1742536059cc" 0xe8 "a LUKS volume";
    "dm-crypt"                    "7ffec5c9-2d00-49b7-8941-3ea10a5586b7" -    "a plain dm-crypt volume";
    "u-boot-env"                  "3de21764-95bd-54bd-a5c3-4abe786f38a8" -    "environment of U-Boot";
    "barebox"                     "4778ed65-bf42-45fa-9c5b-287a1dc4aab1" -    "barebox";
    "root-arm"                    "69dad710-2ce4-4e3c-b16c-21a1d49abed3" 0x83 "root on arm";
    "root-arm64"                  "b921b045-1df0-41c3-af44-4c6f280d3fae" 0x83 "root on arm64";
    "root-ia64"                   "993d8d3d-f80e-4225-855a-9daf8ed7ea97" 0x83 "root on ia64";
    "root-loongarch64"            "77055800-792c-4f94-b39a-98c91b762bb6" 0x83 "root on loongarch64";
    "root-mips-le"                "37c58c8a-d913-4156-a25f-48b1b64e07f0" 0x83 "root on mips-le";
    "root-mips64-le"              "700bda43-7a34-4507-b179-eeb93d7a7ca3" 0x83 "root on mips64-le";
    "root-ppc"                    "1de3f1ef-fa98-47b5-8dcd-4a860a654d78" 0x83 "root on ppc";
    "root-ppc64"                  "912ade1d-a839-4913-8964-a10eee08fbd2" 0x83 "root on ppc64";
    "root-ppc64-le"               "c31c45e6-3f39-412e-80fb-4809c4980599" 0x83 "root on ppc64-le";
    "root-riscv32"                "60d5a7fe-8e7d-435c-b714-3dd8162144e1" 0x83 "root on riscv32";
    "root-riscv64"                "72ec70a6-cf74-40e6-bd49-4bda08e8f224" 0x83 "root on riscv64";
    "root-s390"                   "08a7acea-624c-4a20-91e8-6e0fa67d23f9" 0x83 "root on s390";
    "root-s390x"                  "5eead9a9-fe09-4a1e-a1d7-520d00531306" 0x83 "root on s390x";
    "root-x86"                    "44479540-f297-41b2-9af7-d131d5f0458a" 0x83 "root on x86";
    "root-x86-64"                 "4f68bce3-e8cd-4db1-96e7-fbcaf984b709" 0x83 "root on x86-64";
    "root-arm-verity"             "7386cdf2-203c-47a9-a498-f2ecce45a2d6" -    "dm-verity hashes of arm's root";
    "root-arm64-verity"           "df3300ce-d69f-4c92-978c-9bfb0f38d820" -    "dm-verity hashes of arm64's root";
    "root-ia64-verity"            "86ed10d5-b607-45bb-8957-d350f23d0571" -    "dm-verity hashes of ia64's root";
    "root-loongarch64-verity"     "f3393b22-e9af-4613-a948-9d3bfbd0c535" -    "dm-verity hashes of loongarch64's root";
    "root-mips-le-verity"         "d7d150d2-2a04-4a33-8f12-16651205ff7b" -    "dm-verity hashes of mips-le's root";
    "root-mips64-le-verity"       "16b417f8-3e06-4f57-8dd2-9b5232f41aa6" -    "dm-verity hashes of mips64-le's root";
    "root-ppc-verity"             "98cfe649-1588-46dc-b2f0-add147424925" -    "dm-verity hashes of ppc's root";
    "root-ppc64-verity"           "9225a9a3-3c19-4d89-b4f6-eeff88f17631" -    "dm-verity hashes of ppc64's root";
    "root-ppc64-le-verity"        "906bd944-4589-4aae-a4e4-dd983917446a" -    "dm-verity hashes of ppc64-le's root";
    "root-riscv32-verity"         "ae0253be-1167-4007-ac68-43926c14c5de" -    "dm-verity hashes of riscv32's root";
    "root-riscv64-verity"         "b6ed5582-440b-4209-b8da-5ff7c419ea3d" -    "dm-verity hashes of riscv64's root";
    "root-s390-verity"            "7ac63b47-b25c-463b-8df8-b4a94e6c90e1" -    "dm-verity hashes of s390's root";
    "root-s390x-verity"           "b325bfbe-c7be-4ab8-8357-139e652d2f6b" -    "dm-verity hashes of s390x's root";
    "root-x86-verity"             "d13c5d3b-b5d1-422a-b29f-9454fdc89d76" -    "dm-verity hashes of x86's root";
    "root-x86-64-verity"          "2c7357ed-ebd2-46d9-aec1-23d437ec2bf5" -    "dm-verity hashes of x86-64's root";
    "root-arm-verity-sig"         "42b0455f-eb11-491d-98d3-56145ba9d037" -    "signature of the root hash of arm's root";
    "root-arm64-verity-sig"       "6db69de6-29f4-4758-a7a5-962190f00ce3" -    "signature of the root hash of arm64's root";
    "root-ia64-verity-sig"        "e98b36ee-32ba-4882-9b12-0ce14655f46a" -    "signature of the root hash of ia64's root";
    "root-loongarch64-verity-sig" "5afb67eb-ecc8-4f85-ae8e-ac1e7c50e7d0" -    "signature of the root hash of loongarch64's root";
    "root-mips-le-verity-sig"     "c919cc1f-4456-4eff-918c-f75e94525ca5" -    "signature of the root hash of mips-le's root";
    "root-mips64-le-verity-sig"   "904e58ef-5c65-4a31-9c57-6af5fc7c5de7" -    "signature of the root hash of mips64-le's root";
    "root-ppc-verity-sig"         "1b31b5aa-add9-463a-b2ed-bd467fc857e7" -    "signature of the root hash of ppc's root";
    "root-ppc64-verity-sig"       "f5e2c20c-45b2-4ffa-bce9-2a60737e1aaf" -    "signature of the root hash of ppc64's root";
    "root-ppc64-le-verity-sig"    "d4a236e7-e873-4c07-bf1d-bf6cf7f1c3c6" -    "signature of the root hash of ppc64-le's root";
    "root-riscv32-verity-sig"     "3a112a75-8729-4380-b4cf-764d79934448" -    "signature of the root hash of riscv32's root";
    "root-riscv64-verity-sig"     "efe0f087-ea8d-4469-821a-4c2a96a8386a" -    "signature of the root hash of riscv64's root";
    "root-s390-verity-sig"        "3482388e-4254-435a-a241-766a065f9960" -    "signature of the root hash of s390's root";
    "root-s390x-verity-sig"       "c80187a5-73a3-491a-901a-017c3fa953e9" -    "signature of the root hash of s390x's root";
    "root-x86-verity-sig"         "5996fc05-109c-48de-808b-23fa0830b676" -    "signature of the root hash of x86's root";
    "root-x86-64-verity-sig"      "41092b05-9fc8-4523-994f-2def0408b176" -    "signature of the root hash of x86-64's root";
    "usr-arm"                     "7d0359a3-02b3-4f0a-865c-654403e70625" 0x83 "/usr on arm";
    "usr-arm64"                   "b0e01050-ee5f-4390-949a-9101b17104e9" 0x83 "/usr on arm64";
    "usr-ia64"                    "4301d2a6-4e3b-4b2a-bb94-9e0b2c4225ea" 0x83 "/usr on ia64";
    "usr-loongarch64"             "e611c702-575c-4cbe-9a46-434fa0bf7e3f" 0x83 "/usr on loongarch64";
    "usr-mips-le"                 "0f4868e9-9952-4706-979f-3ed3a473e947" 0x83 "/usr on mips-le";
    "usr-mips64-le"               "c97c1f32-ba06-40b4-9f22-236061b08aa8" 0x83 "/usr on mips64-le";
    "usr-ppc"                     "7d14fec5-cc71-415d-9d6c-06bf0b3c3eaf" 0x83 "/usr on ppc";
    "usr-ppc64"                   "2c9739e2-f068-46b3-9fd0-01c5a9afbcca" 0x83 "/usr on ppc64";
    "usr-ppc64-le"                "15bb03af-77e7-4d4a-b12b-c0d084f7491c" 0x83 "/usr on ppc64-le";
    "usr-riscv32"                 "b933fb22-5c3f-4f91-af90-e2bb0fa50702" 0x83 "/usr on riscv32";
    "usr-riscv64"                 "beaec34b-8442-439b-a40b-984381ed097d" 0x83 "/usr on riscv64";
    "usr-s390"                    "cd0f869b-d0fb-4ca0-b141-9ea87cc78d66" 0x83 "/usr on s390";
    "usr-s390x"                   "8a4f5770-50aa-4ed3-874a-99b710db6fea" 0x83 "/usr on s390x";
    "usr-x86"                     "75250d76-8cc6-458e-bd66-bd47cc81a812" 0x83 "/usr on x86";
    "usr-x86-64"                  "8484680c-9521-48c6-9c11-b0720656f69e" 0x83 "/usr on x86-64";
    "usr-arm-verity"              "c215d751-7bcd-4649-be90-6627490a4c05" -    "dm-verity hashes of arm's /usr";
    "usr-arm64-verity"            "6e11a4e7-fbca-4ded-b9e9-e1a512bb664e" -    "dm-verity hashes of arm64's /usr";
    "usr-ia64-verity"             "6a491e03-3be7-4545-8e38-83320e0ea880" -    "dm-verity hashes of ia64's /usr";
    "usr-loongarch64-verity"      "f46b2c26-59ae-48f0-9106-c50ed47f673d" -    "dm-verity hashes of loongarch64's /usr";
    "usr-mips-le-verity"          "46b98d8d-b55c-4e8f-aab3-37fca7f80752" -    "dm-verity hashes of mips-le's /usr";
    "usr-mips64-le-verity"        "3c3d61fe-b5f3-414d-bb71-8739a694a4ef" -    "dm-verity hashes of mips64-le's /usr";
    "usr-ppc-verity"              "df765d00-270e-49e5-bc75-f47bb2118b09" -    "dm-verity hashes of ppc's /usr";
    "usr-ppc64-verity"            "bdb528a5-a259-475f-a87d-da53fa736a07" -    "dm-verity hashes of ppc64's /usr";
    "usr-ppc64-le-verity"         "ee2b9983-21e8-4153-86d9-b6901a54d1ce" -    "dm-verity hashes of ppc64-le's /usr";
    "usr-riscv32-verity"          "cb1ee4e3-8cd0-4136-a0a4-aa61a32e8730" -    "dm-verity hashes of riscv32's /usr";
    "usr-riscv64-verity"          "8f1056be-9b05-47c4-81d6-be53128e5b54" -    "dm-verity hashes of riscv64's /usr";
    "usr-s390-verity"             "b663c618-e7bc-4d6d-90aa-11b756bb1797" -    "dm-verity hashes of s390's /usr";
    "usr-s390x-verity"            "31741cc4-1a2a-4111-a581-e00b447d2d06" -    "dm-verity hashes of s390x's /usr";
    "usr-x86-verity"              "8f461b0d-14ee-4e81-9aa9-049b6fb97abd" -    "dm-verity hashes of x86's /usr";
    "usr-x86-64-verity"           "77ff5f63-e7b6-4633-acf4-1565b864c0e6" -    "dm-verity hashes of x86-64's /usr";
    "usr-arm-verity-sig"          "d7ff812f-37d1-4902-a810-d76ba57b975a" -    "signature of the root hash of arm's /usr";
    "usr-arm64-verity-sig"        "c23ce4ff-44bd-4b00-b2d4-b41b3419e02a" -    "signature of the root hash of arm64's /usr";
    "usr-ia64-verity-sig"         "8de58bc2-2a43-460d-b14e-a76e4a17b47f" -    "signature of the root hash of ia64's /usr";
    "usr-loongarch64-verity-sig"  "b024f315-d330-444c-8461-44bbde524e99" -    "signature of the root hash of loongarch64's /usr";
    "usr-mips-le-verity-sig"      "3e23ca0b-a4bc-4b4e-8087-5ab6a26aa8a9" -    "signature of the root hash of mips-le's /usr";
    "usr-mips64-le-verity-sig"    "f2c2c7ee-adcc-4351-b5c6-ee9816b66e16" -    "signature of the root hash of mips64-le's /usr";
    "usr-ppc-verity-sig"          "7007891d-d371-4a80-86a4-5cb875b9302e" -    "signature of the root hash of ppc's /usr";
    "usr-ppc64-verity-sig"        "0b888863-d7f8-4d9e-9766-239fce4d58af" -    "signature of the root hash of ppc64's /usr";
    "usr-ppc64-le-verity-sig"     "c8bfbd1e-268e-4521-8bba-bf314c399557" -    "signature of the root hash of ppc64-le's /usr";
    "usr-riscv32-verity-sig"      "c3836a13-3137-45ba-b583-b16c50fe5eb4" -    "signature of the root hash of riscv32's /usr";
    "usr-riscv64-verity-sig"      "d2f9000a-7a18-453f-b5cd-4d32f77a7b32" -    "signature of the root hash of riscv64's /usr";
    "usr-s390-verity-sig"         "17440e4f-a8d0-467f-a46e-3912ae6ef2c5" -    "signature of the root hash of s390's /usr";
    "usr-s390x-verity-sig"        "3f324816-667b-46ae-86ee-9b0c0c6c11b4" -    "signature of the root hash of s390x's /usr";
    "usr-x86-verity-sig"          "974a71c0-de41-43c3-be5d-5c5ccd1ad2c0" -    "signature of the root hash of x86's /usr";
    "usr-x86-64-verity-sig"       "e7bb33fb-06cf-4e81-8273-e543b413e2e2" -    "signature of the root hash of x86-64's /usr";
};

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_ids_are_found() {
        let names: BTreeSet<_> = TYPES.iter().map(|known| known.name).collect();
        assert_eq!(names.len(), TYPES.len());
        for known in TYPES {
            assert_eq!(
                PartitionType::parse(known.name).unwrap(),
                PartitionType::Named(known)
            );
            let upper = known.guid.to_string().to_uppercase();
            assert_eq!(
                PartitionType::parse(&upper).unwrap(),
                PartitionType::Guid(known.guid)
            );
            assert_eq!(type_of_guid(known.guid).unwrap().guid, known.guid);
            if let Some(number) = known.mbr {
                assert!(number.reserved_for().is_none(), "{number}");
                assert_eq!(type_of_number(number).unwrap().mbr, known.mbr);
            }
        }
        let name = |guid| type_of_guid(guid).map(|known| known.name);
        assert_eq!(name(Uuid::nil()), None);
        let shared: Vec<_> = TYPES
            .iter()
            .filter(|known| name(known.guid) != Some(known.name))
            .map(|known| known.name)
            .collect();
        assert_eq!(
            shared,
            ["fat32", "fat16", "ntfs"],
            "these are basic-data in a GPT"
        );
    }

    #[test]
    fn numbers_have_names_in_an_mbr() {
        let number = |text| PartitionType::parse(text).unwrap().mbr().map(|number| number.0);
        assert_eq!(number("esp"), Some(0xef));
        assert_eq!(number("fat32"), Some(0x0c));
        assert_eq!(number("root-arm64"), Some(0x83));
        assert_eq!(number("0x0B"), Some(0x0b));
        assert_eq!(number("0xb"), Some(0x0b));
        assert_eq!(number("basic-data"), None);
        assert_eq!(number("0fc63daf-8483-4772-8e79-3d69d8477de4"), None);
        let name = |number| type_of_number(MbrType(number)).map(|known| known.name);
        assert_eq!(
            [0x83, 0x0c, 0x0b, 0xef].map(name),
            [Some("linux"), Some("fat32"), None, Some("esp")]
        );
    }

    #[test]
    fn what_is_no_type_is_told() {
        let told = |text| {
            let error = PartitionType::parse(text).unwrap_err();
            let hint = error.hint().map(|hint| format!("\nhint: {hint}"));
            format!("{error}{}", hint.unwrap_or_default())
        };
        let texts = [
            "root-arm46",
            "C12A7328-F81F-11D2-BA4B-00A0C93EC93",
            "83",
            "c",
            "0x100",
            "0x",
            "0x+1",
            "",
        ];
        insta::assert_snapshot!(texts.map(told).join("\n"));
    }
}
