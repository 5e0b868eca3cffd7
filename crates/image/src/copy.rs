//! Parts of files, and of other things that can be read, become parts of files.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use rustix::fs::copy_file_range;

use crate::content::ReadAt;

/// How many bytes are copied between two system calls.
const CHUNK: usize = 256 << 10;

/// Which of two files has failed.
#[derive(Debug)]
pub(crate) enum Failed {
    Reading(io::Error),
    Writing(io::Error),
}

/// Copies a part of something to a place in a file. From file to file Linux does it alone where it can, and shares
/// blocks where the file system can; what it leaves over goes through memory.
pub(crate) fn copy(
    source: &dyn ReadAt,
    mut part: Range<u64>,
    to: &File,
    mut start: u64,
) -> Result<(), Failed> {
    let Some(from) = source.as_file() else {
        return copy_through_memory(source, part, to, start);
    };
    while part.start < part.end {
        let left = usize::try_from(part.end - part.start).unwrap_or(1 << 30);
        let (mut off_in, mut off_out) = (part.start, start);
        match copy_file_range(from, Some(&mut off_in), to, Some(&mut off_out), left) {
            Err(rustix::io::Errno::INTR) => {}
            // At the end of the file, or between two file systems, or where the call is not known.
            Ok(0) | Err(_) => return copy_through_memory(source, part, to, start),
            Ok(copied) => {
                part.start += copied as u64;
                start += copied as u64;
            }
        }
    }
    Ok(())
}

fn copy_through_memory(
    source: &dyn ReadAt,
    mut part: Range<u64>,
    to: &File,
    mut start: u64,
) -> Result<(), Failed> {
    let mut chunk = vec![0; CHUNK];
    while part.start < part.end {
        let len = usize::try_from(part.end - part.start).map_or(CHUNK, |left| left.min(CHUNK));
        let chunk = &mut chunk[..len];
        source.read_exact_at(chunk, part.start).map_err(Failed::Reading)?;
        to.write_all_at(chunk, start).map_err(Failed::Writing)?;
        part.start += len as u64;
        start += len as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    type Copy = fn(&dyn ReadAt, Range<u64>, &File, u64) -> Result<(), Failed>;

    #[test]
    fn parts_arrive_where_they_shall_and_short_files_are_their_own_fault() {
        let bytes: Vec<u8> = (0..700_000u32).flat_map(u32::to_le_bytes).collect();
        let copies: [Copy; 2] = [copy, copy_through_memory];
        for copy in copies {
            let (from, to) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
            from.write_all_at(&bytes, 0).unwrap();
            copy(&from, 5..2_000_005, &to, 4096).unwrap();
            let mut copied = vec![0; 2_000_000];
            ReadAt::read_exact_at(&to, &mut copied, 4096).unwrap();
            assert!(copied == bytes[5..2_000_005]);
            assert_eq!(to.metadata().unwrap().len(), 2_004_096);
            let end = bytes.len() as u64;
            assert!(matches!(
                copy(&from, end - 1..end + 1, &to, 0),
                Err(Failed::Reading(_))
            ));
            let read_only = File::open("/dev/null").unwrap();
            assert!(matches!(
                copy(&from, 0..10, &read_only, 0),
                Err(Failed::Writing(_))
            ));
        }
    }
}
