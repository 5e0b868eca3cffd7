//! Servers that redirect, are slow, or are no servers at all.
//!
//! The certificates in `tls` are good for `localhost` and 127.0.0.1 and for a hundred years; nobody else trusts them.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::io::{self, Cursor, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use remote::{Error, Options, Remote, Slow};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// What is said and heard on a connection.
trait Wire: Read + Write {}

impl<T: Read + Write> Wire for T {}

/// A server, and how often it was asked.
struct Server {
    port: u16,
    asked: Arc<AtomicUsize>,
}

impl Server {
    /// Answers each request, whose head was read, on a connection of its own.
    fn new(tls: bool, answer: impl Fn(&mut dyn Wire) -> io::Result<()> + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(AtomicUsize::new(0));
        let (count, answer) = (Arc::clone(&asked), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                count.fetch_add(1, Ordering::SeqCst);
                let answer = Arc::clone(&answer);
                std::thread::spawn(move || {
                    let mut wire: Box<dyn Wire> = if tls {
                        Box::new(encrypted(stream))
                    } else {
                        Box::new(stream)
                    };
                    head(&mut *wire)?;
                    answer(&mut *wire)?;
                    wire.flush()
                });
            }
        });
        Server { port, asked }
    }

    /// Sends everybody elsewhere.
    fn redirecting(tls: bool, to: String) -> Server {
        Server::new(tls, move |wire| {
            write!(
                wire,
                "HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            )
        })
    }

    fn serving(tls: bool, bytes: &'static [u8]) -> Server {
        Server::new(tls, move |wire| {
            ok(wire, bytes.len())?;
            wire.write_all(bytes)
        })
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

fn encrypted(stream: TcpStream) -> StreamOwned<ServerConnection, TcpStream> {
    let chain = vec![CertificateDer::from_pem_slice(include_bytes!("tls/server.pem")).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("tls/server.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    StreamOwned::new(ServerConnection::new(Arc::new(config)).unwrap(), stream)
}

/// Reads up to the empty line, byte by byte, so that a body stays.
fn head(wire: &mut dyn Wire) -> io::Result<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        wire.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

fn ok(wire: &mut dyn Wire, len: usize) -> io::Result<()> {
    write!(
        wire,
        "HTTP/1.1 200 OK\r\nContent-Length: {len}\r\nConnection: close\r\n\r\n"
    )
}

fn options() -> Options {
    Options {
        tries: 2,
        pause: Duration::from_millis(1),
        stall: Duration::from_secs(2),
        slow: Slow {
            bytes_per_second: 1 << 10,
            time: Duration::from_millis(300),
        },
        certificates: Some(include_bytes!("tls/authority.pem").to_vec()),
        ..Options::default()
    }
}

fn remote(scheme: &str, server: &Server) -> Remote {
    Remote::open(&format!("{scheme}://127.0.0.1:{}", server.port), &options()).unwrap()
}

fn get(remote: &Remote) -> Result<Vec<u8>, String> {
    let object = remote.get("key", 1 << 30).map_err(|error| error.to_string())?;
    Ok(object.unwrap().bytes)
}

#[test]
fn https_is_not_left() {
    let plain = Server::serving(false, b"changed on the way");
    let secret = Server::redirecting(true, format!("http://127.0.0.1:{}/key", plain.port));
    let asked = remote("https", &secret);
    let expected = format!(
        "https://127.0.0.1:{}/key: the server redirects from https to http, which is not followed: anybody could read and \
         change it there",
        secret.port
    );
    assert_eq!(get(&asked), Err(expected.clone()));
    let stream = asked.stream("key", 0).map(drop).unwrap_err();
    assert_eq!(stream.to_string(), expected);
    assert_eq!(asked.has("key").unwrap_err().to_string(), expected);
    let put = asked.put("key", 4, &|| Ok(Box::new(&b"body"[..])));
    assert!(put.is_err());
    // Over another server, too.
    let twice = Server::redirecting(true, format!("https://127.0.0.1:{}/key", secret.port));
    assert!(
        get(&remote("https", &twice))
            .unwrap_err()
            .contains("from https to http")
    );
    assert_eq!(plain.asked(), 0, "nothing goes over http");
}

#[test]
fn other_redirects_are_followed() {
    let secret = Server::serving(true, b"bytes");
    let at = format!("https://127.0.0.1:{}/key", secret.port);
    for (scheme, tls) in [("http", false), ("https", true)] {
        let server = Server::redirecting(tls, at.clone());
        assert_eq!(get(&remote(scheme, &server)), Ok(b"bytes".to_vec()), "{scheme}");
    }
    let plain = Server::serving(false, b"bytes");
    let server = Server::redirecting(false, format!("http://127.0.0.1:{}/key", plain.port));
    assert_eq!(get(&remote("http", &server)), Ok(b"bytes".to_vec()));
}

/// The bytes come one by one, never silent and never done.
#[test]
fn a_slow_server_is_given_up() {
    let server = Server::new(false, |wire| {
        ok(wire, 1 << 20)?;
        loop {
            wire.write_all(b".")?;
            wire.flush()?;
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    let begun = Instant::now();
    let error = remote("http", &server).get("key", 1 << 30).unwrap_err();
    assert!(begun.elapsed() < Duration::from_secs(20));
    let said = error.to_string();
    let address = format!(
        "http://127.0.0.1:{}/key: the connection is too slow: ",
        server.port
    );
    assert!(said.starts_with(&address), "{said}");
    assert!(
        said.contains(" bytes a second for 0 s, the least is 1024"),
        "{said}"
    );
    assert_eq!(said.matches("(tried 2 times)").count(), 1, "{said}");
    assert!(
        error.hint().unwrap().contains("another address"),
        "{:?}",
        error.hint()
    );
}

/// A server without ranges brings again what is there already.
#[test]
fn a_server_that_begins_anew_may_not_be_slow_either() {
    let server = Server::serving(false, b"0123456789");
    let place = remote("http", &server);
    let mut rest = String::new();
    let mut stream = place.stream("key", 7).unwrap().unwrap();
    assert_eq!(stream.left(), Some(3));
    stream.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "789");
    let server = Server::new(false, |wire| {
        ok(wire, 1 << 20)?;
        loop {
            wire.write_all(b".")?;
            wire.flush()?;
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    let place = remote("http", &server);
    let mut stream = place.stream("key", 1 << 10).unwrap().unwrap();
    let said = stream.read(&mut [0]).unwrap_err().to_string();
    assert!(said.contains("too slow"), "{said}");
    // What is shorter now has no such byte.
    let server = Server::serving(false, b"0123");
    let place = remote("http", &server);
    assert!(place.stream("key", 7).unwrap().unwrap().read(&mut [0]).is_err());
}

#[test]
fn a_silent_server_is_given_up() {
    let (_alive, ends) = mpsc::channel::<()>();
    let ends = std::sync::Mutex::new(ends);
    let server = Server::new(false, move |wire| {
        ok(wire, 100)?;
        wire.write_all(b"some")?;
        wire.flush()?;
        let _ = ends.lock().unwrap().recv_timeout(Duration::from_secs(20));
        Ok(())
    });
    let silent = Options {
        stall: Duration::from_millis(300),
        ..options()
    };
    let remote = Remote::open(&format!("http://127.0.0.1:{}", server.port), &silent).unwrap();
    let said = get(&remote).unwrap_err();
    assert!(
        said.ends_with("/key: the connection is silent (tried 2 times)"),
        "{said}"
    );
}

/// Who takes long with the bytes has a fast connection all the same.
#[test]
fn a_slow_reader_is_not_the_servers_fault() {
    let server = Server::serving(false, &[7; 40]);
    let remote = remote("http", &server);
    let mut stream = remote.stream("key", 0).unwrap().unwrap();
    let mut byte = [0];
    for _ in 0..40 {
        stream.read_exact(&mut byte).unwrap();
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(stream.read(&mut byte).unwrap(), 0);
    assert_eq!(server.asked(), 1);
}

#[test]
fn a_server_that_takes_bytes_slowly_is_given_up() {
    let server = Server::new(false, |wire| {
        let mut bytes = vec![0; 1 << 20];
        loop {
            wire.read_exact(&mut bytes)?;
            std::thread::sleep(Duration::from_millis(100));
        }
    });
    let slow = Options {
        stall: Duration::from_secs(20),
        slow: Slow {
            // More than what the system takes on its way, which the server takes a hundredth of.
            bytes_per_second: 1 << 30,
            time: Duration::from_millis(300),
        },
        ..options()
    };
    let remote = Remote::open(&format!("http://127.0.0.1:{}", server.port), &slow).unwrap();
    let body = || Ok(Box::new(Cursor::new(vec![0_u8; 64 << 20])) as Box<dyn Read>);
    let begun = Instant::now();
    let said = remote.put("key", 64 << 20, &body).unwrap_err().to_string();
    assert!(said.contains("/key: the connection is too slow: "), "{said}");
    assert_eq!(said.matches("(tried 2 times)").count(), 1, "{said}");
    assert!(begun.elapsed() < Duration::from_mins(1));
}

/// A pipe in a folder keeps nobody waiting, and a device is not read.
#[test]
fn a_folder_has_nothing_but_files() {
    let dir = tempfile::tempdir().unwrap();
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mkfifoat(rustix::fs::CWD, dir.path().join("pipe"), mode).unwrap();
    std::os::unix::fs::symlink("/dev/zero", dir.path().join("device")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(dir.path().join("socket")).unwrap();
    let remote = Remote::open(&format!("file://{}", dir.path().display()), &options()).unwrap();
    for key in ["pipe", "device", "socket"] {
        let path = dir.path().join(key);
        let expected = format!("{}: not a regular file", path.display());
        let said = |result: Result<(), Error>| result.unwrap_err().to_string();
        assert_eq!(said(remote.get(key, 10).map(drop)), expected);
        assert_eq!(said(remote.stream(key, 0).map(drop)), expected);
        assert_eq!(said(remote.has(key).map(drop)), expected);
    }
    assert!(!remote.has("nothing").unwrap());
}

/// What stands in front of a server's answer is read by lines.
#[test]
fn a_head_that_never_ends_is_given_up() {
    let server = Server::new(false, |wire| {
        write!(wire, "HTTP/1.1 200 OK\r\n")?;
        loop {
            write!(wire, "X-More: yes\r\n")?;
            wire.flush()?;
            std::thread::sleep(Duration::from_millis(50));
        }
    });
    let short = Options {
        stall: Duration::from_millis(300),
        ..options()
    };
    let remote = Remote::open(&format!("http://127.0.0.1:{}", server.port), &short).unwrap();
    let begun = Instant::now();
    assert!(get(&remote).is_err());
    assert!(begun.elapsed() < Duration::from_secs(20));
}
