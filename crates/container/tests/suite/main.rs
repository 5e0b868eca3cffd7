//! Containers, and what others say of them.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "functions of tests")]

#[path = "../../../../tests/zoo/oracle.rs"]
mod oracle;

mod bad;
mod disks;
mod oracles;
mod read;
mod same;
