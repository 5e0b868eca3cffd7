//! The command line, as a user meets it: texts, exit codes, and what is in the output folder afterwards.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test may panic, and says what it skips"
)]

mod appliance;
mod btrfs;
mod btrfs_segments;
mod bundles;
mod cache;
mod changes;
mod containers;
mod described;
mod diff;
mod digests;
mod erofs;
mod ext4;
mod flash;
mod formats;
mod inputs;
mod kills;
mod layouts;
mod limits;
mod look;
mod names;
mod netboot;
mod old_manifests;
#[path = "../../../../tests/zoo/oracle.rs"]
mod oracle;
mod outputs;
mod passwords;
mod policies;
mod properties;
mod readings;
mod releases;
mod report;
mod requests;
mod results;
mod reused;
mod root_signatures;
mod run;
mod sboms;
mod segments;
mod serve;
mod shared_caches;
mod sources;
mod stopped;
mod stops;
mod texts;
mod transports;
mod trees;
mod trust;
mod ukis;
mod verbs;
mod verity;
mod waiting_verbs;
mod waits;
mod world;
mod written;
