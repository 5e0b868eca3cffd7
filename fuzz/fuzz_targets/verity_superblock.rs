//! Superblocks of hash trees from anywhere.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(superblock) = verity::read_superblock(data) {
        assert!(superblock.salt.len() <= verity::SALT_MAX);
    }
});
