//! Images written to files that stand for disks.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::Ordering;

use flash::{BLOCK, Error, Job, MARK, PIECE, Report, Source, Target, flash};
use image::{Cancelled, Content, Fault, Layout, Listen as _, Piece, Progress, Silent};
use tempfile::TempDir;
use transport::{BlockMap, Bmap};

const DISK: u64 = 24 << 20;
const IMAGE: u64 = 20 << 20;

/// A disk full of what an older image left there, and an image with its block map.
struct World {
    dir: TempDir,
    bytes: Vec<u8>,
    map: BlockMap,
}

/// What an older image left.
const OLD: u8 = 0xee;

fn noise(len: usize, seed: u32) -> Vec<u8> {
    let mut state = seed | 1;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[1]
    };
    (0..len).map(next).collect()
}

impl World {
    fn new() -> World {
        let mut layout = Layout::new();
        layout.put(0, "mbr", table());
        layout.put(1 << 20, "first", noise(100_000, 1));
        layout.put(6 << 20, "second", noise(9 << 20, 2));
        layout.put(IMAGE - 512, "end", noise(512, 3));
        let image = layout.finish(IMAGE).unwrap();
        let mut bytes = vec![0; usize::try_from(IMAGE).unwrap()];
        let mut bmap = Bmap::new();
        let mut position = 0;
        for extent in image.extents() {
            if extent.start > position {
                bmap.hear(&Piece::Hole(extent.start - position));
            }
            let content = extent.content.to_vec().unwrap();
            bmap.hear(&Piece::Bytes(content.clone().into()));
            let start = usize::try_from(extent.start).unwrap();
            bytes[start..start + content.len()].copy_from_slice(&content);
            position = extent.end();
        }
        let map = BlockMap::parse(&bmap.finish()).unwrap();
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("disk"), vec![OLD; usize::try_from(DISK).unwrap()]).unwrap();
        World { dir, bytes, map }
    }

    fn disk(&self) -> PathBuf {
        self.dir.path().join("disk")
    }

    fn source(&self) -> Source {
        Source::Content(Content::from(self.bytes.clone()))
    }

    fn flash(&self, change: impl FnOnce(&mut Job), progress: &dyn Progress) -> Result<Report, Error> {
        let source = self.source();
        let mut job = Job {
            source: &source,
            image_size: IMAGE,
            map: Some(&self.map),
            keep_gaps: false,
            discard: false,
            read_back: true,
        };
        change(&mut job);
        flash(&job, &Target::open(&self.disk())?, progress)
    }
}

/// An MBR with a partition from 1 MiB on.
fn table() -> Vec<u8> {
    let mut sector = vec![0; 512];
    sector[446 + 4] = 0x83;
    sector[446 + 8..446 + 12].copy_from_slice(&2048_u32.to_le_bytes());
    sector[446 + 12..446 + 16].copy_from_slice(&4096_u32.to_le_bytes());
    sector[510..].copy_from_slice(&[0x55, 0xaa]);
    sector
}

#[test]
fn what_the_map_says_is_written_and_gaps_for_loaders_are_zeros() {
    let world = World::new();
    let report = world.flash(|_| {}, &Silent).unwrap();
    let disk = fs::read(world.disk()).unwrap();
    assert_eq!(disk.len() as u64, DISK);
    let part = |start: u64, end: u64| usize::try_from(start).unwrap()..usize::try_from(end).unwrap();
    for range in &world.map.ranges {
        let range = part(range.start, range.end);
        assert!(disk[range.clone()] == world.bytes[range.clone()], "{range:?}");
    }
    // Before the first partition nothing of the older image is left.
    assert!(disk[part(BLOCK, 1 << 20)].iter().all(|byte| *byte == 0));
    // Where the ROM of an i.MX 8M Plus looks for its second copy, too; and the rest is what it was.
    assert!(
        disk[part(4 << 20, (4 << 20) + BLOCK)]
            .iter()
            .all(|byte| *byte == 0)
    );
    assert!(
        disk[part((4 << 20) + BLOCK, 6 << 20)]
            .iter()
            .all(|byte| *byte == OLD)
    );
    assert!(disk[part(IMAGE, DISK)].iter().all(|byte| *byte == OLD));
    // Two of them are where the ROM of a Rockchip looks.
    assert_eq!(report.gaps, (1 << 20) - BLOCK + 3 * BLOCK);
    assert_eq!(report.written, world.map.mapped_len() + report.gaps);
    assert_eq!(report.compared, report.written);

    fs::write(world.disk(), vec![OLD; usize::try_from(DISK).unwrap()]).unwrap();
    let report = world.flash(|job| job.keep_gaps = true, &Silent).unwrap();
    let disk = fs::read(world.disk()).unwrap();
    assert!(disk[part(BLOCK, 1 << 20)].iter().all(|byte| *byte == OLD));
    assert_eq!((report.gaps, report.written), (0, world.map.mapped_len()));
}

