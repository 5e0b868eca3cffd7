//! The hash of names by which a directory's hash tree is sorted: half MD4 over bytes taken as signed.

/// The hash of a name: what a hash tree sorts by, and what breaks ties.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct NameHash {
    /// The sort key. Its lowest bit is 0: an index uses it to say that a hash goes on from the block before.
    pub(crate) major: u32,
    /// The second key.
    pub(crate) minor: u32,
}

/// The largest hash means the end of a directory, so no name may have it.
const END: u32 = 0x7fff_ffff << 1;

/// The half MD4 hash of a name, with the file system's seed. All zeros stand for MD4's own start.
pub(crate) fn half_md4(name: &[u8], seed: &[u8; 16]) -> NameHash {
    let mut state = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];
    if seed.iter().any(|byte| *byte != 0) {
        for (word, bytes) in state.iter_mut().zip(seed.chunks_exact(4)) {
            *word = bytes
                .iter()
                .rev()
                .fold(0, |word, byte| (word << 8) | u32::from(*byte));
        }
    }
    let mut left = name;
    while !left.is_empty() {
        transform(&mut state, &words(left));
        left = left.get(32..).unwrap_or_default();
    }
    let major = state[1] & !1;
    NameHash {
        major: if major == END { END - 2 } else { major },
        minor: state[2],
    }
}

/// The first 32 bytes of what is left of a name as eight words, filled up with its length.
fn words(bytes: &[u8]) -> [u32; 8] {
    let [low, ..] = (bytes.len() as u64).to_le_bytes();
    let pad = u32::from_le_bytes([low; 4]);
    let mut words = [pad; 8];
    for (word, chunk) in words.iter_mut().zip(bytes.chunks(4)) {
        *word = chunk.iter().fold(pad, |word, byte| {
            let signed = i32::from(byte.cast_signed());
            (word << 8).wrapping_add(signed.cast_unsigned())
        });
    }
    words
}

fn transform(state: &mut [u32; 4], words: &[u32; 8]) {
    const K2: u32 = 0x5a82_7999;
    const K3: u32 = 0x6ed9_eba1;
    type Mix = fn(u32, u32, u32) -> u32;
    let rounds: [(Mix, u32, [usize; 8], [u32; 4]); 3] = [
        (
            |x, y, z| z ^ (x & (y ^ z)),
            0,
            [0, 1, 2, 3, 4, 5, 6, 7],
            [3, 7, 11, 19],
        ),
        (
            |x, y, z| (x & y).wrapping_add((x ^ y) & z),
            K2,
            [1, 3, 5, 7, 0, 2, 4, 6],
            [3, 5, 9, 13],
        ),
        (|x, y, z| x ^ y ^ z, K3, [3, 7, 2, 6, 1, 5, 0, 4], [3, 9, 11, 15]),
    ];
    let [mut a, mut b, mut c, mut d] = *state;
    for (mix, constant, order, shifts) in rounds {
        for (index, shift) in order.into_iter().zip(shifts.into_iter().cycle()) {
            let sum = a
                .wrapping_add(mix(b, c, d))
                .wrapping_add(words[index])
                .wrapping_add(constant);
            (a, b, c, d) = (d, sum.rotate_left(shift), b, c);
        }
    }
    for (word, mixed) in state.iter_mut().zip([a, b, c, d]) {
        *word = word.wrapping_add(mixed);
    }
}
