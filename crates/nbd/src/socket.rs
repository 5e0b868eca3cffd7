//! A Unix socket that nobody but its owner connects to, and that has its name once somebody listens.

use std::fs::{DirBuilder, File, Metadata, Permissions};
use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use crate::{Error, Result, SOCKET_PATH_MAX};

/// As many names are tried for the folder in which a socket is made.
const NAMES_MAX: u32 = 100;

/// The name of a socket. It goes when this does, if it still is that socket's.
#[derive(Debug)]
pub(crate) struct Name {
    path: PathBuf,
    identity: (u64, u64),
}

/// Makes a socket and listens on it. Nothing that has the name is touched.
pub(crate) fn listen(path: &Path) -> Result<(UnixListener, Name)> {
    let failed = |source: io::Error| match source.kind() {
        ErrorKind::AlreadyExists => exists(path),
        _ => Error::Socket {
            path: path.to_path_buf(),
            source,
        },
    };
    check(path)?;
    let folder = Folder::create(parent(path)).map_err(failed)?;
    let (listener, made) = folder.listen().map_err(failed)?;
    renameat_with(CWD, &made, CWD, path, RenameFlags::NOREPLACE).map_err(|error| failed(error.into()))?;
    let identity = path.symlink_metadata().map_err(failed)?;
    let name = Name {
        path: path.to_path_buf(),
        identity: identity_of(&identity),
    };
    Ok((listener, name))
}

/// Finds out whether a socket could be made.
pub(crate) fn check(path: &Path) -> Result<()> {
    let len = path.as_os_str().len();
    if len > SOCKET_PATH_MAX {
        return Err(Error::SocketPathTooLong {
            path: path.to_path_buf(),
            len,
        });
    }
    if path.symlink_metadata().is_ok() {
        return Err(exists(path));
    }
    let found = std::fs::metadata(parent(path));
    found.map(drop).map_err(|source| Error::Socket {
        path: path.to_path_buf(),
        source,
    })
}

fn parent(path: &Path) -> &Path {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(Path::new("."))
}

impl Name {
    /// Removes it, if it still is the socket's.
    pub(crate) fn remove(&self) {
        let found = self.path.symlink_metadata();
        if found.is_ok_and(|found| identity_of(&found) == self.identity) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        self.remove();
    }
}

fn identity_of(meta: &Metadata) -> (u64, u64) {
    (meta.dev(), meta.ino())
}

fn exists(path: &Path) -> Error {
    let is_socket = path
        .symlink_metadata()
        .is_ok_and(|meta| meta.file_type().is_socket());
    let refused = UnixStream::connect(path).is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused);
    Error::SocketExists {
        path: path.to_path_buf(),
        is_left: is_socket && refused,
    }
}

/// A folder that nobody else looks into, in which a socket gets its mode before anybody can connect. It goes again.
struct Folder {
    path: PathBuf,
}

impl Folder {
    fn create(parent: &Path) -> io::Result<Folder> {
        let mut number = 0;
        loop {
            let path = parent.join(format!(".kiln-{}-{number}", std::process::id()));
            match DirBuilder::new().mode(0o700).create(&path) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists && number < NAMES_MAX => number += 1,
                made => return made.map(|()| Folder { path }),
            }
        }
    }

    fn listen(&self) -> io::Result<(UnixListener, PathBuf)> {
        // Through the folder's descriptor, so that the path is short, however long the folder's is.
        let folder = File::open(&self.path)?;
        let listener = UnixListener::bind(format!("/proc/self/fd/{}/s", folder.as_raw_fd()))?;
        let made = self.path.join("s");
        std::fs::set_permissions(&made, Permissions::from_mode(0o600))?;
        Ok((listener, made))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(self.path.join("s"));
        let _ = std::fs::remove_dir(&self.path);
    }
}
