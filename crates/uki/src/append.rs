//! Sections behind those of a stub.
//!
//! ```text
//!  headers │ .text … .sbat │ .osrel │ .cmdline │ … │ .linux │ .initrd
//!  ─────── the stub ─────── ───────────── appended ─────────────────
//! ```
//!
//! A section begins at a multiple of the file's alignment, and in memory at one of the memory's alignment; its size in
//! memory is the exact number of its bytes, because stubs measure so many.

use image::{Content, Image, Layout};
use zerocopy::IntoBytes;

use crate::format::{self, CODE, DATA, NX_COMPAT, SYMBOL_LEN};
use crate::pe::disjoint;
use crate::sections::Section;
use crate::stub::Stub;
use crate::{Error, Result};

/// The end of what PE files, and FAT, can hold.
const END_MAX: u64 = u32::MAX as u64;

/// A file that grows.
struct Growing<'a> {
    stub: &'a Stub,
    /// The stub's bytes, with what has been put into its own sections.
    bytes: Vec<u8>,
    sections: Vec<format::Section>,
    layout: Layout,
    /// One past the last byte.
    end: u64,
    /// How many bytes of data were added.
    added: u64,
}

/// Appends sections to a stub. Sections that the stub has take what is for them in their places.
pub(crate) fn append(stub: &Stub, sections: &[Section], executes_no_data: bool) -> Result<Image> {
    let mut growing = Growing::new(stub)?;
    for section in sections {
        growing.add(section)?;
    }
    growing.finish(executes_no_data)
}

fn up(value: u64, alignment: u32) -> u64 {
    value.next_multiple_of(u64::from(alignment))
}

fn narrow(value: u64) -> Result<u32> {
    u32::try_from(value).map_err(|_| Error::TooLarge(value))
}

