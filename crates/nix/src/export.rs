//! Streams of `nix-store --export`.
//!
//! ```text
//!  u64 1  NAR  u64 "NIXE"  path  u64 n  n × reference  deriver  u64 0        a path; its name comes behind its bytes
//!  …
//!  u64 0                                                                      the end
//! ```
//!
//! References come before those who refer to them. There is neither hash nor signature: the stream is believed.

use std::cell::Cell;
use std::path::Path;

use image::{Progress, Spool, Tree};

use crate::closure::{Closure, PathInfo};
use crate::error::{Error, Result};
use crate::nar::{self, Input, Unpacked};
use crate::store;
use crate::store_path::{STORE_DIR, StorePath};

/// What stands between a NAR and its path.
const MAGIC: u64 = 0x4558_494E;

/// The longest store path.
const PATH_MAX: usize = STORE_DIR.len() + 1 + 255;

/// The first bytes of every stream: a path follows, and its NAR begins.
pub(crate) const HEAD: &[u8] = b"\x01\0\0\0\0\0\0\0\x0d\0\0\0\0\0\0\0nix-archive-1\0\0\0";

/// Reads a stream: its paths become a closure and its tree, whose contents lie in the spool.
///
/// # Errors
/// When the file cannot be read or is no such stream, a path comes twice, or one refers to a path that is not there.
pub fn read_export(file: &Path, spool: &Spool, progress: &dyn Progress) -> Result<(Closure, Tree)> {
    let failed = |source| Error::Read {
        path: file.into(),
        source,
    };
    let (mut reader, meta) = image::open_regular(file).map_err(failed)?;
    progress.begin("reading exported store paths", meta.len());
    let base = Cell::new(0);
    let mut tee = |bytes: &[u8], position: u64| {
        spool.write_at(bytes, base.get() + position)?;
        progress.advance(bytes.len() as u64).map_err(image::Error::from)?;
        Ok(())
    };
    let name = file.display().to_string();
    let mut input = Input::new(&mut reader, &name, u64::MAX, &mut tee);
    let mut paths: Vec<(PathInfo, Tree)> = Vec::new();
    loop {
        match input.number()? {
            0 => break,
            1 => {}
            other => return Err(input.bad(format!("{other} stands where 0 or 1 should"))),
        }
        input.finish();
        let unpacked = nar::unpack(&mut input, spool, base.get())?;
        base.set(base.get() + unpacked.size);
        paths.push(path(&mut input, unpacked)?);
    }
    if !input.at_end()? {
        return Err(input.bad("bytes follow the stream's end"));
    }
    paths.sort_unstable_by(|(one, _), (other, _)| one.path.cmp(&other.path));
    if let Some(pair) = paths.windows(2).find(|pair| pair[0].0.path == pair[1].0.path) {
        return Err(input.bad(format!("{}: comes twice", pair[1].0.path)));
    }
    let (paths, trees) = paths.into_iter().unzip();
    let closure = Closure::of(paths)?;
    let tree = store::assemble(&closure, trees)?;
    Ok((closure, tree))
}

/// What stands behind a NAR.
fn path(input: &mut Input, unpacked: Unpacked) -> Result<(PathInfo, Tree)> {
    if input.number()? != MAGIC {
        return Err(input.bad("no NIXE follows the NAR"));
    }
    let store_path = |input: &mut Input| -> Result<StorePath> {
        let bytes = input.string(PATH_MAX, "store path")?;
        let text = String::from_utf8_lossy(&bytes);
        text.parse().map_err(|error: Error| input.bad(error.to_string()))
    };
    let path = store_path(input)?;
    let mut references = Vec::new();
    for _ in 0..input.number()? {
        references.push(store_path(input)?);
    }
    references.sort_unstable();
    references.dedup();
    input.string(PATH_MAX, "deriver")?;
    match input.number()? {
        0 => {}
        // Old streams had signatures, which Nix reads and ignores.
        1 => drop(input.string(1 << 20, "signature")?),
        other => return Err(input.bad(format!("{other} stands where 0 or 1 should"))),
    }
    input.finish();
    let info = PathInfo {
        path,
        nar_hash: Some(unpacked.hash),
        nar_size: Some(unpacked.size),
        references: Some(references),
    };
    Ok((info, unpacked.tree))
}
