//! A client that says whatever a test wants, and a server for it.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use image::{Content, Image, Layout};
use nbd::{Address, Export, Limits, Serving};
use tempfile::TempDir;

pub(crate) const MIB: u64 = 1 << 20;
pub(crate) const SIZE: u64 = 64 * MIB;

/// The numbers of errors to options.
pub(crate) const UNSUP: u32 = 1 << 31 | 1;
pub(crate) const INVALID: u32 = 1 << 31 | 3;
pub(crate) const UNKNOWN: u32 = 1 << 31 | 6;
pub(crate) const TOO_BIG: u32 = 1 << 31 | 9;

pub(crate) const EPERM: u32 = 1;
pub(crate) const EIO: u32 = 5;
pub(crate) const EINVAL: u32 = 22;
pub(crate) const EOVERFLOW: u32 = 75;

/// An image with 40 MiB of data, a hole, and a few bytes in it.
pub(crate) fn image() -> Image {
    let mut layout = Layout::new();
    let noise: Vec<u8> = (0..1u32 << 20)
        .flat_map(|number| (number ^ 0x5a5a).to_le_bytes())
        .collect();
    let noise = Content::from(noise);
    for number in 0..10 {
        layout.put(number * 4 * MIB, "noise", noise.clone());
    }
    layout.put(41 * MIB, "zeros", Content::Zeros(MIB));
    layout.put(50 * MIB + 5, "text", &b"text"[..]);
    layout.finish(SIZE).unwrap()
}

/// A server in a folder of its own.
pub(crate) struct World {
    pub(crate) folder: TempDir,
    pub(crate) serving: Serving,
}

impl World {
    pub(crate) fn new() -> World {
        World::with(image().into(), Limits::default())
    }

    pub(crate) fn with(content: Content, limits: Limits) -> World {
        let folder = tempfile::tempdir().unwrap();
        let address = Address::Socket(folder.path().join("s"));
        let export = Export::new("disk", "a planned image", content).unwrap();
        let serving = nbd::start(export, &address, limits).unwrap();
        World { folder, serving }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("s")
    }

    /// A client that has read the greeting.
    pub(crate) fn greeted(&self) -> Client {
        let stream = UnixStream::connect(self.socket()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut client = Client(stream);
        assert_eq!(client.bytes(18).unwrap(), b"NBDMAGICIHAVEOPT\0\x03");
        client
    }

    /// A client that has said its flags.
    pub(crate) fn client(&self) -> Client {
        let mut client = self.greeted();
        client.say(&3u32.to_be_bytes());
        client
    }

    /// A client in the transmission, with structured replies and allocation if wanted.
    pub(crate) fn ready(&self, structured: bool) -> Client {
        let mut client = self.client();
        if structured {
            assert_eq!(client.ask(8, &[]), [(1, vec![])]);
            let asked = [&text(b"disk")[..], &1u32.to_be_bytes(), &text(b"base:allocation")].concat();
            assert_eq!(client.ask(10, &asked).len(), 2);
        }
        let answers = client.ask(7, &wanted(b"", &[]));
        assert_eq!(answers.last().unwrap().0, 1);
        client
    }

    /// Somebody else is served as ever.
    pub(crate) fn lives(&self) {
        let mut client = self.ready(true);
        client.request(0, 0, 50 * MIB, 4096);
        let chunk = client.chunk().unwrap();
        assert_eq!((chunk.kind, &chunk.data[8 + 5..8 + 9]), (1, &b"text"[..]));
    }
}

/// A length, and as many bytes.
pub(crate) fn text(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}

/// What INFO and GO have.
pub(crate) fn wanted(name: &[u8], infos: &[u16]) -> Vec<u8> {
    let mut data = text(name);
    data.extend(u16::try_from(infos.len()).unwrap().to_be_bytes());
    data.extend(infos.iter().flat_map(|info| info.to_be_bytes()));
    data
}

pub(crate) struct Client(pub(crate) UnixStream);

/// A chunk of a structured reply.
#[derive(Debug)]
pub(crate) struct Chunk {
    pub(crate) is_last: bool,
    pub(crate) kind: u16,
    pub(crate) data: Vec<u8>,
}

impl Chunk {
    /// The error, if it is one.
    pub(crate) fn error(&self) -> Option<u32> {
        (self.kind >= 1 << 15).then(|| u32::from_be_bytes(self.data[..4].try_into().unwrap()))
    }
}

impl Client {
    pub(crate) fn say(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).unwrap();
    }

