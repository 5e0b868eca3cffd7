//! What bytes are, as their first ones say, and a few at their end.

use std::fmt::Write as _;

use image::{Content, ReadAt};
use transport::Coding;

use crate::{Error, Result, environments, programs};

/// What bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A disk with a partition table.
    Disk,
    /// A squashfs.
    Squashfs,
    /// An ext4, ext3 or ext2.
    Ext4,
    /// A FAT16 or FAT32.
    Fat,
    /// A btrfs.
    Btrfs,
    /// An erofs.
    Erofs,
    /// A swap area.
    Swap,
    /// A dm-verity hash tree with a superblock.
    HashTree,
    /// The signature of the root hash of a hash tree.
    RootSignature,
    /// A RAUC bundle that can be read.
    Bundle,
    /// A RAUC bundle of the format crypt.
    CryptBundle,
    /// A LUKS volume.
    Luks,
    /// A boot script of U-Boot.
    Script,
    /// An environment of U-Boot.
    Environment,
    /// A program that firmware starts, such as a unified kernel image.
    Efi,
    /// A tar archive.
    Tar,
    /// Something compressed.
    Compressed(Coding),
    /// A disk in a container of virtual machines.
    Container(container::Format),
    /// The outputs of a build.
    Outputs,
    /// Anything else.
    Unknown,
}

/// What can be looked into, for people.
pub(crate) const READ: &str = "disks with GPT or MBR, squashfs, ext2 to ext4, FAT16, FAT32, btrfs, erofs, RAUC bundles (plain \
                               and verity), boot scripts and environments of U-Boot, programs that UEFI starts, tar archives, and all of these in qcow2, VHD, VHDX, \
                               VDI or VMDK, or compressed with zstd, xz, gzip or bzip2";

/// As many bytes from the start are looked at: a btrfs has its superblock at 64 KiB.
const HEAD: u64 = 68 << 10;

impl Format {
    /// Its name, for people and machines.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Format::Disk => "disk",
            Format::Squashfs => "squashfs",
            Format::Ext4 => "ext4",
            Format::Fat => "fat",
            Format::Btrfs => "btrfs",
            Format::Erofs => "erofs",
            Format::Swap => "swap",
            Format::HashTree => "verity",
            Format::RootSignature => "verity-signature",
            Format::Bundle => "bundle",
            Format::CryptBundle => "crypt-bundle",
            Format::Luks => "luks",
            Format::Script => "script",
            Format::Environment => "environment",
            Format::Efi => "efi",
            Format::Tar => "tar",
            Format::Compressed(coding) => coding.name(),
            Format::Container(container) => container.name(),
            Format::Outputs => "outputs",
            Format::Unknown => "unknown",
        }
    }

    /// Whether there are names in it.
    #[must_use]
    pub fn is_folder(self) -> bool {
        !matches!(
            self,
            Format::Swap
                | Format::HashTree
                | Format::RootSignature
                | Format::CryptBundle
                | Format::Luks
                | Format::Unknown
        )
    }

    /// What some bytes are. Nothing but marks is looked at: whether they are what they claim, opening says.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn of(content: &Content) -> Result<Format> {
        let head = head(content, HEAD)?;
        if let Some(coding) = Coding::of_magic(&head) {
            return Ok(Format::Compressed(coding));
        }
        if let Some(format) = container::read::recognise(content, content.len()).map_err(Error::Read)? {
            return Ok(Format::Container(format));
        }
        if let Some(format) = by_mark(&head) {
            return Ok(match format {
                Format::Squashfs if is_bundle(content) => Format::Bundle,
                other => other,
            });
        }
        if programs::is_program(&head, content) {
            return Ok(Format::Efi);
        }
        if looks_like_fat(&head) && fat::read::FileSystem::open(source(content), content.len()).is_ok() {
            return Ok(Format::Fat);
        }
        if is_disk(content, &head)? {
            return Ok(Format::Disk);
        }
        if let Some(format) = by_superblock(&head) {
            return Ok(format);
        }
        if looks_like_fat(&head) {
            return Ok(Format::Fat);
        }
        if environments::find(content)?.is_some() {
            return Ok(Format::Environment);
        }
        if is_crypt_bundle(content) {
            return Ok(Format::CryptBundle);
        }
        Ok(Format::Unknown)
    }
}

/// How something is compressed, if it is.
pub(crate) fn coding(content: &Content) -> Result<Option<Coding>> {
    Ok(Coding::of_magic(&head(content, 16)?))
}

/// A content as something that readers take.
pub(crate) fn source(content: &Content) -> std::sync::Arc<dyn ReadAt> {
    match content {
        Content::Span { source, start: 0, .. } => std::sync::Arc::clone(source),
        other => std::sync::Arc::new(other.clone()),
    }
}

/// The first bytes, at most so many.
///
/// # Errors
/// When they cannot be read.
pub fn head(content: &Content, len: u64) -> Result<Vec<u8>> {
    let mut head = vec![0; usize::try_from(content.len().min(len)).unwrap_or_default()];
    content.read_exact_at(&mut head, 0).map_err(Error::Read)?;
    Ok(head)
}

fn has(head: &[u8], start: usize, mark: &[u8]) -> bool {
    head.get(start..).is_some_and(|rest| rest.starts_with(mark))
}

