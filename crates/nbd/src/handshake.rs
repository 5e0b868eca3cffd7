//! The handshake: options and replies, until both sides agree on an export.

use std::io::{self, Read, Write};

use crate::Export;
use crate::format::{
    BLOCK, BLOCK_MIN, CLIENT_NO_ZEROES, CONTEXT, CONTEXT_ID, CONTEXT_KIND, EXPORT_NAME_ZEROS,
    HANDSHAKE_FLAGS, NBD_MAGIC, OPTION_LEN, OPTION_MAGIC, OPTION_REPLY_MAGIC, PAYLOAD_MAX,
    TRANSMISSION_FLAGS, info, option, reply,
};
use crate::options::{Queries, Wanted};

/// As many options are answered on a connection.
const OPTIONS_MAX: u32 = 64;

/// The longest option that is looked at.
const OPTION_MAX: u32 = 64 << 10;

/// The longest option that is read to be dropped.
const DROPPED_MAX: u32 = 4 << 20;

/// What both sides have agreed on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Agreed {
    /// Reads are answered in chunks, which can be holes.
    pub structured: bool,
    /// The client may ask where data is.
    pub allocation: bool,
}

/// What becomes of a connection after an option.
enum Next {
    Option,
    Transmission,
    End,
}

/// Leads the handshake. Nothing is agreed on when the client only wanted to look.
///
/// # Errors
/// When the connection breaks, or the client breaks the protocol.
pub fn negotiate(
    input: &mut impl Read,
    output: &mut impl Write,
    export: &Export,
) -> io::Result<Option<Agreed>> {
    let mut hello = Vec::new();
    hello.extend(NBD_MAGIC);
    hello.extend(OPTION_MAGIC);
    hello.extend(HANDSHAKE_FLAGS.to_be_bytes());
    output.write_all(&hello)?;
    let flags = u32::from_be_bytes(array(input)?);
    if flags & !u32::from(HANDSHAKE_FLAGS) != 0 {
        return Err(broken("unknown flags of a client"));
    }
    let mut handshake = Handshake {
        output,
        export,
        has_zeros: flags & CLIENT_NO_ZEROES == 0,
        agreed: Agreed::default(),
    };
    for _ in 0..OPTIONS_MAX {
        let header: [u8; OPTION_LEN] = array(input)?;
        let (magic, number, len) = (&header[..8], word(&header, 8), word(&header, 12));
        if magic != OPTION_MAGIC {
            return Err(broken("no option"));
        }
        if len > OPTION_MAX {
            if len > DROPPED_MAX || number == option::EXPORT_NAME {
                return Err(broken("an option that is too long"));
            }
            discard(input, len)?;
            handshake.refuse(number, reply::ERR_TOO_BIG, "the option is too long")?;
            continue;
        }
        let mut data = Vec::new();
        input.take(u64::from(len)).read_to_end(&mut data)?;
        if data.len() < len as usize {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match handshake.answer(number, &data)? {
            Next::Option => {}
            Next::Transmission => return Ok(Some(handshake.agreed)),
            Next::End => return Ok(None),
        }
    }
    Err(broken("too many options"))
}

struct Handshake<'a, W> {
    output: &'a mut W,
    export: &'a Export,
    /// Whether the answer to `EXPORT_NAME` has zeros behind it.
    has_zeros: bool,
    agreed: Agreed,
}

