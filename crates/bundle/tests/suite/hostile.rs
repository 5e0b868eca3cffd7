//! Any bytes: an answer, in little time and memory.

use std::sync::OnceLock;

use image::ReadAt;
use proptest::prelude::*;

use crate::oracle::installed;
use crate::support::{Pieces, Pki, verdict};

struct Fixture {
    dir: tempfile::TempDir,
    pki: Pki,
    pieces: Pieces,
    good: Vec<u8>,
}

fn fixture() -> &'static Fixture {
    static FIXTURE: OnceLock<Fixture> = OnceLock::new();
    FIXTURE.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let pki = Pki::new(dir.path());
        let pieces = Pieces::new(dir.path());
        let good = pieces.signed(&pki);
        Fixture {
            dir,
            pki,
            pieces,
            good,
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// No bit of a bundle is unguarded.
    #[test]
    fn a_flipped_bit_is_found(at in any::<prop::sample::Index>(), bit in 0u8..8) {
        if installed("openssl") {
            let Fixture { dir, pki, good, .. } = fixture();
            let mut file = good.clone();
            let at = at.index(file.len());
            file[at] ^= 1 << bit;
            prop_assert!(verdict(&file, &pki.trust(), dir.path()).is_err(), "bit {bit} of byte {at}");
        }
    }

    #[test]
    fn a_cut_is_found(len in any::<prop::sample::Index>()) {
        if installed("openssl") {
            let Fixture { dir, pki, good, .. } = fixture();
            prop_assert!(verdict(&good[..len.index(good.len())], &pki.trust(), dir.path()).is_err());
        }
    }

    /// Whoever is trusted can still sign nonsense: the SquashFS and what is in it are read with care.
    #[test]
    fn signed_nonsense_is_survived(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        if installed("openssl") {
            let Fixture { dir, pki, pieces, .. } = fixture();
            let mut pieces = pieces.clone();
            // The tables and the superblock.
            let places: Vec<usize> = (0..96).chain(pieces.squashfs.len() - 4096..pieces.squashfs.len()).collect();
            for (at, byte) in changes {
                pieces.squashfs[places[at.index(places.len())]] = byte;
            }
            pieces.protect();
            let _ = verdict(&pieces.signed(pki), &pki.trust(), dir.path());
        }
    }

    #[test]
    fn any_end_is_survived(payload in 0usize..9000, mut end in prop::collection::vec(any::<u8>(), 0..300), honest: bool) {
        if installed("openssl") {
            let Fixture { dir, pki, .. } = fixture();
            if honest {
                let len = end.len() as u64;
                end.extend(len.to_be_bytes());
            }
            let file = [vec![0x55; payload], end].concat();
            prop_assert!(verdict(&file, &pki.trust(), dir.path()).is_err());
        }
    }
}

/// Zeros without end.
#[derive(Debug)]
struct Zeros;

impl ReadAt for Zeros {
    fn read_exact_at(&self, buffer: &mut [u8], _: u64) -> std::io::Result<()> {
        buffer.fill(0);
        Ok(())
    }
}

#[test]
fn four_gigabytes_of_zeros_are_no_bundle() {
    for size in [4u64 << 30, 1 << 60, u64::MAX] {
        let error = bundle::open(std::sync::Arc::new(Zeros), size).unwrap_err();
        assert_eq!(
            error.to_string(),
            "no bundle: its last eight bytes say that there is no signature"
        );
    }
}