/// Marks at the very beginning.
fn by_mark(head: &[u8]) -> Option<Format> {
    let marks: [(&[u8], Format); 5] = [
        (verity::SIGNATURE_MARK, Format::RootSignature),
        (b"hsqs", Format::Squashfs),
        (b"LUKS\xba\xbe", Format::Luks),
        (b"verity\0\0", Format::HashTree),
        (b"SKUL\xba\xbe", Format::Luks),
    ];
    let found = marks.into_iter().find(|(mark, _)| head.starts_with(mark));
    if let Some((_, format)) = found {
        return Some(format);
    }
    // A legacy image of U-Boot, of the type script.
    (has(head, 0, &[0x27, 0x05, 0x19, 0x56]) && has(head, 30, &[6])).then_some(Format::Script)
}

/// Marks further on, which something older may have left behind.
fn by_superblock(head: &[u8]) -> Option<Format> {
    let marks: [(usize, &[u8], Format); 5] = [
        (64 << 10 | 64, b"_BHRfS_M", Format::Btrfs),
        (1024, &[0xe2, 0xe1, 0xf5, 0xe0], Format::Erofs),
        (1024 + 56, &[0x53, 0xef], Format::Ext4),
        (4086, b"SWAPSPACE2", Format::Swap),
        (257, b"ustar", Format::Tar),
    ];
    let found = marks.into_iter().find(|(start, mark, _)| has(head, *start, mark));
    found.map(|(_, _, format)| format)
}

/// A boot sector begins with a jump, and counts its bytes in sectors of a size that there is.
fn looks_like_fat(head: &[u8]) -> bool {
    let jumps = matches!(head, [0xeb, _, 0x90, ..] | [0xe9, ..]);
    let sector = head
        .get(11..13)
        .map(|bytes| u16::from_le_bytes([bytes[0], bytes[1]]));
    jumps
        && has(head, 510, &[0x55, 0xaa])
        && sector.is_some_and(|sector| matches!(sector, 512 | 1024 | 2048 | 4096))
}

/// Whether there is a partition table, damaged or not.
fn is_disk(content: &Content, head: &[u8]) -> Result<bool> {
    if has(head, 512, b"EFI PART") || has(head, 4096, b"EFI PART") {
        return Ok(true);
    }
    match disk::read::Disk::open(content, content.len()) {
        Ok(_) => Ok(true),
        Err(disk::Error::NotPartitioned) => Ok(false),
        Err(disk::Error::Read { source, .. }) => Err(Error::Read(source)),
        // What is at least marked as one.
        Err(_) => Ok(has(head, 510, &[0x55, 0xaa])),
    }
}

/// Whether a squashfs is the beginning of a bundle.
fn is_bundle(content: &Content) -> bool {
    bundle::open(source(content), content.len()).is_ok()
}

/// Whether the end is that of a bundle whose files are encrypted; its manifest is, too, once it is for somebody.
fn is_crypt_bundle(content: &Content) -> bool {
    let is_crypt =
        |error: &bundle::Error| matches!(error, bundle::Error::Format(format) if format == "crypt");
    match bundle::open(source(content), content.len()) {
        Ok(bundle::Bundle::Signed(signed)) => signed.unsign().is_err_and(|error| is_crypt(&error)),
        Ok(bundle::Bundle::Unsigned(_) | bundle::Bundle::Plain(_)) => false,
        Err(error) => is_crypt(&error),
    }
}

/// What unknown bytes begin with, for people, and what that may be.
///
/// # Errors
/// When they cannot be read.
pub fn begins_with(content: &Content) -> Result<String> {
    let head = head(content, 40 << 10)?;
    if head.is_empty() {
        return Ok("it is empty".into());
    }
    if head.iter().all(|byte| *byte == 0) {
        return Ok(format!("its first {} bytes are zeros", head.len()));
    }
    let mut text = "it begins with".to_string();
    for byte in head.iter().take(16) {
        let _ = write!(text, " {byte:02x}");
    }
    if let Some(guess) = guess(&head) {
        let _ = write!(text, ", as {guess} does");
    }
    Ok(text)
}

/// What is known, and not read.
fn guess(head: &[u8]) -> Option<&'static str> {
    let marks: [(usize, &[u8], &str); 16] = [
        (0, b"\x7fELF", "an ELF program"),
        (1024, &[0xe2, 0xe1, 0xf5, 0xe0], "an erofs"),
        (32769, b"CD001", "an ISO 9660"),
        (3, b"NTFS    ", "an NTFS"),
        (3, b"EXFAT   ", "an exFAT"),
        (0, b"XFSB", "an XFS"),
        (1024, &[0x10, 0x20, 0xf5, 0xf2], "an F2FS"),
        (0, &[0xd0, 0x0d, 0xfe, 0xed], "a device tree or a FIT image"),
        (
            0,
            &[0x27, 0x05, 0x19, 0x56],
            "a legacy image of U-Boot that is no script",
        ),
        (56, b"ARM\x64", "a kernel for arm64"),
        (514, b"HdrS", "a kernel for x86"),
        (0, b"MZ", "a program for EFI"),
        (0, b"070701", "a cpio archive"),
        (0, b"PK\x03\x04", "a zip archive"),
        (0, b"\x04\x22\x4d\x18", "something compressed with LZ4"),
        (0, b"nix-archive-1", "a NAR"),
    ];
    let found = marks.into_iter().find(|(start, mark, _)| has(head, *start, mark));
    found.map(|(_, _, what)| what)
}
