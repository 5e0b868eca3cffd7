//! What is served.

use image::{Content, Data};

use crate::{Error, NAME_MAX, Result};

/// A content that clients see as a disk.
#[derive(Clone, Debug)]
pub struct Export {
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) content: Content,
    pub(crate) data: Data,
}

impl Export {
    /// A content under a name; clients that name none get it, too. `description` is shown to those that ask.
    ///
    /// # Errors
    /// When the name or the content is longer than clients take.
    pub fn new(name: &str, description: &str, content: Content) -> Result<Export> {
        let (len, size) = (name.len(), content.len());
        if len > NAME_MAX || description.len() > NAME_MAX {
            return Err(Error::NameTooLong {
                len: len.max(description.len()),
            });
        }
        if i64::try_from(size).is_err() {
            return Err(Error::TooLarge { size });
        }
        Ok(Export {
            name: name.into(),
            description: description.into(),
            data: Data::of(&content),
            content,
        })
    }

    /// Its bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.content.len()
    }

    /// What clients call it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether a client means it.
    pub(crate) fn is_called(&self, name: &[u8]) -> bool {
        name.is_empty() || name == self.name.as_bytes()
    }
}
