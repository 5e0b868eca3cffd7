//! Blocks that two files share, where the file system can: nothing is written then, and nothing takes space twice.

use std::fs::File;

use rustix::fs::{copy_file_range, fstatfs};

use super::pieces::Origin;

/// What all blocks of file systems that share some are multiples of.
const BLOCK: u64 = 4096;

/// The numbers of btrfs, XFS and bcachefs, from Linux' `magic.h` and bcachefs' own header.
const SHARING: [u64; 3] = [0x9123_683e, 0x5846_5342, 0xca45_1a4e];

/// Whether a file's system can share blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Share {
    Yes,
    No,
}

impl Share {
    /// What the system says of a file. On the others, copying between files is no faster than writing.
    pub(super) fn of(file: &File) -> Share {
        let number = fstatfs(file).map(|stat| stat.f_type);
        match number.map(u64::try_from) {
            Ok(Ok(number)) if SHARING.contains(&number) => Share::Yes,
            _ => Share::No,
        }
    }

    /// Lets a file have bytes of another one, from a place of its own on, without writing them. Answers how many of the
    /// first ones it has then: as many as can be shared.
    pub(super) fn share(&mut self, len: usize, origin: Origin, file: &File, position: u64) -> usize {
        let Some((from, start)) = origin.filter(|_| *self == Share::Yes) else {
            return 0;
        };
        if !position.is_multiple_of(BLOCK) || !start.is_multiple_of(BLOCK) {
            return 0;
        }
        let whole = len - len % 4096;
        let mut shared = 0;
        while shared < whole {
            let (mut off_in, mut off_out) = (start + shared as u64, position + shared as u64);
            match copy_file_range(from, Some(&mut off_in), file, Some(&mut off_out), whole - shared) {
                Ok(0) => break,
                Ok(copied) => shared += copied,
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => {
                    // Between two file systems, for example: it will not go better with the next one.
                    *self = Share::No;
                    break;
                }
            }
        }
        shared
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;
    use std::sync::Arc;

    use super::super::pieces::pieces;
    use super::super::store::Store;
    use super::*;
    use crate::content::{Content, ReadAt};
    use crate::extents::Layout;
    use crate::progress::Silent;

    /// Where nothing can be shared, the same calls copy.
    #[test]
    fn shared_bytes_are_the_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("source");
        let bytes: Vec<u8> = (0..900_001u32).flat_map(u32::to_le_bytes).collect();
        std::fs::write(&path, &bytes).unwrap();
        let source = Arc::new(File::open(&path).unwrap());
        let span = |start, len| Content::Span {
            source: Arc::clone(&source) as _,
            start,
            len,
        };
        let whole = Content::host_file(&path).unwrap();
        let mut layout = Layout::new();
        layout.put(7, "whole, between blocks", whole.clone());
        layout.put(8 << 20, "whole", whole);
        layout.put(16 << 20, "a part", span(8192, 3_000_000));
        layout.put(24 << 20, "a part that begins between blocks", span(8193, 70_000));
        layout.put((24 << 20) + 70_000, "small", span(4096, 60_000));
        layout.put(28 << 20, "others", vec![7; 100_000]);
        let image = layout.finish(32 << 20).unwrap();
        let mut wanted = vec![0; 32 << 20];
        image.read_exact_at(&mut wanted, 0).unwrap();
        for share in [Share::Yes, Share::No] {
            let file = tempfile::tempfile_in(dir.path()).unwrap();
            let mut store = Store::sparse(&file, image.size(), share).unwrap();
            let (cut, mut origins) = (store.cut(), 0);
            pieces(&image, &Silent, cut, &mut |piece, origin| {
                origins += usize::from(origin.is_some());
                store.put(&piece, origin).unwrap();
                Ok(())
            })
            .unwrap();
            let mut found = vec![0; 32 << 20];
            FileExt::read_exact_at(&file, &mut found, 0).unwrap();
            assert!(found == wanted, "{share:?}");
            assert_eq!(origins > 9, share == Share::Yes);
        }
    }
}
