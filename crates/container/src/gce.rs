//! What Google's Compute Engine imports: a tar with one sparse file, `disk.raw`, which is compressed with gzip as a whole.
//!
//! ```text
//!  │ header, 4 runs │ 21 runs │ 21 runs │ … │ bytes of all runs, one behind the other │ 1024 zeros │
//! ```
//!
//! The format of sparse files is the old one of [GNU tar](https://www.gnu.org/software/tar/manual/html_node/Old-GNU-Format.html),
//! the only one that Google's documentation names.

use image::{Image, Layout};

use crate::Result;
use crate::map::Present;
use crate::tar::{RECORD, end, header, put_number, seal};

/// Smaller holes are not worth an entry.
const BLOCK: u64 = 64 << 10;

/// Runs in a header, and in a record behind it.
const RUNS: [usize; 2] = [4, 21];

/// The archive.
pub(crate) fn plan(image: &Image) -> Result<Image> {
    let size = image.size();
    let present = Present::of(image, BLOCK)?;
    let runs = present.runs().iter();
    let mut runs: Vec<(u64, u64)> = runs
        .map(|run| {
            let end = (run.end * BLOCK).min(size);
            (run.start * BLOCK, end - run.start * BLOCK)
        })
        .collect();
    let stored = runs.iter().map(|(_, len)| len).sum();
    // The last one says where the file ends.
    runs.push((size, 0));

    let mut head = header("disk.raw", stored);
    head[156] = b'S';
    head[257..265].copy_from_slice(b"ustar  \0");
    let (first, others) = runs.split_at(runs.len().min(RUNS[0]));
    put_runs(&mut head[386..482], first);
    head[482] = u8::from(!others.is_empty());
    put_number(&mut head[483..495], size);
    let mut bytes = seal(head).to_vec();
    let records = others.chunks(RUNS[1]);
    let last = records.len();
    for (number, runs) in (1..).zip(records) {
        let mut record = [0; 512];
        put_runs(&mut record[..504], runs);
        record[504] = u8::from(number < last);
        bytes.extend_from_slice(&record);
    }
    let mut layout = Layout::new();
    let start = bytes.len() as u64;
    layout.put(0, "tar header", bytes);
    let mut place = start;
    for (first, len) in runs {
        layout.put_all(place, image.slice(first..first + len));
        place += len;
    }
    let place = end(&mut layout, place.next_multiple_of(RECORD));
    Ok(layout.finish(place)?)
}

fn put_runs(fields: &mut [u8], runs: &[(u64, u64)]) {
    for (field, (start, len)) in fields.chunks_exact_mut(24).zip(runs) {
        put_number(&mut field[..12], *start);
        put_number(&mut field[12..], *len);
    }
}