    /// So many bytes, or none when the connection is closed before.
    pub(crate) fn bytes(&mut self, len: usize) -> Option<Vec<u8>> {
        let mut bytes = vec![0; len];
        match self.0.read_exact(&mut bytes) {
            Ok(()) => Some(bytes),
            Err(error) => {
                let closed = [
                    std::io::ErrorKind::UnexpectedEof,
                    std::io::ErrorKind::ConnectionReset,
                    std::io::ErrorKind::BrokenPipe,
                ];
                assert!(closed.contains(&error.kind()), "{error}");
                None
            }
        }
    }

    pub(crate) fn is_closed(&mut self) -> bool {
        self.bytes(1).is_none()
    }

    pub(crate) fn option(&mut self, number: u32, len: u32, data: &[u8]) {
        self.say(&[&b"IHAVEOPT"[..], &number.to_be_bytes(), &len.to_be_bytes(), data].concat());
    }

    /// A reply to an option: its type and its data.
    pub(crate) fn reply(&mut self, number: u32) -> Option<(u32, Vec<u8>)> {
        let header = self.bytes(20)?;
        let word = |start: usize| u32::from_be_bytes(header[start..start + 4].try_into().unwrap());
        assert_eq!(header[..8], 0x0003_e889_0455_65a9_u64.to_be_bytes());
        assert_eq!(word(8), number);
        Some((word(12), self.bytes(word(16) as usize)?))
    }

    /// All replies to an option, up to an acknowledgment or an error.
    pub(crate) fn ask(&mut self, number: u32, data: &[u8]) -> Vec<(u32, Vec<u8>)> {
        self.option(number, u32::try_from(data.len()).unwrap(), data);
        let mut replies = Vec::new();
        loop {
            let reply = self.reply(number).unwrap();
            let is_last = reply.0 == 1 || reply.0 >= 1 << 31;
            replies.push(reply);
            if is_last {
                return replies;
            }
        }
    }

    /// The type of the only reply to an option.
    pub(crate) fn refusal(&mut self, number: u32, data: &[u8]) -> u32 {
        let replies = self.ask(number, data);
        assert_eq!(replies.len(), 1);
        replies[0].0
    }

    pub(crate) fn request(&mut self, command: u16, flags: u16, start: u64, len: u32) {
        let mut bytes = 0x2560_9513u32.to_be_bytes().to_vec();
        bytes.extend(flags.to_be_bytes());
        bytes.extend(command.to_be_bytes());
        bytes.extend(*b"a cookie");
        bytes.extend(start.to_be_bytes());
        bytes.extend(len.to_be_bytes());
        self.say(&bytes);
    }

    /// The error of a simple reply, whose data come behind it.
    pub(crate) fn simple(&mut self) -> Option<u32> {
        let header = self.bytes(16)?;
        assert_eq!(header[..4], 0x6744_6698u32.to_be_bytes());
        assert_eq!(header[8..], *b"a cookie");
        Some(u32::from_be_bytes(header[4..8].try_into().unwrap()))
    }

    pub(crate) fn chunk(&mut self) -> Option<Chunk> {
        let header = self.bytes(20)?;
        assert_eq!(header[..4], 0x668e_33efu32.to_be_bytes());
        assert_eq!(header[8..16], *b"a cookie");
        let short = |start: usize| u16::from_be_bytes([header[start], header[start + 1]]);
        let len = u32::from_be_bytes(header[16..].try_into().unwrap());
        Some(Chunk {
            is_last: short(4) == 1,
            kind: short(6),
            data: self.bytes(len as usize)?,
        })
    }

    /// All chunks of a reply.
    pub(crate) fn chunks(&mut self) -> Vec<Chunk> {
        let mut chunks = Vec::new();
        while chunks.last().is_none_or(|chunk: &Chunk| !chunk.is_last) {
            chunks.push(self.chunk().unwrap());
        }
        chunks
    }
}
