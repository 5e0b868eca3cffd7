//! What to do about errors.

use crate::Error;

impl Error {
    /// What to do about it, where that is known.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::Text { hint, .. } | Error::Unknown { hint, .. } => hint.clone(),
            Error::FileTwice { .. } => Some("give one of them another name with the key `file`".into()),
            Error::Nix(nix::Error::AmbiguousToplevel { .. }) => {
                Some("say which one it is with the key `toplevel` of [closure]".into())
            }
            Error::Nix(error) => error.hint(),
            Error::Container { source, .. } => source.hint(),
            Error::Disk(error) => error.hint(),
            Error::Squashfs {
                source: squashfs::Error::Xattr { .. },
                ..
            }
            | Error::Ext4 {
                source: ext4::Error::BadXattr { .. },
                ..
            }
            | Error::Btrfs {
                source: btrfs::Error::BadXattr { .. },
                ..
            }
            | Error::Erofs {
                source: erofs::Error::BadXattr { .. },
                ..
            } => Some(
                "name those that stay with the key `xattrs` (--keep-xattr), such as \"security.*\"; or do not keep any".into(),
            ),
            Error::Squashfs {
                source: squashfs::Error::Time { .. },
                ..
            }
            | Error::Ext4 {
                source: ext4::Error::TimeOutOfRange { .. },
                ..
            }
            | Error::Fat {
                source: fat::Error::Time { .. },
                ..
            } => Some("give it another time with `attributes`, or do not keep times".into()),
            Error::Squashfs {
                source: squashfs::Error::Nobody { .. },
                ..
            }
            | Error::Ext4 {
                source: ext4::Error::Nobody { .. },
                ..
            }
            | Error::Btrfs {
                source: btrfs::Error::Nobody { .. },
                ..
            }
            | Error::Erofs {
                source: erofs::Error::Nobody { .. },
                ..
            } => Some("give it to somebody else with `attributes`, or do not keep owners".into()),
            Error::Fat {
                source: fat::Error::Unsupported { what, .. },
                ..
            } if what.contains("link") => Some(
                "leave it out with `exclude`; `follow-links` puts what links lead to in their place".into(),
            ),
            _ if self.can_be_left_out() => Some("leave it out with `exclude`".into()),
            _ => self.other_hint(),
        }
    }

    /// Whether it is about a file that a format cannot hold.
    fn can_be_left_out(&self) -> bool {
        matches!(
            self,
            Error::Squashfs {
                source: squashfs::Error::DeviceNumber { .. }
                    | squashfs::Error::TargetTooLong { .. }
                    | squashfs::Error::TargetWithZero { .. },
                ..
            } | Error::Ext4 {
                source: ext4::Error::DeviceNumber { .. }
                    | ext4::Error::TargetTooLong { .. }
                    | ext4::Error::TargetEmpty { .. }
                    | ext4::Error::TargetWithZero { .. }
                    | ext4::Error::TooManyLinks { .. }
                    | ext4::Error::FileTooLarge { .. },
                ..
            } | Error::Btrfs {
                source: btrfs::Error::DeviceNumber { .. }
                    | btrfs::Error::TargetTooLong { .. }
                    | btrfs::Error::TargetEmpty { .. }
                    | btrfs::Error::TargetWithZero { .. }
                    | btrfs::Error::TooManyLinks { .. }
                    | btrfs::Error::TooManyCollisions { .. }
                    | btrfs::Error::FileTooLarge { .. },
                ..
            } | Error::Erofs {
                source: erofs::Error::DeviceNumber { .. }
                    | erofs::Error::TargetTooLong { .. }
                    | erofs::Error::TargetEmpty { .. }
                    | erofs::Error::TargetWithZero { .. }
                    | erofs::Error::FileTooLarge { .. },
                ..
            } | Error::Fat {
                source: fat::Error::Unsupported { .. }
                    | fat::Error::BadName { .. }
                    | fat::Error::CaseClash { .. }
                    | fat::Error::FileTooLarge { .. },
                ..
            }
        )
    }

    /// What to do about what does not fit, or does not belong together.
    fn other_hint(&self) -> Option<String> {
        match self {
            Error::Misfit { hint, .. } => Some(hint.clone()),
            Error::RootSignature { root, source, .. } => hint_of_signature(root, source),
            Error::TooLarge { limit_place, .. } => {
                Some(format!("take something out of it, or raise {limit_place}"))
            }
            Error::Fat {
                part,
                source: fat::Error::Full { .. },
            }
            | Error::Ext4 {
                part,
                source: ext4::Error::Full { .. },
            }
            | Error::Btrfs {
                part,
                source: btrfs::Error::Full { .. },
            } => Some(format!(
                "take something out of it, raise its size, or leave the size out to let {part} fit"
            )),
            _ => None,
        }
    }
}

/// What to do about a signature that is not one of this root hash.
fn hint_of_signature(root: &str, error: &signature::Error) -> Option<String> {
    use signature::Error;
    match error {
        Error::BadSignature { .. } => Some(format!(
            "what is signed has to be the 64 digits of the root hash and no more: {root}; `kiln build --unsigned` writes them"
        )),
        Error::Unsupported { .. } => {
            Some("`openssl smime -sign -binary -noattr -outform DER` makes one that Linux accepts".into())
        }
        _ => None,
    }
}
