//! The tests of signatures, in one program.
#![expect(clippy::unwrap_used, clippy::panic, reason = "functions of tests")]

mod bare;
mod case;
mod chains;
mod commands;
mod detached;
mod device;
mod hostile;
mod keyrings;
mod keys;
mod matrix;
mod openpgp;
#[path = "../../../../tests/zoo/oracle.rs"]
mod oracle;
mod oracles;
mod pinned;
mod pki;
mod revoked;
