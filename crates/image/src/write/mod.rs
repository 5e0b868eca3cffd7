//! The writer: an image becomes a sparse file, whole or not at all.
//!
//! The file has no name while it grows (`nameless.rs`), so that nothing is left of it when the process is killed. It gets
//! its name when everything is on the disk; those of one [`Folder`] get theirs together. Where the file system can, it
//! shares blocks with the files that the bytes come from.
//!
//! ```text
//!  Image ── pieces ──► store: a sparse file, or what an encoder makes ──► the file
//!                 └──► listeners, each on a thread of its own: the SHA-256, a block map
//! ```

mod folder;
mod listen;
mod nameless;
mod pieces;
mod share;
mod store;
mod tree;

use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::extents::Image;
use crate::progress::Progress;
pub use folder::{Folder, Obstacle};
pub use listen::Listen;
use listen::relay;
pub use nameless::{Nameless, abandon};
pub use pieces::Piece;
use pieces::pieces;
use share::Share;
use store::Store;
pub use store::{Encode, Through};
pub use tree::{Owners, write_tree};

/// The mode of outputs, before the process' umask.
const MODE: u32 = 0o666;

/// A place for an output. Dropping it leaves nothing behind.
#[derive(Debug)]
pub struct Target {
    growing: Nameless,
    path: PathBuf,
}

/// A complete file without its name. Dropping it removes the file; [`Written::keep`] names it.
#[derive(Debug)]
pub struct Written {
    target: Target,
    /// The file's bytes.
    pub size: u64,
    /// The SHA-256 of the file.
    pub sha256: [u8; 32],
    /// The bytes of the image that is in it; the file's when nothing encoded it.
    pub image_size: u64,
    /// The SHA-256 of that image.
    pub image_sha256: [u8; 32],
}

impl Written {
    /// Where the file will be.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.target.path
    }

    /// What was written, to be looked at before it gets its name.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn reader(&self) -> Result<File> {
        self.target
            .growing
            .file()
            .try_clone()
            .map_err(|source| Error::Read {
                path: self.target.path.clone(),
                source,
            })
    }

    /// Removes what has the file's name now, so that nothing has it for a while.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn clear(&self) -> Result<()> {
        remove(self.path())
    }

    /// Gives the file its name, in place of what had it.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn keep(self) -> Result<()> {
        let _naming = nameless::naming();
        self.rename()
    }

    /// The same for who holds the right to change names.
    fn rename(self) -> Result<()> {
        let Target { growing, path } = self.target;
        let named = growing
            .rename(&path)
            .and_then(|()| File::open(nameless::folder(&path)))
            .and_then(|folder| folder.sync_all());
        named.map_err(|source| Error::Write { path, source })
    }
}

/// Removes a file that may not be there.
fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(Error::Write {
            path: path.to_path_buf(),
            source,
        }),
        _ => Ok(()),
    }
}

/// Writes an image to a file that will be `path`, and waits until it is on the disk.
///
/// # Errors
/// As [`Target::claim`] and [`Target::write`].
pub fn write(path: &Path, image: &Image, progress: &dyn Progress) -> Result<Written> {
    Target::claim(path)?.write(image, progress)
}

impl Target {
    /// Looks whether a regular file can be here, before the work that will fill it.
    ///
    /// # Errors
    /// When the path is something else than a regular file, or a file cannot be made beside it.
    pub fn claim(path: &Path) -> Result<Target> {
        let failed = |source| Error::Write {
            path: path.to_path_buf(),
            source,
        };
        let unfit = |problem| failed(io::Error::new(io::ErrorKind::InvalidInput, problem));
        if path.file_name().is_none() {
            return Err(unfit("not a file name"));
        }
        if std::fs::metadata(path).is_ok_and(|meta| !meta.is_file()) {
            return Err(unfit(
                "it is there, and no regular file; a device is written with dd",
            ));
        }
        let path = path.to_path_buf();
        match Nameless::create(&path, MODE) {
            Ok(growing) => Ok(Target { growing, path }),
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy => Err(Error::Busy { path }),
            Err(source) => Err(Error::Write { path, source }),
        }
    }

