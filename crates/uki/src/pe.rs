//! PE files: their headers, read with all checks that a loader makes, and some more.

use std::ops::Range;

use image::{Content, ReadAt as _};
use zerocopy::FromBytes;

use crate::format::{
    CERTIFICATES, Coff, DOS, Directory, LFANEW, LIMITS_32, LIMITS_64, Optional, PE32, PE32_PLUS, SIGNATURE,
    Section,
};
use crate::{Error, Machine, Result};

/// The most bytes that headers may take. Those of the largest stub take 20 KiB.
const HEADERS_MAX: u64 = 1 << 20;
/// The most that sections in the file are aligned to.
const ALIGNMENT_MAX: u32 = 64 << 10;
/// The most directories.
const DIRECTORIES_MAX: usize = 16;

/// The headers of a PE file.
#[derive(Clone, Debug)]
pub struct Pe {
    /// What errors call the file.
    pub(crate) what: String,
    /// The file's first bytes: as many as it says that its headers take.
    pub(crate) head: Vec<u8>,
    /// The bytes of the file.
    pub(crate) len: u64,
    pub(crate) coff: Coff,
    pub(crate) optional: Optional,
    pub(crate) directories: Vec<Directory>,
    /// In the order of the table.
    pub(crate) sections: Vec<Section>,
    pub(crate) at: Places,
}

/// Where in the file headers begin.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Places {
    pub(crate) coff: usize,
    pub(crate) optional: usize,
    pub(crate) directories: usize,
    pub(crate) sections: usize,
}

impl Section {
    /// The name without zeros behind it.
    pub(crate) fn name(&self) -> &[u8] {
        let len = self
            .name
            .iter()
            .position(|byte| *byte == 0)
            .unwrap_or(self.name.len());
        &self.name[..len]
    }

    /// Its bytes in the file.
    pub(crate) fn file(&self) -> Range<u64> {
        let start = u64::from(self.file_start.get());
        start..start + u64::from(self.file_size.get())
    }

    /// Its bytes in memory.
    pub(crate) fn memory(&self) -> Range<u64> {
        let start = u64::from(self.address.get());
        start..start + u64::from(self.memory_size.get())
    }
}

impl Pe {
    /// Reads the headers of a file, which errors call `what`.
    ///
    /// # Errors
    /// When it cannot be read, is no PE file, or its headers contradict each other or the file's length.
    pub fn read(content: &Content, what: &str) -> Result<Pe> {
        let bad = |problem: String| Error::NoPe {
            what: what.to_string(),
            problem,
        };
        let head = |len: u64| -> Result<Vec<u8>> {
            let mut bytes = vec![0; usize::try_from(len).unwrap_or(usize::MAX)];
            content
                .read_exact_at(&mut bytes, 0)
                .map_err(|source| image::Error::ReadSource {
                    what: content.name(),
                    source,
                })?;
            Ok(bytes)
        };
        let len = content.len();
        let first = head(len.min(HEADERS_MAX))?;
        let mut pe = parse(&first, len).map_err(bad)?;
        pe.what = what.to_string();
        pe.check().map_err(bad)?;
        pe.head = first;
        pe.head
            .truncate(usize::try_from(pe.optional.headers_size.get()).unwrap_or(usize::MAX));
        Ok(pe)
    }

    /// What it is for.
    #[must_use]
    pub fn machine(&self) -> Machine {
        Machine(self.coff.machine.get())
    }

    /// Where the signatures are: nowhere, or an empty range, when it has none.
    pub(crate) fn certificates(&self) -> Option<Range<u64>> {
        let directory = self.directories.get(CERTIFICATES)?;
        let start = u64::from(directory.start.get());
        Some(start..start + u64::from(directory.size.get()))
    }

    /// Whether it has signatures.
    pub(crate) fn is_signed(&self) -> bool {
        self.certificates().is_some_and(|range| !range.is_empty())
    }

    /// The bytes of a section: as many as it has in memory.
    pub(crate) fn section(&self, content: &Content, name: &[u8]) -> Result<Option<Vec<u8>>> {
        let Some(section) = self.sections.iter().find(|section| section.name() == name) else {
            return Ok(None);
        };
        let len = section.memory_size.get().min(section.file_size.get());
        let mut bytes = vec![0; len as usize];
        // What has no bytes may be said to lie anywhere.
        let start = if len == 0 {
            0
        } else {
            section.file_start.get().into()
        };
        content
            .read_exact_at(&mut bytes, start)
            .map_err(|source| image::Error::ReadSource {
                what: content.name(),
                source,
            })?;
        Ok(Some(bytes))
    }

