//! A web server that does what it is told, and often not what it should.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What goes wrong with an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// This status, for ever.
    Status(u16),
    /// This status for so many requests, then the object.
    StatusFirst(u16, usize),
    /// The connection ends after so many bytes of the object, however often it is asked for.
    Cut(usize),
    /// The same, but each time so many bytes further.
    CutFirst(usize),
    /// Nothing more comes after so many bytes.
    Stall(usize),
    /// Less is sent than there is, and said to be all.
    Short(usize),
}

/// A server of a folder, until the tests end.
pub(crate) struct Server {
    pub(crate) address: String,
    shared: Arc<Shared>,
}

struct Shared {
    folder: PathBuf,
    faults: BTreeMap<String, Fault>,
    ranges: bool,
    /// The requests so far: names, and where their ranges began.
    log: Mutex<Vec<(String, usize)>>,
}

impl Server {
    pub(crate) fn new(folder: PathBuf, faults: &[(&str, Fault)], ranges: bool) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let faults = faults
            .iter()
            .map(|(name, fault)| ((*name).to_string(), *fault))
            .collect();
        let log = Mutex::default();
        let shared = Arc::new(Shared {
            folder,
            faults,
            ranges,
            log,
        });
        let serving = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&serving);
                std::thread::spawn(move || drop(answer(&shared, stream)));
            }
        });
        Server { address, shared }
    }

    /// Where the requests for an object began.
    pub(crate) fn asked(&self, name: &str) -> Vec<usize> {
        let log = self.shared.log.lock().unwrap();
        log.iter()
            .filter(|(asked, _)| asked == name)
            .map(|(_, start)| *start)
            .collect()
    }
}

/// One request on a connection.
fn answer(shared: &Shared, mut stream: TcpStream) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    let name = request
        .split(' ')
        .nth(1)
        .unwrap_or_default()
        .trim_start_matches('/')
        .to_string();
    let mut start = 0;
    while let Some(line) = lines.next().transpose()?.filter(|line| !line.is_empty()) {
        if let Some(range) = line.to_ascii_lowercase().strip_prefix("range: bytes=") {
            start = range.trim_end_matches('-').parse().unwrap();
        }
    }
    let start = if shared.ranges { start } else { 0 };
    let earlier = {
        let mut log = shared.log.lock().unwrap();
        log.push((name.clone(), start));
        log.iter().filter(|(asked, _)| *asked == name).count() - 1
    };
    let fault = shared.faults.get(&name).copied();
    let Ok(mut bytes) = std::fs::read(shared.folder.join(&name)) else {
        return write!(
            stream,
            "HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        );
    };
    let status = match fault {
        Some(Fault::Status(status)) => Some(status),
        Some(Fault::StatusFirst(status, times)) if earlier < times => Some(status),
        _ => None,
    };
    if let Some(status) = status {
        return write!(
            stream,
            "HTTP/1.1 {status} No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        );
    }
    if let Some(Fault::Short(len)) = fault {
        bytes.truncate(len);
    }
    let (total, rest) = (bytes.len(), &bytes[start.min(bytes.len())..]);
    if start > 0 {
        write!(
            stream,
            "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {start}-{}/{total}\r\n",
            total - 1
        )?;
    } else {
        write!(stream, "HTTP/1.1 200 OK\r\n")?;
    }
    write!(
        stream,
        "Connection: close\r\nContent-Length: {}\r\n\r\n",
        rest.len()
    )?;
    let sent = match fault {
        Some(Fault::Cut(len)) => len.saturating_sub(start).min(rest.len()),
        Some(Fault::CutFirst(len) | Fault::Stall(len)) => len.min(rest.len()),
        _ => rest.len(),
    };
    stream.write_all(&rest[..sent])?;
    stream.flush()?;
    if matches!(fault, Some(Fault::Stall(_))) {
        std::thread::sleep(Duration::from_secs(20));
    }
    Ok(())
}
