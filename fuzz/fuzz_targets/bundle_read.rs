//! Bundles from anywhere: their ends, and what an unsigned one holds.
#![no_main]

use std::path::Path;
use std::sync::Arc;

use bundle::{Bundle, Manifest, Work};
use image::{Content, Silent};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(manifest) = Manifest::read(data) {
        let text = manifest.write();
        assert_eq!(
            Manifest::read(text.as_bytes()).expect("what was written"),
            manifest
        );
    }
    if let Ok(manifest) = Manifest::read_plain(data) {
        assert_eq!(manifest.verity, None);
    }
    let work = Work {
        folder: Path::new("."),
        threads: 1,
        progress: &Silent,
        segments: None,
    };
    let unsigned = match bundle::open(Arc::new(Content::from(data)), data.len() as u64) {
        Ok(Bundle::Signed(signed)) => signed.unsign().ok(),
        Ok(Bundle::Unsigned(unsigned)) => Some(*unsigned),
        Ok(Bundle::Plain(plain)) => {
            _ = bundle::verify_plain_signature(&plain, &signature::Trust::default(), &work);
            _ = bundle::check_plain(&plain, &work);
            None
        }
        Err(_) => None,
    };
    _ = unsigned.map(|unsigned| bundle::check(&unsigned, &work));
});
