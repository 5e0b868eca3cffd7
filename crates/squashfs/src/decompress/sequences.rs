//! How far the matches in zstd frames reach back.
//!
//! A compressed block has literals and *sequences*: so many literals, then a match of some length at some distance.
//! Their codes are numbers whose frequencies three tables give (finite state entropy), and the bits of all of them stand
//! in one stream that is read backwards. The library has decompressed a frame before its sequences are looked at here, so
//! what is damaged has been refused; whatever still makes no sense is an error all the same.
//!
//! The format: <https://www.rfc-editor.org/rfc/rfc8878#section-3.1.1.3>.

use super::zstd::{Block, Frame};

type Read<T> = Result<T, &'static str>;

const CUT_OFF: &str = "a block is cut off";

/// A field of a sequence.
struct Field {
    /// The frequencies of its codes where a block names none; -1 is less than one.
    usual: &'static [i16],
    /// The size of that table, as a power of two.
    usual_log: u32,
    /// The same for the largest table.
    log_max: u32,
    code_max: u8,
}

const LITERALS: Field = Field {
    usual: &[
        4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1, 1, 1, -1,
        -1, -1, -1,
    ],
    usual_log: 6,
    log_max: 9,
    code_max: 35,
};

const DISTANCES: Field = Field {
    usual: &[
        1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1,
    ],
    usual_log: 5,
    log_max: 8,
    code_max: 31,
};

const MATCHES: Field = Field {
    usual: &[
        1, 4, 3, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
        1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1,
    ],
    usual_log: 6,
    log_max: 9,
    code_max: 52,
};

/// How many bits follow the code of a number of literals.
const LITERAL_BITS: [u32; 36] = [
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13,
    14, 15, 16,
];

/// How many bits follow the code of a match's length.
const MATCH_BITS: [u32; 53] = [
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1,
    1, 2, 2, 3, 3, 4, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16,
];

/// Checks that no match reaches back further than the frame's window.
pub(super) fn check(frame: &Frame) -> Result<(), String> {
    let mut state = State {
        tables: [const { Vec::new() }; 3],
        last: [1, 4, 8],
    };
    for block in &frame.blocks {
        if let Block::Compressed(bytes) = block {
            let farthest = state.farthest(bytes).map_err(str::to_string)?;
            if farthest > frame.window {
                return Err(format!(
                    "the zstd frame refers to bytes {farthest} before, and its window is {}",
                    frame.window
                ));
            }
        }
    }
    Ok(())
}

/// Whether a compressed block has neither literals nor sequences.
pub(super) fn hold_nothing(block: &[u8]) -> bool {
    matches!(literals(block), Ok((0, rest)) if matches!(count(rest), Ok((0, _))))
}

/// How many literals a block has, and what follows them.
fn literals(block: &[u8]) -> Read<(u64, &[u8])> {
    let byte = *block.first().ok_or(CUT_OFF)?;
    let (is_compressed, format) = (byte & 2 != 0, byte >> 2 & 3);
    let (head_len, bits) = match (is_compressed, format) {
        (false, 0 | 2) => (1, 5),
        (false, 1) => (2, 12),
        (false, _) => (3, 20),
        (true, 0 | 1) => (3, 10),
        (true, 2) => (4, 14),
        (true, _) => (5, 18),
    };
    let (head, rest) = block.split_at_checked(head_len).ok_or(CUT_OFF)?;
    let head = head
        .iter()
        .rev()
        .fold(0, |head, byte| head << 8 | u64::from(*byte));
    let shift = if bits == 5 { 3 } else { 4 };
    let part = |shift: u32| head >> shift & ((1 << bits) - 1);
    let len = part(shift);
    let stored = match byte & 3 {
        0 => len,
        1 => 1,
        _ => part(shift + bits),
    };
    let stored = usize::try_from(stored).unwrap_or(usize::MAX);
    Ok((len, rest.get(stored..).ok_or(CUT_OFF)?))
}