impl<W: Write> Handshake<'_, W> {
    fn answer(&mut self, number: u32, data: &[u8]) -> io::Result<Next> {
        match number {
            option::EXPORT_NAME => return self.export_name(data),
            option::ABORT => {
                self.reply(number, reply::ACK, &[])?;
                return Ok(Next::End);
            }
            option::INFO | option::GO => return self.info(number, data),
            option::LIST if data.is_empty() => {
                self.reply(number, reply::SERVER, &text(self.export.name.as_bytes()))?;
                self.reply(number, reply::ACK, &[])?;
            }
            option::STRUCTURED_REPLY if data.is_empty() => {
                self.agreed.structured = true;
                self.reply(number, reply::ACK, &[])?;
            }
            option::LIST | option::STRUCTURED_REPLY => {
                self.refuse(number, reply::ERR_INVALID, "this option has no data")?;
            }
            option::LIST_META_CONTEXT | option::SET_META_CONTEXT => self.contexts(number, data)?,
            _ => self.refuse(number, reply::ERR_UNSUP, "this option is not known here")?,
        }
        Ok(Next::Option)
    }

    /// The old way to choose an export, in which no error can be told.
    fn export_name(&mut self, name: &[u8]) -> io::Result<Next> {
        if !self.export.is_called(name) {
            return Err(broken("an export of another name"));
        }
        let mut bytes = self.export_info();
        if self.has_zeros {
            bytes.extend([0; EXPORT_NAME_ZEROS]);
        }
        self.output.write_all(&bytes)?;
        Ok(Next::Transmission)
    }

    fn info(&mut self, number: u32, data: &[u8]) -> io::Result<Next> {
        let Some(wanted) = Wanted::read(data) else {
            self.refuse(number, reply::ERR_INVALID, "lengths that do not add up")?;
            return Ok(Next::Option);
        };
        if !self.export.is_called(wanted.name) {
            self.refuse(number, reply::ERR_UNKNOWN, "no export has that name")?;
            return Ok(Next::Option);
        }
        let of = |kind: u16, bytes: &[u8]| [&kind.to_be_bytes(), bytes].concat();
        self.reply(number, reply::INFO, &of(info::EXPORT, &self.export_info()))?;
        let is_wanted = |kind| wanted.infos.contains(&kind);
        if is_wanted(info::NAME) {
            self.reply(number, reply::INFO, &of(info::NAME, self.export.name.as_bytes()))?;
        }
        if is_wanted(info::DESCRIPTION) {
            let description = of(info::DESCRIPTION, self.export.description.as_bytes());
            self.reply(number, reply::INFO, &description)?;
        }
        if is_wanted(info::BLOCK_SIZE) {
            let sizes = [BLOCK_MIN, BLOCK, PAYLOAD_MAX].map(u32::to_be_bytes).concat();
            self.reply(number, reply::INFO, &of(info::BLOCK_SIZE, &sizes))?;
        }
        self.reply(number, reply::ACK, &[])?;
        Ok(match number {
            option::GO => Next::Transmission,
            _ => Next::Option,
        })
    }

    fn contexts(&mut self, number: u32, data: &[u8]) -> io::Result<()> {
        if !self.agreed.structured {
            return self.refuse(number, reply::ERR_INVALID, "structured replies come first");
        }
        let Some(asked) = Queries::read(data) else {
            return self.refuse(number, reply::ERR_INVALID, "lengths that do not add up");
        };
        if !self.export.is_called(asked.name) {
            return self.refuse(number, reply::ERR_UNKNOWN, "no export has that name");
        }
        let lists = number == option::LIST_META_CONTEXT;
        let has = |wanted: &[u8]| asked.queries.contains(&wanted);
        let is_meant = has(CONTEXT) || lists && (asked.queries.is_empty() || has(CONTEXT_KIND));
        if !lists {
            self.agreed.allocation = is_meant;
        }
        if is_meant {
            let context = [&CONTEXT_ID.to_be_bytes(), CONTEXT].concat();
            self.reply(number, reply::META_CONTEXT, &context)?;
        }
        self.reply(number, reply::ACK, &[])
    }

    /// Size and flags.
    fn export_info(&self) -> Vec<u8> {
        let mut bytes = self.export.size().to_be_bytes().to_vec();
        bytes.extend(TRANSMISSION_FLAGS.to_be_bytes());
        bytes
    }

    fn refuse(&mut self, number: u32, kind: u32, why: &str) -> io::Result<()> {
        self.reply(number, kind, why.as_bytes())
    }

    fn reply(&mut self, number: u32, kind: u32, data: &[u8]) -> io::Result<()> {
        let mut bytes = OPTION_REPLY_MAGIC.to_be_bytes().to_vec();
        bytes.extend(number.to_be_bytes());
        bytes.extend(kind.to_be_bytes());
        bytes.extend(text(data));
        self.output.write_all(&bytes)
    }
}

/// A length, and as many bytes. All that is said so is short.
fn text(bytes: &[u8]) -> Vec<u8> {
    let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    [&len.to_be_bytes(), bytes].concat()
}

/// Reads a number of bytes.
pub(crate) fn array<const N: usize>(input: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    input.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// A number in a header, whose place is within it.
pub(crate) fn word(header: &[u8], start: usize) -> u32 {
    header[start..start + 4]
        .iter()
        .fold(0, |word, byte| word << 8 | u32::from(*byte))
}

/// Reads bytes that nobody wants.
pub(crate) fn discard(input: &mut impl Read, len: u32) -> io::Result<()> {
    let dropped = io::copy(&mut input.take(u64::from(len)), &mut io::sink())?;
    if dropped < u64::from(len) {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(())
}

/// The client has broken the protocol.
pub(crate) fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
