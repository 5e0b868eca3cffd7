//! Segments come in any order and by all ways.

use super::*;
use image::ReadAt as _;
use proptest::prelude::*;

/// How a segment comes.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// Its length is known before all others' are, and may be wrong.
    Whole { seen: u64 },
    /// It states a length, which may be wrong, and then it comes; or it never does.
    Stated { len: u64, comes: bool },
    /// It comes.
    Grown,
}

/// A segment: its length, which of its blocks the image leaves out, and how it comes.
type Case = (u64, u16, Way);

const BLOCK: usize = 1000;

fn cases() -> impl Strategy<Value = Vec<Case>> {
    let len = || prop_oneof![0..3_u64, 4000..9000_u64];
    let way = prop_oneof![
        len().prop_map(|seen| Way::Whole { seen }),
        (len(), any::<bool>()).prop_map(|(len, comes)| Way::Stated { len, comes }),
        Just(Way::Grown),
    ];
    let mask = prop_oneof![Just(0), any::<u16>()];
    let right = |(len, mask, way, right): (u64, u16, Way, bool)| match (way, right) {
        (Way::Whole { .. }, true) => (len, mask, Way::Whole { seen: len }),
        (Way::Stated { comes, .. }, true) => (len, mask, Way::Stated { len, comes }),
        _ => (len, mask, way),
    };
    prop::collection::vec(
        (len(), mask, way, prop::bool::weighted(0.8)).prop_map(right),
        1..12,
    )
}

fn leaves_out(mask: u16, block: usize) -> bool {
    block < 16 && mask >> block & 1 == 1
}

/// The bytes of a segment of this length.
fn bytes(number: usize, len: u64) -> Vec<u8> {
    let first = u8::try_from(number).unwrap() + 1;
    let block = |at: usize| {
        first
            .wrapping_mul(16)
            .wrapping_add(u8::try_from(at / BLOCK).unwrap())
    };
    (0..usize::try_from(len).unwrap()).map(block).collect()
}

/// One run for each block.
fn runs(len: u64, mask: u16) -> Vec<Run> {
    let starts = (0..len).step_by(BLOCK).enumerate();
    let run = |(block, start): (usize, u64)| Run {
        len: (len - start).min(BLOCK as u64),
        left_out: leaves_out(mask, block),
    };
    starts.map(run).collect()
}

fn rooms<'a>(spool: &'a Spool, segments: &[(u64, u16, Option<u64>)]) -> Rooms<'a> {
    let room = |(most, mask, seen): &(u64, u16, Option<u64>)| Room {
        most: *most,
        left_out: if *mask == 0 { 0 } else { *most },
        len: seen.map(|seen| placed(&runs(seen, *mask))),
    };
    Rooms::new(spool, ALIGNMENT, segments.iter().map(room).collect()).unwrap()
}

/// Puts a segment by hand, block by block where no length is stated.
fn put(rooms: &Rooms, number: usize, stated: Option<u64>, bytes: &[u8], mask: u16) -> Option<Spooled<()>> {
    let mut filling = match stated {
        Some(_) => rooms.fill(number, stated),
        None => rooms.grow(number),
    };
    for (block, part) in bytes.chunks(BLOCK).enumerate() {
        if !filling
            .put(part, stated.is_none() && leaves_out(mask, block))
            .unwrap()
        {
            return None;
        }
    }
    if stated.is_some() || mask == 0 {
        let mut read = vec![0; bytes.len()];
        filling.read(&mut read, 0).unwrap();
        assert!(read == bytes);
    }
    let spooled = spooled(filling.at(), bytes.len() as u64);
    filling.finish(runs(spooled.len, mask)).unwrap();
    Some(spooled)
}

fn spooled(at: At, len: u64) -> Spooled<()> {
    Spooled {
        len,
        ..Spooled::empty(at.start())
    }
}

/// Copies a segment as a whole.
fn copy(rooms: &Rooms, number: usize, bytes: &[u8], mask: u16) -> (At, Vec<Run>) {
    let runs = runs(bytes.len() as u64, mask);
    let at = rooms.whole(number, &runs);
    let mut bytes = bytes;
    for part in rooms.parts(at, &runs) {
        let (own, others) = bytes.split_at(usize::try_from(part.len).unwrap());
        part.spool.write_at(own, part.start).unwrap();
        bytes = others;
    }
    (at, runs)
}

fn read(parts: &[Part]) -> Vec<u8> {
    let part = |part: &Part| {
        let mut bytes = vec![0; usize::try_from(part.len).unwrap()];
        part.content().read_exact_at(&mut bytes, 0).unwrap();
        bytes
    };
    parts.iter().flat_map(part).collect()
}

