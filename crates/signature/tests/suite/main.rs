//! The tests of signatures, in one program.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "functions of tests"
)]

mod case;
mod chains;
mod commands;
mod hostile;
mod keys;
mod oracles;
mod pinned;
mod pki;
mod revoked;
