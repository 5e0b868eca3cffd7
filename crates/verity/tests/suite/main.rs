//! Trees, made and checked; and what others make and check.
#![expect(clippy::unwrap_used, clippy::panic, reason = "functions of tests")]

#[path = "../../../../tests/zoo/oracle.rs"]
mod oracle;
mod oracles;
mod signatures;
mod support;
mod trees;