#[test]
fn everything_is_written_without_a_map_from_a_stream_too() {
    let world = World::new();
    world.flash(|job| job.map = None, &Silent).unwrap();
    let disk = fs::read(world.disk()).unwrap();
    assert!(disk[..world.bytes.len()] == world.bytes);
    assert_eq!(disk[world.bytes.len()], OLD);

    fs::write(world.disk(), vec![OLD; usize::try_from(DISK).unwrap()]).unwrap();
    let bytes = world.bytes.clone();
    let stream = Source::Stream(Box::new(move || {
        Ok(Box::new(io::Cursor::new(bytes.clone())) as Box<dyn Read>)
    }));
    assert_eq!(stream.measure().unwrap(), IMAGE);
    let job = Job {
        source: &stream,
        image_size: IMAGE,
        map: None,
        keep_gaps: false,
        discard: true,
        read_back: true,
    };
    let report = flash(&job, &Target::open(&world.disk()).unwrap(), &Silent).unwrap();
    let disk = fs::read(world.disk()).unwrap();
    assert!(disk[..world.bytes.len()] == world.bytes);
    // The file system of this file may have no holes.
    if let Some(discarded) = report.discarded {
        assert_eq!(discarded, DISK - IMAGE);
        assert!(disk[world.bytes.len()..].iter().all(|byte| *byte == 0));
    }
}

#[test]
fn what_does_not_fit_or_is_another_image_is_refused() {
    let world = World::new();
    let refused = |job: &dyn Fn(&mut Job)| world.flash(|it| job(it), &Silent).unwrap_err();
    File::options()
        .write(true)
        .open(world.disk())
        .unwrap()
        .set_len(IMAGE - BLOCK)
        .unwrap();
    let error = refused(&|_| {});
    assert_eq!(error.fault(), Fault::Limit);
    assert!(
        error
            .to_string()
            .ends_with("has 20967424 bytes, and the image 20971520: 4096 bytes too few"),
        "{error}"
    );
    assert!(
        fs::read(world.disk()).unwrap().iter().all(|byte| *byte == OLD),
        "nothing was written"
    );

    let mut world = World::new();
    world.bytes[7 << 20] ^= 1;
    let error = world.flash(|_| {}, &Silent).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the image's bytes 6291456 to 15728640 have another checksum than the block map says"
    );
    assert_eq!(error.fault(), Fault::Damaged);
    assert!(fs::read(world.disk()).unwrap().starts_with(MARK));

    // A stream that is shorter, and one that is longer.
    for (len, wanted) in [
        (IMAGE - 1, "cannot be read at byte"),
        (IMAGE + 1, "20971521 bytes, and its block map is one of 20971520"),
    ] {
        let world = World::new();
        let mut bytes = world.bytes.clone();
        bytes.resize(usize::try_from(len).unwrap(), 0);
        let stream = Source::Stream(Box::new(move || {
            Ok(Box::new(io::Cursor::new(bytes.clone())) as Box<dyn Read>)
        }));
        let job = Job {
            source: &stream,
            image_size: IMAGE,
            map: Some(&world.map),
            keep_gaps: false,
            discard: false,
            read_back: true,
        };
        let error = flash(&job, &Target::open(&world.disk()).unwrap(), &Silent).unwrap_err();
        assert!(error.to_string().contains(wanted), "{error}");
    }
}

/// Does something when a step has come so far.
struct At<'a> {
    step: &'a str,
    now: Mutex<String>,
    act: &'a (dyn Fn() -> Result<(), Cancelled> + Sync),
}

impl Progress for At<'_> {
    fn begin(&self, step: &str, _: u64) {
        step.clone_into(&mut self.now.lock().unwrap());
    }

    fn advance(&self, bytes: u64) -> Result<(), Cancelled> {
        if bytes > 0 && self.now.lock().unwrap().starts_with(self.step) {
            return (self.act)();
        }
        Ok(())
    }
}

#[test]
fn who_stops_learns_that_the_device_is_partly_written() {
    let world = World::new();
    let progress = At {
        step: "writing",
        now: Mutex::default(),
        act: &|| Err(Cancelled),
    };
    let error = world.flash(|_| {}, &progress).unwrap_err();
    assert_eq!(error.fault(), Fault::Cancelled);
    let disk = world.disk();
    assert_eq!(
        error.to_string(),
        format!("stopped: {} is partly written, and marked so", disk.display())
    );
    let start = fs::read(&disk).unwrap();
    assert!(start.starts_with(MARK) && start[510..512] == [0, 0]);
}

/// Asks the device what it says of itself when a step begins.
struct Asking<'a> {
    target: &'a Target,
    said: Mutex<Vec<(bool, bool)>>,
}

impl Progress for Asking<'_> {
    fn begin(&self, _: &str, _: u64) {
        let is_said = self.target.writing().load(Ordering::Relaxed);
        let mut said = self.said.lock().unwrap();
        said.push((is_said, self.target.is_partly_written()));
    }

    fn advance(&self, _: u64) -> Result<(), Cancelled> {
        Ok(())
    }
}

