//! Listeners and connections: a thread for each.

use std::io::{self, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::address::{Address, uri_of_address, uri_of_socket};
use crate::socket::{self, Name};
use crate::{Error, Export, Limits, Result, negotiate, transmit};

/// How long nobody is let in when the system has no room for a connection.
const PAUSE: Duration = Duration::from_millis(50);

/// An export that is served. It stays so until the process ends; a socket's name goes when all clones of this are gone.
#[derive(Clone, Debug)]
pub struct Serving {
    export: Arc<Export>,
    address: Address,
    name: Option<Arc<Name>>,
}

impl Serving {
    /// Where clients find it; with the port that was chosen.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// What clients call it.
    #[must_use]
    pub fn uri(&self) -> String {
        match &self.address {
            Address::Socket(path) => uri_of_socket(path, &self.export.name),
            Address::Port(address) => uri_of_address(*address, &self.export.name),
        }
    }

    /// Removes the socket's name, so that nobody new comes.
    pub fn remove_name(&self) {
        if let Some(name) = &self.name {
            name.remove();
        }
    }
}

/// Finds out whether something could be served there now.
///
/// # Errors
/// As [`start`] has them.
pub fn check(address: &Address) -> Result<()> {
    match address {
        Address::Socket(path) => socket::check(path),
        Address::Port(address) => listen_at(*address).map(drop),
    }
}

/// Serves an export. Clients can connect when this returns.
///
/// # Errors
/// When the socket exists or cannot be made, or the port cannot be had.
pub fn start(export: Export, address: &Address, limits: Limits) -> Result<Serving> {
    let export = Arc::new(export);
    let connections = Connections {
        export: Arc::clone(&export),
        limits,
        count: Arc::default(),
    };
    match address {
        Address::Socket(path) => {
            let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
            let (listener, name) = socket::listen(&path)?;
            spawn(move || connections.accept(|| UnixListener::accept(&listener).map(|(stream, _)| stream)))?;
            Ok(Serving {
                export,
                address: Address::Socket(path),
                name: Some(name.into()),
            })
        }
        Address::Port(address) => {
            let (listener, address) = listen_at(*address)?;
            spawn(move || connections.accept(|| TcpListener::accept(&listener).map(|(stream, _)| stream)))?;
            Ok(Serving {
                export,
                address: Address::Port(address),
                name: None,
            })
        }
    }
}

fn listen_at(address: SocketAddr) -> Result<(TcpListener, SocketAddr)> {
    let failed = |source| Error::Listen { address, source };
    let listener = TcpListener::bind(address).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

fn spawn(work: impl FnOnce() + Send + 'static) -> Result<()> {
    let builder = thread::Builder::new().name("nbd".into());
    builder.spawn(work).map(drop).map_err(Error::Thread)
}

/// Those who are connected.
struct Connections {
    export: Arc<Export>,
    limits: Limits,
    count: Arc<AtomicUsize>,
}

impl Connections {
    /// Lets clients in for ever.
    fn accept<S: Stream>(&self, next: impl Fn() -> io::Result<S>) {
        loop {
            match next() {
                Ok(stream) => self.connect(stream),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => thread::sleep(PAUSE),
            }
        }
    }

    /// Gives a client a thread, if there is one left. Else its connection is closed.
    fn connect<S: Stream>(&self, stream: S) {
        let place = Place::take(&self.count);
        if place.taken > self.limits.connections {
            return;
        }
        let (export, limits) = (Arc::clone(&self.export), self.limits);
        let _ = spawn(move || {
            // How it ended is nobody's business: the client knows.
            let _ = converse(&stream, &export, limits);
            drop(place);
        });
    }
}

/// A place among the connections, which is free again when this is gone.
struct Place {
    count: Arc<AtomicUsize>,
    taken: usize,
}

impl Place {
    fn take(count: &Arc<AtomicUsize>) -> Place {
        Place {
            taken: count.fetch_add(1, Ordering::SeqCst) + 1,
            count: Arc::clone(count),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::SeqCst);
    }
}

fn converse<S: Stream>(stream: &S, export: &Export, limits: Limits) -> io::Result<()> {
    stream.prepare()?;
    let end = Instant::now() + limits.handshake;
    let (reader, mut writer) = (Timed::new(stream, end), Timed::new(stream, end));
    let mut reader = BufReader::with_capacity(4096, reader);
    let Some(agreed) = negotiate(&mut reader, &mut writer, export)? else {
        return Ok(());
    };
    reader.get_mut().end = None;
    writer.end = None;
    stream.limit(None)?;
    transmit(&mut reader, &mut writer, export, agreed)
}

/// A stream whose reads and writes end at a time.
struct Timed<'a, S> {
    stream: &'a S,
    end: Option<Instant>,
}

impl<'a, S: Stream> Timed<'a, S> {
    fn new(stream: &'a S, end: Instant) -> Self {
        Timed {
            stream,
            end: Some(end),
        }
    }

    /// Waits no longer than what is left, whatever trickles in.
    fn limit(&self) -> io::Result<()> {
        let Some(end) = self.end else {
            return Ok(());
        };
        match end.saturating_duration_since(Instant::now()) {
            Duration::ZERO => Err(ErrorKind::TimedOut.into()),
            left => self.stream.limit(Some(left)),
        }
    }
}

impl<S: Stream> Read for Timed<'_, S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.limit()?;
        self.stream.receive(buffer)
    }
}

impl<S: Stream> Write for Timed<'_, S> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.limit()?;
        self.stream.send(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What sockets of both kinds can do.
trait Stream: Send + 'static {
    fn prepare(&self) -> io::Result<()>;
    /// How long a read or a write may wait.
    fn limit(&self, time: Option<Duration>) -> io::Result<()>;
    fn receive(&self, buffer: &mut [u8]) -> io::Result<usize>;
    fn send(&self, buffer: &[u8]) -> io::Result<usize>;
}

impl Stream for UnixStream {
    fn prepare(&self) -> io::Result<()> {
        Ok(())
    }

    fn limit(&self, time: Option<Duration>) -> io::Result<()> {
        self.set_read_timeout(time)?;
        self.set_write_timeout(time)
    }

    fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        (&mut &*self).read(buffer)
    }

    fn send(&self, buffer: &[u8]) -> io::Result<usize> {
        (&mut &*self).write(buffer)
    }
}

impl Stream for TcpStream {
    /// Replies are sent at once.
    fn prepare(&self) -> io::Result<()> {
        self.set_nodelay(true)
    }

    fn limit(&self, time: Option<Duration>) -> io::Result<()> {
        self.set_read_timeout(time)?;
        self.set_write_timeout(time)
    }

    fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        (&mut &*self).read(buffer)
    }

    fn send(&self, buffer: &[u8]) -> io::Result<usize> {
        (&mut &*self).write(buffer)
    }
}
