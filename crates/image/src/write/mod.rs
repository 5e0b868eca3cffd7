//! The writer: an image becomes a sparse file, whole or not at all.
//!
//! The file has no name while it grows (`nameless.rs`), so that nothing is left of it when the process is killed. It gets
//! its name when everything is on the disk; those of one [`Folder`] get theirs together. Where the file system can, it
//! shares blocks with the files that the bytes come from.
//!
//! ```text
//!  Image ── pieces, read ahead ──► store: a sparse file, or what an encoder makes ──► the file
//!                 └──► listeners, each on a thread of its own: the digests, a block map
//! ```

mod ahead;
mod below;
mod folder;
mod fresh;
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
use crate::fsverity::FsVerity;
use crate::progress::Progress;
use crate::spool::Spool;
use ahead::ahead;
pub use folder::{Folder, Obstacle};
pub use listen::Listen;
use listen::{Tree, relay};
pub use nameless::{Nameless, abandon};
pub use pieces::Piece;
use pieces::{Cut, pieces};
use share::Share;
use store::Store;
pub use store::{Encode, Sums, Through};
pub use tree::{Owners, write_tree};

/// The mode of outputs, before the process' umask.
pub(super) const MODE: u32 = 0o666;

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
    /// What the file is known by.
    pub digests: Digests,
    /// The size of the image that is in it and what that is known by, when something encoded it.
    pub image: Option<(u64, Digests)>,
}

/// What bytes are known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digests {
    /// As `fsverity digest` prints it.
    pub fsverity: [u8; 32],
    /// As `sha256sum` prints it, where somebody asked for it.
    pub sha256: Option<[u8; 32]>,
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

    /// Lets the file have a name in a folder beside it, which is made when the file gets its name.
    #[must_use]
    pub fn below(self, folder: &str, name: &str) -> Target {
        let path = nameless::folder(&self.path).join(folder).join(name);
        Target { path, ..self }
    }

    /// Takes a spool as the file that is to become this image, where it holds the image's bytes at their places already:
    /// only the rest is written then. Where it does not, nothing changes.
    #[must_use]
    pub fn complete(self, image: &Image, spool: &Spool) -> Target {
        match spool.become_file(nameless::folder(&self.path), image) {
            Some(file) => Target {
                growing: Nameless::of(file),
                path: self.path,
            },
            None => self,
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

    /// Gives the file these permission bits.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn mode(self, mode: u16) -> Result<Target> {
        let set = self
            .growing
            .file()
            .set_permissions(Permissions::from_mode(mode.into()));
        match set {
            Ok(()) => Ok(self),
            Err(source) => Err(Error::Write {
                path: self.path,
                source,
            }),
        }
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
        let mut tree = Tree::new(image, through.threads).map_err(failed)?;
        let encoded = through.encode.is_some();
        // What is published is the file, not the image that is encoded in it.
        let sum = match through.sha256 {
            Sums::None => false,
            Sums::File => !encoded,
            Sums::All => true,
        };
        let mut hasher = sum.then(Sha256::new);
        let mut store = match through.encode {
            None => Store::sparse(file, image.size(), Share::of(file)).map_err(failed)?,
            Some(encoder) => Store::encoded(file, encoder, through.sha256 != Sums::None),
        };
        let mut listeners: Vec<&mut dyn Listen> = vec![&mut tree];
        if let Some(hasher) = &mut hasher {
            listeners.push(hasher);
        }
        if let Some(listener) = through.listen {
            listeners.push(listener);
        }
        let relayed = relay(listeners, |relay| {
            let cut = store.cut();
            if !matches!(cut, Cut::Large) {
                return pieces(image, progress, cut, &mut |piece, origin| {
                    relay.tell(&piece);
                    store.put(&piece, origin).map_err(failed)
                });
            }
            let read = |hand: &mut dyn FnMut(Piece) -> Result<()>| {
                pieces(image, progress, cut, &mut |piece, _| {
                    relay.tell(&piece);
                    hand(piece)
                })
            };
            ahead(read, |piece| store.put(&piece, None).map_err(failed)).map_err(failed)?
        });
        relayed.map_err(failed)??;
        let inside = (image.size(), Digests::new(tree.finish(), hasher));
        let made = store.finish().map_err(failed)?;
        file.sync_all().map_err(failed)?;
        let (size, digests) = made.unwrap_or(inside);
        Ok(Written {
            target: self,
            size,
            digests,
            image: encoded.then_some(inside),
        })
    }
}

