//! Unified kernel images against the tools that others wrote: ukify, systemd-measure, sbverify, osslsigncode, pesign.
#![expect(clippy::unwrap_used, reason = "functions of tests")]

#[path = "../../../../tests/zoo/oracle.rs"]
mod oracle;

mod bad;
mod hardware;
mod measure;
mod policies;
mod signing;
mod ukify;
mod world;