    /// Lets everybody run the file who may read it.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn executable(self) -> Result<Target> {
        let failed = |source| Error::Write {
            path: self.path.clone(),
            source,
        };
        let file = self.growing.file();
        let mode = file.metadata().map_err(failed)?.mode();
        let permissions = Permissions::from_mode(mode | (mode & 0o444) >> 2);
        file.set_permissions(permissions).map_err(failed)?;
        Ok(self)
    }

    /// Writes an image, and waits until it is on the disk.
    ///
    /// # Errors
    /// When reading a content or writing the file fails, or `progress` asks to stop. Nothing is left behind then.
    pub fn write(self, image: &Image, progress: &dyn Progress) -> Result<Written> {
        self.write_through(image, Through::default(), progress)
    }

    /// Writes what becomes of an image on its way into a file.
    ///
    /// # Errors
    /// As [`Target::write`], and when the encoder fails.
    pub fn write_through(self, image: &Image, through: Through, progress: &dyn Progress) -> Result<Written> {
        let failed = |source| Error::Write {
            path: self.path.clone(),
            source,
        };
        let file = self.growing.file();
        let mut hasher = Sha256::new();
        let mut store = match through.encode {
            None => Store::sparse(file, image.size(), Share::of(file)).map_err(failed)?,
            Some(encoder) => Store::encoded(file, encoder),
        };
        let mut listeners: Vec<&mut dyn Listen> = vec![&mut hasher];
        if let Some(listener) = through.listen {
            listeners.push(listener);
        }
        let relayed = relay(listeners, |relay| {
            let share = store.shares();
            pieces(image, progress, share, &mut |piece, origin| {
                relay.tell(&piece);
                store.put(&piece, origin).map_err(failed)
            })
        });
        relayed.map_err(failed)??;
        let image_sha256 = hasher.finalize().into();
        let (size, sha256) = store
            .finish()
            .map_err(failed)?
            .unwrap_or((image.size(), image_sha256));
        file.sync_all().map_err(failed)?;
        Ok(Written {
            target: self,
            size,
            sha256,
            image_size: image.size(),
            image_sha256,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;
    use crate::extents::Layout;
    use crate::progress::{Cancelled, Silent};

    fn image(size: u64) -> Image {
        let mut layout = Layout::new();
        layout.put(3 << 20, "late", &b"late"[..]);
        layout.put(10, "early", &b"early"[..]);
        layout.finish(size).unwrap()
    }

    fn names(dir: &Path) -> usize {
        crate::scan(dir, crate::Keep::default()).unwrap().len() - 1
    }

    #[test]
    fn writes_sparse_whole_and_hashed() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("out.img");
        std::fs::write(&target, b"old").unwrap();
        let written = write(&target, &image(8 << 20), &Silent).unwrap();
        assert_eq!(std::fs::read(&target).unwrap(), b"old");
        let digest = written.sha256;
        written.keep().unwrap();
        let bytes = std::fs::read(&target).unwrap();
        assert_eq!(bytes.len(), 8 << 20);
        assert_eq!(
            (&bytes[10..15], &bytes[3 << 20..(3 << 20) + 4]),
            (&b"early"[..], &b"late"[..])
        );
        assert_eq!(digest, <[u8; 32]>::from(Sha256::digest(&bytes)));
        assert!(std::fs::metadata(&target).unwrap().blocks() * 512 < 1 << 20);
        assert_eq!(names(dir.path()), 1);
    }

    #[test]
    fn failures_and_stops_leave_nothing() {
        struct Stop;
        impl Progress for Stop {
            fn begin(&self, _: &str, _: u64) {}
            fn advance(&self, _: u64) -> Result<(), Cancelled> {
                Err(Cancelled)
            }
        }
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("out.img");
        assert!(matches!(
            write(&target, &image(8 << 20), &Stop),
            Err(Error::Cancelled)
        ));
        assert_eq!(names(dir.path()), 0);
        drop(write(&target, &image(8 << 20), &Silent).unwrap());
        assert_eq!(names(dir.path()), 0);
        let missing = dir.path().join("missing/out.img");
        assert!(matches!(
            write(&missing, &image(8 << 20), &Silent),
            Err(Error::Write { .. })
        ));
    }

    #[test]
    fn programs_can_be_run_by_those_who_may_read_them() {
        let dir = tempfile::tempdir().unwrap();
        let mode = |name: &str| std::fs::metadata(dir.path().join(name)).unwrap().mode() & 0o777;
        let target = |name: &str| Target::claim(&dir.path().join(name)).unwrap();
        let write = |target: Target| target.write(&image(4 << 20), &Silent).unwrap().keep().unwrap();
        write(target("plain"));
        write(target("program").executable().unwrap());
        assert_eq!(mode("plain") & 0o111, 0);
        assert_eq!(mode("program"), mode("plain") | (mode("plain") & 0o444) >> 2);
    }

    #[test]
    fn only_regular_files_are_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let unfit = |path: &Path| matches!(Target::claim(path), Err(Error::Write { .. }));
        assert!(unfit(Path::new("/dev/null")));
        assert!(unfit(dir.path()));
    }
}
