//! Registrations, references graphs, lists of store paths, and hashes from anywhere.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use nix::{Closure, Hash, StorePath};

fuzz_target!(|data: &[u8]| {
    let file = Path::new("registration");
    if let Ok(closure) = Closure::from_registration(file, data) {
        check(&closure);
        let text = nix::registration(&closure).expect("everything is known");
        let again = Closure::from_registration(file, &text).expect("what was written can be read");
        assert_eq!(nix::registration(&again).expect("everything is known"), text);
        assert_eq!(again.paths().len(), closure.paths().len());
        for (read, first) in again.paths().iter().zip(closure.paths()) {
            assert_eq!(
                (&read.path, read.nar_hash, read.nar_size),
                (&first.path, first.nar_hash, first.nar_size)
            );
            assert_eq!(read.references, first.references);
        }
    }
    if let Ok(closure) = Closure::from_list(file, data) {
        check(&closure);
        assert!(closure.paths().is_empty() || nix::registration(&closure).is_err());
    }
    if let Ok(closure) = Closure::from_references_graph(file, data) {
        check(&closure);
        let text = nix::registration(&closure).expect("everything is known");
        Closure::from_registration(file, &text).expect("what was written can be read");
    }
    for line in data
        .split(|byte| *byte == b'\n')
        .filter_map(|line| str::from_utf8(line).ok())
    {
        if let Ok(hash) = line.parse::<Hash>() {
            assert_eq!(hash.to_string().parse::<Hash>().ok(), Some(hash));
        }
        if let Ok(path) = line.parse::<StorePath>() {
            assert_eq!(
                format!("{}/{}-{}", nix::STORE_DIR, path.hash_part(), path.name()),
                line
            );
        }
    }
});

fn check(closure: &Closure) {
    assert!(closure.paths().windows(2).all(|pair| pair[0].path < pair[1].path));
    for info in closure.paths() {
        assert_eq!(closure.get(&info.path), Some(info));
        assert!(closure.toplevel(Some(&info.path)).is_ok());
    }
    if let Err(error) = closure.toplevel(None) {
        drop(error.to_string());
    }
}
