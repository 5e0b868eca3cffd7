//! Sockets and ports: made, taken, and gone.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use image::{Content, Fault, Keep};
use nbd::{Address, Error, Export, Limits, NAME_MAX, SOCKET_PATH_MAX, Serving};

use crate::client::World;

fn start(address: &Address) -> nbd::Result<Serving> {
    let export = Export::new("disk", "", Content::Zeros(512)).unwrap();
    nbd::start(export, address, Limits::default())
}

/// The names in a folder.
fn names(folder: &Path) -> usize {
    let tree = image::scan(folder, Keep::default());
    tree.map_or(usize::MAX, |tree| tree.children(image::NodeId::ROOT).count())
}

#[test]
fn a_socket_is_its_owners_and_goes() {
    let World { folder, serving } = World::new();
    let socket = folder.path().join("s");
    let mode = socket.symlink_metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(
        serving.uri(),
        format!("nbd+unix:///disk?socket={}", socket.display())
    );
    let again = serving.clone();
    drop(serving);
    assert!(socket.exists());
    drop(again);
    assert_eq!(names(folder.path()), 0);
}

#[test]
fn a_socket_of_another_stays() {
    let World { folder, serving } = World::new();
    let socket = folder.path().join("s");
    fs::remove_file(&socket).unwrap();
    fs::write(&socket, b"another's").unwrap();
    serving.remove_name();
    drop(serving);
    assert_eq!(fs::read(&socket).unwrap(), b"another's");
}

#[test]
fn what_exists_is_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    let left = folder.path().join("left");
    drop(UnixListener::bind(&left).unwrap());
    let file = folder.path().join("file");
    fs::write(&file, b"x").unwrap();
    let busy = folder.path().join("busy");
    let serving = start(&Address::Socket(busy.clone())).unwrap();
    for (path, wanted) in [(&left, true), (&file, false), (&busy, false)] {
        let error = start(&Address::Socket(path.clone())).unwrap_err();
        let Error::SocketExists { is_left, .. } = error else {
            panic!("{error}")
        };
        assert_eq!(is_left, wanted, "{}", path.display());
        assert_eq!(error.fault(), Fault::Output);
    }
    drop(serving);
    assert_eq!(fs::read(&file).unwrap(), b"x");
    assert!(left.exists() && !busy.exists());
}

#[test]
fn paths_that_cannot_be() {
    let folder = tempfile::tempdir().unwrap();
    let len = SOCKET_PATH_MAX - folder.path().as_os_str().len() - 1;
    let longest = folder.path().join("x".repeat(len));
    drop(start(&Address::Socket(longest.clone())).unwrap());
    let mut longer = longest.into_os_string();
    longer.push("x");
    let error = start(&Address::Socket(longer.into())).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("a socket's path has at most 107 bytes, this one has 108")
    );
    let error = start(&Address::Socket(PathBuf::from("/nonexistent/s"))).unwrap_err();
    assert_eq!(
        error.to_string(),
        "/nonexistent/s: cannot be made: No such file or directory (os error 2)"
    );
    assert_eq!(names(folder.path()), 0);
}

#[test]
fn a_port_is_found_or_taken() {
    let serving = start(&"0".parse().unwrap()).unwrap();
    let Address::Port(address) = serving.address() else {
        panic!("a port was asked for")
    };
    assert!(address.ip().is_loopback() && address.port() > 0);
    assert_eq!(serving.uri(), format!("nbd://{address}/disk"));
    TcpStream::connect(address).unwrap();
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let error = start(&Address::Port(other.local_addr().unwrap())).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("cannot be listened on: Address already in use")
    );
    assert!(error.hint().unwrap().contains("another program has that port"));
}

#[test]
fn names_and_sizes_have_ends() {
    let name = "x".repeat(NAME_MAX + 1);
    assert!(Export::new(&name[1..], "", Content::Zeros(1)).is_ok());
    assert!(Export::new(&name, "", Content::Zeros(1)).is_err());
    let error = Export::new("x", "", Content::Zeros(1 << 63)).unwrap_err();
    assert_eq!(error.fault(), Fault::Limit);
}