    /// What has to be true of the whole, once every header was found.
    fn check(&self) -> Result<(), String> {
        let headers = u64::from(self.optional.headers_size.get());
        let table_end = self.at.sections + self.sections.len() * size_of::<Section>();
        if headers < table_end as u64 || headers > self.len.min(HEADERS_MAX) {
            return Err(format!(
                "its headers have {headers} bytes, they end at byte {table_end}, the file has {}",
                self.len
            ));
        }
        let (memory, file) = (
            self.optional.section_alignment.get(),
            self.optional.file_alignment.get(),
        );
        if !memory.is_power_of_two() || !file.is_power_of_two() || memory < file || file > ALIGNMENT_MAX {
            return Err(format!(
                "sections at multiples of {memory}, in the file of {file}"
            ));
        }
        for section in &self.sections {
            let (name, range) = (section.name().escape_ascii(), section.file());
            if !range.is_empty() && (range.start < headers || range.end > self.len) {
                return Err(format!(
                    "section {name} has bytes {} to {}, the file has {headers} to {}",
                    range.start, range.end, self.len
                ));
            }
        }
        disjoint(&self.sections, Section::file, "in the file")?;
        disjoint(&self.sections, Section::memory, "in memory")?;
        if let Some(range) = self.certificates().filter(|range| !range.is_empty())
            && (range.start < headers || range.end > self.len)
        {
            return Err(format!(
                "its signatures have bytes {} to {}, the file has {}",
                range.start, range.end, self.len
            ));
        }
        Ok(())
    }
}

/// Checks that no two sections overlap; `place` says where they are.
pub(crate) fn disjoint(
    sections: &[Section],
    range: fn(&Section) -> Range<u64>,
    place: &str,
) -> Result<(), String> {
    let mut sorted: Vec<&Section> = sections
        .iter()
        .filter(|section| !range(section).is_empty())
        .collect();
    sorted.sort_by_key(|section| range(section).start);
    for pair in sorted.windows(2) {
        let [first, second] = pair else { continue };
        if range(first).end > range(second).start {
            return Err(format!(
                "sections {} and {} overlap {place}",
                first.name().escape_ascii(),
                second.name().escape_ascii()
            ));
        }
    }
    Ok(())
}

/// Finds every header.
fn parse(bytes: &[u8], len: u64) -> Result<Pe, String> {
    let cut = || "it ends within its headers".to_string();
    if !bytes.starts_with(&DOS) {
        return Err("it does not begin with MZ".into());
    }
    let start = u32::from_le_bytes(
        bytes
            .get(LFANEW..)
            .and_then(<[u8]>::first_chunk)
            .copied()
            .ok_or_else(cut)?,
    );
    let start = start as usize;
    if start < LFANEW + 4 || !start.is_multiple_of(4) {
        return Err(format!("its PE header is at byte {start}"));
    }
    let rest = bytes.get(start..).ok_or_else(cut)?;
    let rest = rest
        .strip_prefix(&SIGNATURE)
        .ok_or("its PE header has no signature")?;
    let (coff, rest) = Coff::read_from_prefix(rest).map_err(|_| cut())?;
    let rest = rest.get(..coff.optional_len.get().into()).ok_or_else(cut)?;
    let short = || "its optional header is too short".to_string();
    let (optional, rest) = Optional::read_from_prefix(rest).map_err(|_| short())?;
    let limits = match optional.magic.get() {
        PE32 => LIMITS_32,
        PE32_PLUS => LIMITS_64,
        magic => return Err(format!("its optional header is of kind {magic:#x}")),
    };
    let count = rest.get(limits..).and_then(<[u8]>::first_chunk).copied();
    let count = u32::from_le_bytes(count.ok_or_else(short)?) as usize;
    if count > DIRECTORIES_MAX {
        return Err(format!("{count} directories, the limit is {DIRECTORIES_MAX}"));
    }
    let mut rest = &rest[limits + 4..];
    let mut directories = Vec::new();
    for _ in 0..count {
        let (directory, behind) = Directory::read_from_prefix(rest).map_err(|_| short())?;
        directories.push(directory);
        rest = behind;
    }
    let at = Places {
        coff: start + SIGNATURE.len(),
        optional: start + SIGNATURE.len() + size_of::<Coff>(),
        directories: start + SIGNATURE.len() + size_of::<Coff>() + size_of::<Optional>() + limits + 4,
        sections: start + SIGNATURE.len() + size_of::<Coff>() + usize::from(coff.optional_len.get()),
    };
    let mut rest = bytes.get(at.sections..).ok_or_else(cut)?;
    let mut sections = Vec::new();
    for _ in 0..coff.sections.get() {
        let (section, behind) = Section::read_from_prefix(rest).map_err(|_| cut())?;
        sections.push(section);
        rest = behind;
    }
    if sections.is_empty() {
        return Err("it has no sections".into());
    }
    Ok(Pe {
        what: String::new(),
        head: Vec::new(),
        len,
        coff,
        optional,
        directories,
        sections,
        at,
    })
}
