//! Sizes of parts: which are exact, and which may not be larger.

use crate::error::{Error, Result};
use crate::parts::{Detail, Part};

impl Part {
    /// Whether the size is the most that it can take.
    #[must_use]
    pub fn is_estimate(&self) -> bool {
        matches!(
            self.detail,
            Detail::Squashfs { estimate: true, .. }
                | Detail::Ext4 { estimate: true, .. }
                | Detail::Btrfs { estimate: true, .. }
                | Detail::Erofs { estimate: true, .. }
                | Detail::Verity { estimate: true, .. }
                | Detail::Uki { estimate: true, .. }
                | Detail::Efi { estimate: true, .. }
        )
    }

    /// Checks a limit of a file system whose size follows from its content.
    pub(crate) fn check_size(&self, limit: u64, limit_place: &str) -> Result<()> {
        let largest = match &self.detail {
            Detail::Squashfs { largest, .. } | Detail::Erofs { largest, .. } => largest.clone(),
            _ => Vec::new(),
        };
        let size = self.content.len();
        if self.is_estimate() || size <= limit {
            return Ok(());
        }
        Err(Error::TooLarge {
            part: self.name.clone(),
            size,
            limit,
            limit_place: limit_place.to_string(),
            largest,
        })
    }
}
