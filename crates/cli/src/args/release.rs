//! What can be said to `kiln release`.

use std::path::PathBuf;

use clap::Subcommand;
use spec::ReleaseSign;

use super::signing::Signer;

#[derive(Debug, clap::Args)]
pub(crate) struct Release {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Check a release as devices do: sums, signature, names, sizes; and what it changes
    Verify(Verify),
    /// Sign the sums of a release that was built without its key
    Sign(Sign),
    /// Make the keyring by which devices know a key
    Key(Key),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Verify {
    /// The folder of the release
    pub(crate) folder: PathBuf,
    /// The keys that devices have; nobody's signature is checked without them
    #[arg(long, value_name = "FILE")]
    pub(crate) keyring: Option<PathBuf>,
    /// An older release, a folder or the manifest of its build: whether this one fits its slots, and how much of it is new
    #[arg(long, value_name = "OLD")]
    pub(crate) against: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Sign {
    /// The folder of the release, which receives the signature
    pub(crate) folder: PathBuf,
    /// When it is signed, in seconds since 1970; when the key was made when not given
    #[arg(long, value_name = "SECONDS")]
    pub(crate) signature_time: Option<u32>,
    #[command(flatten)]
    pub(crate) credentials: Signer,
    #[command(flatten)]
    pub(crate) key: KeyTime,
}

#[derive(Debug, clap::Args)]
#[expect(
    clippy::struct_field_names,
    reason = "options of several verbs, which are called alike"
)]
pub(crate) struct Key {
    /// The output, such as import-pubring.gpg
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// What the key is called
    #[arg(long, value_name = "NAME", default_value = "release")]
    pub(crate) user: String,
    #[command(flatten)]
    pub(crate) credentials: Signer,
    #[command(flatten)]
    pub(crate) key: KeyTime,
}

/// When a key was made.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(crate) struct KeyTime {
    /// When the key was made, in seconds since 1970, which its fingerprint depends on; when the certificate becomes valid, or 1
    /// without one, when not given
    #[arg(long, value_name = "SECONDS")]
    pub(crate) key_time: Option<u32>,
}

impl KeyTime {
    /// As a specification says it.
    pub(crate) fn said(&self, time: Option<u32>) -> ReleaseSign {
        ReleaseSign {
            key_time: self.key_time,
            time,
            ..ReleaseSign::default()
        }
    }
}
