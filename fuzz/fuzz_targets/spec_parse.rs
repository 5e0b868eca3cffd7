//! Specifications from anywhere: TOML, or JSON when they begin with a brace.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let name = if text.starts_with('{') { "a.json" } else { "a.toml" };
    if let Err(error) = spec::parse(text, Path::new(name)) {
        drop((error.to_string(), error.hint()));
        assert!(!error.to_string().is_empty());
    }
});
