//! Boot scripts from anywhere, with checksums set right when the first byte is odd; and placeholders.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use uboot::{read_script, script, substitute};

const HEADER: usize = 64;

fuzz_target!(|data: &[u8]| {
    let Some((flags, data)) = data.split_first() else {
        return;
    };
    let mut bytes = data.to_vec();
    if flags & 1 == 1 && bytes.len() >= HEADER {
        let crc = crc32fast::hash(&bytes[HEADER..]);
        bytes[24..28].copy_from_slice(&crc.to_be_bytes());
        bytes[4..8].fill(0);
        let crc = crc32fast::hash(&bytes[..HEADER]);
        bytes[4..8].copy_from_slice(&crc.to_be_bytes());
    }
    if let Ok(read) = read_script(&bytes) {
        let again = script(&read.source, &read.options).expect("what was read can be written");
        assert_eq!(read_script(&again).expect("what was written can be read"), read);
        // Addresses, system and compression mean nothing and need not be the same; nor do checksums over them.
        for part in [0..4, 8..16, 24..28, 29..31, 32..again.len()] {
            assert_eq!(again[part.clone()], bytes[part.clone()], "{part:?}");
        }
    }
    let values = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()))
            .collect()
    };
    assert_eq!(substitute(data, &values(&[])).as_deref(), Ok(data));
    _ = substitute(data, &values(&[("id", "@id@"), ("", "x")]));
    if let Ok(same) = substitute(data, &values(&[("id", "@id@")])) {
        assert_eq!(same, data);
    }
});
