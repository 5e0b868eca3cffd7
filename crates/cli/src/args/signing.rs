//! Who signs, and whom to trust.

use std::path::PathBuf;

use clap::ValueEnum;

/// How a bundle that is built gets its signature.
#[derive(Clone, Debug, Default, clap::Args)]
#[group(skip)]
pub(crate) struct Signing {
    /// Leave the bundle unsigned, and write what is to be signed beside it
    #[arg(long, conflicts_with_all = ["key", "signer_cmd", "certificate"])]
    pub(crate) unsigned: bool,
    #[command(flatten)]
    pub(crate) signature: Signature,
}

/// Who signs, and whom the signature has to be good for.
#[derive(Clone, Debug, Default, clap::Args)]
#[group(skip)]
pub(crate) struct Signature {
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
    /// The time of signing, in seconds since 1970, or `now`; `$SOURCE_DATE_EPOCH`, or when the certificate becomes valid,
    /// when not given
    #[arg(long, value_name = "TIME")]
    pub(crate) signing_time: Option<String>,
}

/// Who signs, where no chain of certificates is wanted.
#[derive(Clone, Debug, Default, clap::Args)]
#[group(skip)]
#[expect(clippy::struct_field_names, reason = "options are called as people say them")]
pub(crate) struct Signer {
    /// The key: RSA of 2048 to 4096 bits, in PEM
    #[arg(long, value_name = "FILE", conflicts_with = "signer_cmd")]
    pub(crate) key: Option<PathBuf>,
    /// A file whose first line is the key's pass phrase
    #[arg(long, value_name = "FILE", requires = "key")]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// A command that signs what it reads from standard input, for keys that live elsewhere
    #[arg(long, value_name = "COMMAND", requires = "certificate")]
    pub(crate) signer_cmd: Option<String>,
    /// After how many seconds that command is stopped
    #[arg(long, value_name = "SECONDS", default_value_t = 120, requires = "signer_cmd",
        value_parser = clap::value_parser!(u64).range(1..=86400))]
    pub(crate) signer_timeout: u64,
    /// A certificate of the key, in PEM or DER
    #[arg(long, value_name = "FILE")]
    pub(crate) certificate: Option<PathBuf>,
}

impl Credentials {
    /// The same where no chain of certificates is wanted.
    pub(crate) fn signer(&self) -> Signer {
        Signer {
            key: self.key.clone(),
            passphrase_file: self.passphrase_file.clone(),
            signer_cmd: self.signer_cmd.clone(),
            signer_timeout: self.signer_timeout,
            certificate: self.certificate.clone(),
        }
    }
}

/// Whom to trust.
#[derive(Clone, Debug, Default, clap::Args)]
#[group(skip)]
pub(crate) struct Trust {
    /// The certificates that devices trust, in PEM, which is all that devices read
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
