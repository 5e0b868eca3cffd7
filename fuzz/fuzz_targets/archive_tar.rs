//! Tar archives from anywhere, as they are and with checksums that are right.
#![no_main]

use std::path::Path;

use archive::read_tar;
use image::{Keep, Kind, Spool};
use libfuzzer_sys::fuzz_target;
use transport::{Coding, decode};

const KEEP: Keep = Keep {
    modes: true,
    owners: true,
    times: true,
    xattrs: true,
    hard_links: true,
    follow_links: false,
};

fuzz_target!(|data: &[u8]| {
    read(data);
    let mut data = data.to_vec();
    for block in data.chunks_exact_mut(512) {
        if block[257..262] == *b"ustar" {
            block[148..156].fill(b' ');
            let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
            block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        }
    }
    read(&data);
});

fn read(data: &[u8]) {
    let spool = Spool::create(&std::env::temp_dir()).expect("a disk");
    let archive = Path::new("a.tar");
    for keep in [KEEP, Keep::default()] {
        let tree = match Coding::of_magic(data) {
            Some(coding) => decode(coding, data)
                .ok()
                .and_then(|plain| read_tar(plain, archive, keep, &spool).ok()),
            None => read_tar(data, archive, keep, &spool).ok(),
        };
        let Some(tree) = tree else {
            continue;
        };
        for entry in tree.walk() {
            if let Kind::File(content) = &tree.node(entry.id).kind {
                let bytes = content.to_vec().expect("what was unpacked can be read");
                assert_eq!(bytes.len() as u64, content.len());
            }
        }
    }
}
