//! NARs and export streams: written, read back, and refused where Nix would refuse them.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../../../../tests/zoo/oracle.rs"]
mod oracle;

mod exports;
mod hostile;
mod round_trip;

use std::path::Path;

use image::{Spool, Tree};
use nix::nar::{Input, Unpacked, unpack};

/// One string of a NAR.
fn string(bytes: &[u8]) -> Vec<u8> {
    let mut all = (bytes.len() as u64).to_le_bytes().to_vec();
    all.extend(bytes);
    all.resize(all.len().next_multiple_of(8), 0);
    all
}

/// Strings, one after the other.
fn strings(list: &[&[u8]]) -> Vec<u8> {
    list.iter().flat_map(|bytes| string(bytes)).collect()
}

/// What a NAR holds, as a tree in a spool of its own; the bytes come in pieces of `piece`.
fn unpacked(nar: &[u8], limit: u64, piece: usize) -> nix::Result<Unpacked> {
    struct Pieces<'a>(&'a [u8], usize);
    impl std::io::Read for Pieces<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let len = self.1.min(buffer.len()).min(self.0.len());
            buffer[..len].copy_from_slice(&self.0[..len]);
            self.0 = &self.0[len..];
            Ok(len)
        }
    }
    let spool = Spool::create(&std::env::temp_dir())?;
    let mut reader = Pieces(nar, piece);
    let mut tee = |bytes: &[u8], position: u64| Ok(spool.write_at(bytes, 100 + position)?);
    let mut input = Input::new(&mut reader, "x.nar", limit, &mut tee);
    let unpacked = unpack(&mut input, &spool, 100)?;
    if input.at_end()? {
        Ok(unpacked)
    } else {
        Err(input.bad("bytes follow it"))
    }
}

/// A tree as a NAR.
fn packed(tree: &Tree) -> nix::Result<Vec<u8>> {
    let mut nar = Vec::new();
    nix::nar::write(tree, image::NodeId::ROOT, &mut nar, &image::Silent)?;
    Ok(nar)
}

/// A file of the tests' own.
fn file(folder: &Path, bytes: &[u8]) -> std::path::PathBuf {
    let path = folder.join("stream");
    std::fs::write(&path, bytes).unwrap();
    path
}
