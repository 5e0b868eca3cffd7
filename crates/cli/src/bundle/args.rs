//! What can be said to `kiln bundle`.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};

use crate::args::{Caching, Effort};

#[derive(Debug, clap::Args)]
pub(crate) struct Bundle {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make the bundle that a specification describes, and nothing else
    Build(Build),
    /// Sign an unsigned bundle
    Sign(Sign),
    /// Take a signature that was made elsewhere
    Attach(Attach),
    /// Sign a bundle anew, with another key or at another time; what is signed stays the same
    Resign(Resign),
    /// Check everything: signature, certificates, tree, images, indices
    Verify(Verify),
    /// Show what is in a bundle, and who signed it
    Info(Info),
    /// Check everything, and unpack the images
    Extract(Extract),
}

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Build {
    /// The specification, TOML or JSON
    pub(crate) spec: PathBuf,
    /// The folder that receives the outputs
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// What all ids derive from, in place of the specification's seed
    #[arg(long)]
    pub(crate) seed: Option<String>,
    /// How hard squashfs are compressed, in place of the specification's profile
    #[arg(long, value_name = "PROFILE")]
    pub(crate) profile: Option<Effort>,
    /// Where a store path is not what it is registered as, take it as it is
    #[arg(long)]
    pub(crate) rehash: bool,
    #[command(flatten)]
    pub(crate) fetch: crate::args::Fetch,
    #[command(flatten)]
    pub(crate) caching: Caching,
    #[command(flatten)]
    pub(crate) signing: Signing,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Sign {
    /// The unsigned bundle
    pub(crate) bundle: PathBuf,
    /// The output
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) credentials: Credentials,
    #[command(flatten)]
    pub(crate) trust: Trust,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Attach {
    /// The unsigned bundle
    pub(crate) bundle: PathBuf,
    /// The signature: CMS with the manifest in it, in DER, as `openssl cms -sign -nodetach -binary -outform DER` makes it
    pub(crate) signature: PathBuf,
    /// The output
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) trust: Trust,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Resign {
    /// The signed bundle
    pub(crate) bundle: PathBuf,
    /// The output
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) credentials: Credentials,
    #[command(flatten)]
    pub(crate) trust: Trust,
    /// The certificates that the old signature is checked against, when they are others than the new one's
    #[arg(long, value_name = "FILE")]
    pub(crate) old_keyring: Option<PathBuf>,
    /// The time at which the old certificates must have been valid, in seconds since 1970, or `now`, which is usual
    #[arg(long, value_name = "TIME")]
    pub(crate) old_at: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Verify {
    /// The bundle
    pub(crate) bundle: PathBuf,
    #[command(flatten)]
    pub(crate) trust: Trust,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Info {
    /// The bundle; an unsigned one, too
    pub(crate) bundle: PathBuf,
    /// Show what a bundle says although nobody vouches for it
    #[arg(long, conflicts_with = "keyring")]
    pub(crate) no_verify: bool,
    #[command(flatten)]
    pub(crate) trust: Trust,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Extract {
    /// The bundle
    pub(crate) bundle: PathBuf,
    /// The folder that receives the files; it must be empty
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) trust: Trust,
}

/// How a bundle that is built gets its signature.
#[derive(Clone, Debug, Default, clap::Args)]
#[group(skip)]
pub(crate) struct Signing {
    /// Leave the bundle unsigned, and write what is to be signed beside it
    #[arg(long, conflicts_with_all = ["key", "signer_cmd", "certificate"])]
    pub(crate) unsigned: bool,
    #[command(flatten)]
    pub(crate) credentials: Credentials,
    #[command(flatten)]
    pub(crate) trust: Trust,
}

/// Who signs.
#[derive(Clone, Debug, Default, clap::Args)]
#[group(skip)]
pub(crate) struct Credentials {
    /// The key: P-256, P-384, or RSA of 2048 to 4096 bits, in PEM
    #[arg(long, value_name = "FILE", conflicts_with = "signer_cmd")]
    pub(crate) key: Option<PathBuf>,
    /// A file whose first line is the key's pass phrase
    #[arg(long, value_name = "FILE", requires = "key")]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// A command that signs what it reads from standard input, for keys that live elsewhere
    #[arg(long, value_name = "COMMAND")]
    pub(crate) signer_cmd: Option<String>,
    /// After how many seconds that command is stopped
    #[arg(long, value_name = "SECONDS", default_value_t = 120, requires = "signer_cmd",
        value_parser = clap::value_parser!(u64).range(1..=86400))]
    pub(crate) signer_timeout: u64,
    /// The signer's certificate, in PEM or DER; more in it are its intermediates
    #[arg(long, value_name = "FILE")]
    pub(crate) certificate: Option<PathBuf>,
    /// A certificate between it and the devices' own; can be repeated
    #[arg(long, value_name = "FILE")]
    pub(crate) intermediate: Vec<PathBuf>,
    /// The time of signing, in seconds since 1970, or `now`; `$SOURCE_DATE_EPOCH` when not given
    #[arg(long, value_name = "TIME")]
    pub(crate) signing_time: Option<String>,
}

/// Whom to trust.
#[derive(Clone, Debug, Default, clap::Args)]
#[group(skip)]
pub(crate) struct Trust {
    /// The certificates that devices trust, in PEM or DER
    #[arg(long, value_name = "FILE")]
    pub(crate) keyring: Option<PathBuf>,
    /// What the signer's certificate must be good for; smimesign when nothing is said, as on devices
    #[arg(long, value_name = "WHAT")]
    pub(crate) purpose: Option<Purpose>,
    /// A list of revoked certificates, in PEM or DER; can be repeated
    #[arg(long, value_name = "FILE")]
    pub(crate) crl: Vec<PathBuf>,
    /// Trust any certificate of the keyring, not only those that are nobody else's
    #[arg(long)]
    pub(crate) partial_chain: bool,
    /// The signer's common name must be this one, or another that is given so; can be repeated
    #[arg(long, value_name = "NAME")]
    pub(crate) allowed_signer: Vec<String>,
    /// The time at which certificates must be valid, in seconds since 1970, or `now`. When not given: now, and the time of
    /// signing where something is signed
    #[arg(long, value_name = "TIME")]
    pub(crate) at: Option<String>,
}

/// What certificates are good for, in RAUC's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Purpose {
    /// Signing mail
    Smimesign,
    /// Signing code
    Codesign,
    /// Whatever
    Any,
}
