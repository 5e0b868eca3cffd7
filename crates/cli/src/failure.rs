//! Failures: a message, a hint, and a documented exit code.

use std::error::Error;
use std::io::{self, ErrorKind};
use std::path::Path;

use image::Fault;

/// Why a command failed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
    /// What was found nevertheless, for machines.
    pub(crate) found: Option<serde_json::Value>,
    fault: Fault,
}

impl Failure {
    /// The command line makes no sense.
    pub(crate) fn usage(message: impl Into<String>) -> Failure {
        Failure::new(Fault::Request, message)
    }

    /// The output cannot be written.
    pub(crate) fn output(message: impl Into<String>, hint: Option<String>) -> Failure {
        Failure {
            message: message.into(),
            hint,
            found: None,
            fault: Fault::Output,
        }
    }

    /// An input is missing, unreadable, or not what it claims to be.
    pub(crate) fn input(message: impl Into<String>) -> Failure {
        Failure::new(Fault::Input, message)
    }

    /// The user has asked for it.
    pub(crate) fn stopped() -> Failure {
        Failure::new(Fault::Cancelled, "stopped")
    }

    /// The user has asked for it, and something is to be said of it.
    pub(crate) fn stopped_because(message: impl Into<String>) -> Failure {
        Failure::new(Fault::Cancelled, message)
    }

    /// Whether the user has asked for it.
    pub(crate) fn is_stop(&self) -> bool {
        self.fault == Fault::Cancelled
    }

    pub(crate) fn new(fault: Fault, message: impl Into<String>) -> Failure {
        Failure {
            message: message.into(),
            hint: None,
            found: None,
            fault,
        }
    }

    /// What to do about it.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Failure {
        self.hint = Some(hint.into());
        self
    }

    /// Says what was found nevertheless.
    pub(crate) fn found(mut self, found: &impl serde::Serialize) -> Failure {
        self.found = serde_json::to_value(found).ok();
        self
    }

    /// Whether an image that was read is damaged.
    pub(crate) fn is_damage(&self) -> bool {
        self.fault == Fault::Damaged
    }

    /// Says which file it is about.
    pub(crate) fn at(mut self, path: &Path) -> Failure {
        self.message = format!("{}: {}", path.display(), self.message);
        self
    }

    /// Leaves out the name of a part that the user has never heard of.
    pub(crate) fn without_part(mut self, part: &str) -> Failure {
        let rest = self
            .message
            .strip_prefix(part)
            .and_then(|rest| rest.strip_prefix(": "));
        if let Some(rest) = rest {
            self.message = rest.to_string();
        }
        self.hint = self.hint.map(|hint| hint.replace(part, "it"));
        self
    }

    /// As `kiln --help` lists them.
    pub(crate) fn code(&self) -> u8 {
        match self.fault {
            Fault::Request => 2,
            Fault::Input => 3,
            Fault::Limit => 4,
            Fault::Output => 5,
            Fault::Damaged => 6,
            Fault::Untrusted => 7,
            Fault::Cancelled => 130,
        }
    }
}

impl From<spec::Error> for Failure {
    fn from(error: spec::Error) -> Self {
        let hint = match &error {
            spec::Error::Nix(nix::Error::Mismatch { .. }) => {
                Some("a store path was changed after it was registered: `nix-store --verify --check-contents --repair` mends a store; --rehash takes it as it is".into())
            }
            _ => error.hint().or_else(|| no_room(&error)),
        };
        Failure {
            message: match error.fault() {
                // Whichever part was being made, nothing is wrong with it.
                Fault::Cancelled => "stopped".to_string(),
                _ => error.to_string(),
            },
            hint,
            found: None,
            fault: error.fault(),
        }
    }
}

impl From<bundle::Error> for Failure {
    fn from(error: bundle::Error) -> Self {
        match error {
            bundle::Error::Signature(error) => error.into(),
            error => Failure {
                message: error.to_string(),
                hint: no_room(&error),
                found: None,
                fault: error.fault(),
            },
        }
    }
}

impl From<signature::Error> for Failure {
    fn from(error: signature::Error) -> Self {
        Failure::from(&error)
    }
}

impl From<&signature::Error> for Failure {
    fn from(error: &signature::Error) -> Self {
        use signature::Error;
        let hint = match error {
            Error::PassphraseMissing => "give --passphrase-file with a file whose first line it is",
            Error::KeyMismatch { .. } => "--key and --certificate have to belong together",
            Error::OutsideValidity { .. } => "choose another --signing-time, or renew the certificate",
            Error::CommandTimeout { .. } => "give it longer with --signer-timeout",
            Error::IssuerMissing { .. } => {
                "give the certificates between it and the keyring's with --intermediate when signing; or it is signed by \
                 somebody else"
            }
            Error::IssuerNotInKeyring { .. } => {
                "put the certificate of that issuer into the keyring, too; for devices with that setting, give --partial-chain"
            }
            Error::IssuerAmbiguous { .. } => {
                "leave only one certificate of that name and key in the keyring, the valid one; certificates with key \
                 identifiers are told apart by them"
            }
            _ => return Failure::new(error.fault(), error.to_string()),
        };
        Failure::new(error.fault(), error.to_string()).hint(hint)
    }
}

impl From<cache::Error> for Failure {
    fn from(error: cache::Error) -> Self {
        Failure {
            message: error.to_string(),
            hint: error.hint().or_else(|| no_room(&error)),
            found: None,
            fault: error.fault(),
        }
    }
}

impl From<inspect::Error> for Failure {
    fn from(error: inspect::Error) -> Self {
        Failure {
            message: match error.fault() {
                Fault::Cancelled => "stopped".to_string(),
                _ => error.to_string(),
            },
            hint: error.hint().or_else(|| no_room(&error)),
            found: None,
            fault: error.fault(),
        }
    }
}

impl From<flash::Error> for Failure {
    fn from(error: flash::Error) -> Self {
        Failure {
            message: error.to_string(),
            hint: error.hint(),
            found: None,
            fault: error.fault(),
        }
    }
}

impl From<nbd::Error> for Failure {
    fn from(error: nbd::Error) -> Self {
        Failure {
            message: error.to_string(),
            hint: error.hint(),
            found: None,
            fault: error.fault(),
        }
    }
}

impl From<image::Error> for Failure {
    fn from(error: image::Error) -> Self {
        Failure {
            message: error.to_string(),
            hint: no_room(&error),
            found: None,
            fault: error.fault(),
        }
    }
}

/// What to do when the system has no room for an output.
fn no_room(error: &(dyn Error + 'static)) -> Option<String> {
    let mut cause = Some(error);
    let kind = loop {
        let error = cause?;
        if let Some(error) = error.downcast_ref::<io::Error>() {
            break error.kind();
        }
        cause = error.source();
    };
    let hint = match kind {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            "nothing was left behind; make room on that disk, or choose another --out"
        }
        ErrorKind::FileTooLarge => {
            "nothing was left behind; that disk's file system, or the limit that `ulimit -f` shows, allows no file \
             this large"
        }
        _ => return None,
    };
    Some(hint.to_string())
}