impl Digests {
    fn new(fsverity: FsVerity, sha256: Option<Sha256>) -> Digests {
        Digests {
            fsverity: fsverity.finish(),
            sha256: sha256.map(|hasher| hasher.finalize().into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;
    use crate::content::ReadAt;
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
        let digests = written.digests;
        written.keep().unwrap();
        let bytes = std::fs::read(&target).unwrap();
        assert_eq!(bytes.len(), 8 << 20);
        assert_eq!(
            (&bytes[10..15], &bytes[3 << 20..(3 << 20) + 4]),
            (&b"early"[..], &b"late"[..])
        );
        let mut whole = FsVerity::default();
        whole.update(&bytes, None);
        assert_eq!((digests.fsverity, digests.sha256), (whole.finish(), None));
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

    /// A spool becomes the file only where the image has all of it, at the same places.
    #[test]
    fn what_is_in_its_place_is_not_written_again() {
        let dir = tempfile::tempdir().unwrap();
        let other = tempfile::tempdir_in(dir.path()).unwrap();
        let data = vec![7; 300_000];
        let spooled = |folder: &Path, start: u64, garbage: &[u8]| {
            let spool = Spool::create(folder).unwrap();
            spool.write_at(&data, start).unwrap();
            spool.write_at(garbage, 4 << 20).unwrap();
            spool.write_at(&vec![9; 20_000], 450_000).unwrap();
            spool.release(450_000..470_000);
            let mut layout = Layout::new();
            // What is there once is there twice.
            layout.put(600_000, "data", spool.span(start + 10, 100_000));
            layout.put(0, "head", &b"head"[..]);
            layout.put(8192, "data", spool.span(start, data.len() as u64));
            layout.put(8192 + data.len() as u64, "tail", &b"tail"[..]);
            (spool, layout.finish(1 << 20).unwrap())
        };
        let mut files = Vec::new();
        for (folder, start, garbage, fits) in [
            (dir.path(), 8192, &b""[..], true),
            (dir.path(), 4096, b"", false),
            (dir.path(), 8192, b"rejected", false),
            (other.path(), 8192, b"", false),
        ] {
            let (spool, image) = spooled(folder, start, garbage);
            let path = dir.path().join("out.img");
            let target = Target::claim(&path).unwrap().complete(&image, &spool);
            let node = |file: &File| file.metadata().unwrap().ino();
            let own = spool
                .span(0, 0)
                .reader()
                .unwrap()
                .origin()
                .map(|(file, _)| node(file));
            assert_eq!(own == Some(node(target.growing.file())), fits);
            assert!(
                spool.become_file(dir.path(), &image).is_none(),
                "it is taken, or does not fit"
            );
            target.write(&image, &Silent).unwrap().keep().unwrap();
            files.push(std::fs::read(&path).unwrap());
        }
        let mut wanted = vec![0; 1 << 20];
        spooled(dir.path(), 8192, b"")
            .1
            .read_exact_at(&mut wanted, 0)
            .unwrap();
        assert!(files.iter().all(|file| *file == wanted));
    }

    #[test]
    fn only_regular_files_are_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let unfit = |path: &Path| matches!(Target::claim(path), Err(Error::Write { .. }));
        assert!(unfit(Path::new("/dev/null")));
        assert!(unfit(dir.path()));
    }
}
