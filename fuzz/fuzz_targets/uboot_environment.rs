//! U-Boot environments from anywhere.
#![no_main]

use libfuzzer_sys::fuzz_target;
use uboot::{ByteOrder, Copies, find_environment, read_environment, read_script_at_start};

fuzz_target!(|data: &[u8]| {
    if let Some(found) = find_environment(data) {
        assert!(found.size <= data.len());
        found.current().expect("one can be read");
    }
    _ = read_script_at_start(data);
    for copies in [Copies::One, Copies::Two] {
        for order in [ByteOrder::Little, ByteOrder::Big] {
            _ = read_environment(data, copies, order);
        }
    }
});
