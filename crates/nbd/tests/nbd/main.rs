//! What clients get: well-behaved ones, and those that are not.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod client;
mod conversations;
mod hostile;
mod sockets;
