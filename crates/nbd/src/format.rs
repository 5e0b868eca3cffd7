//! The protocol's numbers. All of them are big-endian.
//! <https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md#values>

/// What a server begins with.
pub(crate) const NBD_MAGIC: [u8; 8] = *b"NBDMAGIC";
/// What comes behind it, and what every option begins with.
pub(crate) const OPTION_MAGIC: [u8; 8] = *b"IHAVEOPT";
/// What a reply to an option begins with.
pub(crate) const OPTION_REPLY_MAGIC: u64 = 0x0003_e889_0455_65a9;
/// What a request begins with.
pub(crate) const REQUEST_MAGIC: u32 = 0x2560_9513;
/// What a simple reply begins with.
pub(crate) const SIMPLE_REPLY_MAGIC: u32 = 0x6744_6698;
/// What a chunk of a structured reply begins with.
pub(crate) const CHUNK_MAGIC: u32 = 0x668e_33ef;

/// Bytes of an option before its data.
pub(crate) const OPTION_LEN: usize = 16;
/// Bytes of a request.
pub(crate) const REQUEST_LEN: usize = 28;
/// Zeros behind the answer to `EXPORT_NAME`, unless both sides do without.
pub(crate) const EXPORT_NAME_ZEROS: usize = 124;

/// Handshake flags of the server: fixed newstyle, no zeros.
pub(crate) const HANDSHAKE_FLAGS: u16 = 0b11;
/// The same of a client: it does without the zeros.
pub(crate) const CLIENT_NO_ZEROES: u32 = 0b10;

/// Options.
pub(crate) mod option {
    pub(crate) const EXPORT_NAME: u32 = 1;
    pub(crate) const ABORT: u32 = 2;
    pub(crate) const LIST: u32 = 3;
    pub(crate) const INFO: u32 = 6;
    pub(crate) const GO: u32 = 7;
    pub(crate) const STRUCTURED_REPLY: u32 = 8;
    pub(crate) const LIST_META_CONTEXT: u32 = 9;
    pub(crate) const SET_META_CONTEXT: u32 = 10;
}

/// Types of replies to options.
pub(crate) mod reply {
    pub(crate) const ACK: u32 = 1;
    pub(crate) const SERVER: u32 = 2;
    pub(crate) const INFO: u32 = 3;
    pub(crate) const META_CONTEXT: u32 = 4;
    pub(crate) const ERR_UNSUP: u32 = 1 << 31 | 1;
    pub(crate) const ERR_INVALID: u32 = 1 << 31 | 3;
    pub(crate) const ERR_UNKNOWN: u32 = 1 << 31 | 6;
    pub(crate) const ERR_TOO_BIG: u32 = 1 << 31 | 9;
}

/// What can be said of an export.
pub(crate) mod info {
    pub(crate) const EXPORT: u16 = 0;
    pub(crate) const NAME: u16 = 1;
    pub(crate) const DESCRIPTION: u16 = 2;
    pub(crate) const BLOCK_SIZE: u16 = 3;
}

/// Transmission flags of every export: `HAS_FLAGS`, `READ_ONLY`, `SEND_DF`, `CAN_MULTI_CONN`.
pub(crate) const TRANSMISSION_FLAGS: u16 = 1 | 1 << 1 | 1 << 7 | 1 << 8;

/// Commands.
pub(crate) mod command {
    pub(crate) const READ: u16 = 0;
    pub(crate) const WRITE: u16 = 1;
    pub(crate) const DISC: u16 = 2;
    pub(crate) const TRIM: u16 = 4;
    pub(crate) const WRITE_ZEROES: u16 = 6;
    pub(crate) const BLOCK_STATUS: u16 = 7;
    /// Of a read: no fragments.
    pub(crate) const FLAG_DF: u16 = 1 << 2;
    /// Of a block status: one extent.
    pub(crate) const FLAG_REQ_ONE: u16 = 1 << 3;
}

/// Chunks of structured replies.
pub(crate) mod chunk {
    /// The last one.
    pub(crate) const FLAG_DONE: u16 = 1;
    pub(crate) const DATA: u16 = 1;
    pub(crate) const HOLE: u16 = 2;
    pub(crate) const BLOCK_STATUS: u16 = 5;
    pub(crate) const ERROR: u16 = 1 << 15 | 1;
    pub(crate) const ERROR_OFFSET: u16 = 1 << 15 | 2;
}

/// The numbers of errors.
pub(crate) mod errno {
    pub(crate) const EPERM: u32 = 1;
    pub(crate) const EIO: u32 = 5;
    pub(crate) const EINVAL: u32 = 22;
    pub(crate) const EOVERFLOW: u32 = 75;
}

/// The only metadata context.
pub(crate) const CONTEXT: &[u8] = b"base:allocation";
/// What asks for all contexts of its kind.
pub(crate) const CONTEXT_KIND: &[u8] = b"base:";
/// Its number on a connection.
pub(crate) const CONTEXT_ID: u32 = 1;
/// The state of a hole that reads as zeros.
pub(crate) const STATE_HOLE_ZERO: u32 = 0b11;

/// The smallest request.
pub(crate) const BLOCK_MIN: u32 = 1;
/// The unit in which data and holes are told apart, and requests are best made.
pub(crate) const BLOCK: u32 = 4096;
/// The longest read, and the longest write that is read to be dropped.
pub(crate) const PAYLOAD_MAX: u32 = 32 << 20;
/// As many extents are told at once.
pub(crate) const EXTENTS_MAX: usize = 4096;
