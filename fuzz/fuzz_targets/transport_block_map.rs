//! Block maps from anywhere.
#![no_main]

use libfuzzer_sys::fuzz_target;
use transport::BlockMap;

fuzz_target!(|data: &[u8]| {
    if let Ok(map) = BlockMap::parse(data) {
        let mut position = 0;
        for range in &map.ranges {
            assert!(position <= range.start && range.start < range.end && range.end <= map.image_size);
            position = range.end;
        }
    }
});
