//! Headers of swap areas from anywhere.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(options) = swap::read(data) {
        assert!(options.size <= swap::SIZE_MAX);
    }
});
