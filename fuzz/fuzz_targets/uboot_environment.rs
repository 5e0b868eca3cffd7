//! U-Boot environments from anywhere.
#![no_main]

use libfuzzer_sys::fuzz_target;
use uboot::{ByteOrder, Copies, read_environment};

fuzz_target!(|data: &[u8]| {
    for copies in [Copies::One, Copies::Two] {
        for order in [ByteOrder::Little, ByteOrder::Big] {
            _ = read_environment(data, copies, order);
        }
    }
});
