//! NARs, export streams, narinfos and listings from anywhere: what is read can be written again, and is the same.
#![no_main]

use std::io::Cursor;

use image::{NodeId, Silent, Spool};
use libfuzzer_sys::fuzz_target;
use nix::nar::{Input, unpack, write};
use nix::{Narinfo, PublicKey};

fuzz_target!(|data: &[u8]| {
    if let Ok(narinfo) = Narinfo::parse("fuzz", data) {
        assert!(narinfo.fingerprint().starts_with("1;/nix/store/"));
    }
    if let Ok(text) = std::str::from_utf8(data) {
        _ = text.parse::<PublicKey>();
        _ = text.parse::<remote::Address>();
    }
    let spool = Spool::create(&std::env::temp_dir()).expect("a place for temporary files");
    let mut reader = Cursor::new(data);
    let mut tee = |bytes: &[u8], position: u64| Ok(spool.write_at(bytes, position)?);
    let mut input = Input::new(&mut reader, "fuzz", data.len() as u64, &mut tee);
    if let Ok(unpacked) = unpack(&mut input, &spool, 0) {
        let mut again = Vec::new();
        write(&unpacked.tree, NodeId::ROOT, &mut again, &Silent).expect("what was read");
        assert_eq!(again, data[..again.len()]);
        assert_eq!(again.len() as u64, unpacked.size);
    }
});
