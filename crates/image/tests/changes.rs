//! A file that changes while its bytes are written and their digest is computed: an error, and never a digest of two states.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use image::{Cancelled, Content, Error, Layout, Progress, Sums, Target, Through};

/// What happens to a file.
type Change = fn(&PathBuf);

/// Changes a file when some of it is written.
struct Changing {
    file: PathBuf,
    change: Change,
    done: AtomicBool,
}

impl Progress for Changing {
    fn begin(&self, _: &str, _: u64) {}

    fn advance(&self, bytes: u64) -> Result<(), Cancelled> {
        if bytes > 0 && !self.done.swap(true, Ordering::Relaxed) {
            (self.change)(&self.file);
        }
        Ok(())
    }
}

#[test]
fn a_file_that_changes_while_its_digest_is_computed_is_an_error() {
    let changes: [(&str, Change); 4] = [
        ("bytes that were hashed", |file| put(file, 5)),
        ("bytes that were not hashed yet", |file| put(file, 8_999_999)),
        ("another length", |file| put(file, 9_000_000)),
        ("cut", |file| {
            File::options()
                .write(true)
                .open(file)
                .unwrap()
                .set_len(100)
                .unwrap();
        }),
    ];
    for (what, change) in changes {
        for sha256 in [Sums::None, Sums::File] {
            let dir = tempfile::tempdir().unwrap();
            let (file, out) = (dir.path().join("file"), dir.path().join("out"));
            fs::write(&file, vec![7; 9_000_000]).unwrap();
            let long_ago = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1);
            let opened = File::options().write(true).open(&file).unwrap();
            opened.set_modified(long_ago).unwrap();
            let mut layout = Layout::new();
            layout.put(4096, "file", Content::host_file(&file).unwrap());
            let image = layout.finish(16 << 20).unwrap();
            let progress = Changing {
                file,
                change,
                done: AtomicBool::new(false),
            };
            let through = Through {
                sha256,
                threads: 2,
                ..Through::default()
            };
            let written = Target::claim(&out)
                .unwrap()
                .write_through(&image, through, &progress);
            let is_told = matches!(
                written,
                Err(Error::Changed {
                    planned: 9_000_000,
                    ..
                })
            );
            assert!(is_told, "{what}: {written:?}");
            assert!(!out.exists(), "{what}");
        }
    }
}

fn put(file: &PathBuf, place: u64) {
    let opened = File::options().write(true).open(file).unwrap();
    opened.write_all_at(b"x", place).unwrap();
}
