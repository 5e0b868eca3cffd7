//! Trees, made and checked; and what others make and check.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "functions of tests"
)]

mod oracles;
mod support;
mod trees;
