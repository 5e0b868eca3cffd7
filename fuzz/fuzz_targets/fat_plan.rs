//! Odd trees become FAT images and come back as they were, as far as FAT can hold them.
#![no_main]

use std::sync::Arc;

use arbitrary::Unstructured;
use fat::read::FileSystem;
use fat::{Kind, Options, Size};
use fuzz::trees::{self, Flavour, Line};
use image::{Fault, Meta};
use libfuzzer_sys::fuzz_target;

/// The seconds that FAT can tell: from 1980 to 2107.
const TIMES: std::ops::RangeInclusive<i64> = 315_532_800..=4_354_819_199;

fuzz_target!(|data: &[u8]| {
    // Bytes that run out make no tree, and that is all.
    _ = run(&mut Unstructured::new(data));
});

fn run(u: &mut Unstructured) -> arbitrary::Result<()> {
    let options = options(u)?;
    let tree = trees::tree(u, Flavour::Fat)?;
    let planned = match fat::plan(&tree, &options) {
        Ok(planned) => planned,
        Err(error) => {
            let ours = matches!(error, fat::Error::Image(_));
            assert!(
                !ours && matches!(error.fault(), Fault::Request | Fault::Limit),
                "{error}"
            );
            return Ok(());
        }
    };
    let size = planned.image.size();
    match options.size {
        Size::Exactly(asked) => assert_eq!(size, asked),
        Size::Fit => assert!(size.is_multiple_of(1 << 20)),
    }
    let file_system = FileSystem::open(Arc::new(planned.image), size).expect("what was planned opens");
    // Counting what is free in a large table takes long here, where each comparison is recorded.
    if planned.usage.clusters <= 1 << 18 {
        let info = file_system.info().expect("what was planned has a root");
        assert_eq!(
            (info.variant, info.clusters),
            (planned.usage.variant, planned.usage.clusters)
        );
        assert_eq!(
            (info.free, info.volume_id),
            (planned.usage.free, options.volume_id)
        );
    }
    assert!(planned.usage.free >= options.free);
    let read = file_system.tree().expect("what was planned can be read");
    let (mut read, mut expected) = (trees::lines(&read), trees::lines(&tree));
    read.iter_mut()
        .for_each(|(path, line)| forget(path, line, i64::clone));
    expected.iter_mut().for_each(|(path, line)| {
        forget(path, line, |time| *time.clamp(TIMES.start(), TIMES.end()) / 2 * 2);
    });
    trees::assert_same(&read, &expected);
    Ok(())
}

/// Drops what FAT cannot tell: owners, modes, that names belong to one file, and the root's time.
fn forget(path: &[u8], line: &mut Line, time: impl Fn(&i64) -> i64) {
    let mtime = if path == b"/" { 0 } else { time(&line.meta.mtime) };
    line.meta = Meta {
        mtime,
        ..Meta::root(0)
    };
    line.first = path.to_vec();
}

fn options(u: &mut Unstructured) -> arbitrary::Result<Options> {
    // Nonsense is refused at once, so little of it is enough.
    let odd = u.ratio(1, 16)?;
    Ok(Options {
        label: match u.int_in_range(0..=3)? {
            0 if odd => Some(
                u.choose(&["", "a", "ÄÖ", "TWELVE CHARS", " X", "A+B"])?
                    .to_string(),
            ),
            0 => Some(u.choose(&["BOOT-A", "NO NAME", "README"])?.to_string()),
            _ => None,
        },
        volume_id: u.arbitrary()?,
        kind: *u.choose(&[Kind::Auto, Kind::Fat16, Kind::Fat32])?,
        size: match u.int_in_range(0..=7)? {
            0..=3 => Size::Fit,
            4..=5 => Size::Exactly(u.int_in_range(500..=75_000)? << 13),
            6 => Size::Exactly(u.int_in_range(0..=1 << 28)? << 12),
            _ if odd => Size::Exactly(u.arbitrary()?),
            _ => Size::Exactly(u.int_in_range(4000..=1_200_000)? * 512),
        },
        free: match u.int_in_range(0..=7)? {
            0..=5 => 0,
            7 if odd => u.arbitrary()?,
            _ => u.int_in_range(0..=64 << 20)?,
        },
        sector_size: if odd { 1024 } else { *u.choose(&[512, 512, 4096])? },
        cluster_size: match u.ratio(1, 4)? {
            true if odd => Some(*u.choose(&[0, 1000, 65_536])?),
            true => Some(512 << u.int_in_range(0..=6)?),
            false => None,
        },
        hidden_sectors: u.arbitrary()?,
        time: u.arbitrary()?,
    })
}