/// How many sequences a block has, and what follows that number.
fn count(section: &[u8]) -> Read<(usize, &[u8])> {
    match section {
        [255, low, high, rest @ ..] => Ok((usize::from(*low) + (usize::from(*high) << 8) + 0x7f00, rest)),
        [high @ 128..=254, low, rest @ ..] => {
            Ok((((usize::from(*high) - 128) << 8) + usize::from(*low), rest))
        }
        [count @ 0..128, rest @ ..] => Ok(((*count).into(), rest)),
        _ => Err(CUT_OFF),
    }
}

/// What a frame's blocks leave to the next one.
struct State {
    /// The tables of literals, distances and matches that were used last.
    tables: [Vec<Cell>; 3],
    /// The distances of the last matches.
    last: [u64; 3],
}

/// A state of a table: the code that it stands for, and how to come to the next state.
#[derive(Clone, Copy, Default)]
struct Cell {
    code: u8,
    bits: u32,
    base: usize,
}

impl State {
    /// The largest distance in a compressed block.
    fn farthest(&mut self, block: &[u8]) -> Read<u64> {
        let (_, section) = literals(block)?;
        let (count, section) = count(section)?;
        if count == 0 {
            return Ok(0);
        }
        let (modes, mut rest) = section.split_first().ok_or(CUT_OFF)?;
        for (number, field) in [LITERALS, DISTANCES, MATCHES].iter().enumerate() {
            let table = &mut self.tables[number];
            match modes >> (6 - 2 * number) & 3 {
                0 => *table = cells(field.usual, field.usual_log),
                1 => {
                    let (code, left) = rest.split_first().ok_or(CUT_OFF)?;
                    rest = left;
                    let code = *code;
                    *table = vec![Cell {
                        code,
                        bits: 0,
                        base: 0,
                    }];
                }
                2 => {
                    let (frequencies, log, len) = frequencies(rest, field)?;
                    rest = rest.get(len..).ok_or(CUT_OFF)?;
                    *table = cells(&frequencies, log);
                }
                _ => {}
            }
            let is_known = |cell: &Cell| cell.code <= field.code_max;
            if table.is_empty() || !table.iter().all(is_known) {
                return Err("a table has unknown codes");
            }
        }
        self.walk(count, rest)
    }

    /// Goes through all sequences.
    fn walk(&mut self, count: usize, stream: &[u8]) -> Read<u64> {
        let mut bits = Backwards::new(stream)?;
        let mut states = [0; 3];
        for (state, table) in states.iter_mut().zip(&self.tables) {
            *state = bits.index(table.len().ilog2())?;
        }
        let mut farthest = 0;
        for left in (0..count).rev() {
            let mut cells = [Cell::default(); 3];
            for ((cell, state), table) in cells.iter_mut().zip(states).zip(&self.tables) {
                *cell = *table.get(state).ok_or("a table has no such state")?;
            }
            let [literals, distance, matches] = cells;
            let value = (1 << distance.code) + bits.take(distance.code.into())?;
            bits.skip(MATCH_BITS[usize::from(matches.code)] + LITERAL_BITS[usize::from(literals.code)])?;
            farthest = farthest.max(self.distance(value, literals.code == 0));
            if left > 0 {
                // Their order is another one here.
                for field in [0, 2, 1] {
                    states[field] = cells[field].base + bits.index(cells[field].bits)?;
                }
            }
        }
        Ok(farthest)
    }

    /// The distance that a value means: one of the last ones, or a new one.
    fn distance(&mut self, value: u64, without_literals: bool) -> u64 {
        let [first, second, third] = self.last;
        match value + u64::from(without_literals && value <= 3) {
            1 => {}
            2 => self.last = [second, first, third],
            3 => self.last = [third, first, second],
            4 if value == 3 => self.last = [first.saturating_sub(1), first, second],
            value => self.last = [value - 3, first, second],
        }
        self.last[0]
    }
}

