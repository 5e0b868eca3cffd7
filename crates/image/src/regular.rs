//! Files of the host that are nothing but files.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;
use rustix::io::Errno;

/// Opens a file of the host to read it, when it is a regular one. Nobody waits for the writer of a pipe, and no device is
/// touched for longer than it takes to open it.
///
/// # Errors
/// When it cannot be opened, or is something else.
pub fn open_regular(path: &Path) -> io::Result<(File, Metadata)> {
    let mut options = OpenOptions::new();
    let options = options
        .read(true)
        .custom_flags(OFlags::NONBLOCK.bits().cast_signed());
    // A socket cannot be opened, and the system has odd words for that.
    let file = options.open(path).map_err(|error| match error.raw_os_error() {
        Some(code) if code == Errno::NXIO.raw_os_error() => not_regular(),
        _ => error,
    })?;
    let meta = file.metadata()?;
    if meta.is_dir() {
        return Err(Errno::ISDIR.into());
    }
    if !meta.is_file() {
        return Err(not_regular());
    }
    Ok((file, meta))
}

/// The bytes of a regular file of the host.
///
/// # Errors
/// As [`open_regular`], and when it cannot be read.
pub fn read_regular(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open_regular(path)?.0.read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn not_regular() -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, "not a regular file")
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn nothing_but_files_is_opened_and_nobody_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        std::fs::write(path("file"), b"bytes").unwrap();
        std::os::unix::fs::symlink("file", path("link")).unwrap();
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mkfifoat(rustix::fs::CWD, path("pipe"), mode).unwrap();
        let _listener = UnixListener::bind(path("socket")).unwrap();
        let said = |path: &Path| read_regular(path).map_err(|error| error.to_string());
        assert_eq!(said(&path("file")), Ok(b"bytes".to_vec()));
        assert_eq!(said(&path("link")), Ok(b"bytes".to_vec()));
        for other in [path("pipe"), path("socket"), "/dev/zero".into()] {
            assert_eq!(
                said(&other),
                Err("not a regular file".to_owned()),
                "{}",
                other.display()
            );
        }
        assert!(said(dir.path()).unwrap_err().contains("Is a directory"));
        assert!(said(&path("missing")).is_err());
    }
}
