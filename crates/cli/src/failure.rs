//! Failures: a message, a hint, and a documented exit code.

use image::Fault;

/// Why a command failed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
    fault: Fault,
}

impl Failure {
    /// The command line makes no sense.
    pub(crate) fn usage(message: impl Into<String>) -> Failure {
        Failure {
            message: message.into(),
            hint: None,
            fault: Fault::Request,
        }
    }

    /// The output cannot be written.
    pub(crate) fn output(message: impl Into<String>, hint: Option<String>) -> Failure {
        Failure {
            message: message.into(),
            hint,
            fault: Fault::Output,
        }
    }

    /// As `kiln --help` lists them.
    pub(crate) fn code(&self) -> u8 {
        match self.fault {
            Fault::Request => 2,
            Fault::Input => 3,
            Fault::Limit => 4,
            Fault::Output => 5,
            Fault::Damaged => 6,
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
            _ => error.hint(),
        };
        Failure {
            message: error.to_string(),
            hint,
            fault: error.fault(),
        }
    }
}

impl From<image::Error> for Failure {
    fn from(error: image::Error) -> Self {
        let full = matches!(&error, image::Error::Write { source, .. } if source.kind() == std::io::ErrorKind::StorageFull);
        let hint = full
            .then(|| "nothing was left behind; make room on that disk, or choose another --out".to_string());
        Failure {
            message: error.to_string(),
            hint,
            fault: error.fault(),
        }
    }
}