proptest! {
    /// In whichever order they come, and whatever was stated of them, all are there at last; and at their places when
    /// what was stated is true.
    #[test]
    fn all_segments_are_there(cases in cases(), order in prop::collection::vec(any::<u32>(), 12)) {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::create(dir.path()).unwrap();
        let seen = |way: Way| match way {
            Way::Whole { seen } => Some(seen),
            _ => None,
        };
        let needs: Vec<_> = cases.iter().map(|(_, mask, way)| (9000, *mask, seen(*way))).collect();
        let rooms = rooms(&spool, &needs);
        let mut numbers: Vec<usize> = (0..cases.len()).collect();
        numbers.sort_by_key(|number| (seen(cases[*number].2).is_some(), order[*number]));
        let mut segments: Vec<Option<Spooled<()>>> = vec![None; cases.len()];
        for number in numbers {
            let (len, mask, way) = cases[number];
            let bytes = bytes(number, len);
            segments[number] = match way {
                Way::Whole { seen } if seen != len => {
                    // Something else was copied there, which is rejected.
                    copy(&rooms, number, &vec![0xee; usize::try_from(seen).unwrap()], mask);
                    None
                }
                Way::Whole { .. } => {
                    let (at, runs) = copy(&rooms, number, &bytes, mask);
                    rooms.is_at(number, at, runs);
                    Some(spooled(at, len))
                }
                Way::Stated { len: stated, comes: true } => put(&rooms, number, Some(stated), &bytes, mask),
                Way::Stated { len: stated, .. } => {
                    rooms.fill(number, Some(stated)).put(b"x", false).unwrap();
                    None
                }
                Way::Grown => put(&rooms, number, None, &bytes, mask),
            };
        }
        for (number, segment) in segments.iter_mut().enumerate() {
            let (len, mask, _) = cases[number];
            segment.get_or_insert_with(|| put(&rooms, number, None, &bytes(number, len), mask).unwrap());
        }
        let mut segments: Vec<Spooled<()>> = segments.into_iter().flatten().collect();
        rooms.settle(&mut segments).unwrap();
        let mut end = ALIGNMENT;
        let is_true = cases.iter().all(|(len, _, way)| match way {
            Way::Whole { seen } => seen == len,
            Way::Stated { len: stated, comes } => *comes && stated == len,
            Way::Grown => true,
        });
        for (number, segment) in segments.iter().enumerate() {
            let (len, mask, _) = cases[number];
            let all = bytes(number, len);
            prop_assert!(read(&segment.parts) == all, "{} of {:?}", number, cases);
            if is_true {
                prop_assert_eq!(segment.start, end);
                let kept = all.chunks(BLOCK).enumerate().filter(|(block, _)| !leaves_out(mask, *block));
                let kept: Vec<u8> = kept.flat_map(|(_, bytes)| bytes.to_vec()).collect();
                let mut found = vec![0; kept.len()];
                spool.span(end, kept.len() as u64).read_exact_at(&mut found, 0).unwrap();
                prop_assert!(found == kept, "{} of {:?}", number, cases);
                end = (end + kept.len() as u64).next_multiple_of(ALIGNMENT);
            }
        }
    }
}

/// More than is held in memory lies aside until its place is known.
#[test]
fn memory_is_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::create(dir.path()).unwrap();
    let len = HELD_MAX / 4;
    let rooms = rooms(&spool, &[(len, 0, None); 7]);
    let bytes = |number: usize| vec![u8::try_from(number).unwrap() + 1; usize::try_from(len).unwrap()];
    let put = |number, bytes: &[u8]| put(&rooms, number, None, bytes, 0).unwrap();
    let mut segments: Vec<Spooled<()>> = (1..7).map(|number| put(number, &bytes(number))).collect();
    let aside = |at: &&Option<At>| matches!(at, Some(At::Aside(_)));
    assert_eq!(rooms.lock().at.iter().filter(aside).count(), 2);
    assert!(rooms.lock().held_len <= HELD_MAX);
    segments.insert(0, put(0, b"short"));
    assert_eq!(rooms.lock().held_len, 0);
    rooms.settle(&mut segments).unwrap();
    for (number, segment) in segments.iter().enumerate().skip(1) {
        let start = 2 * ALIGNMENT + (number as u64 - 1) * len;
        assert_eq!(segment.start, start);
        assert!(read(&segment.parts) == bytes(number));
    }
    // Nothing is left behind the places.
    assert!(spool.span(8 * len, 1).read_exact_at(&mut [0], 0).is_err());
}
