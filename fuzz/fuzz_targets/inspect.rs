//! Anything from anywhere, opened, listed, checked and named, part by part. The first byte says whether the rest is sparse pages
//! or the bytes themselves.
#![no_main]

use std::path::Path;
use std::sync::Arc;

use fuzz::sparse::Sparse;
use image::{Content, Silent};
use inspect::{Check, Error, Item, Last, Reach, Spot, Structures, Work};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((flags, data)) = data.split_first() else {
        return;
    };
    let content = if flags & 1 == 1 {
        let sparse = Sparse::parse(data);
        let len = sparse.size();
        Content::Span {
            source: Arc::new(sparse),
            start: 0,
            len,
        }
    } else {
        Content::from(data)
    };
    look(content);
});

fn look(content: Content) {
    let work = Work {
        folder: Path::new("/tmp"),
        threads: 1,
        progress: &Silent,
    };
    let Ok(inside) = inspect::open(content, &work) else {
        return;
    };
    let mut paths = Vec::new();
    if let Ok(found) = inside.find(b"/", Last::Followed, Reach::All, &work) {
        _ = found.list(true, &work, &mut |item: Item| -> Result<(), Error> {
            assert!(item.path.starts_with(b"/"));
            let names = item.path[1..].split(|byte| *byte == b'/');
            assert!(item.path == b"/" || names.into_iter().all(|name| !matches!(name, b"" | b"." | b"..")));
            if paths.len() < 8 {
                paths.push(item.path.to_vec());
            }
            Ok(())
        });
    }
    for path in paths {
        // What was listed is found, unless it lies in what is damaged, or has a name that several have.
        let Ok(found) = inside.find(&path, Last::Kept, Reach::Entries, &work) else {
            continue;
        };
        if let Some(content) = found.content() {
            _ = fuzz::head(&content, 1 << 16);
        }
        if let Spot::Image(content) = found.spot {
            _ = Structures::of(&inspect::Inside::opaque(content));
        }
    }
    if let Ok(structures) = Structures::of(&inside) {
        assert!(
            structures
                .cuts()
                .all(|cut| structures.at(cut).is_none_or(|place| !place.what.is_empty()))
        );
    }
    _ = inside.check(None, &work, &mut |_: Check| -> Result<(), Error> { Ok(()) });
}
