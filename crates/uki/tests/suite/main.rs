//! Unified kernel images against the tools that others wrote: ukify, systemd-measure, sbverify, osslsigncode, pesign.

#[path = "../../../../tests/zoo/oracle.rs"]
mod oracle;

mod bad;
mod measure;
mod signing;
mod ukify;
mod world;
