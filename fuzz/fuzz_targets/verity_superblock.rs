//! Superblocks of hash trees, and signature partitions, from anywhere.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(superblock) = verity::read_superblock(data) {
        assert!(superblock.salt.len() <= verity::SALT_MAX);
    }
    if let Ok(signature) = verity::RootSignature::read(data) {
        // What systemd reads and Kiln would not write is longer, or spelt otherwise.
        if let Ok(written) = signature.to_bytes() {
            assert_eq!(
                verity::RootSignature::read(&written).expect("what was written"),
                signature
            );
        }
    }
});
