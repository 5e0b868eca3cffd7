//! LZO1X in btrfs' frame, as [`crate::lzo`] writes it.

const SECTOR: usize = 4096;
const NUMBER: usize = 4;

/// The longest stream that Linux has room for: `lzo1x_worst_compress` of a sector.
const STREAM_MAX: usize = SECTOR + SECTOR / 16 + 64 + 3 + 2;

/// How long a frame says that it is.
pub(crate) fn len(input: &[u8]) -> Result<usize, String> {
    number(input, 0)
}

/// Decompresses a frame that fills the output and holds nothing more. Answers how long it is.
pub(crate) fn decompress_all(input: &[u8], output: &mut [u8]) -> Result<usize, String> {
    if decompress(input, output)? {
        return len(input);
    }
    Err("the LZO frame does not hold what belongs there".to_string())
}

/// Decompresses all sectors of a frame. What the output lacks stays as it is. Answers whether it lacks nothing, and the
/// frame has nothing more.
pub(super) fn decompress(input: &[u8], output: &mut [u8]) -> Result<bool, String> {
    let total = len(input)?;
    let input = input
        .get(..total)
        .ok_or_else(|| format!("the LZO frame says that it has {total} bytes"))?;
    let mut at = NUMBER;
    let mut is_whole = true;
    for sector in output.chunks_mut(SECTOR) {
        let left = SECTOR - at % SECTOR;
        if left < NUMBER {
            at += left;
        }
        if at >= total {
            return Ok(false);
        }
        let len = number(input, at)?;
        at += NUMBER;
        let part = at.checked_add(len).and_then(|end| input.get(at..end));
        let part = part.ok_or_else(|| format!("an LZO stream of {len} bytes goes beyond its frame"))?;
        let filled = stream(part, sector).ok_or_else(|| "an LZO stream is damaged".to_string())?;
        is_whole &= filled == sector.len() && len <= STREAM_MAX;
        at += len;
    }
    Ok(is_whole && at == total)
}

fn number(input: &[u8], at: usize) -> Result<usize, String> {
    let bytes = input
        .get(at..at + NUMBER)
        .and_then(|bytes| bytes.first_chunk::<NUMBER>());
    let bytes = bytes.ok_or_else(|| "the LZO frame is too short".to_string())?;
    usize::try_from(u32::from_le_bytes(*bytes)).map_err(|error| error.to_string())
}

/// What is left of a stream, and what has come of it.
struct State<'a> {
    input: &'a [u8],
    output: &'a mut [u8],
    end: usize,
}

impl State<'_> {
    fn byte(&mut self) -> Option<usize> {
        let (first, rest) = self.input.split_first()?;
        self.input = rest;
        Some(usize::from(*first))
    }

    /// A length whose bits in the instruction are zeros.
    fn long(&mut self, base: usize) -> Option<usize> {
        let mut len = base;
        loop {
            match self.byte()? {
                0 => len += 255,
                last => return Some(len + last),
            }
        }
    }

    fn literals(&mut self, len: usize) -> Option<()> {
        let (bytes, rest) = self.input.split_at_checked(len)?;
        self.output
            .get_mut(self.end..self.end + len)?
            .copy_from_slice(bytes);
        self.input = rest;
        self.end += len;
        Some(())
    }

    fn copy(&mut self, distance: usize, len: usize) -> Option<()> {
        let from = self.end.checked_sub(distance)?;
        self.output.get(self.end..self.end + len)?;
        for place in from..from + len {
            self.output[place + distance] = self.output[place];
        }
        self.end += len;
        Some(())
    }

    fn word(&mut self) -> Option<usize> {
        Some(self.byte()? | self.byte()? << 8)
    }
}

/// Decompresses one stream. Answers how many bytes it holds.
fn stream(input: &[u8], output: &mut [u8]) -> Option<usize> {
    let mut state = State {
        input,
        output,
        end: 0,
    };
    // How many literals came last: 4 stands for more.
    let mut before = 0;
    if let Some(first) = input
        .first()
        .map(|first| usize::from(*first))
        .filter(|first| *first > 17)
    {
        state.byte()?;
        state.literals(first - 17)?;
        before = (first - 17).min(4);
    }
    loop {
        let code = state.byte()?;
        let (distance, len, follow) = match code {
            0..=15 if before == 0 => {
                let len = if code == 0 { state.long(18)? } else { code + 3 };
                state.literals(len)?;
                before = 4;
                continue;
            }
            0..=15 => {
                let far = if before == 4 { 2049 } else { 1 };
                let len = if before == 4 { 3 } else { 2 };
                (far + (code >> 2) + (state.byte()? << 2), len, code & 3)
            }
            16..=31 => {
                let len = if code.trailing_zeros() >= 3 {
                    state.long(9)?
                } else {
                    (code & 7) + 2
                };
                let word = state.word()?;
                let distance = 16384 + ((code & 8) << 11) + (word >> 2);
                if distance == 16384 {
                    return state.input.is_empty().then_some(state.end);
                }
                (distance, len, word & 3)
            }
            32..=63 => {
                let len = if code.trailing_zeros() >= 5 {
                    state.long(33)?
                } else {
                    (code & 31) + 2
                };
                let word = state.word()?;
                ((word >> 2) + 1, len, word & 3)
            }
            _ => {
                let distance = 1 + ((code >> 2) & 7) + (state.byte()? << 3);
                (distance, (code >> 5) + 1, code & 3)
            }
        };
        state.copy(distance, len)?;
        state.literals(follow)?;
        before = follow;
    }
}
