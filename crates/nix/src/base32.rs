//! Nix's base 32: digits without e, o, t and u, the last digit of the text holding the first bits.

const DIGITS: &[u8; 32] = b"0123456789abcdfghijklmnpqrsvwxyz";

/// The number of digits that hold this many bytes.
pub(crate) const fn digit_count(byte_count: usize) -> usize {
    (byte_count * 8).div_ceil(5)
}

pub(crate) fn is_digit(character: u8) -> bool {
    DIGITS.contains(&character)
}

pub(crate) fn encode(bytes: &[u8]) -> String {
    let digit = |position: usize| {
        let (byte, shift) = (position * 5 / 8, position * 5 % 8);
        let low = u16::from(bytes[byte]);
        let high = bytes.get(byte + 1).map_or(0, |next| u16::from(*next));
        let value = ((high << 8 | low) >> shift) & 31;
        char::from(DIGITS[usize::from(value)])
    };
    (0..digit_count(bytes.len())).rev().map(digit).collect()
}

/// The bytes that a text stands for. None when a character is no digit, the text has another length than `N`
/// bytes need, or its first digit says more than they hold.
pub(crate) fn decode<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    if text.len() != digit_count(N) {
        return None;
    }
    let mut bytes = [0; N];
    for (position, character) in text.iter().rev().enumerate() {
        let value = DIGITS.iter().position(|digit| digit == character)?;
        let (byte, shift) = (position * 5 / 8, position * 5 % 8);
        let [low, high] = (u16::try_from(value).ok()? << shift).to_le_bytes();
        bytes[byte] |= low;
        match bytes.get_mut(byte + 1) {
            Some(next) => *next |= high,
            None if high != 0 => return None,
            None => {}
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_first_digit_must_not_say_more_than_the_bytes_hold() {
        // 52 digits are 260 bits: the first digit has one bit of a SHA-256 and four that must be zero.
        let zeros = "0".repeat(51);
        assert_eq!(decode::<32>(format!("1{zeros}").as_bytes()).unwrap()[31], 0x80);
        assert!(decode::<32>(format!("2{zeros}").as_bytes()).is_none());
        assert!(decode::<32>(zeros.as_bytes()).is_none());
        assert!(decode::<32>(format!("0e{}", &zeros[1..]).as_bytes()).is_none());
    }

    proptest! {
        #[test]
        fn bytes_survive(hash: [u8; 32], short: [u8; 20]) {
            prop_assert_eq!(decode(encode(&hash).as_bytes()), Some(hash));
            prop_assert_eq!(decode(encode(&short).as_bytes()), Some(short));
        }

        #[test]
        fn each_value_has_one_text(text in "[0-9a-df-np-sv-z]{32}") {
            prop_assert_eq!(encode(&decode::<20>(text.as_bytes()).unwrap()), text);
        }
    }
}