/// An image whose first block is in no range of its map, such as that of a btrfs: the device is marked all the same.
#[test]
fn the_first_block_is_marked_when_the_map_leaves_it_out() {
    let mut world = World::new();
    let first = usize::try_from(BLOCK).unwrap();
    world.bytes[..first].fill(0);
    world.map.ranges.remove(0);
    assert!(world.map.ranges[0].start >= BLOCK);
    let source = world.source();
    let marked = |keep_gaps: bool, start: &[u8]| {
        fs::write(world.disk(), vec![OLD; usize::try_from(DISK).unwrap()]).unwrap();
        let file = File::options().write(true).open(world.disk()).unwrap();
        file.write_at(start, 0).unwrap();
        let job = Job {
            source: &source,
            image_size: IMAGE,
            map: Some(&world.map),
            keep_gaps,
            discard: !keep_gaps,
            read_back: true,
        };
        let target = Target::open(&world.disk()).unwrap();
        let asking = Asking {
            target: &target,
            said: Mutex::default(),
        };
        let report = flash(&job, &target, &asking).unwrap();
        // Nothing is partly written before the mark is.
        let said = asking.said.into_inner().unwrap();
        assert!(!said[0].0);
        assert_eq!(said[1], (true, true));
        assert!(!target.writing().load(Ordering::Relaxed) && !target.is_partly_written());
        (fs::read(world.disk()).unwrap()[..first].to_vec(), report.gaps)
    };
    let old = vec![OLD; first];
    assert_eq!(marked(true, &old), (old.clone(), 0));
    let (found, gaps) = marked(false, &old);
    assert!(found == world.bytes[..first] && gaps >= BLOCK);
    // What an earlier flash was to put back is not known any more.
    let (found, _) = marked(true, MARK);
    assert!(found == world.bytes[..first]);
}

/// So small that the mark does not fit.
#[test]
fn files_shorter_than_the_mark() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("disk");
    for (disk, image) in [(57, 57), (57, 20), (1, 1), (1, 0), (0, 0)] {
        fs::write(&path, vec![OLD; disk]).unwrap();
        let source = Source::Content(Content::from(vec![b'i'; image]));
        let job = Job {
            source: &source,
            image_size: image as u64,
            map: None,
            keep_gaps: false,
            discard: false,
            read_back: true,
        };
        let target = Target::open(&path).unwrap();
        let report = flash(&job, &target, &Silent).unwrap();
        assert_eq!((report.image_size, report.written), (image as u64, image as u64));
        assert!(!target.is_partly_written());
        assert!(fs::read(&path).unwrap().starts_with(&vec![b'i'; image]));
    }
}

/// A device that loses what it was given: the file is changed before it is read back.
#[test]
fn blocks_that_differ_are_named() {
    let world = World::new();
    let disk = File::options().write(true).open(world.disk()).unwrap();
    // The first piece that is read back is long behind these.
    let place = (6 << 20) + PIECE + 3 * BLOCK + 100;
    let progress = At {
        step: "reading back",
        now: Mutex::default(),
        act: &|| {
            disk.write_at(&[1; 5000], place).unwrap();
            disk.write_at(b"x", IMAGE - 1).unwrap();
            Ok(())
        },
    };
    let error = world.flash(|_| {}, &progress).unwrap_err();
    let Error::Differs {
        differing,
        ranges,
        more,
        ..
    } = &error
    else {
        panic!("{error}");
    };
    let first = (6 << 20) + PIECE + 3 * BLOCK;
    assert_eq!(ranges[..], [(first, first + 2 * BLOCK), (IMAGE - BLOCK, IMAGE)]);
    assert_eq!((*differing, *more), (3 * BLOCK, 0));
    assert_eq!(error.fault(), Fault::Output);
    assert!(
        fs::read(world.disk()).unwrap().starts_with(MARK),
        "it boots nothing"
    );
}

#[test]
fn what_is_no_disk_is_told() {
    let world = World::new();
    let missing = Target::open(&world.dir.path().join("missing")).unwrap_err();
    assert!(
        missing
            .to_string()
            .contains("cannot be opened for writing: No such file"),
        "{missing}"
    );
    let folder = Target::open(world.dir.path()).unwrap_err();
    assert!(
        folder.to_string().ends_with("is neither a disk nor a file"),
        "{folder}"
    );
    let device = Target::open("/dev/null".as_ref()).unwrap_err();
    assert_eq!(device.to_string(), "/dev/null: is neither a disk nor a file");
    // A device that is full although it claims to be larger.
    let full = Error::Write {
        path: "/dev/sdb".into(),
        at: 4096,
        size: 8192,
        source: io::ErrorKind::StorageFull.into(),
    };
    assert_eq!(
        full.to_string(),
        "/dev/sdb: is full, although it claims to be larger, at byte 4096 of 8192"
    );
}
