//! Going back: what is in a file that firmware starts.

use std::sync::Arc;

use image::Content;

use crate::pe::Pe;
use crate::{Machine, Result};

/// A program that firmware starts, read.
#[derive(Clone, Debug)]
pub struct Program {
    /// What it is for.
    pub machine: Machine,
    /// Its sections in the order of the table: names without zeros behind them, and as many bytes as they have in memory and
    /// in the file.
    pub sections: Vec<(Vec<u8>, Content)>,
}

impl Program {
    /// Reads a program's headers. Errors call it `what`.
    ///
    /// # Errors
    /// When it cannot be read, is no PE file, or its headers contradict each other.
    pub fn read(content: &Content, what: &str) -> Result<Program> {
        let pe = Pe::read(content, what)?;
        let source = Arc::new(content.clone());
        let sections = pe.sections.iter().map(|section| {
            let len: u64 = section.memory_size.get().min(section.file_size.get()).into();
            let span = Content::Span {
                source: source.clone(),
                // What has no bytes may be said to lie anywhere, behind the end of the file, too.
                start: if len == 0 {
                    0
                } else {
                    section.file_start.get().into()
                },
                len,
            };
            (section.name().to_vec(), span)
        });
        Ok(Program {
            machine: pe.machine(),
            sections: sections.collect(),
        })
    }
}
