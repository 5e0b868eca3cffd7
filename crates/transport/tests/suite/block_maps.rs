//! Block maps: what is mapped, and bmaptool's opinion.

use std::path::Path;
use std::process::Command;

use image::{Content, Image, Layout, Listen, Piece, Silent, Target, Through};
use insta::assert_snapshot;
use proptest::prelude::*;
use sha2::{Digest, Sha256};
use transport::Bmap;

use crate::images::{METHODS, bytes, compress, hex, noise, options, zoo};
use crate::oracle::installed;

fn write(path: &Path, image: &Image) -> Vec<u8> {
    let mut bmap = Bmap::new();
    let through = Through {
        listen: Some(&mut bmap),
        ..Through::default()
    };
    Target::claim(path)
        .unwrap()
        .write_through(image, through, &Silent)
        .unwrap()
        .keep()
        .unwrap();
    bmap.finish()
}

pub(crate) fn bmap(image: &Image) -> String {
    let dir = tempfile::tempdir().unwrap();
    String::from_utf8(write(&dir.path().join("image"), image)).unwrap()
}

/// The ranges of a block map, with their checksums.
fn ranges(bmap: &str) -> Vec<(usize, usize, String)> {
    let range = |line: &str| {
        let (checksum, blocks) = line.trim().strip_prefix("<Range chksum=\"")?.split_once("\"> ")?;
        let (first, last) = blocks.strip_suffix(" </Range>")?.split_once('-')?;
        Some((
            first.parse().unwrap(),
            last.parse().unwrap(),
            checksum.to_string(),
        ))
    };
    bmap.lines().filter_map(range).collect()
}

/// What has to be in a block map, found out in another way: block by block, in memory.
fn expected(image: &Image) -> Vec<(usize, usize, String)> {
    let bytes = bytes(image);
    let mut mapped = vec![false; bytes.len().div_ceil(4096)];
    for line in image.map() {
        let (start, end) = (
            usize::try_from(line.start).unwrap(),
            usize::try_from(line.end).unwrap(),
        );
        mapped[start / 4096..end.div_ceil(4096)].fill(true);
    }
    let mut ranges = Vec::new();
    let mut block = 0;
    while block < mapped.len() {
        let first = block;
        while mapped.get(block) == Some(&true) {
            block += 1;
        }
        if first < block {
            let content = &bytes[first * 4096..bytes.len().min(block * 4096)];
            ranges.push((first, block - 1, hex(&Sha256::digest(content))));
        }
        block += 1;
    }
    ranges
}

#[test]
fn the_file_is_as_others_write_it() {
    let mut layout = Layout::new();
    layout.put(0, "table", &b"x"[..]);
    layout.put(8192, "zeros", Content::Zeros(4096));
    layout.put(20_000, "data", vec![1; 5000]);
    let text = bmap(&layout.finish(50_001).unwrap());
    assert_snapshot!(text, @r#"
    <?xml version="1.0" ?>
    <bmap version="2.0">
        <ImageSize> 50001 </ImageSize>
        <BlockSize> 4096 </BlockSize>
        <BlocksCount> 13 </BlocksCount>
        <MappedBlocksCount> 5 </MappedBlocksCount>
        <ChecksumType> sha256 </ChecksumType>
        <BmapFileChecksum> 947bd69bb5cfff3ff842dc65f18617484bfb7a12a79b8c7aaf30ee816ff487a5 </BmapFileChecksum>
        <BlockMap>
            <Range chksum="71e5143d1d4bc35a17dd90dab781bfaf505c613b2bb50fbeaeae51e51dacf810"> 0-0 </Range>
            <Range chksum="ad7facb2586fc6e966c004d7d1d16b024f5805ff7cb47c7a85dabd8b48892ca7"> 2-2 </Range>
            <Range chksum="b25a7c3ebe9954f5c1c64c38095ad38a45389b623d9e8f3c2958e98bf722a5df"> 4-6 </Range>
        </BlockMap>
    </bmap>
    "#);
    let own = text
        .split("<BmapFileChecksum> ")
        .nth(1)
        .unwrap()
        .split(' ')
        .next()
        .unwrap();
    assert_eq!(hex(&Sha256::digest(text.replace(own, &"0".repeat(64)))), own);
}

#[test]
fn zeros_that_matter_are_mapped_and_holes_are_not() {
    assert_eq!(ranges(&bmap(&zoo())), expected(&zoo()));
    let mapped: usize = expected(&zoo())
        .iter()
        .map(|(first, last, _)| last - first + 1)
        .sum();
    let zeros = (9 << 20) / 4096;
    assert!(mapped > zeros && mapped < zeros + (4 << 20) / 4096);
}

/// bmaptool empties a file before it writes to it, but no device; this is what it does to a device.
const AS_TO_A_DEVICE: &str = "
import sys
from bmaptools import BmapCopy, TransRead
image, medium, bmap = sys.argv[1:]
with open(medium, 'r+b') as medium, open(bmap, 'rb') as bmap:
    BmapCopy.BmapCopy(TransRead.TransRead(image), medium, bmap).copy(sync=False, verify=True)
";

/// Copies with bmaptool onto a medium that was full of ones, and answers what is on it.
fn flash(folder: &Path, image: &str, size: usize) -> Result<Vec<u8>, String> {
    let medium = folder.join("medium");
    let mut command = Command::new("bmaptool");
    command.args(["copy", "--bmap", "zoo.img.bmap", image, "file"]);
    let mut as_to_a_device = Command::new("/usr/bin/python3");
    as_to_a_device.args(["-c", AS_TO_A_DEVICE, image, "medium", "zoo.img.bmap"]);
    std::fs::write(&medium, vec![0xFF; size]).unwrap();
    for command in [&mut command, &mut as_to_a_device] {
        let output = command.current_dir(folder).output().unwrap();
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into());
        }
    }
    assert!(
        std::fs::read(folder.join("file")).unwrap() == bytes(&zoo()),
        "holes are zeros in a new file"
    );
    Ok(std::fs::read(&medium).unwrap())
}

