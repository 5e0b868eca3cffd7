//! What a kernel calls itself: what `uname -r` says once it runs.

use image::{Content, ReadAt as _};

/// Where x86 kernels have the mark of their header, and the offset of their name behind the boot sector.
/// <https://docs.kernel.org/arch/x86/boot.html>
const MARK: (u64, &[u8; 4]) = (0x202, b"HdrS");
const VERSION: u64 = 0x20e;
const SECTOR: u64 = 0x200;
/// The longest name that is looked at.
const TEXT_MAX: usize = 128;
/// What stands before it in a kernel of another machine.
const BEFORE: &[u8] = b"Linux version ";
/// Pieces in which that is looked for.
const PIECE: usize = 1 << 20;

/// Finds the name of a kernel that is not compressed, or of one for x86; none when there is none.
#[must_use]
pub fn uname(kernel: &Content) -> Option<String> {
    of_x86(kernel).or_else(|| anywhere(kernel))
}

fn of_x86(kernel: &Content) -> Option<String> {
    let bytes = |start: u64, len: usize| -> Option<Vec<u8>> {
        let len = usize::try_from(kernel.len().checked_sub(start)?).map_or(len, |left| left.min(len));
        let mut bytes = vec![0; len];
        kernel.read_exact_at(&mut bytes, start).ok()?;
        Some(bytes)
    };
    if bytes(MARK.0, MARK.1.len())? != MARK.1 {
        return None;
    }
    let offset = u16::from_le_bytes(*bytes(VERSION, 2)?.first_chunk()?);
    let text = bytes(SECTOR + u64::from(offset), TEXT_MAX)?;
    let text = text.split(|byte| *byte == 0).next()?;
    named(text, b" (")
}

fn anywhere(kernel: &Content) -> Option<String> {
    let mut reader = kernel.reader().ok()?;
    let mut window: Vec<u8> = Vec::new();
    let mut piece = vec![0; PIECE];
    while reader.remaining() > 0 {
        let len = reader.fill(&mut piece).ok()?;
        window.extend_from_slice(&piece[..len]);
        let found = memchr(&window, BEFORE)
            .filter(|start| start + BEFORE.len() + TEXT_MAX <= window.len() || reader.remaining() == 0);
        if let Some(start) = found {
            let text = &window[start + BEFORE.len()..];
            let text = &text[..text.len().min(TEXT_MAX)];
            if text.first().is_some_and(u8::is_ascii_digit)
                && let Some(name) = named(text, b" (")
            {
                return Some(name);
            }
            window.drain(..start + BEFORE.len());
        }
        let keep = BEFORE.len() + TEXT_MAX;
        if window.len() > keep {
            window.drain(..window.len() - keep);
        }
    }
    None
}

/// The first place of a text in bytes.
fn memchr(bytes: &[u8], text: &[u8]) -> Option<usize> {
    bytes.windows(text.len()).position(|window| window == text)
}

/// What stands before `end`, if it can be a kernel's name.
fn named(text: &[u8], end: &[u8]) -> Option<String> {
    let len = memchr(text, end)?;
    let name = std::str::from_utf8(&text[..len]).ok()?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || "._+-".contains(c);
    (!name.is_empty() && name.chars().all(is_name)).then(|| name.to_string())
}
