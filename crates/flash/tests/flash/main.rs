//! Disks of made-up systems, and images written to files that stand for disks.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod hosts;
mod writing;