fn assert_flashed(medium: &[u8], image: &Image) {
    let bytes = bytes(image);
    for line in image.map() {
        let extent = usize::try_from(line.start).unwrap()..usize::try_from(line.end).unwrap();
        assert!(medium[extent.clone()] == bytes[extent], "{line:?}");
    }
    assert!(medium.contains(&0xFF), "holes are left as they were");
}

#[test]
fn bmaptool_writes_every_extent() {
    if !installed("bmaptool") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let image = zoo();
    let size = bytes(&image).len();
    let bmap = write(&dir.path().join("zoo.img"), &image);
    std::fs::write(dir.path().join("zoo.img.bmap"), &bmap).unwrap();
    assert_flashed(&flash(dir.path(), "zoo.img", size).unwrap(), &image);
    for method in METHODS {
        if !installed(method.name()) {
            continue;
        }
        let name = format!("zoo.img{}", method.ending());
        let mut heard = Bmap::new();
        compress(&dir.path().join(&name), &image, options(method), Some(&mut heard))
            .keep()
            .unwrap();
        assert!(
            heard.finish() == bmap,
            "{method:?}: the map is of the image, not of the file"
        );
        assert_flashed(&flash(dir.path(), &name, size).unwrap(), &image);
    }
    // The oracle can say no: to another image, and to another map.
    let mut damaged = bytes(&image);
    damaged[6 << 20] = 1;
    std::fs::write(dir.path().join("zoo.img"), damaged).unwrap();
    let error = flash(dir.path(), "zoo.img", size).unwrap_err();
    assert!(error.contains("checksum mismatch for blocks range"), "{error}");
    let text = String::from_utf8(bmap)
        .unwrap()
        .replace("version=\"2.0\"", "version=\"2.1\"");
    std::fs::write(dir.path().join("zoo.img.bmap"), text).unwrap();
    let error = flash(dir.path(), "zoo.img", size).unwrap_err();
    assert!(error.contains("checksum mismatch for bmap file"), "{error}");
}

fn extents() -> impl Strategy<Value = Vec<(u64, u64, bool)>> {
    let gap = prop_oneof![Just(0), 1..100u64, 3000..5000u64, 1..40_000u64];
    let len = prop_oneof![1..100u64, 4000..4200u64, 1..20_000u64];
    prop::collection::vec((gap, len, any::<bool>()), 0..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn ranges_are_those_of_extents(extents in extents(), end in 0..9000u64) {
        let (mut layout, mut position) = (Layout::new(), 0);
        for (number, (gap, len, zeros)) in extents.into_iter().enumerate() {
            let start = position + gap;
            position = start + len;
            if zeros {
                layout.put(start, "zeros", Content::Zeros(len));
            } else {
                layout.put(start, "bytes", noise(usize::try_from(len).unwrap(), number as u64));
            }
        }
        let image = layout.finish(position + end).unwrap();
        prop_assert_eq!(ranges(&bmap(&image)), expected(&image));
    }

    /// Pieces as small as can be, without the writer that gathers them.
    #[test]
    fn pieces_of_any_size(pieces in prop::collection::vec((0..3, 1..9000u64), 0..40)) {
        let (mut bmap, mut layout, mut position) = (Bmap::new(), Layout::new(), 0);
        for (kind, len) in pieces {
            let bytes = noise(usize::try_from(len).unwrap(), len);
            let piece = match kind {
                0 => Piece::Hole(len),
                1 => Piece::Zeros(len),
                _ => Piece::Bytes(bytes.clone().into()),
            };
            bmap.hear(&piece);
            match kind {
                0 => {}
                1 => layout.put(position, "zeros", Content::Zeros(len)),
                _ => layout.put(position, "bytes", bytes),
            }
            position += len;
        }
        let image = layout.finish(position).unwrap();
        prop_assert_eq!(ranges(&String::from_utf8(bmap.finish()).unwrap()), expected(&image));
    }
}
