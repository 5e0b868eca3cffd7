//! Armour: packets as text, between two lines and with a checksum.

use data_encoding::BASE64;

use crate::tlv::Parsed;

const BEGIN: &str = "-----BEGIN PGP ";
const END: &str = "-----END PGP ";

/// What an armoured text holds; none when it is none.
pub(super) fn read(bytes: &[u8]) -> Option<Parsed<Vec<u8>>> {
    let text = std::str::from_utf8(bytes).ok()?;
    let text = text.trim_start();
    text.starts_with(BEGIN).then(|| decode(text))
}

fn decode(text: &str) -> Parsed<Vec<u8>> {
    let mut lines = text.lines().map(str::trim_end).skip(1);
    // Headers end with an empty line.
    if !lines.by_ref().any(str::is_empty) {
        return Err("its armour has no empty line".into());
    }
    let (mut base64, mut checksum) = (String::new(), None);
    for line in lines {
        if line.starts_with(END) {
            let bytes = BASE64
                .decode(base64.as_bytes())
                .map_err(|_| "its armour is no base64")?;
            return match checksum {
                Some(checksum) if checksum != crc24(&bytes) => {
                    Err("the checksum of its armour is wrong".into())
                }
                _ => Ok(bytes),
            };
        }
        match line.strip_prefix('=').filter(|sum| sum.len() == 4) {
            Some(sum) => {
                let sum = BASE64
                    .decode(sum.as_bytes())
                    .map_err(|_| "its checksum is no base64")?;
                checksum = Some(sum.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)));
            }
            None => base64.push_str(line),
        }
    }
    Err("its armour has no end".into())
}

fn crc24(bytes: &[u8]) -> u32 {
    const POLYNOMIAL: u32 = 0x0186_4cfb;
    bytes.iter().fold(0x00b7_04ce, |crc, byte| {
        let crc = crc ^ u32::from(*byte) << 16;
        (0..8).fold(crc, |crc, _| {
            let shifted = crc << 1;
            if shifted & 0x0100_0000 == 0 {
                shifted
            } else {
                shifted ^ POLYNOMIAL
            }
        })
    })
}