/// Understands how frequent codes are; answers also the table's size, as a power of two, and how many bytes that took.
fn frequencies(bytes: &[u8], field: &Field) -> Read<(Vec<i16>, u32, usize)> {
    let mut at = 0;
    // Bits that are not there are zeros: not all that are looked at are taken.
    let peek = |at: usize, count: u32| -> i32 {
        let bit = |at: usize| {
            bytes
                .get(at / 8)
                .map_or(0, |byte| i32::from(byte >> (at % 8) & 1))
        };
        (0..count as usize)
            .rev()
            .fold(0, |value, offset| value << 1 | bit(at + offset))
    };
    let log = u32::try_from(peek(at, 4)).unwrap_or(0) + 5;
    at += 4;
    if log > field.log_max {
        return Err("a table is too large");
    }
    let mut left: i32 = 1 << log;
    let mut frequencies = Vec::new();
    while left > 0 {
        let count = (left + 1).ilog2() + 1;
        let mut value = peek(at, count);
        let low_mask = (1 << (count - 1)) - 1;
        let threshold = (1 << count) - 1 - (left + 1);
        at += count as usize;
        if value & low_mask < threshold {
            at -= 1;
            value &= low_mask;
        } else if value > low_mask {
            value -= threshold;
        }
        let frequency = value - 1;
        left -= frequency.abs();
        frequencies.push(i16::try_from(frequency).unwrap_or(0));
        let mut more = frequency == 0;
        while more {
            let zeros = peek(at, 2);
            at += 2;
            frequencies.extend((0..zeros).map(|_| 0));
            more = zeros == 3;
        }
        if frequencies.len() > usize::from(field.code_max) + 1 || at > 8 * bytes.len() {
            return Err("a table has too many codes");
        }
    }
    if left < 0 {
        return Err("a table's codes are too frequent");
    }
    Ok((frequencies, log, at.div_ceil(8)))
}

/// Makes a table out of the frequencies of its codes, which add up to its size.
fn cells(frequencies: &[i16], log: u32) -> Vec<Cell> {
    let size = 1_usize << log;
    let mut cells = vec![Cell::default(); size];
    let mut next: Vec<usize> = frequencies
        .iter()
        .map(|count| usize::from(count.unsigned_abs()))
        .collect();
    let mut end = size;
    for (code, _) in (0..).zip(frequencies).filter(|(_, count)| **count < 0) {
        end -= 1;
        cells[end].code = code;
    }
    let step = (size >> 1) + (size >> 3) + 3;
    let mut place = 0;
    for (code, count) in (0..).zip(frequencies) {
        for _ in 0..*count {
            cells[place].code = code;
            place = (place + step) % size;
            while place >= end {
                place = (place + step) % size;
            }
        }
    }
    for cell in &mut cells {
        let next = &mut next[usize::from(cell.code)];
        cell.bits = log - (*next).max(1).ilog2();
        cell.base = (*next << cell.bits) - size;
        *next += 1;
    }
    cells
}

/// Bits that are read from the last one to the first one.
struct Backwards<'a> {
    bytes: &'a [u8],
    left: usize,
}

impl Backwards<'_> {
    /// The bits before the last one that is set.
    fn new(bytes: &[u8]) -> Read<Backwards<'_>> {
        let last = bytes
            .last()
            .and_then(|last| last.checked_ilog2())
            .ok_or(CUT_OFF)?;
        let left = (bytes.len() - 1) * 8 + last as usize;
        Ok(Backwards { bytes, left })
    }

    fn skip(&mut self, count: u32) -> Read<()> {
        self.left = self.left.checked_sub(count as usize).ok_or(CUT_OFF)?;
        Ok(())
    }

    /// At most 32 bits.
    fn take(&mut self, count: u32) -> Read<u64> {
        self.skip(count)?;
        let bytes = &self.bytes[self.left / 8..];
        let word = match bytes.first_chunk() {
            Some(bytes) => u64::from_le_bytes(*bytes),
            None => bytes
                .iter()
                .rev()
                .fold(0, |word, byte| word << 8 | u64::from(*byte)),
        };
        Ok(word >> (self.left % 8) & ((1 << count) - 1))
    }

    fn index(&mut self, count: u32) -> Read<usize> {
        Ok(usize::try_from(self.take(count)?).unwrap_or(usize::MAX))
    }
}
