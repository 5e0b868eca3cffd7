//! What a machine writes: thrown away, or kept in a qcow2 in front of the image.

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use image::{Content, Image, ReadAt as _, Seed};

use super::qemu;
use crate::failure::Failure;

/// Where the bytes go that a machine writes.
#[derive(Clone, Debug)]
pub(super) enum Overlay {
    /// Into a temporary file of QEMU's.
    ThrownAway,
    /// Into a file that lasts.
    Kept(PathBuf),
}

/// Bytes of the fields of a qcow2's header that are looked at.
const HEADER_LEN: usize = 32;

/// The longest name of what is behind a qcow2.
const BACKING_MAX: u32 = 1023;

/// As much of an image that is a file tells which one it is, at its begin and at its end.
const ENDS: u64 = 1 << 20;

impl Overlay {
    /// A file for one image, made when it is not there.
    pub(super) fn kept(file: &Path, content: &Content, qemu: &Path) -> Result<Overlay, Failure> {
        let wanted = format!("kiln-{}", identity(content)?);
        match backing(file) {
            Ok(found) if found == wanted => {}
            Ok(_) => {
                return Err(
                    Failure::input("holds what a machine with another image has written")
                        .at(file)
                        .hint("give another file, or remove this one: what is in it fits no other image"),
                );
            }
            Err(Problem::Missing) => create(file, &wanted, content.len(), qemu)?,
            Err(Problem::Other(problem)) => return Err(Failure::input(problem).at(file)),
        }
        Ok(Overlay::Kept(file.into()))
    }
}

/// Why the name of what is behind a qcow2 is not known.
enum Problem {
    Missing,
    Other(String),
}

/// The name of what is behind a qcow2.
/// <https://www.qemu.org/docs/master/interop/qcow2.html#header>
fn backing(path: &Path) -> Result<String, Problem> {
    let not_ours = || Problem::Other("is no qcow2 of `kiln run`".into());
    let unreadable = |error: std::io::Error| match error.kind() {
        ErrorKind::NotFound => Problem::Missing,
        _ => Problem::Other(format!("cannot be read: {error}")),
    };
    let meta = std::fs::metadata(path).map_err(unreadable)?;
    if !meta.is_file() {
        return Err(not_ours());
    }
    let file = File::open(path).map_err(unreadable)?;
    let mut header = [0; HEADER_LEN];
    FileExt::read_exact_at(&file, &mut header, 0).map_err(|_| not_ours())?;
    let word = |start: usize| {
        header[start..start + 4]
            .iter()
            .fold(0, |word, byte| word << 8 | u64::from(*byte))
    };
    let (start, len) = (
        word(8) << 32 | word(12),
        u32::try_from(word(16)).unwrap_or(u32::MAX),
    );
    if header[..4] != *b"QFI\xfb" || start == 0 || len > BACKING_MAX {
        return Err(not_ours());
    }
    let mut name = vec![0; len as usize];
    FileExt::read_exact_at(&file, &mut name, start).map_err(|_| not_ours())?;
    String::from_utf8(name)
        .ok()
        .filter(|name| name.starts_with("kiln-"))
        .ok_or_else(not_ours)
}

/// Makes an empty qcow2. What is behind it is said anew whenever it is used.
fn create(file: &Path, backing: &str, size: u64, qemu: &Path) -> Result<(), Failure> {
    let program = qemu::beside(qemu, "qemu-img").ok_or_else(|| {
        Failure::input("qemu-img: is not on the PATH")
            .hint("install qemu-utils (Debian) or qemu (Nix): --persist needs it")
    })?;
    let mut command = Command::new(&program);
    command.args(["create", "-q", "-u", "-f", "qcow2", "-F", "raw", "-b", backing]);
    // A path that begins as an address does is a path.
    let file = std::path::absolute(file).unwrap_or_else(|_| file.into());
    command.arg(&file).arg(size.to_string());
    let said = command.output();
    let said =
        said.map_err(|error| Failure::input(format!("{}: cannot be run: {error}", program.display())))?;
    if said.status.success() {
        return Ok(());
    }
    let problem = String::from_utf8_lossy(&said.stderr);
    let problem = problem.trim().trim_start_matches("qemu-img: ").to_string();
    Err(Failure::output(problem, None).at(&file))
}

/// Tells images apart without reading what is in their files: by all that was made for them, which are the tables of file
/// systems with the names and sizes of files; of an image that is a file, by its size, its begin and its end.
fn identity(content: &Content) -> Result<String, Failure> {
    let mut identity = Identity(Seed::new(&content.len().to_be_bytes()));
    identity.add(content)?;
    Ok(identity.0.uuid("image").to_string())
}

struct Identity(Seed);

impl Identity {
    fn add(&mut self, content: &Content) -> Result<(), Failure> {
        match content {
            Content::Bytes(bytes) => self.mix(bytes),
            Content::Image(image) => return self.add_image(image),
            Content::Span { .. } => {
                let len = content.len().min(ENDS);
                self.add_part(content, 0, len)?;
                self.add_part(content, content.len() - len, len)?;
            }
            Content::Zeros(_) | Content::File(_) | Content::Spooled(_) => {}
        }
        Ok(())
    }

    fn add_image(&mut self, image: &Image) -> Result<(), Failure> {
        for extent in image.extents() {
            let place = [extent.start, extent.content.len()].map(u64::to_be_bytes);
            self.mix(&place.concat());
            self.add(&extent.content)?;
        }
        Ok(())
    }

    fn add_part(&mut self, content: &Content, start: u64, len: u64) -> Result<(), Failure> {
        let mut bytes = vec![0; usize::try_from(len).unwrap_or_default()];
        let failed = |error| Failure::input(format!("{}: cannot be read: {error}", content.name()));
        content.read_exact_at(&mut bytes, start).map_err(failed)?;
        self.mix(&bytes);
        Ok(())
    }

    fn mix(&mut self, bytes: &[u8]) {
        let before = self.0.uuid("before");
        self.0 = Seed::new(&[before.as_bytes(), bytes].concat());
    }
}