impl<'a> Growing<'a> {
    fn new(stub: &'a Stub) -> Result<Growing<'a>> {
        let mut bytes = stub.bytes.clone();
        cut_symbols(stub, &mut bytes);
        let mut growing = Growing {
            stub,
            bytes,
            sections: stub.pe.sections.clone(),
            layout: Layout::new(),
            end: 0,
            added: 0,
        };
        growing.align()?;
        growing.end = growing.bytes.len() as u64;
        Ok(growing)
    }

    /// Rounds places and sizes of the stub's sections up; stubs that were stripped need that.
    fn align(&mut self) -> Result<()> {
        let alignment = self.stub.pe.optional.file_alignment.get();
        let mut order: Vec<usize> = (0..self.sections.len()).collect();
        order.sort_by_key(|number| self.sections[*number].file_start.get());
        for (done, number) in order.iter().enumerate() {
            let range = self.sections[*number].file();
            if range.is_empty() {
                continue;
            }
            let (start, len) = (up(range.start, alignment), up(range.end - range.start, alignment));
            let (before, behind) = (start - range.start, len - (range.end - range.start));
            if before + behind == 0 {
                continue;
            }
            let insert = |bytes: &mut Vec<u8>, at: u64, count: u64| {
                let at = usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
                let zeros = std::iter::repeat_n(0, usize::try_from(count).unwrap_or(0));
                bytes.splice(at..at, zeros);
            };
            insert(&mut self.bytes, range.end, behind);
            insert(&mut self.bytes, range.start, before);
            for later in &order[done + 1..] {
                let moved = u64::from(self.sections[*later].file_start.get()) + before + behind;
                self.sections[*later].file_start = narrow(moved)?.into();
            }
            self.sections[*number].file_start = narrow(start)?.into();
            self.sections[*number].file_size = narrow(len)?.into();
        }
        Ok(())
    }

    fn add(&mut self, section: &Section) -> Result<()> {
        let own = self.stub.pe.sections.len();
        let name = section.name.as_bytes();
        if let Some(number) = self.sections[..own].iter().position(|own| own.name() == name) {
            return self.replace(number, section);
        }
        let optional = &self.stub.pe.optional;
        let (memory, file) = (optional.section_alignment.get(), optional.file_alignment.get());
        let last = self.sections.iter().map(|section| section.memory().end).max();
        let address = up(last.unwrap_or(0), memory);
        let start = up(self.end, file);
        let len = section.content.len();
        let size = up(len, file);
        self.end = start
            .checked_add(size)
            .filter(|end| *end <= END_MAX)
            .ok_or(Error::TooLarge(start.saturating_add(size)))?;
        let mut padded = [0; 8];
        padded
            .get_mut(..name.len())
            .ok_or_else(|| section.bad("its name is too long"))?
            .copy_from_slice(name);
        self.sections.push(format::Section {
            name: padded,
            memory_size: narrow(len)?.into(),
            address: narrow(address)?.into(),
            file_size: narrow(size)?.into(),
            file_start: narrow(start)?.into(),
            relocations: 0.into(),
            lines: 0.into(),
            relocation_count: 0.into(),
            line_count: 0.into(),
            characteristics: if section.name == ".linux" { CODE } else { DATA }.into(),
        });
        narrow(address.saturating_add(len))?;
        self.layout.put(start, &*section.name, section.content.clone());
        self.layout
            .put(start + len, "padding", Content::Zeros(size - len));
        self.added += len;
        Ok(())
    }

    /// Puts what is for a section of the stub into its place.
    fn replace(&mut self, number: usize, section: &Section) -> Result<()> {
        let range = self.sections[number].file();
        let len = section.content.len();
        if len > range.end - range.start {
            let problem = format!("{len} bytes, the stub has room for {}", range.end - range.start);
            return Err(section.bad(problem));
        }
        let room = usize::try_from(range.start)
            .ok()
            .zip(usize::try_from(range.end).ok());
        let room = room.and_then(|(start, end)| self.bytes.get_mut(start..end));
        let room = room.ok_or_else(|| section.bad("lies behind the stub's end"))?;
        room.fill(0);
        let bytes = section.content.to_vec()?;
        room[..bytes.len()].copy_from_slice(&bytes);
        self.sections[number].memory_size = narrow(len)?.into();
        Ok(())
    }

    fn finish(mut self, executes_no_data: bool) -> Result<Image> {
        let pe = &self.stub.pe;
        let optional = &pe.optional;
        let headers = up(optional.headers_size.get().into(), optional.file_alignment.get());
        let room = usize::try_from(headers)
            .unwrap_or(0)
            .saturating_sub(pe.at.sections);
        let limit = room / size_of::<format::Section>();
        if self.sections.len() > limit {
            return Err(Error::TooManySections {
                wanted: self.sections.len(),
                limit,
            });
        }
        disjoint(&self.sections, format::Section::memory, "in memory").map_err(Error::BadStub)?;
        let mut coff = pe.coff;
        coff.sections = u16::try_from(self.sections.len()).unwrap_or(u16::MAX).into();
        if self.bytes.len() < self.stub.bytes.len() {
            (coff.symbols, coff.symbol_count) = (0.into(), 0.into());
        }
        let mut changed = *optional;
        let last = self.sections.iter().map(|section| section.memory().end).max();
        let initialized = u64::from(optional.initialized.get()) + self.added;
        #[expect(clippy::cast_possible_truncation, reason = "the field counts modulo 2^32")]
        let initialized = initialized as u32;
        changed.initialized = initialized.into();
        changed.image_size = narrow(up(last.unwrap_or(0), optional.section_alignment.get()))?.into();
        changed.headers_size = narrow(headers)?.into();
        changed.checksum = 0.into();
        if !executes_no_data {
            changed.dll_characteristics = (optional.dll_characteristics.get() & !NX_COMPAT).into();
        }
        let table: Vec<u8> = self
            .sections
            .iter()
            .flat_map(|section| section.as_bytes().to_vec())
            .collect();
        for (at, bytes) in [
            (pe.at.coff, coff.as_bytes()),
            (pe.at.optional, changed.as_bytes()),
            (pe.at.sections, &table),
        ] {
            let place = self.bytes.get_mut(at..at + bytes.len());
            let place = place.ok_or_else(|| Error::BadStub("its headers are cut off".into()))?;
            place.copy_from_slice(bytes);
        }
        let end = self.end.max(self.bytes.len() as u64);
        self.layout.put(0, "stub", self.bytes);
        Ok(self.layout.finish(end)?)
    }
}

/// Cuts off a symbol table that is the end of the file.
fn cut_symbols(stub: &Stub, bytes: &mut Vec<u8>) {
    let start = u64::from(stub.pe.coff.symbols.get());
    let strings = start + SYMBOL_LEN * u64::from(stub.pe.coff.symbol_count.get());
    let len = usize::try_from(strings)
        .ok()
        .and_then(|strings| bytes.get(strings..)?.first_chunk().copied())
        .map(u32::from_le_bytes);
    if start > 0 && len.is_some_and(|len| strings + u64::from(len) == bytes.len() as u64) {
        bytes.truncate(usize::try_from(start).unwrap_or(usize::MAX));
    }
}
