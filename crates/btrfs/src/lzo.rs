//! LZO1X, as [Linux describes it](https://docs.kernel.org/staging/lzo.html), in the frame that btrfs has for it: the length
//! of everything, and then for each sector its length and its bytes, no such number going across the end of a sector.

/// What is compressed together.
const SECTOR: usize = 4096;
/// A length in the frame.
const NUMBER: usize = 4;
/// The shortest match.
const MATCH_MIN: usize = 3;
/// The furthest match that two bytes can say, when it is short.
const NEAR: usize = 2048;
/// The longest match that two bytes can say.
const SHORT_MAX: usize = 8;
/// Bits of a hash of three bytes.
const HASH_BITS: u32 = 12;
/// The end of a stream.
const END: [u8; 3] = [0x11, 0, 0];

/// Compresses blocks, one after the other.
pub(crate) struct Compressor {
    /// The last place of a hash in the sector, plus one.
    places: Box<[u16; 1 << HASH_BITS]>,
    sector: Vec<u8>,
}

impl Default for Compressor {
    fn default() -> Compressor {
        Compressor {
            places: Box::new([0; 1 << HASH_BITS]),
            sector: Vec::new(),
        }
    }
}

impl Compressor {
    /// Compresses a block. Answers the length when that is at most the output's.
    pub(crate) fn compress(&mut self, input: &[u8], output: &mut [u8]) -> Option<usize> {
        let mut end = NUMBER;
        for sector in input.chunks(SECTOR) {
            self.stream(sector);
            let left = SECTOR - end % SECTOR;
            if left < NUMBER {
                output.get_mut(end..end + left)?.fill(0);
                end += left;
            }
            output
                .get_mut(end..end + NUMBER)?
                .copy_from_slice(&number(self.sector.len()));
            end += NUMBER;
            output
                .get_mut(end..end + self.sector.len())?
                .copy_from_slice(&self.sector);
            end += self.sector.len();
        }
        output.get_mut(..NUMBER)?.copy_from_slice(&number(end));
        Some(end)
    }

    /// Compresses one sector.
    fn stream(&mut self, input: &[u8]) {
        self.places.fill(0);
        self.sector.clear();
        let (mut at, mut begin) = (0, 0);
        while at + MATCH_MIN <= input.len() {
            let place = &mut self.places[hash(&input[at..])];
            let before = usize::from(*place);
            *place = u16::try_from(at + 1).unwrap_or(0);
            let len = match before.checked_sub(1) {
                Some(before) => common(&input[before..], &input[at..]),
                None => 0,
            };
            if len < MATCH_MIN {
                at += 1;
                continue;
            }
            self.literals(&input[begin..at], begin == 0);
            self.copy(at + 1 - before, len);
            at += len;
            begin = at;
        }
        self.literals(&input[begin..], begin == 0);
        self.sector.extend(END);
    }

    /// Bytes as they are. Up to three of them are a part of the match before.
    fn literals(&mut self, bytes: &[u8], is_first: bool) {
        let len = bytes.len();
        if is_first && (1..=238).contains(&len) {
            self.sector.push(low(17 + len));
        } else if len > 18 {
            self.sector.push(0);
            self.long(len - 18);
        } else if len > 3 {
            self.sector.push(low(len - 3));
        } else if len > 0
            && let Some(state) = self.sector.len().checked_sub(2)
        {
            self.sector[state] |= low(len);
        }
        self.sector.extend_from_slice(bytes);
    }

    /// A match. The byte before its last has room for the number of literals that follow.
    fn copy(&mut self, distance: usize, len: usize) {
        let back = distance - 1;
        if len <= SHORT_MAX && distance <= NEAR {
            self.sector.push(low((len - 1) << 5 | (back & 7) << 2));
            self.sector.push(low(back >> 3));
            return;
        }
        if len <= 33 {
            self.sector.push(low(32 | (len - 2)));
        } else {
            self.sector.push(32);
            self.long(len - 33);
        }
        self.sector.push(low(back << 2));
        self.sector.push(low(back >> 6));
    }

    /// What of a length does not fit into its instruction: 255 for each zero, and the rest.
    fn long(&mut self, len: usize) {
        let zeros = (len - 1) / 255;
        self.sector.resize(self.sector.len() + zeros, 0);
        self.sector.push(low(len - zeros * 255));
    }
}

/// How many bytes two slices begin with that are equal.
fn common(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

fn hash(bytes: &[u8]) -> usize {
    let word = u32::from(bytes[0]) | u32::from(bytes[1]) << 8 | u32::from(bytes[2]) << 16;
    let hash = word.wrapping_mul(0x9e37_79b1) >> (32 - HASH_BITS);
    usize::try_from(hash).unwrap_or(0)
}

fn low(number: usize) -> u8 {
    u8::try_from(number & 0xff).unwrap_or(0)
}

fn number(len: usize) -> [u8; NUMBER] {
    u32::try_from(len).unwrap_or(u32::MAX).to_le_bytes()
}
